/* SPDX-License-Identifier: Apache-2.0 */
/* schema1: the digest of a signed manifest is that of its payload, and nothing is said beside the payload. */
#include "pkg/registry/schema1.h"

#include "pkg/base/codec.h"
#include "pkg/base/err.h"
#include "pkg/base/mem.h"
#include "pkg/base/str.h"
#include "tests/unit/tap.h"

#define PAYLOAD "{\"schemaVersion\":1,\"fsLayers\":[1],\"history\":[2]}"

/* The payload's first bytes, `more`, the signature: its frame names the payload's end. */
static char *document(size_t length, const char *more, const char *tail)
{
	autofree char *frame = xasprintf("{\"formatLength\":%zu,\"formatTail\":\"%s\"}", length, tail);
	autofree char *text = codec_base64_encode(frame, strlen(frame));

	return xasprintf("%.*s%s,\"signatures\":[{\"protected\":\"%s\"}]}", (int)length, PAYLOAD, more, text);
}

static int digest(const char *text, struct digest *ret)
{
	auto_err *e = NULL;
	int r = schema1_digest(SHA_256, text, strlen(text), ret, &e);

	return r < 0 && !err_is(e, ERR_CORRUPT) ? -2 : r;
}

static void refused(const char *text, const char *what)
{
	struct digest d;

	is_int(digest(text, &d), -1, what);
}

int main(void)
{
	size_t n = strlen(PAYLOAD) - 1;
	autofree char *good = document(n, "", "fQ=="), *beside = document(n, ",\"name\":\"x\"", "fQ==");
	autofree char *twice = document(n, ",\"fsLayers\":[9]", "fQ=="), *cut = document(n, "", "!");
	autofree char *empty = document(n, "", "");
	struct digest d, want, plain;

	digest_of(SHA_256, PAYLOAD, strlen(PAYLOAD), &want, NULL);
	is_int(digest(good, &d), 0, "signed");
	ok(digest_eq(&d, &want), "of the payload alone");
	is_int(digest(PAYLOAD, &plain), 0, "not signed");
	ok(digest_eq(&plain, &want), "of all of it");
	refused(twice, "a second member of a name takes the place of the signed one");
	refused(beside, "a member that was not signed");
	refused(cut, "a tail that is no base64");
	refused(empty, "a payload that is no JSON");
	refused("{\"schemaVersion\":1,\"signatures\":[{}]}", "no frame");
	refused("{\"schemaVersion\":1,\"signatures\":[{\"protected\":\"e30\"}]}", "an empty frame");
	refused("{\"schemaVersion\":1,\"signatures\":[7]}", "no signature");
	return tap_done();
}
