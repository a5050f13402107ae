/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The decompressors behind inflate.h, private to this room. A decoder runs in the thread of inflate.c and works between the two
 * ends of a `struct flow`: it asks for input and for room, and says what it used and wrote.
 */
#ifndef UDOCKER_CODECS_H
#define UDOCKER_CODECS_H

#include <sys/types.h>

#include "pkg/archive/inflate.h"

struct err;

struct flow {
	const char *what;
	const unsigned char *in; /* unread input */
	size_t in_n;
	unsigned char *out; /* room; NULL until flow_room() */
	size_t out_n;
};

/* ---- implemented by inflate.c ---- */
/* Get more behind the unread input (FLOW_LEFT_MAX bytes at most): 1, 0 at the end of the source, -1. `in` may move. */
#define FLOW_LEFT_MAX ((size_t)16)
int flow_more(struct flow *f, struct err **err);
/* Make sure that there is room. -1 when nobody wants more. */
int flow_room(struct flow *f, struct err **err);
/* n bytes of the room are filled. -1 when a ceiling is passed. */
int flow_wrote(struct flow *f, size_t n, struct err **err);
/* n bytes of the input are used. */
void flow_used(struct flow *f, size_t n);
/* They are used, and were padding: its amount is the codec's to bound (INFLATE_TRAILING_MAX). */
void flow_skipped(struct flow *f, size_t n);

/* ---- implemented by codecs.c ---- */
/* Decode to the end of the compressed data, which begins with the unread input. What follows it may be left unread. */
typedef int codec_fn(struct flow *f, struct err **err);
codec_fn codec_gzip, codec_zstd, codec_xz, codec_bzip2;

#endif
