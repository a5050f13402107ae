/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The check of config.json: tables of members with their types, walked over the tree. What the specification leaves to the
 * runtime (does the file exist, does the kernel have it) is not asked here.
 */
#include "oci-spec/runtime_config.h"
#include "pkg/base/err.h"
#include "pkg/base/json.h"
#include "pkg/base/mem.h"
#include "pkg/base/num.h"

enum rule_type {
	RULE_STR,
	RULE_ABS, /* a string that is an absolute path */
	RULE_BOOL,
	RULE_INT, /* within min and max */
	RULE_U64,
	RULE_STRV,
	RULE_STRMAP, /* an object of strings */
	RULE_INTS, /* an array of integers within min and max */
	RULE_OBJECT, /* by `sub`, or any */
	RULE_OBJECTS, /* an array of objects by `sub` */
};

struct rule {
	const char *key;
	enum rule_type type;
	bool required;
	int64_t min, max;
	const struct rule *sub;
	/* Called with the member, after its type was checked. */
	int (*also)(const struct json *v, const char *where, struct err **err);
};

/* clang-format off: it would break these over lines */
#define R(name, kind, ...) \
	{ \
		.key = (name), .type = (kind), __VA_ARGS__ \
	}
#define END \
	{ \
		.key = NULL \
	}
#define U32 .min = 0, .max = UINT32_MAX
/* clang-format on */

/* ---- further conditions ---- */

static int version_is_known(const struct json *v, const char *where, struct err **err)
{
	if (runtime_version_parse(json_str(v), NULL) < 0)
		return err_make(
			err, ERR_UNSUPPORTED, "%s: '%.40s' is not a version 1.x.y", where, json_str(v));
	return 0;
}

static int is_not_empty(const struct json *v, const char *where, struct err **err)
{
	if (json_is(v, JSON_STRING) ? *json_str(v) == '\0' : json_len(v) == 0)
		return err_make(err, ERR_CORRUPT, "%s: is empty", where);
	return 0;
}

static int first_is_not_empty(const struct json *v, const char *where, struct err **err)
{
	const char *first = json_str(json_at(v, 0));

	if (!first || *first == '\0')
		return err_make(err, ERR_CORRUPT, "%s: no program is named", where);
	return 0;
}

static int rlimits_are_known(const struct json *v, const char *where, struct err **err)
{
	uint64_t seen = 0;

	for (size_t i = 0; i < json_len(v); i++) {
		const char *name = json_str(json_get(json_at(v, i), "type"));
		int resource = runtime_rlimit_resource(name, NULL);

		if (resource < 0)
			return err_make(err, ERR_CORRUPT, "%s[%zu].type: '%.40s' is not a resource limit",
				where, i, name);
		if (seen & (UINT64_C(1) << resource))
			return err_make(err, ERR_CORRUPT, "%s[%zu].type: %s is given twice", where, i, name);
		seen |= UINT64_C(1) << resource;
	}
	return 0;
}

static int namespaces_are_known(const struct json *v, const char *where, struct err **err)
{
	static const char *const known[] = { "pid", "network", "mount", "ipc", "uts", "user", "cgroup",
		"time" };
	unsigned seen = 0;

	for (size_t i = 0; i < json_len(v); i++) {
		const char *type = json_str(json_get(json_at(v, i), "type"));
		const char *path = json_str(json_get(json_at(v, i), "path"));
		size_t k = 0;

		while (k < ARRAY_LEN(known) && !str_eq(type, known[k]))
			k++;
		if (k == ARRAY_LEN(known))
			return err_make(
				err, ERR_CORRUPT, "%s[%zu].type: '%.40s' is not a namespace", where, i, type);
		if (seen & (1U << k))
			return err_make(err, ERR_CORRUPT, "%s[%zu].type: %s is given twice", where, i, type);
		if (path && *path && *path != '/')
			return err_make(
				err, ERR_CORRUPT, "%s[%zu].path: '%.200s' is not absolute", where, i, path);
		seen |= 1U << k;
	}
	return 0;
}

static int are_absolute(const struct json *v, const char *where, struct err **err)
{
	for (size_t i = 0; i < json_len(v); i++)
		if (*json_str(json_at(v, i)) != '/')
			return err_make(err, ERR_CORRUPT, "%s[%zu]: '%.200s' is not absolute", where, i,
				json_str(json_at(v, i)));
	return 0;
}

