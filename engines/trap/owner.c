/* SPDX-License-Identifier: Apache-2.0 */
/* Calls in spite of a mode: see owner.h. */
#include "engines/trap/owner.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "engines/trap/call.h"
#include "engines/trap/ids.h"
#include "engines/trap/mem.h"
#include "engines/trap/path.h"
#include "engines/trap/state.h"
#include "engines/trap/sys.h"

#define TRIES 4 /* another process puts a mode back while we use it */
#define LIFTED_MAX 16
#define TMPFILE_BIT 020000000
#define NO_PATH (-2) /* as a descriptor: AT_FDCWD */

/* What is another mode's for the moment. */
struct lifted {
	int fd; /* O_PATH */
	unsigned was, is;
};

struct way {
	unsigned n;
	struct lifted at[LIFTED_MAX];
};

static long set_mode(int fd, unsigned mode)
{
	char name[32];

	(void)text_fd_path(name, fd); /* O_PATH alone takes no change of a mode */
	return SYS(fchmodat, AT_FDCWD, name, mode);
}

/* A mode that is set by a stranger to the group loses a bit for good. */
static bool is_ours(const struct stat *st)
{
	return st->st_uid == trap_state->real_uid && (S_ISREG(st->st_mode) || S_ISDIR(st->st_mode)) &&
	       (!(st->st_mode & S_ISGID) || st->st_gid == trap_state->real_gid);
}

/* How far in: a change of a mode can be seen (tar tells of it), so that nothing is changed that need not be. */
enum reach {
	REACH_SEARCH, /* the folders on the way are searched */
	REACH_PARENT, /* and the last one is written */
	REACH_LAST, /* and what the path names is opened or moved */
	REACH_ALL,
};

/* Root executes what somebody may execute. */
static unsigned wanted(const struct stat *st, enum reach reach)
{
	if (S_ISDIR(st->st_mode))
		return reach == REACH_SEARCH ? S_IXUSR : S_IRWXU;
	return S_IRUSR | S_IWUSR | (st->st_mode & 0111 ? S_IXUSR : 0);
}

/* `fd` is taken over. */
static void lift(struct way *w, long fd, enum reach reach)
{
	struct stat st;
	unsigned was, is;

	if (fd < 0)
		return;
	if (w->n < LIFTED_MAX && SYS(fstat, fd, &st) == 0 && is_ours(&st)) {
		was = st.st_mode & 07777;
		is = was | wanted(&st, reach);
		if (is != was && set_mode((int)fd, is) == 0) {
			w->at[w->n++] = (struct lifted){ (int)fd, was, is };
			return;
		}
	}
	(void)SYS(close, fd);
}

/* The last one first. What the call itself has given another mode keeps it. */
static void put_back(struct way *w)
{
	struct stat st;

	while (w->n) {
		const struct lifted *l = &w->at[--w->n];

		if (SYS(fstat, l->fd, &st) == 0 && (st.st_mode & 07777) == l->is)
			(void)set_mode(l->fd, l->was);
		(void)SYS(close, l->fd);
	}
}

/* What leads to a canonical name, from the root on. */
static void lift_name(struct way *w, char *name, enum reach reach)
{
	char *last = name, *p;

	for (p = name; *p; p++)
		if (*p == '/' && p[1])
			last = p;
	if (reach == REACH_SEARCH)
		lift(w, path_at_canonical(""), reach);
	for (p = name; *p; p++)
		if (*p == '/' && (reach == REACH_SEARCH ? p > name && p[1] : p == last)) {
			*p = '\0';
			lift(w, path_at_canonical(name), reach);
			*p = '/';
		}
}

/* For a path and the links in it. */
static void lift_path(struct way *w, int dirfd, const char *path, bool follow, enum reach reach)
{
	char *name = buffer_take();
	long kind = -EACCES;

	for (unsigned i = 0, before = w->n + 1; kind == -EACCES && before != w->n && i < LIFTED_MAX; i++) {
		before = w->n;
		kind = path_canonical(dirfd, path, follow, name);
		/* Nobody but root gets past a folder that keeps its owner out. */
		if (kind == -EACCES && !ids_capable(CAP_DAC_OVERRIDE))
			break;
		if (kind == -EACCES || (kind == PATH_PLAIN && reach == REACH_SEARCH))
			lift_name(w, name, REACH_SEARCH);
	}
	if (kind == PATH_PLAIN && reach == REACH_PARENT)
		lift_name(w, name, REACH_PARENT);
	else if (kind == PATH_PLAIN && reach == REACH_LAST)
		lift(w, path_at_canonical(name), REACH_LAST);
	buffer_give(name);
}

