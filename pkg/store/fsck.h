/* SPDX-License-Identifier: Apache-2.0 */
/* verify: is a stored image whole? Config and layers are read and hashed; every damage is named, not only the first. */
#ifndef UDOCKER_FSCK_H
#define UDOCKER_FSCK_H

#include "pkg/base/base.h"

struct err;
struct image;
struct store;

enum fsck_state {
	FSCK_OK,
	FSCK_UNCHECKED, /* readable, but nothing says what its digest should be (images that 1.3.x loaded) */
	FSCK_BAD,
};

enum fsck_part {
	FSCK_CONFIG,
	FSCK_LAYER,
	FSCK_FILE, /* something in the image's folder; told only when it is bad */
};

/*
 * Called once for the config and for each layer, base first, and for what else is wrong with the folder. `what` is the name in layers/ or in
 * the folder; `text` says what is wrong, or is NULL.
 */
typedef void fsck_report_fn(
	enum fsck_state state, enum fsck_part part, const char *what, const char *text, void *arg);

/*
 * Returns the number of damaged parts (0: the image is whole), or -1 when it could not be looked at, or for an interrupt. Digests, sizes,
 * the presence of every link and that it leads to its blob in layers/, that config and manifest agree on the number of layers, and that nothing
 * is in the folder that has no business there (links to layers that the image does not use have: 1.3.x leaves them). What layers unpack to is
 * another's to look at (pkg/image/verify.h).
 */
int fsck_image(struct store *s, const struct image *img, fsck_report_fn *report, void *arg, struct err **err);

#endif
