/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decompression in a thread of its own: a descriptor goes in, plain bytes come out in order, both are hashed on the way.
 * The compression is recognised by its magic: none, gzip (ISA-L where it can be opened, else zlib), zstd, xz, bzip2 (these
 * two by libarchive). Libraries are opened when first needed. What the plain bytes are is not looked at.
 */
#ifndef UDOCKER_INFLATE_H
#define UDOCKER_INFLATE_H

#include <sys/types.h>

#include "pkg/archive/limit.h"
#include "pkg/base/base.h"
#include "pkg/base/sha256.h"

struct err;
struct inflate;
struct progress;

enum inflate_kind { INFLATE_PLAIN, INFLATE_GZIP, INFLATE_ZSTD, INFLATE_XZ, INFLATE_BZIP2 };
/* "none", "gzip" … */
const char *inflate_kind_name(enum inflate_kind kind);
/* By the first bytes of a file; six are enough. */
enum inflate_kind inflate_detect(const void *p, size_t n);

/*
 * For a file that another process is still writing, called where it ends for now: 0: that is its end; 1: look again, after a moment in
 * which it waited; -1 with an error.
 */
typedef int inflate_more_fn(void *arg, struct err **err);

struct inflate_options {
	const char *what; /* names the source in messages; copied */
	bool hash_input; /* digest of the bytes as they come from the descriptor, to its end */
	bool hash_plain; /* digest of the plain bytes (the diff id) */
	enum sha_kind input_sha, plain_sha;
	bool copy; /* write the bytes as they come from the descriptor to copy_to as well, to its end */
	int copy_to; /* borrowed */
	struct progress *progress; /* told how much of the source is read; borrowed, or NULL */
	struct limit
		limit; /* on the plain bytes; what comes in is a file's size, or what was read of a stream */
	inflate_more_fn *more; /* NULL: the file does not grow. From threads, never from two at once */
	void *more_arg;
	uint64_t size; /* of such a file when it is complete; 0: unknown */
};

struct inflate_result {
	enum inflate_kind kind;
	uint64_t input_bytes, plain_bytes;
	char input_hex[SHA_HEX_MAX + 1]; /* "" when it was not asked for */
	char plain_hex[SHA_HEX_MAX + 1];
};

/*
 * Start reading fd (file, pipe or socket) at its present offset. fd stays the caller's and must stay open until
 * inflate_free(). Several may run at once: each holds 3 MiB at most and what its format needs.
 */
int inflate_start(int fd, const struct inflate_options *o, struct inflate **ret, struct err **err);

/*
 * The next plain bytes, valid until the next call; 0 at the end. -1: ERR_CORRUPT for data that is damaged, truncated or over a
 * ceiling, ERR_SYSTEM for a failed read or an interrupt. Trailing zeros and garbage behind gzip data are ignored as by gzip(1), the
 * latter with a warning, up to INFLATE_TRAILING_MAX bytes of a stream. Packed data that is longer than INFLATE_SWELL_MAX times what it
 * unpacks to and INFLATE_BARREN_MAX more is ERR_CORRUPT.
 */
ssize_t inflate_read(struct inflate *in, const void **ret, struct err **err);

#define INFLATE_TRAILING_MAX ((uint64_t)64 << 20)
#define INFLATE_BARREN_MAX ((uint64_t)16 << 20)
#define INFLATE_SWELL_MAX 4

/* Read and drop what is left, to the end of the source; then *ret (may be NULL) is complete. Errors as inflate_read(). */
int inflate_finish(struct inflate *in, struct inflate_result *ret, struct err **err);

/* Bytes of the source that were read so far, for progress. From any thread. */
uint64_t inflate_position(const struct inflate *in);

/* Stops the threads wherever they are. NULL is fine. */
void inflate_free(struct inflate *in);
DEFINE_CLEANUP(inflate_cleanup, struct inflate, inflate_free);
#define auto_inflate CLEANUP(inflate_cleanup) struct inflate

#endif
