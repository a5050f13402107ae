/* SPDX-License-Identifier: Apache-2.0 */
/* Errors as values: a kind, an errno, one line of text and one line of advice. */
#include "pkg/base/err.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>

#include "pkg/base/mem.h"
#include "pkg/base/str.h"

struct err {
	enum err_kind kind;
	int errnum;
	char *text;
	char *hint;
};

/* The formatted text with control characters escaped, then ": " and `tail` unless that is NULL. */
static PRINTF_LIKE(2, 0) char *format_text(const char *tail, const char *fmt, va_list ap)
{
	auto_str raw = STR_INIT;
	struct str out = STR_INIT;

	(void)str_vaddf(&raw, fmt, ap); /* an absurdly long text is left out, the error stays */
	(void)str_add_escaped(&out, str_text(&raw));
	if (tail) {
		(void)str_add(&out, ": ");
		(void)str_add_escaped(&out, tail);
	}
	return str_steal(&out);
}

static void set(struct err **err, enum err_kind kind, int errnum, char *text)
{
	struct err *e = xcalloc(1, sizeof(*e));

	assert(*err == NULL); /* the first error is the cause: it must not be lost */
	e->kind = kind;
	e->errnum = errnum;
	e->text = text;
	*err = e;
}

int err_make(struct err **err, enum err_kind kind, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return -1;
	va_start(ap, fmt);
	set(err, kind, 0, format_text(NULL, fmt, ap));
	va_end(ap);
	return -1;
}

static enum err_kind kind_of_errno(int errnum)
{
	switch (errnum) {
	case ENOENT:
		return ERR_NOT_FOUND;
	case EEXIST:
	case ENOTEMPTY:
		return ERR_EXISTS;
	case EACCES:
	case EPERM:
	case EROFS:
		return ERR_DENIED;
	case EBUSY:
	case ETXTBSY:
		return ERR_BUSY;
	default:
		return ERR_SYSTEM;
	}
}

/* glibc's returns the text, that of POSIX (musl) fills the buffer. */
static const char *describe(int errnum, char *buf, size_t size)
{
#ifdef __GLIBC__
	return strerror_r(errnum, buf, size);
#else
	return strerror_r(errnum, buf, size) == 0 ? buf : "unknown error";
#endif
}

int err_sys(struct err **err, int errnum, const char *fmt, ...)
{
	char buf[128];
	va_list ap;

	if (!err)
		return -1;
	va_start(ap, fmt);
	set(err, kind_of_errno(errnum), errnum, format_text(describe(errnum, buf, sizeof(buf)), fmt, ap));
	va_end(ap);
	return -1;
}

int err_add(struct err **err, const char *fmt, ...)
{
	char *text;
	va_list ap;

	if (!err || !*err)
		return -1;
	va_start(ap, fmt);
	text = format_text((*err)->text, fmt, ap);
	va_end(ap);
	free((*err)->text);
	(*err)->text = text;
	return -1;
}

int err_hint(struct err **err, const char *fmt, ...)
{
	char *hint;
	va_list ap;

	if (!err || !*err)
		return -1;
	va_start(ap, fmt);
	hint = format_text(NULL, fmt, ap);
	va_end(ap);
	free((*err)->hint);
	(*err)->hint = hint;
	return -1;
}

int err_hint_else(struct err **err, enum err_kind kind, const char *hint)
{
	if (err && err_is(*err, kind) && !(*err)->hint)
		(*err)->hint = xstrdup(hint);
	return -1;
}

int err_set_kind(struct err **err, enum err_kind kind)
{
	if (err && *err)
		(*err)->kind = kind;
	return -1;
}

enum err_kind err_kind(const struct err *err)
{
	return err->kind;
}

int err_errno(const struct err *err)
{
	return err->errnum;
}

const char *err_text(const struct err *err)
{
	return err->text;
}

const char *err_hint_text(const struct err *err)
{
	return err->hint;
}

bool err_is(const struct err *err, enum err_kind kind)
{
	return err && err->kind == kind;
}

void err_free(struct err *err)
{
	if (!err)
		return;
	free(err->text);
	free(err->hint);
	free(err);
}

void err_clear(struct err **err)
{
	if (!err)
		return;
	err_free(*err);
	*err = NULL;
}

int err_move(struct err **to, struct err **from)
{
	if (!to) {
		err_clear(from);
		return -1;
	}
	if (!*from)
		return -1;
	assert(*to == NULL);
	*to = steal_ptr(from);
	return -1;
}
