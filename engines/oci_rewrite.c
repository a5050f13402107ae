/* SPDX-License-Identifier: Apache-2.0 */
/* The edits. Each function is one reason why a rootless runtime would refuse the document as it lies. */
#include "engines/oci_rewrite.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>

#include "engines/compat_filter.h"
#include "engines/fake_root.h"
#include "engines/oci_quirks.h"
#include "engines/seccomp_rules.h"
#include "oci-spec/runtime_config.h"
#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/id.h"
#include "pkg/base/json.h"
#include "pkg/base/mem.h"
#include "pkg/base/num.h"
#include "pkg/base/path.h"
#include "pkg/base/str.h"

#define UEVENT_MAX 4096

struct rewriter {
	const struct engine_ctx *ctx;
	const struct oci_facts *facts;
	struct json *config; /* the copy */
	struct strv *losses;
	bool userns; /* the container has a user namespace of its own */
	bool one_id; /* which maps one user and one group */
	int64_t map_uid, map_gid;
};

/* A namespace that the container gets new; one that is joined by path belongs to someone else. */
static bool is_new(const struct rewriter *w, const char *type)
{
	const char *path = NULL;

	return runtime_namespace(w->config, type, &path) && !path;
}

static int64_t number_at(const struct json *object, const char *key)
{
	int64_t n = 0;

	(void)json_to_i64(json_get(object, key), &n); /* absent is 0 */
	return n;
}

static void set_version(struct rewriter *w)
{
	int minor = 0;

	if (runtime_version_parse(runtime_oci_version(w->config), &minor) == 0 &&
		minor <= w->facts->spec_minor)
		return;
	if (w->facts->spec_minor == 0) {
		json_set_str(w->config, "ociVersion", RUNTIME_SPEC_VERSION);
	} else {
		autofree char *text = xasprintf("1.%d.0", w->facts->spec_minor);

		json_set_str(w->config, "ociVersion", text);
	}
}

/* ---- identity ---- */
/* Does the bundle map ranges? Then newuidmap is its wish, and its maps are kept. */
static bool maps_ranges(const struct json *maps)
{
	return json_len(maps) > 1 || (json_len(maps) == 1 && number_at(json_at(maps, 0), "size") > 1);
}

static void set_user_root(struct rewriter *w, struct json *user)
{
	if (!w->facts->shows_ids)
		strv_addf(w->losses,
			"%s maps a single id as root alone: the program runs as 0:0 instead of %lld:%lld",
			w->facts->engine, (long long)w->map_uid, (long long)w->map_gid);
	json_set_i64(user, "uid", 0);
	json_set_i64(user, "gid", 0);
	w->map_uid = w->map_gid = 0;
}

static void drop_groups(struct rewriter *w, struct json *user, const char *why)
{
	if (json_len(json_get(user, "additionalGids")) > 0)
		strv_add(w->losses, why);
	if (user)
		json_remove(user, "additionalGids");
}

static bool is_root(const struct json *user)
{
	return number_at(user, "uid") == 0 && number_at(user, "gid") == 0;
}

static bool maps_one(const struct json *maps)
{
	return json_len(maps) == 1 && !maps_ranges(maps);
}

static bool hides_paths(const struct json *lin)
{
	return json_len(json_get(lin, "maskedPaths")) > 0 || json_len(json_get(lin, "readonlyPaths")) > 0;
}

/* An ordinary caller's is made around the runtime, whose own kernel knows all ids; of files it has the one. */
static void leave_ids(struct rewriter *w)
{
	struct json *lin = json_get(w->config, "linux");

	if (w->ctx->uid == 0 || !lin)
		return;
	if (maps_ranges(json_get(lin, "uidMappings")) || maps_ranges(json_get(lin, "gidMappings")))
		strv_addf(w->losses, "%s maps a single id for an ordinary caller: files are root's",
			w->facts->engine);
	if (is_new(w, "network")) {
		strv_addf(w->losses, "%s has the host's network for an ordinary caller", w->facts->engine);
		runtime_remove_namespace(w->config, "network");
	}
	runtime_remove_namespace(w->config, "user");
	json_remove(lin, "uidMappings");
	json_remove(lin, "gidMappings");
}

