/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Removing and walking whole trees, however deep: no recursion, and a bounded number of descriptors. The first levels
 * keep their directory stream; below them a level's remaining names are read into memory before a child is entered, and
 * the way back up is "..", believed only if device and inode are those we came from.
 */
#include "pkg/base/fs.h"

#include <dirent.h>
#include <errno.h>
#include <linux/openat2.h>
#include <sys/syscall.h>

#include "pkg/base/err.h"
#include "pkg/base/mem.h"
#include "pkg/base/path.h"
#include "pkg/base/sig.h"
#include "pkg/base/str.h"
#include "pkg/base/strv.h"

/* Levels that keep their descriptor while we are below them. */
#define KEEP_LEVELS 48
/* How often a directory is read again because something was added, or a tree because a part was moved away. */
#define MAX_PASSES 100
#define MAX_RESTARTS 100

struct level {
	char *name; /* in the level above; NULL at the top */
	dev_t dev;
	ino_t ino;
	int fd; /* -1 while we are far below */
	DIR *dir; /* owns fd; NULL once the remaining names are in `names` */
	struct strv names; /* one letter for the type, then the name */
	size_t next;
	size_t path_len; /* of the walk's path, without this level's children */
	bool unlocked; /* we let ourselves in: it gets `mode` back when we leave it */
	mode_t mode;
	unsigned passes; /* how often in a row a child was found not empty after it was emptied */
};

struct tree {
	struct level *lv;
	size_t n;
	size_t cap;
	bool sorted;
};

static struct level *top_of(struct tree *t)
{
	return &t->lv[t->n - 1];
}

static void level_close(struct level *l)
{
	if (l->dir)
		closedir(l->dir);
	else if (l->fd >= 0)
		close(l->fd);
	l->dir = NULL;
	l->fd = -1;
}

static void tree_drop(struct tree *t)
{
	struct level *l = top_of(t);

	if (l->unlocked && l->fd >= 0)
		(void)!fchmod(l->fd, l->mode); /* it was ours a moment ago */
	level_close(l);
	strv_free(&l->names);
	free(l->name);
	t->n--;
}

/* The level above `child`, through "..": ESTALE when that is no longer where we came from. */
static int open_above(const struct level *child, const struct level *l)
{
	autoclose int fd = openat(child->fd, "..", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || st.st_dev != l->dev || st.st_ino != l->ino) {
		errno = ESTALE;
		return -1;
	}
	return steal_fd(&fd);
}

/* Levels that we let ourselves into, and whose descriptor was given back. */
static bool has_distant(const struct tree *t)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->lv[i].unlocked && t->lv[i].fd < 0)
			return true;
	return false;
}

static void tree_free(struct tree *t)
{
	int saved = errno;
	bool climb = has_distant(t);

	while (t->n) {
		struct level *l = top_of(t);

		/* Before l is locked again: then there is no way through it. */
		if (climb && t->n > 1 && l->fd >= 0 && l[-1].fd < 0)
			l[-1].fd = open_above(l, l - 1);
		tree_drop(t);
	}
	free(t->lv);
	t->lv = NULL;
	errno = saved;
}

/* Make the directory fd (taken over, also on failure) the deepest level. */
static int tree_push(struct tree *t, int fd, const char *name)
{
	struct stat st;
	struct level *l;
	DIR *d;

	if (fstat(fd, &st) < 0 || !(d = fdopendir(fd))) {
		int saved = errno;

		close(fd);
		errno = saved;
		return -1;
	}
	t->lv = mem_grow(t->lv, &t->cap, t->n + 1, sizeof(*t->lv));
	l = &t->lv[t->n++];
	*l = (struct level){
		.name = xstrdup_null(name), .dev = st.st_dev, .ino = st.st_ino, .fd = fd, .dir = d
	};
	return 0;
}

/* "." and "..", which lead elsewhere. */
static bool is_dots(const char *name)
{
	return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
}

static char type_letter(unsigned char d_type)
{
	return d_type == DT_DIR ? 'd' : d_type == DT_UNKNOWN ? '?' : 'f';
}

