/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The layers of a stored image onto a directory, base first. Every byte is checked on the way: the blob against its digest and size, the
 * plain tar against the image's diff id. Decompression of the next layer runs ahead while one is applied.
 */
#ifndef UDOCKER_BUNDLE_UNPACK_H
#define UDOCKER_BUNDLE_UNPACK_H

#include "pkg/base/base.h"

struct err;
struct coming;
struct expect;
struct image;
struct image_config;
struct store;

struct unpack_source {
	const struct image *image;
	const struct image_config *config;
	const struct coming *
		coming; /* where the image is being pulled: its blobs are followed as they grow. NULL: it is stored */
};

struct unpack_options {
	bool keep_setid; /* keep set-user-id and set-group-id bits (1.3.x drops them) */
	bool record_owner; /* owners into an attribute of each file (layer.h) */
	bool progress; /* a line per layer (progress.h) */
	bool write_out; /* the caller will sync: see layer.h */
	/* Where not NULL the layers are applied to this instead (expect.h); root_fd is not looked at. */
	struct expect *expect;
};

struct unpack_stats {
	uint64_t files, bytes;
	uint64_t left_out; /* device nodes and sockets */
	uint64_t attrs; /* extended attributes that could not be set */
};

/*
 * root_fd is an empty directory in staging: on failure it is half-made and to be removed. Images that 1.3.x loaded or imported (v1) have no
 * digests to check. ERR_NOT_FOUND for a missing blob, ERR_CORRUPT with the layer's name for everything that is wrong with one.
 * Of layers that are followed what they unpack to is compared with the diff id; their compressed bytes are the pull's to check, and it is for the caller to see
 * that it did. ERR_NETWORK when it ended.
 */
int bundle_unpack(struct store *s, const struct unpack_source *src, int root_fd,
	const struct unpack_options *o, struct unpack_stats *ret, struct err **err);

#endif
