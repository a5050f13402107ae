/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Allocation that aborts when memory is gone, for sizes that are small by construction. A size that
 * comes from outside must be checked against a named limit before it gets here.
 */
#ifndef UDOCKER_MEM_H
#define UDOCKER_MEM_H

#include "pkg/base/base.h"

void *xmalloc(size_t size) RETURNS_NONNULL;
void *xcalloc(size_t n, size_t size) RETURNS_NONNULL; /* zeroed; aborts on overflow */
void *xrealloc(void *p, size_t size) RETURNS_NONNULL;
void *xreallocarray(void *p, size_t n, size_t size) RETURNS_NONNULL; /* aborts on overflow */
void *xmemdup(const void *p, size_t size) RETURNS_NONNULL; /* with one extra NUL byte behind */
char *xstrdup(const char *s) RETURNS_NONNULL;
char *xstrdup_null(const char *s); /* NULL stays NULL */
char *xstrndup(const char *s, size_t n) RETURNS_NONNULL;
/* The three one behind the other: many times cheaper than xasprintf(), for what is built in a loop. */
char *xjoin3(const char *a, const char *b, const char *c);
char *xasprintf(const char *fmt, ...) RETURNS_NONNULL PRINTF_LIKE(1, 2);

/* Make room for `need` elements of `size` bytes behind p, doubling *cap; returns the new p. */
void *mem_grow(void *p, size_t *cap, size_t need, size_t size) RETURNS_NONNULL;

/* Says so, and aborts. */
NORETURN void mem_exhausted(void);

/* Overwrite a secret so that the compiler cannot leave it out, then free it. NULL is fine. */
void mem_wipe_free(char *secret);

/*
 * An argument of the command line that is a secret: a copy, and the argument itself becomes "", so that the list of processes shows it no longer. Caller wipes and
 * frees.
 */
char *mem_take_argument(const char *arg) RETURNS_NONNULL;

/* strcmp() == 0 and prefix or suffix test, for readability; NULL equals only NULL. */
bool str_eq(const char *a, const char *b);
bool str_starts(const char *s, const char *prefix);
bool str_ends(const char *s, const char *suffix);

#endif
