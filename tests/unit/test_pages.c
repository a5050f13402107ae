/* SPDX-License-Identifier: Apache-2.0 */
/* pages: lists and searches from strangers become rows of clean text. */
#include "pkg/registry/pages.h"

#include "pkg/base/err.h"
#include "pkg/base/mem.h"
#include "pkg/base/str.h"
#include "pkg/base/strv.h"
#include "tests/unit/tap.h"

static void names(const char *text, size_t want, const char *first)
{
	auto_strv v = STRV_INIT;
	auto_err *e = NULL;
	int r = pages_names(text, strlen(text), "tags", &v, &e);

	if (want == SIZE_MAX) {
		ok(r < 0 && err_is(e, ERR_CORRUPT), "refused: %s", text);
		return;
	}
	ok(r == 0 && v.n == want, "%zu names: %s", want, text);
	if (want)
		is_str(v.v[0], first, "the first one");
}

static void test_names(void)
{
	names("{\"tags\":[\"a\",\"b\"]}", 2, "a");
	names("{\"tags\":[7,null,\"b\",{}]}", 1, "b");
	names("{\"tags\":null}", 0, NULL);
	names("{}", 0, NULL);
	names("[]", SIZE_MAX, NULL);
	names("{\"tags\":{}}", SIZE_MAX, NULL);
	names("<html>", SIZE_MAX, NULL);
	names("", SIZE_MAX, NULL);
}

static int search(const char *text, struct search_page *p)
{
	auto_err *e = NULL;
	int r = pages_search(text, strlen(text), p, &e);

	return r < 0 && !err_is(e, ERR_CORRUPT) ? -2 : r;
}

static void test_search(void)
{
	auto_search_page p = SEARCH_PAGE_INIT, old = SEARCH_PAGE_INIT, odd = SEARCH_PAGE_INIT,
			 bad = SEARCH_PAGE_INIT;

	is_int(search("{\"count\":3,\"next\":\"http://x/"
		      "\",\"results\":[{\"repo_name\":\"a\",\"short_description\":\"d\","
		      "\"star_count\":5,\"is_official\":true}]}",
		       &p),
		0, "version 2");
	ok(p.n == 1 && p.listed == 1 && p.count == 3 && p.pages == -1 && p.next == 1, "its counts");
	is_str(p.v[0].name, "a", "name");
	is_str(p.v[0].description, "d", "description");
	ok(p.v[0].stars == 5 && p.v[0].official, "stars, official");
	is_int(search("{\"num_pages\":4,\"results\":[{\"name\":\"b\",\"description\":\"e\"}]}", &old), 0,
		"version 1");
	ok(old.n == 1 && old.pages == 4 && old.count == -1 && old.next == -1, "its counts");
	ok(str_eq(old.v[0].name, "b") && old.v[0].stars == -1 && !old.v[0].official,
		"a row that says little");
	is_int(search("{\"next\":null,\"count\":-5,\"results\":[7,{},{\"name\":\"\\u0007\"},{\"name\":\" "
		      "\\u001bx\\u009by\\u202e \","
		      "\"description\":\"\\n \\r\\n one\\ttwo\\nthree\",\"star_count\":1e9}]}",
		       &odd),
		0, "odd rows");
	ok(odd.n == 1 && odd.listed == 4 && odd.next == 0 && odd.count == -1, "one of four has a name");
	is_str(odd.v[0].name, "xy", "without control characters");
	is_str(odd.v[0].description, "onetwo", "the first line that says something");
	is_int(odd.v[0].stars, -1, "no whole number");
	is_int(search("{\"results\":{}}", &bad), -1, "no array");
	is_int(search("{}", &bad), -1, "no results");
	is_int(search("[]", &bad), -1, "no object");
	is_int(search("{\"results\":null}", &bad), 0, "null is none");
}

/* Long texts are cut between characters. */
static void test_cut(void)
{
	auto_str text = STR_INIT;
	auto_search_page p = SEARCH_PAGE_INIT;

	(void)str_add(&text, "{\"results\":[{\"name\":\"n");
	for (int i = 0; i < 300; i++)
		(void)str_add(&text, "\xc3\xa9");
	(void)str_add(&text, "\"}]}");
	is_int(search(str_text(&text), &p), 0, "a long name");
	is_int((long long)strlen(p.v[0].name), SEARCH_NAME_MAX, "cut");
	ok(str_is_utf8(p.v[0].name), "between characters");
}

int main(void)
{
	test_names();
	test_search();
	test_cut();
	return tap_done();
}
