/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A fingerprint of a file's content that does not depend on where its holes are: two files of one size have the same fingerprint when their
 * bytes are the same. Zeros cost next to nothing.
 */
#ifndef UDOCKER_CONTENT_H
#define UDOCKER_CONTENT_H

#include "pkg/base/base.h"

struct err;
struct sha;

#define CONTENT_BLOCK 4096
#define CONTENT_LEN 32 /* characters: 128 bits of SHA-256 as hexadecimal digits, without NUL */

struct content {
	struct sha *sha;
	uint64_t index; /* of the block that is begun */
	bool begun;
	unsigned char block[CONTENT_BLOCK];
};

int content_begin(struct content *c, struct err **err);
/* Bytes at their offset; offsets never go back, what lies between are zeros. */
void content_add(struct content *c, uint64_t offset, const void *p, size_t n);
/* The fingerprint; c is free afterwards. */
void content_end(struct content *c, char ret[CONTENT_LEN]);
/* For one that is given up. Zeroed or ended is fine. */
void content_drop(struct content *c);

/* Of the whole regular file fd. -1 with an error. */
int content_of_file(int fd, char ret[CONTENT_LEN], struct err **err);

#endif
