/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Image configuration + run options -> config.json: the conversion rules of the image-spec (conversion.md) and udocker's rules for environment,
 * command, user and directories (udocker-compat 6.3 to 6.7). The result runs as it lies under a plain rootless runc or crun; engines
 * without namespaces read it too. Nothing is written and nothing is created here.
 */
#ifndef UDOCKER_BUNDLE_CONFIG_H
#define UDOCKER_BUNDLE_CONFIG_H

#include "pkg/base/base.h"
#include "pkg/base/strv.h"

struct bundle_options;
struct container;
struct err;
struct json;
struct store;

/* What is to be run. Borrowed. */
struct bundle_source {
	const char *dir; /* absolute path of the container folder or bundle */
	int dirfd; /* the same, open */
	const char *root; /* root.path: "ROOT" in the store, "rootfs" in a free-standing bundle */
	const struct json *image; /* the image's configuration (container.json), or NULL */
	const char *id; /* container uuid, or NULL outside the store */
	const struct strv *names; /* aliases, or NULL */
	const char *image_name; /* "repo:tag" (imagerepo.name), or NULL */
	const char *
		execmode; /* what it runs in ("F3"); NULL or "": the configured default, or `auto`. Told to the program, and for what modes need */
};
#define BUNDLE_SOURCE_INIT ((struct bundle_source){ .dirfd = -1, .root = "ROOT" })

/* The mode that the document is made for: "F3", or "auto", where any engine may come. */
const char *bundle_source_mode(const struct bundle_source *src);

/*
 * Compute the document; *ret belongs to the caller. The directory `root` must exist below dirfd (it is read, FS_IN_ROOT). Warnings go to the log.
 * ERR_USAGE for a wrong option value, ERR_NOT_FOUND for a missing volume source, workdir or env file, ERR_CORRUPT for a broken image configuration.
 *
 * What engines find in it: the namespaces user and mount (uts with a host name); /proc, /sys and /dev/shm as recursive binds of the host's, for without a PID,
 * network or IPC namespace nothing else can be mounted there; no kernel file system at all with nosysdirs; one id map, of process.user to the caller.
 * runc needs id 0 mapped: under it a user other than root takes an engine's help. A missing working directory of the image becomes "/".
 */
int bundle_config_make(
	const struct bundle_source *src, const struct bundle_options *o, struct json **ret, struct err **err);

/* The same for a container of the store. */
int bundle_config_of_container(struct store *s, const struct container *c, const struct bundle_options *o,
	struct json **ret, struct err **err);

#endif
