/* SPDX-License-Identifier: Apache-2.0 */
/* What handlers of calls on files share: a call on something that is open by O_PATH. */
#ifndef UDOCKER_TRAP_FILES_H
#define UDOCKER_TRAP_FILES_H

#include <stdbool.h>

/* `nr` takes a path first: make it on what `fd` is open for, by its name in /proc. */
long files_by_name(long nr, long fd, unsigned long b, unsigned long c, unsigned long d, unsigned long e);

struct files_target {
	int dirfd;
	const void *path; /* the guest's memory */
	bool follow, to_write, empty; /* empty: "" and NULL name dirfd itself (AT_EMPTY_PATH) */
};
/* path_at() of that; with an empty path a duplicate of dirfd (or of the working directory). To be closed. */
long files_at(const struct files_target *t);

#endif
