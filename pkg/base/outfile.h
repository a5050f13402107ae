/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where an archive goes: a new file that appears when it is complete, or a stream (the standard output, a FIFO, a device).
 */
#ifndef UDOCKER_OUTFILE_H
#define UDOCKER_OUTFILE_H

#include "pkg/base/atomic.h"
#include "pkg/base/base.h"

struct err;

struct outfile {
	const char *what; /* names it in messages; borrowed */
	int fd; /* written to; borrowed from `file` where that is in use */
	int dirfd; /* of the file's directory, -1 for a stream */
	struct atomic file;
	bool replace;
};
#define OUTFILE_INIT ((struct outfile){ .fd = -1, .dirfd = -1, .file = ATOMIC_INIT })

/*
 * path NULL or "-": the standard output. A file that is there is ERR_EXISTS unless `replace`; a link is never written through. What is no
 * regular file is opened and written to.
 */
int outfile_open(const char *path, bool replace, struct outfile *ret, struct err **err);
/* Durable and visible. ERR_EXISTS when a file of that name came meanwhile. */
int outfile_commit(struct outfile *o, struct err **err);
/* After a commit it only closes; else nothing is left of a file. */
void outfile_close(struct outfile *o);
#define auto_outfile CLEANUP(outfile_close) struct outfile

#endif