static int propagation_is_known(const struct json *v, const char *where, struct err **err)
{
	static const char *const known[] = { "", "private", "rprivate", "shared", "rshared", "slave",
		"rslave", "unbindable", "runbindable" };

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (str_eq(json_str(v), known[i]))
			return 0;
	return err_make(err, ERR_CORRUPT, "%s: '%.40s' is not a mount propagation", where, json_str(v));
}

static int mounts_are_few(const struct json *v, const char *where, struct err **err)
{
	if (json_len(v) > RUNTIME_MAX_MOUNTS)
		return err_make(err, ERR_CORRUPT, "%s: more than %d mounts", where, RUNTIME_MAX_MOUNTS);
	return 0;
}

static int groups_are_few(const struct json *v, const char *where, struct err **err)
{
	if (json_len(v) > RUNTIME_MAX_GROUPS)
		return err_make(err, ERR_CORRUPT, "%s: more than %d groups", where, RUNTIME_MAX_GROUPS);
	return 0;
}

/* ---- the tables ---- */

static const struct rule id_map[] = {
	R("containerID", RULE_INT, .required = true, U32),
	R("hostID", RULE_INT, .required = true, U32),
	R("size", RULE_INT, .required = true, U32),
	END,
};
static const struct rule user[] = {
	R("uid", RULE_INT, U32),
	R("gid", RULE_INT, U32),
	R("umask", RULE_INT, .min = 0, .max = 0777),
	R("additionalGids", RULE_INTS, U32, .also = groups_are_few),
	R("username", RULE_STR),
	END,
};
static const struct rule console_size[] = {
	R("height", RULE_INT, .required = true, .min = 0, .max = UINT16_MAX),
	R("width", RULE_INT, .required = true, .min = 0, .max = UINT16_MAX),
	END,
};
static const struct rule capabilities[] = {
	R("bounding", RULE_STRV),
	R("effective", RULE_STRV),
	R("inheritable", RULE_STRV),
	R("permitted", RULE_STRV),
	R("ambient", RULE_STRV),
	END,
};
static const struct rule rlimit[] = {
	R("type", RULE_STR, .required = true),
	R("soft", RULE_U64, .required = true),
	R("hard", RULE_U64, .required = true),
	END,
};
static const struct rule cpu_affinity[] = {
	R("initial", RULE_STR),
	R("final", RULE_STR),
	END,
};
static const struct rule scheduler[] = {
	R("policy", RULE_STR, .required = true),
	R("nice", RULE_INT, .min = -20, .max = 19),
	R("priority", RULE_INT, .min = 0, .max = 99),
	R("flags", RULE_STRV),
	R("runtime", RULE_U64),
	R("deadline", RULE_U64),
	R("period", RULE_U64),
	END,
};
static const struct rule io_priority[] = {
	R("class", RULE_STR, .required = true),
	R("priority", RULE_INT, .min = 0, .max = 7),
	END,
};
static const struct rule process[] = {
	R("terminal", RULE_BOOL),
	R("consoleSize", RULE_OBJECT, .sub = console_size),
	R("cwd", RULE_ABS, .required = true),
	R("env", RULE_STRV),
	R("args", RULE_STRV, .required = true, .also = first_is_not_empty),
	R("user", RULE_OBJECT, .sub = user),
	R("rlimits", RULE_OBJECTS, .sub = rlimit, .also = rlimits_are_known),
	R("capabilities", RULE_OBJECT, .sub = capabilities),
	R("noNewPrivileges", RULE_BOOL),
	R("oomScoreAdj", RULE_INT, .min = -1000, .max = 1000),
	R("apparmorProfile", RULE_STR),
	R("selinuxLabel", RULE_STR),
	R("scheduler", RULE_OBJECT, .sub = scheduler),
	R("execCPUAffinity", RULE_OBJECT, .sub = cpu_affinity),
	R("ioPriority", RULE_OBJECT, .sub = io_priority),
	END,
};
static const struct rule root[] = {
	R("path", RULE_STR, .required = true, .also = is_not_empty),
	R("readonly", RULE_BOOL),
	END,
};
static const struct rule mount[] = {
	R("destination", RULE_ABS, .required = true),
	R("type", RULE_STR),
	R("source", RULE_STR),
	R("options", RULE_STRV),
	R("uidMappings", RULE_OBJECTS, .sub = id_map),
	R("gidMappings", RULE_OBJECTS, .sub = id_map),
	END,
};
static const struct rule hook[] = {
	R("path", RULE_ABS, .required = true),
	R("args", RULE_STRV),
	R("env", RULE_STRV),
	R("timeout", RULE_INT, .min = 1, .max = INT32_MAX),
	END,
};
static const struct rule hooks[] = {
	R("prestart", RULE_OBJECTS, .sub = hook),
	R("createRuntime", RULE_OBJECTS, .sub = hook),
	R("createContainer", RULE_OBJECTS, .sub = hook),
	R("startContainer", RULE_OBJECTS, .sub = hook),
	R("poststart", RULE_OBJECTS, .sub = hook),
	R("poststop", RULE_OBJECTS, .sub = hook),
	END,
};
static const struct rule namespace[] = {
	R("type", RULE_STR, .required = true),
	R("path", RULE_STR),
	END,
};
static const struct rule device[] = {
	R("type", RULE_STR, .required = true),
	R("path", RULE_ABS, .required = true),
	R("major", RULE_INT, .min = -1, .max = UINT32_MAX),
	R("minor", RULE_INT, .min = -1, .max = UINT32_MAX),
	R("fileMode", RULE_INT, U32),
	R("uid", RULE_INT, U32),
	R("gid", RULE_INT, U32),
	END,
};
static const struct rule syscall_arg[] = {
	R("index", RULE_INT, .required = true, .min = 0, .max = 5),
	R("value", RULE_U64, .required = true),
	R("valueTwo", RULE_U64),
	R("op", RULE_STR, .required = true),
	END,
};
static const struct rule syscall_rule[] = {
	R("names", RULE_STRV, .required = true, .also = is_not_empty),
	R("action", RULE_STR, .required = true),
	R("errnoRet", RULE_INT, U32),
	R("args", RULE_OBJECTS, .sub = syscall_arg),
	END,
};
static const struct rule seccomp[] = {
	R("defaultAction", RULE_STR, .required = true),
	R("defaultErrnoRet", RULE_INT, U32),
	R("architectures", RULE_STRV),
	R("flags", RULE_STRV),
	R("listenerPath", RULE_STR),
	R("listenerMetadata", RULE_STR),
	R("syscalls", RULE_OBJECTS, .sub = syscall_rule),
	END,
};
static const struct rule linux_part[] = {
	R("namespaces", RULE_OBJECTS, .sub = namespace, .also = namespaces_are_known),
	R("uidMappings", RULE_OBJECTS, .sub = id_map),
	R("gidMappings", RULE_OBJECTS, .sub = id_map),
	R("devices", RULE_OBJECTS, .sub = device),
	R("cgroupsPath", RULE_STR),
	R("resources", RULE_OBJECT),
	R("sysctl", RULE_STRMAP),
	R("seccomp", RULE_OBJECT, .sub = seccomp),
	R("rootfsPropagation", RULE_STR, .also = propagation_is_known),
	R("maskedPaths", RULE_STRV, .also = are_absolute),
	R("readonlyPaths", RULE_STRV, .also = are_absolute),
	R("mountLabel", RULE_STR),
	R("intelRdt", RULE_OBJECT),
	R("personality", RULE_OBJECT),
	R("timeOffsets", RULE_OBJECT),
	END,
};
static const struct rule top[] = {
	R("ociVersion", RULE_STR, .required = true, .also = version_is_known),
	R("process", RULE_OBJECT, .sub = process),
	R("root", RULE_OBJECT, .required = true, .sub = root),
	R("hostname", RULE_STR),
	R("domainname", RULE_STR),
	R("mounts", RULE_OBJECTS, .sub = mount, .also = mounts_are_few),
	R("hooks", RULE_OBJECT, .sub = hooks),
	R("linux", RULE_OBJECT, .sub = linux_part),
	R("annotations", RULE_STRMAP),
	END,
};

