/* SPDX-License-Identifier: Apache-2.0 */
/* Digests, `algorithm:hex`: strict grammar (image-spec, descriptor.md), comparison, computation over a buffer. */
#ifndef UDOCKER_DIGEST_H
#define UDOCKER_DIGEST_H

#include "pkg/base/base.h"
#include "pkg/base/sha256.h"

struct err;

#define DIGEST_TEXT_MAX (7 + SHA_HEX_MAX) /* "sha512:" and its hex, without NUL */

struct digest {
	char text[DIGEST_TEXT_MAX + 1]; /* "sha256:<64 lower-case hex>", "" is no digest */
	enum sha_kind kind;
};

/* Only sha256 and sha512 with exactly their length in lower-case hex. ERR_CORRUPT, or ERR_UNSUPPORTED for another algorithm. */
int digest_parse(const char *text, struct digest *ret, struct err **err);
bool digest_is_valid(const char *text);
bool digest_is_set(const struct digest *d);

/* From an algorithm and the hex that a hash gave. False if the hex is not one. */
bool digest_from_hex(enum sha_kind kind, const char *hex, struct digest *ret);
/* The digest of bytes in memory; fails only when libcrypto cannot be had. */
int digest_of(enum sha_kind kind, const void *p, size_t n, struct digest *ret, struct err **err);

bool digest_eq(const struct digest *a, const struct digest *b); /* two unset digests are not equal */
const char *digest_hex(const struct digest *d); /* behind the colon, inside d */

#endif
