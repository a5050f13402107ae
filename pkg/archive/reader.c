/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libarchive's streaming tar reader behind our own entry. Two things need care: names in PAX headers are UTF-8 by definition
 * and libarchive converts (and normalises) them to the locale's charset, so it is called in the C locale, where it falls back to the
 * raw bytes; and its headers have no common ceiling, so what it reads for one entry is counted here.
 *
 * Global PAX headers change no entry: so it is with Docker and podman, whose reader passes them over as well. Applied, a layer's content would
 * be another one than everybody else's.
 */
#include "pkg/archive/reader.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <locale.h>
#include <pthread.h>

#include "pkg/archive/inflate.h"
#include "pkg/base/dl.h"
#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/mem.h"
#include "pkg/base/str.h"

DL_SLOT(archive_read_new);
DL_SLOT(archive_read_free);
DL_SLOT(archive_read_support_format_tar);
DL_SLOT(archive_read_support_format_empty);
DL_SLOT(archive_read_open);
DL_SLOT(archive_read_next_header);
DL_SLOT(archive_read_data_block);
DL_SLOT(archive_read_data_skip);
DL_SLOT(archive_error_string);
DL_SLOT(archive_entry_pathname);
DL_SLOT(archive_entry_hardlink);
DL_SLOT(archive_entry_symlink);
DL_SLOT(archive_entry_filetype);
DL_SLOT(archive_entry_perm);
DL_SLOT(archive_entry_size);
DL_SLOT(archive_entry_mtime);
DL_SLOT(archive_entry_mtime_nsec);
DL_SLOT(archive_entry_uid);
DL_SLOT(archive_entry_gid);
DL_SLOT(archive_entry_rdevmajor);
DL_SLOT(archive_entry_rdevminor);
DL_SLOT(archive_entry_xattr_reset);
DL_SLOT(archive_entry_xattr_next);
static const struct dl_symbol archive_symbols[] = { DL_ENTRY(archive_read_new), DL_ENTRY(archive_read_free),
	DL_ENTRY(archive_read_support_format_tar), DL_ENTRY(archive_read_support_format_empty),
	DL_ENTRY(archive_read_open), DL_ENTRY(archive_read_next_header), DL_ENTRY(archive_read_data_block),
	DL_ENTRY(archive_read_data_skip), DL_ENTRY(archive_error_string), DL_ENTRY(archive_entry_pathname),
	DL_ENTRY(archive_entry_hardlink), DL_ENTRY(archive_entry_symlink), DL_ENTRY(archive_entry_filetype),
	DL_ENTRY(archive_entry_perm), DL_ENTRY(archive_entry_size), DL_ENTRY(archive_entry_mtime),
	DL_ENTRY(archive_entry_mtime_nsec), DL_ENTRY(archive_entry_uid), DL_ENTRY(archive_entry_gid),
	DL_ENTRY(archive_entry_rdevmajor), DL_ENTRY(archive_entry_rdevminor),
	DL_ENTRY(archive_entry_xattr_reset), DL_ENTRY(archive_entry_xattr_next), DL_END };

struct reader {
	struct inflate *in;
	char *what;
	struct archive *a;
	struct archive_entry *entry; /* NULL before the first */
	struct err *err; /* of the source: libarchive only knows that its callback failed */
	locale_t c_locale;
	bool in_header;
	bool xattrs_begun;
	bool ended;
	size_t header_bytes;
	int64_t size, position;
};

static pthread_mutex_t load_mutex = PTHREAD_MUTEX_INITIALIZER;

static int load_library(struct err **err)
{
	static bool loaded;
	int r = 0;

	pthread_mutex_lock(&load_mutex);
	if (!loaded) {
		r = dl_load("libarchive.so.13", "libarchive13", archive_symbols, err);
		loaded = r >= 0;
	}
	pthread_mutex_unlock(&load_mutex);
	return r;
}

