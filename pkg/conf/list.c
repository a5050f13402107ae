/* SPDX-License-Identifier: Apache-2.0 */
/* The two notations of lists in settings. */
#include "pkg/conf/list.h"

#include "pkg/base/str.h"
#include "pkg/base/strv.h"

enum { DEPTH_MAX = 4 };

#define BLANKS " \t\r\n"

static char closing(char open)
{
	return open == '[' ? ']' : ')';
}

/* A quoted text; *s stands behind the opening quote and ends behind the closing one. */
static int parse_quoted(const char **s, char quote, struct strv *ret)
{
	auto_str item = STR_INIT;

	for (; **s && **s != quote; (*s)++) {
		if (**s == '\\' && (*s)[1])
			(*s)++;
		(void)str_add_char(&item, **s); /* no longer than the file it comes from */
	}
	if (!**s)
		return -1;
	(*s)++;
	strv_add(ret, str_text(&item));
	return 0;
}

static int parse_items(const char **s, char end, int depth, struct strv *ret);

static int parse_item(const char **s, int depth, struct strv *ret)
{
	char c = **s;

	if (c == '\'' || c == '"') {
		(*s)++;
		return parse_quoted(s, c, ret);
	}
	if (c == '[' || c == '(') {
		auto_strv inner = STRV_INIT;

		(*s)++;
		if (depth >= DEPTH_MAX || parse_items(s, closing(c), depth + 1, &inner) < 0)
			return -1;
		strv_add_owned(ret, strv_join(&inner, " "));
		return 0;
	}
	{
		size_t len = strcspn(*s, BLANKS ",])");
		auto_str item = STR_INIT;

		if (!len)
			return -1;
		(void)str_add_mem(&item, *s, len);
		strv_add(ret, str_text(&item));
		*s += len;
		return 0;
	}
}

/* Items separated by commas up to `end` (0: the end of the text); *s ends behind it. */
static int parse_items(const char **s, char end, int depth, struct strv *ret)
{
	for (;;) {
		*s += strspn(*s, BLANKS);
		if (**s == end) {
			*s += end != '\0';
			return 0;
		}
		if (!**s || parse_item(s, depth, ret) < 0)
			return -1;
		*s += strspn(*s, BLANKS);
		if (**s == ',')
			(*s)++;
		else if (**s != end)
			return -1;
	}
}

int conf_list_parse(const char *text, struct strv *ret)
{
	text += strspn(text, BLANKS);
	if (*text == '[' || *text == '(') {
		char end = closing(*text++);

		if (parse_items(&text, end, 1, ret) < 0)
			return -1;
		return text[strspn(text, BLANKS)] ? -1 : 0;
	}
	if (*text == '\'' || *text == '"')
		return parse_items(&text, '\0', 1, ret);
	strv_split(ret, text, BLANKS);
	return 0;
}
