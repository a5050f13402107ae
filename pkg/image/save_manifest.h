/* SPDX-License-Identifier: Apache-2.0 */
/* The OCI manifest of an image that is saved: its own bytes where they are one and still true, else a conversion. Private to save*.c. */
#ifndef UDOCKER_IMAGE_SAVE_MANIFEST_H
#define UDOCKER_IMAGE_SAVE_MANIFEST_H

#include "pkg/base/base.h"

struct err;
struct save_image;

/*
 * Media types become OCI's, digests and sizes those of the layers as they will be saved; annotations and what else is in it stay, but for what
 * describes bytes that are no longer the same. Caller frees.
 */
int save_manifest(const struct save_image *si, char **ret, size_t *ret_n, struct err **err);

/* Layers of this image must have a compression for which there is a media type: its manifest cannot keep its bytes. */
bool save_manifest_is_new(const struct save_image *si);

#endif
