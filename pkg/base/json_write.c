/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing a JSON tree. yajl's generator has no \uXXXX and breaks an empty object over three lines when it indents,
 * where 1.3.x and every other writer have "{}". The target's ceiling is the caller's affair: he asks for overflow.
 */
#include "pkg/base/json_tree.h"

#include "pkg/base/mem.h"
#include "pkg/base/str.h"

struct writer {
	unsigned flags;
	struct str *out;
};

static void write_new_line(const struct writer *w, size_t depth)
{
	if (!(w->flags & JSON_PRETTY))
		return;
	(void)str_add_char(w->out, '\n');
	(void)str_add_repeat(w->out, ' ', depth * (w->flags & JSON_INDENT4 ? 4 : 2));
}

/* The code point of a valid sequence of n bytes. */
static uint32_t decode(const char *s, size_t n)
{
	const unsigned char *u = (const unsigned char *)s;
	uint32_t c = u[0];

	if (n > 1)
		c &= 0x7fU >> n;
	for (size_t i = 1; i < n; i++)
		c = c << 6 | (u[i] & 0x3f);
	return c;
}

static void write_escape(const struct writer *w, uint32_t c)
{
	static const char letters[] = "\"\"\\\\\bb\ff\nn\rr\tt";

	for (size_t i = 0; i < sizeof(letters) - 1; i += 2) {
		if (c == (unsigned char)letters[i]) {
			(void)str_addf(w->out, "\\%c", letters[i + 1]);
			return;
		}
	}
	if (c < 0x10000)
		(void)str_addf(w->out, "\\u%04x", c);
	else
		(void)str_addf(
			w->out, "\\u%04x\\u%04x", 0xd800 + ((c - 0x10000) >> 10), 0xdc00 + (c & 0x3ff));
}

/* Those above ASCII too: a document that is shown may hold text from outside, and U+009B begins a terminal's command. */
static bool is_control(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0);
}

/* Nearly all of nearly every string. */
static bool is_plain(char c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

static void write_string(const struct writer *w, const char *s)
{
	const char *done = s;
	size_t len;

	(void)str_add_char(w->out, '"');
	for (; *s; s += len) {
		uint32_t c;

		len = 1;
		if (is_plain(*s))
			continue;
		len = str_utf8_len(s);
		c = decode(s, len);
		if (!is_control(c) && *s != '"' && *s != '\\' && (len == 1 || !(w->flags & JSON_ASCII)))
			continue;
		(void)str_add_mem(w->out, done, (size_t)(s - done));
		write_escape(w, c);
		done = s + len;
	}
	(void)str_add(w->out, done);
	(void)str_add_char(w->out, '"');
}

static int compare_keys(const void *a, const void *b)
{
	return strcmp(((const struct json_member *)a)->key, ((const struct json_member *)b)->key);
}

static void write_value(const struct writer *w, const struct json *j, size_t depth);

static void write_container(const struct writer *w, const struct json *j, size_t depth)
{
	bool object = j->type == JSON_OBJECT, spaced = w->flags & JSON_SPACED,
	     pretty = w->flags & JSON_PRETTY;
	autofree struct json_member *sorted = NULL;
	const struct json_member *m = j->m;

	if (object && j->n > 1 && w->flags & JSON_SORT) {
		m = sorted = xmemdup(j->m, j->n * sizeof(*j->m));
		qsort(sorted, j->n, sizeof(*sorted), compare_keys);
	}
	(void)str_add_char(w->out, object ? '{' : '[');
	for (size_t i = 0; i < j->n; i++) {
		if (i)
			(void)str_add(w->out, spaced && !pretty ? ", " : ",");
		write_new_line(w, depth + 1);
		if (object) {
			write_string(w, m[i].key);
			(void)str_add(w->out, spaced || pretty ? ": " : ":");
		}
		write_value(w, m[i].value, depth + 1);
	}
	if (j->n)
		write_new_line(w, depth);
	(void)str_add_char(w->out, object ? '}' : ']');
}

static void write_value(const struct writer *w, const struct json *j, size_t depth)
{
	switch (json_type(j)) {
	case JSON_NULL:
		(void)str_add(w->out, "null");
		break;
	case JSON_BOOL:
		(void)str_add(w->out, j->truth ? "true" : "false");
		break;
	case JSON_NUMBER:
		(void)str_add(w->out, j->text);
		break;
	case JSON_STRING:
		write_string(w, j->text);
		break;
	case JSON_ARRAY:
	case JSON_OBJECT:
		write_container(w, j, depth);
		break;
	}
}

void json_write(const struct json *j, unsigned flags, struct str *ret)
{
	struct writer w = { flags, ret };

	write_value(&w, j, 0);
	if (flags & JSON_PRETTY)
		(void)str_add_char(ret, '\n');
}

char *json_text(const struct json *j, unsigned flags)
{
	/* Bounded by the limits of the trees it is made of, not by a second ceiling. */
	struct str out = STR_INIT_MAX(SIZE_MAX / 4);

	json_write(j, flags, &out);
	return str_steal(&out);
}
