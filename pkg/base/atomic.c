/* SPDX-License-Identifier: Apache-2.0 */
/* Replacing one file so that a crash leaves the old or the new one, and clearing away what crashed writers left. */
#include "pkg/base/atomic.h"

#include <assert.h>
#include <errno.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/fs.h"
#include "pkg/base/id.h"
#include "pkg/base/mem.h"
#include "pkg/base/path.h"
#include "pkg/base/strv.h"
#include "pkg/base/time.h"

#define TMP_PREFIX ".tmp-"
#define TMP_RANDOM 16
#define TMP_TRIES 100
#define TMP_MAX_AGE (24 * 3600)
#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE (1 << 0)
#endif

static char *tmp_name(void)
{
	char random[TMP_RANDOM + 1];

	id_random_hex(random, TMP_RANDOM);
	return xasprintf(TMP_PREFIX "%ld-%s", (long)getpid(), random);
}

/* Exactly what tmp_name() makes: in a user's directory other programs may have files called nearly so. */
bool atomic_is_tmp(const char *name)
{
	size_t digits, hex;

	if (!str_starts(name, TMP_PREFIX))
		return false;
	name += strlen(TMP_PREFIX);
	digits = strspn(name, "0123456789");
	if (!digits || name[digits] != '-')
		return false;
	hex = strspn(name + digits + 1, "0123456789abcdef");
	return hex == TMP_RANDOM && !name[digits + 1 + hex];
}

/* 1: locked, 0: another process holds it, -1: this file system refuses locks. */
static int try_flock(int fd)
{
	while (flock(fd, LOCK_EX | LOCK_NB) < 0)
		if (errno != EINTR)
			return errno == EWOULDBLOCK ? 0 : -1;
	return 1;
}

/*
 * Lock a temporary that was just made. False when a cleaner came between the making and the locking: it holds the lock,
 * or has already removed the name.
 */
static bool claim(int fd)
{
	struct stat st;

	return try_flock(fd) != 0 && fstat(fd, &st) == 0 && st.st_nlink > 0;
}

int atomic_begin_in(
	struct atomic *t, int tmp_dirfd, int dirfd, const char *name, mode_t mode, struct err **err)
{
	for (int i = 0; i < TMP_TRIES; i++) {
		autofree char *tmp = tmp_name();
		autoclose int fd =
			openat(tmp_dirfd, tmp, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);

		if (fd < 0 && errno != EEXIST)
			return err_sys(err, errno, "create a temporary file for '%s'", name);
		if (fd < 0 || !claim(fd))
			continue;
		*t = (struct atomic){ .dirfd = dirfd,
			.tmp_dirfd = tmp_dirfd,
			.fd = fd,
			.tmp = steal_ptr(&tmp),
			.name = xstrdup(name) };
		return steal_fd(&fd);
	}
	return err_make(err, ERR_BUSY, "create a temporary file for '%s': every name was taken", name);
}

int atomic_begin(struct atomic *t, int dirfd, const char *name, mode_t mode, struct err **err)
{
	return atomic_begin_in(t, dirfd, dirfd, name, mode, err);
}

/* "/proc/self/fd/<fd>": through it a file without a name gets one. */
static char *fd_link(int fd)
{
	return xasprintf("/proc/self/fd/%d", fd);
}

int atomic_begin_unnamed(struct atomic *t, int dirfd, const char *name, mode_t mode, struct err **err)
{
	autoclose int fd = openat(dirfd, ".", O_RDWR | O_TMPFILE | O_CLOEXEC, mode);
	autofree char *link = fd_link(fd);
	struct stat st;

	if (fd < 0 || stat(link, &st) < 0)
		return atomic_begin(t, dirfd, name, mode, err);
	*t = (struct atomic){ .dirfd = dirfd, .tmp_dirfd = dirfd, .fd = fd, .name = xstrdup(name) };
	return steal_fd(&fd);
}

/* Forget the temporary, which has been published or removed. */
static void done(struct atomic *t)
{
	int saved = errno;

	if (t->fd >= 0)
		close(t->fd);
	free(t->tmp);
	free(t->name);
	*t = ATOMIC_INIT;
	errno = saved;
}

void atomic_abort(struct atomic *t)
{
	int saved = errno;

	if (t->tmp)
		(void)unlinkat(t->tmp_dirfd, t->tmp, 0); /* what stays is cleaned by a later writer */
	errno = saved;
	done(t);
}

