/* SPDX-License-Identifier: Apache-2.0 */
/* The places `copy` writes to: each gets all blobs, then documents, and becomes visible last. Private to copy*.c. */
#ifndef UDOCKER_IMAGE_COPY_TARGET_H
#define UDOCKER_IMAGE_COPY_TARGET_H

#include "pkg/base/base.h"

struct copy_set;
struct err;
struct reference;
struct registry;
struct store;
struct strv;

/* `name` is that of the entry in index.json, or NULL. */
int copy_to_layout(
	const struct copy_set *set, const char *path, const char *name, int jobs, struct err **err);
int copy_to_archive(
	const struct copy_set *set, const char *path, bool replace, const char *name, struct err **err);
/* The top must be an image's manifest. */
int copy_to_store(const struct copy_set *set, struct store *s, const char *name, int jobs, struct err **err);
/* `from`: repositories of the same registry that may have the blobs, or NULL. */
int copy_to_registry(const struct copy_set *set, struct registry *r, const struct reference *to,
	const struct strv *from, int jobs, struct err **err);

#endif
