/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flock() that may be refused. NFS, Lustre and read-only stores may not lock: that is logged at debug
 * level and counts as taken, for correctness never rests on a lock (O_EXCL, rename and content addressing carry it).
 */
#ifndef UDOCKER_LOCK_H
#define UDOCKER_LOCK_H

#include "pkg/base/base.h"

struct err;

enum lock_mode { LOCK_SHARED, LOCK_EXCLUSIVE };

struct lock {
	int fd; /* -1: not held, or held in name only */
};
#define LOCK_INIT ((struct lock){ .fd = -1 })

/* Take the lock on the file `name` in dirfd (created 0600 if missing), waiting for it. */
int lock_take(struct lock *l, int dirfd, const char *name, enum lock_mode mode, struct err **err);
/* Return 1 if it was taken, 0 if another holds it, -1 on error. */
int lock_try(struct lock *l, int dirfd, const char *name, enum lock_mode mode, struct err **err);
void lock_release(struct lock *l);
#define auto_lock CLEANUP(lock_release) struct lock

#endif
