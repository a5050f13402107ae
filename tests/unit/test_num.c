/* SPDX-License-Identifier: Apache-2.0 */
/* num: what is a number and what is not; limits; sizes. */
#include "pkg/base/num.h"

#include <limits.h>

#include "tests/unit/tap.h"

static const char *const no_numbers[] = { "", " ", "-", "+1", " 1", "1 ", "1\n", "0x1", "1a", "a", "1.0",
	"1e3", "--1", "\xd9\xa1" /* an Arabic digit */ };

static void test_nonsense(void)
{
	for (size_t i = 0; i < ARRAY_LEN(no_numbers); i++) {
		uint64_t u = 42;
		int64_t s = 42;
		unsigned o = 42;

		ok(num_parse_u64(no_numbers[i], UINT64_MAX, &u) == -1 && u == 42, "u64 refuses #%zu", i);
		ok(num_parse_i64(no_numbers[i], INT64_MIN, INT64_MAX, &s) == -1 && s == 42,
			"i64 refuses #%zu", i);
		ok(num_parse_octal(no_numbers[i], 07777, &o) == -1 && o == 42, "octal refuses #%zu", i);
		ok(num_parse_size(no_numbers[i], &u) == -1 && u == 42, "size refuses #%zu", i);
	}
}

static void test_limits(void)
{
	uint64_t u = 0;
	int64_t s = 0;
	uint32_t u32 = 0;
	unsigned o = 0;
	int i = 0;

	ok(num_parse_u64("18446744073709551615", UINT64_MAX, &u) == 0 && u == UINT64_MAX, "the largest u64");
	is_int(num_parse_u64("18446744073709551616", UINT64_MAX, &u), -1, "one more");
	is_int(num_parse_u64("99999999999999999999999", UINT64_MAX, &u), -1, "many more");
	ok(num_parse_u64("007", 7, &u) == 0 && u == 7 && num_parse_u64("8", 7, &u) == -1, "a maximum");
	is_int(num_parse_u64("-0", 7, &u), -1, "no sign for unsigned");
	ok(num_parse_i64("-9223372036854775808", INT64_MIN, INT64_MAX, &s) == 0 && s == INT64_MIN,
		"the least i64");
	is_int(num_parse_i64("-9223372036854775809", INT64_MIN, INT64_MAX, &s), -1, "one less");
	ok(num_parse_i64("9223372036854775807", INT64_MIN, INT64_MAX, &s) == 0 && s == INT64_MAX,
		"the largest i64");
	is_int(num_parse_i64("9223372036854775808", INT64_MIN, INT64_MAX, &s), -1, "one more");
	ok(num_parse_i64("-5", -5, 5, &s) == 0 && s == -5 && num_parse_i64("-6", -5, 5, &s) == -1, "a range");
	ok(num_parse_u32("4294967295", &u32) == 0 && u32 == UINT32_MAX, "the largest u32");
	is_int(num_parse_u32("4294967296", &u32), -1, "one more");
	ok(num_parse_int("-2147483648", INT_MIN, INT_MAX, &i) == 0 && i == INT_MIN, "the least int");
	is_int(num_parse_int("2147483648", INT_MIN, INT_MAX, &i), -1, "above the largest int");
	ok(num_parse_octal("0755", 07777, &o) == 0 && o == 0755, "octal");
	ok(num_parse_octal("8", 07777, &o) == -1 && num_parse_octal("10000", 07777, &o) == -1 && o == 0755,
		"octal digits and maximum");
}

static void test_bool(void)
{
	static const char *const yes[] = { "true", "YES", "On", "1" }, *const no[] = { "FALSE", "no", "off",
		"0" };
	bool b = false;

	for (size_t i = 0; i < 4; i++) {
		ok(num_parse_bool(yes[i], &b) == 0 && b, "%s", yes[i]);
		ok(num_parse_bool(no[i], &b) == 0 && !b, "%s", no[i]);
	}
	ok(num_parse_bool("", &b) == -1 && num_parse_bool("2", &b) == -1 && num_parse_bool("tru", &b) == -1,
		"anything else is refused");
}

static void size_is(const char *text, uint64_t want)
{
	uint64_t v = 0;

	ok(num_parse_size(text, &v) == 0 && v == want, "size %s", text);
}

static void formats_to(uint64_t n, const char *want)
{
	char buf[NUM_SIZE_LEN];

	is_str(num_format_size(n, buf), want, "num_format_size");
}

static void test_sizes(void)
{
	uint64_t v;

	size_is("10", 10);
	size_is("10b", 10);
	size_is("64k", 65536);
	size_is("64K", 65536);
	size_is("64KiB", 65536);
	size_is("2Mb", 2 << 20);
	size_is("1Gi", 1 << 30);
	size_is("3T", UINT64_C(3) << 40);
	size_is("16777215T", UINT64_C(16777215) << 40);
	is_int(num_parse_size("16777216T", &v), -1, "2^64");
	ok(num_parse_size("1kk", &v) == -1 && num_parse_size("1x", &v) == -1 &&
			num_parse_size("k", &v) == -1 && num_parse_size("1 k", &v) == -1 &&
			num_parse_size("1ib", &v) == -1,
		"no sizes");
	formats_to(0, "0 B");
	formats_to(999, "999 B");
	formats_to(1000, "1 kB");
	formats_to(3400, "3.4 kB");
	formats_to(3456, "3.46 kB");
	formats_to(999499, "999 kB");
	formats_to(999500, "1 MB");
	formats_to(192000000, "192 MB");
	formats_to(UINT64_MAX, "18.4 EB");
}

int main(void)
{
	test_nonsense();
	test_limits();
	test_bool();
	test_sizes();
	return tap_done();
}
