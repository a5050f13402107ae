/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What programs of a container cannot do in an execution mode, though they can on the host. udocker-engines(7) has the table, `udocker-runtime
 * engines --format json` the rows; the battery of the tests (tests/battery/) does each of these works in each mode and fails where a row is missing
 * or not true any more.
 */
#ifndef UDOCKER_LIMITS_H
#define UDOCKER_LIMITS_H

#include "pkg/base/base.h"

struct engine_probe;

struct engine_limit {
	const char *work; /* a file of tests/battery/, or "start": any program at all; NULL ends the table */
	const char *modes; /* divided by blanks */
	const char *guests; /* those linked in these ways alone: "static", "musl", "glibc"; "" for all */
	const char *note; /* what happens instead */
	const char *engine; /* of these modes' engines this one alone, or NULL */
};

extern const struct engine_limit engine_limits[];

/* Does this row hold in that mode, with what probing has found for it? A row may be of older versions of PRoot alone. */
bool engine_limit_holds(
	const struct engine_limit *l, const char *engine, const char *mode, const struct engine_probe *probe);

#endif
