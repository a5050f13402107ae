/* SPDX-License-Identifier: Apache-2.0 */
/* codec: the vectors of RFC 4648, and what is refused. */
#include "pkg/base/codec.h"

#include "tests/unit/tap.h"

static void base64(const char *plain, const char *coded)
{
	size_t len = 99;
	autofree char *got = codec_base64_encode(plain, strlen(plain)),
		      *back = codec_base64_decode(coded, &len);

	is_str(got, coded, "base64 encode");
	is_str(back, plain, "base64 decode");
	is_int(len, strlen(plain), "  and its length");
}

static void test_base64(void)
{
	static const char *const bad[] = { "Zg", "Zg=", "Zh==", "Zm9=", "Z===", "====", "=",
		"Zg==Zg==", "Zm 9", "Zm9v\n", "Zm9-", "Zm=v" };
	static const unsigned char bytes[] = { 0, 255, 128, 0 };
	size_t len;
	autofree char *coded = codec_base64_encode(bytes, 4), *back = codec_base64_decode("AP+AAA==", &len);

	base64("", "");
	base64("f", "Zg==");
	base64("fo", "Zm8=");
	base64("foo", "Zm9v");
	base64("foob", "Zm9vYg==");
	base64("fooba", "Zm9vYmE=");
	base64("foobar", "Zm9vYmFy");
	is_str(coded, "AP+AAA==", "bytes");
	ok(back && len == 4 && memcmp(back, bytes, 4) == 0, "and back");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		autofree char *none = codec_base64_decode(bad[i], NULL);

		ok(!none, "no base64: #%zu", i);
	}
}

static void test_hex(void)
{
	unsigned char bytes[2] = { 1, 2 };
	char text[5];

	codec_hex_encode("\x0f\xa0", 2, text);
	is_str(text, "0fa0", "hex encode");
	ok(codec_hex_decode("0Fa0", bytes, 2) == 0 && bytes[0] == 0x0f && bytes[1] == 0xa0, "hex decode");
	ok(codec_hex_decode("0f", bytes, 2) == -1 && codec_hex_decode("0fa01", bytes, 2) == -1 &&
			codec_hex_decode("0fg0", bytes, 2) == -1 && bytes[0] == 0x0f,
		"hex of another length or alphabet leaves the result");
	ok(codec_is_hex("00af", 4) && !codec_is_hex("00aF", 4) && !codec_is_hex("00a", 4) &&
			!codec_is_hex("00afa", 4) && codec_is_hex("", 0),
		"codec_is_hex");
}

static void test_url(void)
{
	static const char *const bad[] = { "%", "%4", "%4g", "a%00b", "%%41" };
	autofree char *coded = codec_url_encode("a/b c?\xc3\xa9~", NULL),
		      *kept = codec_url_encode("a/b:c", "/");
	autofree char *back = codec_url_decode("a%2fb%20c%3F%C3%a9+");

	is_str(coded, "a%2Fb%20c%3F%C3%A9~", "percent-encoded");
	is_str(kept, "a/b%3Ac", "some kept");
	is_str(back, "a/b c?\xc3\xa9+", "and back");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		autofree char *none = codec_url_decode(bad[i]);

		ok(!none, "malformed: %s", bad[i]);
	}
}

int main(void)
{
	test_base64();
	test_hex();
	test_url();
	return tap_done();
}
