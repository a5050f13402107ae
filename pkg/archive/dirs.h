/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Directories of a ROOT that stay open while entries of a layer go into them: a bounded number, the least recently used leaves. An
 * entry whose directory is open costs no resolution of its path. Times of directories are kept here too: what is added to or removed
 * from one does not change its time, or it gets the time that its entry gave, whatever follows. Private to this room.
 */
#ifndef UDOCKER_DIRS_H
#define UDOCKER_DIRS_H

#include <time.h>

#include "pkg/base/base.h"

struct dirs;

enum dirs_use {
	DIRS_LOOK, /* nothing in it will change */
	DIRS_CHANGE, /* names come or go: its time is set again when it is closed */
	DIRS_MAKE, /* the same, and it is made (0755, with those above) if it is missing */
};

/* root_fd is borrowed. Never NULL. */
struct dirs *dirs_new(int root_fd);

/*
 * The directory that the first n bytes of `path` (clean, relative; n = 0: ROOT) lead to, through symbolic links as in a chroot. Its descriptor
 * stays open for this and one more call. -1 with errno.
 */
int dirs_open(struct dirs *d, const char *path, size_t n, enum dirs_use use);

/* An entry was a directory: fd (taken) is open for it, and mtime is what it is to have at the end. `made`: it is new. */
void dirs_put(struct dirs *d, const char *path, int fd, const struct timespec *mtime, bool made);

/* A symbolic link or a directory went away or was replaced: paths may lead elsewhere. Open descriptors stay good until the next call. */
void dirs_forget(struct dirs *d);

/* Times are set, all is closed and freed. NULL is fine. */
void dirs_free(struct dirs *d);

#endif
