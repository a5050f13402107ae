/* SPDX-License-Identifier: Apache-2.0 */
/* A directory tree as tar entries: what the file system says of each file, and which names are the same file. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "pkg/archive/writer.h"
#include "pkg/base/err.h"
#include "pkg/base/fs.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/base/sig.h"
#include "pkg/base/str.h"

#define XATTR_LIST_BYTES ((size_t)64 << 10) /* the kernel's ceilings */
#define XATTR_VALUE_BYTES ((size_t)64 << 10)

/* Files with several names, by device and inode: open addressing, a power of two slots. */
struct known {
	dev_t dev;
	ino_t ino;
	char *name; /* as it was written; NULL: a free slot */
};
struct links {
	struct known *slots;
	size_t n, cap;
};

struct tree {
	struct writer *w;
	const struct writer_tree_options *o;
	struct links links;
	dev_t dev; /* of the top */
	char *name, *link; /* of the entry at hand */
	struct writer_xattr *xattrs;
	size_t n_xattrs, cap_xattrs;
	struct writer_tree_stats stats;
	struct err *err;
};

/* ---- hard links ---- */

static struct known *find_slot(const struct links *l, dev_t dev, ino_t ino)
{
	size_t at = (size_t)(ino * 0x9e3779b97f4a7c15ULL >> 20) ^ (size_t)dev;

	for (;; at++) {
		struct known *k = &l->slots[at & (l->cap - 1)];

		if (!k->name || (k->ino == ino && k->dev == dev))
			return k;
	}
}

static void make_room(struct links *l)
{
	struct links bigger = { .cap = l->cap ? l->cap * 2 : 1024, .n = l->n };

	if (l->n * 2 < l->cap)
		return;
	bigger.slots = xcalloc(bigger.cap, sizeof(*bigger.slots));
	for (size_t i = 0; i < l->cap; i++)
		if (l->slots[i].name)
			*find_slot(&bigger, l->slots[i].dev, l->slots[i].ino) = l->slots[i];
	free(l->slots);
	*l = bigger;
}

/* The name under which this file was written, or NULL; then `name` is remembered. */
static const char *first_name(struct links *l, const struct stat *st, const char *name)
{
	struct known *k;

	make_room(l);
	k = find_slot(l, st->st_dev, st->st_ino);
	if (k->name)
		return k->name;
	*k = (struct known){ st->st_dev, st->st_ino, xstrdup(name) };
	l->n++;
	return NULL;
}

static void links_free(struct links *l)
{
	for (size_t i = 0; i < l->cap; i++)
		free(l->slots[i].name);
	free(l->slots);
}

/* ---- extended attributes ---- */

/* What belongs to the host (ACLs of its users, labels, overlays) stays there. */
static bool xattr_is_kept(const char *name)
{
	return str_starts(name, "user.") || strcmp(name, "security.capability") == 0;
}

static int read_xattr(struct tree *t, int fd, const char *name, char *buf)
{
	ssize_t n = fgetxattr(fd, name, buf, XATTR_VALUE_BYTES);

	if (n < 0)
		return errno == ENODATA ? 0 : -1;
	t->xattrs = mem_grow(t->xattrs, &t->cap_xattrs, t->n_xattrs + 1, sizeof(*t->xattrs));
	t->xattrs[t->n_xattrs++] = (struct writer_xattr){
		.name = xstrdup(name), .value = xmemdup(buf, (size_t)n), .n = (size_t)n
	};
	return 0;
}

static int compare_xattr(const void *a, const void *b)
{
	return strcmp(((const struct writer_xattr *)a)->name, ((const struct writer_xattr *)b)->name);
}

static void drop_xattrs(struct tree *t)
{
	for (size_t i = 0; i < t->n_xattrs; i++) {
		free((void *)(uintptr_t)t->xattrs[i].name);
		free((void *)(uintptr_t)t->xattrs[i].value);
	}
	t->n_xattrs = 0;
}

