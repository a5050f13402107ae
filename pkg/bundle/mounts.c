/* SPDX-License-Identifier: Apache-2.0 */
/* Volumes and default binds of a run, and their mounts in config.json. */
#include "pkg/bundle/mounts.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "oci-spec/runtime_config.h"
#include "pkg/base/err.h"
#include "pkg/base/fs.h"
#include "pkg/base/host.h"
#include "pkg/base/json.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/base/path.h"
#include "pkg/bundle/docker.h"
#include "pkg/bundle/mpi.h"
#include "pkg/bundle/options.h"
#include "pkg/conf/conf.h"

/* ---- the grammar ---- */

/* What docker and podman take as third field and we need not: labels, copies, propagation, consistency. */
static const char *const harmless[] = { "rw", "z", "Z", "U", "nocopy", "copy", "bind", "rbind", "private",
	"rprivate", "shared", "rshared", "slave", "rslave", "cached", "delegated", "consistent", "default",
	"exec", "noexec", "dev", "nodev", "suid", "nosuid", "idmap" };

static int parse_options(const char *text, const char *list, struct bundle_volume *v, struct err **err)
{
	auto_strv words = STRV_INIT;

	strv_split(&words, list, ",");
	for (size_t i = 0; i < words.n; i++) {
		size_t k = 0;

		if (str_eq(words.v[i], "ro") || str_eq(words.v[i], "readonly")) {
			v->readonly = true;
			continue;
		}
		while (k < ARRAY_LEN(harmless) && !str_eq(words.v[i], harmless[k]))
			k++;
		if (k == ARRAY_LEN(harmless))
			return err_make(err, ERR_USAGE, "volume '%s': unknown option '%s'", text, words.v[i]);
		if (str_eq(words.v[i], "rw"))
			v->readonly = false;
	}
	return 0;
}

static int parse_volume(const char *text, struct bundle_volume *v, struct err **err)
{
	const char *colon = strchr(text, ':'), *cont = colon ? colon + 1 : NULL;
	const char *second = cont ? strchr(cont, ':') : NULL;
	autofree char *host = colon ? xstrndup(text, (size_t)(colon - text)) : xstrdup(text);
	autofree char *target = NULL;

	if (host[0] != '/') {
		err_make(err, ERR_USAGE, "volume '%s': the host path is not absolute", text);
		return err_hint(
			err, "write it as /HOST/PATH:/CONTAINER/PATH; named volumes do not exist here");
	}
	if (second)
		target = xstrndup(cont, (size_t)(second - cont));
	else if (cont)
		target = xstrdup(cont);
	if (!target || !*target) {
		free(target);
		target = xstrdup(host);
	}
	if (target[0] != '/')
		return err_make(err, ERR_USAGE, "volume '%s': the container path is not absolute", text);
	v->text = xstrdup(text);
	v->host = path_clean(host);
	v->cont = path_clean(target);
	if (str_eq(v->cont, "/"))
		return err_make(err, ERR_USAGE, "volume '%s': the container's root cannot be replaced", text);
	return second ? parse_options(text, second + 1, v, err) : 0;
}

int bundle_volume_parse(const char *text, struct bundle_volume *ret, struct err **err)
{
	struct bundle_volume v = { .kind = VOLUME_USER };

	if (parse_volume(text, &v, err) < 0 || !v.host || !v.cont) {
		bundle_volume_free(&v);
		return -1;
	}
	*ret = v;
	return 0;
}

void bundle_volume_free(struct bundle_volume *v)
{
	free(v->text);
	free(v->host);
	free(v->cont);
	free(v->options);
	*v = (struct bundle_volume){ .text = NULL };
}

void bundle_volumes_free(struct bundle_volumes *v)
{
	for (size_t i = 0; i < v->n; i++)
		bundle_volume_free(&v->items[i]);
	free(v->items);
	*v = BUNDLE_VOLUMES_INIT;
}

/* ---- the list ---- */

static const struct bundle_volume *at_target(const struct bundle_volumes *v, const char *cont)
{
	for (size_t i = 0; i < v->n; i++)
		if (str_eq(v->items[i].cont, cont))
			return &v->items[i];
	return NULL;
}

