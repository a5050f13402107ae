/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening, looking at and making files by directory descriptor and path, within a scope. Two ways do the same: openat2
 * where the kernel has it, and below it a walk of components that opens each with O_PATH | O_NOFOLLOW. Removing and
 * walking whole trees is in fs_tree.c.
 */
#include "pkg/base/fs.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <sys/xattr.h>

#include "pkg/base/fd.h"
#include "pkg/base/mem.h"
#include "pkg/base/str.h"
#include "pkg/base/strv.h"

/* As the kernel's own limit on links in one resolution. */
#define MAX_LINKS 40
/* openat2 answers EAGAIN when a rename anywhere came between; after this many the walk is used. */
#define MAX_AGAIN 64
#define OPEN_DIR (O_PATH | O_DIRECTORY | O_CLOEXEC)

static pthread_once_t probe_once = PTHREAD_ONCE_INIT;
static bool old_kernel; /* a test wants the ways of old kernels */
static bool have_openat2;

static int openat2_call(int dirfd, const char *path, uint64_t flags, mode_t mode, uint64_t resolve)
{
	struct open_how how = { .flags = flags, .mode = mode, .resolve = resolve };

	return (int)syscall(SYS_openat2, dirfd, path, &how, sizeof(how));
}

/* ENOSYS on kernels before 5.6; EPERM and others from seccomp filters. Only EBADF shows that it was understood. */
static void probe_kernel(void)
{
	old_kernel = secure_getenv("UDOCKER_TEST_OLD_KERNEL") != NULL;
	have_openat2 = !old_kernel && openat2_call(-1, ".", OPEN_DIR, 0, 0) < 0 && errno == EBADF;
}

bool fs_openat2_works(void)
{
	pthread_once(&probe_once, probe_kernel);
	return have_openat2;
}

static int open_again(int dirfd, const char *path, int flags, mode_t mode, uint64_t resolve)
{
	int fd = -1;

	for (int i = 0; i < MAX_AGAIN; i++) {
		fd = openat2_call(dirfd, path, (uint64_t)flags, mode, resolve);
		if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
			break;
	}
	return fd;
}

/* ---- the walk ------------------------------------------------------------------------------------------------- */

/* One component of *rest into `name`; *rest moves behind it and the slashes that follow. */
static int next_component(const char **rest, char name[NAME_MAX + 1])
{
	const char *from = *rest;
	size_t n;

	from += strspn(from, "/");
	n = strcspn(from, "/");
	if (n > NAME_MAX) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(name, from, n);
	name[n] = '\0';
	*rest = from + n;
	return 0;
}

static bool only_slashes(const char *s)
{
	return s[strspn(s, "/")] == '\0';
}

/* A link where none may be: ELOOP as openat2 has it, whatever open said about it. */
static int link_refused(int dirfd, const char *name, int errnum)
{
	struct stat st;

	if (errnum == ENOTDIR && fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode))
		errnum = ELOOP;
	errno = errnum;
	return -1;
}

/* The last component of a path that may hold no links. */
static int open_last(int dirfd, const char *name, int flags, mode_t mode)
{
	autoclose int fd = openat(dirfd, name, flags | O_NOFOLLOW, mode);
	struct stat st;

	if (fd < 0)
		return link_refused(dirfd, name, errno);
	if ((flags & O_PATH) && !(flags & O_NOFOLLOW)) {
		if (fstat(fd, &st) < 0)
			return -1;
		if (S_ISLNK(st.st_mode)) {
			errno = ELOOP;
			return -1;
		}
	}
	return steal_fd(&fd);
}

static int walk_beneath(int dirfd, const char *path, int flags, mode_t mode)
{
	autoclose int held = -1;
	char name[NAME_MAX + 1];
	int cur = dirfd;

	for (;;) {
		bool slash;
		int fd;

		if (next_component(&path, name) < 0)
			return -1;
		slash = *path == '/';
		if (only_slashes(path)) {
			if (slash && (flags & O_CREAT)) {
				errno = EISDIR;
				return -1;
			}
			return open_last(
				cur, name[0] ? name : ".", slash ? flags | O_DIRECTORY : flags, mode);
		}
		fd = openat(cur, name, OPEN_DIR | O_NOFOLLOW);
		if (fd < 0)
			return link_refused(cur, name, errno);
		if (held >= 0)
			close(held);
		cur = held = fd;
	}
}