/*
 * An ordinary caller needs a user namespace, and may map nothing but its own id. Root keeps what the bundle says; where that
 * is a namespace of one id, the same rules hold inside.
 */
static void set_ids(struct rewriter *w)
{
	struct json *lin = json_need_object(w->config, "linux");
	const struct json *uids = json_get(lin, "uidMappings"), *gids = json_get(lin, "gidMappings");
	struct json *process = json_get(w->config, "process");
	struct json *user = process ? json_need_object(process, "user") : NULL;
	bool root_only = w->facts->quirks & QUIRK_NEEDS_ROOT_MAPPED;
	bool ordinary = w->ctx->uid != 0 || (w->facts->single_id && !root_only && !is_root(user));
	int64_t host_uid = ordinary ? w->ctx->uid : number_at(json_at(uids, 0), "hostID");
	int64_t host_gid = ordinary ? w->ctx->gid : number_at(json_at(gids, 0), "hostID");

	if (ordinary)
		runtime_add_namespace(w->config, "user");
	/* Who has one of users must have one of mounts, too; and without it no path can be hidden. */
	if (runtime_namespace(w->config, "user", NULL) || w->facts->inner || w->facts->single_id ||
		hides_paths(lin))
		runtime_add_namespace(w->config, "mount");
	w->userns = runtime_namespace(w->config, "user", NULL);
	if (w->userns && !is_new(w, "user"))
		return; /* it has its maps already */
	if (!w->userns && w->facts->single_id) {
		w->userns = w->one_id = true; /* ours */
		w->map_uid = number_at(user, "uid");
		w->map_gid = number_at(user, "gid");
		if (!is_root(user))
			set_user_root(w, user);
		drop_groups(w, user, "additional groups cannot be set when a single id is mapped");
		return;
	}
	w->one_id = ordinary ? !maps_ranges(uids) && !maps_ranges(gids)
			     : is_new(w, "user") && maps_one(uids) && maps_one(gids);
	if (!w->one_id) {
		if (ordinary && (w->facts->quirks & QUIRK_NO_GROUPS))
			drop_groups(w, user, "runc sets no additional groups for an ordinary caller");
		return;
	}
	w->map_uid = number_at(user, "uid");
	w->map_gid = number_at(user, "gid");
	if (root_only && (w->map_uid != 0 || w->map_gid != 0))
		set_user_root(w, user);
	runtime_set_id_maps(
		w->config, (uid_t)w->map_uid, (uid_t)host_uid, (gid_t)w->map_gid, (gid_t)host_gid);
	drop_groups(w, user, "additional groups cannot be set when a single id is mapped");
}

/* ---- mounts ---- */
static bool is_fs_option(const char *o)
{
	static const char *const generic[] = { "ro", "rw", "nosuid", "suid", "nodev", "dev", "noexec",
		"exec" };

	for (size_t i = 0; i < ARRAY_LEN(generic); i++)
		if (str_eq(o, generic[i]))
			return true;
	return false;
}

static bool has_option(const struct json *options, const char *word)
{
	for (size_t i = 0; i < json_len(options); i++)
		if (str_eq(json_str(json_at(options, i)), word))
			return true;
	return false;
}

/* Show the host's file system in place of a new one. */
static void make_rbind(struct json *mount, const char *source)
{
	struct json *options = json_need_array(mount, "options");

	for (size_t i = json_len(options); i-- > 0;) {
		const char *o = json_str(json_at(options, i));

		if (!o || !is_fs_option(o))
			json_remove_at(options, i);
	}
	json_insert(options, 0, json_new_str("rbind"));
	json_set_str(mount, "type", "bind");
	json_set_str(mount, "source", source);
}

/* In a namespace of one id that is the caller's own there is no map in the document. */
static bool maps_id(const struct rewriter *w, const char *list, int64_t id)
{
	if (w->one_id)
		return id == (str_eq(list, "uidMappings") ? w->map_uid : w->map_gid);
	return runtime_id_is_mapped(w->config, list, id);
}