/* 0, or -1 with errno. A file system without attributes has none. */
static int read_xattrs(struct tree *t, int fd)
{
	char none;
	ssize_t n = flistxattr(fd, &none, 0);
	autofree char *names = NULL, *value = NULL;

	if (n == 0 || (n < 0 && (errno == ENOTSUP || errno == ENOSYS)))
		return 0;
	names = xmalloc(XATTR_LIST_BYTES);
	value = xmalloc(XATTR_VALUE_BYTES);
	n = flistxattr(fd, names, XATTR_LIST_BYTES);
	for (const char *p = names; n > 0 && p < names + n; p += strlen(p) + 1)
		if (xattr_is_kept(p) && read_xattr(t, fd, p, value) < 0)
			return -1;
	if (t->n_xattrs > 1)
		qsort(t->xattrs, t->n_xattrs, sizeof(*t->xattrs), compare_xattr);
	return n < 0 ? -1 : 0;
}

/* ---- entries ---- */

static enum reader_type type_of(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return READER_FILE;
	case S_IFDIR:
		return READER_DIR;
	case S_IFLNK:
		return READER_SYMLINK;
	case S_IFIFO:
		return READER_FIFO;
	case S_IFCHR:
		return READER_CHAR;
	case S_IFBLK:
		return READER_BLOCK_DEVICE;
	case S_IFSOCK:
		return READER_SOCKET;
	default:
		return READER_OTHER;
	}
}

static void describe(struct tree *t, const char *path, const struct stat *st, struct writer_entry *e)
{
	const char *prefix = t->o->prefix;

	free(t->name);
	t->name = !prefix ? xstrdup(path) : *path ? xasprintf("%s/%s", prefix, path) : xstrdup(prefix);
	*e = (struct writer_entry){ .type = type_of(st->st_mode),
		.name = t->name,
		.mode = st->st_mode & 07777,
		.size = S_ISREG(st->st_mode) ? st->st_size : 0,
		.mtime = st->st_mtim,
		.uid = t->o->root_owner ? 0 : st->st_uid,
		.gid = t->o->root_owner ? 0 : st->st_gid };
	if (t->o->whole_seconds)
		e->mtime.tv_nsec = 0;
	if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode)) {
		e->dev_major = major(st->st_rdev);
		e->dev_minor = minor(st->st_rdev);
	}
}

static int failed(struct tree *t, const char *verb, const char *path)
{
	return err_sys(&t->err, errno, "%s: %s '%s'", t->o->what, verb, *path ? path : ".");
}

/* Open what is to be read: a file, and with attributes a directory. -1: nothing to open; -2: it has vanished; -3 with an error. */
static int open_entry(struct tree *t, int dirfd, const char *name, const char *path, struct stat *st)
{
	bool dir = S_ISDIR(st->st_mode), unlocked;
	struct stat now;
	int fd;

	if (!S_ISREG(st->st_mode) && !(dir && t->o->xattrs))
		return -1;
	if (S_ISREG(st->st_mode) && st->st_size == 0 && !t->o->xattrs)
		return -1;
	fd = fs_open_own(dirfd, name, dir ? O_DIRECTORY : 0, &now, &unlocked);
	if (fd < 0) {
		if (errno == ENOENT || errno == ELOOP || errno == ENOTDIR || errno == ESTALE ||
			errno == ENXIO)
			return -2;
		failed(t, "open", path);
		return -3;
	}
	if (unlocked)
		(void)!fchmod(
			fd, now.st_mode & 07777); /* the descriptor serves for its attributes all the same */
	if (now.st_ino != st->st_ino || now.st_dev != st->st_dev ||
		(now.st_mode & S_IFMT) != (st->st_mode & S_IFMT)) {
		close(fd);
		return -2; /* replaced since it was looked at */
	}
	*st = now;
	return fd;
}

/* 1 when it is to be written, 0 when not. */
static int edit(struct tree *t, struct writer_entry *e, int dirfd, const char *name, const char *path,
	const struct stat *st)
{
	int r;

	e->xattrs = t->xattrs;
	e->n_xattrs = t->n_xattrs;
	if (!t->o->edit)
		return 1;
	r = t->o->edit(e, dirfd, name, path, st, t->o->arg, &t->err);
	return r < 0 ? -1 : r == 0;
}

