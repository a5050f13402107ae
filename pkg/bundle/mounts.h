/* SPDX-License-Identifier: Apache-2.0 */
/* What is mounted into a container: kernel file systems, the host's files that every run sees, volumes (udocker-compat 6.3, FIX-37). */
#ifndef UDOCKER_BUNDLE_MOUNTS_H
#define UDOCKER_BUNDLE_MOUNTS_H

#include "pkg/base/base.h"
#include "pkg/base/strv.h"

struct bundle_options;
struct err;
struct json;

enum bundle_volume_kind {
	VOLUME_USER, /* asked for: its source must exist */
	VOLUME_SYSTEM, /* a default: left out without a word when the host lacks it */
	VOLUME_KERNEL, /* /dev, /proc or /sys of the defaults: more than one mount */
	VOLUME_TMPFS, /* an empty file system: its host is "tmpfs" */
};

struct bundle_volume {
	enum bundle_volume_kind kind;
	char *text; /* as it was given: what --novol may name */
	char *host; /* absolute, clean */
	char *cont; /* absolute, clean, not "/" */
	char *options; /* of a tmpfs, divided by commas; else NULL */
	bool readonly;
};
struct bundle_volumes {
	struct bundle_volume *items;
	size_t n, cap;
	bool quiet; /* no warnings: only looked at */
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
 * The list of a run in the order of 6.3: user volumes, system folders, dri, home, with mpi the job's folders; --novol applied. A later entry for the same target
 * is dropped. The host's /etc/hosts is among them when the container (directory rootfd) has none of its own, or an empty one. ERR_NOT_FOUND for a
 * missing source of a user volume.
 */
int bundle_volumes_collect(
	const struct bundle_options *o, int rootfd, struct bundle_volumes *ret, struct err **err);
/* What was asked for alone, into an empty list, which may be quiet. ERR_USAGE, or what the system says of a source. */
int bundle_volumes_asked(const struct bundle_options *o, struct bundle_volumes *ret, struct err **err);
/* Take the entry over, or free it when its target is taken, which is a warning for one that was asked for. */
void bundle_volumes_put(struct bundle_volumes *v, struct bundle_volume *one);
/* Take a default at exactly this path inside off the list. */
void bundle_volumes_drop_system(struct bundle_volumes *v, const char *path);
/* A default more, unless its target is there already. */
void bundle_volumes_add_system(struct bundle_volumes *v, const char *path);
/* The same of `host` at `cont`, both absolute and clean. */
void bundle_volumes_add_found(struct bundle_volumes *v, const char *host, const char *cont, bool readonly);

/* The user's entry at this path inside the container or above it, the deepest one; NULL if there is none. */
const struct bundle_volume *bundle_volumes_find(const struct bundle_volumes *v, const char *path);
/* The host's path of what that entry shows at `path`. Caller frees. */
char *bundle_volume_host_path(const struct bundle_volume *v, const char *path);

/* Append the mounts to config.json: kernel file systems, then the list, parents before children. */
void bundle_mounts_add(struct json *config, const struct bundle_volumes *v);

/* linux.devices for --device: character and block devices at the path they have on the host. ERR_NOT_FOUND, ERR_USAGE. */
int bundle_devices_add(struct json *config, const struct strv *devices, struct err **err);

#endif
