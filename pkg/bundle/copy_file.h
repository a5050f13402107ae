/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One entry of a directory copied into another on the same machine: content by reflink where the file system shares blocks, else in the
 * kernel, holes left open; modes, times, attributes, hard links. Directories are walked by copy_tree.c; private to the two.
 */
#ifndef UDOCKER_BUNDLE_COPY_FILE_H
#define UDOCKER_BUNDLE_COPY_FILE_H

#include <stdatomic.h>
#include <sys/stat.h>

#include "pkg/base/base.h"
#include "pkg/bundle/copy_tree.h"

/* What all threads share. */
struct copy_common {
	int links_fd; /* the first name of each file that has several: <device>-<inode> */
	mode_t lost; /* mode bits that open() and mkdir() may not give (fs_lost_bits()) */
	uid_t uid;
	gid_t gid; /* what new files get by themselves */
	atomic_bool no_reflink; /* this file system shares no blocks */
};

/* A thread's own. */
struct copier {
	struct copy_common *common;
	char *buffer; /* COPY_BUFFER bytes */
	struct copy_tree_stats stats;
};
#define COPY_BUFFER ((size_t)128 << 10)

/*
 * Copy `name`, which is no directory, from one directory into the other. `type` is its DT_* as the directory has it, or DT_UNKNOWN. Returns
 * 0, also for what has vanished, is a device node or a socket (counted); 1 when it is a directory after all; -1 with errno.
 */
int copy_file(struct copier *c, int from, int to, const char *name, unsigned char type);

/* Owner, attributes, mode and times of a directory whose content is complete. -1 with errno. */
int copy_dir_attributes(struct copier *c, int from, int to, const struct stat *st);

#endif
