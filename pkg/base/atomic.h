/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Durable replacement of one file: write to a temporary name beside it, fsync, rename over the old
 * one, fsync the directory. A crash at any instant leaves the old or the new file.
 */
#ifndef UDOCKER_ATOMIC_H
#define UDOCKER_ATOMIC_H

#include <sys/types.h>

#include "pkg/base/base.h"

struct err;

enum atomic_flags {
	ATOMIC_DURABLE = 1, /* fsync file and directory */
	ATOMIC_EXCL = 2, /* fail with ERR_EXISTS if the name is there at commit */
	ATOMIC_PROGRAM =
		4, /* closed before it gets its name: nobody who runs it finds it busy (ETXTBSY, execve(2)) */
};

struct atomic {
	int dirfd, tmp_dirfd; /* borrowed: must outlive the commit */
	int fd; /* owned */
	char *tmp; /* ".tmp-<pid>-<random>", NULL for a file that has no name yet */
	char *name; /* NULL when there is nothing to commit */
};
#define ATOMIC_INIT ((struct atomic){ .dirfd = -1, .tmp_dirfd = -1, .fd = -1 })

/* Create the temporary file; returns its descriptor (owned by t) or -1. The temporary is flock()ed while it lives. */
int atomic_begin(struct atomic *t, int dirfd, const char *name, mode_t mode, struct err **err);
/* The same with the temporary in another directory of the same file system. */
int atomic_begin_in(
	struct atomic *t, int tmp_dirfd, int dirfd, const char *name, mode_t mode, struct err **err);
/*
 * The same for a user's own directory, in which nobody cleans up later: the file has no name until commit, where the file system can do
 * that, and a crash leaves nothing.
 */
int atomic_begin_unnamed(struct atomic *t, int dirfd, const char *name, mode_t mode, struct err **err);
/* Publish. t is empty afterwards, also on failure (then nothing is left behind). */
int atomic_commit(struct atomic *t, unsigned flags, struct err **err);
/* Drop the temporary; for use as a cleanup. */
void atomic_abort(struct atomic *t);
#define auto_atomic CLEANUP(atomic_abort) struct atomic

/* begin + write + commit. */
int atomic_write(
	int dirfd, const char *name, const void *p, size_t n, mode_t mode, unsigned flags, struct err **err);
/*
 * The same for a file that the user names, not synced. What is there and is no regular file - a device, a pipe, a link to one - is written
 * into: root's /dev/null must not become a file.
 */
int atomic_write_path(const char *path, const void *p, size_t n, mode_t mode, struct err **err);
/*
 * Rename, but not over an existing name (EEXIST); by hard link where the kernel or file system has no such rename:
 * then a crash may leave both names. Not synced. -1 with errno.
 */
int atomic_rename_excl(int from_dirfd, const char *from, int dirfd, const char *to);
/* A symbolic link made or replaced by rename. */
int atomic_symlink(int dirfd, const char *target, const char *name, struct err **err);

/* True for ".tmp-<pid>-<random>", exactly as atomic_begin() makes it. */
bool atomic_is_tmp(const char *name);
/* Remove ".tmp-<pid>-<random>" files in dirfd whose writer is gone: its lock can be taken, or it is older than a day. */
void atomic_clean(int dirfd);

#endif
