/* SPDX-License-Identifier: Apache-2.0 */
/* config.json: read into structures, edited in place, made. The check is in runtime_check.c. */
#include "oci-spec/runtime_config.h"

#include <sys/resource.h>

#include "pkg/base/err.h"
#include "pkg/base/json.h"
#include "pkg/base/mem.h"
#include "pkg/base/num.h"
#include "pkg/base/path.h"

int runtime_version_parse(const char *text, int *ret_minor)
{
	static const char digits[] = "0123456789";
	size_t major = strspn(text, digits), minor, patch;
	const char *at_minor = text + major + 1, *at_patch;
	autofree char *number = NULL;
	int v = 0;

	if (major != 1 || text[0] != '1' || text[1] != '.')
		return -1;
	minor = strspn(at_minor, digits);
	if (minor == 0 || at_minor[minor] != '.')
		return -1;
	at_patch = at_minor + minor + 1;
	patch = strspn(at_patch, digits);
	if (patch == 0 || !strchr("-+", at_patch[patch])) /* the end counts as found */
		return -1;
	number = xstrndup(at_minor, minor);
	if (num_parse_int(number, 0, 100000, &v) < 0)
		return -1;
	if (ret_minor)
		*ret_minor = v;
	return 0;
}

static const struct {
	const char *name;
	int resource;
} rlimit_names[] = {
	{ "RLIMIT_CPU", RLIMIT_CPU },
	{ "RLIMIT_FSIZE", RLIMIT_FSIZE },
	{ "RLIMIT_DATA", RLIMIT_DATA },
	{ "RLIMIT_STACK", RLIMIT_STACK },
	{ "RLIMIT_CORE", RLIMIT_CORE },
	{ "RLIMIT_RSS", RLIMIT_RSS },
	{ "RLIMIT_NPROC", RLIMIT_NPROC },
	{ "RLIMIT_NOFILE", RLIMIT_NOFILE },
	{ "RLIMIT_MEMLOCK", RLIMIT_MEMLOCK },
	{ "RLIMIT_AS", RLIMIT_AS },
	{ "RLIMIT_LOCKS", RLIMIT_LOCKS },
	{ "RLIMIT_SIGPENDING", RLIMIT_SIGPENDING },
	{ "RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE },
	{ "RLIMIT_NICE", RLIMIT_NICE },
	{ "RLIMIT_RTPRIO", RLIMIT_RTPRIO },
	{ "RLIMIT_RTTIME", RLIMIT_RTTIME },
};

int runtime_rlimit_resource(const char *name, const char **ret_name)
{
	for (size_t i = 0; i < ARRAY_LEN(rlimit_names); i++) {
		if (!str_eq(name, rlimit_names[i].name))
			continue;
		if (ret_name)
			*ret_name = rlimit_names[i].name;
		return rlimit_names[i].resource;
	}
	return -1;
}

/* ---- process ---- */

/* A checked integer member, or `otherwise`. */
static int64_t integer(const struct json *object, const char *key, int64_t otherwise)
{
	int64_t v = otherwise;

	if (json_to_i64(json_get(object, key), &v) < 0)
		return otherwise;
	return v;
}

static uint64_t u64(const struct json *object, const char *key)
{
	const char *text = json_number_text(json_get(object, key));
	uint64_t v = 0;

	if (!text || num_parse_u64(text, UINT64_MAX, &v) < 0)
		return 0;
	return v;
}

static void read_strings(const struct json *array, struct strv *ret)
{
	for (size_t i = 0; i < json_len(array); i++)
		strv_add(ret, json_str(json_at(array, i)));
}

static void read_user(const struct json *user, struct runtime_process *p)
{
	const struct json *groups = json_get(user, "additionalGids");
	int64_t umask_value = integer(user, "umask", -1);

	p->uid = (uid_t)integer(user, "uid", 0);
	p->gid = (gid_t)integer(user, "gid", 0);
	p->has_umask = umask_value >= 0;
	p->umask = p->has_umask ? (mode_t)umask_value : 0;
	p->n_groups = json_len(groups);
	p->groups = p->n_groups ? xcalloc(p->n_groups, sizeof(*p->groups)) : NULL;
	for (size_t i = 0; i < p->n_groups; i++) {
		int64_t gid = 0;

		(void)json_to_i64(json_at(groups, i), &gid); /* checked before */
		p->groups[i] = (gid_t)gid;
	}
}

static void read_rlimits(const struct json *list, struct runtime_process *p)
{
	p->n_rlimits = json_len(list);
	p->rlimits = p->n_rlimits ? xcalloc(p->n_rlimits, sizeof(*p->rlimits)) : NULL;
	for (size_t i = 0; i < p->n_rlimits; i++) {
		const struct json *item = json_at(list, i);
		struct runtime_rlimit *l = &p->rlimits[i];

		l->resource = runtime_rlimit_resource(json_str(json_get(item, "type")), &l->name);
		l->soft = u64(item, "soft");
		l->hard = u64(item, "hard");
	}
}

int runtime_process_read(
	const struct json *process, const char *where, struct runtime_process *ret, struct err **err)
{
	const struct json *size = json_get(process, "consoleSize");
	int64_t oom;

	if (runtime_process_check(process, where, err) < 0)
		return -1;
	*ret = RUNTIME_PROCESS_INIT;
	read_strings(json_get(process, "args"), &ret->args);
	read_strings(json_get(process, "env"), &ret->env);
	ret->cwd = path_clean(json_str(json_get(process, "cwd")));
	ret->terminal = json_true(json_get(process, "terminal"));
	ret->has_console_size = json_is(size, JSON_OBJECT);
	ret->console_width = (unsigned)integer(size, "width", 0);
	ret->console_height = (unsigned)integer(size, "height", 0);
	read_user(json_get(process, "user"), ret);
	read_rlimits(json_get(process, "rlimits"), ret);
	ret->no_new_privileges = json_true(json_get(process, "noNewPrivileges"));
	oom = integer(process, "oomScoreAdj", INT64_MIN);
	ret->has_oom_score_adj = oom != INT64_MIN;
	ret->oom_score_adj = ret->has_oom_score_adj ? (int)oom : 0;
	return 0;
}

void runtime_process_free(struct runtime_process *p)
{
	strv_free(&p->args);
	strv_free(&p->env);
	free(p->cwd);
	free(p->groups);
	free(p->rlimits);
	*p = RUNTIME_PROCESS_INIT;
}

/* ---- mounts ---- */

static int read_mount(const struct json *j, const char *at, struct runtime_mount *m, struct err **err)
{
	const char *destination = NULL, *type = NULL, *source = NULL;

	if (!json_is(j, JSON_OBJECT))
		return err_make(err, ERR_CORRUPT, "%s: expected an object", at);
	if (json_get_str(j, at, "destination", &destination, err) < 0 ||
		json_get_str(j, at, "type", &type, err) < 0 ||
		json_get_str(j, at, "source", &source, err) < 0 ||
		json_get_strv(j, at, "options", &m->options, err) < 0)
		return -1;
	if (!destination || *destination != '/')
		return err_make(err, ERR_CORRUPT, "%s.destination: '%.200s' is not absolute", at,
			destination ? destination : "");
	m->recursive = strv_has(&m->options, "rbind");
	m->bind = m->recursive || strv_has(&m->options, "bind") || str_eq(type, "bind");
	for (size_t i = 0; i < m->options.n; i++) { /* the last one wins, as in mount(8) */
		if (str_eq(m->options.v[i], "ro"))
			m->readonly = true;
		else if (str_eq(m->options.v[i], "rw"))
			m->readonly = false;
	}
	m->destination = path_clean(destination);
	m->type = xstrdup(m->bind ? "bind" : type ? type : "");
	m->source = xstrdup(source ? source : "");
	return 0;
}

static int read_mounts(const struct json *config, struct runtime_mounts *m, struct err **err)
{
	struct json *list = NULL;

	if (json_get_array(config, "config.json", "mounts", &list, err) < 0)
		return -1;
	if (json_len(list) > RUNTIME_MAX_MOUNTS)
		return err_make(
			err, ERR_CORRUPT, "config.json: mounts: more than %d mounts", RUNTIME_MAX_MOUNTS);
	m->items = xcalloc(json_len(list) + 1, sizeof(*m->items));
	for (size_t i = 0; i < json_len(list); i++) {
		autofree char *at = xasprintf("config.json: mounts[%zu]", i);

		m->n++; /* a half-read one is freed as well */
		if (read_mount(json_at(list, i), at, &m->items[i], err) < 0)
			return -1;
	}
	return 0;
}

int runtime_mounts_read(const struct json *config, struct runtime_mounts *ret, struct err **err)
{
	struct runtime_mounts m = RUNTIME_MOUNTS_INIT;

	if (read_mounts(config, &m, err) < 0) {
		runtime_mounts_free(&m);
		return -1;
	}
	*ret = m;
	return 0;
}

void runtime_mounts_free(struct runtime_mounts *m)
{
	for (size_t i = 0; i < m->n; i++) {
		free(m->items[i].destination);
		free(m->items[i].type);
		free(m->items[i].source);
		strv_free(&m->items[i].options);
	}
	free(m->items);
	*m = RUNTIME_MOUNTS_INIT;
}

/* ---- hooks ---- */

static const char *const hook_names[HOOK_N] = {
	[HOOK_PRESTART] = "prestart",
	[HOOK_CREATE_RUNTIME] = "createRuntime",
	[HOOK_CREATE_CONTAINER] = "createContainer",
	[HOOK_START_CONTAINER] = "startContainer",
	[HOOK_POSTSTART] = "poststart",
	[HOOK_POSTSTOP] = "poststop",
};

const char *runtime_hook_name(enum runtime_hook_kind kind)
{
	return hook_names[kind];
}

static int read_hook(const struct json *j, const char *at, struct runtime_hook *h, struct err **err)
{
	const char *path = NULL;
	int64_t timeout = 0;
	int r;

	if (!json_is(j, JSON_OBJECT))
		return err_make(err, ERR_CORRUPT, "%s: expected an object", at);
	if (json_get_str(j, at, "path", &path, err) < 0 || json_get_strv(j, at, "args", &h->args, err) < 0)
		return -1;
	r = json_get_strv(j, at, "env", &h->env, err);
	if (r < 0 || json_get_i64(j, at, "timeout", 1, INT32_MAX, &timeout, err) < 0)
		return -1;
	if (!path || *path != '/')
		return err_make(err, ERR_CORRUPT, "%s.path: '%.200s' is not absolute", at, path ? path : "");
	h->has_env = r > 0;
	h->path = xstrdup(path);
	h->timeout = (int)timeout;
	return 0;
}

static int read_hooks(
	const struct json *config, enum runtime_hook_kind kind, struct runtime_hooks *h, struct err **err)
{
	struct json *hooks = NULL, *list = NULL;

	if (json_get_object(config, "config.json", "hooks", &hooks, err) < 0 ||
		json_get_array(hooks, "config.json: hooks", hook_names[kind], &list, err) < 0)
		return -1;
	h->items = xcalloc(json_len(list) + 1, sizeof(*h->items));
	for (size_t i = 0; i < json_len(list); i++) {
		autofree char *at = xasprintf("config.json: hooks.%s[%zu]", hook_names[kind], i);

		h->n++;
		if (read_hook(json_at(list, i), at, &h->items[i], err) < 0)
			return -1;
	}
	return 0;
}

int runtime_hooks_read(
	const struct json *config, enum runtime_hook_kind kind, struct runtime_hooks *ret, struct err **err)
{
	struct runtime_hooks h = RUNTIME_HOOKS_INIT;

	if (read_hooks(config, kind, &h, err) < 0) {
		runtime_hooks_free(&h);
		return -1;
	}
	*ret = h;
	return 0;
}

void runtime_hooks_free(struct runtime_hooks *h)
{
	for (size_t i = 0; i < h->n; i++) {
		free(h->items[i].path);
		strv_free(&h->items[i].args);
		strv_free(&h->items[i].env);
	}
	free(h->items);
	*h = RUNTIME_HOOKS_INIT;
}

/* ---- single values ---- */

const char *runtime_root_path(const struct json *config)
{
	return json_str(json_path(config, "root", "path", NULL));
}

bool runtime_root_readonly(const struct json *config)
{
	return json_true(json_path(config, "root", "readonly", NULL));
}

const char *runtime_hostname(const struct json *config)
{
	return json_str(json_get(config, "hostname"));
}

const char *runtime_oci_version(const struct json *config)
{
	const char *v = json_str(json_get(config, "ociVersion"));

	return v ? v : "";
}

static struct json *find_namespace(const struct json *config, const char *type, size_t *ret_at)
{
	struct json *list = json_path(config, "linux", "namespaces", NULL);

	for (size_t i = 0; i < json_len(list); i++) {
		if (str_eq(json_str(json_get(json_at(list, i), "type")), type)) {
			*ret_at = i;
			return json_at(list, i);
		}
	}
	return NULL;
}

bool runtime_namespace(const struct json *config, const char *type, const char **ret_path)
{
	size_t at;
	const struct json *ns = find_namespace(config, type, &at);
	const char *path = json_str(json_get(ns, "path"));

	if (ret_path)
		*ret_path = path && *path ? path : NULL;
	return ns != NULL;
}

bool runtime_id_is_mapped(const struct json *config, const char *list, int64_t id)
{
	const struct json *maps = json_path(config, "linux", list, NULL);

	for (size_t i = 0; i < json_len(maps); i++) {
		int64_t first = 0, size = 0;

		if (json_to_i64(json_get(json_at(maps, i), "containerID"), &first) == 0 &&
			json_to_i64(json_get(json_at(maps, i), "size"), &size) == 0 && id >= first &&
			id - first < size)
			return true;
	}
	return json_len(maps) == 0;
}

const char *runtime_annotation(const struct json *config, const char *key)
{
	return json_str(json_path(config, "annotations", key, NULL));
}

/* ---- edit ---- */

void runtime_set_annotation(struct json *config, const char *key, const char *value)
{
	if (value || json_get(config, "annotations"))
		json_set_str(json_need_object(config, "annotations"), key, value);
}

void runtime_set_args(struct json *config, const struct strv *args)
{
	json_set(json_need_object(config, "process"), "args", json_new_strv(args));
}

void runtime_set_env(struct json *config, const struct strv *env)
{
	json_set(json_need_object(config, "process"), "env", json_new_strv(env));
}

void runtime_add_mount(struct json *config, const char *destination, const char *type, const char *source,
	const char *const *options)
{
	struct json *m = json_new_object();

	json_set_str(m, "destination", destination);
	json_set_str(m, "type", type);
	json_set_str(m, "source", source);
	if (options && *options) {
		struct json *list = json_need_array(m, "options");

		for (; *options; options++)
			json_append(list, json_new_str(*options));
	}
	json_append(json_need_array(config, "mounts"), m);
}

void runtime_add_namespace(struct json *config, const char *type)
{
	struct json *ns;

	if (runtime_namespace(config, type, NULL))
		return;
	ns = json_new_object();
	json_set_str(ns, "type", type);
	json_append(json_need_array(json_need_object(config, "linux"), "namespaces"), ns);
}

void runtime_remove_namespace(struct json *config, const char *type)
{
	size_t at;

	while (find_namespace(config, type, &at))
		json_remove_at(json_path(config, "linux", "namespaces", NULL), at);
}

static struct json *one_id_map(uint32_t container, uint32_t host)
{
	struct json *list = json_new_array(), *map = json_new_object();

	json_set_i64(map, "containerID", container);
	json_set_i64(map, "hostID", host);
	json_set_i64(map, "size", 1);
	json_append(list, map);
	return list;
}

void runtime_set_id_maps(
	struct json *config, uid_t container_uid, uid_t host_uid, gid_t container_gid, gid_t host_gid)
{
	struct json *part = json_need_object(config, "linux");

	json_set(part, "uidMappings", one_id_map(container_uid, host_uid));
	json_set(part, "gidMappings", one_id_map(container_gid, host_gid));
}
