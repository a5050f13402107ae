/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An image for several platforms in a store whose tags hold one manifest each, as udocker 1.3.x reads them: NAME:TAG is the image for this
 * machine, and NAME:TAG-OS-ARCH[-VARIANT] is the one for each platform.
 */
#ifndef UDOCKER_IMAGE_PLATFORMS_H
#define UDOCKER_IMAGE_PLATFORMS_H

#include "pkg/base/base.h"

struct err;
struct platform;
struct store;
struct strv;

/* "3" and linux/arm/v7: "3-linux-arm-v7". Caller frees. */
char *image_platform_tag(const char *tag, const struct platform *p);

/*
 * Whether `tag` is what image_platform_tag(of, p) gives; a variant may be behind it that p lacks, and is filled in: configurations often do not
 * say what the index did.
 */
bool image_platform_of(const char *tag, const char *of, struct platform *p);

/*
 * What there is of the image: the reference itself, if it is in the store, and the tags of its platforms in order. A tag counts only if the
 * image in it is for the platform that it names. ERR_NOT_FOUND when there is none.
 */
int image_platform_names(struct store *s, const char *ref, struct strv *ret, struct err **err);

#endif
