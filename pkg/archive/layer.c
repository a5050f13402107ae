/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Applying a layer. Parents resolve inside ROOT (FS_IN_ROOT) and stay open while entries of the same directory come by; the last
 * component is never followed. Times of directories are set at the end, when nothing is added to them any more. Hard and symbolic
 * links, whiteouts and what they must not touch are explained where they are handled.
 */
#include "pkg/archive/layer.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "pkg/archive/reader.h"
#include "pkg/archive/seen.h"
#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/fs.h"
#include "pkg/base/mem.h"
#include "pkg/base/path.h"
#include "pkg/base/str.h"
#include "pkg/base/strv.h"

#define LAYER_PATH_MAX 4095 /* PATH_MAX without the NUL: programs in the container could not name more */
#define LAYER_NAME_MAX 255
#define WHITEOUT ".wh."
#define WHITEOUT_META ".wh..wh."
#define WHITEOUT_OPAQUE ".wh..wh..opq"
/* Where layers of the AUFS days keep the files that their hard links mean. */
#define AUFS_LINKS ".wh..wh.plnk"

/* A directory that stays open: the one that the last entry lay in. */
struct place {
	char path[LAYER_PATH_MAX + 1];
	int fd;
	bool valid; /* false: what it was opened by may lead elsewhere now */
};

struct dir_time {
	char *path;
	struct timespec mtime;
};

struct layer {
	struct reader *r;
	int root;
	mode_t masked; /* bits that a mode given to open or mkdir may lose: the umask, or all of them */
	mode_t keep; /* mode bits beyond 0777 that are kept */
	struct layer_stats *st;
	struct seen seen; /* what this layer has put there */
	struct seen skipped; /* what it has left out: hard links to it are left out too */
	struct seen hidden; /* directories that lower layers have nothing in any more, by device and inode */
	struct place parent, link_parent;
	struct dir_time *dirs;
	size_t n_dirs, cap_dirs;
	char path[LAYER_PATH_MAX + 1]; /* the entry at hand: clean, relative, "" for ROOT itself */
	char link[LAYER_PATH_MAX + 1]; /* the same for a hard link's target */
};

static int entry_corrupt(const char *name, const char *why, struct err **err)
{
	return err_make(err, ERR_CORRUPT, "entry '%.256s': %s", name, why);
}

static int entry_failed(const char *name, struct err **err)
{
	int e = errno;

	err_sys(err, e, "entry '%.256s'", name);
	/* What an archive causes by itself is its fault and not the machine's. */
	if (e == ENOENT || e == ENOTDIR || e == ELOOP || e == EISDIR || e == EEXIST || e == EINVAL ||
		e == ENAMETOOLONG)
		err_set_kind(err, ERR_CORRUPT);
	return -1;
}

/* ---- names --------------------------------------------------------------------------------------------------------------- */

/* Leading slashes and "." components go; ".." is refused. */
static int clean_name(const char *name, char ret[LAYER_PATH_MAX + 1], struct err **err)
{
	size_t len = 0;

	for (const char *p = name; *p;) {
		size_t n = strcspn(p, "/");

		if (n == 2 && p[0] == '.' && p[1] == '.')
			return entry_corrupt(name, "'..' in its path: refused", err);
		if (n > LAYER_NAME_MAX)
			return entry_corrupt(name, "a name of more than 255 bytes", err);
		if (n && !(n == 1 && *p == '.')) {
			if (len + n + 1 > LAYER_PATH_MAX)
				return entry_corrupt(name, "a path of more than 4095 bytes", err);
			if (len)
				ret[len++] = '/';
			memcpy(ret + len, p, n);
			len += n;
		}
		p += n;
		p += strspn(p, "/");
	}
	ret[len] = '\0';
	return 0;
}

static const char *base_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* True if a component before the last begins with `prefix`. */
static bool has_parent_like(const char *path, const char *prefix)
{
	for (const char *slash; (slash = strchr(path, '/')); path = slash + 1)
		if (str_starts(path, prefix))
			return true;
	return false;
}

