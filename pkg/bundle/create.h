/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a stored image to a container folder, or to a bundle anywhere. Everything is made in staging and appears by one rename: a failure, an
 * interrupt or a power cut leaves nothing that a listing would show.
 */
#ifndef UDOCKER_BUNDLE_CREATE_H
#define UDOCKER_BUNDLE_CREATE_H

#include "pkg/base/base.h"

struct bundle_source;
struct err;
struct store;

struct bundle_create_options {
	const char *name; /* NULL: none */
	const char *execmode; /* NULL or "auto": no execmode file */
	bool no_sync; /* leave it to the kernel when the files reach the disk */
	bool force; /* a bad or taken name is dropped: the container stays without one (1.3.x) */
	bool progress;
	bool keep_setid, record_owner; /* as in unpack.h */
};

/*
 * A container of the image `ref` in the store (open for writing). *ret_id belongs to the caller. Name and mode are checked before
 * anything is done. ERR_NOT_FOUND (image, blob), ERR_EXISTS (name), ERR_USAGE (name, mode), ERR_CORRUPT (digests, archives).
 * An image that is absent and is being pulled is unpacked while it arrives (coming.h); ERR_NETWORK when that pull fails.
 */
int bundle_create(struct store *s, const char *ref, const struct bundle_create_options *o, char **ret_id,
	struct err **err);

/*
 * A free-standing bundle: dir/config.json and dir/rootfs. dir must not exist or be an empty directory (ERR_EXISTS); it is made beside
 * its place under a hidden name and renamed. `name` and `execmode` of the options are not looked at.
 */
int bundle_create_at(struct store *s, const char *ref, const char *dir, const struct bundle_create_options *o,
	struct err **err);

/* Compute config.json without run options from the source and write it into src->dirfd (atomically, not synced). */
int bundle_write_config(const struct bundle_source *src, struct err **err);

#endif
