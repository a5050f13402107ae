/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transfers on descriptors that survive EINTR and short counts, and what else there is to do with a bare number:
 * duplicate, mark, close. New system calls (memfd_create, copy_file_range, close_range) are asked for and done without.
 */
#include "pkg/base/fd.h"

#include <errno.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "pkg/base/err.h"
#include "pkg/base/host.h"
#include "pkg/base/mem.h"
#include "pkg/base/path.h"
#include "pkg/base/sig.h"
#include "pkg/base/str.h"

#define COPY_BUFFER ((size_t)128 << 10)
#define COPY_CHUNK ((size_t)1 << 30)
#define TEXT_BUFFER 4096
/* The highest number tried when descriptors can only be closed one by one. */
#define CLOSE_LOOP_MAX (1 << 20)

/* A signal that only has to be handled is no reason to stop; one that asks the command to end is. */
static bool is_restart(void)
{
	return errno == EINTR && !sig_interrupted();
}

/* A signal ends a call that has moved something with a short count: the next call would wait again. */
static bool is_cut_short(size_t done, size_t n)
{
	if (done == n || !sig_interrupted())
		return false;
	errno = EINTR;
	return true;
}

ssize_t fd_read_full(int fd, void *buf, size_t n)
{
	size_t done = 0;

	while (done < n) {
		ssize_t r = read(fd, (char *)buf + done, n - done);

		if (r < 0 && is_restart())
			continue;
		if (r < 0)
			return -1;
		if (r == 0)
			break;
		done += (size_t)r;
		if (is_cut_short(done, n))
			return -1;
	}
	return (ssize_t)done;
}

ssize_t fd_pread_full(int fd, void *buf, size_t n, off_t at)
{
	size_t done = 0;

	while (done < n) {
		ssize_t r = pread(fd, (char *)buf + done, n - done, at + (off_t)done);

		if (r < 0 && is_restart())
			continue;
		if (r < 0)
			return -1;
		if (r == 0)
			break;
		done += (size_t)r;
	}
	return (ssize_t)done;
}

int fd_write_all(int fd, const void *buf, size_t n)
{
	size_t done = 0;

	while (done < n) {
		ssize_t r = write(fd, (const char *)buf + done, n - done);

		if (r < 0 && is_restart())
			continue;
		if (r < 0)
			return -1;
		done += (size_t)r;
		if (is_cut_short(done, n))
			return -1;
	}
	return 0;
}

int fd_read_text(int fd, size_t max, struct str *s, const char *what, struct err **err)
{
	char buf[TEXT_BUFFER];
	size_t total = 0;

	for (;;) {
		ssize_t r = fd_read_full(fd, buf, sizeof(buf));

		if (r < 0)
			return err_sys(err, errno, "read %s", what);
		total += (size_t)r;
		if (total > max || str_add_mem(s, buf, (size_t)r) < 0)
			return err_make(err, ERR_CORRUPT, "%s is larger than %zu bytes", what, max);
		if ((size_t)r < sizeof(buf))
			return 0;
	}
}

bool fd_reflink(int in, int out)
{
	return ioctl(out, FICLONE, in) == 0;
}

/* Share the blocks of a whole file with an empty one: 1 when it was done, 0 when it cannot be done here. */
static int copy_reflink(int in, int out, uint64_t limit, uint64_t *done)
{
	struct stat si, so;

	if (fstat(in, &si) < 0 || fstat(out, &so) < 0 || !S_ISREG(si.st_mode) || !S_ISREG(so.st_mode))
		return 0;
	if (so.st_size != 0 || limit < (uint64_t)si.st_size || si.st_size == 0)
		return 0;
	if (lseek(in, 0, SEEK_CUR) != 0 || lseek(out, 0, SEEK_CUR) != 0)
		return 0;
	if (!fd_reflink(in, out))
		return 0;
	/* The source may have grown since it was looked at: the target tells how much was shared. */
	if (fstat(out, &so) < 0 || lseek(in, so.st_size, SEEK_SET) < 0 ||
		lseek(out, so.st_size, SEEK_SET) < 0)
		return -1;
	*done = (uint64_t)so.st_size;
	return 1;
}

static size_t copy_want(uint64_t limit, uint64_t done, size_t most)
{
	uint64_t left = limit - done;

	return left < most ? (size_t)left : most;
}

/*
 * In the kernel as far as it goes. Any error ends it quietly, since the loop that follows meets the same error if it is
 * a real one; so does an end of file, which some kernels report wrongly for files of procfs.
 */
static void copy_in_kernel(int in, int out, uint64_t limit, uint64_t *done)
{
	while (*done < limit) {
		ssize_t r = copy_file_range(in, NULL, out, NULL, copy_want(limit, *done, COPY_CHUNK), 0);

		if (r < 0 && is_restart())
			continue;
		if (r <= 0)
			return;
		*done += (uint64_t)r;
	}
}

