/* SPDX-License-Identifier: Apache-2.0 */
/* The slow way of path.h: a path made canonical component by component. Nothing outside of path.c and its tests uses it. */
#ifndef UDOCKER_TRAP_WALK_H
#define UDOCKER_TRAP_WALK_H

enum walk_end {
	WALK_FOLLOW, /* a link at the end is followed */
	WALK_KEEP, /* unless a slash follows it, it is kept */
	WALK_NAME, /* the last component is a name to be made or removed: kept, and "." and ".." with it */
};

/* As path_canonical(). */
long walk_path(int dirfd, const char *path, enum walk_end end, char *out);

#endif