/* The next entry: 1, 0 at the end, -1 with errno. *ret_name lives until the next call on this level. */
static int level_next(struct level *l, const char **ret_name, char *ret_type)
{
	const struct dirent *e;

	while (l->dir) {
		errno = 0;
		e = readdir(l->dir);
		if (!e)
			return errno && errno != ENOENT ? -1
							: 0; /* ENOENT: the directory itself was removed */
		if (is_dots(e->d_name))
			continue;
		*ret_name = e->d_name;
		*ret_type = type_letter(e->d_type);
		return 1;
	}
	if (l->next >= l->names.n)
		return 0;
	*ret_type = l->names.v[l->next][0];
	*ret_name = l->names.v[l->next++] + 1;
	return 1;
}

/* Remember the names that the stream still has. */
static int level_read(struct level *l)
{
	struct strv rest = STRV_INIT;
	const char *name;
	char type;
	int r;

	while ((r = level_next(l, &name, &type)) > 0)
		strv_addf(&rest, "%c%s", type, name);
	if (r < 0) {
		strv_free(&rest);
		return -1;
	}
	strv_free(&l->names);
	l->names = rest;
	l->next = 0;
	return 0;
}

/* Before going below a level that lies deep: remember what is left of it and give its descriptor back. */
static int level_spill(struct level *l)
{
	if (l->dir && level_read(l) < 0)
		return -1;
	level_close(l);
	return 0;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a + 1, *(char *const *)b + 1);
}

/* All names of a level just entered, sorted; its stream becomes a bare descriptor. */
static int level_sort(struct level *l)
{
	int fd;

	if (level_read(l) < 0)
		return -1;
	if (l->names.n)
		qsort(l->names.v, l->names.n, sizeof(*l->names.v), compare_names);
	fd = fcntl(l->fd, F_DUPFD_CLOEXEC, 3);
	if (fd < 0)
		return -1;
	level_close(l);
	l->fd = fd;
	return 0;
}

/* Enter the child that was opened as fd (taken over). `name` must not belong to the level's stream. */
static int tree_enter(struct tree *t, int fd, const char *name)
{
	if (t->n > KEEP_LEVELS && level_spill(top_of(t)) < 0) {
		close(fd);
		return -1;
	}
	return tree_push(t, fd, name);
}

/* Leave the deepest level; its name passes to the caller. ESTALE when ".." is no longer where we came from. */
static int tree_leave(struct tree *t, char **ret_name)
{
	struct level *child = top_of(t), *l = child - 1;
	autofree char *name = NULL;

	if (l->fd < 0) {
		l->fd = open_above(child, l);
		if (l->fd < 0)
			return -1;
	}
	name = steal_ptr(&child->name);
	tree_drop(t);
	*ret_name = steal_ptr(&name);
	return 0;
}

/* ---- remove --------------------------------------------------------------------------------------------------- */

/* The mount a directory lies on, from a handle that is asked for with no room for it; -1 where that is not told. */
static int mount_of(int dirfd, const char *name, int flags)
{
	struct file_handle none = { .handle_bytes = 0 };
	int id = -1;

	if (name_to_handle_at(dirfd, name, &none, &id, flags) == 0 || errno == EOVERFLOW)
		return id;
	return -1;
}

static bool is_same_mount(int dirfd, int fd)
{
	struct stat up, st;

	return fstatat(dirfd, ".", &up, 0) == 0 && fstat(fd, &st) == 0 && up.st_dev == st.st_dev &&
	       mount_of(dirfd, ".", 0) == mount_of(fd, "", AT_EMPTY_PATH);
}

/* Open a directory to be emptied: no link, and no mount point, not even a bind mount of the same file system: EXDEV. */
static int open_victim(int dirfd, const char *name)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	autoclose int fd = -1;

	if (fs_openat2_works()) {
		struct open_how how = { .flags = (uint64_t)flags,
			.resolve = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS };

		do {
			fd = (int)syscall(SYS_openat2, dirfd, name, &how, sizeof(how));
		} while (fd < 0 && (errno == EAGAIN || errno == EINTR));
		return steal_fd(&fd);
	}
	fd = openat(dirfd, name, flags);
	if (fd >= 0 && !is_same_mount(dirfd, fd)) {
		errno = EXDEV;
		return -1;
	}
	return steal_fd(&fd);
}

