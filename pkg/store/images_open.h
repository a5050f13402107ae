/* SPDX-License-Identifier: Apache-2.0 */
/* What images.c shares with images_list.c and images_put.c alone. */
#ifndef UDOCKER_IMAGES_OPEN_H
#define UDOCKER_IMAGES_OPEN_H

struct err;
struct image;
struct store;
struct tagdir;

/* Read the metadata of a folder that was found; t stays the caller's. ERR_CORRUPT when the tag is broken. */
int image_open_tagdir(struct store *s, struct tagdir *t, struct image **ret, struct err **err);

#endif