void bundle_volumes_put(struct bundle_volumes *v, struct bundle_volume *one)
{
	const struct bundle_volume *old = at_target(v, one->cont);

	if (old) {
		if (!v->quiet && (one->kind == VOLUME_USER || one->kind == VOLUME_TMPFS))
			log_warning("volume '%s': '%s' is there already, skipping", one->text, old->text);
		bundle_volume_free(one);
		return;
	}
	v->items = mem_grow(v->items, &v->cap, v->n + 1, sizeof(*v->items));
	v->items[v->n++] = *one;
}

static int add_user_volumes(const struct strv *list, struct bundle_volumes *v, struct err **err)
{
	for (size_t i = 0; list && i < list->n; i++) {
		struct bundle_volume one;
		struct stat st;

		if (bundle_volume_parse(list->v[i], &one, err) < 0)
			return -1;
		if (stat(one.host, &st) < 0) {
			int e = errno;

			bundle_volume_free(&one);
			return err_sys(err, e, "volume '%s'", list->v[i]);
		}
		bundle_volumes_put(v, &one);
	}
	return 0;
}

/* A default: words of the configuration, HOST or HOST:CONT. */
static void add_default(struct bundle_volumes *v, const char *text)
{
	struct bundle_volume one;
	auto_err *err = NULL;

	if (bundle_volume_parse(text, &one, &err) < 0) {
		log_warning("%s, skipping", err_text(err));
		return;
	}
	one.kind = VOLUME_SYSTEM;
	if (str_eq(one.host, one.cont) &&
		(str_eq(one.cont, "/dev") || str_eq(one.cont, "/proc") || str_eq(one.cont, "/sys")))
		one.kind = VOLUME_KERNEL;
	if (access(one.host, F_OK) < 0)
		bundle_volume_free(&one);
	else
		bundle_volumes_put(v, &one);
}

void bundle_volumes_add_system(struct bundle_volumes *v, const char *path)
{
	add_default(v, path);
}

void bundle_volumes_add_found(struct bundle_volumes *v, const char *host, const char *cont, bool readonly)
{
	struct bundle_volume one = { .kind = VOLUME_SYSTEM,
		.text = xstrdup(cont),
		.host = xstrdup(host),
		.cont = xstrdup(cont),
		.readonly = readonly };

	bundle_volumes_put(v, &one);
}

static void add_mpi(const struct bundle_options *o, struct bundle_volumes *v)
{
	auto_strv folders = STRV_INIT;

	mpi_folders(&folders);
	for (size_t i = 0; i < folders.n; i++)
		bundle_volumes_add_found(v, folders.v[i], folders.v[i], false);
	if (o->nosysdirs) /* else it comes with /dev */
		add_default(v, "/dev/shm");
}

void bundle_volumes_drop_system(struct bundle_volumes *v, const char *path)
{
	size_t kept = 0;

	for (size_t i = 0; i < v->n; i++) {
		if (v->items[i].kind == VOLUME_SYSTEM && str_eq(v->items[i].cont, path))
			bundle_volume_free(&v->items[i]);
		else
			v->items[kept++] = v->items[i];
	}
	v->n = kept;
}

/* Images bring an empty file or none, for docker writes one at start; content of its own stays. */
static bool lacks_hosts(int rootfd)
{
	struct stat st;

	return fs_lstat(rootfd, "etc/hosts", &st, FS_IN_ROOT) < 0 || (S_ISREG(st.st_mode) && st.st_size == 0);
}

static bool is_meant(const struct bundle_volume *one, const char *text)
{
	autofree char *both = xasprintf("%s:%s", one->host, one->cont), *clean = path_clean(text);

	return str_eq(text, one->text) || str_eq(text, both) || str_eq(clean, one->host);
}

static void leave_out(const struct strv *list, struct bundle_volumes *v)
{
	for (size_t i = 0; list && i < list->n; i++) {
		size_t kept = 0, n = v->n;

		for (size_t k = 0; k < n; k++) {
			if (is_meant(&v->items[k], list->v[i]))
				bundle_volume_free(&v->items[k]);
			else
				v->items[kept++] = v->items[k];
		}
		v->n = kept;
		if (kept == n)
			log_warning("--novol '%s' matches no volume, ignoring it", list->v[i]);
	}
}

