/* SPDX-License-Identifier: Apache-2.0 */
/* Extended attributes by path: made on a descriptor's name in /proc, the calls of Linux 6.13 with them. */
#include <fcntl.h>

#include "engines/trap/call.h"
#include "engines/trap/files.h"
#include "engines/trap/mem.h"
#include "engines/trap/sys.h"

/* `nr`: the call of this kind that follows links. */
static long on_path(const struct call *c, long nr, bool follow, bool to_write)
{
	const struct files_target t = { AT_FDCWD, (const void *)c->arg[0], follow, to_write, false };
	long fd = files_at(&t), r;

	if (fd < 0)
		return fd;
	r = files_by_name(nr, fd, c->arg[1], c->arg[2], c->arg[3], c->arg[4]);
	(void)SYS(close, fd);
	return r;
}

long call_getxattr(struct call *c)
{
	return on_path(c, SYS_getxattr, true, false);
}

long call_lgetxattr(struct call *c)
{
	return on_path(c, SYS_getxattr, false, false);
}

long call_listxattr(struct call *c)
{
	return on_path(c, SYS_listxattr, true, false);
}

long call_llistxattr(struct call *c)
{
	return on_path(c, SYS_listxattr, false, false);
}

long call_setxattr(struct call *c)
{
	return on_path(c, SYS_setxattr, true, true);
}

long call_lsetxattr(struct call *c)
{
	return on_path(c, SYS_setxattr, false, true);
}

long call_removexattr(struct call *c)
{
	return on_path(c, SYS_removexattr, true, true);
}

long call_lremovexattr(struct call *c)
{
	return on_path(c, SYS_removexattr, false, true);
}

/* (dirfd, path, flags, …) of Linux 6.13: the same on a descriptor, which takes the rest as it is. `flags` is the argument of that number. */
static long on_at(const struct call *c, unsigned long flags, bool to_write)
{
	const struct files_target t = { (int)c->arg[0], (const void *)c->arg[1],
		!(flags & AT_SYMLINK_NOFOLLOW), to_write, flags & AT_EMPTY_PATH };
	char name[32];
	long fd, r;

	if (flags & ~(unsigned long)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	fd = files_at(&t);
	if (fd < 0)
		return fd;
	(void)text_fd_path(name, fd);
	r = SYS_NR(c->nr, AT_FDCWD, name, 0, c->arg[3], c->arg[4], c->arg[5]);
	(void)SYS(close, fd);
	return r;
}

long call_setxattrat(struct call *c)
{
	return on_at(c, c->arg[2], true);
}

long call_getxattrat(struct call *c)
{
	return on_at(c, c->arg[2], false);
}

long call_listxattrat(struct call *c)
{
	return on_at(c, c->arg[2], false);
}

long call_removexattrat(struct call *c)
{
	return on_at(c, c->arg[2], true);
}

/* (dirfd, path, attributes, size, flags) of Linux 6.17. */
static long file_attributes(const struct call *c, bool to_write)
{
	const unsigned long flags = c->arg[4];
	const struct files_target t = { (int)c->arg[0], (const void *)c->arg[1],
		!(flags & AT_SYMLINK_NOFOLLOW), to_write, flags & AT_EMPTY_PATH };
	char name[32];
	long fd, r;

	if (flags & ~(unsigned long)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	fd = files_at(&t);
	if (fd < 0)
		return fd;
	(void)text_fd_path(name, fd);
	r = SYS_NR(c->nr, AT_FDCWD, name, c->arg[2], c->arg[3], 0);
	(void)SYS(close, fd);
	return r;
}

long call_file_getattr(struct call *c)
{
	return file_attributes(c, false);
}

long call_file_setattr(struct call *c)
{
	return file_attributes(c, true);
}

/* ---- the like of them ---- */
long call_fanotify_mark(struct call *c)
{
	char name[32];
	long fd, r;
	const struct files_target t = { (int)c->arg[3], (const void *)c->arg[4],
		!(c->arg[1] & 0x4 /* FAN_MARK_DONT_FOLLOW */), false, false };

	if (!c->arg[4])
		return call_pass(c);
	fd = files_at(&t);
	if (fd < 0)
		return fd;
	(void)text_fd_path(name, fd);
	r = SYS(fanotify_mark, c->arg[0], c->arg[1] & ~0x4ul, c->arg[2], AT_FDCWD, name);
	(void)SYS(close, fd);
	return r;
}

long call_name_to_handle_at(struct call *c)
{
	const unsigned long flags = c->arg[4];
	const struct files_target t = { (int)c->arg[0], (const void *)c->arg[1], flags & AT_SYMLINK_FOLLOW,
		false, flags & AT_EMPTY_PATH };
	long fd = files_at(&t), r;

	if (fd < 0)
		return fd;
	r = SYS(name_to_handle_at, fd, "", c->arg[2], c->arg[3],
		(flags & ~(unsigned long)AT_SYMLINK_FOLLOW) | AT_EMPTY_PATH);
	(void)SYS(close, fd);
	return r;
}
