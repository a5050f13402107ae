/* SPDX-License-Identifier: Apache-2.0 */
/* Digests: the strict grammar and comparison. */
#include "oci-spec/digest.h"
#include "pkg/base/err.h"
#include "tests/unit/tap.h"

#define HEX64 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static void refused(const char *text, enum err_kind kind)
{
	auto_err *err = NULL;
	struct digest d;

	ok(digest_parse(text, &d, &err) < 0 && err_is(err, kind), "refused: %.40s", text);
}

int main(void)
{
	struct digest a, b, empty;

	ok(digest_parse("sha256:" HEX64, &a, NULL) == 0, "sha256");
	is_str(a.text, "sha256:" HEX64, "text is kept");
	is_str(digest_hex(&a), HEX64, "hex part");
	is_int(a.kind, SHA_256, "kind");
	ok(digest_parse("sha512:" HEX64 HEX64, &b, NULL) == 0 && b.kind == SHA_512, "sha512");
	ok(!digest_eq(&a, &b), "different ones differ");
	ok(digest_of(SHA_256, "", 0, &b, NULL) == 0 && digest_eq(&a, &b), "digest of nothing");
	memset(&empty, 0, sizeof(empty));
	ok(!digest_eq(&empty, &empty) && !digest_is_set(&empty), "no digest equals none");
	is_str(digest_hex(&empty), "", "no digest has no hex");
	ok(digest_from_hex(SHA_256, HEX64, &b) && digest_eq(&a, &b), "from hex");
	ok(!digest_from_hex(SHA_512, HEX64, &b), "hex of the wrong length");

	refused("", ERR_CORRUPT);
	refused("sha256:", ERR_CORRUPT);
	refused(HEX64, ERR_CORRUPT);
	refused("sha256:" HEX64 "0", ERR_CORRUPT);
	refused("sha256:E3B0C44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", ERR_CORRUPT);
	refused("sha256:../../../../etc/passwd", ERR_CORRUPT);
	refused("sha512:" HEX64, ERR_CORRUPT);
	refused("SHA256:" HEX64, ERR_CORRUPT);
	refused(" sha256:" HEX64, ERR_CORRUPT);
	refused("blake3:" HEX64, ERR_UNSUPPORTED);
	refused("md5:d41d8cd98f00b204e9800998ecf8427e", ERR_UNSUPPORTED);
	ok(!digest_is_valid("sha256:x") && digest_is_valid("sha256:" HEX64), "is_valid agrees");
	return tap_done();
}
