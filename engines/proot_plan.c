/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From config.json to PRoot's command line. PRoot only binds: kernel file systems are the host's, a tmpfs is an empty directory of the
 * run, a masked path is /dev/null or an empty directory. Our guest_init is bound where no placeholder can be left behind: PRoot makes
 * missing targets in the guest, but nothing can be made below /proc.
 */
#include "engines/proot_plan.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "engines/common.h"
#include "engines/compat_filter.h"
#include "engines/guest_machine.h"
#include "engines/host_path.h"
#include "engines/proot.h"
#include "engines/proot_loader.h"
#include "oci-spec/runtime_config.h"
#include "pkg/base/err.h"
#include "pkg/base/fs.h"
#include "pkg/base/host.h"
#include "pkg/base/json.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/base/path.h"
#include "pkg/base/str.h"
#include "pkg/conf/conf.h"

#define INIT_NAME ".udocker-init"

struct bind {
	char *host, *guest;
	bool readonly; /* by a mount */
	char *stand_in; /* where that will be, for PRoot to show; NULL: at `host` itself */
};

/* What is to be read-only by Landlock. */
struct kept {
	char *host;
	const char *property;
};

struct planner {
	const struct engine_ctx *ctx;
	const struct engine_probe *probe;
	struct engine_plan *plan;
	struct bind
		*binds; /* in the order of config.json: a later one covers an earlier one at the same place */
	size_t n, cap;
	struct kept *kept;
	size_t n_kept, kept_cap;
	const char *root; /* what PRoot is given as the root */
};

static void planner_free(struct planner *p)
{
	for (size_t i = 0; i < p->n; i++) {
		free(p->binds[i].host);
		free(p->binds[i].guest);
		free(p->binds[i].stand_in);
	}
	free(p->binds);
	for (size_t i = 0; i < p->n_kept; i++)
		free(p->kept[i].host);
	free(p->kept);
}

static void add_bind(struct planner *p, const char *host, const char *guest)
{
	p->binds = mem_grow(p->binds, &p->cap, p->n + 1, sizeof(*p->binds));
	p->binds[p->n++] = (struct bind){ .host = xstrdup(host), .guest = xstrdup(guest) };
}

/* ---- read-only ---- */

/* Something for a mount to be on: a directory, or a file for all that is none. */
static const char *add_stand_in(struct planner *p, const char *host)
{
	struct engine_plan *plan = p->plan;
	struct stat st;
	bool is_dir = stat(host, &st) < 0 || S_ISDIR(st.st_mode);
	const char *path = engine_plan_add_make(p->plan, p->ctx->state_dir, NULL);

	plan->makes[plan->n_makes - 1].content = is_dir ? NULL : "";
	return path;
}

/*
 * Does something that is shown writable show some of `host` at another place than `guest`? With a read-only mount in its own place `host`
 * would be read-only there too.
 */
static bool is_shared(const struct planner *p, const char *host, const char *guest)
{
	for (size_t i = 0; i < p->n; i++) {
		const struct bind *o = &p->binds[i];
		autofree char *other = host_path_canonical(o->host);

		if (o->readonly || !other)
			continue;
		if (path_is_below(other, host) && !str_eq(other, host))
			return true;
		if (path_is_below(host, other)) {
			autofree char *there = path_join(o->guest, host + strlen(other));

			if (str_eq(other, host) || !str_eq(there, guest))
				return true;
		}
	}
	return false;
}

/* Is it, or does it hold, what is written in from here or by PRoot? */
static bool holds_own(const struct planner *p, const char *host)
{
	const char *const own[] = { runtime_root_readonly(p->ctx->config) ? NULL : p->ctx->rootfs,
		p->ctx->state_dir, strv_env_get(&p->plan->env, "PROOT_TMP_DIR") };

	for (size_t i = 0; i < ARRAY_LEN(own); i++) {
		autofree char *plain = own[i] ? host_path_canonical(own[i]) : NULL;

		if (own[i] && (path_is_below(own[i], host) || (plain && path_is_below(plain, host))))
			return true;
	}
	return false;
}

