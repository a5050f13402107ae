/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config.json (runtime-spec): checked as a tree, read into C structures where engines and the runtime need values, edited in place so that
 * unknown fields live on. Nothing here looks at a file system.
 */
#ifndef UDOCKER_RUNTIME_CONFIG_H
#define UDOCKER_RUNTIME_CONFIG_H

#include <sys/types.h>

#include "pkg/base/base.h"
#include "pkg/base/strv.h"

struct err;
struct json;

#define RUNTIME_SPEC_NEWEST "1.3.0" /* what we know, and rewrite for engines that know less */
#define RUNTIME_SPEC_OLDEST "1.0.0"
#define RUNTIME_SPEC_VERSION "1.0.2" /* what we write: every engine since 2019 takes it */
#define RUNTIME_CONFIG_MAX_BYTES ((size_t)8 << 20)
#define RUNTIME_MAX_MOUNTS 4096
#define RUNTIME_MAX_GROUPS 65536

/*
 * The whole document against what the specification requires and what we use: ociVersion 1.x, types of all known members, process.cwd and mount
 * destinations absolute, known rlimit types, namespace types and hook shapes, ids in range. A document without `process` passes (its
 * start fails). ERR_CORRUPT names the JSON path: "config.json: process.cwd: 'tmp' is not absolute".
 */
int runtime_config_check(const struct json *config, struct err **err);
/* The same for a bare process object (exec --process FILE). */
int runtime_process_check(const struct json *process, const char *where, struct err **err);

/* 0 if 1.x (pre-release and build suffixes allowed), -1 else. *ret_minor may be NULL. */
int runtime_version_parse(const char *text, int *ret_minor);

struct runtime_rlimit {
	const char *name; /* "RLIMIT_NOFILE", static */
	int resource; /* for setrlimit() */
	uint64_t soft, hard; /* UINT64_MAX: RLIM_INFINITY */
};
/* The resource number of "RLIMIT_NOFILE", -1 for an unknown name. *ret_name (may be NULL) gets the static name. */
int runtime_rlimit_resource(const char *name, const char **ret_name);

struct runtime_process {
	struct strv args;
	struct strv env;
	char *cwd;
	bool terminal;
	bool has_console_size;
	unsigned console_width, console_height;
	uid_t uid;
	gid_t gid;
	gid_t *groups; /* additionalGids */
	size_t n_groups;
	bool has_umask;
	mode_t umask;
	struct runtime_rlimit *rlimits;
	size_t n_rlimits;
	bool no_new_privileges;
	bool has_oom_score_adj;
	int oom_score_adj;
};
#define RUNTIME_PROCESS_INIT ((struct runtime_process){ 0 })
/* Read a process object that was checked or not. Missing args are an error here: ERR_CORRUPT. `where`: "config.json: process". */
int runtime_process_read(
	const struct json *process, const char *where, struct runtime_process *ret, struct err **err);
void runtime_process_free(struct runtime_process *p); /* leaves it empty */
#define auto_runtime_process CLEANUP(runtime_process_free) struct runtime_process

struct runtime_mount {
	char *destination; /* cleaned, absolute */
	char *type; /* "" if absent; "bind" when options say bind or rbind */
	char *source; /* "" if absent; as written: relative ones are relative to the bundle */
	struct strv options;
	bool bind, recursive, readonly;
};
struct runtime_mounts {
	struct runtime_mount *items; /* in the document's order */
	size_t n;
};
#define RUNTIME_MOUNTS_INIT ((struct runtime_mounts){ 0 })
int runtime_mounts_read(const struct json *config, struct runtime_mounts *ret, struct err **err);
void runtime_mounts_free(struct runtime_mounts *m);
#define auto_runtime_mounts CLEANUP(runtime_mounts_free) struct runtime_mounts

