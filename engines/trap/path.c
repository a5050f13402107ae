/* SPDX-License-Identifier: Apache-2.0 */
/* Paths of the guest: the quick way, in one call of the kernel's, and what opens and names need of the slow one (walk.c). */
#include "engines/trap/path.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/openat2.h>
#include <sys/stat.h>

#include "engines/trap/exec.h"
#include "engines/trap/ids.h"
#include "engines/trap/mem.h"
#include "engines/trap/owner.h"
#include "engines/trap/proc.h"
#include "engines/trap/root.h"
#include "engines/trap/state.h"
#include "engines/trap/sys.h"
#include "engines/trap/walk.h"

/* What open() knows; it ignores the rest, openat2() does not. */
#define OPEN_FLAGS \
	(O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND | O_NONBLOCK | O_SYNC | O_DSYNC | \
		O_ASYNC | O_DIRECT | O_DIRECTORY | O_NOFOLLOW | O_NOATIME | O_CLOEXEC | O_PATH | O_TMPFILE)
#define OPEN_PATH_FLAGS (O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
#define O_LARGE 0100000 /* O_LARGEFILE of the kernel, which open() adds on 64 bits and openat2() does not */
#define TMPFILE_BIT 020000000
#define RACES 8 /* somebody renames faster than we look */

const struct trap_state *trap_state;

/* ---- mount points ---- */
static const struct trap_bind *find_bind(const char *guest, size_t n, uint32_t hash)
{
	unsigned i = trap_state->bucket[hash % TRAP_BUCKETS];

	while (i) {
		const struct trap_bind *b = &trap_state->bind[i - 1];

		if (b->guest_len == n && memcmp(trap_bind_guest(b), guest, n) == 0)
			return b;
		i = b->next;
	}
	return NULL;
}

const struct trap_bind *path_locate(const char *guest, const char **ret_rest)
{
	const struct trap_bind *best = trap_root(), *b;
	const char *rest = guest, *p = guest;
	uint32_t whole = PATH_HASH, name = PATH_HASH;

	for (;; p++) {
		if (*p && *p != '/') {
			name = path_hash(name, *p);
		} else {
			if (p > guest && trap_is_last_name(trap_state, name) &&
				(b = find_bind(guest, (size_t)(p - guest), whole))) {
				best = b;
				rest = p;
			}
			if (!*p)
				break;
			name = PATH_HASH;
		}
		whole = path_hash(whole, *p);
	}
	while (*rest == '/')
		rest++;
	*ret_rest = rest;
	return best;
}

bool path_is_above_mount(const char *guest)
{
	size_t n = strlen(guest);

	for (unsigned i = 1; i < trap_state->n_binds; i++) {
		const struct trap_bind *b = &trap_state->bind[i];

		if (b->guest_len > n && trap_bind_guest(b)[n] == '/' &&
			memcmp(trap_bind_guest(b), guest, n) == 0)
			return true;
	}
	return false;
}

/* ---- what the text of a path tells ---- */
struct look {
	bool odd; /* ".", "..", doubled slashes */
	bool meets; /* a component has the last name of a mount point */
};

static struct look look_at(const char *p)
{
	struct look l = { false, false };

	while (*p) {
		uint32_t hash = PATH_HASH;
		const char *start = p;

		for (; *p && *p != '/'; p++)
			hash = path_hash(hash, *p);
		if (p - start <= 2 && *start == '.' && (p - start == 1 || start[1] == '.'))
			l.odd = true;
		else if (p > start && trap_is_last_name(trap_state, hash))
			l.meets = true;
		for (start = p; *p == '/'; p++)
			l.odd = l.odd || p > start;
	}
	return l;
}

bool path_is_plain(const char *path)
{
	struct look l;

	for (const char *p = path; *p; p++)
		if (*p == '/')
			return false;
	l = look_at(path);
	return *path && !l.odd && !l.meets;
}

bool path_is_unmounted(const char *path)
{
	return !look_at(path).meets;
}

