/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 and SHA-512 while bytes pass by. libcrypto is opened when the first hash is begun, not at start-up. */
#ifndef UDOCKER_SHA256_H
#define UDOCKER_SHA256_H

#include "pkg/base/base.h"

struct err;

enum sha_kind { SHA_256, SHA_512 };
#define SHA_HEX_MAX 128 /* characters of the longest digest, without NUL */

struct sha; /* one running hash */

/* NULL with *err when libcrypto cannot be had. */
struct sha *sha_begin(enum sha_kind kind, struct err **err);
void sha_update(struct sha *h, const void *p, size_t n);
/* The digest so far as lower-case hex; h is finished and may only be freed. */
void sha_finish(struct sha *h, char ret_hex[SHA_HEX_MAX + 1]);
void sha_free(struct sha *h);
DEFINE_CLEANUP(sha_cleanup, struct sha, sha_free);
#define auto_sha CLEANUP(sha_cleanup) struct sha

/* All at once. */
int sha_buffer(enum sha_kind kind, const void *p, size_t n, char ret_hex[SHA_HEX_MAX + 1], struct err **err);

#endif
