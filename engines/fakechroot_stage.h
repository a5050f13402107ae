/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changing entries of ROOT for Fakechroot and back: each is made in a folder beside ROOT and takes its place by rename, so that at any time it is
 * the old or the new one. Directories keep their times and modes, also where the one who changed them was killed.
 */
#ifndef UDOCKER_FAKECHROOT_STAGE_H
#define UDOCKER_FAKECHROOT_STAGE_H

#include <sys/stat.h>

#include "engines/engine.h"

#define FAKECHROOT_STAGE ".fakechroot/stage"

struct fakechroot_stage {
	int bundle; /* the container's folder */
	int root; /* ROOT */
	int fd; /* the folder of what is being made */
	char *at_hand; /* path of the directory that is recorded, or NULL */
	unsigned noted; /* modes */
};
#define FAKECHROOT_STAGE_INIT ((struct fakechroot_stage){ .bundle = -1, .root = -1, .fd = -1 })

/* Open all three, and close again what a predecessor that was killed has left open. */
int fakechroot_stage_open(struct fakechroot_stage *s, const struct engine_ctx *ctx, struct err **err);
/* Drops what is left in the folder, and the folder. */
void fakechroot_stage_close(struct fakechroot_stage *s);
#define auto_fakechroot_stage CLEANUP(fakechroot_stage_close) struct fakechroot_stage

/* One change of the entry `name` in a directory; -1 with errno. */
typedef int fakechroot_change_fn(const struct fakechroot_stage *s, int dirfd, const char *name, void *arg);

/*
 * Make one change in a directory of ROOT; `path` is the entry's from ROOT. Where the directory's mode keeps us out it is opened for as long.
 * Mode and time of the directory are recorded before. -1 with errno.
 */
int fakechroot_stage_change(struct fakechroot_stage *s, int dirfd, const char *name, const char *path,
	fakechroot_change_fn *change, void *arg);

/*
 * Before a file or directory of ours is looked into that its mode closes for us: whoever opens it gives the mode back, and after a kill the next
 * change does. What others can open is not noted. -1 with errno.
 */
int fakechroot_stage_note(struct fakechroot_stage *s, const char *path, const struct stat *st);

/* Where ROOT is and was. */
struct fakechroot_places {
	const char *now;
	char *then; /* at the last change of the mode; or NULL */
	char *patched; /* when 1.3.x patched programs; or NULL */
};
void fakechroot_places_read(struct fakechroot_places *p, const struct engine_ctx *ctx, int bundle);
void fakechroot_places_free(struct fakechroot_places *p);
#define auto_fakechroot_places CLEANUP(fakechroot_places_free) struct fakechroot_places

/* The path as the image has it: without ROOT in front, as it is called or was, or any container's ROOT of a store. A part of `text`, or "/". */
const char *fakechroot_original(const struct fakechroot_places *p, const char *text);

#endif
