/* SPDX-License-Identifier: Apache-2.0 */
/* A container of the store as a tar archive: its root file system, or with everything that 1.3.x keeps beside it. */
#ifndef UDOCKER_BUNDLE_EXPORT_H
#define UDOCKER_BUNDLE_EXPORT_H

#include "pkg/base/base.h"

struct err;
struct store;

struct bundle_export_options {
	const char
		*path; /* NULL or "-": the standard output. A file that is there is replaced, as 1.3.x does */
	bool clone; /* the folder with its metadata, mode and protection (udocker-compat 2.10), not ROOT alone */
	bool progress;
	bool announce; /* say where to, as 1.3.x does */
};

/*
 * Names are ./…, the same tree makes the same bytes. What belongs to the caller belongs to 0:0 in the archive, or to the recorded owner
 * (archive/owner.h; a clone keeps the record instead); other owners stay. Sockets are left out, and what is mounted in it, both with a word.
 * A file appears when it is complete and durable; on failure nothing is left, but for what a stream has got already. ERR_NOT_FOUND also for a
 * container that was removed meanwhile, ERR_CORRUPT, ERR_BUSY (half-made), ERR_DENIED (a file that cannot be read).
 */
int bundle_export(
	struct store *s, const char *container, const struct bundle_export_options *o, struct err **err);

#endif
