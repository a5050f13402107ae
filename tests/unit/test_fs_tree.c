/* SPDX-License-Identifier: Apache-2.0 */
/* Removing and walking trees that are deep, locked, linked out of, mounted into or removed by others at the same time. */
#include "pkg/base/fs.h"

#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <time.h>

#include "pkg/base/err.h"
#include "pkg/base/sig.h"
#include "pkg/base/str.h"
#include "tests/unit/scratch.h"

#define DEEP 100000
#define DEEP_WALK 2000

/* A chain of `depth` directories "d" below dir/name, with a file and a second directory at every 100th. */
static void make_deep(int dir, const char *name, int depth)
{
	int cur = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	for (int i = 0; i < depth; i++) {
		const char *next = i ? "d" : name;
		int fd;

		if (mkdirat(cur, next, 0755) < 0 ||
			(fd = openat(cur, next, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0) {
			perror("make_deep");
			exit(99);
		}
		close(cur);
		cur = fd;
		if (i % 100 == 0) {
			put(cur, "file", "x");
			mkdirat(cur, "second", 0755);
			put(cur, "second/file", "x");
		}
	}
	close(cur);
}

static void set_mode(int dir, const char *name, mode_t mode)
{
	if (fchmodat(dir, name, mode, 0) < 0) {
		perror(name);
		exit(99);
	}
}

/* In memory where that can be: a disk's journal takes most of a minute for so many levels, with rm(1) as well. */
static void test_deep(int depth)
{
	char path[64];
	int dir = scratch_open_in(access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp", path);
	struct rlimit lim, few;

	make_deep(dir, "deep", depth);
	getrlimit(RLIMIT_NOFILE, &lim);
	few = lim;
	few.rlim_cur = 80;
	setrlimit(RLIMIT_NOFILE, &few);
	ok(fs_rm_tree(dir, "deep", NULL) == 0, "%d levels are removed with few descriptors", depth);
	ok(!fs_exists(dir, "deep"), "nothing is left");
	setrlimit(RLIMIT_NOFILE, &lim);
	scratch_close(dir, path);
}

static void interrupt_after_ms(long cpu_ms)
{
	struct sigevent how = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGINT };
	struct itimerspec when = { .it_value.tv_nsec = cpu_ms * 1000000 };
	timer_t timer;

	if (timer_create(CLOCK_PROCESS_CPUTIME_ID, &how, &timer) < 0 ||
		timer_settime(timer, 0, &when, NULL) < 0) {
		perror("timer");
		exit(99);
	}
}

/* The interrupt comes after so much work, not after so much time: the machine may be busy. */
static void test_interrupts(void *arg)
{
	char path[64];
	int dir = scratch_open_in(access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp", path);
	auto_err *err = NULL;

	make_deep(dir, "deep", *(int *)arg);
	sig_catch_interrupts();
	interrupt_after_ms(2);
	ok(fs_rm_tree(dir, "deep", &err) < 0 && err_is(err, ERR_SYSTEM) && sig_interrupted() == SIGINT,
		"an interrupt ends it");
	ok(fs_exists(dir, "deep"), "before all is gone");
	ok(fs_rm_tree(dir, "deep", NULL) == 0 && !fs_exists(dir, "deep"),
		"what cleans up after the interrupt is not ended by it");
	scratch_close(dir, path);
}

static void test_kinds(int dir)
{
	auto_err *none = NULL;
	struct stat st;

	ok(fs_rm_tree(dir, "missing", &none) == 0 && !none, "a missing name is success");
	mkdirat(dir, "outside", 0755);
	ok(fs_rm_tree(dir, "..", NULL) < 0 && fs_rm_tree(dir, "outside/..", NULL) < 0 &&
			fs_rm_tree(dir, "outside/", NULL) < 0 && fs_rm_tree(dir, "", NULL) < 0,
		"what is no name is refused");
	put(dir, "outside/kept", "kept");
	set_mode(dir, "outside/kept", 0444);
	mkdirat(dir, "t", 0755);
	mkdirat(dir, "t/empty", 0755);
	mkdirat(dir, "t/full", 0755);
	ok(linkat(dir, "outside/kept", dir, "t/full/hard", 0) == 0, "a hard link that leads elsewhere");
	ok(symlinkat("../../outside", dir, "t/full/soft") == 0, "a symbolic one");
	mkfifoat(dir, "t/fifo", 0600);
	ok(fs_rm_tree(dir, "t", NULL) == 0 && !fs_exists(dir, "t"), "all is removed");
	ok(fstatat(dir, "outside/kept", &st, 0) == 0 && (st.st_mode & 0777) == 0444 && st.st_nlink == 1,
		"what was linked keeps its content and mode");
	ok(symlinkat("outside", dir, "soft") == 0 && fs_rm_tree(dir, "soft", NULL) == 0,
		"a link alone is removed");
	ok(fs_rm_tree(dir, "outside/kept", NULL) == 0, "a file alone too");
	ok(fstatat(dir, "outside", &st, 0) == 0, "what the link led to stays");
}

static void test_locked(void *arg)
{
	int dir = *(int *)arg;
	auto_err *err = NULL;
	struct stat st;

	become_nobody(dir);
	mkdirat(dir, "locked", 0755);
	mkdirat(dir, "locked/a", 0755);
	mkdirat(dir, "locked/a/b", 0755);
	mkdirat(dir, "locked/w", 0755);
	put(dir, "locked/a/b/file", "x");
	put(dir, "locked/w/file", "x");
	set_mode(dir, "locked/a/b", 0);
	set_mode(dir, "locked/a", 0100);
	set_mode(dir, "locked/w", 0555);
	set_mode(dir, "locked", 0);
	ok(fs_rm_tree(dir, "locked", NULL) == 0 && !fs_exists(dir, "locked"),
		"directories without permission are removed");

	mkdirat(dir, "stuck", 0755);
	put(dir, "stuck/file", "x");
	fchmod(dir, 0555);
	ok(fs_rm_tree(dir, "stuck", &err) < 0 && err_is(err, ERR_DENIED),
		"where the parent may not be written it is denied");
	ok(fstatat(dir, "stuck/file", &st, 0) == 0, "and nothing inside was touched");
	fchmod(dir, 0755);
}

static void test_mount(void *arg)
{
	const char *path = arg;
	int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_err *err = NULL;
	auto_str from = STR_INIT, to = STR_INIT;

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
		printf("# skipped: mounts need privileges\n");
		return;
	}
	mkdirat(dir, "volume", 0755);
	put(dir, "volume/data", "precious");
	mkdirat(dir, "box", 0755);
	mkdirat(dir, "box/mnt", 0755);
	str_addf(&from, "%s/volume", path);
	str_addf(&to, "%s/box/mnt", path);
	ok(mount(str_text(&from), str_text(&to), NULL, MS_BIND, NULL) == 0,
		"a volume is still bound into the tree");
	ok(fs_rm_tree(dir, "box", &err) < 0 && err_is(err, ERR_BUSY), "removing says busy");
	ok(fs_exists(dir, "volume/data"), "and leaves the volume alone");
	close(dir);
}

static void fill(int dir, const char *name)
{
	char sub[64];

	mkdirat(dir, name, 0755);
	for (int i = 0; i < 40; i++) {
		snprintf(sub, sizeof(sub), "%s/%d", name, i);
		mkdirat(dir, sub, 0755);
		for (int j = 0; j < 20; j++) {
			snprintf(sub, sizeof(sub), "%s/%d/%d", name, i, j);
			mkdirat(dir, sub, 0755);
			snprintf(sub, sizeof(sub), "%s/%d/%d/f", name, i, j);
			put(dir, sub, "");
		}
	}
}

static void test_together(int dir)
{
	pid_t pids[3];
	int good = 0;

	fill(dir, "many");
	for (int i = 0; i < 3; i++) {
		pids[i] = fork();
		if (pids[i] == 0)
			_exit(fs_rm_tree(dir, "many", NULL) == 0 ? 0 : 1);
	}
	for (int i = 0; i < 3; i++) {
		int status = -1;

		waitpid(pids[i], &status, 0);
		good += status == 0;
	}
	is_int(good, 3, "three who remove the same tree all succeed");
	ok(!fs_exists(dir, "many"), "it is gone");
}

struct seen {
	struct str paths;
	int count;
	int depth;
	const char *skip, *stop;
};

static int note(int dirfd, const char *name, const char *path, const struct stat *st, void *arg)
{
	struct seen *s = arg;
	struct stat again;

	s->count++;
	if (s->depth < (int)strlen(path))
		s->depth = (int)strlen(path);
	if (fstatat(dirfd, name, &again, AT_SYMLINK_NOFOLLOW) < 0 || again.st_ino != st->st_ino)
		return -7;
	if (strlen(path) < 100)
		str_addf(&s->paths, "%s;", path);
	if (s->stop && strcmp(path, s->stop) == 0)
		return -5;
	return s->skip && strcmp(path, s->skip) == 0 ? FS_WALK_SKIP : 0;
}

static bool before(const struct seen *s, const char *a, const char *b)
{
	const char *x = strstr(str_text(&s->paths), a), *y = strstr(str_text(&s->paths), b);

	return x && y && x < y;
}

static void test_walk(int dir)
{
	struct seen all = { 0 }, skipping = { .skip = "p/q" }, stopping = { .stop = "p/q" };
	int top;

	mkdirat(dir, "walk", 0755);
	top = openat(dir, "walk", O_PATH | O_DIRECTORY | O_CLOEXEC);
	mkdirat(top, "p", 0755);
	mkdirat(top, "p/q", 0755);
	put(top, "p/q/f", "");
	ok(symlinkat("..", top, "p/link") == 0, "with a link upwards");
	is_int(fs_walk(top, note, &all), 0, "walk");
	is_int(all.count, 4, "every entry once");
	ok(before(&all, "p;", "p/q;") && before(&all, "p/q;", "p/q/f;"), "parents before children");
	is_int(fs_walk(top, note, &skipping), 0, "walk but skip one");
	is_int(skipping.count, 3, "what is in it is not seen");
	is_int(fs_walk(top, note, &stopping), -5, "the callback's number ends it");
	ok(!strstr(str_text(&stopping.paths), "p/q/f;"), "there and then");
	str_free(&all.paths);
	str_free(&skipping.paths);
	str_free(&stopping.paths);
	close(top);
	is_int(fs_walk(-1, note, &all), -1, "no directory, no walk");
}

static void test_walk_deep(int dir)
{
	struct seen s = { 0 };
	int top;

	mkdirat(dir, "deepwalk", 0755);
	make_deep(dir, "deepwalk/d", DEEP_WALK);
	top = openat(dir, "deepwalk", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	is_int(fs_walk(top, note, &s), 0, "a deep tree is walked");
	is_int(s.count, DEEP_WALK + 3 * (DEEP_WALK / 100), "every entry of it once");
	is_int(s.depth, 2 * DEEP_WALK - 1, "with its full path");
	str_free(&s.paths);
	close(top);
}

static void test_all(void *arg)
{
	char path[64];
	int dir = scratch_open(path);

	printf("# %s\n", (const char *)arg);
	test_kinds(dir);
	test_together(dir);
	test_walk(dir);
	test_walk_deep(dir);
	test_deep(fs_openat2_works() ? DEEP : DEEP / 10);
	in_child(test_mount, path);
	in_child(test_locked, &dir);
	scratch_close(dir, path);
}

static void test_old(void *arg)
{
	setenv("UDOCKER_TEST_OLD_KERNEL", "1", 1);
	test_all(arg);
}

int main(void)
{
	static char old[] = "without openat2", now[] = "as the kernel is";

	umask(022);
	in_child(test_interrupts, &(int){ 20000 });
	in_child(test_old, old);
	test_all(now);
	return tap_done();
}
