/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much a few bytes from outside may become when they are unpacked. Up to `size` bytes are always allowed, so that small images of
 * large empty files pass; more only as long as it is not above `ratio` times what came in.
 */
#ifndef UDOCKER_LIMIT_H
#define UDOCKER_LIMIT_H

#include "pkg/base/base.h"

struct err;

struct limit {
	uint64_t size; /* 0: no limit at all */
	unsigned ratio; /* 0: never more than size */
};

/* `plain` bytes out of `packed` ones. */
bool limit_allows(const struct limit *l, uint64_t plain, uint64_t packed);

/* The same as an error: ERR_CORRUPT, with the setting that raises it as a hint. `what` names the source. */
int limit_check(const struct limit *l, uint64_t plain, uint64_t packed, const char *what, struct err **err);

#endif
