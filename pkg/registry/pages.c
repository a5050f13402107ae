/* SPDX-License-Identifier: Apache-2.0 */
/* Pages of lists, read. */
#include "pkg/registry/pages.h"

#include "pkg/base/err.h"
#include "pkg/base/json.h"
#include "pkg/base/mem.h"
#include "pkg/base/str.h"
#include "pkg/base/strv.h"

static const struct json_limits limits = { .bytes = PAGES_REPLY_MAX, .depth = 8, .nodes = 400000 };

/* ---- names ---- */

int pages_names(const char *text, size_t n, const char *key, struct strv *ret, struct err **err)
{
	auto_json *j = NULL;
	const struct json *names;

	if (json_parse(text, n, "reply", &limits, &j, err) < 0)
		return -1;
	names = json_get(j, key);
	if (!json_is(j, JSON_OBJECT) || (names && !json_is(names, JSON_ARRAY) && !json_is(names, JSON_NULL)))
		return err_make(err, ERR_CORRUPT, "the reply has a wrong form");
	for (size_t i = 0; i < json_len(names); i++) {
		const char *name = json_str(json_at(names, i));

		if (name)
			strv_add(ret, name);
	}
	return 0;
}

/* ---- searches ---- */

void search_page_free(struct search_page *p)
{
	for (size_t i = 0; i < p->n; i++) {
		free(p->v[i].name);
		free(p->v[i].description);
	}
	free(p->v);
	*p = SEARCH_PAGE_INIT;
}

struct search_row *search_page_add(struct search_page *p)
{
	if (p->n == p->cap) {
		p->cap = p->cap ? 2 * p->cap : 32;
		p->v = xreallocarray(p->v, p->cap, sizeof(*p->v));
	}
	p->v[p->n] = (struct search_row){ .stars = -1 };
	return &p->v[p->n++];
}

/* The first line that says something, without what a terminal could obey, cut at a character. Never NULL. */
static char *clean(const char *text, size_t max)
{
	auto_str out = STR_INIT;
	size_t end = 0, len;

	if (text)
		text += strspn(text, " \t\r\n");
	(void)str_add_clean_line(&out, text ? text : ""); /* as much as fits; it is cut below anyway */
	str_trim(&out);
	while (end < out.len && (len = str_utf8_len(str_text(&out) + end)) && end + len <= max)
		end += len;
	str_truncate(&out, end);
	return str_steal(&out);
}

static const char *either(const struct json *j, const char *key, const char *other)
{
	const char *text = json_str(json_get(j, key));

	return text ? text : json_str(json_get(j, other));
}

static int64_t number(const struct json *j)
{
	int64_t n;

	return json_to_i64(j, &n) == 0 && n >= 0 ? n : -1;
}

static void take_row(struct search_page *p, const struct json *j)
{
	char *name = clean(either(j, "repo_name", "name"), SEARCH_NAME_MAX);
	struct search_row *row;

	if (!*name) {
		free(name);
		return;
	}
	row = search_page_add(p);
	row->name = name;
	row->description = clean(either(j, "short_description", "description"), SEARCH_DESCRIPTION_MAX);
	row->stars = number(json_get(j, "star_count"));
	row->official = json_true(json_get(j, "is_official"));
}

int pages_search(const char *text, size_t n, struct search_page *ret, struct err **err)
{
	auto_json *j = NULL;
	const struct json *results, *next;

	if (json_parse(text, n, "reply", &limits, &j, err) < 0)
		return -1;
	results = json_get(j, "results");
	if (!results || !(json_is(results, JSON_ARRAY) || json_is(results, JSON_NULL)))
		return err_make(err, ERR_CORRUPT, "the reply is no list of results");
	ret->listed = json_len(results);
	for (size_t i = 0; i < ret->listed; i++)
		take_row(ret, json_at(results, i));
	next = json_get(j, "next");
	if (next)
		ret->next = json_str(next) && *json_str(next);
	ret->count = number(json_get(j, "count"));
	ret->pages = number(json_get(j, "num_pages"));
	return 0;
}
