/* SPDX-License-Identifier: Apache-2.0 */
/* Growing strings with a ceiling. */
#include "pkg/base/str.h"

#include "pkg/base/mem.h"

/* Make room for n more bytes and the NUL, or mark the overflow. */
static int make_room(struct str *s, size_t n)
{
	size_t max = s->max ? s->max : STR_DEFAULT_MAX;
	size_t need, cap;

	if (s->overflow || n > max || s->len > max - n) {
		s->overflow = true;
		return -1;
	}
	need = s->len + n + 1;
	if (s->data && need <= s->cap)
		return 0;
	cap = s->cap ? s->cap : 32;
	while (cap < need)
		cap = cap > SIZE_MAX / 2 ? need : cap * 2;
	s->data = xrealloc(s->data, cap);
	s->cap = cap;
	return 0;
}

int str_add_mem(struct str *s, const void *p, size_t n)
{
	if (make_room(s, n) < 0)
		return -1;
	if (n)
		memcpy(s->data + s->len, p, n);
	s->len += n;
	s->data[s->len] = '\0';
	return 0;
}

int str_add(struct str *s, const char *text)
{
	return str_add_mem(s, text, strlen(text));
}

int str_add_char(struct str *s, char c)
{
	return str_add_mem(s, &c, 1);
}

int str_add_repeat(struct str *s, char c, size_t n)
{
	if (make_room(s, n) < 0)
		return -1;
	memset(s->data + s->len, c, n);
	s->len += n;
	s->data[s->len] = '\0';
	return 0;
}

int str_addf(struct str *s, const char *fmt, ...)
{
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = str_vaddf(s, fmt, ap);
	va_end(ap);
	return r;
}

int str_vaddf(struct str *s, const char *fmt, va_list ap)
{
	char buf[256];
	va_list again;
	int n;

	va_copy(again, ap);
	n = vsnprintf(buf, sizeof(buf), fmt, ap);
	if (n < 0) {
		s->overflow = true; /* longer than INT_MAX */
		n = -1;
	} else if ((size_t)n < sizeof(buf)) {
		n = str_add_mem(s, buf, (size_t)n);
	} else if (make_room(s, (size_t)n) < 0) {
		n = -1;
	} else {
		(void)vsnprintf(s->data + s->len, (size_t)n + 1, fmt, again); /* fits: it was measured */
		s->len += (size_t)n;
		n = 0;
	}
	va_end(again);
	return n;
}

/*
 * Bytes of the printable UTF-8 sequence at p, 0 if there is none: not ASCII, not a C1 control (terminals
 * act on them), no surrogate, nothing over-long, nothing beyond U+10FFFF.
 */
static size_t utf8_sequence(const unsigned char *p)
{
	unsigned char lo = 0x80, hi = 0xbf;
	size_t n;

	if (p[0] >= 0xc2 && p[0] <= 0xdf)
		n = 2;
	else if (p[0] >= 0xe0 && p[0] <= 0xef)
		n = 3;
	else if (p[0] >= 0xf0 && p[0] <= 0xf4)
		n = 4;
	else
		return 0;
	if (p[0] == 0xc2 || p[0] == 0xe0)
		lo = 0xa0;
	else if (p[0] == 0xed)
		hi = 0x9f;
	else if (p[0] == 0xf0)
		lo = 0x90;
	else if (p[0] == 0xf4)
		hi = 0x8f;
	if (p[1] < lo || p[1] > hi)
		return 0;
	for (size_t i = 2; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

/* One byte that cannot stand as it is. */
static void add_escape(struct str *s, unsigned char c)
{
	if (c == '\n')
		(void)str_add(s, "\\n");
	else if (c == '\t')
		(void)str_add(s, "\\t");
	else if (c == '\r')
		(void)str_add(s, "\\r");
	else
		(void)str_addf(s, "\\x%02x", c);
}

int str_add_escaped(struct str *s, const char *text)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t before = s->len;

	if (!*p)
		return str_add_mem(s, "", 0);
	while (*p && !s->overflow) {
		size_t n = 0;

		while (p[n]) {
			size_t len = p[n] >= 0x20 && p[n] < 0x7f ? 1 : utf8_sequence(p + n);

			if (!len)
				break;
			n += len;
		}
		(void)str_add_mem(s, p, n); /* the overflow mark is looked at below */
		p += n;
		if (*p)
			add_escape(s, *p++);
	}
	if (!s->overflow)
		return 0;
	str_truncate(s, before);
	return -1;
}

void str_truncate(struct str *s, size_t n)
{
	if (n >= s->len)
		return;
	s->len = n;
	s->data[n] = '\0';
}

static bool is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

void str_trim(struct str *s)
{
	size_t start = 0;

	while (s->len && is_blank(s->data[s->len - 1]))
		s->len--;
	while (start < s->len && is_blank(s->data[start]))
		start++;
	if (!s->data)
		return;
	s->len -= start;
	memmove(s->data, s->data + start, s->len);
	s->data[s->len] = '\0';
}

const char *str_text(const struct str *s)
{
	return s->data ? s->data : "";
}

char *str_steal(struct str *s)
{
	char *data = s->data ? s->data : xstrdup("");

	s->data = NULL;
	s->len = 0;
	s->cap = 0;
	return data;
}

void str_free(struct str *s)
{
	free(s->data);
	*s = (struct str){ .max = s->max };
}
