/* SPDX-License-Identifier: Apache-2.0 */
/* Transfers, copies and closing, with the new system calls and with each of them refused. */
#include "pkg/base/fd.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "pkg/base/err.h"
#include "pkg/base/mem.h"
#include "pkg/base/sig.h"
#include "pkg/base/str.h"
#include "tests/unit/scratch.h"

static const int no_copy[] = { SYS_copy_file_range, SYS_ioctl, -1 };
static const int no_memfd[] = { SYS_memfd_create, -1 };
static const int no_close_range[] = { SYS_close_range, -1 };
static const int no_proc[] = { SYS_close_range, SYS_openat, SYS_open, -1 };

static bool is_cloexec(int fd)
{
	return fcntl(fd, F_GETFD) == FD_CLOEXEC;
}

static void test_transfer(void)
{
	char big[200000], back[200001];
	int ends[2];
	pid_t pid;

	ok(fd_pipe(ends) == 0 && is_cloexec(ends[0]) && is_cloexec(ends[1]),
		"a pipe is close-on-exec at both ends");
	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (char)(i * 7);
	pid = fork();
	if (pid == 0)
		_exit(fd_write_all(ends[1], big, sizeof(big)) == 0 ? 0 : 1);
	close(ends[1]);
	is_int(fd_read_full(ends[0], back, sizeof(back)), sizeof(big),
		"more than a pipe holds, read to the end");
	ok(memcmp(big, back, sizeof(big)) == 0, "and it is the same");
	waitpid(pid, NULL, 0);
	close(ends[0]);
	is_int(fd_read_full(ends[0], back, 1), -1, "a closed descriptor is an error");
	is_int(errno, EBADF, "with errno");
}

static void test_read_text(int dir)
{
	auto_err *err = NULL;
	auto_str s = STR_INIT;
	int fd;

	put(dir, "text", "0123456789");
	fd = openat(dir, "text", O_RDONLY | O_CLOEXEC);
	ok(fd_read_text(fd, 10, &s, "text", NULL) == 0, "as much as is allowed");
	is_str(str_text(&s), "0123456789", "is all there");
	lseek(fd, 0, SEEK_SET);
	str_truncate(&s, 0);
	ok(fd_read_text(fd, 9, &s, "the text", &err) < 0 && err_is(err, ERR_CORRUPT),
		"one byte more is corrupt");
	ok(strstr(err_text(err), "the text") != NULL, "and names the source");
	char mid[4] = "";
	is_int(fd_pread_full(fd, mid, 3, 4), 3, "read in the middle");
	is_str(mid, "456", "what is there");
	close(fd);
}

