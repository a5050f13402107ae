/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The entries of a tar stream (ustar, GNU and PAX extensions, sparse files), read by libarchive as they come by. Names are the
 * raw bytes of the archive, whatever the locale. Memory for one entry's headers is bounded. Nothing is judged or written here.
 */
#ifndef UDOCKER_READER_H
#define UDOCKER_READER_H

#include <sys/types.h>
#include <time.h>

#include "pkg/base/base.h"

struct err;
struct inflate;
struct reader;
struct str;

enum reader_type {
	READER_FILE,
	READER_DIR,
	READER_SYMLINK,
	READER_HARDLINK,
	READER_FIFO,
	READER_CHAR,
	READER_BLOCK_DEVICE,
	READER_SOCKET,
	READER_OTHER,
};

#define READER_HEADERS_MAX ((size_t)8 << 20) /* all headers of one entry, sparse maps included */

struct reader_entry {
	enum reader_type type;
	const char *name; /* as in the archive: may be absolute, hold "..", or not be UTF-8; never NULL */
	const char *link; /* target of a symbolic or hard link; "" for others */
	mode_t mode; /* permission bits, 07777 */
	int64_t size; /* of a file: not negative */
	struct timespec mtime; /* tv_nsec within range */
	int64_t uid, gid;
	unsigned dev_major, dev_minor;
};

/* Read the plain bytes of `in` (borrowed until reader_free()). An empty stream is an archive without entries. */
int reader_open(struct inflate *in, const char *what, struct reader **ret, struct err **err);
void reader_free(struct reader *r);
DEFINE_CLEANUP(reader_cleanup, struct reader, reader_free);
#define auto_reader CLEANUP(reader_cleanup) struct reader

/* The next entry: 1, 0 at the end of the archive, -1 (ERR_CORRUPT …). Strings are valid until the next call. */
int reader_next(struct reader *r, struct reader_entry *ret, struct err **err);

/* Behind the last entry: read and drop what follows the archive, READER_TRAILING_MAX bytes at most, or ERR_CORRUPT. */
int reader_rest(struct reader *r, struct err **err);
#define READER_TRAILING_MAX ((uint64_t)64 << 20) /* tapes are padded; /dev/zero has no end */

/*
 * The next run of the entry's content: 1 with bytes (valid until the next call) that belong at *ret_offset (what lies between is a
 * hole), 0 at the end, -1. Content that nobody reads is skipped by reader_next().
 */
int reader_block(struct reader *r, const void **ret, size_t *ret_n, int64_t *ret_offset, struct err **err);

/* The whole content as text; ERR_CORRUPT when it is longer than max. */
int reader_text(struct reader *r, size_t max, struct str *ret, struct err **err);

/* The whole content into a file at its offset 0, holes left open; the file ends with the entry's size. */
int reader_copy(struct reader *r, int fd, struct err **err);

/* Extended attributes of the entry, one a call: 1 or 0 when there are no more. Valid until reader_next(). */
int reader_xattr(struct reader *r, const char **ret_name, const void **ret_value, size_t *ret_n);

#endif
