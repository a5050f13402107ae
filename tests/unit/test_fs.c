/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resolution within a scope: the same answers with openat2 and with the walk that older kernels need. The whole list
 * runs twice, first in a child that does without openat2.
 */
#include "pkg/base/fs.h"

#include <sys/resource.h>

#include "pkg/base/str.h"
#include "pkg/base/strv.h"
#include "tests/unit/scratch.h"

static void link_to(int dir, const char *target, const char *name)
{
	if (symlinkat(target, dir, name) < 0) {
		perror(name);
		exit(99);
	}
}

/* The text of what opens, "errno N" for what does not. */
static const char *content(int dir, const char *path, enum fs_scope scope)
{
	static char buf[64];
	int fd = fs_open(dir, path, O_RDONLY | O_NONBLOCK, 0, scope);
	ssize_t n;

	if (fd < 0) {
		snprintf(buf, sizeof(buf), "errno %d", errno);
		return buf;
	}
	n = read(fd, buf, sizeof(buf) - 1);
	snprintf(
		buf + (n > 0 ? n : 0), sizeof(buf) - (size_t)(n > 0 ? n : 0), "%s", n < 0 ? "directory" : "");
	close(fd);
	return buf;
}

static const char *error_text(int errnum)
{
	static char buf[32];

	snprintf(buf, sizeof(buf), "errno %d", errnum);
	return buf;
}

struct open_case {
	const char *path;
	const char *text; /* NULL: the errno */
	int errnum;
};

static void check_cases(int dir, const struct open_case *c, size_t n, enum fs_scope scope)
{
	for (size_t i = 0; i < n; i++)
		is_str(content(dir, c[i].path, scope), c[i].text ? c[i].text : error_text(c[i].errnum),
			*c[i].path ? c[i].path : "(empty path)");
}

