/* SPDX-License-Identifier: Apache-2.0 */
/* The staged files of an image archive: a table by path, filled by the tar reader or on demand from a directory. */
#include "pkg/image/source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "oci-spec/image_layout.h"
#include "pkg/archive/hasher.h"
#include "pkg/archive/inflate.h"
#include "pkg/archive/reader.h"
#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/fs.h"
#include "pkg/base/json.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/base/path.h"
#include "pkg/base/progress.h"
#include "pkg/base/sig.h"
#include "pkg/base/sorted.h"
#include "pkg/base/str.h"
#include "pkg/conf/conf.h"
#include "pkg/store/layers.h"
#include "pkg/store/store.h"

#define LINK_HOPS_MAX 16
#define CHUNK ((size_t)256 << 10)

struct source {
	char *what;
	struct store *store;
	struct store_stage stage;
	struct source_file **files; /* in order of arrival */
	size_t n, cap;
	void *by_path; /* the same; of one path the last */
	size_t names; /* bytes of all paths and links */
	unsigned next; /* name of the next staged file */
	int dirfd; /* of a directory, else -1 */
	bool flat;
	struct limit limit;
	uint64_t packed, plain; /* bytes that came in, and what was or will be made of them */
	uint64_t texts; /* bytes of documents so far */
	struct progress *progress; /* of reading the archive; ends when the images are stored */
};

const char *source_what(const struct source *src)
{
	return src->what;
}

/* ---- the table ---- */

static int compare_path(const void *a, const void *b)
{
	const struct source_file *x = a, *y = b;

	return strcmp(x->path, y->path);
}

/* Of entries with the same path the last counts, as in any tar. */
static struct source_file *add_file(struct source *src, const char *path, enum source_type type)
{
	struct source_file *f = xcalloc(1, sizeof(*f));

	f->path = xstrdup(path);
	f->type = type;
	src->files = mem_grow(src->files, &src->cap, src->n + 1, sizeof(void *));
	src->files[src->n++] = f;
	*sorted_slot(&src->by_path, f, compare_path) = f;
	return f;
}

static void file_free(struct source_file *f)
{
	free(f->path);
	free(f->link);
	free(f->staged);
	free(f->plain);
	free(f);
}

static struct source_file *lookup(struct source *src, char *path)
{
	const struct source_file key = { .path = path };

	return sorted_find(&src->by_path, &key, compare_path);
}

/* ---- limits ---- */

/* n more bytes are about to be written or hashed. */
static int account(struct source *src, uint64_t n, struct err **err)
{
	src->plain = n > UINT64_MAX - src->plain ? UINT64_MAX : src->plain + n;
	return limit_check(&src->limit, src->plain, src->packed, src->what, err);
}

static int count_text(struct source *src, size_t n, struct err **err)
{
	src->texts += n;
	return src->texts <= SOURCE_TEXTS_MAX
		       ? 0
		       : err_make(err, ERR_CORRUPT, "%s: more than %zu MiB of documents are to be read",
				 src->what, SOURCE_TEXTS_MAX >> 20);
}

/* ---- staging ---- */

struct staging {
	struct source *src;
	struct source_file *file;
	struct hasher *hasher;
	enum sha_kind kind;
	int fd;
};

static void staging_end(struct staging *st)
{
	hasher_free(st->hasher);
	if (st->fd >= 0)
		close(st->fd);
}
#define auto_staging CLEANUP(staging_end) struct staging

