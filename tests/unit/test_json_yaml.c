/* SPDX-License-Identifier: Apache-2.0 */
/* json_yaml: what is read, what is refused and within which limits; texts that others would choke on. */
#include <time.h>

#include "pkg/base/err.h"
#include "pkg/base/json.h"
#include "pkg/base/mem.h"
#include "pkg/base/str.h"
#include "tests/unit/tap.h"

static void read_as(const char *text, const char *want)
{
	auto_json *j = NULL;
	auto_err *err = NULL;
	autofree char *got = NULL;

	if (json_parse_yaml(text, strlen(text), "doc", NULL, &j, &err) < 0)
		printf("# %s\n", err_text(err));
	got = j ? json_text(j, 0) : NULL;
	is_str(got, want, "read");
}

static void refused_n(const char *text, size_t n, const struct json_limits *limits, const char *part)
{
	auto_json *j = NULL;
	auto_err *err = NULL;
	int r = json_parse_yaml(text, n, "doc", limits, &j, &err);

	ok(r == -1 && !j && err_is(err, ERR_CORRUPT), "refused as corrupt");
	ok(err && str_starts(err_text(err), "doc: ") && strstr(err_text(err), part) &&
			!strchr(err_text(err), '\n'),
		"  with %s", part);
	if (err && !strstr(err_text(err), part))
		printf("#  got: %s\n", err_text(err));
}

static void refused(const char *text, const char *part)
{
	refused_n(text, strlen(text), NULL, part);
}

static void test_read(void)
{
	read_as("---\na: b\nc:\n- 1\n- x: y\n  z:\n    deep: [1, {k: v}]\n- - in\n",
		"{\"a\":\"b\",\"c\":[1,{\"x\":\"y\",\"z\":{\"deep\":[1,{\"k\":\"v\"}]}},[\"in\"]]}");
	read_as("{\"json\": [1, -2.5e+3, true, null, \"x\\u00e9\"]}\n",
		"{\"json\":[1,-2.5e+3,true,null,\"x\xc3\xa9\"]}");
	read_as("", "null");
	read_as("# nothing\n---\n...\n", "null");
	read_as("a:\nb: ~\nc: ''\nd: \"\"\n", "{\"a\":null,\"b\":null,\"c\":\"\",\"d\":\"\"}");
	read_as("{t: True, f: FALSE, yes: off, q: 'true', n: !!str 1, m: ! 2}",
		"{\"t\":true,\"f\":false,\"yes\":\"off\",\"q\":\"true\",\"n\":\"1\",\"m\":\"2\"}");
	read_as("[0, -0, 01, 0x1f, 1., .5, 1e, +1, .inf, 1_0, 12:30, -]",
		"[0,-0,\"01\",\"0x1f\",\"1.\",\".5\",\"1e\",\"+1\",\".inf\",\"1_0\",\"12:30\",\"-\"]");
	read_as("1: one\ntrue: two\n", "{\"1\":\"one\",\"true\":\"two\"}");
	read_as("a: 1\nb: 2\na: 3\n", "{\"a\":3,\"b\":2}");
	read_as("text: |\n  one\n  two\nfold: >-\n  one\n  two\n",
		"{\"text\":\"one\\ntwo\\n\",\"fold\":\"one two\"}");
	read_as("env:\n- A=b c\n- 'P=a: b'   # behind\n- \"T=\\t\"\n",
		"{\"env\":[\"A=b c\",\"P=a: b\",\"T=\\t\"]}");
	read_as("\xef\xbb\xbf[a]", "[\"a\"]");
	read_as("&anchor [a]", "[\"a\"]");
}

static void test_refused(void)
{
	refused("a: &x [1]\nb: *x\n", "line 2: an alias");
	refused("a: *none\n", "an alias");
	refused("a: {<<: *b}\n", "an alias");
	refused("%YAML 1.1\n---\na: b\n", "begins with %");
	refused("---\na: b\n--- \nc: d\n", "line 3: more than one document");
	refused("? [a]\n: b\n", "a key that is no text");
	refused("a: !!binary aGk=\n", "a tag");
	refused("a: !!python/object/apply:os.system [x]\n", "a tag");
	refused("!x a\n", "a tag");
	refused("a: \"x\\0y\"\n", "a NUL character");
	refused("\"x\\0y\": a\n", "a NUL character");
	refused("a: [1\n", "not valid YAML");
	refused("a: b: c\n", "line 1: not valid YAML");
	refused("\ta: b\n", "not valid YAML");
	refused("a:\n  - b\n c\n", "not valid YAML");
	refused("a: 'b\n", "not valid YAML");
	refused("a: \xff\n", "not valid YAML");
	refused("a: \"\\ud800\"\n", "not valid YAML");
	refused_n("a: b\0\n", 6, NULL, "not valid YAML");
}

static void test_limits(void)
{
	static const struct json_limits three = { .bytes = 16, .depth = 3, .nodes = 5 };
	auto_json *j = NULL, *k = NULL;

	refused_n("[1, 2, 3, 4, 5, 6]", 18, &three, "larger than 16 bytes");
	refused_n("[[[[]]]]", 8, &three, "nested too deeply");
	refused_n("[1,2,3,4,5]", 11, &three, "too many values");
	is_int(json_parse_yaml("[1,2,3,4]", 9, "doc", &three, &j, NULL), 0, "exactly at the limit of values");
	is_int(json_parse_yaml("[[[]]]", 6, "doc", &three, &k, NULL), 0, "exactly at the limit of depth");
}

/* `head` and then `piece` as often as fits into the limit. What it is called by all others takes seconds or gigabytes. */
static void hostile(const char *head, const char *piece, const char *what)
{
	auto_str text = STR_INIT_MAX((size_t)1 << 20);
	auto_json *j = NULL;
	auto_err *err = NULL;
	clock_t start = clock();
	int r;

	(void)str_add(&text, head);
	while (str_add(&text, piece) == 0)
		;
	r = json_parse_yaml(str_text(&text), text.len, "doc", NULL, &j, &err);
	ok(r == 0 || err_is(err, ERR_CORRUPT), "%s: %s", what, r < 0 ? err_text(err) : "read");
	ok((clock() - start) / CLOCKS_PER_SEC < 20, "  and soon");
}

static void test_hostile(void)
{
	hostile("", "[", "depth in brackets");
	hostile("", "{a: ", "depth in braces");
	hostile("", "- ", "depth in dashes");
	hostile("", "? ", "depth in keys");
	hostile("", "[a,", "keys that may come");
	hostile("", "- a\n", "many values");
	hostile("{", "a, ", "many members");
	hostile("[", "a: b, ", "many pairs");
	hostile("\"", "a\n\n", "lines in quotes");
	hostile("a: |\n", "    \n", "empty lines");
	hostile("", "&a ", "anchors");
	hostile("", "!a ", "tags");
	hostile("", "# x\n", "comments");
	hostile("", "---\n", "documents");
	hostile("", "%TAG !a! b\n", "directives");
	hostile("a: &a [x, x]\n", "b: &b [*a, *a]\n", "aliases of aliases");
	hostile("", "\xef\xbb\xbf", "marks of byte order");
	hostile("", "\\", "backslashes");
}

int main(void)
{
	auto_err *err = NULL;
	auto_json *j = NULL;

	if (json_parse_yaml("", 0, "doc", NULL, &j, &err) < 0 && err_is(err, ERR_UNSUPPORTED)) {
		printf("1..0 # SKIP %s\n", err_text(err));
		return 0;
	}
	test_read();
	test_refused();
	test_limits();
	test_hostile();
	return tap_done();
}
