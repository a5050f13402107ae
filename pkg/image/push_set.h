/* SPDX-License-Identifier: Apache-2.0 */
/* An image of the store as it will be in a registry: its documents, and the layers they name. Private to push.c and copy*.c. */
#ifndef UDOCKER_IMAGE_PUSH_SET_H
#define UDOCKER_IMAGE_PUSH_SET_H

#include "oci-spec/digest.h"
#include "pkg/base/base.h"
#include "pkg/image/save_manifest.h"
#include "pkg/image/save_set.h"

struct err;
struct push_blob;
struct push_options;
struct send_blob;

struct push_image { /* one platform */
	const struct save_image *from;
	struct save_document doc;
	struct digest digest;
};

struct push {
	struct save_set set;
	const struct push_options *o;
	enum save_family family;
	struct push_image *images;
	size_t n_images;
	struct push_blob *blobs;
	struct send_blob *send;
	size_t n_blobs;
	struct save_document index; /* text NULL: one image alone */
	struct digest index_digest;
};

/* All that can be known before a registry is spoken to; p->set.store and p->o are set. Caller frees, also after a failure. */
int push_prepare(struct push *p, const char *name, struct err **err);
void push_free(struct push *p);
/* Of the manifest, or of the index of several. */
const struct digest *push_digest(const struct push *p);

#endif