static int staging_begin(struct staging *st, struct source *src, struct source_file *f, struct err **err)
{
	struct digest d;

	*st = (struct staging){ .src = src, .file = f, .kind = SHA_256, .fd = -1 };
	if (image_layout_is_blob(f->path, &d))
		st->kind = d.kind;
	st->hasher = hasher_begin(st->kind, err);
	if (!st->hasher)
		return -1;
	free(f->staged);
	f->staged = xasprintf("%u", src->next++);
	f->size = 0;
	st->fd = openat(src->stage.fd, f->staged, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	return st->fd < 0 ? err_sys(err, errno, "write to %s", src->store->top) : 0;
}

static int staging_write(struct staging *st, const void *p, size_t n, struct err **err)
{
	if (sig_interrupted())
		return err_sys(err, EINTR, "%s", st->src->what);
	hasher_update(st->hasher, p, n); /* while it is written */
	if (fd_write_all(st->fd, p, n) < 0)
		return err_sys(err, errno, "write to %s", st->src->store->top);
	hasher_wait(st->hasher); /* the block is the reader's */
	st->file->size += n;
	return 0;
}

/* The hole of a sparse member: hashed as the zeros it stands for, left open in the file. */
static int staging_hole(struct staging *st, uint64_t upto, struct err **err)
{
	static const char zeros[CHUNK];

	if (account(st->src, upto - st->file->size, err) < 0)
		return -1;
	while (st->file->size < upto) {
		uint64_t n = upto - st->file->size;

		if (sig_interrupted())
			return err_sys(err, EINTR, "%s", st->src->what);
		n = n < sizeof(zeros) ? n : sizeof(zeros);
		hasher_update(st->hasher, zeros, (size_t)n);
		st->file->size += n;
	}
	if (ftruncate(st->fd, (off_t)upto) < 0 || lseek(st->fd, (off_t)upto, SEEK_SET) < 0)
		return err_sys(err, errno, "write to %s", st->src->store->top);
	return 0;
}

static int staging_finish(struct staging *st, struct err **err)
{
	char hex[SHA_HEX_MAX + 1];
	struct digest want;

	hasher_finish(st->hasher, hex);
	(void)digest_from_hex(st->kind, hex, &st->file->digest); /* what a hash gives is always one */
	if (image_layout_is_blob(st->file->path, &want) && !digest_eq(&want, &st->file->digest))
		return err_make(err, ERR_CORRUPT, "%s: blob %s: digest mismatch (got %s)", st->src->what,
			want.text, st->file->digest.text);
	return 0;
}

static int stage_fd(struct source *src, struct source_file *f, int fd, struct err **err)
{
	autofree char *buf = xmalloc(CHUNK);
	auto_staging st = { .fd = -1 };

	if (staging_begin(&st, src, f, err) < 0)
		return -1;
	for (;;) {
		ssize_t n = fd_read_full(fd, buf, CHUNK);

		if (n < 0)
			return err_sys(err, errno, "%s: read %s", src->what, f->path);
		if (n == 0)
			return staging_finish(&st, err);
		if (staging_write(&st, buf, (size_t)n, err) < 0)
			return -1;
	}
}

int source_add(struct source *src, const char *path, const void *p, size_t n, struct source_file **ret,
	struct err **err)
{
	struct source_file *f = NULL;
	auto_staging st = { .fd = -1 };

	if (count_text(src, n, err) < 0)
		return -1;
	f = add_file(src, path, SOURCE_FILE);
	if (staging_begin(&st, src, f, err) < 0 || staging_write(&st, p, n, err) < 0 ||
		staging_finish(&st, err) < 0)
		return -1;
	*ret = f;
	return 0;
}

int source_decompress(struct source *src, struct source_file *f, struct err **err)
{
	autoclose int fd = source_open(src, f, err);
	const struct inflate_options o = { .what = f->path, .limit = src->limit };
	auto_staging st = { .fd = -1 };
	auto_inflate *in = NULL;

	if (fd < 0 || inflate_start(fd, &o, &in, err) < 0 || staging_begin(&st, src, f, err) < 0)
		return -1;
	for (;;) {
		const void *p;
		ssize_t n = inflate_read(in, &p, err);

		if (n < 0)
			return err_add(err, "%s", src->what);
		if (n == 0)
			break;
		if (account(src, (uint64_t)n, err) < 0 || staging_write(&st, p, (size_t)n, err) < 0)
			return -1;
	}
	f->kind = INFLATE_PLAIN; /* whatever it looks like now: one compression is undone */
	return staging_finish(&st, err);
}

int source_plain_digest(
	struct source *src, struct source_file *f, enum sha_kind kind, struct digest *ret, struct err **err)
{
	const struct inflate_options o = {
		.what = f->path, .hash_plain = true, .plain_sha = kind, .limit = src->limit
	};
	autoclose int fd = -1;
	struct inflate_result result;
	auto_inflate *in = NULL;

	if (!f->plain)
		f->plain = xcalloc(SHA_512 + 1, sizeof(*f->plain));
	if (!digest_is_set(&f->plain[kind])) {
		fd = source_open(src, f, err);
		if (fd < 0 || inflate_start(fd, &o, &in, err) < 0 || inflate_finish(in, &result, err) < 0)
			return err_add(err, "%s", src->what);
		if (account(src, result.plain_bytes, err) < 0)
			return -1;
		(void)digest_from_hex(kind, result.plain_hex, &f->plain[kind]); /* what a hash gives is one */
	}
	*ret = f->plain[kind];
	return 0;
}

/* ---- archives ---- */

static int stage_entry(
	struct source *src, struct reader *r, struct source_file *f, int64_t size, struct err **err)
{
	auto_staging st = { .fd = -1 };

	if (staging_begin(&st, src, f, err) < 0)
		return -1;
	for (;;) {
		int64_t at;
		const void *p;
		size_t n;
		int more = reader_block(r, &p, &n, &at, err);

		if (more < 0)
			return -1;
		if (more == 0)
			break;
		if (((uint64_t)at > f->size && staging_hole(&st, (uint64_t)at, err) < 0) ||
			staging_write(&st, p, n, err) < 0)
			return -1;
	}
	if ((uint64_t)size > f->size && staging_hole(&st, (uint64_t)size, err) < 0)
		return -1;
	return staging_finish(&st, err);
}

static enum source_type type_of(const struct reader_entry *e)
{
	switch (e->type) {
	case READER_FILE:
		return SOURCE_FILE;
	case READER_DIR:
		return SOURCE_DIR;
	case READER_SYMLINK:
		return SOURCE_SYMLINK;
	case READER_HARDLINK:
		return SOURCE_HARDLINK;
	default:
		return SOURCE_OTHER;
	}
}

static int take_entry(struct source *src, struct reader *r, const struct reader_entry *e, struct err **err)
{
	autofree char *path = path_clean(e->name);
	struct source_file *f;

	if (strcmp(path, ".") == 0)
		return 0;
	if (!path_is_plain(path)) {
		log_debug("%s: '%s' is no path inside it, skipping", src->what, e->name);
		return 0;
	}
	if (src->n >= SOURCE_FILES_MAX)
		return err_make(err, ERR_CORRUPT, "%s: more than %d files", src->what, SOURCE_FILES_MAX);
	src->names += strlen(path) + (e->link ? strlen(e->link) : 0);
	if (src->names > SOURCE_NAMES_MAX)
		return err_make(err, ERR_CORRUPT, "%s: the names in it are longer than %zu MiB together",
			src->what, SOURCE_NAMES_MAX >> 20);
	f = add_file(src, path, type_of(e));
	if (f->type == SOURCE_SYMLINK || f->type == SOURCE_HARDLINK)
		f->link = xstrdup(e->link);
	return f->type == SOURCE_FILE ? stage_entry(src, r, f, e->size, err) : 0;
}

static int read_archive(struct source *src, int fd, struct err **err)
{
	const struct inflate_options o = { .what = src->what, .limit = src->limit };
	auto_inflate *in = NULL;
	auto_reader *r = NULL;

	if (inflate_start(fd, &o, &in, err) < 0 || reader_open(in, src->what, &r, err) < 0)
		return -1;
	for (;;) {
		struct reader_entry e;
		int more = reader_next(r, &e, err);

		if (more < 0)
			return -1;
		if (more == 0)
			return reader_rest(r, err) < 0 ? -1 : inflate_finish(in, NULL, err);
		if (src->packed < inflate_position(in))
			src->packed = inflate_position(in);
		if (take_entry(src, r, &e, err) < 0)
			return -1;
		progress_update(src->progress, inflate_position(in));
	}
}

static int new_source(struct store *s, const char *what, struct source **ret, struct err **err)
{
	auto_source *src = xcalloc(1, sizeof(*src));

	src->what = xstrdup(what);
	src->store = s;
	src->dirfd = -1;
	src->limit =
		(struct limit){ conf_size(CONF_UNPACK_MAX_SIZE), (unsigned)conf_int(CONF_UNPACK_MAX_RATIO) };
	src->stage = STORE_STAGE_INIT;
	if (store_stage_begin(s, &src->stage, err) < 0)
		return -1;
	*ret = steal_ptr(&src);
	return 0;
}

int source_open_archive(struct store *s, int fd, const char *what, struct source **ret, struct err **err)
{
	auto_source *src = NULL;
	struct stat st;
	bool sized = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);

	if (new_source(s, what, &src, err) < 0)
		return -1;
	src->packed = sized ? (uint64_t)st.st_size : 0;
	src->progress = progress_begin(path_base(what), src->packed);
	if (read_archive(src, fd, err) < 0)
		return -1;
	*ret = steal_ptr(&src);
	return 0;
}

