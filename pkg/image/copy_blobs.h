/* SPDX-License-Identifier: Apache-2.0 */
/* The blobs of a `copy` on their way: into files as a stream, checked while they pass, or into a registry. Private to copy*.c. */
#ifndef UDOCKER_IMAGE_COPY_BLOBS_H
#define UDOCKER_IMAGE_COPY_BLOBS_H

#include "pkg/base/base.h"

struct copy_blob;
struct copy_set;
struct err;
struct registry;
struct strv;

struct copy_target {
	/* 1: it is wanted, and *ret is one under way; 0: it is there. */
	int (*begin)(void *arg, const struct copy_blob *b, void **ret, struct err **err);
	int (*write)(void *arg, void *item, const void *p, size_t n, struct err **err);
	/* All of it came and has the right digest. Takes the item. */
	int (*end)(void *arg, void *item, struct err **err);
	void (*drop)(void *arg, void *item);
	bool one_at_a_time;
	void *arg;
};
/* ERR_CORRUPT for one whose bytes are not those of its digest. */
int copy_blobs(const struct copy_set *set, const struct copy_target *to, int jobs, struct err **err);

/*
 * Into a registry; `from` (or NULL): repositories of it that may have them. What another registry has is sent on while it arrives, through a file
 * without a name for each blob under way, so that a broken upload can go on.
 */
int copy_send(
	const struct copy_set *set, struct registry *to, const struct strv *from, int jobs, struct err **err);

#endif
