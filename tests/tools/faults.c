/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A preload library that makes the n-th system call of a kind fail, or kills the process in front of it, to see what a full disk, a dying
 * one or a crash leaves behind. Only calls on files below one directory count.
 *
 *   FAULTS=KIND[,KIND...]:N[+]:WHAT   the N-th such call (with +: and all behind it) fails with WHAT, an errno; KILL, STOP:
 *                                     SIGKILL, SIGSTOP before it
 *   FAULTS_DIR=DIR                    calls on other files go through
 *   FAULTS_COUNT=FILE                 eight bytes in which all such calls of the process and its children are counted
 *
 * Kinds: write sync rename link mkdir create unlink attr lock look (what asks for a name and changes nothing: open, stat, readlink);
 * "space" is what needs room on the disk, "any" is all that changes something.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <unistd.h>

enum kind {
	WRITE = 1,
	SYNC = 2,
	RENAME = 4,
	LINK = 8,
	MKDIR = 16,
	CREATE = 32,
	UNLINK = 64,
	ATTR = 128,
	LOCK = 256,
	LOOK = 512,
};

struct name {
	const char *text;
	unsigned value;
};

static const struct name kinds[] = {
	{ "write", WRITE },
	{ "sync", SYNC },
	{ "rename", RENAME },
	{ "link", LINK },
	{ "mkdir", MKDIR },
	{ "create", CREATE },
	{ "unlink", UNLINK },
	{ "attr", ATTR },
	{ "lock", LOCK },
	{ "look", LOOK },
	{ "space", WRITE | LINK | MKDIR | CREATE },
	{ "any", WRITE | SYNC | RENAME | LINK | MKDIR | CREATE | UNLINK | ATTR },
};

#define KILL 0xffff
#define STOP 0xfffe
static const struct name outcomes[] = { { "ENOSPC", ENOSPC }, { "EIO", EIO }, { "EDQUOT", EDQUOT },
	{ "ENOLCK", ENOLCK }, { "EXDEV", EXDEV }, { "EPERM", EPERM }, { "EOPNOTSUPP", EOPNOTSUPP },
	{ "KILL", KILL }, { "STOP", STOP } };

static struct {
	unsigned mask, what;
	uint64_t at;
	bool onwards;
	char dir[PATH_MAX];
	size_t dir_len;
	_Atomic uint64_t own, *count;
} faults;

static void die(const char *text)
{
	dprintf(2, "faults: cannot understand %s\n", text);
	_exit(125);
}

static unsigned lookup(const struct name *table, size_t n, const char *text)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(table[i].text, text) == 0)
			return table[i].value;
	die(text);
	return 0;
}

static void read_faults(const char *text)
{
	char copy[256], *save = NULL, *at, *what, *end;

	snprintf(copy, sizeof(copy), "%s", text);
	at = strchr(copy, ':');
	what = at ? strchr(at + 1, ':') : NULL;
	if (!what)
		die(text);
	*at++ = *what++ = '\0';
	for (char *one = strtok_r(copy, ",", &save); one; one = strtok_r(NULL, ",", &save))
		faults.mask |= lookup(kinds, sizeof(kinds) / sizeof(kinds[0]), one);
	faults.at = strtoull(at, &end, 10);
	faults.onwards = *end == '+';
	if (end == at || (*end && strcmp(end, "+") != 0))
		die(text);
	faults.what = lookup(outcomes, sizeof(outcomes) / sizeof(outcomes[0]), what);
}

