/* SPDX-License-Identifier: Apache-2.0 */
/* copy: an image from one place to another, registries, layouts, archives or the store, without the store unless it is one of them. */
#ifndef UDOCKER_IMAGE_COPY_H
#define UDOCKER_IMAGE_COPY_H

#include "pkg/base/base.h"
#include "pkg/image/transport.h"
#include "pkg/registry/client.h"

struct err;
struct platform;

enum copy_format { COPY_FORMAT_OWN, COPY_FORMAT_OCI, COPY_FORMAT_DOCKER };

struct copy_options {
	struct registry_settings registry; /* of both sides */
	const struct platform *platform; /* of an index; NULL: the machine's */
	bool all; /* all of an index instead */
	enum copy_format format; /* OWN: bytes are kept, but layouts and OCI archives get OCI manifests */
	int jobs;
	bool replace; /* a file that is there */
};

/*
 * Blobs are checked while they pass, and stream where they can: between registries and into layouts and archives. What has to be complete first (OCI and
 * docker archives that are read, docker archives that are written) goes through a scratch store below the directory for temporary files. The
 * destination sees the image when all of it is there, or nothing. ERR_USAGE, ERR_NOT_FOUND, ERR_AUTH, ERR_NETWORK, ERR_CORRUPT, ERR_EXISTS.
 */
int copy_image(const struct transport *from, const struct transport *to, const struct copy_options *o,
	struct err **err);

#endif