static void test_beneath(int top)
{
	static const struct open_case cases[] = {
		{ "a/b/file", "inside", 0 },
		{ "a//b/./file", "inside", 0 },
		{ "./a/b/../b/file", NULL, EXDEV },
		{ "..", NULL, EXDEV },
		{ "../secret", NULL, EXDEV },
		{ "/etc/passwd", NULL, EXDEV },
		{ "", NULL, ENOENT },
		{ ".", "directory", 0 },
		{ "a/", "directory", 0 },
		{ "a/b/nothing", NULL, ENOENT },
		{ "nothing/b", NULL, ENOENT },
		{ "link/b/file", NULL, ELOOP },
		{ "a/b/link", NULL, ELOOP },
		{ "out/passwd", NULL, ELOOP },
		{ "a/b/file/", NULL, ENOTDIR },
		{ "a/b/file/x", NULL, ENOTDIR },
		{ "..a/...", "dots", 0 },
	};
	int store;

	mkdirat(top, "store", 0755);
	store = openat(top, "store", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	mkdirat(store, "a", 0755);
	mkdirat(store, "a/b", 0755);
	mkdirat(store, "..a", 0755);
	put(store, "a/b/file", "inside");
	put(store, "..a/...", "dots");
	put(top, "secret", "secret");
	link_to(store, "a", "link");
	link_to(store, "file", "a/b/link");
	link_to(store, "/etc", "out");
	link_to(store, "nowhere", "dangling");
	check_cases(store, cases, sizeof(cases) / sizeof(cases[0]), FS_BENEATH);
	close(store);
}

/* How an open ends: the errno, or 0; what was opened is closed. */
static int try_open(int dir, const char *path, int flags, enum fs_scope scope)
{
	int fd = fs_open(dir, path, flags, 0600, scope);

	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

static void test_beneath_flags(int top)
{
	char longname[300];
	struct stat st;
	int store = openat(top, "store", O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd;

	memset(longname, 'n', sizeof(longname));
	longname[299] = '\0';
	is_int(try_open(store, "dangling", O_WRONLY | O_CREAT, FS_BENEATH), ELOOP,
		"nothing is made through a link");
	is_int(try_open(store, "link/new", O_WRONLY | O_CREAT, FS_BENEATH), ELOOP, "nor below one");
	is_int(try_open(store, "a/b/file", O_WRONLY | O_CREAT | O_EXCL, FS_BENEATH), EEXIST,
		"exclusive and there");
	is_int(try_open(store, "a/new", O_WRONLY | O_CREAT | O_EXCL, FS_BENEATH), 0,
		"exclusive and not there");
	is_int(try_open(store, "link", O_PATH, FS_BENEATH), ELOOP, "a final link with O_PATH");
	is_int(try_open(store, "link", O_RDONLY | O_DIRECTORY, FS_BENEATH), ELOOP, "and with O_DIRECTORY");
	is_int(try_open(store, longname, O_RDONLY, FS_BENEATH), ENAMETOOLONG, "a name that is too long");
	fd = fs_open(store, "link", O_PATH | O_NOFOLLOW, 0, FS_BENEATH);
	ok(fd >= 0 && fstat(fd, &st) == 0 && S_ISLNK(st.st_mode),
		"O_PATH | O_NOFOLLOW opens the link itself");
	ok(fcntl(fd, F_GETFD) == FD_CLOEXEC, "close-on-exec");
	close(fd);
	ok(fs_exists(store, "a/b/file") && fs_exists(store, "dangling"), "files and dangling links exist");
	ok(!fs_exists(store, "nothing") && !fs_exists(store, "link/b"), "others do not");
	close(store);
}

/* A container's ROOT as a stranger may have made it. */
static int make_root(int top)
{
	char from[24], to[24];
	int root;

	mkdirat(top, "root", 0755);
	root = openat(top, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	mkdirat(root, "etc", 0755);
	mkdirat(root, "usr", 0755);
	mkdirat(root, "usr/bin", 0755);
	put(root, "etc/passwd", "theirs");
	put(root, "usr/bin/sh", "shell");
	put(root, "usr/beside", "beside");
	link_to(root, "usr/bin", "bin");
	link_to(root, "/usr/bin", "absbin");
	link_to(root, "/etc/passwd", "abs");
	link_to(root, "../../../../etc/passwd", "usr/bin/up");
	link_to(root, "/../../secret", "out");
	link_to(root, "../secret", "out2");
	link_to(root, "loop", "loop");
	link_to(root, "nowhere/x", "dangling");
	link_to(root, "..", "usr/parent");
	link_to(root, "/", "slash");
	put(root, "chain0", "end of the chain");
	for (int i = 1; i <= 41; i++) {
		snprintf(from, sizeof(from), "chain%d", i);
		snprintf(to, sizeof(to), "chain%d", i - 1);
		link_to(root, to, from);
	}
	return root;
}

static void test_in_root(int root)
{
	static const struct open_case cases[] = {
		{ "etc/passwd", "theirs", 0 },
		{ "/etc/passwd", "theirs", 0 },
		{ "../../../etc/passwd", "theirs", 0 },
		{ "/usr/../../etc/passwd", "theirs", 0 },
		{ "abs", "theirs", 0 },
		{ "usr/bin/up", "theirs", 0 },
		{ "bin/sh", "shell", 0 },
		{ "absbin/sh", "shell", 0 },
		{ "bin/../beside", "beside", 0 },
		{ "usr/parent/etc/passwd", "theirs", 0 },
		{ "slash/slash/etc/passwd", "theirs", 0 },
		{ "out", NULL, ENOENT },
		{ "out2", NULL, ENOENT },
		{ "loop", NULL, ELOOP },
		{ "loop/x", NULL, ELOOP },
		{ "dangling", NULL, ENOENT },
		{ "chain40", "end of the chain", 0 },
		{ "chain41", NULL, ELOOP },
		{ "/", "directory", 0 },
		{ "..", "directory", 0 },
		{ "bin/", "directory", 0 },
		{ "abs/", NULL, ENOTDIR },
		{ "etc/passwd/x", NULL, ENOTDIR },
		{ "etc/passwd/..", NULL, ENOTDIR },
		{ "nothing/..", NULL, ENOENT },
		{ "", NULL, ENOENT },
	};

	check_cases(root, cases, sizeof(cases) / sizeof(cases[0]), FS_IN_ROOT);
}

static void test_in_root_flags(int root)
{
	struct stat st;

	is_int(try_open(root, "abs", O_RDONLY | O_NOFOLLOW, FS_IN_ROOT), ELOOP,
		"O_NOFOLLOW refuses a final link");
	is_int(try_open(root, "bin", O_RDONLY | O_DIRECTORY, FS_IN_ROOT), 0,
		"a link to a directory opens as one");
	is_int(try_open(root, "bin/new", O_WRONLY | O_CREAT, FS_IN_ROOT), 0, "made below a link");
	ok(fstatat(root, "usr/bin/new", &st, 0) == 0, "where it leads in the root");
	is_int(try_open(root, "abs", O_WRONLY | O_CREAT | O_TRUNC, FS_IN_ROOT), ELOOP,
		"not made through a final link");
	is_str(content(root, "etc/passwd", FS_IN_ROOT), "theirs", "which harmed nothing");
	is_int(try_open(root, "out", O_WRONLY | O_CREAT, FS_IN_ROOT), ELOOP,
		"nor through one that leads out");
	is_int(try_open(root, "/..", O_WRONLY | O_CREAT, FS_IN_ROOT), EISDIR, "the root is no file to make");
	ok(fs_lstat(root, "/absbin", &st, FS_IN_ROOT) == 0 && S_ISLNK(st.st_mode), "lstat sees a final link");
	ok(fs_lstat(root, "/absbin/sh", &st, FS_IN_ROOT) == 0 && S_ISREG(st.st_mode),
		"and follows those before it");
}

#define DEEP 600

/* Far more components than descriptors, down and up again. */
static void test_deep(int root)
{
	int top = openat(root, "usr", O_RDONLY | O_DIRECTORY | O_CLOEXEC), cur = dup(top);
	auto_str down = STR_INIT, up = STR_INIT, side = STR_INIT;
	struct rlimit lim, few;
	struct stat st;

	for (int i = 0; i < DEEP; i++) {
		int next;

		mkdirat(cur, "d", 0755);
		next = openat(cur, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		close(cur);
		cur = next;
		str_add(&down, "d/");
		str_add(&up, "../");
	}
	put(cur, "bottom", "deep");
	close(cur);
	link_to(top, str_text(&down), "way");
	str_addf(&side, "usr/way/../d/%s../etc/passwd", str_text(&up));
	getrlimit(RLIMIT_NOFILE, &lim);
	few = lim;
	few.rlim_cur = 80;
	setrlimit(RLIMIT_NOFILE, &few);
	is_str(content(root, "usr/way/bottom", FS_IN_ROOT), "deep", "600 levels down with few descriptors");
	is_str(content(root, str_text(&side), FS_IN_ROOT), "theirs", "and all of them up again");
	str_add(&down, "bottom");
	is_str(content(top, str_text(&down), FS_BENEATH), "deep", "down in our own store");
	setrlimit(RLIMIT_NOFILE, &lim);
	close(top);
	ok(fs_rm_tree(root, "usr/d", NULL) == 0 && unlinkat(root, "usr/way", 0) == 0 &&
			fstatat(root, "usr/bin", &st, 0) == 0,
		"removed");
}

static void is_parent(int dir, const char *path, enum fs_scope scope, const char *want, const char *base)
{
	const char *got = NULL;
	int fd = fs_open_parent(dir, path, scope, &got);
	struct stat a, b;

	ok(fd >= 0 && fstat(fd, &a) == 0 && fstatat(dir, want, &b, AT_SYMLINK_NOFOLLOW) == 0 &&
			a.st_ino == b.st_ino,
		"the parent of %s is %s", path, want);
	is_str(got, base, "its last component");
	ok(got && got >= path && got <= path + strlen(path), "which lies inside the path");
	close(fd);
}

static void test_parent(int root)
{
	const char *base;

	is_parent(root, "etc/passwd", FS_BENEATH, "etc", "passwd");
	is_parent(root, "name", FS_BENEATH, ".", "name");
	is_parent(root, "bin/name", FS_IN_ROOT, "usr/bin", "name");
	is_parent(root, "/name", FS_IN_ROOT, ".", "name");
	is_parent(root, "bin/..", FS_IN_ROOT, "usr", ".");
	is_parent(root, "..", FS_IN_ROOT, ".", ".");
	ok(fs_open_parent(root, "bin/name", FS_BENEATH, &base) < 0 && errno == ELOOP, "a link on the way");
	ok(fs_open_parent(root, "usr/../x", FS_BENEATH, &base) < 0 && errno == EXDEV,
		"'..' in our own store");
	ok(fs_open_parent(root, "usr/bin/", FS_IN_ROOT, &base) < 0 && errno == EINVAL, "a slash at the end");
	int fd = fs_open_parent(root, "/", FS_IN_ROOT, &base);
	ok(fd >= 0 && strcmp(base, ".") == 0, "the root is '.' in itself");
	close(fd);
}

static int try_mkdir(int dir, const char *path, enum fs_scope scope)
{
	int fd = fs_mkdir_p(dir, path, 0755, scope);

	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

static void test_mkdir(int root)
{
	struct stat st, made = { 0 };
	int fd;

	is_int(try_mkdir(root, "x/y//z", FS_BENEATH), 0, "three at once");
	is_int(try_mkdir(root, "x/y/z", FS_BENEATH), 0, "again");
	is_int(try_mkdir(root, "bin/x", FS_BENEATH), ELOOP, "not through a link");
	is_int(try_mkdir(root, "../x", FS_BENEATH), EXDEV, "not upwards");
	is_int(try_mkdir(root, "etc/passwd/x", FS_BENEATH), ENOTDIR, "not below a file");
	is_int(try_mkdir(root, "abs/x", FS_IN_ROOT), ENOTDIR, "nor below a link to one");
	is_int(try_mkdir(root, "dangling/x", FS_IN_ROOT), ENOENT, "nor below a dangling link");
	fd = fs_mkdir_p(root, "/absbin/p/../q/r", 0755, FS_IN_ROOT);
	ok(fd >= 0 && fstat(fd, &made) == 0, "through links and '..' in a root");
	ok(fstatat(root, "usr/bin/q/r", &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_ino == made.st_ino,
		"is made where that leads, and returned");
	close(fd);
	is_int(try_mkdir(root, "/", FS_IN_ROOT), 0, "the root is there");
	is_int(try_mkdir(root, "usr/parent/../../above", FS_IN_ROOT), 0, "upwards ends at the root");
	ok(fstatat(root, "above", &st, AT_SYMLINK_NOFOLLOW) == 0, "where it is made");
}

static void test_read(int root)
{
	auto_str s = STR_INIT;

	ok(fs_read(root, "etc/passwd", 6, &s, FS_BENEATH) == 0, "as large as allowed");
	ok(fs_read(root, "/abs", 6, &s, FS_IN_ROOT) == 0, "through a link in the root");
	is_str(str_text(&s), "theirstheirs", "both are appended");
	ok(fs_read(root, "etc/passwd", 5, &s, FS_BENEATH) < 0 && errno == EFBIG, "larger than allowed");
	ok(fs_read(root, "etc", 100, &s, FS_BENEATH) < 0 && errno == EINVAL, "a directory");
	mkfifoat(root, "fifo", 0600);
	ok(fs_read(root, "fifo", 100, &s, FS_BENEATH) < 0 && errno == EINVAL,
		"a FIFO, without waiting for a writer");
	ok(fs_read(root, "abs", 100, &s, FS_BENEATH) < 0 && errno == ELOOP, "a link in our own store");
	is_int(s.len, 12, "a failure appends nothing");
}

static void test_links_and_lists(int root)
{
	char target[1001];
	autofree char *got = NULL;
	auto_strv names = STRV_INIT;
	autofree char *joined = NULL;

	memset(target, 't', sizeof(target) - 1);
	target[1000] = '\0';
	link_to(root, target, "longlink");
	got = fs_readlink(root, "longlink");
	is_str(got, target, "a long target");
	ok(fs_readlink(root, "etc") == NULL && errno == EINVAL, "a directory has none");
	put(root, "x/y/b", "");
	put(root, "x/y/.a", "");
	ok(fs_list(root, "x/y", &names) == 0, "list a directory");
	joined = strv_join(&names, " ");
	is_str(joined, ".a b z", "sorted, hidden names too, no dots");
	ok(fs_list(root, "bin", &names) < 0 && errno == ELOOP, "not through a link");
	int path_only = openat(root, "etc", O_PATH | O_CLOEXEC);
	ok(fs_sync_dir(root) == 0 && fs_sync_dir(path_only) == 0, "directories can be synced");
	close(path_only);
}

static void test_fd_path(int root)
{
	int fd = openat(root, "usr/bin", O_RDONLY | O_DIRECTORY | O_CLOEXEC), slash, gone;
	autofree char *path = fs_fd_path(fd), *of_slash = NULL, *of_gone = NULL;
	struct stat a, b;

	ok(path && *path == '/' && stat(path, &a) == 0 && fstat(fd, &b) == 0 && a.st_ino == b.st_ino,
		"the path of a directory leads back to it");
	ok(path && strlen(path) > 8 && strcmp(path + strlen(path) - 8, "/usr/bin") == 0,
		"and ends in its name");
	close(fd);
	slash = open("/", O_PATH | O_CLOEXEC);
	of_slash = fs_fd_path(slash);
	is_str(of_slash, "/", "of the root");
	close(slash);
	mkdirat(root, "gone", 0755);
	gone = openat(root, "gone", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	unlinkat(root, "gone", AT_REMOVEDIR);
	of_gone = fs_fd_path(gone);
	ok(of_gone == NULL, "a removed directory has none");
	close(gone);
}

static void test_all(void *arg)
{
	char path[64];
	int top = scratch_open(path), root;

	is_int(fs_openat2_works(), arg == NULL && fs_openat2_works(),
		arg ? "without openat2" : "as the kernel is");
	test_beneath(top);
	test_beneath_flags(top);
	root = make_root(top);
	test_in_root(root);
	test_in_root_flags(root);
	test_deep(root);
	test_parent(root);
	test_mkdir(root);
	test_read(root);
	test_links_and_lists(root);
	test_fd_path(root);
	close(root);
	scratch_close(top, path);
}

static void test_old(void *arg)
{
	setenv("UDOCKER_TEST_OLD_KERNEL", "1", 1);
	test_all(arg);
}

int main(void)
{
	static char old[] = "old";

	umask(022);
	in_child(test_old, old);
	test_all(NULL);
	return tap_done();
}