int atomic_rename_excl(int from_dirfd, const char *from, int dirfd, const char *to)
{
	struct stat st;

	if (syscall(SYS_renameat2, from_dirfd, from, dirfd, to, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != ENOSYS && errno != EINVAL && errno != EPERM)
		return -1;
	if (linkat(from_dirfd, from, dirfd, to, 0) == 0) {
		(void)unlinkat(
			from_dirfd, from, 0); /* a second name of the same file: a later writer cleans it */
		return 0;
	}
	if (errno == EEXIST)
		return -1;
	/* Neither way: look first, which leaves a moment in which another writer may win and be replaced. */
	if (fstatat(dirfd, to, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		errno = EEXIST;
		return -1;
	}
	return renameat(from_dirfd, from, dirfd, to);
}

/* The first name of a file that has none. Over an existing one there is no way but a temporary name, for a moment. */
static int give_name(struct atomic *t, unsigned flags)
{
	autofree char *link = fd_link(t->fd);

	if (linkat(AT_FDCWD, link, t->dirfd, t->name, AT_SYMLINK_FOLLOW) == 0)
		return 0;
	if (errno != EEXIST || (flags & ATOMIC_EXCL))
		return -1;
	for (int i = 0; i < TMP_TRIES; i++) {
		autofree char *tmp = tmp_name();

		if (linkat(AT_FDCWD, link, t->tmp_dirfd, tmp, AT_SYMLINK_FOLLOW) == 0) {
			t->tmp = steal_ptr(&tmp);
			return renameat(t->tmp_dirfd, t->tmp, t->dirfd, t->name);
		}
		if (errno != EEXIST)
			break;
	}
	return -1;
}

static int publish(struct atomic *t, unsigned flags)
{
	if (!t->tmp)
		return give_name(t, flags);
	if (flags & ATOMIC_EXCL)
		return atomic_rename_excl(t->tmp_dirfd, t->tmp, t->dirfd, t->name);
	return renameat(t->tmp_dirfd, t->tmp, t->dirfd, t->name);
}

int atomic_commit(struct atomic *t, unsigned flags, struct err **err)
{
	int r;

	assert(t->name); /* atomic_begin() came first */
	if ((flags & ATOMIC_DURABLE) && fsync(t->fd) < 0) {
		r = err_sys(err, errno, "sync '%s'", t->name);
		atomic_abort(t);
		return r;
	}
	if (flags & ATOMIC_PROGRAM)
		close(steal_fd(&t->fd));
	r = publish(t, flags);
	if (r < 0) {
		r = err_sys(err, errno, "write '%s'", t->name);
		atomic_abort(t);
		return r;
	}
	if ((flags & ATOMIC_DURABLE) && fs_sync_dir(t->dirfd) < 0)
		r = err_sys(err, errno, "sync the directory of '%s'", t->name);
	done(t);
	return r;
}

int atomic_write(
	int dirfd, const char *name, const void *p, size_t n, mode_t mode, unsigned flags, struct err **err)
{
	auto_atomic t = ATOMIC_INIT;

	if (atomic_begin(&t, dirfd, name, mode, err) < 0)
		return -1;
	if (fd_write_all(t.fd, p, n) < 0)
		return err_sys(err, errno, "write '%s'", name);
	return atomic_commit(&t, flags, err);
}

/* -1 where there is a file to be replaced, or nothing; else 1 when it was written into, 0 with an error. */
static int write_into(const char *path, const void *p, size_t n, struct err **err)
{
	autoclose int fd = -1;
	struct stat st;

	if (stat(path, &st) < 0 || S_ISREG(st.st_mode) || S_ISDIR(st.st_mode))
		return -1;
	fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0 || fstat(fd, &st) < 0)
		err_sys(err, errno, "%s", path);
	else if (
		S_ISREG(st.st_mode)) /* nobody is to make us write into a file by putting it there meanwhile */
		err_make(err, ERR_DENIED, "%s: became a file while it was opened", path);
	else if (fd_write_all(fd, p, n) < 0)
		err_sys(err, errno, "write '%s'", path);
	else
		return 1;
	return 0;
}

int atomic_write_path(const char *path, const void *p, size_t n, mode_t mode, struct err **err)
{
	autofree char *dir = path_dir(path);
	autoclose int dirfd = -1;
	int r = write_into(path, p, n, err);

	if (r >= 0)
		return r ? 0 : -1;
	dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dirfd < 0)
		return err_sys(err, errno, "%s", dir);
	return atomic_write(dirfd, path_base(path), p, n, mode, 0, err);
}

int atomic_symlink(int dirfd, const char *target, const char *name, struct err **err)
{
	if (symlinkat(target, dirfd, name) == 0)
		return 0;
	for (int i = 0; errno == EEXIST && i < TMP_TRIES; i++) {
		autofree char *tmp = tmp_name();
		int saved;

		if (symlinkat(target, dirfd, tmp) < 0)
			continue;
		if (renameat(dirfd, tmp, dirfd, name) == 0)
			return 0;
		saved = errno;
		(void)unlinkat(dirfd, tmp, 0); /* what stays is cleaned by a later writer */
		errno = saved;
		break;
	}
	return err_sys(err, errno, "link '%s'", name);
}

static bool is_older_than_a_day(const struct stat *st)
{
	return time_now_ns() / 1000000000 - (int64_t)st->st_mtime > TMP_MAX_AGE;
}

/* True if nobody writes this temporary any more. *ret_fd holds its lock until it is removed. */
static bool is_abandoned(int dirfd, const char *name, int *ret_fd)
{
	const int flags = O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
	struct stat st, again;
	int r;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || S_ISDIR(st.st_mode))
		return false;
	if (!S_ISREG(st.st_mode)) /* a link on its way into place cannot be locked */
		return is_older_than_a_day(&st);
	*ret_fd = openat(dirfd, name, O_RDWR | flags); /* NFS locks only what is open for writing */
	if (*ret_fd < 0)
		*ret_fd = openat(dirfd, name, O_RDONLY | flags);
	r = *ret_fd < 0 ? -1 : try_flock(*ret_fd);
	if (r == 0)
		return false;
	if (r < 0 && !is_older_than_a_day(&st))
		return false;
	/* Published while we looked: the name is gone, or leads to another file. */
	return *ret_fd < 0 ||
	       (fstat(*ret_fd, &again) == 0 && again.st_nlink > 0 && again.st_ino == st.st_ino);
}

void atomic_clean(int dirfd)
{
	auto_strv names = STRV_INIT;

	if (fs_list(dirfd, ".", &names) < 0)
		return;
	for (size_t i = 0; i < names.n; i++) {
		autoclose int fd = -1;

		if (atomic_is_tmp(names.v[i]) && is_abandoned(dirfd, names.v[i], &fd))
			(void)unlinkat(dirfd, names.v[i], 0); /* the next writer tries again */
	}
}
