/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the program is, inside a root file system that nobody has entered: paths are walked by hand, component by
 * component, because symbolic links lead across bind mounts in both directions.
 */
#include <errno.h>
#include <sys/stat.h>

#include "oci-spec/runtime_config.h"
#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/fs.h"
#include "pkg/base/mem.h"
#include "pkg/base/path.h"
#include "pkg/base/str.h"
#include "pkg/base/strv.h"
#include "pkg/runtime/bundle.h"

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define LINKS_MAX 40
#define PATH_LIMIT ((size_t)64 << 10)

struct view {
	const struct runtime_bundle *bundle;
	struct runtime_mounts mounts;
};

/* The bind mount that covers a resolved path, the last one wins; NULL: the root file system itself. */
static const struct runtime_mount *mount_over(const struct view *v, const char *path)
{
	for (size_t i = v->mounts.n; i > 0; i--) {
		const struct runtime_mount *m = &v->mounts.items[i - 1];

		if (m->bind && path_is_below(path, m->destination))
			return m;
	}
	return NULL;
}

/* The host's name of a resolved path: a relative one is below *ret_dirfd. Owned by the caller. */
static char *host_name(const struct view *v, const char *path, int *ret_dirfd)
{
	const struct runtime_mount *m = mount_over(v, path);

	if (!m) {
		*ret_dirfd = v->bundle->rootfs_fd;
		return xstrdup(path[1] ? path + 1 : ".");
	}
	*ret_dirfd = v->bundle->fd;
	path += strlen(m->destination);
	return *path ? path_join(m->source, path) : xstrdup(m->source);
}

/* The mount point itself: its source may be a link, which mount(2) follows. */
static bool is_mount_point(const struct view *v, const char *path)
{
	const struct runtime_mount *m = mount_over(v, path);

	return m && strcmp(m->destination, path) == 0;
}

/* A folder on the way to a mount point: the engine makes it, or pretends to, when the root file system lacks it. */
static bool leads_to_mount(const struct view *v, const char *path)
{
	for (size_t i = 0; i < v->mounts.n; i++)
		if (path_is_below(v->mounts.items[i].destination, path))
			return true;
	return false;
}

/* Put the target of the link `path` in front of the rest of the way. */
static int follow(const struct view *v, const char *path, struct str *done, char **rest)
{
	int dirfd;
	autofree char *name = host_name(v, path, &dirfd);
	autofree char *target = fs_readlink(dirfd, name);
	const char *root = v->bundle->rootfs;
	size_t n = root ? strlen(root) : 0;
	char *next;

	if (!target)
		return -1;
	/* Converted for the F modes: the host's name of a place inside. */
	if (n > 1 && path_is_below(target, root))
		memmove(target, target[n] ? target + n : "/", target[n] ? strlen(target + n) + 1 : 2);
	if (strlen(target) + strlen(*rest) > PATH_LIMIT) {
		errno = ENAMETOOLONG;
		return -1;
	}
	next = xasprintf("%s/%s", target, *rest);
	free(*rest);
	*rest = next;
	if (target[0] == '/')
		str_truncate(done, 0);
	return 0;
}

/* One component further: *rest loses it, `done` (resolved, "" is the root) gains it or a link is put in its place. */
static int step(const struct view *v, struct str *done, char **rest, int *links, struct stat *st)
{
	size_t n = strcspn(*rest, "/");
	autofree char *name = xstrndup(*rest, n);
	autofree char *path = NULL;
	autofree char *host = NULL;
	int dirfd;
	char *tail = xstrdup(*rest + n + ((*rest)[n] == '/'));

	free(*rest);
	*rest = tail;
	if (n == 0 || str_eq(name, "."))
		return 0;
	if (str_eq(name, "..")) {
		const char *slash = strrchr(str_text(done), '/');

		str_truncate(done, slash ? (size_t)(slash - str_text(done)) : 0);
		return 0;
	}
	path = xasprintf("%s/%s", str_text(done), name);
	host = host_name(v, path, &dirfd);
	if (fstatat(dirfd, host, st, is_mount_point(v, path) ? 0 : AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno != ENOENT || !leads_to_mount(v, path))
			return -1;
		*st = (struct stat){ .st_mode = S_IFDIR };
	}
	if (S_ISLNK(st->st_mode)) {
		if (++*links > LINKS_MAX) {
			errno = ELOOP;
			return -1;
		}
		return follow(v, path, done, rest);
	}
	str_truncate(done, 0);
	return str_add(done, path);
}

/* Where `path` leads, inside and without a link; NULL with errno. Owned by the caller. */
static char *resolve(const struct view *v, const char *path, struct stat *st)
{
	auto_str done = STR_INIT_MAX(PATH_LIMIT);
	autofree char *rest = xstrdup(path);
	int links = 0;

	st->st_mode = S_IFDIR;
	while (*rest)
		if (step(v, &done, &rest, &links, st) < 0)
			return NULL;
	if (!done.len || S_ISDIR(st->st_mode)) {
		errno = EISDIR;
		return NULL;
	}
	return str_steal(&done);
}