__attribute__((constructor)) static void begin(void)
{
	const char *text = getenv("FAULTS"), *dir = getenv("FAULTS_DIR"), *count = getenv("FAULTS_COUNT");

	faults.count = &faults.own;
	if (!text || !dir)
		return;
	if (!realpath(dir, faults.dir))
		die(dir);
	faults.dir_len = strlen(faults.dir);
	if (count) {
		int fd = (int)syscall(SYS_openat, AT_FDCWD, count, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
		void *p = fd < 0 || syscall(SYS_ftruncate, fd, 8L) < 0
				  ? MAP_FAILED
				  : mmap(NULL, 8, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

		if (p == MAP_FAILED)
			die(count);
		faults.count = p;
		close(fd);
	}
	read_faults(text); /* last: from here on calls are looked at */
}

/* ---- which file ---- */

static bool is_inside(const char *path)
{
	return strncmp(path, faults.dir, faults.dir_len) == 0 &&
	       (path[faults.dir_len] == '/' || path[faults.dir_len] == '\0');
}

static bool fd_inside(int fd)
{
	char link[40], path[PATH_MAX];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	if (n < 0)
		return false;
	path[n] = '\0';
	return is_inside(path);
}

static bool path_inside(int dirfd, const char *path)
{
	char cwd[PATH_MAX];

	if (*path == '/')
		return is_inside(path);
	if (dirfd == AT_FDCWD)
		return getcwd(cwd, sizeof(cwd)) && is_inside(cwd);
	return fd_inside(dirfd);
}

/* ---- the decision ---- */

/* True when the call is to fail; errno is set. */
static bool strike(void)
{
	uint64_t n = atomic_fetch_add(faults.count, 1) + 1;

	if (n < faults.at || (n > faults.at && !faults.onwards))
		return false;
	if (faults.what == KILL)
		syscall(SYS_kill, getpid(), SIGKILL);
	if (faults.what == STOP) {
		syscall(SYS_kill, getpid(), SIGSTOP);
		return false;
	}
	errno = (int)faults.what;
	return true;
}

static bool on_fd(enum kind kind, int fd)
{
	int saved = errno;
	bool hit = (faults.mask & kind) && fd_inside(fd);

	errno = saved;
	return hit && strike();
}

static bool on_path(enum kind kind, int dirfd, const char *path)
{
	int saved = errno;
	bool hit = (faults.mask & kind) && path_inside(dirfd, path);

	errno = saved;
	return hit && strike();
}

#define REAL(name) \
	({ \
		static __typeof__(name) *real; \
		if (!real) \
			real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name); \
		real; \
	})

/* A function that fails or does what it always did. */
#define WRAP(type, name, params, args, test) \
	type name params \
	{ \
		return (test) ? -1 : REAL(name) args; \
	}

/* ---- write ---- */

WRAP(ssize_t, write, (int fd, const void *p, size_t n), (fd, p, n), on_fd(WRITE, fd))
WRAP(ssize_t, pwrite, (int fd, const void *p, size_t n, off_t at), (fd, p, n, at), on_fd(WRITE, fd))
WRAP(ssize_t, pwrite64, (int fd, const void *p, size_t n, off64_t at), (fd, p, n, at), on_fd(WRITE, fd))
WRAP(ssize_t, writev, (int fd, const struct iovec *v, int n), (fd, v, n), on_fd(WRITE, fd))
WRAP(ssize_t, pwritev, (int fd, const struct iovec *v, int n, off_t at), (fd, v, n, at), on_fd(WRITE, fd))
WRAP(ssize_t, pwritev64, (int fd, const struct iovec *v, int n, off64_t at), (fd, v, n, at), on_fd(WRITE, fd))
WRAP(ssize_t, sendfile, (int out, int in, off_t *at, size_t n), (out, in, at, n), on_fd(WRITE, out))
WRAP(ssize_t, sendfile64, (int out, int in, off64_t *at, size_t n), (out, in, at, n), on_fd(WRITE, out))
WRAP(ssize_t, copy_file_range, (int in, off64_t *from, int out, off64_t *to, size_t n, unsigned flags),
	(in, from, out, to, n, flags), on_fd(WRITE, out))
WRAP(ssize_t, splice, (int in, off64_t *from, int out, off64_t *to, size_t n, unsigned flags),
	(in, from, out, to, n, flags), on_fd(WRITE, out))
WRAP(int, ftruncate, (int fd, off_t n), (fd, n), on_fd(WRITE, fd))
WRAP(int, ftruncate64, (int fd, off64_t n), (fd, n), on_fd(WRITE, fd))
WRAP(int, fallocate, (int fd, int mode, off_t at, off_t n), (fd, mode, at, n), on_fd(WRITE, fd))
WRAP(int, fallocate64, (int fd, int mode, off64_t at, off64_t n), (fd, mode, at, n), on_fd(WRITE, fd))

int ioctl(int fd, unsigned long request, ...)
{
	va_list ap;
	void *arg;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	if ((request == FICLONE || request == FICLONERANGE) && on_fd(WRITE, fd))
		return -1;
	return REAL(ioctl)(fd, request, arg);
}

/* ---- sync, lock ---- */

WRAP(int, fsync, (int fd), (fd), on_fd(SYNC, fd))
WRAP(int, fdatasync, (int fd), (fd), on_fd(SYNC, fd))
WRAP(int, syncfs, (int fd), (fd), on_fd(SYNC, fd))
WRAP(int, sync_file_range, (int fd, off64_t at, off64_t n, unsigned flags), (fd, at, n, flags),
	on_fd(SYNC, fd))
WRAP(int, flock, (int fd, int op), (fd, op), on_fd(LOCK, fd))

/* ---- names ---- */

static bool on_two(enum kind kind, int olddir, const char *from, int newdir, const char *to)
{
	int saved = errno;
	bool hit = (faults.mask & kind) && (path_inside(olddir, from) || path_inside(newdir, to));

	errno = saved;
	return hit && strike();
}

WRAP(int, rename, (const char *a, const char *b), (a, b), on_two(RENAME, AT_FDCWD, a, AT_FDCWD, b))
WRAP(int, renameat, (int x, const char *a, int y, const char *b), (x, a, y, b), on_two(RENAME, x, a, y, b))
WRAP(int, renameat2, (int x, const char *a, int y, const char *b, unsigned f), (x, a, y, b, f),
	on_two(RENAME, x, a, y, b))
WRAP(int, link, (const char *a, const char *b), (a, b), on_path(LINK, AT_FDCWD, b))
WRAP(int, linkat, (int x, const char *a, int y, const char *b, int f), (x, a, y, b, f), on_path(LINK, y, b))
WRAP(int, symlink, (const char *a, const char *b), (a, b), on_path(LINK, AT_FDCWD, b))
WRAP(int, symlinkat, (const char *a, int y, const char *b), (a, y, b), on_path(LINK, y, b))
WRAP(int, mkdir, (const char *a, mode_t m), (a, m), on_path(MKDIR, AT_FDCWD, a))
WRAP(int, mkdirat, (int x, const char *a, mode_t m), (x, a, m), on_path(MKDIR, x, a))
WRAP(int, mkfifo, (const char *a, mode_t m), (a, m), on_path(MKDIR, AT_FDCWD, a))
WRAP(int, mkfifoat, (int x, const char *a, mode_t m), (x, a, m), on_path(MKDIR, x, a))
WRAP(int, mknodat, (int x, const char *a, mode_t m, dev_t d), (x, a, m, d), on_path(MKDIR, x, a))
WRAP(int, unlink, (const char *a), (a), on_path(UNLINK, AT_FDCWD, a))
WRAP(int, unlinkat, (int x, const char *a, int f), (x, a, f), on_path(UNLINK, x, a))
WRAP(int, rmdir, (const char *a), (a), on_path(UNLINK, AT_FDCWD, a))

/* Opening is a matter of room only where it makes a file. */
static bool on_open(int dirfd, const char *path, int flags)
{
	return on_path(flags & O_CREAT ? CREATE : LOOK, dirfd, path);
}

static mode_t mode_of(int flags, va_list ap)
{
	return flags & (O_CREAT | __O_TMPFILE) ? va_arg(ap, mode_t) : 0;
}

#define OPEN(name) \
	int name(const char *path, int flags, ...) \
	{ \
		va_list ap; \
		mode_t mode; \
\
		va_start(ap, flags); \
		mode = mode_of(flags, ap); \
		va_end(ap); \
		return on_open(AT_FDCWD, path, flags) ? -1 : REAL(name)(path, flags, mode); \
	}
#define OPENAT(name) \
	int name(int dirfd, const char *path, int flags, ...) \
	{ \
		va_list ap; \
		mode_t mode; \
\
		va_start(ap, flags); \
		mode = mode_of(flags, ap); \
		va_end(ap); \
		return on_open(dirfd, path, flags) ? -1 : REAL(name)(dirfd, path, flags, mode); \
	}
OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)

