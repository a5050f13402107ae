/* SPDX-License-Identifier: Apache-2.0 */
/* pull: an image of a registry into the store. The manifest is stored as it came, blobs are checked while they arrive. */
#ifndef UDOCKER_IMAGE_PULL_H
#define UDOCKER_IMAGE_PULL_H

#include "pkg/base/base.h"

struct err;
struct json;
struct platform;
struct reference;
struct registry;
struct registry_manifest;
struct store;

#define PULL_JOBS 4
#define PULL_JOBS_MAX 32

struct pull_options {
	const struct platform *platform; /* NULL: the machine's */
	int jobs; /* blobs at once; 0: PULL_JOBS */
};

/*
 * Fetch what `ref` names from the registry that was opened for it and store it under that name, replacing an older image. What is in the store
 * already is not fetched again, and what a broken-off pull left is gone on with. On failure no image has changed; complete blobs stay
 * for the next try (or `prune`). ERR_NOT_FOUND, ERR_AUTH, ERR_NETWORK, ERR_CORRUPT; ERR_UNSUPPORTED for an artifact that is no image
 * or one for other platforms; ERR_DENIED for a protected tag. *ret_name: "NAME:TAG@DIGEST" ("NAME@DIGEST" for a reference by digest), caller frees.
 */
int pull_image(struct store *s, struct registry *r, const struct reference *ref, const struct pull_options *o,
	char **ret_name, struct err **err);

/* The manifest for a platform, through indexes; `raw`: what the registry has under that name, an index too. Nothing is stored. */
int pull_manifest(struct registry *r, const struct reference *ref, const struct platform *want, bool raw,
	struct registry_manifest *ret, struct err **err);

#endif