void source_done(struct source *src)
{
	progress_end(src->progress, "loaded");
	src->progress = NULL;
}

int source_open_dir(struct store *s, int dirfd, const char *what, struct source **ret, struct err **err)
{
	if (new_source(s, what, ret, err) < 0)
		return -1;
	(*ret)->dirfd = dirfd;
	return 0;
}

void source_free(struct source *src)
{
	if (!src)
		return;
	progress_end(src->progress, NULL);
	for (size_t i = 0; i < src->n; i++)
		file_free(src->files[i]);
	free(src->files);
	sorted_free(&src->by_path);
	store_stage_drop(&src->stage);
	free(src->what);
	free(src);
}

/* ---- finding ---- */

static int not_there(const struct source *src, const char *path, struct err **err)
{
	return err_make(err, ERR_CORRUPT, "%s: there is no '%s' in it", src->what, path);
}

/* Links resolve inside the directory, as they would inside the archive. */
static int find_in_dir(struct source *src, const char *path, struct source_file **ret, struct err **err)
{
	autoclose int fd = fs_open(src->dirfd, path, O_RDONLY | O_NONBLOCK, 0, FS_IN_ROOT);
	struct source_file *f;
	struct stat st;

	if (fd < 0 && errno == ELOOP)
		return err_make(err, ERR_CORRUPT, "%s: the link '%s' leads in a circle", src->what, path);
	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR
			       ? not_there(src, path, err)
			       : err_sys(err, errno, "%s: open %s", src->what, path);
	if (fstat(fd, &st) < 0)
		return err_sys(err, errno, "%s: look at %s", src->what, path);
	if (!S_ISREG(st.st_mode))
		return err_make(err, ERR_CORRUPT, "%s: '%s' is %s and no file", src->what, path,
			S_ISDIR(st.st_mode) ? "a directory" : "something else");
	if (src->n >= SOURCE_FILES_MAX)
		return err_make(err, ERR_CORRUPT, "%s: more than %d files", src->what, SOURCE_FILES_MAX);
	src->packed += (uint64_t)st.st_blocks * 512; /* holes come from nothing */
	if (account(src, (uint64_t)st.st_size, err) < 0)
		return -1;
	f = add_file(src, path, SOURCE_FILE);
	if (stage_fd(src, f, fd, err) < 0)
		return -1;
	*ret = f;
	return 0;
}