/* It costs least where it is: nothing has to be made, and PRoot needs no further binding. Returns where else it will be, or NULL. */
static const char *add_readonly_mount(struct planner *p, const char *host, const char *guest)
{
	struct engine_plan *plan = p->plan;
	autofree char *plain = host_path_canonical(host), *root = host_path_canonical(p->ctx->rootfs);
	const char *source = plain ? plain : host;
	bool in_root = root && path_is_below(source, root) && !runtime_root_readonly(p->ctx->config);
	bool same = in_root && str_eq(source + strlen(root), guest);
	const char *target = is_shared(p, source, guest) || holds_own(p, source) || (in_root && !same)
				     ? add_stand_in(p, source)
				     : NULL;

	strv_add(&plan->readonly_sources, source);
	strv_add(&plan->readonly_targets, target ? target : source);
	return target;
}

static void settle_mounts(struct planner *p)
{
	const char *root = NULL;

	if (p->ctx->guard != ENGINE_GUARD_MOUNTS)
		return;
	if (runtime_root_readonly(p->ctx->config))
		root = add_readonly_mount(p, p->root, "/");
	for (size_t i = 0; i < p->n; i++) {
		const char *at = p->binds[i].readonly
					 ? add_readonly_mount(p, p->binds[i].host, p->binds[i].guest)
					 : NULL;

		p->binds[i].stand_in = xstrdup_null(at);
	}
	p->root = root ? root : p->root;
}

static void add_kept(struct planner *p, const char *host, const char *property)
{
	p->kept = mem_grow(p->kept, &p->kept_cap, p->n_kept + 1, sizeof(*p->kept));
	p->kept[p->n_kept++] = (struct kept){ xstrdup(host), property };
}

/* What may be written in, if what may not is told by Landlock. */
static void add_writable(struct planner *p, const char *host)
{
	if (p->ctx->guard == ENGINE_GUARD_LANDLOCK && !strv_has(&p->plan->writable, host))
		strv_add(&p->plan->writable, host);
}

/* Something of the host at `guest`. `property`: what asks for it to be read-only; NULL: nothing does, or nothing has to be done. */
static void add_shown(
	struct planner *p, const char *host, const char *guest, bool readonly, const char *property)
{
	add_bind(p, host, guest);
	if (!readonly)
		add_writable(p, host);
	else if (p->ctx->guard == ENGINE_GUARD_MOUNTS)
		p->binds[p->n - 1].readonly = true;
	else if (property)
		add_kept(p, host, property);
}

static void add_root(struct planner *p)
{
	const char *root = p->ctx->rootfs;

	p->root = root;
	if (!runtime_root_readonly(p->ctx->config))
		add_writable(p, root);
	else if (p->ctx->guard != ENGINE_GUARD_MOUNTS)
		add_kept(p, root, "root.readonly");
}

/*
 * PRoot and every program write in /dev and /proc. PRoot's own directory is the one beside its kept loader, or one of this container; the
 * usual one if its loader has to be executed from there, which a state directory may not allow.
 */
static void add_engines_own(struct planner *p)
{
	autofree char *tmp = proot_loader_tmp();

	add_writable(p, "/dev");
	add_writable(p, "/proc");
	if (p->probe->flags & PROOT_LOADER)
		strv_env_set(&p->plan->env, "PROOT_TMP_DIR",
			tmp ? tmp : engine_plan_add_make(p->plan, p->ctx->state_dir, NULL));
	add_writable(p, strv_env_get(&p->plan->env, "PROOT_TMP_DIR"));
}

/* Landlock grants whole hierarchies: what lies in one that is granted stays writable. Where nothing is kept, nothing is restricted. */
static void settle_landlock(struct planner *p)
{
	size_t kept = 0;

	if (p->ctx->guard == ENGINE_GUARD_LANDLOCK && p->n_kept > 0)
		add_engines_own(p);
	for (size_t i = 0; p->ctx->guard == ENGINE_GUARD_LANDLOCK && i < p->n_kept; i++) {
		if (host_path_is_within(p->kept[i].host, &p->plan->writable))
			strv_addf(&p->plan->notes, "%s: %s stays writable, as what holds it is",
				p->kept[i].property, p->kept[i].host);
		else
			kept++;
	}
	if (kept == 0)
		strv_free(&p->plan->writable);
}

