/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mount points inside ROOT for engines that really mount: missing ones are made, and recorded in the container folder as udocker 1.3.x
 * does (udocker-compat 2.7) so that `setup --purge` can unmake them. A bundle without container.json is not of the store: nothing is
 * recorded there. Everything inside ROOT is resolved as in a chroot.
 */
#ifndef UDOCKER_MOUNTPOINTS_H
#define UDOCKER_MOUNTPOINTS_H

#include "pkg/base/base.h"

struct err;
struct json;

struct mountpoints_at {
	int root; /* ROOT */
	int bundle; /* the container folder */
	int state_fd; /* the runtime's directory of the container, or -1: what mounts have from there */
	const char *state_path; /* lies in it by its final name, which it may not have yet */
};

/*
 * Make the missing target of every mount of `config` (a directory, or an empty file for a bind of anything else), except below
 * another mount, where it would land in the wrong file system.
 * ERR_DENIED when ROOT cannot be written, ERR_EXISTS when a target is a file where a directory is needed.
 */
int mountpoints_make(const struct mountpoints_at *at, const struct json *config, struct err **err);

/*
 * The same for an engine that shows them without: only what is missing above the targets. PRoot makes that, too, but removes it at its end, from below
 * other runs of the container; a target itself it can do without.
 */
int mountpoints_make_parents(const struct mountpoints_at *at, const struct json *config, struct err **err);

/*
 * Undo: first put the originals of `.bind_orig_files` back, then remove what `.mountpoints` records, upward to the recorded ancestor, but only
 * empty directories and files, and never a path that has or had an original (FIX-15); then both folders. Resumable; nothing recorded is success.
 */
int mountpoints_purge(int rootfd, int bundle_fd, struct err **err);

#endif