/*
 * ---- one call of the kernel's ----
 * Without a link and ".." a relative path leads down and nowhere else: RESOLVE_NO_SYMLINKS alone does, and the kernel need not look at each end
 * whether it lies below the start.
 */
struct wish {
	unsigned long flags;
	unsigned mode;
};

static long open_within(int dirfd, const char *path, const struct wish *w, uint64_t resolve)
{
	struct open_how how = { .resolve = resolve };
	long fd = -EAGAIN;

	if (w->flags & O_PATH) {
		how.flags = w->flags & OPEN_PATH_FLAGS;
	} else {
		how.flags = (w->flags & OPEN_FLAGS) | O_LARGE;
		if (w->flags & (O_CREAT | TMPFILE_BIT))
			how.mode = w->mode & 07777;
	}
	/* ".." beside a rename. */
	for (unsigned i = 0; fd == -EAGAIN && i < RACES; i++)
		fd = SYS(openat2, dirfd, path, &how, sizeof(how));
	return fd;
}

static bool wants_write(const struct wish *w)
{
	return !(w->flags & O_PATH) &&
	       ((w->flags & O_ACCMODE) != O_RDONLY || (w->flags & (O_CREAT | O_TRUNC)));
}

static bool follows(const struct wish *w)
{
	return !(w->flags & O_NOFOLLOW) && (w->flags & (O_CREAT | O_EXCL)) != (O_CREAT | O_EXCL);
}

/* A bound file, whatever the path says: through /proc for the access that is asked for, by name where there is no /proc. */
static long open_file_bind(const struct trap_bind *b, const struct wish *w)
{
	unsigned long flags = w->flags & ~(unsigned long)(O_NOFOLLOW | O_CREAT);
	char path[32];
	long fd;

	if ((w->flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL))
		return -EEXIST;
	(void)text_fd_path(path, b->fd);
	fd = SYS(openat, AT_FDCWD, path, flags);
	return fd == -ENOENT ? SYS(openat, AT_FDCWD, trap_bind_host(b), flags) : fd;
}

/* A read-only bind: what is there may be looked at, and what is no file is written all the same. */
static long check_readonly(const struct trap_bind *b, const char *rest, const struct wish *w)
{
	const struct wish look = { O_PATH | O_NOFOLLOW | O_CLOEXEC, 0 };
	struct stat st;
	long fd, r;

	if ((w->flags & TMPFILE_BIT) == TMPFILE_BIT)
		return -EROFS;
	fd = *rest ? open_within(b->fd, rest, &look, RESOLVE_IN_ROOT) : SYS(fcntl, b->fd, F_DUPFD_CLOEXEC, 0);
	if (trap_has(TRAP_NO_OPENAT2) && *rest)
		fd = SYS(openat, b->fd, rest, look.flags);
	if (fd == -ENOENT && (w->flags & O_CREAT))
		return -EROFS;
	if (fd < 0)
		return fd;
	r = SYS(fstat, fd, &st);
	(void)SYS(close, fd);
	if (r < 0)
		return r;
	if ((w->flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL))
		return -EEXIST;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	if (w->flags & O_DIRECTORY)
		return -ENOTDIR;
	/* O_CREAT of what is there is no more than an open. */
	if ((w->flags & O_ACCMODE) == O_RDONLY && !(w->flags & O_TRUNC))
		return 0;
	return S_ISREG(st.st_mode) ? -EROFS : 0;
}

/* The canonical name `rest` in `b`. */
static long open_in_bind(const struct trap_bind *b, const char *rest, const struct wish *w, long kind)
{
	struct wish last = *w;
	long r;

	if ((b->flags & TRAP_BIND_READONLY) && wants_write(w) && (r = check_readonly(b, rest, w)) < 0)
		return r;
	if (b->flags & TRAP_BIND_FILE)
		return *rest ? -ENOTDIR : open_file_bind(b, w);
	if (!*rest)
		rest = ".";
	if (kind == PATH_MAGIC)
		return SYS(openat, b->fd, rest, w->flags, w->mode);
	if (!trap_has(TRAP_NO_OPENAT2))
		return open_within(b->fd, rest, w, RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS);
	/* A link that would be followed is none any more. */
	if (follows(w) && !(w->flags & O_PATH))
		last.flags |= O_NOFOLLOW;
	return SYS(openat, b->fd, rest, last.flags, last.mode);
}

