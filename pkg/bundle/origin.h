/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stored image as the origin of a container: its tag and its configuration, checked as far as that goes without its layers. Or one that another process
 * is pulling, whose layers may be unpacked where nobody sees it while they arrive.
 */
#ifndef UDOCKER_BUNDLE_ORIGIN_H
#define UDOCKER_BUNDLE_ORIGIN_H

#include "pkg/base/base.h"
#include "pkg/base/str.h"

struct coming;
struct err;
struct image;
struct image_config;
struct json;
struct store;

struct origin {
	const struct image *image;
	struct image *stored; /* owns image, where there is no `coming` */
	struct coming *coming; /* the pull that is followed, or NULL; origin_settle() ends it */
	struct str text; /* its configuration, as stored */
	struct json *json;
	struct image_config *config;
};
#define ORIGIN_INIT ((struct origin){ .image = NULL })

/* Into an ORIGIN_INIT. ERR_NOT_FOUND (image, blob), ERR_CORRUPT (digest, document). */
int origin_read(struct store *s, const char *ref, struct origin *ret, struct err **err);
/* The same, but an image that is not stored and is being pulled will do: ret->coming is set then. Waits for its configuration. ERR_NETWORK when the pull ends first. */
int origin_find(struct store *s, const char *ref, struct origin *ret, struct err **err);
/*
 * Wait until the pull has ended, and read what it has stored. 1: it is what was followed; 0: another image has this name now. ERR_NETWORK when it
 * has stored nothing. *o is a stored image's afterwards, or one to be freed.
 */
int origin_settle(struct store *s, const char *ref, struct origin *o, struct err **err);
void origin_free(struct origin *o);
#define auto_origin CLEANUP(origin_free) struct origin

#endif
