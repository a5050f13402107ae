/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files whose own mode keeps their owner out: programs that believe to be root leave such behind. The name is resolved once, so that
 * nobody can have another file's mode changed.
 */
#include <errno.h>
#include <sys/syscall.h>

#include "pkg/base/fs.h"

/* Linux 6.6; the number is the same everywhere but on Alpha, and headers may be older than the kernel. */
#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif

int fs_chmod_opath(int fd, mode_t mode)
{
	char link[40];

	/* fchmodat2, else the magic link of the descriptor, else "." in it (which needs its x bit). */
	if (syscall(SYS_fchmodat2, fd, "", mode, AT_EMPTY_PATH) == 0)
		return 0;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	if (chmod(link, mode) == 0 || fchmodat(fd, ".", mode, 0) == 0)
		return 0;
	errno = EACCES;
	return -1;
}

static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* Open what `opath` is open for, with more rights for its owner for as long. */
static int open_unlocked(int dirfd, const char *name, int flags, int opath, const struct stat *st)
{
	mode_t mode = st->st_mode & 07777;
	autoclose int fd = -1;
	struct stat now;

	if (fs_chmod_opath(opath, mode | (flags & O_DIRECTORY ? 0500 : 0400)) < 0)
		return -1;
	fd = openat(dirfd, name, flags);
	if (fd >= 0 && (fstat(fd, &now) < 0 || !is_same(&now, st))) {
		close(steal_fd(&fd));
		errno = ESTALE; /* replaced meanwhile */
	}
	if (fd < 0 || !(flags & O_DIRECTORY)) {
		int saved = errno;

		(void)fs_chmod_opath(opath, mode); /* it was ours a moment ago */
		errno = saved;
	}
	return steal_fd(&fd);
}

int fs_open_own(int dirfd, const char *name, int flags, struct stat *ret_st, bool *ret_unlocked)
{
	int fd;
	autoclose int opath = -1;
	struct stat st;
	bool dir = flags & O_DIRECTORY;

	flags |= O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
	*ret_unlocked = false;
	fd = openat(dirfd, name, flags);
	if (fd < 0 && errno != EACCES)
		return -1;
	if (fd >= 0 && fstat(fd, &st) < 0) {
		close(fd);
		return -1;
	}
	/* A directory may be listed without x, but then nothing in it can be opened. */
	if (fd >= 0 && (!dir || (st.st_mode & 0100) || st.st_uid != geteuid())) {
		*ret_st = st;
		return fd;
	}
	if (fd >= 0)
		close(fd);
	opath = openat(dirfd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (opath < 0 || fstat(opath, &st) < 0)
		return -1;
	if (st.st_uid != geteuid() || !(dir ? S_ISDIR(st.st_mode) : S_ISREG(st.st_mode))) {
		errno = EACCES;
		return -1;
	}
	fd = open_unlocked(dirfd, name, flags, opath, &st);
	if (fd >= 0) {
		*ret_unlocked = dir;
		*ret_st = st;
	}
	return fd;
}
