/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An OCI layout directory that is written, a new one or one that is there: blobs get their names when they are complete, and index.json, replaced
 * at the end, is what makes the images appear. What a killed writer left is finished or overwritten by the next one. Private to pkg/image.
 */
#ifndef UDOCKER_IMAGE_LAYOUT_OUT_H
#define UDOCKER_IMAGE_LAYOUT_OUT_H

#include "oci-spec/digest.h"
#include "pkg/base/atomic.h"
#include "pkg/base/base.h"
#include "pkg/base/lock.h"
#include "pkg/base/strv.h"

struct err;
struct json;

struct layout {
	const char *path;
	int fd;
	int blobs[2]; /* directories by algorithm; -1 until needed */
	bool made; /* the directory is ours */
	bool done; /* published */
	struct lock lock;
	struct strv added; /* blobs of ours, below the top */
	struct json *index; /* as it was */
	char *text; /* of the index that was to be written */
};
#define LAYOUT_INIT(where) \
	((struct layout){ .path = (where), .fd = -1, .blobs = { -1, -1 }, .lock = LOCK_INIT })

/* Make or open it, and keep other writers out until layout_close(). ERR_EXISTS for a directory that is something else. */
int layout_open(struct layout *l, struct err **err);
/*
 * A blob that is to be written: 1, its temporary file in ret, which the caller fills and commits; 0: a whole one is there already. A damaged one
 * is written again.
 */
int layout_begin(
	struct layout *l, const struct digest *d, uint64_t size, struct atomic *ret, struct err **err);
int layout_commit(struct layout *l, struct atomic *file, const struct digest *d, struct err **err);
/* One from memory. */
int layout_put(struct layout *l, const struct digest *d, const void *p, size_t n, struct err **err);
/* The file has that content. */
bool layout_holds(int fd, const struct digest *want, uint64_t size);
/* Durable, and then visible: descriptors with names, in place of those of the same name. */
int layout_publish(struct layout *l, const struct json *entries, struct err **err);
/* Without layout_publish(), or when that failed, it is as it was before. */
void layout_close(struct layout *l);
#define auto_layout CLEANUP(layout_close) struct layout

#endif
