/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON as a tree, the only user of yajl and libyaml. Parsing has limits on bytes, depth and nodes; duplicate keys keep the last
 * value; key order and the text of numbers survive a read and write. Strings never hold NUL (such input is refused).
 */
#ifndef UDOCKER_JSON_H
#define UDOCKER_JSON_H

#include "pkg/base/base.h"

struct err;
struct json;
struct str;

enum json_type { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json_limits {
	size_t bytes; /* 0: 4 MiB */
	size_t depth; /* 0: 64 */
	size_t nodes; /* 0: 200000 */
};

/* `what` names the source in messages: "manifest", "config.json". ERR_CORRUPT with line or byte position. limits may be NULL. */
int json_parse(const char *text, size_t n, const char *what, const struct json_limits *limits,
	struct json **ret, struct err **err);
/*
 * The same for who needs little of much: of an object only the members in `names` (ended by NULL) are kept; all of the text is checked.
 */
int json_parse_members(const char *text, size_t n, const char *what, const struct json_limits *limits,
	const char *const *names, struct json **ret, struct err **err);
/* Read and parse a descriptor or a file (FS_BENEATH in dirfd). */
int json_read_fd(
	int fd, const char *what, const struct json_limits *limits, struct json **ret, struct err **err);
int json_read(
	int dirfd, const char *path, const struct json_limits *limits, struct json **ret, struct err **err);
/*
 * One document of YAML that says what JSON can, within the same limits: no aliases, directives or tags of other types, and keys are text. An empty
 * one is null. ERR_UNSUPPORTED without libyaml.
 */
int json_parse_yaml(const char *text, size_t n, const char *what, const struct json_limits *limits,
	struct json **ret, struct err **err);

/* NULL is fine; frees the whole tree. Only for a root, a value taken out or one never put in. */
void json_free(struct json *j);
DEFINE_CLEANUP(json_cleanup, struct json, json_free);
#define auto_json CLEANUP(json_cleanup) struct json

/* ---- looking. All accept NULL as "not there". ---- */
enum json_type json_type(const struct json *j); /* NULL: JSON_NULL */
bool json_is(const struct json *j, enum json_type type);
size_t json_len(const struct json *j); /* elements or members; 0 for anything else */
struct json *json_at(const struct json *array, size_t i);
struct json *json_get(const struct json *object, const char *key);
/* Nested members: json_path(j, "process", "user", "uid", NULL). */
struct json *json_path(const struct json *object, ...) __attribute__((sentinel));
const char *json_key_at(const struct json *object, size_t i);
struct json *json_value_at(const struct json *object, size_t i);
const char *json_str(const struct json *j); /* NULL unless a string */
const char *json_number_text(const struct json *j); /* NULL unless a number */
int json_to_i64(const struct json *j, int64_t *ret); /* 0, or -1 unless an integer in range */
bool json_true(const struct json *j); /* is the literal true */

/*
 * Checked members: absent (or null) leaves *ret as it is and returns 0; present returns 1; of a wrong type or range is
 * ERR_CORRUPT, "<where>.<key>: expected a string", -1. Results stay owned by the tree.
 */
int json_get_str(
	const struct json *object, const char *where, const char *key, const char **ret, struct err **err);
int json_get_bool(const struct json *object, const char *where, const char *key, bool *ret, struct err **err);
int json_get_i64(const struct json *object, const char *where, const char *key, int64_t min, int64_t max,
	int64_t *ret, struct err **err);
int json_get_object(
	const struct json *object, const char *where, const char *key, struct json **ret, struct err **err);
int json_get_array(
	const struct json *object, const char *where, const char *key, struct json **ret, struct err **err);
/* An array of strings into an empty strv. */
struct strv;
int json_get_strv(
	const struct json *object, const char *where, const char *key, struct strv *ret, struct err **err);

/* ---- building. Values put in are owned by the container. ---- */
struct json *json_new_null(void);
struct json *json_new_bool(bool v);
struct json *json_new_i64(int64_t v);
struct json *json_new_u64(uint64_t v);
struct json *json_new_str(const char *s);
struct json *json_new_array(void);
struct json *json_new_object(void);
struct json *json_new_strv(const struct strv *v);
struct json *json_clone(const struct json *j);
void json_append(struct json *array, struct json *value);
void json_insert(struct json *array, size_t at, struct json *value);
void json_remove_at(struct json *container, size_t i);
/* Replace in place, or append. */
void json_set(struct json *object, const char *key, struct json *value);
void json_set_str(struct json *object, const char *key, const char *value); /* NULL value: removes the key */
void json_set_i64(struct json *object, const char *key, int64_t value);
void json_set_bool(struct json *object, const char *key, bool value);
void json_remove(struct json *object, const char *key);
/* The member, made as an empty object or array if it is missing or of another type. */
struct json *json_need_object(struct json *object, const char *key);
struct json *json_need_array(struct json *object, const char *key);

/* ---- writing ---- */
enum json_flags {
	JSON_PRETTY = 1, /* indent 2, newline at the end */
	JSON_INDENT4 = 2, /* with PRETTY: indent 4, as 1.3.x's inspect */
	JSON_SORT = 4, /* keys by byte value */
	JSON_ASCII = 8, /* non-ASCII as \uXXXX */
	JSON_SPACED = 16, /* without PRETTY: ", " and ": " as Python's compact style */
};
void json_write(const struct json *j, unsigned flags, struct str *ret);
char *json_text(const struct json *j, unsigned flags);

#endif
