/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Specifications of the Container Device Interface, as nvidia-ctk writes them: environment, device nodes and mounts as they say. Hooks would run
 * programs of the host on the container; what the two do that matter, links and the loader's cache, is done by mounts and LD_LIBRARY_PATH.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/fs.h"
#include "pkg/base/json.h"
#include "pkg/base/mem.h"
#include "pkg/base/path.h"
#include "pkg/base/str.h"
#include "pkg/bundle/nvidia_priv.h"

#define KIND "nvidia.com/gpu"

struct cdi {
	struct nvidia_set *set;
	int hostfd;
	const char *path; /* of the specification */
	struct strv links; /* TARGET::LINK */
};

static const struct json_limits limits = { .bytes = (size_t)16 << 20 };

/* ---- containerEdits ---- */

static int missing(const struct cdi *c, const char *what, const char *path, struct err **err)
{
	err_make(err, ERR_NOT_FOUND, "%s: %s '%s' is not there", c->path, what, path);
	return err_hint(err, "the driver has changed: have the specification written again (nvidia-ctk cdi "
			     "generate)");
}

static int add_mount(struct cdi *c, const struct json *mount, struct err **err)
{
	const char *from = NULL, *to = NULL;
	autofree char *real = NULL;
	struct stat st;

	if (json_get_str(mount, c->path, "hostPath", &from, err) < 0 ||
		json_get_str(mount, c->path, "containerPath", &to, err) < 0)
		return -1;
	if (!from || !to || *from != '/' || *to != '/')
		return err_make(err, ERR_CORRUPT, "%s: a mount without absolute paths", c->path);
	real = nvidia_host_path(c->hostfd, from);
	if (!real || stat(real, &st) < 0)
		return missing(c, "the mount's source", from, err);
	nvidia_set_add(c->set, S_ISSOCK(st.st_mode) ? NVIDIA_SOCKET : NVIDIA_PLAIN, real, to);
	return 0;
}

static int add_device(struct cdi *c, const struct json *node, struct err **err)
{
	const char *path = NULL, *from = NULL;
	autofree char *real = NULL;
	struct stat st;

	if (json_get_str(node, c->path, "path", &path, err) < 0 ||
		json_get_str(node, c->path, "hostPath", &from, err) < 0)
		return -1;
	if (!path || *path != '/')
		return err_make(err, ERR_CORRUPT, "%s: a device node without an absolute path", c->path);
	real = nvidia_host_path(c->hostfd, from ? from : path);
	if (!real || stat(real, &st) < 0 || (!S_ISCHR(st.st_mode) && !S_ISBLK(st.st_mode)))
		return missing(c, "the device", from ? from : path, err);
	nvidia_set_add(c->set, NVIDIA_DEVICE, real, path);
	return 0;
}

/* The values of `--name VALUE` and `--name=VALUE` in a hook's words. */
static void hook_values(const struct strv *words, const char *name, struct strv *ret)
{
	autofree char *glued = xasprintf("%s=", name);

	for (size_t i = 0; i < words->n; i++) {
		if (str_eq(words->v[i], name) && i + 1 < words->n)
			strv_add(ret, words->v[++i]);
		else if (str_starts(words->v[i], glued))
			strv_add(ret, words->v[i] + strlen(glued));
	}
}

static int add_hook(struct cdi *c, const struct json *hook, struct err **err)
{
	auto_strv words = STRV_INIT, folders = STRV_INIT;
	const char *name = NULL, *path = NULL;
	autofree char *text = NULL;

	if (json_get_str(hook, c->path, "hookName", &name, err) < 0 ||
		json_get_str(hook, c->path, "path", &path, err) < 0 ||
		json_get_strv(hook, c->path, "args", &words, err) < 0)
		return -1;
	if (strv_has(&words, "create-symlinks")) {
		hook_values(&words, "--link", &c->links);
		return 0;
	}
	if (strv_has(&words, "update-ldcache")) {
		hook_values(&words, "--folder", &folders);
		for (size_t i = 0; i < folders.n; i++)
			if (!strv_has(&c->set->folders, folders.v[i]) && !strchr(folders.v[i], ':'))
				strv_add(&c->set->folders, folders.v[i]);
		return 0;
	}
	text = words.n ? strv_join(&words, " ") : xstrdup(path ? path : "");
	strv_addf(&c->set->notes, "%s: the %s hook '%s' is not run", c->path, name ? name : "nameless", text);
	return 0;
}