/* ---- directories that stay open ------------------------------------------------------------------------------------------ */

static void place_close(struct place *p)
{
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
	p->valid = false;
}

/* A link or a directory went away: paths that led through it must be resolved again. */
static void places_forget(struct layer *l)
{
	l->parent.valid = false;
	l->link_parent.valid = false;
}

/* One directory on the way to an entry, made 0755 whatever the umask if it is missing. `path` leads to it from ROOT. */
static int make_parent(struct layer *l, int dirfd, const char *name, const char *path)
{
	const int flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
	int fd;

	if (mkdirat(dirfd, name, 0755) == 0) {
		if (fchmodat(dirfd, name, 0755, 0) < 0)
			return -1;
	} else if (errno != EEXIST) {
		return -1;
	}
	fd = openat(dirfd, name, flags | O_NOFOLLOW);
	/* Where a link leads takes a resolution from the top. */
	if (fd < 0 && (errno == ENOTDIR || errno == ELOOP))
		fd = fs_open(l->root, path, flags, 0, FS_IN_ROOT);
	return fd;
}

/* Each missing directory above the entry, one step for each: a path may have two thousand of them. */
static int make_parents(struct layer *l, const char *dir)
{
	autofree char *path = xstrdup(dir);
	autoclose int cur = openat(l->root, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	char *name = path;

	while (cur >= 0 && *name) {
		char *end = strchrnul(name, '/');
		const char was = *end;
		int fd;

		*end = '\0';
		fd = make_parent(l, cur, name, path);
		*end = was;
		name = was ? end + 1 : end;
		if (fd < 0)
			return -1;
		close(cur);
		cur = fd;
	}
	return cur < 0 ? -1 : 0;
}

/* Bytes of `path` before the last component, without the slash. */
static size_t parent_len(const char *path)
{
	const char *base = base_of(path);

	return base > path ? (size_t)(base - path - 1) : 0;
}

static bool place_holds(const struct place *p, const char *path)
{
	size_t n = parent_len(path);

	return p->valid && strncmp(p->path, path, n) == 0 && !p->path[n];
}

/* Open the directory of `path` into p, unless it is that already. Returns its descriptor (p's), or -1 with errno. */
static int place_open(struct layer *l, struct place *p, const char *path, bool make)
{
	size_t n = parent_len(path);

	if (place_holds(p, path))
		return p->fd;
	place_close(p);
	memcpy(p->path, path, n);
	p->path[n] = '\0';
	p->fd = fs_open(l->root, n ? p->path : ".", O_PATH | O_DIRECTORY, 0, FS_IN_ROOT);
	if (p->fd < 0 && errno == ENOENT && make && make_parents(l, p->path) == 0)
		p->fd = fs_open(l->root, p->path, O_PATH | O_DIRECTORY, 0, FS_IN_ROOT);
	p->valid = p->fd >= 0;
	return p->fd;
}

/* ---- removing what was there --------------------------------------------------------------------------------------------- */

/* The name is about to be taken by something else. */
static int clear_name(struct layer *l, int dirfd, const char *base, struct err **err)
{
	struct stat st;

	if (fstatat(dirfd, base, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : entry_failed(l->path, err);
	if (!S_ISREG(st.st_mode))
		places_forget(l);
	if (S_ISDIR(st.st_mode)) {
		if (fs_rm_tree(dirfd, base, err) < 0)
			return err_add(err, "entry '%.256s'", l->path);
		return 0;
	}
	if (unlinkat(dirfd, base, 0) < 0 && errno != ENOENT)
		return entry_failed(l->path, err);
	return 0;
}

/*
 * True the first time. A second look finds this layer's entries alone, also where the inode was given to a newer directory: without
 * this a layer of many markers for one large directory would take hours.
 */
static bool hides_first(struct layer *l, int dirfd)
{
	struct stat st;
	char key[40];

	if (fstat(dirfd, &st) < 0)
		return true;
	snprintf(key, sizeof(key), "%llx:%llx", (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
	if (seen_has(&l->hidden, key))
		return false;
	seen_add(&l->hidden, key, false);
	return true;
}

/* Remove what lower layers left in one directory; directories that are this layer's too are put on the list. */
static int hide_children(struct layer *l, const char *dir, int flags, struct strv *todo, struct err **err)
{
	autoclose int fd = fs_open(l->root, *dir ? dir : ".", O_RDONLY | O_DIRECTORY | flags, 0, FS_IN_ROOT);
	auto_strv names = STRV_INIT;

	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == ELOOP ? 0 : entry_failed(l->path, err);
	if (!hides_first(l, fd))
		return 0;
	if (fs_list(fd, ".", &names) < 0)
		return entry_failed(l->path, err);
	for (size_t i = 0; i < names.n; i++) {
		autofree char *path = *dir ? path_join(dir, names.v[i]) : xstrdup(names.v[i]);
		struct stat st;

		if (!seen_has(&l->seen, path)) {
			places_forget(l);
			if (fs_rm_tree(fd, names.v[i], err) < 0)
				return err_add(err, "entry '%.256s'", l->path);
		} else if (fstatat(fd, names.v[i], &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode)) {
			strv_add(todo, path);
		}
	}
	return 0;
}

/* Everything below `dir` that this layer has not put there; flags: O_NOFOLLOW where dir itself must not be a link. */
static int hide_below(struct layer *l, const char *dir, int flags, struct err **err)
{
	auto_strv todo = STRV_INIT;
	int r = hide_children(l, dir, flags, &todo, err);

	while (r == 0 && todo.n) {
		autofree char *next = xstrdup(todo.v[todo.n - 1]);

		strv_remove(&todo, todo.n - 1);
		r = hide_children(l, next, O_NOFOLLOW, &todo, err);
	}
	return r;
}

/* `.wh.NAME`: layer.md, "whiteout files MUST only apply to resources in lower/parent layers". */
static int hide_path(struct layer *l, const char *path, struct err **err)
{
	int dirfd;

	if (seen_has(&l->seen, path))
		return hide_below(l, path, O_NOFOLLOW, err);
	dirfd = place_open(l, &l->parent, path, false);
	if (dirfd < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == ELOOP ? 0 : entry_failed(l->path, err);
	places_forget(l);
	if (fs_rm_tree(dirfd, base_of(path), err) < 0)
		return err_add(err, "entry '%.256s'", l->path);
	return 0;
}

static int apply_whiteout(struct layer *l, struct err **err)
{
	autofree char *path = xstrdup(l->path);
	char *base = path + (base_of(l->path) - l->path);
	const char *name = base + strlen(WHITEOUT);

	l->st->whiteouts++;
	if (strcmp(base, WHITEOUT_OPAQUE) == 0) {
		base[base > path ? -1 : 0] = '\0';
		return hide_below(l, path, 0, err);
	}
	if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return entry_corrupt(l->path, "a whiteout that names no file", err);
	memmove(base, name, strlen(name) + 1);
	return hide_path(l, path, err);
}

/* ---- making -------------------------------------------------------------------------------------------------------------- */

static mode_t mode_for(const struct layer *l, const struct reader_entry *e, mode_t least)
{
	return (e->mode & (0777 | l->keep)) | least;
}

/* user.* alone: the others need privileges or mean the host's security modules. A file system may refuse: that is no failure. */
static void set_xattrs(struct layer *l, int fd)
{
	const char *name;
	const void *value;
	size_t n;

	while (reader_xattr(l->r, &name, &value, &n))
		if (name && str_starts(name, "user."))
			(void)fsetxattr(fd, name, value, n, 0);
}

static int set_mode(const struct layer *l, int fd, mode_t mode)
{
	return mode & (l->masked | 07000) ? fchmod(fd, mode) : 0;
}

static int make_file(struct layer *l, const struct reader_entry *e, int dirfd, struct err **err)
{
	const struct timespec times[2] = { e->mtime, e->mtime };
	const char *base = base_of(l->path);
	mode_t mode = mode_for(l, e, 0600);
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	autoclose int fd = openat(dirfd, base, flags, mode & 0777);

	if (fd < 0 && errno == EEXIST) {
		if (clear_name(l, dirfd, base, err) < 0)
			return -1;
		fd = openat(dirfd, base, flags, mode & 0777);
	}
	if (fd < 0)
		return entry_failed(l->path, err);
	if (reader_copy(l->r, fd, err) < 0)
		return err_add(err, "entry '%.256s'", l->path);
	set_xattrs(l, fd);
	if (set_mode(l, fd, mode) < 0)
		return entry_failed(l->path, err);
	(void)futimens(fd, times); /* a time that the file system cannot hold */
	l->st->files++;
	l->st->bytes += (uint64_t)e->size;
	/* Network file systems report a full disk here. */
	if (close(steal_fd(&fd)) < 0 && errno != EINTR)
		return entry_failed(l->path, err);
	return 0;
}

static void remember_time(struct layer *l, const struct timespec *mtime)
{
	l->dirs = mem_grow(l->dirs, &l->cap_dirs, l->n_dirs + 1, sizeof(*l->dirs));
	l->dirs[l->n_dirs++] = (struct dir_time){ xstrdup(l->path), *mtime };
}

static int make_root(struct layer *l, const struct reader_entry *e, struct err **err)
{
	if (e->type != READER_DIR)
		return entry_corrupt(e->name, "takes the place of the root directory", err);
	if (fchmodat(l->root, ".", mode_for(l, e, 0700), 0) < 0)
		return entry_failed(".", err);
	remember_time(l, &e->mtime);
	return 0;
}

/* The new directory stays open as the parent of what follows. */
static int make_dir(struct layer *l, const struct reader_entry *e, int dirfd, struct err **err)
{
	const char *base = base_of(l->path);
	mode_t mode = mode_for(l, e, 0700);
	const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	bool made = mkdirat(dirfd, base, mode & 0777) == 0;
	int fd;

	if (!made && errno != EEXIST)
		return entry_failed(l->path, err);
	fd = openat(dirfd, base, flags);
	if (fd < 0 && !made && (errno == ENOTDIR || errno == ELOOP)) {
		if (clear_name(l, dirfd, base, err) < 0)
			return -1;
		made = mkdirat(dirfd, base, mode & 0777) == 0;
		fd = made ? openat(dirfd, base, flags) : -1;
	}
	if (fd < 0)
		return entry_failed(l->path, err);
	place_close(&l->parent);
	l->parent.fd = fd;
	l->parent.valid = true;
	memcpy(l->parent.path, l->path, strlen(l->path) + 1);
	set_xattrs(l, fd);
	if ((made ? set_mode(l, fd, mode) : fchmod(fd, mode)) < 0)
		return entry_failed(l->path, err);
	remember_time(l, &e->mtime);
	l->st->dirs++;
	return 0;
}

static int make_symlink(struct layer *l, const struct reader_entry *e, int dirfd, struct err **err)
{
	const struct timespec times[2] = { e->mtime, e->mtime };
	const char *base = base_of(l->path);
	int r = symlinkat(e->link, dirfd, base);

	if (!*e->link)
		return entry_corrupt(l->path, "a symbolic link without a target", err);
	if (r < 0 && errno == EEXIST) {
		if (clear_name(l, dirfd, base, err) < 0)
			return -1;
		r = symlinkat(e->link, dirfd, base);
	}
	if (r < 0)
		return entry_failed(l->path, err);
	(void)utimensat(dirfd, base, times, AT_SYMLINK_NOFOLLOW); /* as for files */
	l->st->links++;
	return 0;
}

static int make_fifo(struct layer *l, const struct reader_entry *e, int dirfd, struct err **err)
{
	const struct timespec times[2] = { e->mtime, e->mtime };
	const char *base = base_of(l->path);
	mode_t mode = mode_for(l, e, 0600);

	if (clear_name(l, dirfd, base, err) < 0)
		return -1;
	if (mkfifoat(dirfd, base, mode & 0777) < 0)
		return entry_failed(l->path, err);
	if (mode & (l->masked | 07000) && fchmodat(dirfd, base, mode, 0) < 0)
		return entry_failed(l->path, err);
	(void)utimensat(dirfd, base, times, AT_SYMLINK_NOFOLLOW); /* as for files */
	l->st->links++;
	return 0;
}

/* Where no further link can be made: a file system without them, or one that has reached its limit. */
static int copy_instead(const struct layer *l, int from_dir, int to_dir, struct err **err)
{
	autoclose int in = openat(from_dir, base_of(l->link), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	autoclose int out = -1;
	struct stat st;

	if (in < 0 || fstat(in, &st) < 0)
		return entry_failed(l->path, err);
	if (!S_ISREG(st.st_mode))
		return entry_corrupt(l->path, "a hard link to something that is no file", err);
	out = openat(to_dir, base_of(l->path), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (out < 0 || fd_copy(in, out, UINT64_MAX, NULL) < 0 || fchmod(out, st.st_mode & 07777) < 0)
		return entry_failed(l->path, err);
	(void)futimens(out, (const struct timespec[2]){ st.st_mtim, st.st_mtim }); /* as for files */
	return 0;
}

/* The target's parents resolve inside ROOT, and a symbolic link as target is linked itself: nothing outside can be reached. */
static int make_hardlink(struct layer *l, const struct reader_entry *e, int dirfd, struct err **err)
{
	const char *base = base_of(l->path);
	struct stat from, to;
	int target_dir;

	if (clean_name(e->link, l->link, err) < 0)
		return err_add(err, "entry '%.256s': hard link", l->path);
	if (seen_has(&l->skipped, l->link)) {
		l->st->devices++;
		return 0;
	}
	target_dir = place_open(l, &l->link_parent, l->link, false);
	if (target_dir < 0 ||
		fstatat(target_dir, *l->link ? base_of(l->link) : ".", &from, AT_SYMLINK_NOFOLLOW) < 0) {
		entry_failed(l->path, err);
		err_set_kind(err, ERR_CORRUPT);
		return err_add(err, "hard link to '%.256s'", l->link);
	}
	if (S_ISDIR(from.st_mode))
		return entry_corrupt(l->path, "a hard link to a directory", err);
	l->st->links++;
	if (fstatat(dirfd, base, &to, AT_SYMLINK_NOFOLLOW) == 0) {
		if (to.st_dev == from.st_dev && to.st_ino == from.st_ino)
			return 0;
		if (clear_name(l, dirfd, base, err) < 0)
			return -1;
	}
	if (linkat(target_dir, base_of(l->link), dirfd, base, 0) == 0)
		return 0;
	if (errno == EMLINK || errno == EPERM || errno == EOPNOTSUPP || errno == EXDEV)
		return copy_instead(l, target_dir, dirfd, err);
	return entry_failed(l->path, err);
}

/* Device nodes and sockets are not made. What a lower layer had under the name goes all the same. */
static int skip_special(struct layer *l, const struct reader_entry *e, int dirfd, struct err **err)
{
	if (clear_name(l, dirfd, base_of(l->path), err) < 0)
		return -1;
	seen_add(&l->skipped, l->path, false);
	if (e->type == READER_SOCKET)
		l->st->sockets++;
	else
		l->st->devices++;
	return 0;
}

typedef int make_fn(struct layer *l, const struct reader_entry *e, int dirfd, struct err **err);
static make_fn *const makers[] = {
	[READER_FILE] = make_file,
	[READER_DIR] = make_dir,
	[READER_SYMLINK] = make_symlink,
	[READER_HARDLINK] = make_hardlink,
	[READER_FIFO] = make_fifo,
	[READER_CHAR] = skip_special,
	[READER_BLOCK_DEVICE] = skip_special,
	[READER_SOCKET] = skip_special,
	[READER_OTHER] = skip_special,
};

static int apply_entry(struct layer *l, const struct reader_entry *e, struct err **err)
{
	const char *base;
	bool same_dir;
	int dirfd;

	if (clean_name(e->name, l->path, err) < 0)
		return -1;
	if (!*l->path)
		return make_root(l, e, err);
	base = base_of(l->path);
	if (!str_starts(l->path, AUFS_LINKS)) {
		if (strcmp(base, WHITEOUT_OPAQUE) != 0 &&
			(str_starts(base, WHITEOUT_META) || has_parent_like(l->path, WHITEOUT_META)))
			return 0; /* AUFS's own bookkeeping */
		if (has_parent_like(l->path, WHITEOUT))
			return entry_corrupt(l->path, "lies below a whiteout", err);
		if (str_starts(base, WHITEOUT))
			return apply_whiteout(l, err);
	}
	same_dir = place_holds(&l->parent, l->path);
	dirfd = place_open(l, &l->parent, l->path, true);
	if (dirfd < 0)
		return entry_failed(l->path, err);
	/* The directories above are on record already when the entry before lay beside this one. */
	seen_add(&l->seen, l->path, !same_dir);
	return makers[e->type](l, e, dirfd, err);
}

/* Some directories may have been replaced since: only what is one still gets its time. */
static void set_dir_times(struct layer *l)
{
	for (size_t i = 0; i < l->n_dirs; i++) {
		const struct timespec times[2] = { l->dirs[i].mtime, l->dirs[i].mtime };
		const char *path = l->dirs[i].path;
		const char *base = *path ? base_of(path) : ".";
		int dirfd = *path ? place_open(l, &l->parent, path, false) : l->root;
		struct stat st;

		if (dirfd >= 0 && fstatat(dirfd, base, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode))
			(void)utimensat(dirfd, base, times, AT_SYMLINK_NOFOLLOW); /* as for files */
	}
}

static int apply_all(struct layer *l, struct err **err)
{
	struct reader_entry e;
	int r;

	while ((r = reader_next(l->r, &e, err)) > 0)
		if (apply_entry(l, &e, err) < 0)
			return -1;
	if (r < 0)
		return -1;
	if (fs_rm_tree(l->root, AUFS_LINKS, err) < 0)
		return -1;
	set_dir_times(l);
	return 0;
}

/*
 * The umask cannot be read without setting it. Default ACLs replace it, and a set-group-id ROOT hands that bit on:
 * then every mode is set once more.
 */
static mode_t masked_bits(int root)
{
	autoclose int fd = openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	mode_t mask = umask(022);
	struct stat st;

	umask(mask);
	if (fd < 0 || fstat(fd, &st) < 0 || (st.st_mode & S_ISGID) ||
		fgetxattr(fd, "system.posix_acl_default", NULL, 0) >= 0)
		return 0777;
	return mask;
}

int layer_apply(struct reader *r, int root_fd, const struct layer_options *o, struct layer_stats *stats,
	struct err **err)
{
	autofree struct layer *l = xcalloc(1, sizeof(*l));
	int s;

	l->r = r;
	l->root = root_fd;
	l->st = stats;
	l->masked = masked_bits(root_fd);
	l->keep = o && o->keep_setid ? 07000 : 01000;
	l->parent.fd = l->link_parent.fd = -1;
	s = apply_all(l, err);
	place_close(&l->parent);
	place_close(&l->link_parent);
	for (size_t i = 0; i < l->n_dirs; i++)
		free(l->dirs[i].path);
	free(l->dirs);
	seen_free(&l->seen);
	seen_free(&l->skipped);
	seen_free(&l->hidden);
	return s;
}
