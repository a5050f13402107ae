/* SPDX-License-Identifier: Apache-2.0 */
/* Image indexes and Docker manifest lists, and the choice of a platform among their entries. */
#ifndef UDOCKER_INDEX_H
#define UDOCKER_INDEX_H

#include "oci-spec/descriptor.h"
#include "pkg/base/base.h"

struct err;
struct json;
struct platform;

#define INDEX_MAX_ITEMS 4096

struct index {
	char *media_type; /* as written; "" if absent */
	struct descriptor *items;
	size_t n_items;
	struct json *annotations; /* or NULL; owned */
};

/* Schema version 2, `manifests` required. The caller frees with index_free(). ERR_CORRUPT. */
int index_from_json(const struct json *j, const char *where, struct index **ret, struct err **err);
void index_free(struct index *x);
DEFINE_CLEANUP(index_cleanup, struct index, index_free);
#define auto_index CLEANUP(index_cleanup) struct index

/* An attestation or another companion of an image (platform unknown/unknown, or the docker reference annotation). */
bool index_item_is_companion(const struct descriptor *d);

/*
 * The best entry for a platform among the images, inside x; the first of equals. ERR_UNSUPPORTED lists what there is.
 * A single entry without a platform is taken; see platform_rank() for compat.
 */
int index_select(const struct index *x, const struct platform *want, bool compat,
	const struct descriptor **ret, struct err **err);

#endif