/* Directories of a walk that stay open besides the root: with 2000 components, not all can. */
#define WALK_OPEN 32

struct walk_dir {
	int fd; /* -1: closed, since we are far below */
	dev_t dev;
	ino_t ino;
};

/* A resolution inside a root: the directories from the root to where we are, so that ".." needs no trust in the disk. */
struct walk {
	struct walk_dir *dirs; /* dirs[0] is the root */
	size_t n;
	size_t cap;
	char *text; /* what `rest` points into */
	const char *rest;
	int links;
};

static void walk_up_to(struct walk *w, size_t n)
{
	while (w->n > n)
		if (w->dirs[--w->n].fd >= 0)
			close(w->dirs[w->n].fd);
}

/* One level up. A directory that was closed is believed to be the one above only if it is the one we came through: else ESTALE. */
static int walk_up(struct walk *w)
{
	struct walk_dir *up = &w->dirs[w->n - 2];
	struct stat st;

	if (up->fd < 0) {
		autoclose int fd = openat(w->dirs[w->n - 1].fd, "..", OPEN_DIR);

		if (fd < 0 || fstat(fd, &st) < 0)
			return -1;
		if (st.st_dev != up->dev || st.st_ino != up->ino) {
			errno = ESTALE;
			return -1;
		}
		up->fd = steal_fd(&fd);
	}
	walk_up_to(w, w->n - 1);
	return 0;
}

static void walk_free(struct walk *w)
{
	walk_up_to(w, 0);
	free(w->dirs);
	free(w->text);
}

static void walk_push(struct walk *w, int fd, const struct stat *st)
{
	w->dirs = mem_grow(w->dirs, &w->cap, w->n + 1, sizeof(*w->dirs));
	w->dirs[w->n++] = (struct walk_dir){ fd, st->st_dev, st->st_ino };
	if (w->n > WALK_OPEN + 1) {
		struct walk_dir *far = &w->dirs[w->n - 1 - WALK_OPEN];

		if (far->fd >= 0)
			close(far->fd);
		far->fd = -1;
	}
}

/* Put a link's target in front of what is left. */
static int walk_follow(struct walk *w, int linkfd)
{
	autofree char *target = NULL;
	char *text;

	if (++w->links > MAX_LINKS) {
		errno = ELOOP;
		return -1;
	}
	target = fs_readlink(linkfd, "");
	if (!target)
		return -1;
	if (!*target) {
		errno = ENOENT;
		return -1;
	}
	if (*target == '/')
		walk_up_to(w, 1);
	text = *w->rest ? xasprintf("%s/%s", target, w->rest) : xstrdup(target);
	free(w->text);
	w->text = text;
	w->rest = text;
	return 0;
}

