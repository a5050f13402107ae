/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What keeps a direct engine and all below it from writing, as its plan says: a Landlock domain or read-only mounts in a mount
 * namespace of its own (engine.h). Set before the engine is exec'd, so that it and its tracees are in it together.
 */
#ifndef UDOCKER_RUNTIME_GUARD_H
#define UDOCKER_RUNTIME_GUARD_H

#include "pkg/base/base.h"

struct engine_plan;
struct err;
struct runtime_fds;

struct guard {
	int ruleset; /* of Landlock, or -1 */
	const struct engine_plan *mounts; /* whose read-only mounts are to be made; or NULL */
};
#define GUARD_INIT ((struct guard){ .ruleset = -1 })

/* Regular files that the program gets open for writing can be opened anew by way of /dev/stdout. ERR_SYSTEM. */
int guard_open(
	struct guard *ret, const struct engine_plan *plan, const struct runtime_fds *fds, struct err **err);
void guard_close(struct guard *g);

/* In the child that becomes the engine, a copy (fork) where mounts are to be made. NULL, or what failed (errno). */
const char *guard_enter(const struct guard *g);

#endif