/* uid= and gid= of ids that are not mapped cannot be set: 5, devpts' usual one, is not when there is a single one. */
static void drop_unmapped(const struct rewriter *w, struct json *mount)
{
	struct json *options = json_get(mount, "options");

	for (size_t i = json_len(options); i-- > 0;) {
		const char *o = json_str(json_at(options, i));
		bool is_uid = o && str_starts(o, "uid="), is_gid = o && str_starts(o, "gid=");
		uint32_t id;

		if (!is_uid && !is_gid)
			continue;
		if (num_parse_u32(o + 4, &id) < 0 || !maps_id(w, is_uid ? "uidMappings" : "gidMappings", id))
			json_remove_at(options, i);
	}
}

/*
 * Flags of the mount that a bind is taken from are locked in a user namespace: a remount (for ro, say) that does not repeat
 * them is refused.
 */
static void repeat_locked(struct json *mount, const char *source)
{
	static const struct {
		unsigned long flag;
		const char *on, *off;
	} locked[] = {
		{ ST_NOSUID, "nosuid", "suid" },
		{ ST_NODEV, "nodev", "dev" },
		{ ST_NOEXEC, "noexec", "exec" },
	};
	struct json *options = json_need_array(mount, "options");
	struct statvfs fs;

	if (statvfs(source, &fs) < 0) /* the runtime will say so */
		return;
	for (size_t i = 0; i < ARRAY_LEN(locked); i++)
		if ((fs.f_flag & locked[i].flag) && !has_option(options, locked[i].on) &&
			!has_option(options, locked[i].off))
			json_append(options, json_new_str(locked[i].on));
}

static void edit_bind(const struct rewriter *w, struct json *mount, const struct runtime_mount *m)
{
	struct json *options = json_need_array(mount, "options");
	autofree char *source = *m->source == '/' ? xstrdup(m->source) : path_join(w->ctx->bundle, m->source);

	json_set_str(mount, "source", source);
	/* The runtimes go by the option and not by the type. */
	if (!has_option(options, "bind") && !has_option(options, "rbind"))
		json_insert(options, 0, json_new_str("bind"));
	if (w->userns)
		repeat_locked(mount, source);
}

/* What has a kernel of its own has these file systems as well: the host's, which are bound elsewhere, would tell of another's processes. */
static bool is_kernel_bind(const struct rewriter *w, struct json *mount, const struct runtime_mount *m)
{
	static const struct {
		const char *source, *type; /* NULL: it is there by itself */
	} t[] = { { "/proc", "proc" }, { "/sys", "sysfs" }, { "/dev", NULL }, { "/dev/pts", "devpts" },
		{ "/dev/shm", "tmpfs" }, { "/dev/mqueue", "mqueue" } };

	for (size_t i = 0; m->bind && (w->facts->quirks & QUIRK_OWN_KERNEL) && i < ARRAY_LEN(t); i++) {
		if (!str_eq(m->source, t[i].source))
			continue;
		json_set_str(mount, "type", t[i].type ? t[i].type : "");
		json_set_str(mount, "source", t[i].type ? t[i].type : "");
		json_remove(mount, "options");
		return true;
	}
	return false;
}

/* Where nothing is mounted on /tmp and it is empty, runsc has it in memory, and what is written there is lost. */
static void keep_tmp(struct rewriter *w, const struct runtime_mounts *mounts)
{
	static const char *const options[] = { "bind", NULL };
	autofree char *source = path_join(w->ctx->rootfs, "tmp");
	struct stat st;

	for (size_t i = 0; i < mounts->n; i++)
		if (str_eq(mounts->items[i].destination, "/tmp"))
			return;
	if (lstat(source, &st) == 0 && S_ISDIR(st.st_mode))
		runtime_add_mount(w->config, "/tmp", "bind", source, options);
}

