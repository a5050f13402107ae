/* SPDX-License-Identifier: Apache-2.0 */
/* Plain JSON, member by member. */
#include "pkg/base/json_plain.h"

static bool take(struct json_plain *p, char c)
{
	if (p->at == p->end || *p->at != c)
		return false;
	p->at++;
	return true;
}

static bool take_word(struct json_plain *p, const char *word)
{
	size_t n = strlen(word);

	if ((size_t)(p->end - p->at) < n || memcmp(p->at, word, n) != 0)
		return false;
	p->at += n;
	return true;
}

/* ASCII that stands for itself: what is before the closing quote. */
static bool take_string(struct json_plain *p, const char **ret, size_t *ret_len)
{
	const char *from = p->at + 1;

	if (!take(p, '"'))
		return false;
	while (p->at < p->end && *p->at >= ' ' && *p->at < 0x7f && *p->at != '"' && *p->at != '\\')
		p->at++;
	*ret = from;
	*ret_len = (size_t)(p->at - from);
	return take(p, '"');
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool take_number(struct json_plain *p)
{
	const char *from = p->at;

	while (p->at < p->end && is_digit(*p->at))
		p->at++;
	/* No fraction, no exponent. */
	if (p->at == from || p->at == p->end || (*p->at != ',' && *p->at != '}'))
		return false;
	return p->at - from == 1 || *from != '0';
}

/* An array of strings, or an object of them. */
static bool take_strings(struct json_plain *p, char open, char close)
{
	const char *text;
	size_t n;

	if (!take(p, open))
		return false;
	if (take(p, close))
		return true;
	do {
		if (!take_string(p, &text, &n) ||
			(open == '{' && (!take(p, ':') || !take_string(p, &text, &n))))
			return false;
	} while (take(p, ','));
	return take(p, close);
}

static bool take_value(struct json_plain *p, struct json_plain_member *m)
{
	bool good;

	if (p->at == p->end)
		return false;
	m->text = p->at;
	switch (*p->at) {
	case '"':
		m->type = JSON_STRING;
		return take_string(p, &m->text, &m->len);
	case '{':
		m->type = JSON_OBJECT;
		good = take_strings(p, '{', '}');
		break;
	case '[':
		m->type = JSON_ARRAY;
		good = take_strings(p, '[', ']');
		break;
	case 't':
	case 'f':
		m->type = JSON_BOOL;
		good = take_word(p, *p->at == 't' ? "true" : "false");
		break;
	default:
		m->type = JSON_NUMBER;
		good = take_number(p);
	}
	m->len = (size_t)(p->at - m->text);
	return good;
}

int json_plain_next(struct json_plain *p, struct json_plain_member *ret)
{
	if (!p->begun) {
		if (!take(p, '{'))
			return -1;
		if (take(p, '}'))
			return p->at == p->end ? 0 : -1;
		p->begun = true;
	} else if (take(p, '}')) {
		return p->at == p->end ? 0 : -1;
	} else if (!take(p, ',')) {
		return -1;
	}
	if (!take_string(p, &ret->key, &ret->key_len) || !take(p, ':') || !take_value(p, ret))
		return -1;
	return 1;
}
