/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The option parser: the first byte says whether options may follow operands, the rest are words, each ended by NUL. What was
 * parsed, written back as words and parsed again, must give the same words.
 */
#include <stdint.h>

#include "pkg/base/err.h"
#include "pkg/base/mem.h"
#include "pkg/cli/cli.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct opts {
	bool flag, only_letter_flag;
	int count, number;
	const char *text, *choice, *only_letter;
	struct strv list;
	enum cli_tri tri;
};

static const char *const choices[] = { "auto", "none", NULL };
static const struct cli_option table[] = {
	CLI_FLAG("flag", 'f', struct opts, flag, "a flag"),
	CLI_FLAG(NULL, 'g', struct opts, only_letter_flag, "a flag"),
	CLI_COUNT("count", 'c', struct opts, count, "a count"),
	CLI_INT("number", 'n', "N", struct opts, number, "a number"),
	CLI_STR("text", 't', "TEXT", struct opts, text, "a text"),
	{ .name = "choice",
		.kind = CLI_KIND_STRING,
		.offset = offsetof(struct opts, choice),
		.choices = choices },
	CLI_STR(NULL, 'x', "X", struct opts, only_letter, "a letter"),
	CLI_LIST("list", 'l', "L", struct opts, list, "a list"),
	CLI_TRI("tri", 0, struct opts, tri, "yes, no or unset"),
	{ .name = "ignored", .letter = 'i', .kind = CLI_KIND_IGNORED_FLAG },
	{ .name = "value", .letter = 'v', .kind = CLI_KIND_IGNORED_VALUE },
	CLI_END,
};
static const struct cli_option *const tables[] = { table, NULL };

static void check_round_trip(const struct opts *o)
{
	auto_strv words = STRV_INIT, again = STRV_INIT;
	struct opts second = { 0 };
	int first = 0;

	cli_emit(table, o, &words);
	if (cli_parse(tables, &second, (int)words.n, words.v, false, &first, NULL) != 0 ||
		first != (int)words.n)
		abort();
	cli_emit(table, &second, &again);
	if (again.n != words.n)
		abort();
	for (size_t i = 0; i < words.n; i++) {
		if (!str_eq(words.v[i], again.v[i]))
			abort();
	}
	cli_free_options(tables, &second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_strv words = STRV_INIT;
	struct opts o = { 0 };
	auto_err *err = NULL;
	int first = -1, r;

	if (size == 0 || size > 4096)
		return 0;
	for (size_t at = 1; at < size;) {
		size_t len = strnlen((const char *)data + at, size - at);

		strv_add_owned(&words, xstrndup((const char *)data + at, len));
		at += len + 1;
	}
	r = cli_parse(
		tables, &o, (int)words.n, words.n ? words.v : (char *[]){ NULL }, data[0] & 1, &first, &err);
	if (r < 0 && (!err || err_kind(err) != ERR_USAGE))
		abort();
	if (r == 0 && (err || first < 0 || first > (int)words.n || o.count > 4096))
		abort();
	if (r == 0 && o.count < 64)
		check_round_trip(&o);
	cli_free_options(tables, &o);
	return 0;
}
