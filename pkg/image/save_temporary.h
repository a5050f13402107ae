/* SPDX-License-Identifier: Apache-2.0 */
/* Files that have no name, for what save has to know before it can write it. Private to save*.c. */
#ifndef UDOCKER_IMAGE_SAVE_TEMPORARY_H
#define UDOCKER_IMAGE_SAVE_TEMPORARY_H

struct err;

/*
 * A file without a name for what must be complete before it can be saved: in the directory dirfd (called `what`), or where that is -1 below the
 * directory for temporary files. Owned by the caller.
 */
int save_temporary(int dirfd, const char *what, struct err **err);

#endif
