/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The owner of a file where its user cannot be given to it: recorded in an extended attribute, whose key and content are those of
 * rootlesscontainers.Resource, which umoci writes and reads.
 */
#ifndef UDOCKER_ARCHIVE_OWNER_H
#define UDOCKER_ARCHIVE_OWNER_H

#include <sys/types.h>

#include "pkg/base/base.h"

#define OWNER_ATTR "user.rootlesscontainers"
#define OWNER_TEXT_MAX 12
#define OWNER_NONE \
	UINT32_MAX /* no number of a user or group; in the attribute: the owner that the file has without it */

/* The content of the attribute; returns its length. */
size_t owner_text(uint32_t uid, uint32_t gid, unsigned char ret[OWNER_TEXT_MAX]);
/* What it says: false for content that is none, and nothing is changed; a part that says OWNER_NONE is left as it was. */
bool owner_parse(const void *p, size_t n, int64_t *uid, int64_t *gid);

#endif
