/* SPDX-License-Identifier: Apache-2.0 */
/*
 * save: images of the store as a docker archive, an OCI archive or an OCI layout directory. Digests are checked while the bytes pass; the same
 * images give the same bytes.
 */
#ifndef UDOCKER_IMAGE_SAVE_H
#define UDOCKER_IMAGE_SAVE_H

#include "pkg/base/base.h"

struct err;
struct store;

enum save_format { SAVE_DOCKER_ARCHIVE, SAVE_OCI_ARCHIVE, SAVE_OCI_LAYOUT };
enum save_compress {
	SAVE_COMPRESS_DEFAULT, /* plain in a docker archive, as it is stored elsewhere */
	SAVE_COMPRESS_NONE,
	SAVE_COMPRESS_GZIP,
	SAVE_COMPRESS_ZSTD,
};

struct save_options {
	enum save_format format;
	enum save_compress compress; /* layers that are not stored so are packed anew */
	const char *path; /* NULL or "-": the standard output, for archives alone */
	bool replace; /* a file that is there */
	const char *name; /* what the one image is called there, "" nothing; NULL: as here */
	bool all; /* with the tags of other platforms (platforms.h), in an index; not in a docker archive */
};

/*
 * Layers that images share are written once. A file appears when it is complete and durable. A layout that is there is added to: entries of
 * the same name are replaced, all else stays. ERR_NOT_FOUND for an image that is not there, ERR_CORRUPT where stored data is not what its digest
 * says, ERR_EXISTS for a file that is there, ERR_USAGE for options that do not go together. On failure nothing is left, but for what a stream
 * has got already.
 */
int save_images(struct store *s, char *const *refs, const struct save_options *o, struct err **err);

#endif