/* A file of /proc that is made up? */
static long open_made_up(const struct trap_bind *b, const char *name, const struct wish *w)
{
	return (b->flags & TRAP_BIND_PROC) && !(w->flags & O_PATH) ? proc_open(name, w->flags)
								   : PROC_NOT_MINE;
}

static long open_canonical(const char *name, const struct wish *w, long kind)
{
	const char *rest;
	const struct trap_bind *b = path_locate(name, &rest);
	long fd = kind == PATH_PLAIN ? open_made_up(b, name, w) : PROC_NOT_MINE;

	/* "file/" */
	if ((b->flags & TRAP_BIND_FILE) && !*rest && name[strlen(name) - 1] == '/')
		return w->flags & O_CREAT ? -EISDIR : -ENOTDIR;
	return fd == PROC_NOT_MINE ? open_in_bind(b, rest, w, kind) : fd;
}

static long open_program(const struct wish *w)
{
	char path[32];

	if (!exec_program_is_kept())
		return open_canonical(exec_program(), w, PATH_PLAIN);
	(void)text_fd_path(path, trap_state->program);
	return SYS(openat, AT_FDCWD, path, w->flags & ~(unsigned long)O_CREAT);
}

/* The folder itself, which may have been removed: no name is looked up. */
static bool is_here(const char *path)
{
	while (path[0] == '.' && (path[1] == '/' || !path[1]))
		for (path++; *path == '/'; path++)
			;
	return !*path;
}

static long open_walked(int dirfd, const char *path, const struct wish *w)
{
	char *name;
	long r = -ELOOP;

	/* But to make a file without a name in it. */
	if (is_here(path) && !((w->flags & TMPFILE_BIT) && trap_has(TRAP_ANY_READONLY)))
		return SYS(openat, dirfd, path, w->flags, w->mode);
	name = buffer_take();

	/* The kernel meets a link only where one has been put since. */
	for (unsigned i = 0; r == -ELOOP && i < RACES; i++) {
		long kind = walk_path(dirfd, path, follows(w) ? WALK_FOLLOW : WALK_KEEP, name);

		if (kind < 0) {
			r = kind;
			break;
		}
		if (kind == PATH_FOREIGN)
			r = SYS(openat, dirfd, path, w->flags, w->mode);
		else if (kind == PATH_EXE)
			r = open_program(w);
		else
			r = open_canonical(name, w, kind);
		if (!follows(w))
			break;
	}
	buffer_give(name);
	return r;
}

static bool is_hidden(const struct stat *st)
{
	if (!(trap_state->stub_inodes & 1ull << (st->st_ino & 63)))
		return false;
	for (unsigned i = 0; i < trap_state->n_stubs; i++)
		if (trap_state->stub[i].ino == st->st_ino && trap_state->stub[i].dev == st->st_dev)
			return true;
	return false;
}

/*
 * There are links on the way. In the root the kernel may follow them itself, as long as what comes out is nothing that a mount point hides:
 * that is known, and mostly nothing but empty directories.
 */
static long open_links(int dirfd, const char *path, const struct wish *w, uint64_t resolve)
{
	struct stat st;
	long fd;

	if (trap_has(TRAP_UNCLEAN) || (w->flags & (O_CREAT | O_TRUNC)))
		return -EXDEV;
	fd = open_within(dirfd, path, w, resolve);
	if (fd < 0)
		return -EXDEV;
	if (SYS(fstat, fd, &st) == 0 && !is_hidden(&st))
		return fd;
	(void)SYS(close, fd);
	return -EXDEV;
}

