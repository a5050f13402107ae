/* SPDX-License-Identifier: Apache-2.0 */
/* Calls on what is there: open, stat, access, readlink, the working directory, modes and times. */
#include "engines/trap/files.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <linux/stat.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "engines/trap/call.h"
#include "engines/trap/exec.h"
#include "engines/trap/ids.h"
#include "engines/trap/mem.h"
#include "engines/trap/path.h"
#include "engines/trap/proc.h"
#include "engines/trap/root.h"
#include "engines/trap/state.h"
#include "engines/trap/sys.h"

#define STAT_FLAGS (AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | 0x6000 /* AT_STATX_SYNC_TYPE */)
#define ACCESS_FLAGS (AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)

/* ---- what they share ---- */
static void close_fd(long fd)
{
	(void)SYS(close, fd);
}

long files_by_name(long nr, long fd, unsigned long b, unsigned long c, unsigned long d, unsigned long e)
{
	char name[32];

	(void)text_fd_path(name, fd);
	return SYS_NR(nr, name, b, c, d, e);
}

static long duplicate(int dirfd)
{
	if (dirfd == AT_FDCWD)
		return SYS(openat, AT_FDCWD, ".", O_PATH | O_CLOEXEC);
	return SYS(fcntl, dirfd, F_DUPFD_CLOEXEC, 0);
}

long files_at(const struct files_target *t)
{
	struct path_text p;
	long r;

	if (t->empty && !t->path)
		return duplicate(t->dirfd);
	r = path_text_read(&p, t->path);
	if (r == 0)
		r = t->empty && p.len == 0 ? duplicate(t->dirfd)
					   : path_at(t->dirfd, p.text, t->follow, t->to_write);
	path_text_free(&p);
	return r;
}

/* ---- open ---- */
static long open_guest(int dirfd, unsigned long path, unsigned long flags, unsigned long mode)
{
	struct path_text p;
	long r = path_text_read(&p, (const void *)path);

	if (r == 0)
		r = path_open(dirfd, p.text, flags, (unsigned)mode);
	path_text_free(&p);
	return r;
}

long call_open(struct call *c)
{
	return open_guest(AT_FDCWD, c->arg[0], c->arg[1], c->arg[2]);
}

long call_creat(struct call *c)
{
	return open_guest(AT_FDCWD, c->arg[0], O_CREAT | O_WRONLY | O_TRUNC, c->arg[1]);
}

long call_openat(struct call *c)
{
	return open_guest((int)c->arg[0], c->arg[1], c->arg[2], c->arg[3]);
}

/*
 * With rules of the guest's own for the way: the kernel keeps them itself where no mount point can be met and nothing outside of the directory is
 * asked for. Elsewhere the answer is that of a kernel without the call, and everybody falls back on openat().
 */
static long open_ruled(int dirfd, const struct path_text *p, const struct open_how *how)
{
	const uint64_t bounded = RESOLVE_BENEATH | RESOLVE_IN_ROOT;

	if (how->resolve == 0 && !(how->flags >> 32))
		return path_open(dirfd, p->text, how->flags, (unsigned)how->mode);
	if (!(how->resolve & bounded) || !path_is_unmounted(p->text) || trap_has(TRAP_NO_OPENAT2) ||
		trap_has(TRAP_ANY_READONLY) || (*p->text == '/' && (how->resolve & RESOLVE_IN_ROOT) == 0))
		return -ENOSYS;
	return SYS(openat2, dirfd, p->text, how, sizeof(*how));
}

/* The kernel looks at it before the path: of none it says ENOENT. */
static long check_how(const struct open_how *how)
{
	const struct open_how plain = { how->flags, how->mode, 0 };

	if (trap_has(TRAP_NO_OPENAT2))
		return how->mode && !(how->flags & (O_CREAT | (O_TMPFILE & ~O_DIRECTORY))) ? -EINVAL : 0;
	return SYS(openat2, AT_FDCWD, "", &plain, sizeof(plain)) == -EINVAL ? -EINVAL : 0;
}

long call_openat2(struct call *c)
{
	struct open_how how = { 0 };
	struct path_text p;
	long r;

	if (c->arg[3] < sizeof(how))
		return -EINVAL;
	if (c->arg[3] > sizeof(how))
		return -E2BIG;
	r = guest_read(&how, (const void *)c->arg[2], sizeof(how));
	if (r < 0)
		return r;
	r = check_how(&how);
	if (r < 0)
		return r;
	r = path_text_read(&p, (const void *)c->arg[1]);
	if (r == 0)
		r = open_ruled((int)c->arg[0], &p, &how);
	path_text_free(&p);
	return r;
}

/* ---- stat ---- */
struct stat_call {
	int dirfd;
	unsigned long path, flags;
};

