/* SPDX-License-Identifier: Apache-2.0 */
/* Blobs that arrive piece by piece, over several runs if need be. */
#include "pkg/store/partial.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "oci-spec/digest.h"
#include "pkg/base/err.h"
#include "pkg/base/fs.h"
#include "pkg/base/id.h"
#include "pkg/base/mem.h"
#include "pkg/base/sig.h"
#include "pkg/base/strv.h"
#include "pkg/base/time.h"
#include "pkg/store/file_hash.h"
#include "pkg/store/layers.h"
#include "pkg/store/store.h"

#define PREFIX PARTIAL_PREFIX
#define TRIES 16

struct partial {
	struct store *store;
	struct digest digest;
	char *name;
	int fd;
	uint64_t size;
	struct file_hash *hash;
	bool settled;
	bool own; /* no lock could be had: nobody else may find it */
};

static void partial_free(struct partial *p)
{
	file_hash_free(p->hash);
	if (p->fd >= 0)
		close(p->fd);
	free(p->name);
	free(p);
}

void partial_keep(struct partial *p)
{
	if (!p)
		return;
	if (p->own)
		(void)unlinkat(p->store->layers_fd, p->name, 0); /* what stays is cleaned by a later writer */
	else if (p->hash)
		(void)file_hash_flush(p->hash); /* what is lost is fetched again */
	partial_free(p);
}

static void drop(struct partial *p)
{
	(void)unlinkat(p->store->layers_fd, p->name, 0); /* as above */
	partial_free(p);
}

/* 1: locked, 0: another process holds it, -1: this file system refuses locks. */
static int try_flock(int fd)
{
	while (flock(fd, LOCK_EX | LOCK_NB) < 0)
		if (errno != EINTR)
			return errno == EWOULDBLOCK ? 0 : -1;
	return 1;
}