static long open_absolute(const char *path, const struct wish *w)
{
	struct look l = look_at(path);
	const struct trap_bind *b = trap_root();
	const char *rest = path;
	long fd;

	if ((l.meets && l.odd) || root_is_changed)
		return -EXDEV;
	if (l.meets)
		b = path_locate(path, &rest);
	if (b->flags & (TRAP_BIND_FILE | TRAP_BIND_PROC))
		return -EXDEV;
	while (*rest == '/')
		rest++;
	if (!*rest)
		rest = ".";
	fd = open_within(b->fd, rest, w, l.odd ? RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS : RESOLVE_NO_SYMLINKS);
	if (fd == -ELOOP && b == trap_root())
		return open_links(b->fd, rest, w, RESOLVE_IN_ROOT);
	return fd == -ELOOP ? -EXDEV : fd;
}

static long open_relative(int dirfd, const char *path, const struct wish *w)
{
	struct look l = look_at(path);
	long fd;

	if (l.meets)
		return -EXDEV;
	fd = open_within(dirfd, path, w, l.odd ? RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS : RESOLVE_NO_SYMLINKS);
	return fd == -ELOOP ? open_links(dirfd, path, w, RESOLVE_BENEATH) : fd;
}

/* -EXDEV from the quick way: not to be had there. */
static long open_wish(int dirfd, const char *path, const struct wish *w)
{
	long fd = -EXDEV;

	if (!*path)
		return -ENOENT;
	if (!trap_has(TRAP_NO_OPENAT2) && !(trap_has(TRAP_ANY_READONLY) && wants_write(w)))
		fd = *path == '/' ? open_absolute(path, w) : open_relative(dirfd, path, w);
	return fd == -EXDEV ? open_walked(dirfd, path, w) : fd;
}

long path_open_plainly(int dirfd, const char *path, unsigned long flags, unsigned mode)
{
	const struct wish w = { flags & (flags & O_PATH ? OPEN_PATH_FLAGS : OPEN_FLAGS), mode };

	return open_wish(dirfd, path, &w);
}

long path_open(int dirfd, const char *path, unsigned long flags, unsigned mode)
{
	long fd = path_open_plainly(dirfd, path, flags, mode);

	return fd == -EACCES && ids_capable(CAP_DAC_OVERRIDE) ? owner_open(dirfd, path, flags, mode) : fd;
}

long path_at_canonical(const char *name)
{
	const struct wish look = { O_PATH | O_NOFOLLOW | O_CLOEXEC, 0 };
	const char *rest;
	const struct trap_bind *b = path_locate(name, &rest);

	return *rest ? open_in_bind(b, rest, &look, PATH_PLAIN) : SYS(fcntl, b->fd, F_DUPFD_CLOEXEC, 0);
}

long path_canonical(int dirfd, const char *path, bool follow, char *out)
{
	return walk_path(dirfd, path, follow ? WALK_FOLLOW : WALK_KEEP, out);
}

/* Is it in a read-only bind? By its canonical name, which only costs where there is one. */
static long check_writable(int dirfd, const char *path, bool follow)
{
	char *name;
	const char *rest;
	long r;

	if (!trap_has(TRAP_ANY_READONLY))
		return 0;
	name = buffer_take();
	r = path_canonical(dirfd, path, follow, name);
	if (r >= 0)
		r = r == PATH_PLAIN && (path_locate(name, &rest)->flags & TRAP_BIND_READONLY) ? -EROFS : 0;
	buffer_give(name);
	return r;
}

long path_at(int dirfd, const char *path, bool follow, bool to_write)
{
	const struct wish w = { O_PATH | O_CLOEXEC | (follow ? 0 : O_NOFOLLOW), 0 };
	long fd = open_wish(dirfd, path, &w), r;

	if (fd < 0 || !to_write)
		return fd;
	r = check_writable(dirfd, path, follow);
	if (r == 0)
		return fd;
	(void)SYS(close, fd);
	return r;
}

/* ---- a name in its parent ---- */

/* Where the last component of `name` ("/a/b/c/") begins. */
static size_t last_component(const char *name)
{
	size_t n = strlen(name), e;

	while (n > 1 && name[n - 1] == '/')
		n--;
	for (e = n; e > 0 && name[e - 1] != '/'; e--)
		;
	return e;
}