/* Returns false when the mount is to be left out. */
static bool edit_mount(struct rewriter *w, struct json *mount, const struct runtime_mount *m)
{
	if (is_kernel_bind(w, mount, m))
		return *json_str(json_get(mount, "type")) != '\0';
	if (m->bind) {
		edit_bind(w, mount, m);
		return true;
	}
	if (is_new(w, "user") || w->one_id)
		drop_unmapped(w, mount);
	/* In a user namespace they are the caller's own, and can be shown. */
	if (!w->userns && !w->facts->inner && !w->facts->cgroups &&
		(str_eq(m->type, "cgroup") || str_eq(m->type, "cgroup2"))) {
		strv_addf(w->losses, "no control group can be made here: nothing is mounted at %s",
			m->destination);
		return false;
	}
	if (str_eq(m->type, "mqueue") && w->facts->no_mqueue)
		return false;
	if (!w->userns)
		return true;
	/* A user namespace may mount these only with the namespace that they show. */
	if (str_eq(m->type, "proc") && !is_new(w, "pid"))
		make_rbind(mount, "/proc");
	else if (str_eq(m->type, "sysfs") && !is_new(w, "network"))
		make_rbind(mount, "/sys");
	else if (str_eq(m->type, "mqueue") && !is_new(w, "ipc")) {
		if (!w->facts->host_mqueue)
			return false;
		make_rbind(mount, "/dev/mqueue");
	}
	return true;
}

static int edit_mounts(struct rewriter *w, struct err **err)
{
	struct json *list = json_get(w->config, "mounts");
	auto_runtime_mounts mounts = RUNTIME_MOUNTS_INIT;

	if (runtime_mounts_read(w->config, &mounts, err) < 0)
		return -1;
	for (size_t i = mounts.n; i-- > 0;)
		if (!edit_mount(w, json_at(list, i), &mounts.items[i]))
			json_remove_at(list, i);
	if (w->facts->quirks & QUIRK_OWN_KERNEL)
		keep_tmp(w, &mounts);
	return 0;
}

/* ---- devices ---- */
/* The name that the kernel gives a device below /dev. The caller frees it; NULL: it knows none. */
static char *kernel_name(bool block, unsigned major_number, unsigned minor_number)
{
	autofree char *path =
		xasprintf("/sys/dev/%s/%u:%u/uevent", block ? "block" : "char", major_number, minor_number);
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
	auto_str text = STR_INIT;
	auto_strv lines = STRV_INIT;

	if (fd < 0 || fd_read_text(fd, UEVENT_MAX, &text, path, NULL) < 0)
		return NULL;
	strv_split(&lines, str_text(&text), "\n");
	for (size_t i = 0; i < lines.n; i++)
		if (str_starts(lines.v[i], "DEVNAME="))
			return path_join("/dev", lines.v[i] + strlen("DEVNAME="));
	return NULL;
}

/* The host's node of a device: of that name, or of the kernel's. NULL: there is none. The caller frees it. */
static char *find_device(const struct json *device, const char *path)
{
	const char *type = json_str(json_get(device, "type"));
	unsigned major_number = (unsigned)number_at(device, "major");
	unsigned minor_number = (unsigned)number_at(device, "minor");
	bool fifo = str_eq(type, "p"), block = str_eq(type, "b");
	mode_t want = fifo ? S_IFIFO : block ? S_IFBLK : S_IFCHR;
	autofree char *name = fifo ? NULL : kernel_name(block, major_number, minor_number);
	const char *const places[] = { path, name };
	struct stat st;

	for (size_t i = 0; i < ARRAY_LEN(places); i++)
		if (places[i] && stat(places[i], &st) == 0 && (st.st_mode & S_IFMT) == want &&
			(fifo || st.st_rdev == makedev(major_number, minor_number)))
			return xstrdup(places[i]);
	return NULL;
}

/*
 * A user namespace can only bind devices. runc knows that of those that the host has under the same name; crun makes them outside
 * for root of the host, from 1.8 on, and fails else.
 */
static void edit_devices(struct rewriter *w)
{
	static const char *const options[] = { "bind", "nosuid", "noexec", NULL };
	struct json *list = json_path(w->config, "linux", "devices", NULL);

	if (w->ctx->uid == 0 && !w->facts->inner && (w->facts->quirks & QUIRK_MAKES_DEVICES))
		return;
	for (size_t i = 0; w->userns && i < json_len(list); i++) {
		const struct json *device = json_at(list, i);
		const char *path = json_str(json_get(device, "path"));
		autofree char *node = path ? find_device(device, path) : NULL;

		if (node)
			runtime_add_mount(w->config, path, "bind", node, options);
		else if (path)
			strv_addf(w->losses,
				"device %s cannot be made in a user namespace, and the host has none", path);
	}
	if (w->userns && list)
		json_remove(json_get(w->config, "linux"), "devices");
}

