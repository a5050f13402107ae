/* SPDX-License-Identifier: Apache-2.0 */
/* str: the ceiling, escaping, UTF-8. */
#include "pkg/base/str.h"

#include "pkg/base/mem.h"
#include "tests/unit/tap.h"

static void test_appends(void)
{
	auto_str s = STR_INIT;
	char *taken;

	is_str(str_text(&s), "", "an empty string has a text");
	str_trim(&s);
	str_truncate(&s, 0);
	ok(str_add(&s, "ab") == 0 && str_add_char(&s, 'c') == 0 && str_add_mem(&s, "d\0e", 3) == 0 &&
			str_add_repeat(&s, '-', 2) == 0,
		"appends succeed");
	ok(s.len == 8 && memcmp(s.data, "abcd\0e--", 9) == 0, "all bytes, and a NUL behind");
	str_truncate(&s, 3);
	str_truncate(&s, 99);
	is_str(str_text(&s), "abc", "truncated");
	ok(str_addf(&s, "%0300d|", 7) == 0 && s.len == 304 && str_ends(s.data, "007|"),
		"longer than the first guess of str_addf");
	taken = str_steal(&s);
	ok(s.len == 0 && !s.data && strlen(taken) == 304, "taken over");
	free(taken);
	taken = str_steal(&s);
	is_str(taken, "", "nothing taken over is the empty string");
	free(taken);
}

static void trims_to(const char *text, const char *want)
{
	auto_str s = STR_INIT;

	str_add(&s, text);
	str_trim(&s);
	is_str(str_text(&s), want, "str_trim");
	is_int(s.len, strlen(want), "  and its length");
}

static void test_ceiling(void)
{
	auto_str s = STR_INIT_MAX(10);

	is_int(str_add(&s, "0123456789"), 0, "exactly the ceiling");
	ok(!s.overflow, "is no overflow");
	is_int(str_add_char(&s, 'x'), -1, "one more");
	ok(s.overflow && s.len == 10, "is, and adds nothing");
	str_truncate(&s, 0);
	is_int(str_add(&s, "a"), -1, "the mark stays");
	str_free(&s);
	ok(str_addf(&s, "%s", "0123456789") == 0 && s.max == 10, "until str_free(), which keeps the ceiling");
	ok(str_addf(&s, "%0300d", 1) == -1 && s.len == 10, "str_addf at the ceiling");
	str_free(&s);
	ok(str_add_repeat(&s, 'x', SIZE_MAX) == -1 && str_add_mem(&s, "", 0) == -1, "a size that would wrap");
	str_free(&s);
	ok(str_add(&s, "abc") == 0 && str_add_escaped(&s, "de\n\n\n\n") == -1,
		"escapes that pass the ceiling");
	is_str(str_text(&s), "abc", "  add nothing at all");
}

static void escapes_to(const char *text, const char *want)
{
	auto_str s = STR_INIT;

	str_add_escaped(&s, text);
	is_str(str_text(&s), want, want);
}

static void test_escape(void)
{
	escapes_to("", "");
	escapes_to("plain ~ text", "plain ~ text");
	escapes_to("a\nb\tc\rd", "a\\nb\\tc\\rd");
	escapes_to("\033]0;x\007\177", "\\x1b]0;x\\x07\\x7f");
	escapes_to("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80",
		"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80");
	escapes_to("\xc2\x9b"
		   "2J",
		"\\xc2\\x9b2J"); /* C1: an escape sequence in one character */
	escapes_to("\xc2\xa0", "\xc2\xa0");
	escapes_to("cut \xc3", "cut \\xc3");
	escapes_to("\xff\xfe", "\\xff\\xfe");
}

static void test_utf8(void)
{
	static const struct {
		const char *text;
		size_t len;
	} rows[] = { { "", 0 }, { "a", 1 }, { "\x7f", 1 }, { "\x80", 0 }, { "\xc0\x80", 0 },
		{ "\xc1\xbf", 0 }, { "\xc2\x80", 2 }, { "\xdf\xbf", 2 }, { "\xc3", 0 }, { "\xc3(", 0 },
		{ "\xe0\x9f\xbf", 0 }, { "\xe0\xa0\x80", 3 }, { "\xed\x9f\xbf", 3 }, { "\xed\xa0\x80", 0 },
		{ "\xee\x80\x80", 3 }, { "\xef\xbf\xbf", 3 }, { "\xe2\x82", 0 }, { "\xf0\x8f\xbf\xbf", 0 },
		{ "\xf0\x90\x80\x80", 4 }, { "\xf4\x8f\xbf\xbf", 4 }, { "\xf4\x90\x80\x80", 0 },
		{ "\xf5\x80\x80\x80", 0 }, { "\xf0\x9f\x98", 0 } };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		is_int(str_utf8_len(rows[i].text), rows[i].len, "str_utf8_len");
}

int main(void)
{
	test_appends();
	trims_to("  a b \n", "a b");
	trims_to("\t\n ", "");
	trims_to("x", "x");
	test_ceiling();
	test_escape();
	test_utf8();
	return tap_done();
}