/* The binding in force at `guest`: the deepest that covers it, the last among equals. */
static const struct bind *covering(const struct planner *p, const char *guest)
{
	const struct bind *best = NULL;

	for (size_t i = 0; i < p->n; i++)
		if (path_is_below(guest, p->binds[i].guest) &&
			(!best || strlen(p->binds[i].guest) >= strlen(best->guest)))
			best = &p->binds[i];
	return best;
}

/* True if `guest` shows something of the host's /dev. */
static bool in_host_dev(const struct planner *p, const char *guest)
{
	const struct bind *b = covering(p, guest);

	return b && path_is_below(b->host, "/dev") && !str_eq(b->guest, guest);
}

static int add_mount(struct planner *p, const struct runtime_mount *m, struct err **err)
{
	const char *place = engine_kernel_place(m->type);

	if (str_eq(m->destination, "/"))
		return err_make(err, ERR_UNSUPPORTED, "proot cannot mount anything at /");
	if (m->bind) {
		autofree char *host =
			*m->source == '/' ? xstrdup(m->source) : path_join(p->ctx->bundle, m->source);

		add_shown(p, host, m->destination, m->readonly, "mounts.readonly");
		strv_add(&p->plan->sources, host);
		return 0;
	}
	if (place) {
		if (!in_host_dev(p, m->destination))
			add_shown(p, place, m->destination, m->readonly, NULL);
		return 0;
	}
	if (str_eq(m->type, "tmpfs")) {
		if (str_eq(m->destination, "/dev"))
			add_bind(p, "/dev", "/dev");
		else if (!in_host_dev(p, m->destination))
			add_shown(p, engine_plan_add_make(p->plan, p->ctx->state_dir, NULL), m->destination,
				m->readonly, NULL);
	}
	/* What is left are control groups, which are ignored: other types were refused by the answers. */
	return 0;
}

/* What `path` is inside, opened with O_PATH, which reads nothing and opens anything; a final link is followed, in the root. -1: nothing. */
static int open_inside(const struct planner *p, int rootfd, const char *path)
{
	const struct bind *b = covering(p, path);
	autofree char *host = b ? path_join(b->host, path + strlen(b->guest)) : NULL;

	return host ? open(host, O_PATH | O_CLOEXEC) : fs_open(rootfd, path, O_PATH, 0, FS_IN_ROOT);
}

/* S_IFDIR, S_IFREG …, 0 if it is not there. */
static mode_t type_inside(const struct planner *p, int rootfd, const char *path)
{
	autoclose int fd = open_inside(p, rootfd, path);
	struct stat st;

	return fd < 0 || fstat(fd, &st) < 0 ? 0 : st.st_mode & S_IFMT;
}

/* Each that is there, by a mount: without, they are ignored. */
static void add_readonly_paths(struct planner *p)
{
	const struct json *list = json_path(p->ctx->config, "linux", "readonlyPaths", NULL);
	autoclose int rootfd = -1;

	if (p->ctx->guard != ENGINE_GUARD_MOUNTS || json_len(list) == 0)
		return;
	rootfd = open(p->ctx->rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);
	for (size_t i = 0; i < json_len(list); i++) {
		const char *text = json_str(json_at(list, i));
		autofree char *path = text && *text == '/' ? path_clean(text) : NULL;
		autoclose int fd = path && !str_eq(path, "/") ? open_inside(p, rootfd, path) : -1;
		autofree char *host = fd >= 0 ? fs_fd_path(fd) : NULL;

		if (host)
			add_shown(p, host, path, true, NULL);
	}
}