long owner_open(int dirfd, const char *path, unsigned long flags, unsigned mode)
{
	struct way w = { 0 };
	long fd = -EACCES;
	const bool all = ids_capable(CAP_DAC_OVERRIDE), follow = !(flags & O_NOFOLLOW);

	if (trap_state->real_uid == 0)
		return -EACCES;
	for (unsigned i = 0, found = 1; fd == -EACCES && found && i < TRIES; i++) {
		for (enum reach reach = all ? REACH_SEARCH : REACH_LAST; fd == -EACCES && reach < REACH_ALL;
			reach++) {
			unsigned before = w.n;

			if (reach != REACH_PARENT || (flags & (O_CREAT | TMPFILE_BIT)))
				lift_path(&w, dirfd, path, follow, reach);
			if (w.n > before)
				fd = path_open_plainly(dirfd, path, flags, mode);
		}
		found = w.n;
		put_back(&w);
	}
	return fd;
}

/* ---- any call with paths ---- */
struct paths {
	short nr;
	signed char dirfd, path, other_dirfd, other_path;
};

#define ONE(name, dirfd, path) \
	{ \
		SYS_##name, dirfd, path, NO_PATH, NO_PATH \
	}
#define TWO(name, a, b, c, d) \
	{ \
		SYS_##name, a, b, c, d \
	}

/* Which arguments; those that open or execute are owner_open()'s. */
static const struct paths paths[] = {
#ifdef SYS_stat
	ONE(stat, NO_PATH, 0),
	ONE(lstat, NO_PATH, 0),
	ONE(access, NO_PATH, 0),
	ONE(mkdir, NO_PATH, 0),
	ONE(rmdir, NO_PATH, 0),
	ONE(unlink, NO_PATH, 0),
	ONE(readlink, NO_PATH, 0),
	ONE(chmod, NO_PATH, 0),
	ONE(chown, NO_PATH, 0),
	ONE(lchown, NO_PATH, 0),
	ONE(utime, NO_PATH, 0),
	ONE(utimes, NO_PATH, 0),
	ONE(futimesat, 0, 1),
	ONE(mknod, NO_PATH, 0),
	ONE(symlink, NO_PATH, 1),
	TWO(rename, NO_PATH, 0, NO_PATH, 1),
	TWO(link, NO_PATH, 0, NO_PATH, 1),
#endif
#ifdef SYS_renameat
	TWO(renameat, 0, 1, 2, 3),
#endif
	TWO(renameat2, 0, 1, 2, 3),
	TWO(linkat, 0, 1, 2, 3),
	ONE(newfstatat, 0, 1),
	ONE(statx, 0, 1),
	ONE(faccessat, 0, 1),
	ONE(faccessat2, 0, 1),
	ONE(mkdirat, 0, 1),
	ONE(unlinkat, 0, 1),
	ONE(readlinkat, 0, 1),
	ONE(fchmodat, 0, 1),
	ONE(fchmodat2, 0, 1),
	ONE(fchownat, 0, 1),
	ONE(utimensat, 0, 1),
	ONE(mknodat, 0, 1),
	ONE(symlinkat, 1, 2),
	ONE(chdir, NO_PATH, 0),
	ONE(chroot, NO_PATH, 0),
	ONE(truncate, NO_PATH, 0),
	ONE(statfs, NO_PATH, 0),
	ONE(inotify_add_watch, NO_PATH, 1),
	ONE(setxattr, NO_PATH, 0),
	ONE(lsetxattr, NO_PATH, 0),
	ONE(getxattr, NO_PATH, 0),
	ONE(lgetxattr, NO_PATH, 0),
	ONE(listxattr, NO_PATH, 0),
	ONE(llistxattr, NO_PATH, 0),
	ONE(removexattr, NO_PATH, 0),
	ONE(lremovexattr, NO_PATH, 0),
};

static const struct paths *paths_of(long nr)
{
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		if (paths[i].nr == nr)
			return &paths[i];
	return NULL;
}

/* Of one path, as a link and as what it leads to: which of both the call means it says itself. */
static void lift_argument(struct way *w, const struct call *c, int dirfd, int path, enum reach reach)
{
	const int at = dirfd == NO_PATH ? AT_FDCWD : (int)c->arg[dirfd];
	struct path_text t;

	if (path == NO_PATH)
		return;
	if (path_text_read(&t, (const void *)c->arg[path]) == 0 && t.len) {
		lift_path(w, at, t.text, false, reach);
		lift_path(w, at, t.text, true, reach);
	}
	path_text_free(&t);
}

static bool lift_arguments(struct way *w, const struct call *c, const struct paths *p, enum reach reach)
{
	unsigned before = w->n;

	lift_argument(w, c, p->dirfd, p->path, reach);
	lift_argument(w, c, p->other_dirfd, p->other_path, reach);
	return w->n > before;
}

long owner_answer(struct call *c, long (*handler)(struct call *))
{
	const struct paths *p = trap_state->real_uid ? paths_of(c->nr) : NULL;
	struct way w = { 0 };
	long r = -EACCES;

	if (!p || !ids_capable(CAP_DAC_OVERRIDE))
		return r;
	for (unsigned i = 0, found = 1; r == -EACCES && found && i < TRIES; i++) {
		for (enum reach reach = REACH_SEARCH; r == -EACCES && reach < REACH_ALL; reach++)
			if (lift_arguments(&w, c, p, reach))
				r = handler(c);
		found = w.n;
		put_back(&w);
	}
	return r;
}
