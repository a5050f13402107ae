/* SPDX-License-Identifier: Apache-2.0 */
/* Replacement: what is there at every moment, what stays after a crash, and what clears it away. */
#include "pkg/base/atomic.h"

#include <signal.h>
#include <sys/syscall.h>

#include "pkg/base/err.h"
#include "pkg/base/path.h"
#include "pkg/base/str.h"
#include "pkg/base/strv.h"
#include "tests/unit/scratch.h"

static const int no_renameat2[] = { SYS_renameat2, -1 };
static const int no_links[] = { SYS_renameat2, SYS_linkat, -1 };
static const int no_flock[] = { SYS_flock, -1 };

static void is_file(int dir, const char *name, const char *want, const char *what)
{
	auto_str s = STR_INIT;

	ok(fs_read(dir, name, 1000, &s, FS_BENEATH) == 0, "%s: readable", what);
	is_str(str_text(&s), want, what);
}

static size_t temporaries(int dir)
{
	auto_strv names = STRV_INIT;
	size_t n = 0;

	fs_list(dir, ".", &names);
	for (size_t i = 0; i < names.n; i++)
		n += strncmp(names.v[i], ".tmp-", 5) == 0;
	return n;
}

static void test_replace(int dir)
{
	auto_atomic t = ATOMIC_INIT;
	struct stat st;
	int fd;

	ok(atomic_write(dir, "f", "one", 3, 0640, ATOMIC_DURABLE, NULL) == 0, "write a new file");
	is_file(dir, "f", "one", "its text");
	ok(fstatat(dir, "f", &st, 0) == 0 && (st.st_mode & 0777) == 0640, "its mode");
	fd = atomic_begin(&t, dir, "f", 0644, NULL);
	ok(fd >= 0 && fd == t.fd && fcntl(fd, F_GETFD) == FD_CLOEXEC, "begin to replace it");
	ok(write(fd, "two", 3) == 3, "write");
	is_file(dir, "f", "one", "before the commit it is the old one");
	is_int(temporaries(dir), 1, "beside it lies the temporary");
	ok(atomic_commit(&t, 0, NULL) == 0 && t.fd == -1 && !t.tmp, "commit");
	is_file(dir, "f", "two", "after it the new one");
	is_int(temporaries(dir), 0, "and no temporary");
}

static void test_abort(int dir)
{
	{
		auto_atomic t = ATOMIC_INIT;

		ok(atomic_begin(&t, dir, "f", 0644, NULL) >= 0, "begin");
	}
	is_int(temporaries(dir), 0, "leaving the scope drops the temporary");
	is_file(dir, "f", "two", "and nothing else");
}

static void test_excl(void *arg)
{
	int dir = *(int *)arg;
	auto_err *err = NULL;

	unlinkat(dir, "x", 0);
	ok(atomic_write(dir, "x", "first", 5, 0644, ATOMIC_EXCL, NULL) == 0, "an exclusive write");
	ok(atomic_write(dir, "x", "second", 6, 0644, ATOMIC_EXCL, &err) < 0 && err_is(err, ERR_EXISTS),
		"a second one");
	is_file(dir, "x", "first", "changes nothing");
	is_int(temporaries(dir), 0, "and leaves nothing");
}

static void test_excl_by_link(void *arg)
{
	deny_calls(no_renameat2, ENOSYS);
	test_excl(arg);
}

static void test_excl_by_look(void *arg)
{
	deny_calls(no_links, EPERM);
	test_excl(arg);
}

static void test_unnamed(void *arg)
{
	int dir = *(int *)arg;
	auto_err *err = NULL;

	for (int i = 0; i < 3; i++) {
		auto_atomic t = ATOMIC_INIT;
		int fd = atomic_begin_unnamed(&t, dir, "u", 0644, NULL);

		ok(fd >= 0 && write(fd, i ? "new" : "old", 3) == 3, "a file without a name");
		if (i == 2)
			ok(atomic_commit(&t, ATOMIC_EXCL, &err) < 0 && err_is(err, ERR_EXISTS),
				"not over another");
		else
			ok(atomic_commit(&t, ATOMIC_DURABLE, NULL) == 0, "gets its name");
		is_file(dir, "u", i ? "new" : "old", "and is there");
	}
	is_int(temporaries(dir), 0, "nothing else is");
	unlinkat(dir, "u", 0);
}

