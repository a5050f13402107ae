/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One tag's folder repos/<repo>/<tag>/ as files and links, for the images_*.c files of this room alone: found, made, emptied. What the
 * metadata says is read in images.c.
 */
#ifndef UDOCKER_TAGDIR_H
#define UDOCKER_TAGDIR_H

#include "pkg/base/base.h"

struct err;
struct reference;
struct store;
struct strv;

struct tagdir {
	char *path; /* below repos/ */
	char *repo, *tag; /* what it is called, also when it lies where 1.3.x mis-splits (FIX-12) */
	int fd;
};
#define TAGDIR_INIT ((struct tagdir){ .fd = -1 })
void tagdir_close(struct tagdir *t);
#define auto_tagdir CLEANUP(tagdir_close) struct tagdir

/* The folder of an existing tag. 1 found, 0 not, -1. */
int tagdir_find(struct store *s, const struct reference *r, struct tagdir *ret, struct err **err);
/* Exactly that folder, if it is a tag. 1, 0, -1. */
int tagdir_open(struct store *s, const char *path, struct tagdir *ret, struct err **err);
/* Made if it is missing, with all above it. */
int tagdir_make(struct store *s, const struct reference *r, struct tagdir *ret, struct err **err);

/* False when the folder was taken away or replaced since it was opened. */
bool tagdir_is_current(struct store *s, const struct tagdir *t);

bool tagdir_has(const struct tagdir *t, const char *name); /* lstat semantics */

/* The relative text of a link in this folder to a blob. Caller frees. */
char *tagdir_link_text(struct store *s, const struct tagdir *t, const char *blob);
/* Make or correct the link `name` to a blob. Returns 1 if it was not there before, 0 if it was, -1. */
int tagdir_link(
	struct store *s, const struct tagdir *t, const char *name, const char *blob, struct err **err);

/* Remove the links whose names are not in `keep` (sorted; NULL: all), and what they lead to is added to ret_targets. */
int tagdir_drop_links(
	const struct tagdir *t, const struct strv *keep, struct strv *ret_targets, struct err **err);
/*
 * Remove everything, so that the image vanishes in one step: the folder is taken away, or, where it holds deeper repositories, TAG goes
 * first. Targets of links are added to ret_targets. ERR_DENIED when it turns out to be protected.
 */
int tagdir_remove(struct store *s, struct tagdir *t, struct strv *ret_targets, struct err **err);

/* A folder that was moved to the process's staging directory. A crash then removes it for good. */
struct tagdir_taken {
	int fd;
	char *name; /* in the staging directory: TAGDIR_REMOVED "..." */
};
#define TAGDIR_REMOVED "tag-"
/* False when it cannot be: it holds folders, or lies on another file system. */
bool tagdir_take(struct store *s, const char *path, struct tagdir_taken *ret);
void tagdir_put_back(struct store *s, const char *path, struct tagdir_taken *t);
void tagdir_discard(struct store *s, struct tagdir_taken *t, struct strv *ret_targets);
/* What the links in the directory lead to (last components), added to ret. */
void tagdir_targets(int dirfd, const char *path, struct strv *ret);

/* Remove this folder and those above it, as far as they are empty. */
void tagdir_prune(struct store *s, const char *path);

#endif