enum runtime_hook_kind {
	HOOK_PRESTART,
	HOOK_CREATE_RUNTIME,
	HOOK_CREATE_CONTAINER,
	HOOK_START_CONTAINER,
	HOOK_POSTSTART,
	HOOK_POSTSTOP,
	HOOK_N
};
const char *runtime_hook_name(enum runtime_hook_kind kind); /* "createRuntime" */
struct runtime_hook {
	char *path; /* absolute */
	struct strv args; /* may be empty: then path alone */
	struct strv env;
	bool has_env; /* no env member: the caller's environment */
	int timeout; /* seconds, 0: none */
};
struct runtime_hooks {
	struct runtime_hook *items;
	size_t n;
};
#define RUNTIME_HOOKS_INIT ((struct runtime_hooks){ 0 })
int runtime_hooks_read(
	const struct json *config, enum runtime_hook_kind kind, struct runtime_hooks *ret, struct err **err);
void runtime_hooks_free(struct runtime_hooks *h);
#define auto_runtime_hooks CLEANUP(runtime_hooks_free) struct runtime_hooks

/* root.path as written ("rootfs", "/abs"), or NULL; root.readonly. */
const char *runtime_root_path(const struct json *config);
bool runtime_root_readonly(const struct json *config);
const char *runtime_hostname(const struct json *config); /* or NULL */
const char *runtime_oci_version(const struct json *config); /* never NULL */

/* linux.namespaces: is one of that type asked for? *ret_path (may be NULL) gets its path or NULL. Types: pid network mount ipc uts user cgroup time. */
bool runtime_namespace(const struct json *config, const char *type, const char **ret_path);

/* Does linux.uidMappings or gidMappings (`list`) map this id of the container? Without any map every id is. */
bool runtime_id_is_mapped(const struct json *config, const char *list, int64_t id);

/* An annotation's value inside the tree, or NULL. */
const char *runtime_annotation(const struct json *config, const char *key);

/* ---- edit in place ---- */
void runtime_set_annotation(struct json *config, const char *key, const char *value); /* NULL removes */
void runtime_set_args(struct json *config, const struct strv *args);
void runtime_set_env(struct json *config, const struct strv *env);
/* Append a mount; options is a NULL-terminated list, type and source may be NULL. */
void runtime_add_mount(struct json *config, const char *destination, const char *type, const char *source,
	const char *const *options);
void runtime_add_namespace(struct json *config, const char *type); /* unless it is there */
void runtime_remove_namespace(struct json *config, const char *type);
/* One identity map of one id: linux.uidMappings and gidMappings are replaced. */
void runtime_set_id_maps(
	struct json *config, uid_t container_uid, uid_t host_uid, gid_t container_gid, gid_t host_gid);

/* ---- make ---- */
/* ociVersion, an empty process (cwd "/"), root {path}, mounts [], linux {}. */
struct json *runtime_config_new(const char *root_path);
/* What `spec` prints: runc's example document, or its rootless form for the given caller. */
struct json *runtime_config_example(bool rootless, uid_t uid, gid_t gid);

/* Annotations of the suite. */
#define ANNOTATION_EXECMODE "org.udocker.execmode"
#define ANNOTATION_PREPARE "org.udocker.prepare"
#define ANNOTATION_STRICT "org.udocker.strict"
#define ANNOTATION_ASKED \
	"org.udocker.asked" /* words of properties, "root.readonly,linux.resources": a warning where not applied */
#define ANNOTATION_REQUIRED "org.udocker.required" /* the same: an error, as --strict for these alone */
#define ANNOTATION_CONTAINER "org.udocker.container"
#define ANNOTATION_IMAGE "org.udocker.image"
#define ANNOTATION_KERNEL "org.udocker.kernel"
#define ANNOTATION_PUBLISH "org.udocker.publish" /* "hport:cport,…" */
#define ANNOTATION_NETCOOP "org.udocker.netcoop" /* "true": -P */
#define ANNOTATION_CPUSET "org.udocker.cpuset"
#define ANNOTATION_FILE "org.udocker.file:" /* + absolute path inside; the value is the content */

#endif
