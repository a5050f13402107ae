/* SPDX-License-Identifier: Apache-2.0 */
/* dirs: few descriptors for many directories, times that survive, and paths that are resolved again when they must be. */
#include "pkg/archive/dirs.h"

#include <sys/resource.h>
#include <time.h>

#include "tests/unit/scratch.h"

#define OLD 1000000000

static void set_time(int dir, const char *name, time_t t)
{
	const struct timespec times[2] = { { .tv_sec = t, .tv_nsec = 123456789 },
		{ .tv_sec = t, .tv_nsec = 123456789 } };

	if (utimensat(dir, name, times, AT_SYMLINK_NOFOLLOW) < 0) {
		perror(name);
		exit(99);
	}
}

static void make_old(int dir, const char *name)
{
	if (mkdirat(dir, name, 0755) < 0) {
		perror(name);
		exit(99);
	}
	set_time(dir, name, OLD);
}

static bool is_old(int dir, const char *name)
{
	struct stat st;

	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_mtim.tv_sec == OLD &&
	       st.st_mtim.tv_nsec == 123456789;
}

static int get(struct dirs *d, const char *path, enum dirs_use use)
{
	return dirs_open(d, path, strlen(path), use);
}

/* True if `path` leads to the directory that dir/name is. */
static bool leads(struct dirs *d, const char *path, int dir, const char *name)
{
	int fd = get(d, path, DIRS_LOOK);
	struct stat a, b;

	return fd >= 0 && fstat(fd, &a) == 0 && fstatat(dir, name, &b, 0) == 0 && a.st_ino == b.st_ino;
}

static void test_times(int root)
{
	struct dirs *d = dirs_new(root);
	struct timespec later = { .tv_sec = OLD + 1 };
	struct stat st;
	int fd;

	make_old(root, "a");
	make_old(root, "entry");
	set_time(root, ".", OLD);
	put(get(d, "a", DIRS_CHANGE), "f", "");
	put(get(d, "", DIRS_CHANGE), "f", "");
	put(get(d, "entry", DIRS_CHANGE), "f", "");
	dirs_put(d, "entry", openat(root, "entry", O_RDONLY | O_DIRECTORY | O_CLOEXEC), &later, false);
	put(get(d, "entry", DIRS_CHANGE), "g", "");
	mkdirat(get(d, "a", DIRS_CHANGE), "new", 0755);
	fd = openat(root, "a/new", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	dirs_put(d, "a/new", fd, &later, true);
	put(get(d, "a/new", DIRS_CHANGE), "f", "");
	ok(get(d, "a/made/deep", DIRS_MAKE) >= 0, "missing ones are made");
	ok(get(d, "nothing/x", DIRS_CHANGE) < 0 && errno == ENOENT, "and only when they are to be");
	ok(get(d, "f", DIRS_MAKE) < 0 && errno == ENOTDIR, "a file is no directory");
	dirs_free(d);
	ok(is_old(root, "a") && is_old(root, "."), "what was added leaves the time as it was");
	ok(fstatat(root, "entry", &st, 0) == 0 && st.st_mtim.tv_sec == OLD + 1, "an entry gives a new one");
	ok(fstatat(root, "a/new", &st, 0) == 0 && st.st_mtim.tv_sec == OLD + 1,
		"also to a directory just made");
	ok(fstatat(root, "a/made/deep", &st, 0) == 0 && (st.st_mode & 0777) == 0755,
		"those on the way are 0755 whatever the umask");
}

/* More directories than stay open, each used again and again, with few descriptors. */
static void test_many(int root)
{
	struct dirs *d = dirs_new(root);
	struct rlimit lim, few;
	bool all = true;
	char name[32];

	make_old(root, "many");
	for (int i = 0; i < 500; i++) {
		snprintf(name, sizeof(name), "many/%d", i);
		make_old(root, name);
	}
	set_time(root, "many", OLD);
	getrlimit(RLIMIT_NOFILE, &lim);
	few = lim;
	few.rlim_cur = 80;
	setrlimit(RLIMIT_NOFILE, &few);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 500; i++) {
			char file[8];
			int fd;

			snprintf(name, sizeof(name), "many/%d", i);
			snprintf(file, sizeof(file), "%d", round);
			fd = get(d, name, DIRS_CHANGE);
			all = all && fd >= 0;
			if (fd >= 0)
				put(fd, file, "");
		}
	}
	dirs_free(d);
	setrlimit(RLIMIT_NOFILE, &lim);
	ok(all, "500 directories with 80 descriptors");
	for (int i = 0; i < 500; i++) {
		snprintf(name, sizeof(name), "many/%d", i);
		all = all && is_old(root, name);
	}
	ok(all && is_old(root, "many"), "each has the time it had");
}

static void test_paths(int root)
{
	struct dirs *d = dirs_new(root);
	int a, b;

	make_old(root, "one");
	make_old(root, "two");
	make_old(root, "one/sub");
	make_old(root, "two/sub");
	set_time(root, "one", OLD);
	set_time(root, "two", OLD);
	ok(symlinkat("one", root, "way") == 0 && symlinkat("/one", root, "abs") == 0 &&
			symlinkat("../../..", root, "up") == 0,
		"links");
	ok(leads(d, "way/sub", root, "one/sub") && leads(d, "abs/sub", root, "one/sub") &&
			leads(d, "up/one", root, "one"),
		"lead inside ROOT");
	put(get(d, "one", DIRS_CHANGE), "f", "");
	put(get(d, "way", DIRS_CHANGE), "g", "");
	put(get(d, "one", DIRS_CHANGE), "h", "");
	a = get(d, "one", DIRS_CHANGE);
	b = get(d, "way", DIRS_LOOK);
	ok(faccessat(a, "f", F_OK, 0) == 0 && faccessat(b, "g", F_OK, 0) == 0,
		"one directory by two paths, both open");
	ok(leads(d, "way/sub", root, "one/sub"), "before the link is replaced");
	unlinkat(root, "way", 0);
	ok(symlinkat("two", root, "way") == 0, "by another");
	dirs_forget(d);
	ok(leads(d, "way/sub", root, "two/sub") && leads(d, "way", root, "two"), "and after it");
	ok(leads(d, "two/sub", root, "two/sub"), "by its own name");
	ok(renameat(root, "two", root, "gone") == 0 && symlinkat("one", root, "two") == 0,
		"a directory becomes a link");
	dirs_forget(d);
	ok(leads(d, "two/sub", root, "one/sub"), "which is followed");
	dirs_free(d);
	ok(is_old(root, "one"), "its time is the one from before the first of them");
}

static void test_all(void *arg)
{
	char path[64];
	int top = scratch_open(path);

	if (arg)
		setenv("UDOCKER_TEST_OLD_KERNEL", "1", 1);
	test_times(top);
	test_many(top);
	test_paths(top);
	scratch_close(top, path);
}

int main(void)
{
	static char old[] = "old";

	umask(077);
	in_child(test_all, old);
	test_all(NULL);
	return tap_done();
}
