/* SPDX-License-Identifier: Apache-2.0 */
/* Paths of the host, as the kernel sees them: what a plan of read-only things has to know. */
#ifndef UDOCKER_HOST_PATH_H
#define UDOCKER_HOST_PATH_H

#include "pkg/base/base.h"

struct strv;

/* Absolute and without links; NULL if there is nothing. Caller frees. */
char *host_path_canonical(const char *path);

/*
 * Is it one of `tops` or in the hierarchy of one? By what directories are, not by what they are called: the same directory bound elsewhere
 * counts, as for Landlock. What is not there is within nothing.
 */
bool host_path_is_within(const char *path, const struct strv *tops);

#endif
