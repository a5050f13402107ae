/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compression as a stream, on all processors: gzip (zlib's level 6) and zstd (level 3). The same input gives the same bytes, whatever the
 * machine's number of processors, with the same version of the library; no time and no name get in.
 */
#ifndef UDOCKER_DEFLATE_H
#define UDOCKER_DEFLATE_H

#include "pkg/archive/inflate.h"
#include "pkg/base/base.h"

struct err;
struct deflate;

/* Gets the compressed bytes in order, called by the caller's own thread; they are valid until it returns. */
typedef int deflate_sink(void *arg, const void *p, size_t n, struct err **err);

/* INFLATE_PLAIN (passed through), INFLATE_GZIP or INFLATE_ZSTD. ERR_UNSUPPORTED when the library cannot be had. */
int deflate_start(
	enum inflate_kind kind, deflate_sink *sink, void *arg, struct deflate **ret, struct err **err);
int deflate_data(struct deflate *d, const void *p, size_t n, struct err **err);
/* The rest, and the end of the format. d may then only be freed. */
int deflate_end(struct deflate *d, struct err **err);
/* Stops the threads wherever they are. NULL is fine. */
void deflate_free(struct deflate *d);
DEFINE_CLEANUP(deflate_cleanup, struct deflate, deflate_free);
#define auto_deflate CLEANUP(deflate_cleanup) struct deflate

/* ---- gzip (deflate_gzip.c), private to this room ---- */
struct gzip;
int gzip_start(deflate_sink *sink, void *arg, struct gzip **ret, struct err **err);
int gzip_data(struct gzip *g, const void *p, size_t n, struct err **err);
int gzip_end(struct gzip *g, struct err **err);
void gzip_free(struct gzip *g);
/* Processors that this process may use, 8 at most. */
unsigned deflate_threads(void);

#endif