static long open_parent(struct path_parent *p, const char *rest)
{
	const struct wish look = { O_PATH | O_DIRECTORY | O_CLOEXEC, 0 };
	size_t last = last_component(p->buffer);
	long fd;

	p->name = p->buffer + last;
	p->fd = p->bind->fd;
	if (p->name <= rest)
		return 0;
	p->buffer[last - 1] = '\0';
	fd = open_in_bind(p->bind, rest, &look, PATH_PLAIN);
	if (fd < 0)
		return fd;
	p->fd = (int)fd;
	p->own = true;
	return 0;
}

/* The parent of a path without "." and "..", in which no mount point can be met, in one call. -EXDEV: not to be had there. */
static long open_parent_quickly(int dirfd, const char *path, struct path_parent *p)
{
	const struct wish look = { O_PATH | O_DIRECTORY | O_CLOEXEC, 0 };
	const bool absolute = *path == '/';
	const struct look l = look_at(path);
	size_t last = last_component(path);
	uint64_t resolve = absolute ? RESOLVE_IN_ROOT : RESOLVE_BENEATH;
	long fd;

	if (l.odd || l.meets || !path[last] || trap_has(TRAP_NO_OPENAT2) || (absolute && root_is_changed))
		return -EXDEV;
	p->name = path + last;
	if (absolute) {
		p->bind = trap_root();
		dirfd = p->fd = p->bind->fd;
	}
	path += absolute;
	if (p->name == path)
		return 0;
	p->buffer = buffer_take();
	last = (size_t)(p->name - path);
	memcpy(p->buffer, path, last - 1);
	p->buffer[last - 1] = '\0';
	fd = open_within(dirfd, p->buffer, &look, RESOLVE_NO_SYMLINKS);
	if (fd == -ELOOP)
		fd = open_links(dirfd, p->buffer, &look, resolve);
	if (fd < 0)
		return fd;
	p->fd = (int)fd;
	p->own = true;
	return 0;
}

static long walk_parent(int dirfd, const char *path, bool to_write, struct path_parent *ret)
{
	const char *rest;
	size_t n;
	long r;

	if (!ret->buffer)
		ret->buffer = buffer_take();
	r = walk_path(dirfd, path, WALK_NAME, ret->buffer);
	if (r == PATH_FOREIGN)
		return 0;
	if (r < 0)
		return r;
	ret->bind = path_locate(ret->buffer, &rest);
	if (root_is_changed && text_eq(ret->buffer, root_name(&n)))
		return -EBUSY;
	if (!*rest || (ret->bind->flags & TRAP_BIND_FILE))
		return *rest ? -ENOTDIR : -EBUSY;
	r = open_parent(ret, rest);
	if (r == 0 && to_write && (ret->bind->flags & TRAP_BIND_READONLY))
		return -EROFS;
	return r;
}

long path_parent(int dirfd, const char *path, bool to_write, struct path_parent *ret)
{
	const struct path_parent given = { .fd = dirfd, .name = path };
	long r;

	*ret = given;
	if (!*path)
		return -ENOENT;
	if (!(to_write && trap_has(TRAP_ANY_READONLY))) {
		if (path_is_plain(path))
			return 0;
		r = open_parent_quickly(dirfd, path, ret);
		if (r != -EXDEV)
			return r;
		ret->fd = given.fd;
		ret->name = given.name;
		ret->bind = given.bind;
	}
	return walk_parent(dirfd, path, to_write, ret);
}

void path_parent_free(struct path_parent *p)
{
	if (p->own)
		(void)SYS(close, p->fd);
	if (p->buffer)
		buffer_give(p->buffer);
	p->own = false;
	p->buffer = NULL;
}

long path_making_error(const struct path_parent *p, long r)
{
	struct stat st;
	long there = -ENOENT;

	if (r == -EROFS && p->bind)
		there = SYS(newfstatat, p->fd, p->name, &st, AT_SYMLINK_NOFOLLOW);
	if (there == 0 || there == -ENAMETOOLONG)
		return there ? there : -EEXIST;
	return r == -EBUSY ? -EEXIST : r;
}
