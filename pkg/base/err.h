/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Errors as values. A function that can fail returns int (0 or more on success, negative on
 * failure) and takes `struct err **err` last; NULL means that the caller does not care.
 * A set error is never overwritten (assertion). Libraries never print and never exit.
 */
#ifndef UDOCKER_ERR_H
#define UDOCKER_ERR_H

#include "pkg/base/base.h"

enum err_kind {
	ERR_USAGE, /* a wrong command line or option value */
	ERR_NOT_FOUND, /* no such image, container, file */
	ERR_EXISTS, /* the name is taken */
	ERR_BUSY, /* running, locked or protected: later, or with force */
	ERR_DENIED, /* permission, ownership, protection */
	ERR_CORRUPT, /* data that contradicts itself, its digest or its grammar */
	ERR_NETWORK,
	ERR_AUTH,
	ERR_UNSUPPORTED, /* well-formed, but not for us or not on this kernel */
	ERR_ENGINE, /* an engine is missing or failed */
	ERR_SYSTEM, /* the operating system said no: err_errno() has its reason */
};

struct err;

/* Set *err (if err is not NULL) to a new error. Control characters in the text are escaped. Return -1. */
int err_make(struct err **err, enum err_kind kind, const char *fmt, ...) PRINTF_LIKE(3, 4);

/*
 * The same from an errno: the text is "<fmt>: <strerror>", the kind follows it (ENOENT: NOT_FOUND, EEXIST
 * and ENOTEMPTY: EXISTS, EACCES EPERM EROFS: DENIED, EBUSY ETXTBSY: BUSY, else SYSTEM). Returns -1.
 */
int err_sys(struct err **err, int errnum, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Put context in front of a set error: "<fmt>: <old text>". Does nothing if err or *err is NULL. Returns -1. */
int err_add(struct err **err, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Say what the user can do next; replaces an earlier hint. Does nothing if err or *err is NULL. Returns -1. */
int err_hint(struct err **err, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* The same for an error of that kind of which nothing is said yet. */
int err_hint_else(struct err **err, enum err_kind kind, const char *hint);

/* Change the kind of a set error, e.g. NOT_FOUND to CORRUPT. Returns -1. */
int err_set_kind(struct err **err, enum err_kind kind);

/* All take a set error. The strings are owned by the error; the hint is NULL if there is none. */
enum err_kind err_kind(const struct err *err);
int err_errno(const struct err *err); /* 0 if it did not come from err_sys() */
const char *err_text(const struct err *err);
const char *err_hint_text(const struct err *err);

/* True if err is set and of that kind. */
bool err_is(const struct err *err, enum err_kind kind);

/* Release an error, NULL is fine. err_clear() also sets *err to NULL; err may be NULL. */
void err_free(struct err *err);
void err_clear(struct err **err);

/* Move a set error from `from` to `to` (freed when `to` is NULL). Returns -1. */
int err_move(struct err **to, struct err **from);

DEFINE_CLEANUP(err_cleanup, struct err, err_free);
#define auto_err CLEANUP(err_cleanup) struct err

#endif