static void add_defaults(const struct bundle_options *o, int rootfd, struct bundle_volumes *v)
{
	const struct strv *sysdirs = conf_list(CONF_SYSDIRS_LIST), *dri = conf_list(CONF_DRI_LIST);
	const char *home;

	for (size_t i = 0; !o->nosysdirs && i < sysdirs->n; i++)
		add_default(v, sysdirs->v[i]);
	if (!o->nosysdirs && lacks_hosts(rootfd))
		add_default(v, "/etc/hosts");
	for (size_t i = 0; o->dri && i < dri->n; i++)
		add_default(v, dri->v[i]);
	home = o->bindhome ? host_home() : NULL;
	if (home && !str_eq(home, "/"))
		add_default(v, home);
	else if (o->bindhome)
		log_warning("--bindhome: there is no home directory to bind, ignoring it");
	if (o->mpi)
		add_mpi(o, v);
}

int bundle_volumes_asked(const struct bundle_options *o, struct bundle_volumes *ret, struct err **err)
{
	struct bundle_volumes v = { .quiet = ret->quiet };

	if (add_user_volumes(o->volumes, &v, err) < 0 ||
		(o->docker && bundle_docker_volumes(o->docker, &v, err) < 0)) {
		bundle_volumes_free(&v);
		return -1;
	}
	*ret = v;
	return 0;
}

int bundle_volumes_collect(
	const struct bundle_options *o, int rootfd, struct bundle_volumes *ret, struct err **err)
{
	struct bundle_volumes v = BUNDLE_VOLUMES_INIT;

	if (bundle_volumes_asked(o, &v, err) < 0)
		return -1;
	add_defaults(o, rootfd, &v);
	leave_out(o->novol, &v);
	*ret = v;
	return 0;
}

const struct bundle_volume *bundle_volumes_find(const struct bundle_volumes *v, const char *path)
{
	const struct bundle_volume *best = NULL;

	for (size_t i = 0; i < v->n; i++) {
		const struct bundle_volume *one = &v->items[i];

		if (one->kind == VOLUME_USER && path_is_below(path, one->cont) &&
			(!best || strlen(one->cont) > strlen(best->cont)))
			best = one;
	}
	return best;
}

char *bundle_volume_host_path(const struct bundle_volume *v, const char *path)
{
	const char *rest = path + strlen(v->cont);

	return *rest ? path_join(v->host, rest) : xstrdup(v->host);
}

/* ---- mounts ---- */

/* Below a volume a default is mounted only where it finds its target: nothing is created in the user's folders. */
static bool is_hidden(const struct bundle_volumes *v, const struct bundle_volume *one)
{
	const struct bundle_volume *over = bundle_volumes_find(v, one->cont);
	autofree char *there = NULL;

	if (one->kind == VOLUME_USER || one->kind == VOLUME_TMPFS || !over)
		return false;
	there = bundle_volume_host_path(over, one->cont);
	return access(there, F_OK) < 0;
}

static bool is_taken(const struct bundle_volumes *v, const char *path)
{
	const struct bundle_volume *there = at_target(v, path);

	return bundle_volumes_find(v, path) || (there && there->kind == VOLUME_TMPFS);
}

/*
 * The kernel's file systems as an unprivileged caller can have them without a process, network or IPC namespace of its own: /proc, /sys, shared memory
 * and message queues are the host's, as under PRoot. They are writable to the caller as on the host; root gets /sys read-only.
 */
