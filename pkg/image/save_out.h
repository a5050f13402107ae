/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where an archive goes: a new file that appears when it is complete, or a stream (the standard output, a FIFO, a device). Private to save*.c.
 */
#ifndef UDOCKER_IMAGE_SAVE_OUT_H
#define UDOCKER_IMAGE_SAVE_OUT_H

#include "pkg/base/atomic.h"
#include "pkg/base/base.h"

struct err;

struct save_out {
	const char *what; /* names it in messages; borrowed */
	int fd; /* written to; borrowed from `file` where that is in use */
	int dirfd; /* of the file's directory, -1 for a stream */
	struct atomic file;
	bool replace;
};
#define SAVE_OUT_INIT ((struct save_out){ .fd = -1, .dirfd = -1, .file = ATOMIC_INIT })

/*
 * path NULL or "-": the standard output. A file that is there is ERR_EXISTS unless `replace`; a link is never written through. What is no
 * regular file is opened and written to.
 */
int save_out_open(const char *path, bool replace, struct save_out *ret, struct err **err);
/* Durable and visible. ERR_EXISTS when a file of that name came meanwhile. */
int save_out_commit(struct save_out *o, struct err **err);
/* After a commit it only closes; else nothing is left of a file. */
void save_out_close(struct save_out *o);
#define auto_save_out CLEANUP(save_out_close) struct save_out

/*
 * A file without a name for what must be complete before it can be saved: in the directory dirfd (called `what`), or where that is -1 below the
 * directory for temporary files. Owned by the caller.
 */
int save_temporary(int dirfd, const char *what, struct err **err);

#endif
