/* SPDX-License-Identifier: Apache-2.0 */
/* A store of our own below the directory for temporary files, for what cannot be streamed. Private to pkg/image. */
#ifndef UDOCKER_IMAGE_SCRATCH_H
#define UDOCKER_IMAGE_SCRATCH_H

#include "pkg/base/base.h"
#include "pkg/base/lock.h"

struct err;
struct store;

struct scratch {
	struct store *store; /* NULL until scratch_open() */
	int parent_fd; /* where it lies */
	char *name; /* below that */
	struct lock lock; /* who holds it lives */
};
#define SCRATCH_INIT ((struct scratch){ .parent_fd = -1, .lock = LOCK_INIT })

/* Make it (0700), unless it is there. What killed ones left is removed first. */
int scratch_open(struct scratch *s, struct err **err);
void scratch_close(struct scratch *s);
#define auto_scratch CLEANUP(scratch_close) struct scratch

#endif