/*
 * Open what resolve() has found. A program that runs there may have put something else in its place meanwhile: a link anywhere on the way
 * that it can change is an error now.
 */
static int open_resolved(const struct view *v, const char *path, int flags)
{
	const struct runtime_mount *m = mount_over(v, path);
	const char *rest = m ? path + strlen(m->destination) : path;
	autoclose int base = -1;

	if (!m)
		return fs_open(v->bundle->rootfs_fd, path + 1, flags, 0, FS_BENEATH);
	if (!*rest)
		return openat(v->bundle->fd, m->source, flags | O_CLOEXEC);
	base = openat(v->bundle->fd, m->source, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return base < 0 ? -1 : fs_open(base, rest + strspn(rest, "/"), flags, 0, FS_BENEATH);
}

/* 0 if `path` is a program that can be run; else -1 with errno: ENOENT, EACCES, EISDIR … */
static int check_program(const struct view *v, const char *path)
{
	struct stat st = { 0 };
	int dirfd;
	autofree char *inside = resolve(v, path, &st);
	autofree char *name = inside ? host_name(v, inside, &dirfd) : NULL;

	if (!name)
		return -1;
	if (!S_ISREG(st.st_mode) || !(st.st_mode & 0111)) {
		errno = EACCES;
		return -1;
	}
	return faccessat(dirfd, name, X_OK, AT_EACCESS);
}

static int not_found(const char *name, bool is_path, struct err **err)
{
	if (is_path)
		return err_make(
			err, ERR_NOT_FOUND, "exec: \"%s\": stat %s: no such file or directory", name, name);
	return err_make(err, ERR_NOT_FOUND, "exec: \"%s\": executable file not found in $PATH", name);
}

static int refused(const char *name, int errnum, struct err **err)
{
	if (errnum == EISDIR)
		return err_make(err, ERR_DENIED, "exec: \"%s\": is a directory: permission denied", name);
	return err_make(err, ERR_DENIED, "exec: \"%s\": %s", name,
		errnum == EACCES || errnum == EPERM ? "permission denied" : strerror(errnum));
}

static bool is_missing(int errnum)
{
	return errnum == ENOENT || errnum == ENOTDIR;
}

/* As execvp(): the first that can be run; "permission denied" is worth more than "not found". */
static int search(const struct view *v, const struct runtime_process *p, char **ret_path, struct err **err)
{
	const char *name = p->args.v[0];
	const char *path = strv_env_get(&p->env, "PATH");
	int denied = 0;

	for (path = path ? path : DEFAULT_PATH;; path++) {
		size_t n = strcspn(path, ":");
		autofree char *dir = xstrndup(path, n);
		autofree char *below = dir[0] == '/' ? xstrdup(dir) : path_join(p->cwd, dir);
		autofree char *file = path_join(below, name);

		if (check_program(v, file) == 0) {
			if (ret_path)
				*ret_path = steal_ptr(&file);
			return 0;
		}
		if (!is_missing(errno))
			denied = errno;
		path += n;
		if (!*path)
			break;
	}
	return denied ? refused(name, denied, err) : not_found(name, false, err);
}

int runtime_find_program(const struct runtime_bundle *b, const struct runtime_process *process,
	char **ret_path, struct err **err)
{
	struct view v = { .bundle = b };
	const char *name = process->args.v[0];
	int r;

	if (runtime_mounts_read(b->config, &v.mounts, err) < 0)
		return -1;
	if (!*name) {
		r = not_found(name, false, err);
	} else if (!strchr(name, '/')) {
		r = search(&v, process, ret_path, err);
	} else {
		autofree char *file = name[0] == '/' ? xstrdup(name) : path_join(process->cwd, name);

		r = 0;
		if (check_program(&v, file) == 0) {
			if (ret_path)
				*ret_path = steal_ptr(&file);
		} else {
			r = is_missing(errno) ? not_found(name, true, err) : refused(name, errno, err);
		}
	}
	runtime_mounts_free(&v.mounts);
	return r;
}

static int open_inside(const struct view *v, const char *path)
{
	struct stat st = { 0 };
	autofree char *inside = resolve(v, path, &st);
	autoclose int fd = -1;

	if (!inside)
		return -1;
	/* Nothing here may block, whatever it is by now. */
	fd = open_resolved(v, inside, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -1;
	if (!S_ISREG(st.st_mode)) {
		errno = EINVAL;
		return -1;
	}
	return steal_fd(&fd);
}

int runtime_read_inside(const struct runtime_bundle *b, const char *path, size_t max, struct str *ret)
{
	struct view v = { .bundle = b };
	autoclose int fd = -1;

	if (runtime_mounts_read(b->config, &v.mounts, NULL) < 0) {
		errno = EINVAL;
		return -1;
	}
	fd = open_inside(&v, path);
	runtime_mounts_free(&v.mounts);
	if (fd < 0)
		return -1;
	if (fd_read_text(fd, max, ret, path, NULL) < 0) {
		errno = EFBIG;
		return -1;
	}
	return 0;
}
