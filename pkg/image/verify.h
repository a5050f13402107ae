/* SPDX-License-Identifier: Apache-2.0 */
/* verify of an image: what fsck_image() of the store checks, and that each layer unpacks to what the configuration says (its diff id). */
#ifndef UDOCKER_IMAGE_VERIFY_H
#define UDOCKER_IMAGE_VERIFY_H

#include "pkg/store/fsck.h"

/*
 * As fsck_image(). Of images that udocker 1.3.x loaded the diff ids say nothing. What layers may unpack to is limited by the settings
 * unpack_max_size and unpack_max_ratio.
 */
int image_verify(
	struct store *s, const struct image *img, fsck_report_fn *report, void *arg, struct err **err);

#endif
