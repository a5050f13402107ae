/* SPDX-License-Identifier: Apache-2.0 */
/* The manifest of an image that is saved or pushed: its own bytes where they still serve, else a conversion. Private to save*.c and push*.c. */
#ifndef UDOCKER_IMAGE_SAVE_MANIFEST_H
#define UDOCKER_IMAGE_SAVE_MANIFEST_H

#include "pkg/base/base.h"

struct err;
struct save_image;

enum save_family {
	SAVE_FAMILY_OCI,
	SAVE_FAMILY_DOCKER, /* schema 2; annotations, which it does not know, go */
	SAVE_FAMILY_OWN, /* what it is in the store; OCI's for schema 1, for none, and where Docker's has no name for zstd */
};

struct save_document {
	char *text;
	size_t n;
	const char *media_type; /* static */
};
void save_document_free(struct save_document *d);
#define auto_save_document CLEANUP(save_document_free) struct save_document

/*
 * Media types become the family's, digests and sizes those of the layers as they will be saved; annotations and what else is in it stay, but for
 * what describes bytes that are no longer the same. Caller frees.
 */
int save_manifest(
	const struct save_image *si, enum save_family family, struct save_document *ret, struct err **err);

/* Layers of this image must have a compression for which there is a media type: its manifest cannot keep its bytes. */
bool save_manifest_is_new(const struct save_image *si, enum save_family family);

#endif
