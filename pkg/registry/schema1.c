/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The payload of a signed schema 1 manifest (libtrust's JSON signature): the first formatLength bytes of the document and formatTail, which the
 * protected header of each signature repeats. Signatures are not verified: the digest is what vouches, so the document may say nothing that the payload does
 * not say.
 */
#include "pkg/registry/schema1.h"

#include "pkg/base/codec.h"
#include "pkg/base/err.h"
#include "pkg/base/json.h"
#include "pkg/base/mem.h"
#include "pkg/base/str.h"

/* base64url without padding to bytes; NULL if malformed. */
static char *decode_url64(const char *text, size_t *ret_n)
{
	auto_str plain = STR_INIT;

	if (!text)
		return NULL;
	for (; *text; text++)
		(void)str_add_char(&plain, *text == '-' ? '+' : *text == '_' ? '/' : *text);
	while (plain.len % 4 && !plain.overflow)
		(void)str_add_char(&plain, '=');
	return codec_base64_decode(str_text(&plain), ret_n);
}

/* Without its signatures the document is the payload: no member may stand beside it or, as a second one of a name, replace what was signed. */
static bool says_the_same(const struct json *document, const struct str *payload)
{
	auto_json *whole = json_clone(document), *signed_part = NULL;
	autofree char *a = NULL, *b = NULL;

	if (json_parse(str_text(payload), payload->len, "payload", NULL, &signed_part, NULL) < 0)
		return false;
	json_remove(whole, "signatures");
	a = json_text(whole, JSON_SORT);
	b = json_text(signed_part, JSON_SORT);
	return str_eq(a, b);
}

static int payload_digest(enum sha_kind kind, const char *text, size_t n, const struct json *document,
	struct digest *ret, struct err **err)
{
	const struct json *signature = json_at(json_get(document, "signatures"), 0);
	size_t head_n = 0, tail_n = 0;
	autofree char *head = decode_url64(json_str(json_get(signature, "protected")), &head_n), *tail = NULL;
	auto_json *frame = NULL;
	auto_str payload = STR_INIT;
	int64_t length = -1;

	if (!head || json_parse(head, head_n, "signature", NULL, &frame, NULL) < 0 ||
		json_to_i64(json_get(frame, "formatLength"), &length) < 0 || length < 0 ||
		(uint64_t)length > n)
		return err_make(err, ERR_CORRUPT, "the frame of its signature is damaged");
	tail = decode_url64(json_str(json_get(frame, "formatTail")), &tail_n);
	if (!tail)
		return err_make(err, ERR_CORRUPT, "the frame of its signature is damaged");
	(void)str_add_mem(&payload, text, (size_t)length); /* both are parts of a document with a limit */
	(void)str_add_mem(&payload, tail, tail_n);
	if (!says_the_same(document, &payload))
		return err_make(err, ERR_CORRUPT, "it says something else than what its signature is of");
	return digest_of(kind, str_text(&payload), payload.len, ret, err);
}

int schema1_digest(enum sha_kind kind, const char *text, size_t n, struct digest *ret, struct err **err)
{
	auto_json *j = NULL;
	const struct json *signatures;
	int64_t version = 0;

	/* What is no JSON is found out later, with a better message. */
	if (!memmem(text, n, "\"signatures\"", strlen("\"signatures\"")) ||
		json_parse(text, n, "manifest", NULL, &j, NULL) < 0)
		return digest_of(kind, text, n, ret, err);
	signatures = json_get(j, "signatures");
	(void)json_to_i64(json_get(j, "schemaVersion"), &version); /* stays 0 */
	if (version != 1 || !json_len(signatures))
		return digest_of(kind, text, n, ret, err);
	return payload_digest(kind, text, n, j, ret, err);
}
