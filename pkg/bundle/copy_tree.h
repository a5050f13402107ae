/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A directory tree copied as it is, by as many threads as are worth it. Nothing of containers is known here. The source may be in use:
 * what vanishes meanwhile is left out.
 */
#ifndef UDOCKER_BUNDLE_COPY_TREE_H
#define UDOCKER_BUNDLE_COPY_TREE_H

#include "pkg/base/base.h"

struct err;

struct copy_tree_options {
	const char *what; /* names the source in messages */
	/*
	 * An empty directory on the target's file system: files with several names get their first one there. Its content is the caller's to
	 * remove afterwards.
	 */
	int links_fd;
	bool (*skip)(const char *name); /* names at the top that are left out, or NULL */
};

struct copy_tree_stats {
	uint64_t files, dirs,
		others; /* others: symbolic links and FIFOs; names beyond a file's first count too */
	uint64_t bytes; /* of regular files */
	uint64_t shared; /* of these by reflink */
	uint64_t left_out; /* device nodes and sockets */
	uint64_t mounts; /* directories that are mount points: made, but not what is in them */
};

/*
 * The content and the attributes of the directory `from` into the empty directory `to`: content (holes stay holes), modes with all
 * bits, times to the nanosecond, extended attributes as far as they may be set, hard links among themselves, owners where we may. An owner
 * whom a mode keeps out of his own file lets himself in for the moment. Links are not followed; depth is not limited. Errors name the file;
 * `to` is then half-made. Not synced.
 */
int copy_tree(
	int from, int to, const struct copy_tree_options *o, struct copy_tree_stats *ret, struct err **err);

#endif