/* ---- the walk ---- */

static int check_object(const struct json *j, const char *where, const struct rule *rules, struct err **err);

static int check_strings(const struct json *v, const char *where, enum json_type type, struct err **err)
{
	for (size_t i = 0; i < json_len(v); i++) {
		if (json_str(type == JSON_ARRAY ? json_at(v, i) : json_value_at(v, i)))
			continue;
		if (type == JSON_ARRAY)
			return err_make(err, ERR_CORRUPT, "%s[%zu]: expected a string", where, i);
		return err_make(err, ERR_CORRUPT, "%s.%s: expected a string", where, json_key_at(v, i));
	}
	return 0;
}

static int check_number(const struct json *v, const char *where, const struct rule *rule, struct err **err)
{
	int64_t n;
	uint64_t u;

	if (rule->type == RULE_U64) {
		if (json_is(v, JSON_NUMBER) && num_parse_u64(json_number_text(v), UINT64_MAX, &u) == 0)
			return 0;
		return err_make(err, ERR_CORRUPT, "%s: expected a number of 0 or more", where);
	}
	if (json_to_i64(v, &n) < 0)
		return err_make(err, ERR_CORRUPT, "%s: expected an integer", where);
	if (n < rule->min || n > rule->max)
		return err_make(err, ERR_CORRUPT, "%s: %lld is not within %lld and %lld", where, (long long)n,
			(long long)rule->min, (long long)rule->max);
	return 0;
}