/* Each masked path that is there is covered; one empty directory serves all. */
static void add_masks(struct planner *p)
{
	const struct json *list = json_path(p->ctx->config, "linux", "maskedPaths", NULL);
	autoclose int rootfd = json_len(list) ? open(p->ctx->rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
	const char *empty = NULL;

	for (size_t i = 0; i < json_len(list); i++) {
		const char *text = json_str(json_at(list, i));
		autofree char *path = text && *text == '/' ? path_clean(text) : NULL;
		mode_t type = path && !str_eq(path, "/") ? type_inside(p, rootfd, path) : 0;

		if (type == S_IFDIR && !empty)
			empty = engine_plan_add_make(p->plan, p->ctx->state_dir, NULL);
		if (type)
			add_bind(p, type == S_IFDIR ? empty : "/dev/null", path);
	}
}

/* PRoot splits at the first ':', so such a host path is reached through a link; a '!' at the end of the guest path is its own. */
static int emit_bind(struct planner *p, const struct bind *b, struct err **err)
{
	const char *host = b->stand_in ? b->stand_in : b->host;

	if (strchr(host, ':')) {
		if (strchr(p->ctx->state_dir, ':')) {
			err_make(err, ERR_UNSUPPORTED, "proot cannot bind '%s': there is a ':' in it", host);
			return err_hint(err, "choose a state directory (--root) without ':'");
		}
		host = engine_plan_add_make(p->plan, p->ctx->state_dir, host);
	}
	strv_add(&p->plan->argv, "-b");
	strv_addf(&p->plan->argv, "%s:%s%s", host, b->guest, str_ends(b->guest, "!") ? "!" : "");
	return 0;
}

/*
 * Where guest_init is bound. Best is a file that is there and that nobody reads, so that PRoot need not make and remove a folder for
 * a placeholder: execdomains has had one constant line since Linux 4.1. Else below a host's /proc or /sys that is shown unchanged, where
 * PRoot cannot make a placeholder in the guest. Without these in the root itself: PRoot makes an empty file there and removes it at its end.
 */
static char *init_place(const struct planner *p)
{
	static const char *const tops[] = { "/proc", "/sys" };
	static const char unread[] = "/proc/execdomains";

	for (size_t i = 0; i < ARRAY_LEN(tops); i++) {
		const struct bind *b = covering(p, tops[i]);

		if (!b || !str_eq(b->host, tops[i]) || !str_eq(b->guest, tops[i]))
			continue;
		if (i == 0 && covering(p, unread) == b)
			return xstrdup(unread);
		return path_join(tops[i], INIT_NAME);
	}
	return xstrdup("/" INIT_NAME);
}

/*
 * Does another binding show the same at this place already, as the host's /dev does with /dev/shm? Each one costs PRoot time at
 * every path. A link is kept: bound, it shows what it leads to on the host.
 */
static bool is_shown_already(const struct planner *p, const struct bind *b)
{
	const struct bind *around = NULL;
	struct stat st;
	size_t n;

	for (size_t i = 0; i < p->n; i++) {
		const struct bind *o = &p->binds[i];

		if (path_is_below(b->guest, o->guest) && strlen(o->guest) < strlen(b->guest) &&
			(!around || strlen(o->guest) >= strlen(around->guest)))
			around = o;
	}
	if (!around || b->stand_in || around->stand_in)
		return false;
	n = strlen(around->host);
	return strncmp(b->host, around->host, n) == 0 &&
	       str_eq(b->host + n, b->guest + strlen(around->guest)) && lstat(b->host, &st) == 0 &&
	       !S_ISLNK(st.st_mode);
}

static int add_binds(struct planner *p, struct err **err)
{
	auto_runtime_mounts mounts = RUNTIME_MOUNTS_INIT;

	if (runtime_mounts_read(p->ctx->config, &mounts, err) < 0)
		return -1;
	add_root(p);
	for (size_t i = 0; i < mounts.n; i++)
		if (add_mount(p, &mounts.items[i], err) < 0)
			return -1;
	add_readonly_paths(p);
	add_masks(p);
	settle_landlock(p);
	settle_mounts(p);
	p->plan->init_path = init_place(p);
	add_bind(p, p->ctx->guest_init, p->plan->init_path);
	for (size_t i = 0; i < p->n; i++)
		if (!is_shown_already(p, &p->binds[i]) && emit_bind(p, &p->binds[i], err) < 0)
			return -1;
	return 0;
}

/* The identity that the program sees. */
static void add_ids(struct planner *p)
{
	const struct json *user = json_path(p->ctx->config, "process", "user", NULL);
	struct strv *argv = &p->plan->argv;
	int64_t uid = 0, gid = 0;

	/* Checked by runtime_config_check(); absent is root. */
	(void)json_to_i64(json_get(user, "uid"), &uid);
	(void)json_to_i64(json_get(user, "gid"), &gid);
	if (uid == 0 && gid == 0) {
		strv_add(argv, "-0");
	} else if (p->probe->flags & PROOT_CHANGE_ID_I) {
		strv_add(argv, "-i");
		strv_addf(argv, "%lld:%lld", (long long)uid, (long long)gid);
	} else if (p->probe->flags & PROOT_CHANGE_ID) {
		strv_addf(argv, "--change-id=%lld:%lld", (long long)uid, (long long)gid);
	} else if ((uid_t)uid != p->ctx->uid || (gid_t)gid != p->ctx->gid) {
		strv_addf(&p->plan->notes, "proot %s cannot change ids: the program runs as %u:%u",
			p->probe->version, (unsigned)p->ctx->uid, (unsigned)p->ctx->gid);
	}
}

/* Can this text be a field of -k's long form? */
static bool is_field(const char *s)
{
	return !strchr(s, '\\');
}

/*
 * -k RELEASE as 1.3.x always has it, or PRoot's long form \sysname\nodename\release\version\machine\domain\hwcap\ when a host name is set.
 * Where -k breaks newer guests it is left out unless it was asked for.
 */
static void add_kernel(struct planner *p)
{
	const struct json *config = p->ctx->config;
	const char *asked = runtime_annotation(config, ANNOTATION_KERNEL);
	const char *release = asked && *asked              ? asked
			      : host_kernel_at_least(3, 0) ? host_kernel_release()
							   : "6.0.0";
	const char *host = runtime_hostname(config), *domain = json_str(json_get(config, "domainname"));
	bool safe = p->probe->flags & PROOT_KERNEL;
	struct utsname u;
	bool named;

	named = !p->ctx->has_uts && uname(&u) == 0 &&
		((host && !str_eq(host, u.nodename)) || (domain && !str_eq(domain, u.domainname)));
	if (!safe && named)
		strv_addf(&p->plan->notes, "proot %s cannot show another host name", p->probe->version);
	if (!safe && asked && *asked)
		strv_addf(&p->plan->notes, ENGINE_KERNEL " makes fstat() fail in newer guests under proot %s",
			p->probe->version);
	if (!safe && !(asked && *asked))
		return;
	strv_add(&p->plan->argv, "-k");
	if (safe && named && is_field(release) && is_field(host ? host : "") &&
		is_field(domain ? domain : ""))
		strv_addf(&p->plan->argv, "\\%s\\%s\\%s\\%s\\%s\\%s\\-1\\", u.sysname,
			host ? host : u.nodename, release, u.version, u.machine,
			domain ? domain : u.domainname);
	else
		strv_add(&p->plan->argv, release);
}

/* "HPORT:CPORT,…" as -p CPORT:HPORT, where this PRoot knows it. */
static void add_ports(struct planner *p)
{
	const char *publish = runtime_annotation(p->ctx->config, ANNOTATION_PUBLISH);
	const char *netcoop = runtime_annotation(p->ctx->config, ANNOTATION_NETCOOP);
	auto_strv ports = STRV_INIT;

	strv_split(&ports, publish ? publish : "", ",");
	if (ports.n > 0 && !(p->probe->flags & PROOT_PORT)) {
		if (engine_maps_ports(publish))
			strv_addf(&p->plan->notes,
				ENGINE_PUBLISH ": proot %s cannot map ports: the program uses the host's",
				p->probe->version);
		strv_free(&ports);
	}
	for (size_t i = 0; i < ports.n; i++) {
		const char *colon = strchr(ports.v[i], ':');

		strv_add(&p->plan->argv, "-p");
		if (colon)
			strv_addf(
				&p->plan->argv, "%s:%.*s", colon + 1, (int)(colon - ports.v[i]), ports.v[i]);
		else
			strv_addf(&p->plan->argv, "%s:%s", ports.v[i], ports.v[i]);
	}
	if (str_eq(netcoop, "true") && (p->probe->flags & PROOT_NETCOOP))
		strv_add(&p->plan->argv, "-n");
}

char *proot_tmp_dir(const struct strv *env)
{
	const char *dir = env ? strv_env_get(env, "PROOT_TMP_DIR") : host_env("PROOT_TMP_DIR");

	if (!dir || !*dir)
		dir = conf_str(CONF_TMPDIR);
	return xstrdup(*dir ? dir : "/tmp");
}

/* PRoot's own environment; the program's is guest_init's business. */
static void add_env(struct planner *p)
{
	const struct engine_ctx *ctx = p->ctx;
	struct strv *env = &p->plan->env;
	autofree char *tmp = proot_tmp_dir(&ctx->env);

	strv_dup(env, &ctx->env);
	strv_env_set(env, "PROOT_TMP_DIR", tmp);
	if (str_eq(ctx->mode, "P2") || conf_bool(CONF_PROOT_NOSECCOMP) ||
		(p->probe->flags & PROOT_NO_SECCOMP))
		strv_env_set(env, "PROOT_NO_SECCOMP", "1");
	if (p->probe->flags & PROOT_NEW_SECCOMP)
		strv_env_set(env, "PROOT_NEW_SECCOMP", "1");
	if ((p->probe->flags & PROOT_LOADER) && !strv_env_get(env, "PROOT_LOADER")) {
		autofree char *loader = proot_loader_kept(p->probe->path);

		if (loader)
			strv_env_set(env, "PROOT_LOADER", loader);
	}
}

/* Programs of another machine are run by qemu-user; guest_init is this machine's, and PRoot runs such programs itself. */
static void add_emulator(struct planner *p)
{
	const char *machine = guest_machine_foreign(p->ctx->rootfs);
	autofree char *emulator = machine ? guest_machine_emulator(machine) : NULL;

	/* PRoot starts programs itself, as the kernel alone can by binfmt_misc: it is given that emulator. */
	if (machine && !emulator)
		(void)guest_machine_handler(machine, &emulator);
	if (machine && !emulator)
		strv_addf(&p->plan->notes,
			ENGINE_NOTE_PLATFORM
			"the container's programs are for %s, and qemu-%s is not on PATH",
			machine, machine);
	if (!emulator)
		return;
	strv_add(&p->plan->argv, "-q");
	strv_add(&p->plan->argv, emulator);
}

static int plan_argv(struct planner *p, struct err **err)
{
	struct strv *argv = &p->plan->argv;

	strv_add(argv, p->probe->path);
	if (log_level() >= LOG_LEVEL_DEBUG) {
		strv_add(argv, "-v");
		strv_add(argv, "9");
	}
	/* No --kill-on-exit: the first tracee is guest_init, which detaches the program and ends. The supervisor ends the rest. */
	if ((p->probe->flags & PROOT_LINK2SYMLINK) && conf_bool(CONF_PROOT_LINK2SYMLINK))
		strv_add(argv, "--link2symlink");
	add_emulator(p);
	if (add_binds(p, err) < 0)
		return -1;
	add_ids(p);
	add_kernel(p);
	add_ports(p);
	strv_add(argv, "-r");
	strv_add(argv, p->root);
	/* guest_init goes to the program's directory, which may have to be made. */
	strv_add(argv, "-w");
	strv_add(argv, "/");
	strv_add(argv, p->plan->init_path);
	return 0;
}

int proot_plan(const struct engine_ctx *ctx, const struct engine_probe *probe, struct engine_plan *ret,
	struct err **err)
{
	struct engine_plan plan = { 0 };
	CLEANUP(planner_free) struct planner p = { .ctx = ctx, .probe = probe, .plan = &plan };
	unsigned version = engine_version_number(probe->version);

	if (engine_check_answers(&engine_proot, ctx, &plan, err) < 0) {
		engine_plan_free(&plan);
		return -1;
	}
	add_env(&p);
	if (plan_argv(&p, err) < 0) {
		engine_plan_free(&plan);
		return -1;
	}
	plan.cwd = xstrdup("/");
	plan.filter = compat_filter_build(compat_arch_host(), version, &plan.filter_len);
	plan.supervise = true;
	*ret = plan;
	return 0;
}
