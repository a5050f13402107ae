/* SPDX-License-Identifier: Apache-2.0 */
/* What images*.c share with each other and with gc.c alone. */
#ifndef UDOCKER_IMAGES_OPEN_H
#define UDOCKER_IMAGES_OPEN_H

struct err;
struct image;
struct lock;
struct store;
struct str;
struct tagdir;

/* Read the metadata of a folder that was found; t stays the caller's. ERR_CORRUPT when the tag is broken. */
int image_open_tagdir(struct store *s, struct tagdir *t, struct image **ret, struct err **err);

/*
 * What a manifest (taken) will be under `name` ("repo:tag") when it is stored: without a folder (.fd is -1, .dir NULL). ERR_CORRUPT.
 */
int image_of_manifest(const char *name, struct str *manifest, struct image **ret, struct err **err);

/* Held for the milliseconds of one change below repos/, so that two of them do not undo each other. */
int images_lock(struct store *s, struct lock *ret, struct err **err);

#endif
