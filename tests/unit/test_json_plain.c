/* SPDX-License-Identifier: Apache-2.0 */
/* json_plain: what it takes json_parse() takes too, and sees the same in it; what it leaves to that one. */
#include "pkg/base/json_plain.h"

#include "pkg/base/mem.h"
#include "pkg/base/str.h"
#include "tests/unit/tap.h"

static bool is_same(const struct json *value, const struct json_plain_member *m)
{
	autofree char *text = xstrndup(m->text, m->len);
	autofree char *whole = m->type == JSON_STRING ? xstrdup(json_str(value)) : json_text(value, 0);

	return json_type(value) == m->type && str_eq(text, whole);
}

/* The number of its members, or -1; each is held against the tree. */
static int read_all(const char *text, size_t n)
{
	struct json_plain p = JSON_PLAIN_INIT(text, n);
	struct json_plain_member m;
	auto_json *j = NULL;
	bool is_json = json_parse(text, n, "doc", NULL, &j, NULL) == 0;
	int members = 0, more;

	while ((more = json_plain_next(&p, &m)) > 0) {
		autofree char *key = xstrndup(m.key, m.key_len);

		members++;
		if (is_json)
			ok(json_plain_is(&m, key) && is_same(json_get(j, key), &m), "%s of %s", key, text);
	}
	if (more == 0)
		ok(is_json && json_is(j, JSON_OBJECT), "JSON: %s", text);
	return more < 0 ? -1 : members;
}

static void plain(const char *text, int members)
{
	autofree char *copy = xmemdup(text, strlen(text));

	ok(read_all(copy, strlen(copy)) == members, "%d members: %s", members, text);
	/* Cut anywhere it is none; read beyond its end would be found by the sanitizers. */
	for (size_t n = 0; n < strlen(text); n++) {
		autofree char *part = xcalloc(n + 1, 1);

		memcpy(part, text, n);
		if (read_all(part, n) != -1)
			ok(false, "cut after %zu: %s", n, text);
	}
}

static void left(const char *text)
{
	ok(read_all(text, strlen(text)) == -1, "left: %s", text);
}

int main(void)
{
	struct json_plain_member m = { .key = "pids", .key_len = 3 };

	plain("{}", 0);
	plain("{\"a\":\"b c/:,{}[]\",\"n\":0,\"m\":9007199254740993,\"t\":true,\"f\":false}", 5);
	plain("{\"l\":[],\"m\":[\"x\",\"\"],\"o\":{},\"p\":{\"a\":\"1\",\"b\":\"\"},\"\":\"\"}", 5);
	ok(json_plain_is(&m, "pid") && !json_plain_is(&m, "pids") && !json_plain_is(&m, "pi"), "names");

	left("");
	left("[]");
	left("{} ");
	left(" {}");
	left("{\"a\": 1}");
	left("{\"a\":1,}");
	left("{,\"a\":1}");
	left("{\"a\"}");
	left("{\"a\":}");
	left("{\"a\":\"\\n\"}");
	left("{\"a\":\"\t\"}");
	left("{\"a\":\"\x7f\"}");
	left("{\"\xc3\xa4\":1}");
	left("{\"a\":-1}");
	left("{\"a\":1.5}");
	left("{\"a\":1e5}");
	left("{\"a\":01}");
	left("{\"a\":null}");
	left("{\"a\":tru}");
	left("{\"a\":truex}");
	left("{\"a\":[1]}");
	left("{\"a\":[\"x\",]}");
	left("{\"a\":[\"x\"}");
	left("{\"a\":{\"x\"}}");
	left("{\"a\":{\"x\":1}}");
	left("{\"a\":[[]]}");
	return tap_done();
}
