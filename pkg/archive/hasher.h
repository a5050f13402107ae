/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A digest computed beside the caller's own work: a thread hashes a block while the caller writes it. Small blocks are hashed at once, and
 * so is everything where no thread can be had.
 */
#ifndef UDOCKER_HASHER_H
#define UDOCKER_HASHER_H

#include "pkg/base/base.h"
#include "pkg/base/sha256.h"

struct err;
struct hasher;

/* NULL with *err when libcrypto cannot be had. */
struct hasher *hasher_begin(enum sha_kind kind, struct err **err);
/* The bytes must stay as they are until hasher_wait(), or until the next call, which waits for them. */
void hasher_update(struct hasher *h, const void *p, size_t n);
void hasher_wait(struct hasher *h);
/* Waits; the digest as lower-case hex ("" where hashing failed). h may then only be freed. */
void hasher_finish(struct hasher *h, char ret_hex[SHA_HEX_MAX + 1]);
void hasher_free(struct hasher *h);
DEFINE_CLEANUP(hasher_cleanup, struct hasher, hasher_free);
#define auto_hasher CLEANUP(hasher_cleanup) struct hasher

#endif