static la_ssize_t read_plain(struct archive *a UNUSED, void *arg, const void **ret)
{
	struct reader *r = arg;
	ssize_t n;

	if (r->in_header && r->header_bytes > READER_HEADERS_MAX) {
		err_make(&r->err, ERR_CORRUPT, "%s: the headers of one entry are larger than %zu MiB",
			r->what, READER_HEADERS_MAX >> 20);
		return ARCHIVE_FATAL;
	}
	n = inflate_read(r->in, ret, &r->err);
	if (n < 0)
		return ARCHIVE_FATAL;
	r->header_bytes += (size_t)n;
	return (la_ssize_t)n;
}

static int failed(struct reader *r, struct err **err)
{
	const char *why = dl_archive_error_string(r->a);

	if (r->err)
		return err_move(err, &r->err);
	if (why && strstr(why, "runcated"))
		return err_make(
			err, ERR_CORRUPT, "%s: truncated: the tar archive ends within an entry", r->what);
	if (why && strstr(why, "nrecognized"))
		return err_make(err, ERR_CORRUPT, "%s: not a tar archive", r->what);
	/* All it says of most headers that are wrong. */
	if (!why || strcmp(why, "Damaged tar archive") == 0)
		why = "a wrong header";
	return err_make(err, ERR_CORRUPT, "%s: damaged tar archive: %s", r->what, why);
}

int reader_open(struct inflate *in, const char *what, struct reader **ret, struct err **err)
{
	auto_reader *r = xcalloc(1, sizeof(*r));

	if (load_library(err) < 0)
		return -1;
	r->in = in;
	r->what = xstrdup(what ? what : "archive");
	r->c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	r->a = dl_archive_read_new();
	if (!r->a || !r->c_locale)
		return err_make(err, ERR_SYSTEM, "%s: no memory for libarchive", r->what);
	dl_archive_read_support_format_tar(r->a);
	dl_archive_read_support_format_empty(r->a);
	if (dl_archive_read_open(r->a, r, NULL, read_plain, NULL) < ARCHIVE_WARN)
		return failed(r, err);
	*ret = steal_ptr(&r);
	return 0;
}

void reader_free(struct reader *r)
{
	if (!r)
		return;
	if (r->a)
		dl_archive_read_free(r->a);
	if (r->c_locale)
		freelocale(r->c_locale);
	err_free(r->err);
	free(r->what);
	free(r);
}

static enum reader_type type_of(mode_t filetype)
{
	switch (filetype) {
	case AE_IFREG:
		return READER_FILE;
	case AE_IFDIR:
		return READER_DIR;
	case AE_IFLNK:
		return READER_SYMLINK;
	case AE_IFIFO:
		return READER_FIFO;
	case AE_IFCHR:
		return READER_CHAR;
	case AE_IFBLK:
		return READER_BLOCK_DEVICE;
	case AE_IFSOCK:
		return READER_SOCKET;
	default:
		return READER_OTHER;
	}
}

static int fill_entry(struct reader *r, struct reader_entry *ret, struct err **err)
{
	struct archive_entry *e = r->entry;
	struct reader_entry n = { .type = type_of(dl_archive_entry_filetype(e)), .link = "" };
	const char *link = dl_archive_entry_hardlink(e);

	n.name = dl_archive_entry_pathname(e);
	if (!n.name)
		return err_make(err, ERR_CORRUPT, "%s: an entry without a name", r->what);
	if (link)
		n.type = READER_HARDLINK;
	else if (n.type == READER_SYMLINK)
		link = dl_archive_entry_symlink(e);
	if (link)
		n.link = link;
	n.mode = dl_archive_entry_perm(e) & 07777;
	n.size = dl_archive_entry_size(e);
	if (n.size < 0)
		return err_make(err, ERR_CORRUPT, "%s: '%s' has a negative size", r->what, n.name);
	n.mtime.tv_sec = dl_archive_entry_mtime(e);
	n.mtime.tv_nsec = dl_archive_entry_mtime_nsec(e);
	if (n.mtime.tv_nsec < 0 || n.mtime.tv_nsec > 999999999)
		n.mtime.tv_nsec = 0;
	n.uid = dl_archive_entry_uid(e);
	n.gid = dl_archive_entry_gid(e);
	n.dev_major = (unsigned)dl_archive_entry_rdevmajor(e);
	n.dev_minor = (unsigned)dl_archive_entry_rdevminor(e);
	r->size = n.size;
	r->position = 0;
	*ret = n;
	return 0;
}

