/* SPDX-License-Identifier: Apache-2.0 */
/* A tar archive becomes a container of the store: a root file system, or what export --clone and 1.3.x have written. */
#ifndef UDOCKER_BUNDLE_IMPORT_H
#define UDOCKER_BUNDLE_IMPORT_H

#include "pkg/base/base.h"

struct birth_options;
struct err;
struct platform;
struct store;

struct bundle_import_options {
	const char *what; /* names the source in messages */
	bool clone; /* the archive is a container's folder */
	const char
		*image; /* "repo:tag" of the image that it passes for; NULL: that of 1.3.x. Not with clone */
	const struct platform *platform; /* of its programs; NULL: the machine's. Not with clone */
	bool keep_setid, record_owner; /* as for create (layer.h) */
	bool progress;
};

/*
 * fd is a file or a pipe, compressed in any way or not. Names that begin with .wh. are names like others. A clone keeps metadata, mode,
 * protection and recorded owners; config.json is made anew, and what is neither of ROOT nor a file of a container's folder (udocker-compat
 * 2.5) is left out. Limits are those of create. *ret_id belongs to the caller; on failure nothing is left. ERR_EXISTS (name), ERR_CORRUPT.
 */
int bundle_import(struct store *s, int fd, const struct bundle_import_options *o,
	const struct birth_options *bo, char **ret_id, struct err **err);

#endif
