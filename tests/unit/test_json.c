/* SPDX-License-Identifier: Apache-2.0 */
/* json: limits, what survives a read and write, the accessors, the written forms. */
#include "pkg/base/json.h"

#include "pkg/base/err.h"
#include "pkg/base/mem.h"
#include "pkg/base/str.h"
#include "pkg/base/strv.h"
#include "pkg/base/time.h"
#include "tests/unit/tap.h"

static struct json *parse(const char *text)
{
	struct json *j = NULL;

	return json_parse(text, strlen(text), "doc", NULL, &j, NULL) == 0 ? j : NULL;
}

/* The text must be refused as corrupt, in one line that starts with the source's name and holds `part`. */
static void refused_n(const char *text, size_t n, const struct json_limits *limits, const char *part)
{
	auto_err *err = NULL;
	struct json *j = NULL;
	int r = json_parse(text, n, "doc", limits, &j, &err);

	ok(r == -1 && !j && err_is(err, ERR_CORRUPT), "refused as corrupt");
	ok(err && str_starts(err_text(err), "doc: ") && strstr(err_text(err), part), "  with %s", part);
	if (err && !strstr(err_text(err), part))
		printf("#  got: %s\n", err_text(err));
	json_free(j);
}

static void refused(const char *text, const char *part)
{
	refused_n(text, strlen(text), NULL, part);
}

static void test_refused(void)
{
	refused("", "at byte 0");
	refused("{\"a\":", "at byte 5");
	refused("{} x", "trailing garbage");
	refused("{}{}", "trailing garbage");
	refused("[1,]", "not valid JSON");
	refused("[01]", "not valid JSON");
	refused("[1.]", "not valid JSON");
	refused("[+1]", "not valid JSON");
	refused("[NaN]", "not valid JSON");
	refused("{a:1}", "not valid JSON");
	refused("{'a':1}", "not valid JSON");
	refused("[1] // comment", "not valid JSON");
	refused("[/* comment */1]", "not valid JSON");
	refused("\xef\xbb\xbf[]", "not valid JSON");
	refused("[\"a\nb\"]", "not valid JSON");
	refused("[\"\xff\"]", "UTF8");
	refused("[\"a\\u0000b\"]", "NUL");
	refused("{\"a\\u0000b\":1}", "NUL");
	refused_n("[1]\0", 4, NULL, "not valid JSON");
	refused_n("[\"\0\"]", 5, NULL, "not valid JSON");
}

static void test_limits(void)
{
	static const struct json_limits three = { .bytes = 12, .depth = 3, .nodes = 5 };
	auto_str deep = STR_INIT;
	struct json *j = NULL;

	refused_n("[1,2,3,4,5,6]", 13, &three, "larger than 12 bytes");
	refused_n("[[[[]]]]", 8, &three, "nested deeper than 3 levels");
	refused_n("[1,2,3,4,5]", 11, &three, "more than 5 values");
	is_int(json_parse("[1,2,3,4]", 9, "doc", &three, &j, NULL), 0, "exactly at the limit of values");
	json_free(j);
	j = NULL;
	is_int(json_parse("[[[]]]", 6, "doc", &three, &j, NULL), 0, "exactly at the limit of depth");
	json_free(j);
	(void)str_add_repeat(&deep, '[', 1000000);
	refused_n(str_text(&deep), deep.len, NULL, "nested deeper than 64 levels");
}

static void round_trip(const char *text, unsigned flags, const char *want)
{
	auto_json *j = parse(text);
	autofree char *got = j ? json_text(j, flags) : NULL;

	is_str(got, want, "read and written");
}