/* u+rwx for a directory that cannot be opened, without a name being resolved twice. */
static int unlock_dir(int dirfd, const char *name)
{
	autoclose int fd = openat(dirfd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -1;
	return fs_chmod_opath(fd, (st.st_mode & 07777) | 0700);
}

/* Enter a directory to empty it: 1 entered, 0 it is gone or no directory any more, -1 with errno. */
static int rm_enter(struct tree *t, int dirfd, const char *name)
{
	struct stat st;
	int fd = open_victim(dirfd, name);

	if (fd < 0 && errno == EACCES && unlock_dir(dirfd, name) == 0)
		fd = open_victim(dirfd, name);
	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == ELOOP ? 0 : -1;
	/* To remove what is in it takes w and x. Without success the removal itself will say why. */
	if (fstat(fd, &st) == 0 && (st.st_mode & 0700) != 0700)
		(void)fchmod(fd, (st.st_mode & 07777) | 0700);
	if (t->n ? tree_enter(t, fd, name) : tree_push(t, fd, name))
		return -1;
	return 1;
}

/* Remove what is no directory, or an empty one. 0 done or gone, 1 it is a directory with content, -1 with errno. */
static int rm_plain(int dirfd, const char *name, char type)
{
	struct stat st;

	if (type != 'd') {
		if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT)
			return 0;
		if (errno != EISDIR && errno != EPERM)
			return -1;
		/* Some file systems say EPERM for directories, and all say it for immutable files. */
		if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return errno == ENOENT ? 0 : -1;
		if (!S_ISDIR(st.st_mode)) {
			errno = EPERM;
			return -1;
		}
	}
	if (unlinkat(dirfd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	if (errno == ENOTDIR) /* it was replaced since it was listed */
		return unlinkat(dirfd, name, 0) == 0 || errno == ENOENT ? 0 : -1;
	return errno == ENOTEMPTY || errno == EEXIST ? 1 : -1;
}

/*
 * A child of the deepest level: entered, or removed where it cannot be entered, for it may have been replaced since it was listed, and an
 * empty directory of somebody else's can go all the same. -1 with the errno of the first attempt.
 */
static int rm_enter_or_plain(struct tree *t, const char *name)
{
	int r = rm_enter(t, top_of(t)->fd, name), saved = errno;

	if (r > 0 || rm_plain(top_of(t)->fd, name, 'd') == 0 || r == 0)
		return r > 0 ? r : 0;
	errno = saved;
	return -1;
}

static int rm_fail(const struct tree *t, const char *name, struct err **err)
{
	int saved = errno;

	if (saved == EXDEV || saved == EBUSY)
		return err_make(err, ERR_BUSY, "cannot remove '%s': it is a mount point", name);
	if (t->n > 1)
		return err_sys(err, saved, "remove '%s' (%zu levels down)", name, t->n - 1);
	return err_sys(err, saved, "remove '%s'", name);
}

/* The deepest level is read to its end: remove it. 1 when it has to be read again, 0 when it is gone. */
static int rm_leave(struct tree *t, char **ret_name)
{
	int r;

	if (tree_leave(t, ret_name) < 0)
		return -1;
	r = rm_plain(top_of(t)->fd, *ret_name, 'd');
	if (r == 0)
		top_of(t)->passes = 0;
	return r;
}

/* Everything below the deepest level of t, which holds one. The level stays. -1 with *err, or 1: start again. */
static int rm_content(struct tree *t, struct err **err)
{
	const unsigned interrupts = sig_interrupts();

	while (t->n) {
		struct level *l = top_of(t);
		autofree char *copy = NULL;
		const char *name;
		char type;
		int r = level_next(l, &name, &type);

		if (r < 0)
			return rm_fail(t, l->name, err);
		if (sig_interrupts() != interrupts)
			return err_make(err, ERR_SYSTEM, "interrupted while removing '%s'", t->lv[0].name);
		if (r > 0) {
			/* Most directories hold something: an attempt to remove them as they are would be in vain. */
			r = type == 'd' ? 1 : rm_plain(l->fd, name, type);
			if (r > 0) {
				copy = xstrdup(name);
				r = rm_enter_or_plain(t, copy);
			}
			if (r < 0)
				return rm_fail(t, copy ? copy : name, err);
			continue;
		}
		if (t->n == 1)
			return 0;
		r = rm_leave(t, &copy);
		if (r < 0)
			return errno == ESTALE ? 1 : rm_fail(t, copy, err);
		/* Not empty: entries were added, or the file system lost its place while we removed. */
		if (r > 0 && ++top_of(t)->passes > MAX_PASSES) {
			errno = ENOTEMPTY;
			return rm_fail(t, copy, err);
		}
		if (r > 0 && rm_enter(t, top_of(t)->fd, copy) < 0)
			return rm_fail(t, copy, err);
	}
	return 0;
}

static int rm_tree_in(int dirfd, const char *name, struct err **err)
{
	for (int i = 0; i < MAX_RESTARTS; i++) {
		struct tree t = { 0 };
		int r = rm_plain(dirfd, name, '?');

		if (r == 0)
			return 0;
		if (r > 0)
			r = rm_enter(&t, dirfd, name);
		if (r < 0) {
			r = rm_fail(&t, name, err);
			tree_free(&t);
			return r;
		}
		if (r > 0)
			r = rm_content(&t, err);
		tree_free(&t);
		if (r < 0)
			return -1;
	}
	return err_make(err, ERR_BUSY, "cannot remove '%s': it is being filled while it is removed", name);
}

int fs_rm_tree(int dirfd, const char *name, struct err **err)
{
	const char *base = strrchr(name, '/');
	autofree char *above = NULL;
	autoclose int parent = -1;

	base = base ? base + 1 : name;
	if (!*base || is_dots(base))
		return err_make(err, ERR_USAGE, "cannot remove '%s': not a name", name);
	if (base == name)
		return rm_tree_in(dirfd, name, err);
	/* Mounts are crossed up to here, and not below. */
	above = path_dir(name);
	parent = openat(dirfd, above, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (parent < 0 && errno == ENOENT)
		return 0;
	if (parent < 0)
		return err_sys(err, errno, "remove '%s'", name);
	return rm_tree_in(parent, base, err);
}

/* ---- walk ----------------------------------------------------------------------------------------------------- */

/* 1: the child was entered, 0: not, -1 with errno. */
static int walk_enter(struct tree *t, const char *name, size_t path_len)
{
	bool unlocked = false;
	struct stat st;
	int fd = t->sorted ? fs_open_own(top_of(t)->fd, name, O_DIRECTORY, &st, &unlocked)
			   : openat(top_of(t)->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	autoclose int keep = unlocked ? fcntl(fd, F_DUPFD_CLOEXEC, 3) : -1;

	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == ELOOP ? 0 : -1;
	if (tree_enter(t, fd, name) < 0) {
		if (keep >= 0)
			(void)!fchmod(keep, st.st_mode & 07777); /* as tree_drop() */
		return -1;
	}
	top_of(t)->unlocked = unlocked;
	top_of(t)->mode = unlocked ? st.st_mode & 07777 : 0;
	top_of(t)->path_len = path_len;
	return t->sorted && level_sort(top_of(t)) < 0 ? -1 : 1;
}

static int walk_entry(struct tree *t, struct str *path, const char *name, fs_walk_fn *fn, void *arg)
{
	struct level *l = top_of(t);
	autofree char *copy = NULL;
	struct stat st;
	int r;

	if (fstatat(l->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -1;
	str_truncate(path, l->path_len);
	if ((path->len && str_add_char(path, '/') < 0) || str_add(path, name) < 0) {
		errno = ENAMETOOLONG;
		return -1;
	}
	r = fn(l->fd, name, str_text(path), &st, arg);
	if (r != 0 || !S_ISDIR(st.st_mode))
		return r < 0 ? r : 0;
	copy = xstrdup(name);
	r = walk_enter(t, copy, path->len);
	return r < 0 ? r : 0;
}

static int walk(int dirfd, bool sorted, fs_walk_fn *fn, void *arg)
{
	struct tree t = { .sorted = sorted };
	auto_str path = STR_INIT;
	int r, fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || tree_push(&t, fd, NULL) < 0)
		return -1;
	if (sorted && level_sort(top_of(&t)) < 0) {
		tree_free(&t);
		return -1;
	}
	for (;;) {
		const char *name;
		char type;

		r = level_next(top_of(&t), &name, &type);
		if (r > 0)
			r = walk_entry(&t, &path, name, fn, arg);
		else if (r == 0 && t.n > 1) {
			char *left = NULL;

			r = tree_leave(&t, &left);
			free(left);
		} else
			break;
		if (r < 0)
			break;
	}
	tree_free(&t);
	return r;
}

int fs_walk(int dirfd, fs_walk_fn *fn, void *arg)
{
	return walk(dirfd, false, fn, arg);
}

int fs_walk_sorted(int dirfd, fs_walk_fn *fn, void *arg)
{
	return walk(dirfd, true, fn, arg);
}
