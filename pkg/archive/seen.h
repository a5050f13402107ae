/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which paths a layer has put into ROOT so far: whiteouts and opaque markers hide what lower layers put there and nothing of their
 * own layer. Kept as 64-bit hashes: a million paths cost 16 MiB, whatever their length. Private to this room.
 */
#ifndef UDOCKER_SEEN_H
#define UDOCKER_SEEN_H

#include "pkg/base/base.h"

struct seen {
	uint64_t *slots; /* 0: free */
	size_t n, cap;
	uint64_t seed;
};
#define SEEN_INIT ((struct seen){ 0 })

/* Add a clean relative path; with `parents` also each directory on the way to it. */
void seen_add(struct seen *s, const char *path, bool parents);
bool seen_has(const struct seen *s, const char *path);
void seen_free(struct seen *s);

#endif