typedef int edit_fn(struct cdi *c, const struct json *one, struct err **err);

static int edit_each(
	struct cdi *c, const struct json *edits, const char *key, edit_fn *edit, struct err **err)
{
	struct json *list = NULL;

	if (json_get_array(edits, c->path, key, &list, err) < 0)
		return -1;
	for (size_t i = 0; i < json_len(list); i++)
		if (edit(c, json_at(list, i), err) < 0)
			return -1;
	return 0;
}

static int add_edits(struct cdi *c, const struct json *of, struct err **err)
{
	auto_strv env = STRV_INIT;
	struct json *edits = NULL;

	if (json_get_object(of, c->path, "containerEdits", &edits, err) < 0)
		return -1;
	if (!edits)
		return 0;
	if (json_get_strv(edits, c->path, "env", &env, err) < 0)
		return -1;
	for (size_t i = 0; i < env.n; i++)
		if (strchr(env.v[i], '=') && env.v[i][0] != '=')
			strv_env_put(&c->set->env, env.v[i]);
	if (edit_each(c, edits, "deviceNodes", add_device, err) < 0 ||
		edit_each(c, edits, "mounts", add_mount, err) < 0)
		return -1;
	return edit_each(c, edits, "hooks", add_hook, err);
}

/* ---- what the hooks would do ---- */

/* ldconfig makes the links by which programs call a library: the host has them beside it. */
static void add_sonames(struct cdi *c)
{
	size_t n = c->set->n;

	for (size_t i = 0; i < n; i++) {
		autofree char *host = xstrdup(c->set->items[i].host), *dir = path_dir(host);
		autofree char *cont_dir = path_dir(c->set->items[i].cont), *inside = NULL;
		autofree char *top = NULL;

		if (c->set->items[i].kind != NVIDIA_PLAIN || !strv_has(&c->set->folders, cont_dir))
			continue;
		/* The directory as the host calls it: what is real here lies below the tree that stands for it. */
		top = nvidia_host_path(c->hostfd, "/");
		inside = xstrdup(top && !str_eq(top, "/") && str_starts(dir, top) ? dir + strlen(top) : dir);
		nvidia_add_links(c->set, c->hostfd, inside, host, cont_dir);
	}
}

/* TARGET::LINK as a mount of what is mounted at TARGET. One may be made of another. */
static void add_link_mounts(struct cdi *c)
{
	for (size_t round = 0; round < 2; round++)
		for (size_t i = 0; i < c->links.n; i++) {
			const char *mark = strstr(c->links.v[i], "::");
			autofree char *target =
				mark ? xstrndup(c->links.v[i], (size_t)(mark - c->links.v[i])) : NULL;
			autofree char *dir = mark ? path_dir(mark + 2) : NULL;
			autofree char *whole = NULL, *clean = NULL;
			const struct nvidia_item *item;

			if (!mark || mark[2] != '/')
				continue;
			whole = *target == '/' ? xstrdup(target) : path_join(dir, target);
			clean = path_clean(whole);
			item = nvidia_set_at(c->set, clean);
			if (item) {
				autofree char *host = xstrdup(item->host);

				nvidia_set_add(c->set, item->kind, host, mark + 2);
			}
		}
}

/* ---- which devices ---- */

static int add_named(struct cdi *c, const struct json *devices, const char *wanted, struct err **err)
{
	for (size_t i = 0; i < json_len(devices); i++) {
		const struct json *d = json_at(devices, i);
		const struct json *value = json_get(d, "name");
		/* In YAML a name that was not quoted may be a number. */
		const char *name = json_str(value) ? json_str(value) : json_number_text(value);

		if (name && str_eq(name, wanted))
			return add_edits(c, d, err) < 0 ? -1 : 1;
	}
	return 0;
}

static int add_all(struct cdi *c, const struct json *devices, struct err **err)
{
	int r = add_named(c, devices, "all", err);

	for (size_t i = 0; r == 0 && i < json_len(devices); i++)
		if (add_edits(c, json_at(devices, i), err) < 0)
			return -1;
	return r < 0 ? -1 : 0;
}