/* ---- looks ---- */

WRAP(int, fstatat, (int x, const char *restrict a, struct stat *restrict st, int f), (x, a, st, f),
	on_path(LOOK, x, a))
WRAP(int, fstatat64, (int x, const char *restrict a, struct stat64 *restrict st, int f), (x, a, st, f),
	on_path(LOOK, x, a))
WRAP(int, faccessat, (int x, const char *a, int how, int f), (x, a, how, f), on_path(LOOK, x, a))
WRAP(ssize_t, readlinkat, (int x, const char *restrict a, char *restrict p, size_t n), (x, a, p, n),
	on_path(LOOK, x, a))

/* ---- attributes ---- */

WRAP(int, chmod, (const char *a, mode_t m), (a, m), on_path(ATTR, AT_FDCWD, a))
WRAP(int, fchmod, (int fd, mode_t m), (fd, m), on_fd(ATTR, fd))
WRAP(int, fchmodat, (int x, const char *a, mode_t m, int f), (x, a, m, f), on_path(ATTR, x, a))
WRAP(int, futimens, (int fd, const struct timespec t[2]), (fd, t), on_fd(ATTR, fd))
WRAP(int, fsetxattr, (int fd, const char *a, const void *v, size_t n, int f), (fd, a, v, n, f),
	on_fd(ATTR, fd))

int utimensat(int dirfd, const char *path, const struct timespec t[2], int flags)
{
	const char *volatile given = path; /* the header says that it is never NULL; as futimens() it is */

	if (given ? on_path(ATTR, dirfd, path) : on_fd(ATTR, dirfd))
		return -1;
	return REAL(utimensat)(dirfd, path, t, flags);
}

/* ---- what has no function of its own in the C library ---- */

long syscall(long nr, ...)
{
	static long (*real)(long, ...);
	long a[6];
	va_list ap;

	va_start(ap, nr);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(ap, long);
	va_end(ap);
	if (!real)
		real = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
	if (nr == SYS_renameat2 &&
		on_two(RENAME, (int)a[0], (const char *)a[1], (int)a[2], (const char *)a[3]))
		return -1;
#ifdef SYS_openat2
	/* struct open_how begins with the flags */
	if (nr == SYS_openat2 && on_open((int)a[0], (const char *)a[1], (int)*(const uint64_t *)a[2]))
		return -1;
#endif
	return real(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
}