static long stat_named(const struct stat_call *s, const struct path_text *p, struct stat *ret)
{
	bool follow = !(s->flags & AT_SYMLINK_NOFOLLOW);
	long fd, r;

	/* Plain names need no descriptor as long as they are no links, and the owner is not remembered beside the file. */
	if (!trap_has(TRAP_REMEMBER) && path_is_plain(p->text)) {
		r = SYS(newfstatat, s->dirfd, p->text, ret, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT);
		if (r < 0 || !follow || !S_ISLNK(ret->st_mode)) {
			if (r == 0)
				ids_show_stat(-1, ret);
			return r;
		}
	}
	fd = path_at(s->dirfd, p->text, follow, false);
	if (fd < 0)
		return fd;
	r = SYS(fstat, fd, ret);
	if (r == 0)
		ids_show_stat((int)fd, ret);
	close_fd(fd);
	return r;
}

/* Of an open descriptor: "" or nothing with AT_EMPTY_PATH. */
static long stat_open(const struct stat_call *s, const void *path, struct stat *ret)
{
	long r = SYS(newfstatat, s->dirfd, path, ret, s->flags);

	if (r == 0)
		ids_show_stat(s->dirfd, ret);
	return r;
}

static long stat_guest(const struct stat_call *s, unsigned long to)
{
	struct path_text p;
	struct stat st;
	long r;

	if (s->flags & ~(unsigned long)STAT_FLAGS)
		return -EINVAL;
	if (!s->path && (s->flags & AT_EMPTY_PATH)) {
		r = stat_open(s, NULL, &st);
		return r < 0 ? r : guest_write((void *)to, &st, sizeof(st));
	}
	r = path_text_read(&p, (const void *)s->path);
	if (r == 0)
		r = p.len == 0 && (s->flags & AT_EMPTY_PATH) ? stat_open(s, "", &st) : stat_named(s, &p, &st);
	path_text_free(&p);
	return r < 0 ? r : guest_write((void *)to, &st, sizeof(st));
}

long call_stat(struct call *c)
{
	return stat_guest(&(struct stat_call){ AT_FDCWD, c->arg[0], 0 }, c->arg[1]);
}

long call_lstat(struct call *c)
{
	return stat_guest(&(struct stat_call){ AT_FDCWD, c->arg[0], AT_SYMLINK_NOFOLLOW }, c->arg[1]);
}

long call_newfstatat(struct call *c)
{
	return stat_guest(&(struct stat_call){ (int)c->arg[0], c->arg[1], (unsigned)c->arg[3] }, c->arg[2]);
}

long call_fstat(struct call *c)
{
	struct stat st;
	long r = SYS(fstat, (int)c->arg[0], &st);

	if (r < 0)
		return r;
	ids_show_stat((int)c->arg[0], &st);
	return guest_write((void *)c->arg[1], &st, sizeof(st));
}

static long statx_named(const struct call *c, const struct path_text *p, struct statx *ret)
{
	unsigned flags = (unsigned)c->arg[2];
	bool follow = !(flags & AT_SYMLINK_NOFOLLOW);
	int dirfd = (int)c->arg[0];
	long fd, r;

	if (!trap_has(TRAP_REMEMBER) && path_is_plain(p->text)) {
		r = SYS(statx, dirfd, p->text, flags | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, c->arg[3], ret);
		if (r < 0 || !follow || ((ret->stx_mask & STATX_TYPE) && !S_ISLNK(ret->stx_mode))) {
			if (r == 0)
				ids_show_statx(-1, ret);
			return r;
		}
	}
	fd = path_at(dirfd, p->text, follow, false);
	if (fd < 0)
		return fd;
	r = SYS(statx, fd, "", AT_EMPTY_PATH | (flags & 0x6000), c->arg[3], ret);
	if (r == 0)
		ids_show_statx((int)fd, ret);
	close_fd(fd);
	return r;
}

long call_statx(struct call *c)
{
	unsigned flags = (unsigned)c->arg[2];
	struct path_text p = { .text = p.small };
	struct statx st;
	long r = 0;

	if ((flags & ~(unsigned)STAT_FLAGS) || (c->arg[3] & 0x80000000u))
		return -EINVAL;
	if (c->arg[1] || !(flags & AT_EMPTY_PATH))
		r = path_text_read(&p, (const void *)c->arg[1]);
	if (r == 0 && (flags & AT_EMPTY_PATH) && (!c->arg[1] || p.len == 0)) {
		r = SYS(statx, (int)c->arg[0], "", flags, c->arg[3], &st);
		if (r == 0)
			ids_show_statx((int)c->arg[0], &st);
	} else if (r == 0) {
		r = statx_named(c, &p, &st);
	}
	path_text_free(&p);
	return r < 0 ? r : guest_write((void *)c->arg[4], &st, sizeof(st));
}

