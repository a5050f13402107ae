/* SPDX-License-Identifier: Apache-2.0 */
/* flock() on a file, done without where it is refused. */
#include "pkg/base/lock.h"

#include <errno.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "pkg/base/err.h"
#include "pkg/base/log.h"
#include "pkg/base/sig.h"

/* How often a lock file may be removed by its last holder between our opening and our locking it. */
#define MAX_TRIES 100

/*
 * Open the lock file. On a store we may not write, an existing file can be locked all the same. -1 with errno; *ret_refused
 * says that it cannot be had here, which is no error.
 */
static int open_lock(int dirfd, const char *name, bool *ret_refused)
{
	const int flags = O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK;
	int fd = openat(dirfd, name, O_RDWR | O_CREAT | flags, 0600);
	int first = errno;

	*ret_refused = false;
	if (fd >= 0 || (first != EACCES && first != EPERM && first != EROFS))
		return fd;
	fd = openat(dirfd, name, O_RDONLY | flags);
	*ret_refused = fd < 0;
	errno = first;
	return fd;
}

/* 1: locked, 0: another holds it, -1 with errno. EINTR only after an interruption that was caught. */
static int lock_fd(int fd, int op)
{
	while (flock(fd, op) < 0) {
		if (errno == EWOULDBLOCK)
			return 0;
		if (errno != EINTR || sig_interrupted())
			return -1;
	}
	return 1;
}

/* True if `name` still is the file that was locked, not one that was removed or replaced in between. */
static bool is_current(int fd, int dirfd, const char *name)
{
	struct stat held, named;

	return fstat(fd, &held) == 0 && fstatat(dirfd, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	       held.st_dev == named.st_dev && held.st_ino == named.st_ino;
}

static int in_name_only(struct lock *l, const char *name, int errnum)
{
	log_debug("lock '%s' is refused here (%s), going on without", name, strerror(errnum));
	*l = LOCK_INIT;
	return 1;
}

static int lock_file(struct lock *l, int dirfd, const char *name, int op, struct err **err)
{
	for (int i = 0; i < MAX_TRIES; i++) {
		bool refused;
		autoclose int fd = open_lock(dirfd, name, &refused);
		int r;

		if (fd < 0 && refused)
			return in_name_only(l, name, errno);
		if (fd < 0)
			return err_sys(err, errno, "open the lock '%s'", name);
		r = lock_fd(fd, op);
		if (r < 0 && errno == EINTR)
			return err_sys(err, errno, "wait for the lock '%s'", name);
		if (r < 0)
			return in_name_only(l, name, errno);
		if (r == 0)
			return 0;
		if (!is_current(fd, dirfd, name))
			continue;
		l->fd = steal_fd(&fd);
		return 1;
	}
	return err_make(err, ERR_BUSY, "lock '%s': the file is replaced all the time", name);
}

int lock_take(struct lock *l, int dirfd, const char *name, enum lock_mode mode, struct err **err)
{
	int r = lock_file(l, dirfd, name, mode == LOCK_SHARED ? LOCK_SH : LOCK_EX, err);

	return r < 0 ? -1 : 0;
}

int lock_try(struct lock *l, int dirfd, const char *name, enum lock_mode mode, struct err **err)
{
	return lock_file(l, dirfd, name, (mode == LOCK_SHARED ? LOCK_SH : LOCK_EX) | LOCK_NB, err);
}

void lock_release(struct lock *l)
{
	base_autoclose(&l->fd);
	l->fd = -1;
}