/* A file as long as `n` with a pattern, its offset at the start. */
static int patterned(int dir, const char *name, size_t n)
{
	int fd = openat(dir, name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	for (size_t i = 0; i < n; i++) {
		char c = (char)(i * 31 + i / 251);

		if (pwrite(fd, &c, 1, (off_t)i) != 1)
			exit(99);
	}
	return fd;
}

static bool same_bytes(int a, off_t at_a, int b, off_t at_b, size_t n)
{
	autofree char *x = malloc(n + 1);
	autofree char *y = malloc(n + 1);

	return fd_pread_full(a, x, n, at_a) == (ssize_t)n && fd_pread_full(b, y, n, at_b) == (ssize_t)n &&
	       memcmp(x, y, n) == 0;
}

static void test_copy(void *arg)
{
	int dir = *(int *)arg;
	int in = patterned(dir, "in", 30000);
	int out = openat(dir, "out", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int app, proc;
	uint64_t n = 0;

	ok(fd_copy(in, out, UINT64_MAX, &n) == 0 && n == 30000, "a whole file is copied");
	ok(same_bytes(in, 0, out, 0, 30000), "byte for byte");
	is_int(lseek(out, 0, SEEK_CUR), 30000, "the target's offset is behind it");
	is_int(lseek(in, 0, SEEK_CUR), 30000, "the source's too");
	ok(fd_copy(in, out, UINT64_MAX, &n) == 0 && n == 0, "at the end there is nothing to copy");
	lseek(in, 100, SEEK_SET);
	ok(fd_copy(in, out, 50, &n) == 0 && n == 50, "a limit is kept");
	ok(same_bytes(in, 100, out, 30000, 50), "from where the source stood to where the target stood");

	app = openat(dir, "append", O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
	lseek(in, 0, SEEK_SET);
	ok(fd_copy(in, app, 1000, &n) == 0 && n == 1000, "into a file opened for appending");
	proc = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	if (proc >= 0)
		ok(fd_copy(proc, app, UINT64_MAX, &n) == 0 && n > 100, "a file of procfs, whose size is 0");
	ok(fd_copy(in, STDIN_FILENO + 500, 10, &n) < 0 && errno == EBADF, "a bad target is an error");
	close(proc);
	close(app);
	close(in);
	close(out);
}

static void test_copy_denied(void *arg)
{
	deny_calls(no_copy, ENOSYS);
	test_copy(arg);
}

static void test_copy_eperm(void *arg)
{
	deny_calls(no_copy, EPERM);
	test_copy(arg);
}

/* A read that waits for a silent pipe goes on after a signal, but not after one that ends the command. */
static void test_interrupted(void *arg)
{
	int ends[2];
	char byte;
	pid_t pid;

	(void)arg;
	sig_catch_interrupts();
	ok(fd_pipe(ends) == 0, "a silent pipe");
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		usleep(50000);
		kill(getppid(), SIGTERM);
		usleep(50000);
		kill(getppid(), SIGTERM);
		_exit(0);
	}
	is_int(fd_read_full(ends[0], &byte, 1), -1, "an interrupted read returns");
	is_int(errno, EINTR, "and says why");
	is_int(sig_interrupted(), SIGTERM, "by the signal that came");
	is_int(fd_copy(ends[0], ends[1], 1, NULL), -1, "a copy too");
	waitpid(pid, NULL, 0);
}

/* A write that waits for a reader has written something already: it must not begin to wait again. */
static void test_interrupted_write(void *arg)
{
	const size_t n = (size_t)1 << 20;
	autofree char *much = xcalloc(1, n);
	int ends[2];
	pid_t pid;

	(void)arg;
	sig_catch_interrupts();
	ok(fd_pipe(ends) == 0, "a pipe that nobody reads");
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		usleep(50000);
		kill(getppid(), SIGTERM);
		_exit(0);
	}
	alarm(60);
	is_int(fd_write_all(ends[1], much, n), -1, "an interrupted write returns");
	is_int(errno, EINTR, "and says why");
	waitpid(pid, NULL, 0);
}

static void test_copy_pipe(int dir)
{
	int ends[2], out = openat(dir, "piped", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	uint64_t n = 0;

	ok(fd_pipe(ends) == 0 && write(ends[1], "through a pipe", 14) == 14, "fill a pipe");
	close(ends[1]);
	ok(fd_copy(ends[0], out, UINT64_MAX, &n) == 0 && n == 14, "a pipe is copied to its end");
	close(ends[0]);
	close(out);
}

static void test_anon(void *arg)
{
	int fd = fd_anon("test");
	char back[4] = "";
	struct stat st;

	ok(fd >= 0 && is_cloexec(fd), "%s", (const char *)arg);
	ok(fd_write_all(fd, "abc", 3) == 0 && fd_pread_full(fd, back, 3, 0) == 3, "can be written and read");
	is_str(back, "abc", "and keeps what was written");
	ok(fstat(fd, &st) == 0 && st.st_nlink == 0, "and has no name");
	close(fd);
}

static void test_anon_denied(void *arg)
{
	deny_calls(no_memfd, ENOSYS);
	test_anon(arg);
}

static void test_flags(void)
{
	int fd = open("/dev/null", O_RDONLY), copy;

	ok(fd_set_cloexec(fd, true) == 0 && is_cloexec(fd), "set close-on-exec");
	ok(fd_set_cloexec(fd, false) == 0 && !is_cloexec(fd), "clear it");
	copy = fd_dup(fd);
	ok(copy >= 3 && copy != fd && is_cloexec(copy),
		"a duplicate lies above the standard three, close-on-exec");
	close(fd);
	is_int(fd_dup(fd), -1, "no duplicate of a closed one");
	close(copy);
}

static void test_close(void *arg)
{
	const int keep[] = { 20, 21, 30 };
	bool open_now[40];
	struct rlimit lim = { 256, 256 };
	bool right = true;

	setrlimit(RLIMIT_NOFILE, &lim);
	for (int i = 10; i < 40; i++)
		dup2(STDOUT_FILENO, i);
	if (arg)
		deny_calls(arg, ENOSYS);
	fd_close_except(12, keep, 3);
	for (int i = 10; i < 40; i++)
		open_now[i] = fcntl(i, F_GETFD) >= 0;
	for (int i = 10; i < 40; i++)
		right &= open_now[i] == (i < 12 || i == 20 || i == 21 || i == 30);
	ok(right, "all from 12 up are closed but 20, 21 and 30");
	fd_close_from(11);
	ok(fcntl(10, F_GETFD) >= 0 && fcntl(11, F_GETFD) < 0 && fcntl(30, F_GETFD) < 0,
		"then all from 11 up");
}

int main(void)
{
	char path[64], memfd[] = "a memfd", unlinked[] = "an unlinked file where memfd is missing";
	int dir = scratch_open(path);

	test_transfer();
	test_read_text(dir);
	test_copy(&dir);
	in_child(test_copy_denied, &dir);
	in_child(test_copy_eperm, &dir);
	in_child(test_interrupted, NULL);
	in_child(test_interrupted_write, NULL);
	test_copy_pipe(dir);
	test_anon(memfd);
	in_child(test_anon_denied, unlinked);
	test_flags();
	in_child(test_close, NULL);
	in_child(test_close, (void *)(uintptr_t)no_close_range);
	in_child(test_close, (void *)(uintptr_t)no_proc);
	scratch_close(dir, path);
	return tap_done();
}