/* ---- access ---- */
static long access_by_name(long fd, unsigned long mode)
{
	char name[32];

	(void)text_fd_path(name, fd);
	return SYS(faccessat, AT_FDCWD, name, mode);
}

static long access_guest(const struct files_target *t, unsigned long mode, unsigned flags)
{
	long fd, r;

	if ((mode & ~7ul) || (flags & ~(unsigned)ACCESS_FLAGS))
		return -EINVAL;
	fd = files_at(t);
	if (fd < 0)
		return fd;
	r = mode == 0 /* F_OK: it is there */ ? 0
	    : trap_has(TRAP_NO_FACCESSAT2)
		    ? -ENOSYS
		    : SYS(faccessat2, fd, "", mode, AT_EMPTY_PATH | (flags & AT_EACCESS));
	if (r == -ENOSYS)
		r = access_by_name(fd, mode);
	close_fd(fd);
	return r;
}

static long access_at(int dirfd, unsigned long path, unsigned long mode, unsigned flags)
{
	const struct files_target t = { dirfd, (const void *)path, !(flags & AT_SYMLINK_NOFOLLOW),
		mode & 2 /* W_OK */, flags & AT_EMPTY_PATH };

	return access_guest(&t, mode, flags);
}

#ifdef SYS_access
long call_access(struct call *c)
{
	return access_at(AT_FDCWD, c->arg[0], (unsigned)c->arg[1], 0);
}
#endif

long call_faccessat(struct call *c)
{
	return access_at((int)c->arg[0], c->arg[1], (unsigned)c->arg[2], 0);
}

long call_faccessat2(struct call *c)
{
	return access_at((int)c->arg[0], c->arg[1], (unsigned)c->arg[2], (unsigned)c->arg[3]);
}

/* ---- readlink ---- */

/* A magic link of /proc tells the host's name. */
static long translate_link(int dirfd, const struct path_text *p, char *target, long n)
{
	char *name = buffer_take();
	long kind = path_canonical(dirfd, p->text, false, name);

	if (kind >= 0 && kind != PATH_FOREIGN)
		n = proc_readlink(name, target, n);
	buffer_give(name);
	return n;
}

