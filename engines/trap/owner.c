/* SPDX-License-Identifier: Apache-2.0 */
/* Opens in spite of a mode: see owner.h. */
#include "engines/trap/owner.h"

#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "engines/trap/mem.h"
#include "engines/trap/path.h"
#include "engines/trap/state.h"
#include "engines/trap/sys.h"

#define TRIES 4 /* another process puts the mode back while we use it */

static unsigned wanted_mode(const struct stat *st, unsigned long flags)
{
	unsigned long access = flags & O_ACCMODE;

	if (S_ISDIR(st->st_mode))
		return S_IRUSR | S_IXUSR;
	return (access != O_WRONLY ? S_IRUSR : 0) | (access != O_RDONLY || (flags & O_TRUNC) ? S_IWUSR : 0);
}

static bool is_ours(const struct stat *st)
{
	return st->st_uid == trap_state->real_uid && (S_ISREG(st->st_mode) || S_ISDIR(st->st_mode));
}

/* `name` is the descriptor's in /proc, since O_PATH alone takes no change of a mode. */
static long open_between(const char *name, const struct stat *st, unsigned long flags)
{
	unsigned mode = st->st_mode & 07777, want = wanted_mode(st, flags);
	long fd = -EACCES;

	for (unsigned i = 0; fd == -EACCES && i < TRIES; i++) {
		if (SYS(fchmodat, AT_FDCWD, name, mode | want) < 0)
			return -EACCES;
		fd = SYS(openat, AT_FDCWD, name, flags & ~(unsigned long)(O_NOFOLLOW | O_CREAT | O_EXCL));
	}
	(void)SYS(fchmodat, AT_FDCWD, name, mode);
	return fd;
}

long owner_open(int dirfd, const char *path, unsigned long flags)
{
	char name[32];
	struct stat st;
	long at, fd = -EACCES;

	if ((flags & O_PATH) || trap_state->real_uid == 0)
		return -EACCES;
	at = path_at(dirfd, path, !(flags & O_NOFOLLOW), false);
	if (at < 0)
		return -EACCES;
	(void)text_fd_path(name, at);
	if (SYS(fstat, at, &st) == 0 && is_ours(&st))
		fd = open_between(name, &st, flags);
	(void)SYS(close, at);
	return fd;
}
