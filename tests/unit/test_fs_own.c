/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that keep their owner out, also while somebody gives their name to another file: syscall() is this program's own, so that the name
 * changes hands in the one instant that counts, before the mode changes.
 */
#include <dlfcn.h>
#include <stdarg.h>
#include <sys/syscall.h>

#include "pkg/base/fs.h"
#include "tests/unit/scratch.h"

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif

static int dir;
static const char *rival; /* takes the name "it" before its mode changes; NULL: nobody does */
static int calls;

static void change_hands(void)
{
	calls++;
	if (!rival)
		return;
	if (renameat(dir, "it", dir, "moved") < 0 || renameat(dir, rival, dir, "it") < 0) {
		perror(rival);
		exit(99);
	}
	rival = NULL;
}

long syscall(long number, ...)
{
	static long (*real)(long, ...);
	va_list args;
	long a[6];

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "syscall");
	va_start(args, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(args, long);
	va_end(args);
	if (number == SYS_fchmodat2)
		change_hands();
	return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

static int mode_of(const char *name)
{
	struct stat st;

	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ? -1 : (int)(st.st_mode & 07777);
}

static void set_mode(const char *name, mode_t mode)
{
	if (fchmodat(dir, name, mode, 0) < 0) {
		perror(name);
		exit(99);
	}
}

static void make_link(const char *target, const char *name)
{
	if (symlinkat(target, dir, name) < 0) {
		perror(name);
		exit(99);
	}
}

static void make_file(const char *name, mode_t mode)
{
	put(dir, name, name);
	set_mode(name, mode);
}

static void make_dir(const char *name, mode_t mode)
{
	mkdirat(dir, name, 0700);
	set_mode(name, mode);
}

/* Back to an empty directory. */
static void clear(void)
{
	static const char *const names[] = { "it", "moved", "rival", "victim" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		(void)!fchmodat(dir, names[i], 0700, 0); /* most are not there */
		if (unlinkat(dir, names[i], 0) < 0)
			unlinkat(dir, names[i], AT_REMOVEDIR);
	}
	rival = NULL;
	calls = 0;
}

static void check_files(void)
{
	struct stat st;
	bool unlocked = true;
	char text[8] = "";
	int fd;

	make_file("it", 0200);
	fd = fs_open_own(dir, "it", 0, &st, &unlocked);
	ok(fd >= 0 && read(fd, text, sizeof(text)) == 2 && strcmp(text, "it") == 0, "its owner reads it");
	ok(calls > 0 && mode_of("it") == 0200 && (st.st_mode & 07777) == 0200 && !unlocked,
		"its mode is what it was");
	close(fd);
	set_mode("it", 0644);
	calls = 0;
	fd = fs_open_own(dir, "it", 0, &st, &unlocked);
	ok(fd >= 0 && !calls && (st.st_mode & 07777) == 0644, "one that is open to all needs none of it");
	close(fd);
	ok(fs_open_own(dir, "none", 0, &st, &unlocked) < 0 && errno == ENOENT, "one that is not there");
	clear();
	make_file("victim", 0);
	make_link("victim", "it");
	ok(fs_open_own(dir, "it", 0, &st, &unlocked) < 0 && errno == ELOOP && mode_of("victim") == 0,
		"no link");
	clear();
}

static void check_directories(void)
{
	struct stat st;
	bool unlocked = false;
	int fd;

	/* With 0400 the directory itself opens, but nothing in it. */
	for (mode_t mode = 0; mode <= 0400; mode += 0400) {
		make_dir("it", mode);
		fd = fs_open_own(dir, "it", O_DIRECTORY, &st, &unlocked);
		ok(fd >= 0 && unlocked && mode_of("it") == 0500 && (st.st_mode & 07777) == mode,
			"mode %04o: open until its mode is given back", (unsigned)mode);
		close(fd);
		clear();
	}
	make_file("it", 0);
	ok(fs_open_own(dir, "it", O_DIRECTORY, &st, &unlocked) < 0 && mode_of("it") == 0,
		"a file is no directory");
	clear();
}

static void check_rival(int flags, const char *what)
{
	struct stat st;
	bool unlocked;
	int was = mode_of("rival");
	int fd;

	rival = "rival";
	fd = fs_open_own(dir, "it", flags, &st, &unlocked);
	ok(fd < 0 && !rival, "%s has the name meanwhile: not opened", what);
	is_int(mode_of("it"), was, "its mode is its own");
	is_int(mode_of("moved"), 0, "and that of what had the name is what it was");
	ok(mode_of("victim") <= 0, "nor has another file's mode changed");
	clear();
}

static void check_rivals(void)
{
	make_file("it", 0);
	make_file("rival", 0);
	check_rival(0, "another closed file");
	make_file("it", 0);
	make_file("rival", 0604);
	check_rival(0, "an open file");
	make_file("it", 0);
	make_file("victim", 0);
	make_link("victim", "rival");
	check_rival(0, "a link");
	make_dir("it", 0);
	make_dir("rival", 0);
	check_rival(O_DIRECTORY, "another closed directory");
	make_dir("it", 0);
	make_dir("rival", 0705);
	check_rival(O_DIRECTORY, "an open directory");
	make_dir("it", 0);
	make_dir("victim", 0);
	make_link("victim", "rival");
	check_rival(O_DIRECTORY, "a link to a directory");
}

static void check_all(void *arg UNUSED)
{
	become_nobody(dir);
	check_files();
	check_directories();
	check_rivals();
}

static void check_old(void *arg)
{
	static const int none[] = { SYS_fchmodat2, -1 };

	deny_calls(none, ENOSYS);
	check_all(arg);
}

int main(void)
{
	char path[64];

	dir = scratch_open(path);
	printf("# kernels without fchmodat2\n");
	in_child(check_old, NULL);
	printf("# this kernel\n");
	in_child(check_all, NULL);
	scratch_close(dir, path);
	return tap_done();
}
