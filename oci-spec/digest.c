/* SPDX-License-Identifier: Apache-2.0 */
/* Digests: the two registered algorithms, nothing else is taken for one. */
#include "oci-spec/digest.h"

#include "pkg/base/codec.h"
#include "pkg/base/err.h"
#include "pkg/base/mem.h"

static const struct {
	const char *prefix;
	enum sha_kind kind;
	size_t hex_len;
} algorithms[] = {
	{ "sha256:", SHA_256, 64 },
	{ "sha512:", SHA_512, 128 },
};

/* How much of a text from outside a message repeats: enough for the longest digest. */
enum { QUOTED_MAX = 140 };

static bool parse(const char *text, struct digest *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(algorithms); i++) {
		const char *hex;

		if (!str_starts(text, algorithms[i].prefix))
			continue;
		hex = text + strlen(algorithms[i].prefix);
		if (strlen(hex) != algorithms[i].hex_len || !codec_is_hex(hex, algorithms[i].hex_len))
			return false;
		memset(ret, 0, sizeof(*ret));
		memcpy(ret->text, text, strlen(text) + 1);
		ret->kind = algorithms[i].kind;
		return true;
	}
	return false;
}

/* The general grammar of the specification, for telling an algorithm we lack from rubbish. */
static bool is_foreign(const char *text)
{
	size_t algo = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789+._-");
	const char *rest = text + algo + 1;

	if (algo == 0 || text[algo] != ':' || str_starts(text, "sha256:") || str_starts(text, "sha512:"))
		return false;
	return *rest != '\0' &&
	       rest[strspn(rest, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789=_-")] ==
		       '\0';
}

int digest_parse(const char *text, struct digest *ret, struct err **err)
{
	if (parse(text, ret))
		return 0;
	if (is_foreign(text))
		return err_make(err, ERR_UNSUPPORTED, "digest '%.*s': only sha256 and sha512 are supported",
			QUOTED_MAX, text);
	return err_make(err, ERR_CORRUPT,
		"'%.*s' is not a digest (sha256: and 64 lower-case hexadecimal digits)", QUOTED_MAX, text);
}

bool digest_is_valid(const char *text)
{
	struct digest d;

	return parse(text, &d);
}

bool digest_is_set(const struct digest *d)
{
	return d->text[0] != '\0';
}

bool digest_from_hex(enum sha_kind kind, const char *hex, struct digest *ret)
{
	char text[DIGEST_TEXT_MAX + 1];
	size_t n = strlen(hex);

	if (n > SHA_HEX_MAX)
		return false;
	memcpy(text, algorithms[kind == SHA_512].prefix, 7);
	memcpy(text + 7, hex, n + 1);
	return parse(text, ret);
}

int digest_of(enum sha_kind kind, const void *p, size_t n, struct digest *ret, struct err **err)
{
	char hex[SHA_HEX_MAX + 1];

	if (sha_buffer(kind, p, n, hex, err) < 0)
		return -1;
	if (!digest_from_hex(kind, hex, ret))
		return err_make(err, ERR_SYSTEM, "the hash library returned '%s'", hex);
	return 0;
}

bool digest_eq(const struct digest *a, const struct digest *b)
{
	return digest_is_set(a) && strcmp(a->text, b->text) == 0;
}

const char *digest_hex(const struct digest *d)
{
	const char *colon = strchr(d->text, ':');

	return colon ? colon + 1 : "";
}
