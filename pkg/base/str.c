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

/* The length that the first byte announces, 0 if none; *lo and *hi bound the second byte (RFC 3629, section 4). */
static size_t utf8_lead(unsigned char c, unsigned char *lo, unsigned char *hi)
{
	*lo = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
	*hi = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
	if (c < 0x80)
		return c != 0;
	if (c >= 0xc2 && c <= 0xdf)
		return 2;
	if (c >= 0xe0 && c <= 0xef)
		return 3;
	return c >= 0xf0 && c <= 0xf4 ? 4 : 0;
}

size_t str_utf8_len(const char *p)
{
	const unsigned char *u = (const unsigned char *)p;
	unsigned char lo, hi;
	size_t n = utf8_lead(u[0], &lo, &hi);

	if (n < 2)
		return n;
	if (u[1] < lo || u[1] > hi)
		return 0;
	for (size_t i = 2; i < n; i++)
		if ((u[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

bool str_is_utf8(const char *text)
{
	size_t n = 1;

	while (n > 0) {
		while (*text > 0 && *text < 0x7f) /* nearly all of nearly every text */
			text++;
		n = str_utf8_len(text);
		text += n;
	}
	return *text == '\0';
}

/* The length of the character at p if a terminal can be shown it: no control, C1 (U+0080 to U+009F) included. */
static size_t printable_len(const char *p)
{
	const unsigned char *u = (const unsigned char *)p;

	if (u[0] < 0x20 || u[0] == 0x7f || (u[0] == 0xc2 && u[1] < 0xa0))
		return 0;
	return str_utf8_len(p);
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
	const char *p = text;
	size_t before = s->len;

	while (*p && !s->overflow) {
		size_t n = 0, len;

		do {
			while (p[n] >= ' ' && p[n] < 0x7f)
				n++;
			len = printable_len(p + n);
			n += len;
		} while (len);
		(void)str_add_mem(s, p, n); /* the overflow mark is looked at below */
		p += n;
		if (*p)
			add_escape(s, (unsigned char)*p++);
	}
	if (!s->overflow)
		return 0;
	str_truncate(s, before);
	return -1;
}

/* U+061C, U+200E, U+200F, U+202A to U+202E, U+2066 to U+2069; also U+2028 and U+2029, which are line breaks. */
static bool turns_direction(const char *p)
{
	const unsigned char *u = (const unsigned char *)p;

	if (u[0] == 0xd8)
		return u[1] == 0x9c;
	if (u[0] != 0xe2)
		return false;
	if (u[1] == 0x80)
		return u[2] == 0x8e || u[2] == 0x8f || (u[2] >= 0xa8 && u[2] <= 0xae);
	return u[1] == 0x81 && u[2] >= 0xa6 && u[2] <= 0xa9;
}

int str_add_clean_line(struct str *s, const char *text)
{
	while (*text && *text != '\n' && *text != '\r') {
		size_t n = printable_len(text);

		if (n && !turns_direction(text) && str_add_mem(s, text, n) < 0)
			return -1;
		text += n ? n : 1;
	}
	return 0;
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
