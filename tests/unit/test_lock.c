/* SPDX-License-Identifier: Apache-2.0 */
/* Locks between processes, and where they are refused. */
#include "pkg/base/lock.h"

#include <signal.h>
#include <sys/file.h>
#include <sys/syscall.h>

#include "pkg/base/err.h"
#include "tests/unit/scratch.h"

static const int no_flock[] = { SYS_flock, -1 };

static void test_modes(int dir)
{
	auto_lock a = LOCK_INIT, b = LOCK_INIT;
	struct stat st;

	ok(lock_take(&a, dir, "lock", LOCK_EXCLUSIVE, NULL) == 0 && a.fd >= 0, "take it alone");
	ok(fcntl(a.fd, F_GETFD) == FD_CLOEXEC, "close-on-exec");
	ok(fstatat(dir, "lock", &st, 0) == 0 && (st.st_mode & 0777) == 0600, "the file is made for us only");
	is_int(lock_try(&b, dir, "lock", LOCK_EXCLUSIVE, NULL), 0, "a second one is refused");
	is_int(lock_try(&b, dir, "lock", LOCK_SHARED, NULL), 0, "a shared one too");
	is_int(b.fd, -1, "and holds nothing");
	lock_release(&a);
	is_int(a.fd, -1, "release");
	is_int(lock_try(&a, dir, "lock", LOCK_SHARED, NULL), 1, "share it");
	is_int(lock_try(&b, dir, "lock", LOCK_SHARED, NULL), 1, "twice");
	lock_release(&b);
	is_int(lock_try(&b, dir, "lock", LOCK_EXCLUSIVE, NULL), 0, "then nobody gets it alone");
}

/* The lock file is removed by its holder while we wait: we must not end up with a lock on a file without a name. */
static void test_removed(int dir)
{
	auto_lock a = LOCK_INIT, c = LOCK_INIT;
	int ends[2] = { -1, -1 };
	char byte;
	pid_t pid;

	ok(lock_take(&a, dir, "gone", LOCK_EXCLUSIVE, NULL) == 0 && pipe2(ends, O_CLOEXEC) == 0, "hold it");
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		auto_lock b = LOCK_INIT;
		struct stat held, named;

		close(a.fd);
		if (write(ends[1], "w", 1) != 1 || lock_take(&b, dir, "gone", LOCK_EXCLUSIVE, NULL) < 0)
			_exit(1);
		if (fstat(b.fd, &held) < 0 || fstatat(dir, "gone", &named, 0) < 0)
			_exit(2);
		_exit(held.st_ino == named.st_ino ? 0 : 3);
	}
	ok(read(ends[0], &byte, 1) == 1, "another begins to wait");
	usleep(50000);
	is_int(waitpid(pid, NULL, WNOHANG), 0, "it waits");
	unlinkat(dir, "gone", 0);
	lock_release(&a);
	int status = -1;
	waitpid(pid, &status, 0);
	is_int(status, 0, "and gets a lock on the file that has the name");
	is_int(lock_try(&c, dir, "gone", LOCK_EXCLUSIVE, NULL), 1, "which is free when it is gone");
	close(ends[0]);
	close(ends[1]);
}

static void test_refused(void *arg)
{
	int dir = *(int *)arg;
	auto_lock a = LOCK_INIT, b = LOCK_INIT;

	deny_calls(no_flock, ENOLCK);
	ok(lock_take(&a, dir, "lock", LOCK_EXCLUSIVE, NULL) == 0 && a.fd == -1, "refused counts as taken");
	is_int(lock_try(&b, dir, "lock", LOCK_EXCLUSIVE, NULL), 1, "by everyone");
}

static void test_read_only(void *arg)
{
	int dir = *(int *)arg;
	auto_lock a = LOCK_INIT, b = LOCK_INIT;
	int holder = openat(dir, "theirs", O_RDONLY | O_CREAT | O_CLOEXEC, 0444);

	become_nobody(dir);
	fchmod(dir, 0555);
	ok(lock_take(&a, dir, "new", LOCK_SHARED, NULL) == 0 && a.fd == -1,
		"a directory we may not write to is no obstacle");
	ok(flock(holder, LOCK_EX) == 0, "another holds a file we may only read");
	is_int(lock_try(&b, dir, "theirs", LOCK_SHARED, NULL), 0, "it is respected");
	fchmod(dir, 0755);
}

static void test_errors(int dir)
{
	auto_err *missing = NULL, *link = NULL;
	auto_lock a = LOCK_INIT;

	ok(lock_take(&a, dir, "no/such/lock", LOCK_SHARED, &missing) < 0 && err_is(missing, ERR_NOT_FOUND),
		"a directory that is missing");
	ok(symlinkat("lock", dir, "link") == 0 && lock_take(&a, dir, "link", LOCK_SHARED, &link) < 0,
		"a link is not followed");
}

int main(void)
{
	char path[64];
	int dir = scratch_open(path);

	test_modes(dir);
	test_removed(dir);
	in_child(test_refused, &dir);
	test_errors(dir);
	in_child(test_read_only, &dir);
	scratch_close(dir, path);
	return tap_done();
}
