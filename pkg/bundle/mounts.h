/* SPDX-License-Identifier: Apache-2.0 */
/* What is mounted into a container: kernel file systems, the host's files that every run sees, volumes (udocker-compat 6.3, FIX-37). */
#ifndef UDOCKER_BUNDLE_MOUNTS_H
#define UDOCKER_BUNDLE_MOUNTS_H

#include "pkg/base/base.h"
#include "pkg/base/strv.h"

struct bundle_options;
struct err;
struct json;

struct bundle_volume {
	char *host; /* absolute, clean */
	char *cont; /* absolute, clean, not "/" */
	bool readonly;
	bool optional; /* a system folder: left out without a word when the host lacks it */
};
struct bundle_volumes {
	struct bundle_volume *items;
	size_t n, cap;
};
#define BUNDLE_VOLUMES_INIT ((struct bundle_volumes){ 0 })
void bundle_volumes_free(struct bundle_volumes *v);
#define auto_bundle_volumes CLEANUP(bundle_volumes_free) struct bundle_volumes

/*
 * HOST[:CONT[:OPTIONS]] with OPTIONS a comma list of ro, rw and what docker and podman allow (z Z U nocopy, propagation …: no effect). Duplicate
 * and trailing slashes go. Only the text is judged: ERR_USAGE for a relative path, CONT "/", an unknown option.
 */
int bundle_volume_parse(const char *text, struct bundle_volume *ret, struct err **err);
void bundle_volume_free(struct bundle_volume *v);

/*
 * The list of a run in the order of 6.3: user volumes, system folders, dri, home; --novol applied. A later entry for the same target
 * is dropped. ERR_NOT_FOUND for a missing source of a user volume.
 */
int bundle_volumes_collect(const struct bundle_options *o, struct bundle_volumes *ret, struct err **err);

/* Does the list cover this path inside the container (an entry at it or above it)? */
const struct bundle_volume *bundle_volumes_find(const struct bundle_volumes *v, const char *path);

/* Append the mounts to config.json: kernel file systems unless nosysdirs, then the list. */
void bundle_mounts_add(struct json *config, const struct bundle_options *o, const struct bundle_volumes *v);

#endif
