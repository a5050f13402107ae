/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bundle as create and run are given it: its directory, its configuration from one of four places, its root file system;
 * and the search for the program in it, before anything is started.
 */
#ifndef UDOCKER_RUNTIME_BUNDLE_H
#define UDOCKER_RUNTIME_BUNDLE_H

#include "pkg/base/base.h"

struct err;
struct json;
struct runtime_process;

struct runtime_bundle {
	char *path; /* absolute */
	int fd;
	struct json *config; /* checked; ours to edit */
	char *rootfs; /* absolute, a directory */
	int rootfs_fd;
};
#define RUNTIME_BUNDLE_INIT ((struct runtime_bundle){ .fd = -1, .rootfs_fd = -1 })

struct runtime_bundle_source {
	const char *dir; /* NULL: the working directory */
	const char *config_file; /* --config, relative to the working directory; or NULL */
	int config_fd; /* --config-fd: read from its beginning and closed; or -1 */
	struct json **config; /* in memory: taken, and checked like one that was read; or NULL */
};

/* ERR_NOT_FOUND, ERR_CORRUPT (the JSON path is named), ERR_USAGE for two configurations at once. */
int runtime_bundle_load(
	const struct runtime_bundle_source *from, struct runtime_bundle *ret, struct err **err);
void runtime_bundle_free(struct runtime_bundle *b); /* leaves it empty */
#define auto_runtime_bundle CLEANUP(runtime_bundle_free) struct runtime_bundle

/*
 * Generated files travel as annotations `org.udocker.file:/PATH` = content. Write each to dirfd/files/N and add a bind mount
 * to the configuration whose source is dir_path/files/N. The annotations go. dirfd -1: only the mounts (for --dry-run).
 */
int runtime_bundle_files(struct json *config, int dirfd, const char *dir_path, struct err **err);

/*
 * The program of the process inside the root file system and its bind mounts, as execvp would look for it: ERR_NOT_FOUND
 * `exec: "x": executable file not found in $PATH` (or `stat /x: no such file or directory`), ERR_DENIED `exec: "/x":
 * permission denied`. The wording is what callers recognise (spec oci-runtime). *ret_path (may be NULL) is where it was found.
 */
int runtime_find_program(const struct runtime_bundle *b, const struct runtime_process *process,
	char **ret_path, struct err **err);

/*
 * A text file as the program sees it, through links and bind mounts; appended to ret. -1 with errno, EFBIG when it is larger than max.
 */
struct str;
int runtime_read_inside(const struct runtime_bundle *b, const char *path, size_t max, struct str *ret);

#endif
