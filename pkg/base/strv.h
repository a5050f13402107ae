/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Vectors of strings, always NULL-terminated, for argv, environments and lists of names. A vector
 * owns its strings.
 */
#ifndef UDOCKER_STRV_H
#define UDOCKER_STRV_H

#include "pkg/base/base.h"

struct strv {
	char **v; /* NULL until the first string; else v[n] is NULL */
	size_t n;
	size_t cap;
};

#define STRV_INIT ((struct strv){ 0 })

void strv_add(struct strv *s, const char *text); /* copies */
void strv_add_owned(struct strv *s, char *text); /* takes it */
void strv_addf(struct strv *s, const char *fmt, ...) PRINTF_LIKE(2, 3);
void strv_add_all(struct strv *s, const char *const *list); /* up to NULL; a NULL list is empty */
void strv_insert(struct strv *s, size_t at, const char *text);
void strv_remove(struct strv *s, size_t at);
bool strv_has(const struct strv *s, const char *text);
void strv_sort(struct strv *s); /* by byte value */
void strv_dup(struct strv *ret, const struct strv *from); /* into an empty ret */

/* The array for execve and friends, never NULL. Owned by s. */
char *const *strv_argv(const struct strv *s);

/* Split at each of the bytes in `seps`, empty fields left out. Appends to ret. */
void strv_split(struct strv *ret, const char *text, const char *seps);
char *strv_join(const struct strv *s, const char *sep);

/* KEY=VALUE lists. get returns the value inside s, or NULL. set replaces in place or appends. */
const char *strv_env_get(const struct strv *s, const char *key);
void strv_env_set(struct strv *s, const char *key, const char *value);
void strv_env_unset(struct strv *s, const char *key);
/* Add KEY=VALUE as it is, replacing an entry of the same key. */
void strv_env_put(struct strv *s, const char *entry);

void strv_free(struct strv *s); /* leaves it empty and reusable */
#define auto_strv CLEANUP(strv_free) struct strv

#endif