static void test_path(int dir)
{
	autofree char *top = fs_fd_path(dir);
	autofree char *fifo = path_join(top, "fifo"), *device = path_join(top, "device"),
		      *plain = path_join(top, "plain");
	char buf[8] = "";
	int reader;

	ok(atomic_write_path(plain, "one", 3, 0644, NULL) == 0 &&
			atomic_write_path(plain, "two", 3, 0644, NULL) == 0,
		"by its path, twice");
	is_file(dir, "plain", "two", "a file is replaced");
	mkfifoat(dir, "fifo", 0600);
	reader = openat(dir, "fifo", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	ok(atomic_write_path(fifo, "pipe", 4, 0644, NULL) == 0 && read(reader, buf, sizeof(buf) - 1) == 4,
		"a pipe is written into");
	is_str(buf, "pipe", "what was written");
	close(reader);
	ok(symlinkat("/dev/null", dir, "device") == 0 && atomic_write_path(device, "x", 1, 0644, NULL) == 0 &&
			readlinkat(dir, "device", buf, sizeof(buf)) > 0,
		"a link to a device stays one");
	ok(atomic_write_path("/dev/full", "x", 1, 0644, NULL) < 0, "what a device says counts");
}

static void test_errors(int dir)
{
	auto_err *missing = NULL, *over_dir = NULL;

	ok(atomic_write(-1, "f", "x", 1, 0644, 0, &missing) < 0 && missing, "no directory");
	mkdirat(dir, "d", 0755);
	ok(atomic_write(dir, "d", "x", 1, 0644, 0, &over_dir) < 0 && over_dir, "a directory is not replaced");
	is_int(temporaries(dir), 0, "a failed commit leaves nothing");
}

static void test_symlink(int dir)
{
	autofree char *first = NULL, *second = NULL;

	ok(atomic_symlink(dir, "a", "link", NULL) == 0, "make a link");
	first = fs_readlink(dir, "link");
	is_str(first, "a", "its target");
	ok(atomic_symlink(dir, "b", "link", NULL) == 0, "replace it");
	second = fs_readlink(dir, "link");
	is_str(second, "b", "its new target");
	ok(atomic_symlink(dir, "c", "f", NULL) == 0, "replace a file by a link");
	ok(atomic_symlink(dir, "c", "d", NULL) < 0, "but no directory");
	is_int(temporaries(dir), 0, "no temporary stays");
}

/* A writer that is killed leaves its temporary; one that lives keeps it. */
static void test_clean(int dir)
{
	auto_atomic live = ATOMIC_INIT;
	pid_t pid;
	struct stat st;

	ok(atomic_begin(&live, dir, "live", 0644, NULL) >= 0, "a writer that lives");
	pid = fork();
	if (pid == 0) {
		struct atomic dead = ATOMIC_INIT;

		if (atomic_begin(&dead, dir, "dead", 0644, NULL) < 0)
			_exit(1);
		raise(SIGKILL);
	}
	waitpid(pid, NULL, 0);
	put(dir, "other", "kept");
	mkdirat(dir, ".tmp-directory", 0755);
	is_int(temporaries(dir), 3, "two temporaries and a directory");
	atomic_clean(dir);
	is_int(temporaries(dir), 2, "the dead writer's is removed");
	ok(fstatat(dir, live.tmp, &st, 0) == 0, "the live one's is not");
	ok(atomic_commit(&live, 0, NULL) == 0, "which can commit");
	unlinkat(dir, ".tmp-directory", AT_REMOVEDIR);
}

static void test_clean_without_locks(void *arg)
{
	const struct timespec old[2] = { { .tv_sec = 1000000 }, { .tv_sec = 1000000 } };
	int dir = *(int *)arg;

	deny_calls(no_flock, ENOLCK);
	put(dir, ".tmp-1-0000000000000001", "");
	put(dir, ".tmp-1-0000000000000002", "");
	ok(symlinkat("x", dir, ".tmp-1-0000000000000003") == 0, "a link on its way");
	utimensat(dir, ".tmp-1-0000000000000002", old, 0);
	ok(atomic_write(dir, "f", "three", 5, 0644, ATOMIC_DURABLE, NULL) == 0,
		"writing goes on without locks");
	atomic_clean(dir);
	ok(fs_exists(dir, ".tmp-1-0000000000000001"), "a recent temporary stays");
	ok(fs_exists(dir, ".tmp-1-0000000000000003"), "so does a link");
	ok(!fs_exists(dir, ".tmp-1-0000000000000002"), "an old one goes");
	utimensat(dir, ".tmp-1-0000000000000003", old, AT_SYMLINK_NOFOLLOW);
	unlinkat(dir, ".tmp-1-0000000000000001", 0);
	atomic_clean(dir);
	is_int(temporaries(dir), 0, "an old link too");
}

int main(void)
{
	char path[64];
	int dir = scratch_open(path);

	umask(022);
	test_replace(dir);
	test_abort(dir);
	test_excl(&dir);
	test_unnamed(&dir);
	in_child(test_excl_by_link, &dir);
	in_child(test_excl_by_look, &dir);
	test_path(dir);
	test_errors(dir);
	test_symlink(dir);
	test_clean(dir);
	in_child(test_clean_without_locks, &dir);
	scratch_close(dir, path);
	return tap_done();
}
