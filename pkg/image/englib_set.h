/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The installed engines: the files of bindir, libdir and docdir that an engine archive brought. libdir has VERSION, as with udocker 1.3.x, and
 * .installed, the list of what was put where; `.install` in each of the three is where a new set is staged. When it is complete, the rename of
 * libdir's to `.publish` decides: before it all is as it was, and after it whoever opens the set next ends what was begun. Each file is replaced
 * by a rename, VERSION the last.
 */
#ifndef UDOCKER_IMAGE_ENGLIB_SET_H
#define UDOCKER_IMAGE_ENGLIB_SET_H

#include "pkg/base/base.h"
#include "pkg/base/lock.h"
#include "pkg/image/englib_archive.h"

struct err;

struct englib_set {
	int dir[ENGLIB_PARTS];
	int stage[ENGLIB_PARTS];
	struct lock lock;
};
#define ENGLIB_SET_INIT \
	((struct englib_set){ .dir = { -1, -1, -1 }, .stage = { -1, -1, -1 }, .lock = LOCK_INIT })

/* The directories of the settings, made where they are missing, for one installer at a time; what another could not end is ended or dropped. */
int englib_set_open(struct englib_set *ret, struct err **err);
void englib_set_close(struct englib_set *s); /* what is staged and not published is gone */
#define auto_englib_set CLEANUP(englib_set_close) struct englib_set

/* What libdir/VERSION says, "" without one; caller frees. Nothing is opened for it, nothing made. */
char *englib_set_version(void);

/* Empty staging directories, for englib_archive_stage(). */
int englib_set_stage(struct englib_set *s, struct err **err);
/* The staged files take their places, and those of the set before that are not in this one go. ERR_EXISTS when a directory is in the way. */
int englib_set_publish(struct englib_set *s, struct err **err);

/*
 * Remove what was installed, and nothing else: what was changed since stays, with a warning. ERR_NOT_FOUND where engines are installed and
 * nothing says which files they are (udocker 1.3.x keeps no list).
 */
int englib_set_purge(struct englib_set *s, struct err **err);

#endif
