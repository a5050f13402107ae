/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files of nvidia_*.c. */
#ifndef UDOCKER_BUNDLE_NVIDIA_PRIV_H
#define UDOCKER_BUNDLE_NVIDIA_PRIV_H

#include "pkg/bundle/nvidia.h"

/* "/", or what UDOCKER_TEST_HOST_ROOT names: a tree that stands for the host, for tests alone. O_PATH. -1 with errno. */
int nvidia_host_root(void);
/* Where `path` of the host really is, without links; NULL with errno. Caller frees. */
char *nvidia_host_path(int hostfd, const char *path);

/* Unless the place is taken. `host` is resolved, `cont` made clean. */
void nvidia_set_add(struct nvidia_set *s, enum nvidia_kind kind, const char *host, const char *cont);
const struct nvidia_item *nvidia_set_at(const struct nvidia_set *s, const char *cont);

/*
 * The links beside a library that lead to it, by names that share its stem ("libcuda.so", "libcuda.so.1"): at the same names in `cont_dir`. `host`
 * is where the library really is, `dir` the directory of the host in which it was found.
 */
void nvidia_add_links(
	struct nvidia_set *s, int hostfd, const char *dir, const char *host, const char *cont_dir);

/* By specifications: 1 when there was one, 0 when there is none. */
int nvidia_find_cdi(int hostfd, const char *devices, struct nvidia_set *ret, struct err **err);
/* By looking. */
int nvidia_find_driver(int hostfd, int rootfd, const char *devices, struct nvidia_set *ret, struct err **err);

#endif
