/* SPDX-License-Identifier: Apache-2.0 */
/* A container copied within the store: ROOT, metadata, mode and protection, as 1.3.x does it, under an id of its own. */
#ifndef UDOCKER_BUNDLE_CLONE_H
#define UDOCKER_BUNDLE_CLONE_H

#include "pkg/base/base.h"

#define BUNDLE_IN_PROGRESS \
	"CLONING:inprogress" /* what 1.3.x writes as the image's name while it clones or imports */

struct birth_options;
struct container;
struct err;
struct store;

/*
 * Clone a container of the store (open for writing). Content is shared by reflink where the file system can. What belongs to the old place
 * is made anew: config.json, root.path; names stay where they are. A container of a mode that converts its files is converted for its new
 * place, ERR_UNSUPPORTED where this version cannot. *ret_id belongs to the caller; on failure nothing is left.
 * ERR_EXISTS (name), ERR_CORRUPT (half-made), ERR_NOT_FOUND.
 */
int bundle_clone(struct store *s, const char *container, const struct birth_options *o, char **ret_id,
	struct err **err);

/*
 * Can this container be handed on: is there a ROOT, and is it finished? ERR_CORRUPT, or ERR_BUSY while 1.3.x is making it. *ret_root (may be NULL): ROOT,
 * open for reading.
 */
int bundle_check_whole(const struct container *c, int *ret_root, struct err **err);

/* True for a name in a container's folder that means nothing elsewhere: state of runs, temporary files, what is made anew. */
bool bundle_is_local(const char *name);

#endif
