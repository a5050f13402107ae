/* SPDX-License-Identifier: Apache-2.0 */
/* What patching programs and putting them back have in common. */
#ifndef UDOCKER_FAKECHROOT_PATCH_H
#define UDOCKER_FAKECHROOT_PATCH_H

#include <sys/stat.h>

#include "engines/elf_file.h"
#include "engines/fakechroot_stage.h"

/* ---- fakechroot_set.c: the originals ---- */
struct fakechroot_set;

/* A file that was replaced, both sides of it by inode. */
struct fakechroot_pair {
	const struct fakechroot_set *set;
	unsigned number;
	ino_t original, patched;
	mode_t mode; /* of the original, as the rest */
	uid_t uid;
	gid_t gid;
};

struct fakechroot_set {
	int fd; /* -1: there is none */
	dev_t dev; /* all of it is there */
	struct fakechroot_pair **pairs;
	size_t n, cap;
	void *by_original, *by_patched;
	unsigned next;
};
#define FAKECHROOT_SET_INIT ((struct fakechroot_set){ .fd = -1 })

/*
 * Read what is kept beside ROOT; without `make` it is no failure that there is nothing. Halves, of one who was killed, are dropped: no name of ROOT was
 * replaced yet. A patched file that was written to since is no pair: it is the container's now.
 */
int fakechroot_set_open(
	struct fakechroot_set *s, const struct fakechroot_stage *stage, bool make, struct err **err);
void fakechroot_set_close(struct fakechroot_set *s);
#define auto_fakechroot_set CLEANUP(fakechroot_set_close) struct fakechroot_set

/* Drop all of it. Killed in the middle, the next one drops the rest. */
int fakechroot_set_remove(struct fakechroot_set *s, const struct fakechroot_stage *stage);

struct fakechroot_pair *fakechroot_set_by_original(const struct fakechroot_set *s, ino_t ino);
struct fakechroot_pair *fakechroot_set_by_patched(const struct fakechroot_set *s, ino_t ino);

/* The file at dirfd/name is the original (or, with `is_patched`, the patched one), what lies in the stage as `staged` the other. -1 with errno. */
int fakechroot_set_add(struct fakechroot_set *s, const struct fakechroot_stage *stage, int dirfd,
	const char *name, const char *staged, bool is_patched, struct fakechroot_pair **ret);

/* What has been said of a patched file since - its mode, and by root its owner - goes over to the original. -1 with errno. */
int fakechroot_set_take_mode(const struct fakechroot_pair *pair, const struct stat *patched);

/* Changes: the one or the other of a pair (arg) takes the place of a name. */
fakechroot_change_fn fakechroot_set_put_patched, fakechroot_set_put_original;

/* ---- fakechroot_loader.c ---- */
#define FAKECHROOT_LOADER_MAX ((size_t)16 << 20)

/*
 * The loader of ROOT's programs: what the first one of this machine names, caller frees the path. Links are followed as in a chroot. NULL with
 * ERR_UNSUPPORTED when there is none.
 */
char *fakechroot_find_loader(
	const struct engine_ctx *ctx, int root, const struct fakechroot_places *places, struct err **err);
/* Open it, or another regular file. -1 with errno. */
int fakechroot_open_inside(int root, const char *path, struct stat *ret);

/* The bytes of a loader that asks the host for nothing: no cache, no folders of its own, no LD_LIBRARY_PATH but LD_LIBRARY_REAL (1.3.x). */
void fakechroot_edit_loader(char *bytes, size_t n);

/* ---- fakechroot_patch.c ---- */
/* By name and mode: what 1.3.x looks at, too. */
bool fakechroot_may_be_program(const char *name, const struct stat *st);
/* Owner, mode and times of another file. */
int fakechroot_set_attributes(int fd, const struct stat *st);

#endif