static int write_entry(struct tree *t, struct writer_entry *e, const struct stat *st, int fd)
{
	if (e->type == READER_FILE && st->st_nlink > 1) {
		const char *first = first_name(&t->links, st, e->name);

		if (first) {
			e->type = READER_HARDLINK;
			e->link = first;
			e->n_xattrs = 0;
		}
	}
	if (e->type == READER_FILE && e->size > 0)
		return writer_file(t->w, e, fd, st->st_blocks < st->st_size / 512, &t->err);
	return writer_entry(t->w, e, &t->err);
}

/* The target of a symbolic link into e: 1, 0 when it has vanished, -1. */
static int read_link(struct tree *t, struct writer_entry *e, int dirfd, const char *name, const char *path)
{
	free(t->link);
	t->link = fs_readlink(dirfd, name);
	e->link = t->link;
	if (t->link)
		return 1;
	return errno == ENOENT || errno == EINVAL ? 0 : failed(t, "read the link", path);
}

/* Returns 0, FS_WALK_SKIP, or -1 with t->err. */
static int add(struct tree *t, int dirfd, const char *name, const char *path, const struct stat *seen)
{
	bool dir = S_ISDIR(seen->st_mode);
	int skip = dir ? FS_WALK_SKIP : 0, r;
	struct stat st = *seen;
	struct writer_entry e;
	autoclose int fd = -1;

	if (sig_interrupted())
		return err_sys(&t->err, EINTR, "%s", t->o->what);
	if (S_ISSOCK(st.st_mode)) {
		log_debug("%s: '%s' is a socket, leaving it out", t->o->what, path);
		t->stats.sockets++;
		return 0;
	}
	fd = open_entry(t, dirfd, name, path, &st);
	if (fd < -1)
		return fd == -2 ? skip : -1;
	describe(t, path, &st, &e);
	drop_xattrs(t);
	if (fd >= 0 && t->o->xattrs && read_xattrs(t, fd) < 0)
		return failed(t, "read the attributes of", path);
	r = e.type == READER_SYMLINK ? read_link(t, &e, dirfd, name, path) : 1;
	if (r > 0)
		r = edit(t, &e, dirfd, name, path, &st);
	if (r <= 0)
		return r < 0 ? -1 : skip;
	if (write_entry(t, &e, &st, fd) < 0)
		return -1;
	if (!dir || !t->o->one_file_system || st.st_dev == t->dev)
		return 0;
	t->stats.mounts++;
	return FS_WALK_SKIP;
}

static int visit(int dirfd, const char *name, const char *path, const struct stat *st, void *arg)
{
	return add(arg, dirfd, name, path, st);
}

static int walk(struct tree *t, int dirfd)
{
	struct stat st;

	if (fstat(dirfd, &st) < 0)
		return failed(t, "look at", "");
	t->dev = st.st_dev;
	if (t->o->prefix) {
		int r = add(t, dirfd, ".", "", &st);

		if (r != 0)
			return r < 0 ? -1 : 0;
	}
	if (fs_walk_sorted(dirfd, visit, t) == 0)
		return 0;
	/* A directory is entered right behind its entry, which is the last one that was made. */
	return t->err ? -1 : failed(t, "read the directory", t->name ? t->name : "");
}

int writer_tree(struct writer *w, int dirfd, const struct writer_tree_options *o, struct err **err)
{
	struct tree t = { .w = w, .o = o };
	int r = walk(&t, dirfd);

	if (o->stats) {
		o->stats->sockets += t.stats.sockets;
		o->stats->mounts += t.stats.mounts;
	}
	drop_xattrs(&t);
	links_free(&t.links);
	free(t.xattrs);
	free(t.name);
	free(t.link);
	return r < 0 ? err_move(err, &t.err) : 0;
}