static void add_kernel(struct json *config, const struct bundle_volumes *v, const char *path)
{
	static const char *const proc[] = { "rbind", "nosuid", "noexec", "nodev", NULL };
	static const char *const sys[] = { "rbind", "nosuid", "noexec", "nodev", "ro", NULL };
	static const char *const dev[] = { "nosuid", "strictatime", "mode=755", "size=65536k", NULL };
	static const char *const pts[] = { "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620",
		NULL };
	static const char *const shm[] = { "nosuid", "noexec", "nodev", "mode=1777", "size=2g", NULL };

	if (!str_eq(path, "/dev")) {
		bool guard = str_eq(path, "/sys") && geteuid() == 0;

		runtime_add_mount(config, path, "bind", path, guard ? sys : proc);
		return;
	}
	runtime_add_mount(config, "/dev", "tmpfs", "tmpfs", dev);
	if (!is_taken(v, "/dev/pts"))
		runtime_add_mount(config, "/dev/pts", "devpts", "devpts", pts);
	if (!is_taken(v, "/dev/shm")) {
		if (access("/dev/shm", W_OK | X_OK) == 0)
			runtime_add_mount(config, "/dev/shm", "bind", "/dev/shm", proc);
		else
			runtime_add_mount(config, "/dev/shm", "tmpfs", "shm", shm);
	}
	if (!is_taken(v, "/dev/mqueue") && access("/dev/mqueue", F_OK) == 0)
		runtime_add_mount(config, "/dev/mqueue", "bind", "/dev/mqueue", proc);
}

static void add_tmpfs(struct json *config, const struct bundle_volume *one)
{
	auto_strv options = STRV_INIT;

	strv_split(&options, one->options, ",");
	runtime_add_mount(config, one->cont, "tmpfs", "tmpfs", (const char *const *)strv_argv(&options));
}

static size_t depth(const char *path)
{
	size_t n = 0;

	for (; *path; path++)
		n += *path == '/';
	return n;
}

void bundle_mounts_add(struct json *config, const struct bundle_volumes *v)
{
	static const char *const rw[] = { "rbind", NULL };
	static const char *const ro[] = { "rbind", "ro", NULL };
	size_t deepest = 0;

	for (size_t i = 0; i < v->n; i++) {
		if (v->items[i].kind == VOLUME_KERNEL)
			add_kernel(config, v, v->items[i].cont);
		else if (depth(v->items[i].cont) > deepest)
			deepest = depth(v->items[i].cont);
	}
	for (size_t level = 1; level <= deepest; level++) {
		for (size_t i = 0; i < v->n; i++) {
			const struct bundle_volume *one = &v->items[i];
			bool guard = one->readonly;

			if (one->kind == VOLUME_KERNEL || depth(one->cont) != level || is_hidden(v, one))
				continue;
			if (one->kind == VOLUME_TMPFS) {
				add_tmpfs(config, one);
				continue;
			}
			/* Only root could write the host's own files through it. */
			if (one->kind == VOLUME_SYSTEM && str_starts(one->cont, "/etc/") && geteuid() == 0)
				guard = true;
			runtime_add_mount(config, one->cont, "bind", one->host, guard ? ro : rw);
		}
	}
}

/* ---- devices ---- */

static int add_device(struct json *list, const char *text, struct err **err)
{
	autofree char *raw = xstrndup(text, strcspn(text, ":")), *path = path_clean(raw);
	struct json *d;
	struct stat st;

	if (path[0] != '/')
		return err_make(err, ERR_USAGE, "device '%s': the path is not absolute", text);
	if (stat(path, &st) < 0)
		return err_sys(err, errno, "device '%s'", path);
	if (!S_ISCHR(st.st_mode) && !S_ISBLK(st.st_mode))
		return err_make(err, ERR_USAGE, "device '%s': is not a character or block device", path);
	d = json_new_object();
	json_set_str(d, "type", S_ISCHR(st.st_mode) ? "c" : "b");
	json_set_str(d, "path", path);
	json_set_i64(d, "major", major(st.st_rdev));
	json_set_i64(d, "minor", minor(st.st_rdev));
	json_set_i64(d, "fileMode", 0666);
	json_append(list, d);
	return 0;
}

int bundle_devices_add(struct json *config, const struct strv *devices, struct err **err)
{
	if (!devices || devices->n == 0)
		return 0;
	for (size_t i = 0; i < devices->n; i++) {
		struct json *list = json_need_array(json_need_object(config, "linux"), "devices");

		if (add_device(list, devices->v[i], err) < 0)
			return -1;
	}
	return 0;
}
