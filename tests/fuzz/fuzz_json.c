/* SPDX-License-Identifier: Apache-2.0 */
/* json: whatever is read can be written in every form, read again, and is then the same. */
#include "pkg/base/err.h"
#include "pkg/base/json.h"
#include "pkg/base/mem.h"

/* Wide enough for what the indented and the \uXXXX form of an accepted document take. */
static const struct json_limits wide = { .bytes = (size_t)1 << 30, .depth = 64, .nodes = 200000 };

static void must(bool cond)
{
	if (!cond)
		abort();
}

/* Every member is found under its key, every element under its number. */
static void check_lookup(const struct json *j)
{
	for (size_t i = 0; i < json_len(j); i++) {
		if (json_is(j, JSON_OBJECT)) {
			must(json_get(j, json_key_at(j, i)) == json_value_at(j, i));
			check_lookup(json_value_at(j, i));
		} else {
			check_lookup(json_at(j, i));
		}
	}
}

static void check_form(const struct json *j, unsigned flags, const char *want)
{
	autofree char *text = json_text(j, flags), *again = NULL;
	auto_json *back = NULL;

	must(json_parse(text, strlen(text), "written", &wide, &back, NULL) == 0);
	again = json_text(back, flags & JSON_SORT);
	must(str_eq(again, want));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_json *j = NULL, *copy = NULL;
	autofree char *plain = NULL, *sorted = NULL;
	auto_err *err = NULL;

	if (json_parse((const char *)data, size, "input", NULL, &j, &err) < 0) {
		must(!j && err_is(err, ERR_CORRUPT) && !strchr(err_text(err), '\n'));
		return 0;
	}
	must(j && !err);
	check_lookup(j);
	copy = json_clone(j);
	check_lookup(copy);
	plain = json_text(copy, 0);
	sorted = json_text(copy, JSON_SORT);
	check_form(j, 0, plain);
	check_form(j, JSON_ASCII, plain);
	check_form(j, JSON_SPACED, plain);
	check_form(j, JSON_PRETTY, plain);
	check_form(j, JSON_PRETTY | JSON_INDENT4 | JSON_SORT | JSON_ASCII, sorted);
	return 0;
}
