/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tar archives written as a stream: ustar headers, and PAX records where ustar has no room (names over 100 bytes or not ASCII, sizes from
 * 8 GiB, large ids, fractions of seconds, times before 1970, extended attributes, sparse files). Nothing of the machine or the moment
 * gets in but what the caller gives, so the same input makes the same bytes. Names are bytes; none is judged here.
 */
#ifndef UDOCKER_WRITER_H
#define UDOCKER_WRITER_H

#include <sys/stat.h>
#include <time.h>

#include "pkg/archive/reader.h"
#include "pkg/base/base.h"

struct err;
struct writer;

struct writer_xattr {
	const char *name;
	const void *value;
	size_t n;
};

struct writer_entry {
	enum reader_type type; /* READER_SOCKET and READER_OTHER cannot be written */
	const char *
		name; /* relative; a directory gets its slash here. Any bytes but NUL; those that are not UTF-8 are kept */
	const char *
		link; /* target of a symbolic link, or the name under which a hard link's file was written; else NULL */
	mode_t mode; /* 07777 */
	int64_t size; /* of a file: what follows by writer_data(), writer_copy() */
	struct timespec mtime;
	int64_t uid, gid;
	unsigned dev_major, dev_minor;
	const struct writer_xattr
		*xattrs; /* written as SCHILY.xattr.NAME, which tar, libarchive, Go and Python read */
	size_t n_xattrs;
};

/* Write to fd (file, pipe, socket) at its present offset; it stays the caller's. `what` names it in messages; copied. */
int writer_open(int fd, const char *what, struct writer **ret, struct err **err);
/* Padding of the last entry, the two blocks that end an archive, and what is buffered. Nothing is synced. */
int writer_end(struct writer *w, struct err **err);
/* Without writer_end() the archive is truncated. NULL is fine. */
void writer_free(struct writer *w);
DEFINE_CLEANUP(writer_cleanup, struct writer, writer_free);
#define auto_writer CLEANUP(writer_cleanup) struct writer

/* Bytes of the archive so far. */
uint64_t writer_position(const struct writer *w);

/* The headers of an entry. Exactly its size has to follow before the next one (asserted). */
int writer_entry(struct writer *w, const struct writer_entry *e, struct err **err);
int writer_data(struct writer *w, const void *p, size_t n, struct err **err);
/*
 * n bytes of `from` (a regular file at its present offset, called from_what), in the kernel where that goes. ERR_CORRUPT when it ends
 * earlier.
 */
int writer_copy(struct writer *w, int from, uint64_t n, const char *from_what, struct err **err);

/*
 * An entry with all the content of a regular file, from its beginning: e->size bytes, which should be what fstat() said; a file that shrinks
 * meanwhile is filled with zeros, with a warning. With `sparse` its holes are left out (GNU's PAX format 1.0).
 */
int writer_file(struct writer *w, const struct writer_entry *e, int fd, bool sparse, struct err **err);

/* An entry and its content from memory. e->size is set from n. */
int writer_text(struct writer *w, const struct writer_entry *e, const void *p, size_t n, struct err **err);

/*
 * An entry whose size, and maybe name, are known behind its content alone: the output must be a regular file, in which the header is
 * written again. The name has at most 100 ASCII bytes, there are no xattrs, the time is whole and not negative. Content comes by
 * writer_data() until writer_late_end(), which gives it its name (NULL: that of e).
 */
bool writer_can_late(const struct writer *w);
int writer_late(struct writer *w, const struct writer_entry *e, struct err **err);
int writer_late_end(struct writer *w, const char *name, struct err **err);

/* ---- a directory tree ---- */

enum { WRITER_SKIP = 1 };
/*
 * May change what is about to be written (its strings must live until the next call) or leave it out: 0, WRITER_SKIP (a directory with all
 * below it), or -1 with an error. `path` is below the top of the tree, "" for the top itself; name in dirfd is the file.
 */
typedef int writer_edit_fn(struct writer_entry *e, int dirfd, const char *name, const char *path,
	const struct stat *st, void *arg, struct err **err);

struct writer_tree_stats { /* writer_tree() adds to what is there */
	uint64_t sockets; /* left out */
	uint64_t mounts; /* directories that are mount points, with one_file_system */
};

struct writer_tree_options {
	const char *what; /* names the tree in messages */
	/*
	 * Put in front of every name: "." gives ./etc/passwd, "ROOT" gives ROOT/etc/passwd, and the top is an entry of its own (./). NULL: names
	 * begin below the top, which is no entry.
	 */
	const char *prefix;
	bool root_owner; /* everything belongs to 0:0 */
	bool whole_seconds; /* times without fractions: no PAX header for them */
	bool xattrs; /* user.* and security.capability are kept */
	bool one_file_system; /* directories that are mount points are written, but not what is in them */
	writer_edit_fn *edit; /* or NULL */
	void *arg;
	struct writer_tree_stats *stats; /* or NULL */
};

/*
 * Everything in the directory, parents before children, each directory's entries by byte value: the same bytes for the same tree. Further
 * names of a file are hard links to the first; holes stay holes; sockets are left out. However deep it is, few descriptors are used; links are
 * not followed. What vanishes meanwhile is left out, an owner lets himself into files and
 * directories whose mode keeps him out, for as long. What cannot be read is an error (ERR_DENIED …).
 */
int writer_tree(struct writer *w, int dirfd, const struct writer_tree_options *o, struct err **err);

#endif