/* Where a link leads, as a path in the archive; NULL when that is outside. By text: an archive's own directories are no links here. */
static char *link_path(const struct source_file *f)
{
	autofree char *dir = path_dir(f->path), *clean = NULL;

	if (f->link[0] == '/')
		return NULL;
	if (f->type == SOURCE_HARDLINK)
		clean = path_clean(f->link);
	else {
		autofree char *joined = path_join(dir, f->link);

		clean = path_clean(joined);
	}
	return path_is_plain(clean) ? steal_ptr(&clean) : NULL;
}

int source_find(struct source *src, const char *path, struct source_file **ret, struct err **err)
{
	autofree char *at = path_clean(path);

	for (int hops = 0; hops < LINK_HOPS_MAX; hops++) {
		struct source_file *f = lookup(src, at);
		char *next;

		if (!f)
			return src->dirfd >= 0 ? find_in_dir(src, at, ret, err) : not_there(src, path, err);
		if (f->type == SOURCE_FILE) {
			*ret = f;
			return 0;
		}
		if (f->type == SOURCE_DIR || f->type == SOURCE_OTHER)
			return err_make(err, ERR_CORRUPT, "%s: '%s' is %s and no file", src->what, path,
				f->type == SOURCE_DIR ? "a directory" : "something else");
		next = link_path(f);
		if (!next)
			return err_make(
				err, ERR_CORRUPT, "%s: the link '%s' leads out of it", src->what, path);
		free(at);
		at = next;
	}
	return err_make(err, ERR_CORRUPT, "%s: the link '%s' leads in a circle", src->what, path);
}