static int add_devices(struct cdi *c, const struct json *spec, const char *devices, struct err **err)
{
	struct json *list = NULL;
	auto_strv wanted = STRV_INIT;

	if (json_get_array(spec, c->path, "devices", &list, err) < 0)
		return -1;
	if (!devices)
		return add_all(c, list, err);
	strv_split(&wanted, devices, ",");
	for (size_t i = 0; i < wanted.n; i++) {
		int r = add_named(c, list, wanted.v[i], err);

		if (r < 0)
			return -1;
		if (r == 0) {
			err_make(err, ERR_NOT_FOUND, "%s: there is no device '%s'", c->path, wanted.v[i]);
			return err_hint(err, "give the name of a device that is listed there, or all");
		}
	}
	return 0;
}

/* ---- the specification ---- */

static bool is_yaml(const char *name)
{
	return str_ends(name, ".yaml") || str_ends(name, ".yml");
}

static int read_spec(struct cdi *c, struct json **ret, struct err **err)
{
	autoclose int fd = fs_open(c->hostfd, c->path, O_RDONLY | O_NONBLOCK, 0, FS_IN_ROOT);
	auto_str text = STR_INIT_MAX(limits.bytes);

	if (fd < 0)
		return err_sys(err, errno, "%s", c->path);
	if (!is_yaml(c->path))
		return json_read_fd(fd, c->path, &limits, ret, err);
	if (fd_read_text(fd, limits.bytes, &text, c->path, err) < 0)
		return -1;
	return json_parse_yaml(str_text(&text), text.len, c->path, &limits, ret, err);
}

/* A specification that this machine has no library for: the driver may be found without it. */
static int leave_out(struct cdi *c, struct err **err)
{
	const char *hint = err_hint_text(*err);

	strv_addf(&c->set->notes, "%s is not read: %s%s%s", c->path, err_text(*err), hint ? "; " : "",
		hint ? hint : "");
	err_clear(err);
	return 0;
}

/* 1 when it is one of these devices and was taken. */
static int take_spec(struct cdi *c, const char *devices, struct err **err)
{
	auto_json *spec = NULL;
	struct err *why = NULL;
	const char *kind;

	if (read_spec(c, &spec, &why) < 0) {
		if (is_yaml(c->path) && err_is(why, ERR_UNSUPPORTED))
			return leave_out(c, &why);
		return err_move(err, &why);
	}
	kind = json_str(json_get(spec, "kind"));
	if (!kind || !str_eq(kind, KIND))
		return 0;
	if (add_edits(c, spec, err) < 0 || add_devices(c, spec, devices, err) < 0)
		return -1;
	add_sonames(c);
	add_link_mounts(c);
	c->set->source = xstrdup(c->path);
	c->set->version = xstrdup("");
	return 1;
}

static int look_in(int hostfd, const char *dir, const char *devices, struct nvidia_set *ret, struct err **err)
{
	autoclose int fd = fs_open(hostfd, dir, O_RDONLY | O_DIRECTORY, 0, FS_IN_ROOT);
	auto_strv names = STRV_INIT;

	if (fd < 0 || fs_list(fd, ".", &names) < 0)
		return 0;
	for (size_t i = 0; i < names.n; i++) {
		autofree char *path = path_join(dir, names.v[i]);
		struct cdi c = { .set = ret, .hostfd = hostfd, .path = path };
		int r;

		if (!str_ends(names.v[i], ".json") && !is_yaml(names.v[i]))
			continue;
		r = take_spec(&c, devices, err);
		strv_free(&c.links);
		if (r != 0)
			return r;
	}
	return 0;
}

int nvidia_find_cdi(int hostfd, const char *devices, struct nvidia_set *ret, struct err **err)
{
	/* Later directories win in the specification: what is made at boot over what is installed. */
	static const char *const dirs[] = { "/var/run/cdi", "/run/cdi", "/etc/cdi" };

	for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
		int r = look_in(hostfd, dirs[i], devices, ret, err);

		if (r != 0)
			return r;
	}
	return 0;
}