/* ---- limits ---- */
static void edit_rlimit(struct rewriter *w, struct json *limit)
{
	const char *name = json_str(json_get(limit, "type"));
	int resource = name ? runtime_rlimit_resource(name, NULL) : -1;
	static const char *const keys[] = { "hard", "soft" };
	struct rlimit now;
	bool lowered = false;

	if (resource < 0 || getrlimit(resource, &now) < 0 || now.rlim_max == RLIM_INFINITY)
		return;
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		const char *text = json_number_text(json_get(limit, keys[i]));
		uint64_t value;

		/* What is no number of 64 bits is "unlimited" at best: more than we may have. */
		if (text && num_parse_u64(text, UINT64_MAX, &value) == 0 && value <= now.rlim_max)
			continue;
		json_set_i64(limit, keys[i], (int64_t)now.rlim_max);
		lowered = true;
	}
	if (lowered)
		strv_addf(w->losses, "%s is lowered to the caller's hard limit %llu", name,
			(unsigned long long)now.rlim_max);
}

static void edit_limits(struct rewriter *w)
{
	struct json *process = json_get(w->config, "process");
	const struct json *limits = json_get(process, "rlimits");
	int64_t oom;

	if (w->facts->may_raise)
		return;
	for (size_t i = 0; i < json_len(limits); i++)
		edit_rlimit(w, json_at(limits, i));
	if (json_to_i64(json_get(process, "oomScoreAdj"), &oom) == 0 && oom < w->facts->oom_score_adj) {
		strv_addf(w->losses, "oomScoreAdj stays at the caller's %d", w->facts->oom_score_adj);
		json_set_i64(process, "oomScoreAdj", w->facts->oom_score_adj);
	}
}

/* ---- the rest ---- */
/*
 * Runtimes name the control group of a bundle that names none by its id alone, and end whoever is in it: also the container of that id in
 * another state directory.
 */
static void name_cgroup(struct rewriter *w, struct json *lin)
{
	const char *given = json_str(json_get(lin, "cgroupsPath"));
	autofree char *name = NULL;
	char unique[17];

	if (given && *given)
		return;
	id_random_hex(unique, sizeof(unique) - 1);
	name = xasprintf("%s-%s", path_base(w->ctx->state_dir), unique);
	json_set_str(lin, "cgroupsPath", name);
}

static void edit_cgroups(struct rewriter *w)
{
	struct json *lin = json_get(w->config, "linux");

	if (!lin)
		return;
	if (w->facts->cgroups) {
		name_cgroup(w, lin);
		return;
	}
	if (json_len(json_get(lin, "resources")) > 0)
		strv_add(w->losses,
			"no control group can be made here: limits of linux.resources are not set");
	json_remove(lin, "resources");
	json_remove(lin, "cgroupsPath");
}

static void edit_hostname(struct rewriter *w)
{
	if (is_new(w, "uts"))
		return;
	if (runtime_hostname(w->config))
		strv_add(w->losses, "hostname is the host's: the bundle asks for no uts namespace");
	json_remove(w->config, "hostname");
	json_remove(w->config, "domainname");
}

/* ---- what this version does not know ---- */
static struct json *parent_of(struct json *config, const struct strv *names)
{
	struct json *object = config;

	for (size_t i = 0; object && i + 1 < names->n; i++)
		object = json_get(object, names->v[i]);
	return object;
}

static bool take_out(struct json *config, const char *property)
{
	static const char namespaces[] = "linux.namespaces.";
	auto_strv names = STRV_INIT;
	struct json *object;

	if (str_starts(property, namespaces)) {
		const char *type = property + strlen(namespaces);

		if (!runtime_namespace(config, type, NULL))
			return false;
		runtime_remove_namespace(config, type);
		return true;
	}
	strv_split(&names, property, ".");
	object = parent_of(config, &names);
	if (!json_get(object, names.v[names.n - 1]))
		return false;
	json_remove(object, names.v[names.n - 1]);
	return true;
}

