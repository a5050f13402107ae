/* SPDX-License-Identifier: Apache-2.0 */
/* id: the form of what we make, and what we take. */
#include "pkg/base/id.h"

#include "pkg/base/codec.h"
#include "pkg/base/str.h"
#include "tests/unit/tap.h"

static void test_made(void)
{
	char a[ID_UUID_LEN + 1], b[ID_UUID_LEN + 1], hex[71];
	bool form = true;

	id_uuid(a);
	id_uuid(b);
	for (int i = 0; i < ID_UUID_LEN; i++)
		form &= i == 8 || i == 13 || i == 18 || i == 23 ? a[i] == '-'
								: strchr("0123456789abcdef", a[i]) != NULL;
	ok(form && strlen(a) == ID_UUID_LEN, "8-4-4-4-12: %s", a);
	ok(a[14] == '4' && strchr("89ab", a[19]), "version and variant");
	ok(strcmp(a, b) != 0, "two are two");
	ok(id_is_container(a) && id_is_runtime_id(a) && !id_is_container_name(a), "an id and no name");
	memset(hex, 'x', sizeof(hex));
	id_random_hex(hex, 70);
	ok(codec_is_hex(hex, 70), "id_random_hex");
	ok(memcmp(hex, hex + 32, 32) != 0, "does not repeat itself");
	id_random_hex(hex, 0);
	is_str(hex, "", "no characters");
}

static void test_names(void)
{
	static const char *const bad[] = { "", "-x", "a/b", "a.b", "a b", "a[", "a]", "a\nb", "a\177",
		"1-2-3-4-5" };
	auto_str longest = STR_INIT;

	ok(id_is_container("a-b1-2-c-d") && !id_is_container("a-b-c-d") && !id_is_container("a-b-c-d-e-f") &&
			!id_is_container("a-b-c-d-") && !id_is_container("A-b-c-d-e") && !id_is_container(""),
		"five groups");
	ok(id_is_container_name("box") && id_is_container_name("Box_1-2-3-4") &&
			id_is_container_name("\xc3\xa9t\xc3\xa9"),
		"names");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		ok(!id_is_container_name(bad[i]), "no name: #%zu", i);
	str_add_repeat(&longest, 'n', 255);
	ok(id_is_container_name(str_text(&longest)), "255 bytes");
	str_add_char(&longest, 'n');
	ok(!id_is_container_name(str_text(&longest)), "256 bytes");
}

static void test_runtime(void)
{
	auto_str longest = STR_INIT;

	ok(id_is_runtime_id("aZ9_+.-") && id_is_runtime_id("...") && id_is_runtime_id("-"), "runtime ids");
	ok(!id_is_runtime_id("") && !id_is_runtime_id(".") && !id_is_runtime_id("..") &&
			!id_is_runtime_id("a/b") && !id_is_runtime_id("a b") && !id_is_runtime_id("\xc3\xa9"),
		"no runtime ids");
	str_add_repeat(&longest, 'n', 1024);
	ok(id_is_runtime_id(str_text(&longest)), "1024 bytes");
	str_add_char(&longest, 'n');
	ok(!id_is_runtime_id(str_text(&longest)), "1025 bytes");
}

int main(void)
{
	test_made();
	test_names();
	test_runtime();
	return tap_done();
}
