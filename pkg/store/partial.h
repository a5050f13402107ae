/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A blob on its way from a registry: `.partial-<digest>` in layers/, locked while somebody writes it, hashed as it grows (file_hash.h), renamed to its digest when size and
 * digest agree. One that was broken off stays, so that a later pull goes on where it stopped.
 */
#ifndef UDOCKER_PARTIAL_H
#define UDOCKER_PARTIAL_H

#include "pkg/base/base.h"

struct digest;
struct err;
struct layer_txn;
struct store;
struct strv;

#define PARTIAL_PREFIX ".partial-"
#define PARTIAL_MAX_AGE_S \
	(7 * 24 * \
		3600) /* one that nobody went on with is removed by the next pull; `prune` removes it earlier */

struct partial;
/*
 * Begin, or go on with what a former pull left (it is hashed again). 1: *ret, caller ends it with partial_commit() or partial_keep(). 0: another process writes this
 * blob now. Where the file system refuses locks, a temporary of our own, from the start.
 */
int partial_begin(struct store *s, const struct digest *d, struct partial **ret, struct err **err);
/* With what is not flushed. */
uint64_t partial_size(const struct partial *p);
/* Forget what is there and begin anew: it cannot be the beginning of the right content. */
int partial_restart(struct partial *p, struct err **err);
/* Small pieces are collected: other processes see them after the next flush, which a caller makes every now and then. */
int partial_write(struct partial *p, const void *data, size_t n, struct err **err);
int partial_flush(struct partial *p, struct err **err);
/*
 * No more comes: what is not hashed yet is, and all of it is made durable, while the caller does other things. wake_fd, an eventfd(2) or -1,
 * is told when partial_commit() will not wait.
 */
void partial_settle(struct partial *p, int wake_fd);
bool partial_is_settled(const struct partial *p);
/*
 * Settle it, check it and make it visible. ERR_CORRUPT when digest or size (unless it is negative) do not agree; the file is gone then. p is freed
 * in every case.
 */
int partial_commit(struct partial *p, int64_t size, struct layer_txn *txn, struct err **err);
/* Leave it for a later pull. Frees p; NULL is fine. */
void partial_keep(struct partial *p);

/* Remove those that nobody writes and that are older than this. */
void partial_clean(struct store *s, int min_age_s);

#endif