bool source_has(struct source *src, const char *path)
{
	autofree char *at = xstrdup(path);
	struct stat st;

	if (lookup(src, at))
		return true;
	return src->dirfd >= 0 && fs_lstat(src->dirfd, path, &st, FS_IN_ROOT) == 0;
}

void source_set_flat(struct source *src)
{
	src->flat = true;
}

/* Manifests of a flat directory have names of their own, and the one that it is made of has a fixed one. */
static char *blob_path(struct source *src, const struct digest *d)
{
	autofree char *manifest = NULL;
	struct source_file *top = NULL;

	if (!src->flat)
		return image_layout_blob_path(d);
	if (source_find(src, "manifest.json", &top, NULL) == 0 && digest_eq(&top->digest, d))
		return xstrdup("manifest.json");
	manifest = xasprintf("%s.manifest.json", digest_hex(d));
	return source_has(src, manifest) ? steal_ptr(&manifest) : xstrdup(digest_hex(d));
}

int source_blob(
	struct source *src, const struct digest *d, int64_t size, struct source_file **ret, struct err **err)
{
	autofree char *path = blob_path(src, d);

	if (source_find(src, path, ret, err) < 0)
		return -1;
	if (!digest_eq(&(*ret)->digest, d)) /* a link to another blob */
		return err_make(err, ERR_CORRUPT, "%s: blob %s: digest mismatch (got %s)", src->what, d->text,
			(*ret)->digest.text);
	if (size >= 0 && (uint64_t)size != (*ret)->size)
		return err_make(err, ERR_CORRUPT, "%s: blob %s: size is %llu, wanted %lld", src->what,
			d->text, (unsigned long long)(*ret)->size, (long long)size);
	return 0;
}

/* ---- content ---- */

int source_open(struct source *src, const struct source_file *f, struct err **err)
{
	int fd;

	if (f->adopted)
		return layer_open(src->store, f->digest.text, NULL, err);
	fd = openat(src->stage.fd, f->staged, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? err_sys(err, errno, "%s: open %s", src->what, f->path) : fd;
}

static int read_text(
	struct source *src, const struct source_file *f, char **ret, size_t *ret_n, struct err **err)
{
	autofree char *what = xasprintf("%s: %s", src->what, f->path);
	autoclose int fd = source_open(src, f, err);
	auto_str text = STR_INIT;

	if (fd < 0 || fd_read_text(fd, SOURCE_TEXT_MAX, &text, what, err) < 0)
		return -1;
	*ret_n = text.len;
	*ret = str_steal(&text);
	return 0;
}

int source_text(struct source *src, const struct source_file *f, char **ret, size_t *ret_n, struct err **err)
{
	autofree char *text = NULL;

	if (read_text(src, f, &text, ret_n, err) < 0 || count_text(src, *ret_n, err) < 0)
		return -1;
	*ret = steal_ptr(&text);
	return 0;
}

int source_copy(struct source *src, const struct source_file *f, char **ret, size_t *ret_n, struct err **err)
{
	return account(src, f->size, err) < 0 ? -1 : read_text(src, f, ret, ret_n, err);
}

int source_kind(struct source *src, struct source_file *f, enum inflate_kind *ret, struct err **err)
{
	unsigned char head[8];
	autoclose int fd = -1;
	ssize_t n;

	if (!f->looked_at) {
		fd = source_open(src, f, err);
		if (fd < 0)
			return -1;
		n = fd_pread_full(fd, head, sizeof(head), 0);
		if (n < 0)
			return err_sys(err, errno, "read %s", f->path);
		f->kind = inflate_detect(head, (size_t)n);
		f->looked_at = true;
	}
	*ret = f->kind;
	return 0;
}

int source_json(struct source *src, const struct source_file *f, struct json **ret, struct err **err)
{
	const struct json_limits limits = { .bytes = SOURCE_TEXT_MAX };
	autofree char *what = xasprintf("%s: %s", src->what, f->path), *text = NULL;
	size_t n = 0;

	if (source_text(src, f, &text, &n, err) < 0)
		return -1;
	return json_parse(text, n, what, &limits, ret, err);
}

int source_adopt(struct source *src, struct source_file *f, struct layer_txn *txn, struct err **err)
{
	if (f->adopted)
		return 0;
	if (layer_adopt(src->store, src->stage.fd, f->staged, &f->digest, txn, err) < 0)
		return err_add(err, "%s", src->what);
	f->adopted = true;
	return 0;
}
