/* SPDX-License-Identifier: Apache-2.0 */
#include "pkg/archive/limit.h"

#include "pkg/base/err.h"
#include "tests/unit/tap.h"

static void test_arithmetic(void)
{
	const struct limit none = { 0, 7 }, size = { 1000, 0 }, both = { 1000, 10 };

	ok(limit_allows(&none, UINT64_MAX, 0), "no limit");
	ok(limit_allows(&size, 1000, 0) && !limit_allows(&size, 1001, UINT64_MAX), "a size alone is the end");
	ok(limit_allows(&both, 1000, 0), "up to the size whatever came in");
	ok(!limit_allows(&both, 1001, 99) && limit_allows(&both, 1001, 100), "beyond it the ratio counts");
	ok(limit_allows(&both, UINT64_MAX, UINT64_MAX / 10), "the largest numbers");
	ok(!limit_allows(&both, UINT64_MAX, UINT64_MAX / 10 - 1), "one less");
}

static void test_words(void)
{
	const struct limit size = { 1 << 20, 0 }, both = { 1 << 20, 200 };
	auto_err *err = NULL;

	ok(limit_check(&both, 1 << 20, 1, "x", &err) == 0 && !err, "within");
	ok(limit_check(&both, (uint64_t)1 << 40, 1, "x", &err) < 0 && err_is(err, ERR_CORRUPT), "beyond");
	is_str(err_text(err),
		"x: unpacks to more than 1.05 MB and 200 times its size: taken for a decompression bomb",
		"the words");
	ok(strstr(err_hint_text(err), "unpack_max_size"), "what to do");
	err_clear(&err);
	ok(limit_check(&size, (uint64_t)1 << 40, 1, "x", &err) < 0, "beyond a size");
	is_str(err_text(err), "x: unpacks to more than the 1.05 MB that are allowed",
		"the words without a ratio");
}

int main(void)
{
	test_arithmetic();
	test_words();
	return tap_done();
}
