/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hash of a file while it is written, private to this room: a thread reads behind the writer what has just gone to the page cache, so that hashing takes no
 * time from the one who writes. Short files are hashed at the end, without a thread.
 */
#ifndef UDOCKER_TRAIL_H
#define UDOCKER_TRAIL_H

#include "pkg/base/base.h"
#include "pkg/base/sha256.h"

struct err;
struct trail;

/* fd (borrowed, readable) is hashed from its beginning; its offset is not touched. NULL with *err where nothing can be hashed. */
struct trail *trail_begin(int fd, enum sha_kind kind, struct err **err);
/* So many bytes are there now, and will not change. */
void trail_grew(struct trail *t, uint64_t size);
/* Wait for the digest of all of them. Once. ERR_SYSTEM when they cannot be read or we were interrupted. */
int trail_finish(struct trail *t, char ret_hex[SHA_HEX_MAX + 1], struct err **err);
/* Stops the thread wherever it is. NULL is fine. */
void trail_free(struct trail *t);

#endif
