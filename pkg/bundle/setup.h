/* SPDX-License-Identifier: Apache-2.0 */
/* The execution mode of a container: shown, checked, changed; and what 1.3.x left in its ROOT for a mode, undone (udocker-compat 7.4, 7.7). */
#ifndef UDOCKER_BUNDLE_SETUP_H
#define UDOCKER_BUNDLE_SETUP_H

#include "pkg/base/base.h"

struct container;
struct err;
struct store;

#define BUNDLE_MODE_LEN 2
#define BUNDLE_ROOT_PATH_FILE "root.path" /* where ROOT was when the mode was set */

/*
 * What a run takes of this ROOT on this machine whose folder says nothing: the configured default, and where that is `auto` or nothing,
 * engine_light_mode(); "auto" where nothing works. Static.
 */
const char *bundle_default_mode(const char *rootfs);

/* The mode a run of this folder takes when nothing else is said: that of its execmode file, else the default for this ROOT. Caller frees. */
char *bundle_mode(int dirfd, const char *rootfs);

/*
 * A mode as typed (any case) to a mode: ERR_USAGE for a word that is none, ERR_UNSUPPORTED for one that no engine of this build has, with
 * those that are there in the hint.
 */
int bundle_mode_check(const char *text, char ret[BUNDLE_MODE_LEN + 1], struct err **err);

/* Write root.path and then execmode into a container folder that lies, or will lie, at `dir`; flags of atomic.h. */
int bundle_mode_write(int dirfd, const char *dir, const char *mode, unsigned flags, struct err **err);

struct bundle_setup {
	const char *
		mode; /* NULL: not to be changed; "auto": what each machine's default is from now on, no execmode file */
	bool force; /* go on where a step cannot be done or undone */
	bool again; /* also when it is the mode already */
	bool even_protected; /* the caller is just making it */
	bool nvidia; /* give it the host's NVIDIA driver (nvidia.h) */
	bool fixperm; /* make all in ROOT the caller's (fixperm.h) */
	bool purge; /* take the driver's files out, put originals of bound files back, remove recorded mount points (FIX-15) */
};
/*
 * Change a container. ERR_DENIED when its mode is to be changed and it is protected. A change of the mode that fails leaves the old one; it can
 * be repeated. The same mode again does nothing, unless that is asked for or forced. ERR_NOT_FOUND when there is no driver.
 */
int bundle_setup(struct store *s, const struct container *c, const struct bundle_setup *o, struct err **err);

#endif
