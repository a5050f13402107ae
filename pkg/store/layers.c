/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blobs: looked up, read, written. Content addressing carries the correctness: a blob gets its name by a rename, after its digest
 * agreed, so that two writers of the same blob cannot harm each other.
 */
#include "pkg/store/layers.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "oci-spec/digest.h"
#include "pkg/base/atomic.h"
#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/fs.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/base/sha256.h"
#include "pkg/base/sig.h"
#include "pkg/base/strv.h"
#include "pkg/store/gc.h"
#include "pkg/store/store.h"

#define READ_CHUNK ((size_t)256 << 10)

bool layer_name_is_digest(const char *name)
{
	return digest_is_valid(name);
}

bool layer_name_is_valid(const char *name)
{
	if (!*name || *name == '.' || strlen(name) > 255)
		return false;
	for (const char *c = name; *c; c++)
		if (*c == '/' || (unsigned char)*c < 0x20 || *c == 0x7f)
			return false;
	return true;
}

static bool stat_layer(struct store *s, const char *name, struct stat *ret)
{
	autoclose int fd = -1;

	if (fstatat(s->layers_fd, name, ret, AT_SYMLINK_NOFOLLOW) == 0)
		return S_ISREG(ret->st_mode);
	if (errno != ENOENT)
		return false;
	/* For a moment out of sight; if it is back meanwhile, it is in its place. */
	fd = gc_open_hidden(s, name);
	if (fd >= 0)
		return fstat(fd, ret) == 0 && S_ISREG(ret->st_mode);
	return fstatat(s->layers_fd, name, ret, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(ret->st_mode);
}

bool layer_exists(struct store *s, const char *name, uint64_t *ret_size)
{
	struct stat st;

	if (s->layers_fd < 0 || !layer_name_is_valid(name) || !stat_layer(s, name, &st))
		return false;
	if (ret_size)
		*ret_size = (uint64_t)st.st_size;
	return true;
}

static bool is_in_place(struct store *s, const char *name)
{
	struct stat st;

	return fstatat(s->layers_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode);
}

bool layer_regain(struct store *s, const char *name)
{
	if (s->layers_fd < 0 || !layer_name_is_valid(name))
		return false;
	if (is_in_place(s, name) || gc_regain(s, name))
		return true;
	return s->scratch && (linkat(s->scratch->fd, name, s->layers_fd, name, 0) == 0 || errno == EEXIST);
}

static const struct store_held *find_held(const struct store *s, const char *name)
{
	for (size_t i = 0; i < s->n_held; i++)
		if (strcmp(s->held[i].name, name) == 0)
			return &s->held[i];
	return NULL;
}

bool layer_held(const struct store *s, const char *name)
{
	return find_held(s, name) != NULL;
}

/* A file that has lost its name, with an offset of its own; where there is no /proc, with that of the others who read it. */
static int open_again(int fd)
{
	autofree char *link = xasprintf("/proc/self/fd/%d", fd);
	int again = open(link, O_RDONLY | O_CLOEXEC);

	if (again < 0) {
		again = fd_dup(fd);
		if (again >= 0)
			(void)lseek(again, 0, SEEK_SET); /* a regular file */
	}
	return again;
}

static int open_layer(struct store *s, const char *name)
{
	const struct store_held *held;
	const int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
	int fd = openat(s->layers_fd, name, flags);

	if (fd >= 0 || errno != ENOENT)
		return fd;
	held = find_held(s, name);
	if (held)
		return open_again(held->fd);
	fd = gc_open_hidden(s, name); /* as stat_layer() */
	return fd >= 0 ? fd : openat(s->layers_fd, name, flags);
}

int layer_open(struct store *s, const char *name, uint64_t *ret_size, struct err **err)
{
	autoclose int fd = -1;
	struct stat st;

	if (!layer_name_is_valid(name))
		return err_make(err, ERR_CORRUPT, "'%s' cannot be the name of a layer", name);
	if (s->layers_fd < 0)
		return err_make(err, ERR_NOT_FOUND, "layer %s is not in the store", name);
	fd = open_layer(s, name);
	if (fd < 0 && errno == ELOOP)
		return err_make(err, ERR_CORRUPT, "layer %s is a link and no file", name);
	if (fd < 0 && errno == ENOENT)
		return err_make(err, ERR_NOT_FOUND, "layer %s is not in the store", name);
	if (fd < 0)
		return err_sys(err, errno, "open layer %s", name);
	if (fstat(fd, &st) < 0)
		return err_sys(err, errno, "look at layer %s", name);
	if (!S_ISREG(st.st_mode))
		return err_make(err, ERR_CORRUPT, "layer %s is no regular file", name);
	if (ret_size)
		*ret_size = (uint64_t)st.st_size;
	return steal_fd(&fd);
}

/* The digest of all that fd holds. */
static int hash_fd(int fd, enum sha_kind kind, const char *name, struct digest *ret, struct err **err)
{
	auto_sha *h = sha_begin(kind, err);
	autofree char *buf = NULL;
	char hex[SHA_HEX_MAX + 1];

	if (!h)
		return -1;
	buf = xmalloc(READ_CHUNK);
	for (;;) {
		ssize_t n = fd_read_full(fd, buf, READ_CHUNK);

		if (n < 0)
			return err_sys(err, errno, "read layer %s", name);
		if (n == 0)
			break;
		if (sig_interrupted())
			return err_sys(err, EINTR, "read layer %s", name);
		sha_update(h, buf, (size_t)n);
	}
	sha_finish(h, hex);
	(void)digest_from_hex(kind, hex, ret); /* what sha_finish() gives is always one */
	return 0;
}

int layer_digest(struct store *s, const char *name, enum sha_kind kind, struct digest *ret, struct err **err)
{
	autoclose int fd = layer_open(s, name, NULL, err);

	return fd < 0 ? -1 : hash_fd(fd, kind, name, ret, err);
}

int layer_verify(struct store *s, const char *name, struct err **err)
{
	struct digest want, got;

	if (digest_parse(name, &want, NULL) < 0)
		return err_make(err, ERR_UNSUPPORTED, "layer %s is not called by its digest", name);
	if (layer_digest(s, name, want.kind, &got, err) < 0)
		return -1;
	if (!digest_eq(&want, &got))
		return err_make(err, ERR_CORRUPT, "layer %s: digest mismatch (got %s)", name, got.text);
	return 0;
}

/* ---- transactions ---- */

void layer_txn_add(struct layer_txn *txn, const char *name)
{
	txn->v = mem_grow(txn->v, &txn->cap, txn->n + 1, sizeof(*txn->v));
	txn->v[txn->n++] = xstrdup(name);
}

void layer_txn_done(struct layer_txn *txn)
{
	for (size_t i = 0; i < txn->n; i++)
		free(txn->v[i]);
	free(txn->v);
	*txn = LAYER_TXN_INIT;
}

void layer_txn_rollback(struct store *s, struct layer_txn *txn)
{
	auto_strv names = STRV_INIT;

	for (size_t i = 0; i < txn->n; i++)
		strv_add(&names, txn->v[i]);
	if (names.n)
		gc_drop(s, &names);
	layer_txn_done(txn);
}

/* ---- writing ---- */

struct layer_writer {
	struct store *store;
	struct atomic file;
	struct sha *sha;
	struct digest want; /* unset when the caller does not know */
	enum sha_kind kind;
	uint64_t size;
};

/* Where blobs grow: the staging directory, or layers/ itself where that is another file system. */
static int writing_dir(struct store *s, struct err **err)
{
	int scratch = store_scratch(s, err);

	if (scratch < 0 || store_same_fs(scratch, s->layers_fd))
		return scratch;
	if (!s->cleaned) {
		s->cleaned = true;
		atomic_clean(s->layers_fd);
	}
	return s->layers_fd;
}

/* Before a blob gets its place: see layer_regain(). */
static void keep_name(struct store *s, int dirfd, const char *name, const char *digest)
{
	int scratch = store_scratch(s, NULL);

	if (scratch < 0 || linkat(dirfd, name, scratch, digest, 0) == 0 || errno != EEXIST)
		return;
	/* An earlier one of the same content; the newer is known to be good. */
	(void)unlinkat(scratch, digest, 0);
	if (linkat(dirfd, name, scratch, digest, 0) < 0)
		log_debug("blob %s keeps no second name: %s", digest, strerror(errno));
}

int layer_writer_begin(struct store *s, const char *digest, struct layer_writer **ret, struct err **err)
{
	auto_layer_writer *w = xcalloc(1, sizeof(*w));
	int dir;

	w->store = s;
	w->file = ATOMIC_INIT;
	w->kind = SHA_256;
	if (digest) {
		if (digest_parse(digest, &w->want, err) < 0)
			return -1;
		w->kind = w->want.kind;
	}
	w->sha = sha_begin(w->kind, err);
	dir = writing_dir(s, err);
	if (!w->sha || dir < 0)
		return -1;
	/* The name is a stand-in: commit puts the digest there. */
	if (atomic_begin_in(&w->file, dir, s->layers_fd, "blob", 0644, err) < 0) {
		err_add(err, "write to %s", s->layers);
		return -1;
	}
	*ret = steal_ptr(&w);
	return 0;
}

int layer_writer_write(struct layer_writer *w, const void *p, size_t n, struct err **err)
{
	if (sig_interrupted())
		return err_sys(err, EINTR, "write to %s", w->store->layers);
	if (fd_write_all(w->file.fd, p, n) < 0)
		return err_sys(err, errno, "write to %s", w->store->layers);
	sha_update(w->sha, p, n);
	w->size += n;
	return 0;
}

uint64_t layer_writer_size(const struct layer_writer *w)
{
	return w->size;
}

static int check_content(
	const struct layer_writer *w, const struct digest *got, int64_t size, struct err **err)
{
	const char *name = digest_is_set(&w->want) ? w->want.text : got->text;

	if (size >= 0 && (uint64_t)size != w->size)
		return err_make(err, ERR_CORRUPT, "blob %s: size is %llu, wanted %lld", name,
			(unsigned long long)w->size, (long long)size);
	if (digest_is_set(&w->want) && !digest_eq(&w->want, got))
		return err_make(err, ERR_CORRUPT, "blob %s: digest mismatch (got %s)", name, got->text);
	return 0;
}

int layer_writer_commit(
	struct layer_writer *writer, int64_t size, struct layer_txn *txn, char **ret_digest, struct err **err)
{
	auto_layer_writer *w = writer;
	char hex[SHA_HEX_MAX + 1];
	struct digest got;
	bool is_new;

	sha_finish(w->sha, hex);
	(void)digest_from_hex(w->kind, hex, &got); /* what sha_finish() gives is always one */
	if (check_content(w, &got, size, err) < 0)
		return -1;
	is_new = !layer_exists(w->store, got.text, NULL);
	free(w->file.name);
	w->file.name = xstrdup(got.text);
	keep_name(w->store, w->file.tmp_dirfd, w->file.tmp, got.text);
	if (atomic_commit(&w->file, ATOMIC_DURABLE, err) < 0)
		return err_add(err, "blob %s", got.text);
	if (is_new && txn)
		layer_txn_add(txn, got.text);
	if (ret_digest)
		*ret_digest = xstrdup(got.text);
	return 0;
}

void layer_writer_abort(struct layer_writer *w)
{
	if (!w)
		return;
	atomic_abort(&w->file);
	sha_free(w->sha);
	free(w);
}

/* Across file systems: through the writer, which hashes once more. */
static int copy_in(struct store *s, int fd, const char *digest, struct layer_txn *txn, struct err **err)
{
	autofree char *buf = xmalloc(READ_CHUNK);
	auto_layer_writer *w = NULL;

	if (layer_writer_begin(s, digest, &w, err) < 0)
		return -1;
	for (;;) {
		ssize_t n = fd_read_full(fd, buf, READ_CHUNK);

		if (n < 0)
			return err_sys(err, errno, "read a staged blob");
		if (n == 0)
			return layer_writer_commit(steal_ptr(&w), -1, txn, NULL, err);
		if (layer_writer_write(w, buf, (size_t)n, err) < 0)
			return -1;
	}
}

int layer_adopt(struct store *s, int dirfd, const char *name, const struct digest *digest,
	struct layer_txn *txn, struct err **err)
{
	autoclose int fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	bool is_new = !layer_exists(s, digest->text, NULL);

	if (fd < 0 || fsync(fd) < 0)
		return err_sys(err, errno, "blob %s", digest->text);
	keep_name(s, dirfd, name, digest->text);
	if (renameat(dirfd, name, s->layers_fd, digest->text) < 0) {
		if (errno != EXDEV)
			return err_sys(err, errno, "blob %s", digest->text);
		if (copy_in(s, fd, digest->text, txn, err) < 0)
			return -1;
		(void)unlinkat(dirfd, name, 0); /* the staging directory goes as a whole anyway */
		return 0;
	}
	(void)fs_sync_dir(s->layers_fd); /* the manifest that names it is synced behind it */
	if (is_new && txn)
		layer_txn_add(txn, digest->text);
	return 0;
}

int layer_link(struct store *s, int dirfd, const char *name, const struct digest *digest,
	struct layer_txn *txn, struct err **err)
{
	autoclose int fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid())
		return 0;
	if (fsync(fd) < 0)
		return err_sys(err, errno, "blob %s", digest->text);
	keep_name(s, dirfd, name, digest->text);
	if (linkat(dirfd, name, s->layers_fd, digest->text, 0) < 0)
		return 0;
	(void)fchmod(fd, (st.st_mode & 0644) | 0400); /* as blobs are; its own mode would do as well */
	(void)fs_sync_dir(s->layers_fd); /* the manifest that names it is synced behind it */
	if (txn)
		layer_txn_add(txn, digest->text);
	return 1;
}

int layer_put(
	struct store *s, const void *p, size_t n, struct layer_txn *txn, char **ret_digest, struct err **err)
{
	struct layer_writer *w;

	if (layer_writer_begin(s, NULL, &w, err) < 0)
		return -1;
	if (layer_writer_write(w, p, n, err) < 0) {
		layer_writer_abort(w);
		return -1;
	}
	return layer_writer_commit(w, -1, txn, ret_digest, err);
}
