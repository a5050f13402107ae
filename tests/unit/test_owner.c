/* SPDX-License-Identifier: Apache-2.0 */
/* The attribute that records an owner: as umoci writes it, and what is none. */
#include "pkg/archive/owner.h"

#include "tests/unit/tap.h"

static void test_round(uint32_t uid, uint32_t gid)
{
	unsigned char text[OWNER_TEXT_MAX];
	int64_t u = 0, g = 0;
	size_t n = owner_text(uid, gid, text);

	ok(n <= sizeof(text) && owner_parse(text, n, &u, &g) && u == uid && g == gid, "%u:%u", uid, gid);
}

static void test_bad(const char *text, size_t n, const char *what)
{
	int64_t u = 5, g = 6;

	ok(!owner_parse(text, n, &u, &g) && u == 5 && g == 6, "%s is none", what);
}

int main(void)
{
	unsigned char text[OWNER_TEXT_MAX];
	int64_t u = 5, g = 6;

	test_round(1, 2);
	test_round(1000, 0);
	test_round(0, 1000);
	test_round(127, 128);
	test_round(UINT32_MAX - 1, 65534);
	ok(owner_text(300, 7, text) == 5 && memcmp(text, "\x08\xac\x02\x10\x07", 5) == 0,
		"the bytes that umoci writes");
	ok(owner_parse("\x08\x07", 2, &u, &g) && u == 7 && g == 0, "a field that is missing is 0");
	u = 5;
	g = 6;
	ok(owner_parse("\x08\xff\xff\xff\xff\x0f\x10\x09", 8, &u, &g) && u == 5 && g == 9,
		"a number that says: as it is");
	test_bad("\x08", 1, "a field without a number");
	test_bad("\x08\x80", 2, "half a number");
	test_bad("\x08\xff\xff\xff\xff\x1f", 6, "a number of 33 bits");
	test_bad("\x08\x80\x80\x80\x80\x80\x01", 7, "a number of six bytes");
	test_bad("\x1a\x01x", 3, "another field");
	return tap_done();
}
