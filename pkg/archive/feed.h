/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bytes of a descriptor on their way to a decoder, private to this room: read (and hashed) as they are asked for, or ahead of
 * that by a thread of their own.
 */
#ifndef UDOCKER_FEED_H
#define UDOCKER_FEED_H

#include <sys/types.h>

#include "pkg/archive/inflate.h"
#include "pkg/base/base.h"
#include "pkg/base/sha256.h"

struct err;
struct progress;
struct feed;

#define FEED_BLOCK ((size_t)256 << 10) /* what feed_next() gives at most */

/*
 * fd is borrowed, `what` copied, `progress` (may be NULL) borrowed. What is read is also written to the descriptor copy_to, unless that is
 * -1. ERR_SYSTEM for what cannot be read or written.
 */
int feed_open(int fd, const char *what, struct progress *progress, int copy_to, struct feed **ret,
	struct err **err);
/* Stops the thread. NULL is fine. */
void feed_free(struct feed *f);
DEFINE_CLEANUP(feed_cleanup, struct feed, feed_free);
#define auto_feed CLEANUP(feed_cleanup) struct feed

/*
 * The file still grows: where it ends for now, `more` is asked (inflate.h). feed_read() then gives less than it could, but FEED_LEAST bytes at least.
 * Before anything is read.
 */
#define FEED_LEAST ((size_t)4096)
void feed_follow(struct feed *f, inflate_more_fn *more, void *arg);

/* Fill buf, less at the end alone (0 behind it). -1: ERR_SYSTEM, also when interrupted or cancelled. Not after feed_ahead(). */
ssize_t feed_read(struct feed *f, void *buf, size_t n, struct err **err);

/*
 * Hash everything from now on, after the n bytes at p, which were read before. At most once; before feed_ahead().
 */
int feed_hash(struct feed *f, enum sha_kind kind, const void *p, size_t n, struct err **err);

/*
 * From now on a thread reads ahead, within FEED_AHEAD blocks, and feed_next() takes the place of feed_read(). Nothing is started
 * when the end has been read already.
 */
int feed_ahead(struct feed *f, struct err **err);
#define FEED_AHEAD 4
/* The next bytes, valid until the next call; 0 at the end, -1 as feed_read(). */
ssize_t feed_next(struct feed *f, const void **ret, struct err **err);

/* Bytes read so far. From any thread. */
uint64_t feed_position(const struct feed *f);
/* The digest of what was hashed, once the end was reached; "" if nothing was to be hashed. */
void feed_digest(struct feed *f, char ret_hex[SHA_HEX_MAX + 1]);

/* Every call fails from now on. From any thread. */
void feed_cancel(struct feed *f);

#endif