static void test_written(void)
{
	const char *doc = "{\"b\":[1,{}],\"a\":{\"x\":null},\"e\":[]}";

	round_trip(doc, 0, doc);
	round_trip(doc, JSON_SPACED, "{\"b\": [1, {}], \"a\": {\"x\": null}, \"e\": []}");
	round_trip(doc, JSON_SORT, "{\"a\":{\"x\":null},\"b\":[1,{}],\"e\":[]}");
	round_trip(doc, JSON_PRETTY,
		"{\n  \"b\": [\n    1,\n    {}\n  ],\n  \"a\": {\n    \"x\": null\n  },\n  \"e\": []\n}\n");
	round_trip("[[true]]", JSON_PRETTY | JSON_INDENT4, "[\n    [\n        true\n    ]\n]\n");
	round_trip("{\"Z\":1,\"a\":2,\"\\u00e9\":3,\"A\":4}", JSON_SORT,
		"{\"A\":4,\"Z\":1,\"a\":2,\"\xc3\xa9\":3}");
	round_trip("[1.50,1E+9,-0,123456789012345678901234567890]", 0,
		"[1.50,1E+9,-0,123456789012345678901234567890]");
	round_trip("\"\\u0001\\b\\f\\n\\r\\t\\\"\\\\\\/\\u007f\"", 0,
		"\"\\u0001\\b\\f\\n\\r\\t\\\"\\\\/\\u007f\"");
	round_trip("\"\\u0080\\u009b\\u009f\\u00a0\"", 0, "\"\\u0080\\u009b\\u009f\xc2\xa0\"");
	round_trip("\"\\u00e9\\u20ac\\ud83d\\ude00\"", 0, "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"");
	round_trip(
		"\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"", JSON_ASCII, "\"\\u00e9\\u20ac\\ud83d\\ude00\"");
	round_trip("{\"\xc3\xa9\":\"x\"}", JSON_ASCII, "{\"\\u00e9\":\"x\"}");
	round_trip("[\"\\udc80\"]", 0, "[\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"]");
	round_trip(" 1 ", 0, "1");
	round_trip("true", 0, "true");
}

static void test_duplicates(void)
{
	auto_str text = STR_INIT;
	auto_json *j = NULL;
	int64_t v = 0, start = time_monotonic_ns();

	round_trip("{\"a\":1,\"b\":2,\"a\":[3]}", 0, "{\"a\":[3],\"b\":2}");

	/* As many members as the limit allows, each key twice: linear search would take minutes. */
	(void)str_add(&text, "{\"x\":0");
	for (int i = 0; i < 199990; i++)
		(void)str_addf(&text, ",\"k%d\":%d", i % 99995, i);
	(void)str_add(&text, "}");
	is_int(json_parse(str_text(&text), text.len, "doc", NULL, &j, NULL), 0,
		"a hostile number of members");
	is_int(json_len(j), 99996, "  doubles are one");
	is_str(json_key_at(j, 1), "k0", "  at the place of the first");
	ok(json_to_i64(json_get(j, "k0"), &v) == 0 && v == 99995, "  with the value of the last");
	ok(!json_get(j, "k99995"), "  and no other");
	ok(time_monotonic_ns() - start < INT64_C(20000000000), "  in bounded time");
}

/* Every way into an object of several hundred members, index or not. */
static void test_large_object(void)
{
	auto_json *j = json_new_object();
	auto_json *copy = NULL;
	int wrong = 0;

	for (int i = 0; i < 500; i++) {
		autofree char *key = xasprintf("key-%d", i);

		json_set_i64(j, key, i);
		json_set_i64(j, key, i + 1);
	}
	is_int(json_len(j), 500, "500 members");
	json_remove(j, "key-250");
	json_remove(j, "key-0");
	json_remove(j, "no such key");
	json_set_str(j, "key-1", NULL);
	is_int(json_len(j), 497, "three removed");
	json_set_str(j, "key-0", "back");
	copy = json_clone(j);
	for (int i = 0; i < 500; i++) {
		autofree char *key = xasprintf("key-%d", i);
		int64_t v = -1;

		(void)json_to_i64(json_get(copy, key), &v);
		wrong += v != (i == 0 || i == 1 || i == 250 ? -1 : i + 1);
	}
	is_int(wrong, 0, "every member of the copy is right");
	is_str(json_str(json_get(copy, "key-0")), "back", "a removed key can come back");
	is_str(json_key_at(copy, 497), "key-0", "at the end");
}

static void test_looking(void)
{
	auto_json *j =
		parse("{\"a\":{\"b\":{\"c\":\"deep\"}},\"l\":[1,\"x\",true],\"big\":9223372036854775808,"
		      "\"min\":-9223372036854775808,\"f\":1.0}");
	int64_t v = 7;

	is_str(json_str(json_path(j, "a", "b", "c", NULL)), "deep", "json_path");
	ok(!json_path(j, "a", "x", "c", NULL), "json_path over a missing member");
	ok(!json_path(j, "l", "x", NULL), "json_path through an array");
	is_int(json_len(json_get(j, "l")), 3, "json_len of an array");
	is_str(json_str(json_at(json_get(j, "l"), 1)), "x", "json_at");
	ok(!json_at(json_get(j, "l"), 3) && !json_at(j, 0) && !json_value_at(json_get(j, "l"), 0),
		"json_at and json_value_at keep to their type");
	ok(json_true(json_at(json_get(j, "l"), 2)) && !json_true(json_at(json_get(j, "l"), 0)), "json_true");
	is_str(json_number_text(json_get(j, "f")), "1.0", "json_number_text");
	ok(json_to_i64(json_get(j, "big"), &v) == -1 && json_to_i64(json_get(j, "f"), &v) == -1 && v == 7,
		"numbers that are no int64 leave the result alone");
	ok(json_to_i64(json_get(j, "min"), &v) == 0 && v == INT64_MIN, "the smallest int64");
	ok(!json_get(NULL, "a") && !json_len(NULL) && !json_str(NULL) && json_type(NULL) == JSON_NULL &&
			!json_is(NULL, JSON_NULL) && !json_true(NULL) && !json_key_at(NULL, 0),
		"NULL is not there");
}

static void complains(int r, struct err **err, const char *text)
{
	ok(r == -1 && err_is(*err, ERR_CORRUPT), "wrong member is corrupt");
	is_str(*err ? err_text(*err) : NULL, text, "  and named");
	err_clear(err);
}

static void test_checked(void)
{
	auto_json *j =
		parse("{\"s\":\"t\",\"n\":5,\"b\":true,\"o\":{},\"l\":[\"a\",\"b\"],\"mixed\":[\"a\",1],"
		      "\"null\":null}");
	auto_strv list = STRV_INIT;
	const char *s = "before";
	struct json *sub = NULL;
	struct err *err = NULL;
	int64_t n = 3;
	bool b = false;

	is_int(json_get_str(j, "c", "missing", &s, &err), 0, "absent is 0");
	is_int(json_get_str(j, "c", "null", &s, &err), 0, "null is absent");
	is_str(s, "before", "and leaves the result");
	is_int(json_get_str(j, "c", "s", &s, &err), 1, "present is 1");
	is_str(s, "t", "json_get_str");
	ok(json_get_i64(j, "c", "n", 0, 5, &n, &err) == 1 && n == 5, "json_get_i64");
	ok(json_get_bool(j, "c", "b", &b, &err) == 1 && b, "json_get_bool");
	ok(json_get_object(j, "c", "o", &sub, &err) == 1 && json_is(sub, JSON_OBJECT), "json_get_object");
	ok(json_get_array(j, "c", "l", &sub, &err) == 1 && json_len(sub) == 2, "json_get_array");
	ok(json_get_strv(j, "c", "l", &list, &err) == 1 && list.n == 2 && strcmp(list.v[1], "b") == 0,
		"json_get_strv");
	strv_free(&list);
	complains(json_get_str(j, "c", "n", &s, &err), &err, "c.n: expected a string");
	complains(json_get_str(j, "", "n", &s, &err), &err, "n: expected a string");
	complains(json_get_i64(j, "c", "n", 6, 9, &n, &err), &err, "c.n: expected an integer from 6 to 9");
	complains(json_get_i64(j, "c", "s", 0, 9, &n, &err), &err, "c.s: expected an integer from 0 to 9");
	complains(json_get_bool(j, "c", "n", &b, &err), &err, "c.n: expected true or false");
	complains(json_get_object(j, "c", "l", &sub, &err), &err, "c.l: expected an object");
	complains(json_get_array(j, "c", "o", &sub, &err), &err, "c.o: expected an array");
	complains(json_get_strv(j, "c", "mixed", &list, &err), &err, "c.mixed[1]: expected a string");
	is_int(list.n, 0, "nothing half-filled");
}

static void test_building(void)
{
	auto_json *j = json_new_object();
	auto_strv list = STRV_INIT;
	autofree char *text = NULL;

	strv_add(&list, "a");
	strv_add(&list, "c");
	json_set_str(j, "s", "bad \xff\xc3 bytes");
	json_set(j, "l", json_new_strv(&list));
	strv_free(&list);
	json_insert(json_get(j, "l"), 1, json_new_str("b"));
	json_insert(json_get(j, "l"), 3, json_new_null());
	json_insert(json_get(j, "l"), 0, json_new_bool(false));
	json_remove_at(json_get(j, "l"), 1);
	json_set_i64(json_need_object(json_need_object(j, "p"), "q"), "n", INT64_MIN);
	json_append(json_need_array(j, "s2"), json_new_i64(1));
	json_append(json_need_array(j, "s2"), json_new_i64(2));
	json_set_bool(j, "p2", true);
	json_need_object(j, "p2");
	json_need_object(j, "p");
	text = json_text(j, 0);
	is_str(text,
		"{\"s\":\"bad \xef\xbf\xbd\xef\xbf\xbd bytes\",\"l\":[false,\"b\",\"c\",null],"
		"\"p\":{\"q\":{\"n\":-9223372036854775808}},\"s2\":[1,2],\"p2\":{}}",
		"a built tree");
	is_str(json_clone(NULL) ? "tree" : NULL, NULL, "a copy of nothing");
}

static void test_ceiling(void)
{
	auto_json *j = parse("[\"0123456789\"]");
	auto_str small = STR_INIT_MAX(5);

	json_write(j, 0, &small);
	ok(small.overflow, "a target that is too small says so");
}

static struct json *members(const char *text, struct err **err)
{
	static const char *const names[] = { "a", "b", NULL };
	struct json *j = NULL;

	return json_parse_members(text, strlen(text), "doc", NULL, names, &j, err) == 0 ? j : NULL;
}

static void keeps(const char *text, const char *want)
{
	auto_json *j = members(text, NULL);
	autofree char *got = j ? json_text(j, 0) : NULL;

	is_str(got, want, text);
}

static void members_refused(const char *text, const char *part)
{
	auto_err *err = NULL;

	ok(!members(text, &err) && err_is(err, ERR_CORRUPT) && strstr(err_text(err), part), "refused: %.40s",
		text);
}

static void test_members(void)
{
	auto_str deep = STR_INIT, many = STR_INIT;

	keeps("{\"x\":1,\"a\":{\"x\":[1]},\"y\":{\"a\":{\"b\":[]},\"z\":[{},[2]]},\"b\":null,\"w\":\"t\"}",
		"{\"a\":{\"x\":[1]},\"b\":null}");
	keeps("{\"x\":[],\"x\":{},\"x\":true,\"a\":1,\"x\":[{\"a\":3}],\"a\":2}", "{\"a\":2}");
	keeps("{}", "{}");
	keeps("[{\"x\":1}]", "[{\"x\":1}]");
	keeps("\"x\"", "\"x\"");
	members_refused("{\"x\":[1,],\"a\":1}", "not valid JSON");
	members_refused("{\"x\":{\"y\":\"a\\u0000b\"}}", "NUL");
	members_refused("{\"x\":{\"y\\u0000\":1}}", "NUL");
	members_refused("{\"x\":{\"a\":1}", "doc");
	str_add(&deep, "{\"x\":");
	for (int i = 0; i < 64; i++)
		str_add(&deep, "[");
	members_refused(str_text(&deep), "nested deeper than 64 levels");
	str_add(&many, "{\"x\":[0");
	for (int i = 0; i < 200000; i++)
		str_add(&many, ",0");
	str_add(&many, "]}");
	members_refused(str_text(&many), "more than 200000 values");
}

int main(void)
{
	test_refused();
	test_limits();
	test_members();
	test_written();
	test_duplicates();
	test_large_object();
	test_looking();
	test_checked();
	test_building();
	test_ceiling();
	return tap_done();
}