/* One component. Returns 1 with *ret_fd when it was the last, 0 to go on, -1 with errno. */
static int walk_step(struct walk *w, int flags, mode_t mode, int *ret_fd)
{
	char name[NAME_MAX + 1];
	int cur = w->dirs[w->n - 1].fd;
	bool last, slash;
	autoclose int fd = -1;
	struct stat st;

	if (next_component(&w->rest, name) < 0)
		return -1;
	last = only_slashes(w->rest);
	slash = *w->rest == '/';
	if (strcmp(name, "..") == 0 && w->n > 1 && walk_up(w) < 0)
		return -1;
	if (!name[0] || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
		if (last)
			*ret_fd = openat(w->dirs[w->n - 1].fd, ".", flags & ~O_NOFOLLOW, mode);
		return !last ? 0 : *ret_fd < 0 ? -1 : 1;
	}
	fd = openat(cur, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -1;
	if (S_ISLNK(st.st_mode) && (!last || slash || !(flags & O_NOFOLLOW)))
		return walk_follow(w, fd);
	if (last) {
		*ret_fd = openat(cur, name, flags | O_NOFOLLOW | (slash ? O_DIRECTORY : 0), mode);
		return *ret_fd < 0 ? -1 : 1;
	}
	if (!S_ISDIR(st.st_mode)) {
		errno = ENOTDIR;
		return -1;
	}
	walk_push(w, steal_fd(&fd), &st);
	return 0;
}

static int walk_in_root(int dirfd, const char *path, int flags, mode_t mode)
{
	static const struct stat unknown; /* the root stays open: nobody asks who it is */
	struct walk w = { 0 };
	int saved, fd = -1, r;

	r = openat(dirfd, ".", OPEN_DIR);
	if (r < 0)
		return -1;
	walk_push(&w, r, &unknown);
	w.text = xstrdup(path);
	w.rest = w.text;
	do {
		r = walk_step(&w, flags, mode, &fd);
	} while (r == 0);
	saved = errno;
	walk_free(&w);
	errno = saved;
	return r < 0 ? -1 : fd;
}

/* ---- open ----------------------------------------------------------------------------------------------------- */

/* A path of our own store holds no "..", and does not start at the root: such a one came from outside. */
static bool is_beneath(const char *path)
{
	if (*path == '/')
		return false;
	for (const char *p = path; *p;) {
		size_t n = strcspn(p, "/");

		if (n == 2 && p[0] == '.' && p[1] == '.')
			return false;
		p += n;
		p += strspn(p, "/");
	}
	return true;
}

/* openat2 refuses what open lets pass: other flags beside O_PATH, a mode without a file to make. */
static void strict_flags(int *flags, mode_t *mode)
{
	*flags |= O_CLOEXEC;
	if (*flags & O_PATH)
		*flags &= O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	*mode = (*flags & O_CREAT) || (*flags & O_TMPFILE) == O_TMPFILE ? *mode & 07777 : 0;
}

static int open_beneath(int dirfd, const char *path, int flags, mode_t mode)
{
	int fd;

	if (!is_beneath(path)) {
		errno = EXDEV;
		return -1;
	}
	if (fs_openat2_works()) {
		fd = open_again(dirfd, path, flags, mode,
			RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
		if (fd >= 0 || errno != EAGAIN)
			return fd;
	}
	return walk_beneath(dirfd, path, flags, mode);
}

static int open_in_root(int dirfd, const char *path, int flags, mode_t mode)
{
	int fd;

	if (flags & O_CREAT) {
		const char *base;
		autoclose int parent = fs_open_parent(dirfd, path, FS_IN_ROOT, &base);

		return parent < 0 ? -1 : openat(parent, base, flags | O_NOFOLLOW, mode);
	}
	if (fs_openat2_works()) {
		fd = open_again(dirfd, path, flags, mode, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
		if (fd >= 0 || errno != EAGAIN)
			return fd;
	}
	return walk_in_root(dirfd, path, flags, mode);
}

int fs_open(int dirfd, const char *path, int flags, mode_t mode, enum fs_scope scope)
{
	strict_flags(&flags, &mode);
	if (!*path) {
		errno = ENOENT;
		return -1;
	}
	return scope == FS_BENEATH ? open_beneath(dirfd, path, flags, mode)
				   : open_in_root(dirfd, path, flags, mode);
}

int fs_open_parent(int dirfd, const char *path, enum fs_scope scope, const char **ret_base)
{
	autofree char *dir = NULL;
	size_t len = strlen(path);
	const char *base;
	int fd;

	if (!*path || (scope == FS_BENEATH && !is_beneath(path))) {
		errno = *path ? EXDEV : ENOENT;
		return -1;
	}
	if (path[len - 1] == '/' && !only_slashes(path)) {
		errno = EINVAL;
		return -1;
	}
	base = strrchr(path, '/');
	base = base ? base + 1 : path;
	if (!*base || strcmp(base, ".") == 0 || strcmp(base, "..") == 0) {
		/* A directory without a name of its own: itself, under the name ".". */
		dir = xstrdup(path);
		base = *base ? path + len - 1 : ".";
	} else {
		dir = base == path ? xstrdup(".") : xstrndup(path, (size_t)(base - path));
	}
	fd = fs_open(dirfd, dir, O_PATH | O_DIRECTORY, 0, scope);
	if (fd >= 0)
		*ret_base = base;
	return fd;
}

/* ---- mkdir, lstat, read --------------------------------------------------------------------------------------- */

/* Enter `name` in *cur, making it if it is missing. `prefix` is the path so far, for what only a resolution can tell. */
static int make_component(
	int top, int *cur, const char *name, const char *prefix, mode_t mode, enum fs_scope scope)
{
	int fd = -1;

	if (strcmp(name, "..") != 0) {
		fd = openat(*cur, name, OPEN_DIR | O_NOFOLLOW);
		if (fd < 0 && errno == ENOENT) {
			if (mkdirat(*cur, name, mode) < 0 && errno != EEXIST)
				return -1;
			fd = openat(*cur, name, OPEN_DIR | O_NOFOLLOW);
		}
		if (fd < 0 && errno != ENOTDIR && errno != ELOOP)
			return -1;
	}
	if (fd < 0)
		fd = fs_open(top, prefix, O_PATH | O_DIRECTORY, 0, scope);
	if (fd < 0)
		return -1;
	close(*cur);
	*cur = fd;
	return 0;
}

int fs_mkdir_p(int dirfd, const char *path, mode_t mode, enum fs_scope scope)
{
	autofree char *prefix = NULL;
	autoclose int cur = -1;
	char name[NAME_MAX + 1];
	const char *rest = path;

	cur = fs_open(dirfd, path, O_PATH | O_DIRECTORY, 0, scope);
	if (cur >= 0 || errno != ENOENT || !*path)
		return steal_fd(&cur);
	cur = openat(dirfd, ".", OPEN_DIR);
	if (cur < 0)
		return -1;
	prefix = xstrdup(path);
	while (!only_slashes(rest)) {
		size_t end;
		char saved;
		int r;

		if (next_component(&rest, name) < 0)
			return -1;
		if (strcmp(name, ".") == 0)
			continue;
		end = (size_t)(rest - path);
		saved = prefix[end];
		prefix[end] = '\0';
		r = make_component(dirfd, &cur, name, prefix, mode, scope);
		if (r < 0)
			return -1;
		prefix[end] = saved;
	}
	return steal_fd(&cur);
}

/* The name of an entry leads nowhere else. */
static bool is_entry(const char *path)
{
	return *path && !strchr(path, '/') && strcmp(path, "..") != 0;
}

int fs_lstat(int dirfd, const char *path, struct stat *ret, enum fs_scope scope)
{
	autoclose int fd = -1;

	if (is_entry(path))
		return fstatat(dirfd, path, ret, AT_SYMLINK_NOFOLLOW);
	fd = fs_open(dirfd, path, O_PATH | O_NOFOLLOW, 0, scope);
	return fd < 0 ? -1 : fstat(fd, ret);
}

bool fs_exists(int dirfd, const char *path)
{
	struct stat st;

	return fs_lstat(dirfd, path, &st, FS_BENEATH) == 0;
}

bool fs_has_name(int dirfd, const char *name)
{
	struct stat st;

	return fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

int fs_read(int dirfd, const char *path, size_t max, struct str *ret, enum fs_scope scope)
{
	autoclose int fd = fs_open(dirfd, path, O_RDONLY | O_NONBLOCK, 0, scope);
	size_t before = ret->len, total = 0, size = 0;
	struct stat st;
	char buf[4096];
	ssize_t r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -1;
	if (!S_ISREG(st.st_mode)) {
		errno = EINVAL;
		return -1;
	}
	/* What is small is read by one call; those of /proc have no size. */
	size = st.st_size > 0 && st.st_size < (off_t)sizeof(buf) ? (size_t)st.st_size : sizeof(buf);
	do {
		r = fd_read_full(fd, buf, size);
		if (r < 0)
			break;
		total += (size_t)r;
		if (total > max || str_add_mem(ret, buf, (size_t)r) < 0) {
			errno = EFBIG;
			r = -1;
		}
	} while (r == (ssize_t)sizeof(buf));
	if (r < 0) {
		int saved = errno;

		str_truncate(ret, before);
		errno = saved;
		return -1;
	}
	return 0;
}

char *fs_readlink(int dirfd, const char *name)
{
	size_t cap = 256;
	autofree char *buf = NULL;

	for (;;) {
		ssize_t n;

		buf = xrealloc(buf, cap);
		n = readlinkat(dirfd, name, buf, cap);
		if (n < 0)
			return NULL;
		if ((size_t)n < cap) {
			buf[n] = '\0';
			return steal_ptr(&buf);
		}
		cap *= 2;
	}
}

int fs_list(int dirfd, const char *path, struct strv *ret)
{
	auto_strv names = STRV_INIT;
	const struct dirent *e;
	int saved, fd;
	DIR *d;

	fd = fs_open(dirfd, path, O_RDONLY | O_DIRECTORY, 0, FS_BENEATH);
	if (fd < 0)
		return -1;
	d = fdopendir(fd);
	if (!d) {
		close(fd);
		return -1;
	}
	while ((errno = 0, e = readdir(d)))
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			strv_add(&names, e->d_name);
	saved = errno;
	closedir(d);
	if (saved) {
		errno = saved;
		return -1;
	}
	strv_sort(&names);
	for (size_t i = 0; i < names.n; i++)
		strv_add(ret, names.v[i]);
	return 0;
}

int fs_sync_dir(int dirfd)
{
	autoclose int again = -1;

	if (fsync(dirfd) == 0)
		return 0;
	if (errno ==
		EBADF) { /* an O_PATH descriptor or AT_FDCWD names a directory, but fsync does not take it */
		again = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (again < 0)
			return -1;
		if (fsync(again) == 0)
			return 0;
	}
	return errno == EINVAL || errno == EROFS || errno == ENOTSUP ? 0 : -1;
}

/* ---- from a descriptor back to a path ------------------------------------------------------------------------- */

/* What /proc says, if it still leads to the same file: it may have been removed, or a mount may hide it. */
static char *path_by_proc(int fd, const struct stat *want)
{
	char link[40];
	autofree char *path = NULL;
	struct stat st;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	path = fs_readlink(AT_FDCWD, link);
	if (!path)
		return NULL;
	if (*path != '/' || fstatat(AT_FDCWD, path, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		st.st_dev != want->st_dev || st.st_ino != want->st_ino) {
		errno = ENOENT;
		return NULL;
	}
	return steal_ptr(&path);
}

/* The name under which `parent` has the directory `want`. Every entry is looked at: a mount point has another d_ino. */
static char *name_in_parent(int parent, const struct stat *want)
{
	auto_strv names = STRV_INIT;
	struct stat st;

	if (fs_list(parent, ".", &names) < 0)
		return NULL;
	for (size_t i = 0; i < names.n; i++)
		if (fstatat(parent, names.v[i], &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode) &&
			st.st_dev == want->st_dev && st.st_ino == want->st_ino)
			return xstrdup(names.v[i]);
	errno = ENOENT;
	return NULL;
}

static char *path_by_walk(int fd)
{
	autofree char *path = xstrdup("");
	autoclose int cur = openat(fd, ".", OPEN_DIR);
	struct stat here, up;

	if (cur < 0 || fstat(cur, &here) < 0)
		return NULL;
	for (;;) {
		autofree char *name = NULL;
		char *longer;
		int parent = openat(cur, "..", OPEN_DIR);

		if (parent < 0)
			return NULL;
		close(cur);
		cur = parent;
		if (fstat(cur, &up) < 0)
			return NULL;
		if (up.st_dev == here.st_dev && up.st_ino == here.st_ino)
			return *path ? steal_ptr(&path) : xstrdup("/");
		name = name_in_parent(cur, &here);
		if (!name)
			return NULL;
		longer = xasprintf("/%s%s", name, path);
		free(path);
		path = longer;
		here = up;
	}
}

char *fs_fd_path(int fd)
{
	struct stat st;
	char *path;

	pthread_once(&probe_once, probe_kernel);
	if (fstat(fd, &st) < 0)
		return NULL;
	path = old_kernel ? NULL : path_by_proc(fd, &st);
	if (path || (!old_kernel && access("/proc/self/fd", F_OK) == 0))
		return path;
	return path_by_walk(fd);
}

mode_t fs_lost_bits(int dirfd)
{
	autoclose int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	mode_t mask = umask(022);
	struct stat st;

	umask(mask);
	if (fd < 0 || fstat(fd, &st) < 0 || (st.st_mode & S_ISGID) ||
		fgetxattr(fd, "system.posix_acl_default", NULL, 0) >= 0)
		return 0777;
	return mask;
}