static int check_array(const struct json *v, const char *where, const struct rule *rule, struct err **err)
{
	for (size_t i = 0; i < json_len(v); i++) {
		autofree char *at = xasprintf("%s[%zu]", where, i);
		int r = rule->type == RULE_INTS ? check_number(json_at(v, i), at, rule, err)
						: check_object(json_at(v, i), at, rule->sub, err);

		if (r < 0)
			return -1;
	}
	return 0;
}

static int check_value(const struct json *v, const char *where, const struct rule *rule, struct err **err)
{
	static const struct {
		enum json_type type;
		const char *text;
	} want[] = {
		[RULE_STR] = { JSON_STRING, "a string" },
		[RULE_ABS] = { JSON_STRING, "a string" },
		[RULE_BOOL] = { JSON_BOOL, "true or false" },
		[RULE_INT] = { JSON_NUMBER, "an integer" },
		[RULE_U64] = { JSON_NUMBER, "a number" },
		[RULE_STRV] = { JSON_ARRAY, "an array of strings" },
		[RULE_STRMAP] = { JSON_OBJECT, "an object of strings" },
		[RULE_INTS] = { JSON_ARRAY, "an array of integers" },
		[RULE_OBJECT] = { JSON_OBJECT, "an object" },
		[RULE_OBJECTS] = { JSON_ARRAY, "an array of objects" },
	};

	if (!json_is(v, want[rule->type].type))
		return err_make(err, ERR_CORRUPT, "%s: expected %s", where, want[rule->type].text);
	switch (rule->type) {
	case RULE_ABS:
		if (*json_str(v) != '/')
			return err_make(err, ERR_CORRUPT, "%s: '%.200s' is not absolute", where, json_str(v));
		return 0;
	case RULE_INT:
	case RULE_U64:
		return check_number(v, where, rule, err);
	case RULE_STRV:
		return check_strings(v, where, JSON_ARRAY, err);
	case RULE_STRMAP:
		return check_strings(v, where, JSON_OBJECT, err);
	case RULE_INTS:
	case RULE_OBJECTS:
		return check_array(v, where, rule, err);
	case RULE_OBJECT:
		return rule->sub ? check_object(v, where, rule->sub, err) : 0;
	default:
		return 0;
	}
}

static int check_object(const struct json *j, const char *where, const struct rule *rules, struct err **err)
{
	const char *sep = rules == top ? ": " : "."; /* the document's name is no member */

	if (!json_is(j, JSON_OBJECT))
		return err_make(err, ERR_CORRUPT, "%s: expected an object", where);
	for (const struct rule *rule = rules; rule->key; rule++) {
		const struct json *v = json_get(j, rule->key);
		autofree char *at = NULL;

		if (!v || json_is(v, JSON_NULL)) { /* Go writes null for what is not set */
			if (rule->required)
				return err_make(err, ERR_CORRUPT, "%s%s%s: missing", where, sep, rule->key);
			continue;
		}
		at = xjoin3(where, sep, rule->key);
		if (check_value(v, at, rule, err) < 0)
			return -1;
		if (rule->also && rule->also(v, at, err) < 0)
			return -1;
	}
	return 0;
}

int runtime_config_check(const struct json *config, struct err **err)
{
	return check_object(config, "config.json", top, err);
}

int runtime_process_check(const struct json *p, const char *where, struct err **err)
{
	return check_object(p, where, process, err);
}
