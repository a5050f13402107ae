/* SPDX-License-Identifier: Apache-2.0 */
/* Subordinate ids, the lines of subuid(5) and subgid(5). */
#ifndef UDOCKER_SUBID_H
#define UDOCKER_SUBID_H

#include <sys/types.h>

#include "pkg/base/base.h"

struct subid_range {
	uint32_t first, count;
};

/* The ranges in the text of such a file that belong to a user, by name or number, at most max; malformed lines are left out. Returns how many. */
size_t subid_ranges(const char *text, const char *user, uid_t uid, struct subid_range *ret, size_t max);

#endif
