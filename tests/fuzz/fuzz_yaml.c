/* SPDX-License-Identifier: Apache-2.0 */
/* json_yaml: what is read of YAML is a tree like any other: it can be written as JSON, and read again it is the same. */
#include "pkg/base/err.h"
#include "pkg/base/json.h"
#include "pkg/base/mem.h"

static const struct json_limits wide = { .bytes = (size_t)1 << 30, .depth = 64, .nodes = 200000 };

static void must(bool cond)
{
	if (!cond)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_json *j = NULL, *as_json = NULL, *as_yaml = NULL;
	autofree char *text = NULL, *again = NULL, *third = NULL;
	auto_err *err = NULL;

	if (json_parse_yaml((const char *)data, size, "input", NULL, &j, &err) < 0) {
		must(!j && err && !strchr(err_text(err), '\n'));
		return 0;
	}
	must(j && !err);
	text = json_text(j, JSON_ASCII);
	must(json_parse(text, strlen(text), "written", &wide, &as_json, NULL) == 0);
	again = json_text(as_json, JSON_ASCII);
	must(str_eq(again, text));
	/* JSON is YAML, but for keys beyond 1024 bytes. */
	if (size < 1000 && json_parse_yaml(text, strlen(text), "written", &wide, &as_yaml, NULL) == 0) {
		third = json_text(as_yaml, JSON_ASCII);
		must(str_eq(third, text));
	}
	return 0;
}
