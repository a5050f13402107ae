/* SPDX-License-Identifier: Apache-2.0 */
/* The file or stream that an archive is written to. */
#include "pkg/base/outfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/mem.h"
#include "pkg/base/path.h"

static int open_stdout(struct outfile *o, struct err **err)
{
	o->what = "standard output";
	o->fd = fd_dup(STDOUT_FILENO);
	return o->fd < 0 ? err_sys(err, errno, "%s", o->what) : 0;
}

static int open_stream(struct outfile *o, const char *path, struct err **err)
{
	o->fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
	return o->fd < 0 ? err_sys(err, errno, "%s", path) : 0;
}

static int refuse_existing(const char *path, bool link, struct err **err)
{
	if (link) {
		err_make(err, ERR_EXISTS, "%s is a link", path);
		return err_hint(err, "name the file itself");
	}
	err_make(err, ERR_EXISTS, "%s exists already", path);
	return err_hint(err, "remove it, use --force, or choose another name");
}

/* 1: a stream that is there. 0: to be made. */
static int look(const char *path, bool replace, struct err **err)
{
	struct stat own, st;

	if (lstat(path, &own) < 0)
		return errno == ENOENT ? 0 : err_sys(err, errno, "%s", path);
	if (stat(path, &st) < 0)
		return refuse_existing(path, true, err);
	if (S_ISDIR(st.st_mode))
		return err_sys(err, EISDIR, "%s", path);
	if (!S_ISREG(st.st_mode))
		return 1;
	if (S_ISLNK(own.st_mode) || !replace)
		return refuse_existing(path, S_ISLNK(own.st_mode), err);
	return 0;
}

static int open_file(struct outfile *o, const char *path, struct err **err)
{
	autofree char *dir = path_dir(path);

	o->dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (o->dirfd < 0)
		return err_sys(err, errno, "%s", path);
	atomic_clean(o->dirfd); /* what a killed predecessor left, where files must have names */
	o->fd = atomic_begin_unnamed(&o->file, o->dirfd, path_base(path), 0666, err);
	return o->fd < 0 ? err_add(err, "%s", path) : 0;
}

int outfile_open(const char *path, bool replace, struct outfile *ret, struct err **err)
{
	int r;

	*ret = OUTFILE_INIT;
	ret->replace = replace;
	if (!path || strcmp(path, "-") == 0 || strcmp(path, "/dev/stdout") == 0)
		return open_stdout(ret, err);
	ret->what = path;
	if (!*path_base(path))
		return err_sys(err, EISDIR, "%s", path);
	r = look(path, replace, err);
	if (r < 0)
		return -1;
	return r ? open_stream(ret, path, err) : open_file(ret, path, err);
}

int outfile_commit(struct outfile *o, struct err **err)
{
	if (!o->file.name) /* a pipe on a full disk, or NFS, may tell only now */
		return close(steal_fd(&o->fd)) < 0 ? err_sys(err, errno, "write to %s", o->what) : 0;
	o->fd = -1;
	if (atomic_commit(&o->file, ATOMIC_DURABLE | (o->replace ? 0U : ATOMIC_EXCL), err) < 0)
		return err_add(err, "%s", o->what);
	return 0;
}

void outfile_close(struct outfile *o)
{
	if (o->file.name)
		atomic_abort(&o->file);
	else if (o->fd >= 0)
		close(o->fd);
	if (o->dirfd >= 0)
		close(o->dirfd);
	*o = OUTFILE_INIT;
}
