/* SPDX-License-Identifier: Apache-2.0 */
/* Vectors of strings: argv, environments, lists of names. */
#include "pkg/base/strv.h"

#include <assert.h>
#include <stdarg.h>

#include "pkg/base/mem.h"
#include "pkg/base/str.h"

void strv_add_owned(struct strv *s, char *text)
{
	s->v = mem_grow(s->v, &s->cap, s->n + 2, sizeof(*s->v));
	s->v[s->n++] = text;
	s->v[s->n] = NULL;
}

void strv_add(struct strv *s, const char *text)
{
	strv_add_owned(s, xstrdup(text));
}

void strv_addf(struct strv *s, const char *fmt, ...)
{
	auto_str text = STR_INIT;
	va_list ap;

	va_start(ap, fmt);
	(void)str_vaddf(&text, fmt, ap);
	va_end(ap);
	assert(!text.overflow); /* the caller bounds what it prints */
	strv_add_owned(s, str_steal(&text));
}

void strv_add_all(struct strv *s, const char *const *list)
{
	for (; list && *list; list++)
		strv_add(s, *list);
}

void strv_insert(struct strv *s, size_t at, const char *text)
{
	char *copy = xstrdup(text);

	assert(at <= s->n);
	strv_add_owned(s, copy);
	memmove(s->v + at + 1, s->v + at, (s->n - 1 - at) * sizeof(*s->v));
	s->v[at] = copy;
}

void strv_remove(struct strv *s, size_t at)
{
	assert(at < s->n);
	free(s->v[at]);
	memmove(s->v + at, s->v + at + 1, (s->n - at) * sizeof(*s->v));
	s->n--;
}

bool strv_has(const struct strv *s, const char *text)
{
	for (size_t i = 0; i < s->n; i++)
		if (strcmp(s->v[i], text) == 0)
			return true;
	return false;
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void strv_sort(struct strv *s)
{
	if (s->n > 1)
		qsort(s->v, s->n, sizeof(*s->v), compare);
}

void strv_dup(struct strv *ret, const struct strv *from)
{
	assert(ret->n == 0);
	for (size_t i = 0; i < from->n; i++)
		strv_add(ret, from->v[i]);
}

char *const *strv_argv(const struct strv *s)
{
	static char *const empty[] = { NULL };

	return s->v ? s->v : empty;
}

void strv_split(struct strv *ret, const char *text, const char *seps)
{
	for (;;) {
		size_t n;

		text += strspn(text, seps);
		n = strcspn(text, seps);
		if (!n)
			return;
		strv_add_owned(ret, xmemdup(text, n));
		text += n;
	}
}

char *strv_join(const struct strv *s, const char *sep)
{
	size_t sep_len = strlen(sep), len = 0;
	char *text, *p;

	for (size_t i = 0; i < s->n; i++)
		len += strlen(s->v[i]) + (i ? sep_len : 0);
	p = text = xmalloc(len + 1);
	for (size_t i = 0; i < s->n; i++) {
		if (i)
			p = mempcpy(p, sep, sep_len);
		p = mempcpy(p, s->v[i], strlen(s->v[i]));
	}
	*p = '\0';
	return text;
}

/* True if `entry` is "key" or "key=…", the key being `len` bytes long. */
static bool has_key(const char *entry, const char *key, size_t len)
{
	return strncmp(entry, key, len) == 0 && (entry[len] == '=' || entry[len] == '\0');
}

const char *strv_env_get(const struct strv *s, const char *key)
{
	size_t len = strlen(key);

	for (size_t i = 0; i < s->n; i++)
		if (strncmp(s->v[i], key, len) == 0 && s->v[i][len] == '=')
			return s->v[i] + len + 1;
	return NULL;
}

/* Put `entry` (taken) where its key stands first, and drop later entries of that key. */
static void put_owned(struct strv *s, char *entry)
{
	size_t len = strcspn(entry, "=");
	bool done = false;

	for (size_t i = 0; i < s->n;) {
		if (!has_key(s->v[i], entry, len)) {
			i++;
		} else if (!done) {
			free(s->v[i]);
			s->v[i++] = entry;
			done = true;
		} else {
			strv_remove(s, i);
		}
	}
	if (!done)
		strv_add_owned(s, entry);
}

void strv_env_set(struct strv *s, const char *key, const char *value)
{
	size_t key_len = strlen(key), len = strlen(value);
	char *entry = xmalloc(key_len + 1 + len + 1);

	memcpy(entry, key, key_len);
	entry[key_len] = '=';
	memcpy(entry + key_len + 1, value, len + 1);
	put_owned(s, entry);
}

void strv_env_put(struct strv *s, const char *entry)
{
	put_owned(s, xstrdup(entry));
}

void strv_env_unset(struct strv *s, const char *key)
{
	size_t len = strlen(key);

	for (size_t i = 0; i < s->n;) {
		if (has_key(s->v[i], key, len))
			strv_remove(s, i);
		else
			i++;
	}
}

void strv_free(struct strv *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->v[i]);
	free(s->v);
	*s = STRV_INIT;
}
