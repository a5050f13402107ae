/* SPDX-License-Identifier: Apache-2.0 */
/* A stored image as the origin of a container: its tag and its configuration, checked as far as that goes without its layers. */
#ifndef UDOCKER_BUNDLE_ORIGIN_H
#define UDOCKER_BUNDLE_ORIGIN_H

#include "pkg/base/base.h"
#include "pkg/base/str.h"

struct err;
struct image;
struct image_config;
struct json;
struct store;

struct origin {
	struct image *image;
	struct str text; /* its configuration, as stored */
	struct json *json;
	struct image_config *config;
};
#define ORIGIN_INIT ((struct origin){ .image = NULL })

/* Into an ORIGIN_INIT. ERR_NOT_FOUND (image, blob), ERR_CORRUPT (digest, document). */
int origin_read(struct store *s, const char *ref, struct origin *ret, struct err **err);
void origin_free(struct origin *o);
#define auto_origin CLEANUP(origin_free) struct origin

#endif
