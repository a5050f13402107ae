/* SPDX-License-Identifier: Apache-2.0 */
/* push: an image of the store into a registry, as it is or with another kind of manifest or of layers. */
#ifndef UDOCKER_IMAGE_PUSH_H
#define UDOCKER_IMAGE_PUSH_H

#include "pkg/base/base.h"

struct err;
struct reference;
struct registry;
struct store;

enum push_format { PUSH_FORMAT_OWN, PUSH_FORMAT_OCI, PUSH_FORMAT_DOCKER };
enum push_compress { PUSH_COMPRESS_OWN, PUSH_COMPRESS_GZIP, PUSH_COMPRESS_ZSTD };

struct push_options {
	enum push_format format;
	enum push_compress compress; /* layers that are stored otherwise are packed anew */
	int jobs; /* blobs at once; 0: SEND_JOBS */
	bool all; /* with the tags of other platforms (platforms.h), in an index */
};

/*
 * Send `name` of the store to `to`, in the registry that was opened (with `push`) for it. What the registry has is not sent again, what another
 * repository of it has is mounted from there, the manifest comes last. Without format and compress its bytes are those of the store. ERR_NOT_FOUND,
 * ERR_AUTH, ERR_NETWORK, ERR_CORRUPT for damaged layers, ERR_USAGE. *ret_name: "NAME:TAG@DIGEST", caller frees.
 */
int push_image(struct store *s, const char *name, struct registry *r, const struct reference *to,
	const struct push_options *o, char **ret_name, struct err **err);

#endif