int reader_next(struct reader *r, struct reader_entry *ret, struct err **err)
{
	locale_t old;
	int code, status = 1;

	if (r->ended)
		return 0;
	/* Content that was left unread does not count as headers. */
	if (r->entry && dl_archive_read_data_skip(r->a) < ARCHIVE_WARN)
		return failed(r, err);
	r->in_header = true;
	r->header_bytes = 0;
	r->xattrs_begun = false;
	old = uselocale(r->c_locale);
	code = dl_archive_read_next_header(r->a, &r->entry);
	r->in_header = false;
	if (code == ARCHIVE_EOF) {
		r->entry = NULL;
		r->ended = true;
		status = 0;
	} else if (code != ARCHIVE_OK && code != ARCHIVE_WARN) { /* RETRY: a header that cannot be right */
		status = failed(r, err);
	} else if (fill_entry(r, ret, err) < 0) {
		status = -1;
	}
	uselocale(old);
	return status;
}

int reader_rest(struct reader *r, struct err **err)
{
	uint64_t sum = 0;
	const void *p;
	ssize_t n;

	while ((n = inflate_read(r->in, &p, err)) > 0) {
		sum += (uint64_t)n;
		if (sum > READER_TRAILING_MAX)
			return err_make(err, ERR_CORRUPT, "%s: no end behind the last entry", r->what);
	}
	return (int)n;
}

int reader_block(struct reader *r, const void **ret, size_t *ret_n, int64_t *ret_offset, struct err **err)
{
	la_int64_t offset = 0;
	int code;

	do {
		code = dl_archive_read_data_block(r->a, ret, ret_n, &offset);
		if (code == ARCHIVE_EOF)
			return 0;
		if (code < ARCHIVE_WARN)
			return failed(r, err);
	} while (!*ret_n);
	/* Sparse maps come from the archive: they may run backwards or past the end that the header named. */
	if (offset < r->position || (uint64_t)offset + *ret_n > (uint64_t)r->size)
		return err_make(err, ERR_CORRUPT, "%s: an entry's sparse map contradicts its size", r->what);
	r->position = offset + (int64_t)*ret_n;
	*ret_offset = offset;
	return 1;
}

int reader_text(struct reader *r, size_t max, struct str *ret, struct err **err)
{
	const void *p;
	size_t n;
	int64_t offset;
	int s;

	if ((uint64_t)r->size > max)
		return err_make(err, ERR_CORRUPT, "%s: an entry of %lld bytes where at most %zu are allowed",
			r->what, (long long)r->size, max);
	ret->max = max + 1;
	while ((s = reader_block(r, &p, &n, &offset, err)) > 0) {
		str_add_repeat(ret, 0, (size_t)offset - ret->len);
		str_add_mem(ret, p, n);
	}
	if (s == 0)
		str_add_repeat(ret, 0, (size_t)r->size - ret->len);
	return s;
}

int reader_copy(struct reader *r, int fd, struct err **err)
{
	const void *p;
	size_t n;
	int64_t offset = 0, at = 0;
	int s;

	while ((s = reader_block(r, &p, &n, &offset, err)) > 0) {
		if (offset != at && lseek(fd, offset, SEEK_SET) < 0)
			return err_sys(err, errno, "%s: write", r->what);
		if (fd_write_all(fd, p, n) < 0)
			return err_sys(err, errno, "%s: write", r->what);
		at = offset + (int64_t)n;
	}
	if (s == 0 && at < r->size && ftruncate(fd, r->size) < 0)
		return err_sys(err, errno, "%s: write", r->what);
	return s;
}

int reader_xattr(struct reader *r, const char **ret_name, const void **ret_value, size_t *ret_n)
{
	if (!r->xattrs_begun)
		dl_archive_entry_xattr_reset(r->entry);
	r->xattrs_begun = true;
	return dl_archive_entry_xattr_next(r->entry, ret_name, ret_value, ret_n) == ARCHIVE_OK;
}
