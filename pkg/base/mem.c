/* SPDX-License-Identifier: Apache-2.0 */
/* Allocation that aborts when memory is gone, and the shortest string tests. */
#include "pkg/base/mem.h"

#include <stdarg.h>

void mem_exhausted(void)
{
	static const char text[] = "out of memory\n";

	/* Nothing that allocates works any more, the log included: say why, then die. */
	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
		abort();
	abort();
}

void *xmalloc(size_t size)
{
	void *p = malloc(size ? size : 1);

	if (!p)
		mem_exhausted();
	return p;
}

void *xcalloc(size_t n, size_t size)
{
	void *p = calloc(n ? n : 1, size ? size : 1);

	if (!p)
		mem_exhausted();
	return p;
}

void *xrealloc(void *p, size_t size)
{
	p = realloc(p, size ? size : 1);
	if (!p)
		mem_exhausted();
	return p;
}

void *xreallocarray(void *p, size_t n, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes))
		mem_exhausted();
	return xrealloc(p, bytes);
}

void *xmemdup(const void *p, size_t size)
{
	char *copy;

	if (size == SIZE_MAX)
		mem_exhausted();
	copy = xmalloc(size + 1);
	if (size)
		memcpy(copy, p, size);
	copy[size] = '\0';
	return copy;
}

char *xstrdup(const char *s)
{
	return xmemdup(s, strlen(s));
}

char *xstrdup_null(const char *s)
{
	return s ? xstrdup(s) : NULL;
}

char *xstrndup(const char *s, size_t n)
{
	return xmemdup(s, strnlen(s, n));
}

char *xjoin3(const char *a, const char *b, const char *c)
{
	size_t na = strlen(a), nb = strlen(b), nc = strlen(c);
	char *text = xmalloc(na + nb + nc + 1);

	memcpy(text, a, na);
	memcpy(text + na, b, nb);
	memcpy(text + na + nb, c, nc + 1);
	return text;
}

char *xasprintf(const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (r < 0 || !text)
		mem_exhausted();
	return text;
}

void *mem_grow(void *p, size_t *cap, size_t need, size_t size)
{
	size_t n = *cap ? *cap : 8;

	if (p && need <= *cap)
		return p;
	while (n < need) {
		if (n > SIZE_MAX / 2)
			mem_exhausted();
		n *= 2;
	}
	p = xreallocarray(p, n, size);
	*cap = n;
	return p;
}

void mem_wipe_free(char *secret)
{
	if (!secret)
		return;
	explicit_bzero(secret, strlen(secret));
	free(secret);
}

char *mem_take_argument(const char *arg)
{
	char *copy = xstrdup(arg);
	union {
		const char *text;
		char *bytes;
	} argument = { .text = arg };

	explicit_bzero(argument.bytes, strlen(arg));
	return copy;
}

bool str_eq(const char *a, const char *b)
{
	if (!a || !b)
		return a == b;
	return strcmp(a, b) == 0;
}

bool str_starts(const char *s, const char *prefix)
{
	if (!s || !prefix)
		return s == prefix;
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool str_ends(const char *s, const char *suffix)
{
	size_t n, m;

	if (!s || !suffix)
		return s == suffix;
	n = strlen(s);
	m = strlen(suffix);
	return n >= m && memcmp(s + n - m, suffix, m) == 0;
}