static void drop_unknown(struct rewriter *w)
{
	const struct oci_facts *f = w->facts;

	for (const struct oci_quirk *q = oci_quirks; q->engine; q++)
		if (q->property && oci_quirk_holds(q, f->engine, f->version) &&
			take_out(w->config, q->property))
			strv_addf(w->losses, "%s %s does not know %s (%s does)", f->engine, f->version,
				q->property, q->before);
}

/* The program is root and has one id: what root's calls would do cannot be done, and is said to be. */
static bool fakes_root(const struct rewriter *w)
{
	return w->one_id && w->map_uid == 0 && w->facts->fake_root && !w->ctx->no_fake_root &&
	       json_get(w->config, "process");
}

/*
 * As a program that need not be compiled: libseccomp takes more than a millisecond for these names on all architectures. The first process
 * before a tracer installs it itself, if the program is to gain nothing by an exec anyway: whoever has no privilege must give that up.
 */
static bool add_program(struct rewriter *w, bool fake_root, char **ret_inside)
{
	autofree struct sock_filter *hidden = NULL;
	autofree char *text = NULL;
	enum fake_root_part part = fake_root ? FAKE_ROOT_ALL : FAKE_ROOT_NONE;
	bool inside = w->facts->traced && json_true(json_path(w->config, "process", "noNewPrivileges", NULL));
	size_t n = 0;

	if (!inside && !(w->facts->quirks & QUIRK_TAKES_FILTER))
		return false;
	if (w->facts->traced) {
		hidden = compat_filter_build(compat_arch_host(), w->facts->tracer_version, &n);
		part = fake_root ? FAKE_ROOT_FILES : FAKE_ROOT_NONE;
	}
	text = fake_root_program(w->config, part, hidden, n);
	if (!text)
		return false;
	json_remove(json_need_object(w->config, "linux"), "seccomp"); /* an empty one */
	if (inside)
		*ret_inside = steal_ptr(&text);
	else
		json_set_str(json_need_object(w->config, "annotations"), OCI_FILTER_ANNOTATION, text);
	return true;
}

/* PRoot keeps its own account of ids, and must see the calls about them; of files it says what the kernel says. */
static void add_filter(struct rewriter *w, bool fake_root, char **ret_inside)
{
	auto_strv hidden = STRV_INIT;
	bool hides = w->facts->traced &&
		     w->facts->fake_root; /* else this version of the runtime knows no such answer */

	if ((!fake_root && !hides) || add_program(w, fake_root, ret_inside))
		return;
	if (fake_root)
		fake_root_seccomp(w->config, w->facts->traced ? FAKE_ROOT_FILES : FAKE_ROOT_ALL);
	if (!hides)
		return;
	compat_filter_names(w->facts->tracer_version, &hidden);
	seccomp_rules_hide(w->config, &hidden);
}

int oci_rewrite(const struct engine_ctx *ctx, const struct oci_facts *facts, struct strv *losses,
	struct oci_result *ret, struct err **err)
{
	auto_json *config = json_clone(ctx->config);
	struct rewriter w = { .ctx = ctx, .facts = facts, .config = config, .losses = losses };

	set_version(&w);
	json_set_str(json_need_object(config, "root"), "path", ctx->rootfs);
	if (facts->quirks & QUIRK_OWN_KERNEL)
		leave_ids(&w);
	else
		set_ids(&w);
	if (edit_mounts(&w, err) < 0)
		return -1;
	if (!(facts->quirks & QUIRK_OWN_KERNEL))
		edit_limits(&w);
	edit_cgroups(&w);
	edit_hostname(&w);
	edit_devices(&w);
	drop_unknown(&w);
	/* Who is shown to be another is not to succeed as root would. */
	ret->fake_root = fakes_root(&w) &&
			 (!facts->traced || is_root(json_path(ctx->config, "process", "user", NULL)));
	add_filter(&w, ret->fake_root, &ret->filter);
	ret->config = steal_ptr(&config);
	return 0;
}
