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

/* Called once for the config and for each layer, base first. `what` is the name in layers/; `text` says what is wrong, or is NULL. */
typedef void fsck_report_fn(
	enum fsck_state state, bool is_config, const char *what, const char *text, void *arg);

/*
 * Returns the number of damaged parts (0: the image is whole), or -1 when it could not be looked at. Digests, sizes, the presence of
 * every link and of its target, and that config and manifest agree on the number of layers.
 */
int fsck_image(struct store *s, const struct image *img, fsck_report_fn *report, void *arg, struct err **err);

#endif