static int copy_by_hand(int in, int out, uint64_t limit, uint64_t *done)
{
	autofree char *buf = NULL;

	while (*done < limit) {
		ssize_t r;

		if (!buf)
			buf = xmalloc(COPY_BUFFER);
		r = read(in, buf, copy_want(limit, *done, COPY_BUFFER));
		if (r < 0 && is_restart())
			continue;
		if (r < 0)
			return -1;
		if (r == 0)
			return 0;
		if (fd_write_all(out, buf, (size_t)r) < 0)
			return -1;
		*done += (uint64_t)r;
	}
	return 0;
}

int fd_copy(int in, int out, uint64_t limit, uint64_t *ret_n)
{
	uint64_t done = 0;
	int r = copy_reflink(in, out, limit, &done);

	if (r == 0) {
		copy_in_kernel(in, out, limit, &done);
		r = copy_by_hand(in, out, limit, &done);
	}
	if (r < 0)
		return -1;
	if (ret_n)
		*ret_n = done;
	return 0;
}

int fd_anon(const char *name)
{
	autofree char *path = NULL;
	const char *dir;
	int fd;

	fd = memfd_create(name, MFD_CLOEXEC);
	if (fd >= 0 || (errno != ENOSYS && errno != EPERM && errno != EACCES))
		return fd;
	dir = host_tmpdir();
	fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd >= 0)
		return fd;
	path = path_join(dir, ".udocker-XXXXXX");
	fd = mkostemp(path, O_CLOEXEC);
	if (fd >= 0)
		unlink(path);
	return fd;
}

int fd_set_cloexec(int fd, bool on)
{
	int flags = fcntl(fd, F_GETFD);

	if (flags < 0)
		return -1;
	return fcntl(fd, F_SETFD, on ? flags | FD_CLOEXEC : flags & ~FD_CLOEXEC);
}

int fd_dup(int fd)
{
	return fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

int fd_pipe(int ret[2])
{
	return pipe2(ret, O_CLOEXEC);
}

/* ---- closing many: everything below is async-signal-safe ----------------------------------------------------- */

static bool is_kept(int fd, const int *keep, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (keep[i] == fd)
			return true;
	return false;
}

static int close_range_call(unsigned first, unsigned last)
{
#ifdef SYS_close_range
	return first > last ? 0 : (int)syscall(SYS_close_range, first, last, 0);
#else
	(void)first;
	(void)last;
	errno = ENOSYS;
	return -1;
#endif
}

/* The gaps between the kept ones, which are in ascending order. */
static int close_gaps(int first, const int *keep, size_t n)
{
	unsigned from = (unsigned)first;

	for (size_t i = 0; i < n; i++) {
		if (keep[i] < first || (unsigned)keep[i] < from)
			continue;
		if (keep[i] > 0 && close_range_call(from, (unsigned)keep[i] - 1) < 0)
			return -1;
		from = (unsigned)keep[i] + 1;
	}
	return close_range_call(from, ~0U);
}

struct linux_dirent64 {
	uint64_t d_ino;
	int64_t d_off;
	unsigned short d_reclen;
	unsigned char d_type;
	char d_name[];
};

static int small_number(const char *s)
{
	int n = 0;

	if (!*s)
		return -1;
	for (; *s; s++) {
		if (*s < '0' || *s > '9' || n > CLOSE_LOOP_MAX * 100)
			return -1;
		n = n * 10 + (*s - '0');
	}
	return n;
}

/* By the list in /proc. Its offsets are descriptor numbers, so closing while reading skips none. */
static int close_listed(int first, const int *keep, size_t n)
{
	char buf[2048] __attribute__((aligned(16)));
	int dir = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	long got;

	if (dir < 0)
		return -1;
	while ((got = syscall(SYS_getdents64, dir, buf, sizeof(buf))) > 0) {
		for (long at = 0; at < got;) {
			const struct linux_dirent64 *d = (const void *)(buf + at);
			int fd = small_number(d->d_name);

			at += d->d_reclen;
			if (fd >= first && fd != dir && !is_kept(fd, keep, n))
				close(fd);
		}
	}
	close(dir);
	return got < 0 ? -1 : 0;
}

static void close_one_by_one(int first, const int *keep, size_t n)
{
	struct rlimit lim;
	int last = CLOSE_LOOP_MAX;

	if (getrlimit(RLIMIT_NOFILE, &lim) == 0 && lim.rlim_max < CLOSE_LOOP_MAX)
		last = (int)lim.rlim_max;
	for (int fd = first; fd < last; fd++)
		if (!is_kept(fd, keep, n))
			close(fd);
}

void fd_close_except(int first, const int *keep, size_t n)
{
	if (close_gaps(first, keep, n) == 0 || close_listed(first, keep, n) == 0)
		return;
	close_one_by_one(first, keep, n);
}

void fd_close_from(int first)
{
	fd_close_except(first, NULL, 0);
}
