/* SPDX-License-Identifier: Apache-2.0 */
/* The four places `copy` reads from. Private to copy*.c. */
#ifndef UDOCKER_IMAGE_COPY_SOURCE_H
#define UDOCKER_IMAGE_COPY_SOURCE_H

#include "oci-spec/descriptor.h"
#include "pkg/base/base.h"
#include "pkg/base/str.h"
#include "pkg/image/copy_set.h"
#include "pkg/image/push.h"
#include "pkg/image/push_set.h"

struct err;
struct reference;
struct registry;
struct source;
struct store;

struct copy_from {
	struct copy_source source;
	struct descriptor top;
	/* One of them is in use. */
	struct str manifest; /* of a registry: the top's bytes */
	char *type;
	int dirfd; /* of a layout */
	struct source *archive;
	struct push push; /* from the store */
	struct push_options push_options;
};
#define COPY_FROM_INIT ((struct copy_from){ .dirfd = -1 })
void copy_from_free(struct copy_from *f);
#define auto_copy_from CLEANUP(copy_from_free) struct copy_from

/* The registry stays the caller's. */
int copy_from_registry(
	struct copy_from *f, struct registry *r, const struct reference *ref, struct err **err);
/* The entry of a layout that `name` means; without one it must be alone. */
int copy_from_layout(struct copy_from *f, const char *path, const char *name, struct err **err);
/* An archive for reading; "-" is the standard input. *ret_what names it in messages. */
int copy_open_archive(const char *path, const char **ret_what, struct err **err);
/* The same of an archive, which is staged in the store `scratch`. */
int copy_from_archive(
	struct copy_from *f, struct store *scratch, const char *path, const char *name, struct err **err);
/* An image of a store, which must stay open. */
int copy_from_store(struct copy_from *f, struct store *s, const char *name, bool all, struct err **err);

#endif