/* The file we locked still has its name: the one who held it before may have published or removed it. */
static bool is_there(struct store *s, const char *name, int fd)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 && fstatat(s->layers_fd, name, &b, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISREG(a.st_mode) && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* 1: *ret_fd is the locked file, 0: another writes it, -1 with *err, 2: locks are refused. */
static int claim(struct store *s, const char *name, int *ret_fd, struct err **err)
{
	for (int i = 0; i < TRIES; i++) {
		autoclose int fd = openat(
			s->layers_fd, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0644);
		int r;

		if (fd < 0)
			return err_sys(err, errno, "write to %s", s->layers);
		r = try_flock(fd);
		if (r < 0 && is_there(s, name, fd)) {
			(void)unlinkat(
				s->layers_fd, name, 0); /* made by us or left behind: nobody may share it */
			return 2;
		}
		if (r == 0)
			return 0;
		if (r > 0 && is_there(s, name, fd)) {
			*ret_fd = steal_fd(&fd);
			return 1;
		}
	}
	return 0; /* others are at it, and busily */
}

/* A name of our own, as atomic.h makes them, which the cleaners of layers/ know. */
static int claim_own(struct store *s, struct partial *p, struct err **err)
{
	char random[17];

	id_random_hex(random, 16);
	free(p->name);
	p->name = xasprintf(".tmp-%ld-%s", (long)getpid(), random);
	p->own = true;
	p->fd = openat(s->layers_fd, p->name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	return p->fd < 0 ? err_sys(err, errno, "write to %s", s->layers) : 0;
}

/* What is there already is hashed first. */
static int begin_hash(struct partial *p, struct err **err)
{
	off_t have = lseek(p->fd, 0, SEEK_END);

	if (have < 0)
		return err_sys(err, errno, "read %s/%s", p->store->layers, p->name);
	p->size = (uint64_t)have;
	p->hash = file_hash_begin(p->digest.kind, p->fd, p->size, err);
	return p->hash ? 0 : -1;
}

int partial_begin(struct store *s, const struct digest *d, struct partial **ret, struct err **err)
{
	struct partial *p = xcalloc(1, sizeof(*p));
	int r;

	p->store = s;
	p->digest = *d;
	p->fd = -1;
	p->name = xasprintf(PREFIX "%s", d->text);
	r = claim(s, p->name, &p->fd, err);
	if (r == 2)
		r = claim_own(s, p, err) < 0 ? -1 : 1;
	if (r > 0 && begin_hash(p, err) < 0)
		r = -1;
	if (r <= 0) {
		partial_free(p);
		return r;
	}
	*ret = p;
	return 1;
}

uint64_t partial_size(const struct partial *p)
{
	return p->size;
}

int partial_restart(struct partial *p, struct err **err)
{
	file_hash_free(steal_ptr(&p->hash));
	p->settled = false;
	if (ftruncate(p->fd, 0) < 0)
		return err_sys(err, errno, "write to %s", p->store->layers);
	return begin_hash(p, err);
}

int partial_write(struct partial *p, const void *data, size_t n, struct err **err)
{
	if (sig_interrupted())
		return err_sys(err, EINTR, "write to %s", p->store->layers);
	if (file_hash_write(p->hash, data, n) < 0)
		return err_sys(err, errno, "write to %s", p->store->layers);
	p->size += n;
	return 0;
}

int partial_flush(struct partial *p, struct err **err)
{
	if (file_hash_flush(p->hash) < 0)
		return err_sys(err, errno, "write to %s", p->store->layers);
	return 0;
}

void partial_settle(struct partial *p, int wake_fd)
{
	if (!p->settled)
		file_hash_settle(p->hash, wake_fd);
	p->settled = true;
}

bool partial_is_settled(const struct partial *p)
{
	return p->settled && file_hash_is_settled(p->hash);
}

static int check(struct partial *p, int64_t size, struct err **err)
{
	char hex[SHA_HEX_MAX + 1];
	struct digest got;

	partial_settle(p, -1);
	if (file_hash_wait(p->hash, hex, err) < 0)
		return err_add(err, "%s/%s", p->store->layers, p->name);
	(void)digest_from_hex(p->digest.kind, hex, &got); /* what sha_finish() gives is always one */
	if (size >= 0 && p->size != (uint64_t)size)
		return err_make(err, ERR_CORRUPT, "layer %s: size is %llu, wanted %lld", p->digest.text,
			(unsigned long long)p->size, (long long)size);
	if (!digest_eq(&p->digest, &got))
		return err_make(
			err, ERR_CORRUPT, "layer %s: digest mismatch (got %s)", p->digest.text, got.text);
	return 0;
}

int partial_commit(struct partial *p, int64_t size, struct layer_txn *txn, struct err **err)
{
	struct store *s = p->store;
	bool is_new;

	if (check(p, size, err) < 0) {
		drop(p);
		return -1;
	}
	is_new = !layer_exists(s, p->digest.text, NULL);
	if (renameat(s->layers_fd, p->name, s->layers_fd, p->digest.text) < 0) {
		err_sys(err, errno, "write layer %s to %s", p->digest.text, s->layers);
		drop(p);
		return -1;
	}
	(void)fs_sync_dir(s->layers_fd); /* the manifest that names it is synced behind it */
	if (is_new && txn)
		layer_txn_add(txn, p->digest.text);
	partial_free(p);
	return 0;
}

static void clean_one(struct store *s, const char *name, int min_age_s)
{
	struct stat st;
	autoclose int fd = -1;

	if (fstatat(s->layers_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		time_now_ns() / 1000000000 - (int64_t)st.st_mtime < min_age_s)
		return;
	fd = openat(s->layers_fd, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd >= 0 && try_flock(fd) != 0 && is_there(s, name, fd))
		(void)unlinkat(s->layers_fd, name, 0); /* what stays is looked at again next time */
}

void partial_clean(struct store *s, int min_age_s)
{
	auto_strv names = STRV_INIT;

	if (s->layers_fd < 0 || fs_list(s->layers_fd, ".", &names) < 0)
		return;
	for (size_t i = 0; i < names.n; i++)
		if (str_starts(names.v[i], PREFIX))
			clean_one(s, names.v[i], min_age_s);
}