static bool is_on_proc(long fd)
{
	struct statfs fs;

	return SYS(fstatfs, fd, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC;
}

static long readlink_named(int dirfd, const struct path_text *p, char *target)
{
	long fd = path_at(dirfd, p->text, false, false), n;

	if (fd < 0)
		return fd;
	n = SYS(readlinkat, fd, "", target, TRAP_PATH_MAX - 1);
	if (n == -ENOENT)
		n = -EINVAL;
	if (n > 0 && target[0] == '/' && is_on_proc(fd))
		n = translate_link(dirfd, p, target, n);
	close_fd(fd);
	return n;
}

static long readlink_guest(int dirfd, unsigned long path, unsigned long to, int size)
{
	struct path_text p;
	char *target;
	long r;

	if (size <= 0)
		return -EINVAL;
	r = path_text_read(&p, (const void *)path);
	target = buffer_take();
	if (r == 0)
		r = p.len ? readlink_named(dirfd, &p, target)
			  : SYS(readlinkat, dirfd, "", target, TRAP_PATH_MAX - 1);
	path_text_free(&p);
	if (r > size)
		r = size;
	if (r > 0 && guest_write((void *)to, target, (size_t)r) < 0)
		r = -EFAULT;
	buffer_give(target);
	return r;
}

long call_readlink(struct call *c)
{
	return readlink_guest(AT_FDCWD, c->arg[0], c->arg[1], (int)c->arg[2]);
}

long call_readlinkat(struct call *c)
{
	return readlink_guest((int)c->arg[0], c->arg[1], c->arg[2], (int)c->arg[3]);
}

/* ---- the working directory ---- */
long call_chdir(struct call *c)
{
	long fd = open_guest(AT_FDCWD, c->arg[0], O_PATH | O_DIRECTORY | O_CLOEXEC, 0), r;

	if (fd < 0)
		return fd;
	r = SYS(fchdir, fd);
	close_fd(fd);
	return r;
}

/* Of what no name of the guest leads to the kernel would say the same. */
static long unreachable(char *name)
{
	static const char prefix[] = "(unreachable)";
	char *to = name + sizeof(prefix) - 1;
	long n = path_of_fd(AT_FDCWD, to);

	n = n < 0 ? SYS(getcwd, to, TRAP_PATH_MAX) : n + 1;

	memcpy(name, prefix, sizeof(prefix) - 1);
	return n < 0 ? n : n + (long)sizeof(prefix) - 2;
}

long call_getcwd(struct call *c)
{
	char *name = buffer_take();
	long n = path_of_fd(AT_FDCWD, name);

	if (n >= 0 && root_is_changed)
		n = root_show(name, (size_t)n);
	if (n == -ENOENT)
		n = unreachable(name);
	if (n >= 0 && (unsigned long)n + 1 > c->arg[1])
		n = -ERANGE;
	if (n >= 0)
		n = guest_write((void *)c->arg[0], name, (size_t)n + 1) < 0 ? -EFAULT : n + 1;
	buffer_give(name);
	return n;
}

/* ---- modes, times, sizes ---- */
static long by_name_at(const struct files_target *t, long nr, unsigned long b, unsigned long c)
{
	long fd = files_at(t), r;

	if (fd < 0)
		return fd;
	r = files_by_name(nr, fd, b, c, 0, 0);
	close_fd(fd);
	return r;
}

static struct files_target followed(int dirfd, unsigned long path, bool to_write)
{
	return (struct files_target){ dirfd, (const void *)path, true, to_write, false };
}

static long chmod_fd(long fd, unsigned long mode)
{
	char name[32];

	(void)text_fd_path(name, fd);
	return SYS(fchmodat, AT_FDCWD, name, mode);
}

static long chmod_at(const struct files_target *t, unsigned long mode)
{
	struct stat st;
	long fd = files_at(t), r;

	if (fd < 0)
		return fd;
	r = SYS(fstat, fd, &st);
	if (r == 0)
		r = S_ISLNK(st.st_mode) ? -EOPNOTSUPP : chmod_fd(fd, mode);
	close_fd(fd);
	return r;
}

long call_chmod(struct call *c)
{
	const struct files_target t = followed(AT_FDCWD, c->arg[0], true);

	return chmod_at(&t, c->arg[1]);
}

long call_fchmodat(struct call *c)
{
	const struct files_target t = followed((int)c->arg[0], c->arg[1], true);

	return chmod_at(&t, c->arg[2]);
}

long call_fchmodat2(struct call *c)
{
	const unsigned flags = (unsigned)c->arg[3];
	const struct files_target t = { (int)c->arg[0], (const void *)c->arg[1],
		!(flags & AT_SYMLINK_NOFOLLOW), true, flags & AT_EMPTY_PATH };

	if (flags & ~(unsigned)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	return chmod_at(&t, c->arg[2]);
}

#ifdef SYS_utime
long call_utime(struct call *c)
{
	const struct files_target t = followed(AT_FDCWD, c->arg[0], true);

	return by_name_at(&t, SYS_utime, c->arg[1], 0);
}

long call_utimes(struct call *c)
{
	const struct files_target t = followed(AT_FDCWD, c->arg[0], true);

	return by_name_at(&t, SYS_utimes, c->arg[1], 0);
}

/* No path: the descriptor itself. */
long call_futimesat(struct call *c)
{
	struct files_target t = followed((int)c->arg[0], c->arg[1], true);

	if (!c->arg[1])
		return call_pass(c);
	return by_name_at(&t, SYS_utimes, c->arg[2], 0);
}
#endif

long call_utimensat(struct call *c)
{
	const unsigned flags = (unsigned)c->arg[3];
	const struct files_target t = { (int)c->arg[0], (const void *)c->arg[1],
		!(flags & AT_SYMLINK_NOFOLLOW), true, flags & AT_EMPTY_PATH };
	char name[32];
	long fd, r;

	if (!c->arg[1])
		return call_pass(c);
	if (flags & ~(unsigned)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	fd = files_at(&t);
	if (fd < 0)
		return fd;
	r = SYS(utimensat, fd, "", c->arg[2], AT_EMPTY_PATH);
	if (r == -EINVAL || r == -ENOENT) { /* before Linux 5.8 */
		(void)text_fd_path(name, fd);
		r = SYS(utimensat, AT_FDCWD, name, c->arg[2], 0);
	}
	close_fd(fd);
	return r;
}

long call_truncate(struct call *c)
{
	const struct files_target t = followed(AT_FDCWD, c->arg[0], true);

	return by_name_at(&t, SYS_truncate, c->arg[1], 0);
}

long call_statfs(struct call *c)
{
	const struct files_target t = followed(AT_FDCWD, c->arg[0], false);
	long fd = files_at(&t), r;

	if (fd < 0)
		return fd;
	r = SYS(fstatfs, fd, c->arg[1]);
	close_fd(fd);
	return r;
}

long call_inotify_add_watch(struct call *c)
{
	const unsigned mask = (unsigned)c->arg[2];
	const struct files_target t = { AT_FDCWD, (const void *)c->arg[1], !(mask & IN_DONT_FOLLOW), false,
		false };
	char name[32];
	long fd = files_at(&t), r;

	if (fd < 0)
		return fd;
	(void)text_fd_path(name, fd);
	r = SYS(inotify_add_watch, (int)c->arg[0], name, mask & ~(unsigned)IN_DONT_FOLLOW);
	close_fd(fd);
	return r;
}
