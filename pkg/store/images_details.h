/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a listing shows of the images' metadata, read by several threads while the folders are still being walked: for images_list.c alone. Each
 * file is opened once and read in one piece.
 */
#ifndef UDOCKER_IMAGES_DETAILS_H
#define UDOCKER_IMAGES_DETAILS_H

#include "oci-spec/digest.h"
#include "pkg/base/base.h"
#include "pkg/base/strv.h"
#include "pkg/store/listing.h"

struct image_config;
struct store;

/* One image: what is asked for, then what was found. */
struct details_job {
	const char *path, *repo, *tag; /* path: below repos/. The caller's, until details_free() */
	bool v2; /* `manifest` is what counts there */
	size_t info; /* the caller's numbers */
	uint32_t dir;

	bool read; /* the metadata; `config` may be missing even so */
	struct digest digest; /* of the manifest, if there is one and libcrypto */
	struct strv layers; /* names in layers/ */
	char *config_file; /* the same; NULL where the metadata has the configuration within */
	struct image_config *config; /* as image_config_skim() gives it, or NULL */
	/* Taken before the files were read; ino 0: not to be kept. */
	struct listing_stamp manifest_stamp, config_stamp;
};

struct details;
struct details *details_begin(struct store *s);
/* Takes note of one and returns at once. */
void details_add(struct details *d, const struct details_job *job);
/* Helps until all are done. In the order of details_add(), owned by d. */
struct details_job *const *details_finish(struct details *d, size_t *ret_n);
void details_free(struct details *d);
DEFINE_CLEANUP(details_cleanup, struct details, details_free);
#define auto_details CLEANUP(details_cleanup) struct details

#endif
