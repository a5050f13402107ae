/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What each kind of entry becomes. A name is taken by trying: only when something has it already is that looked at and removed. The
 * last component is never followed.
 */
#include <errno.h>
#include <sys/stat.h>

#include "pkg/archive/dirs.h"
#include "pkg/archive/layer_priv.h"
#include "pkg/archive/reader.h"
#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/mem.h"

static mode_t mode_for(const struct layer *l, const struct reader_entry *e, mode_t least)
{
	return (e->mode & (0777 | l->keep)) | least;
}

static int set_mode(const struct layer *l, int fd, mode_t mode)
{
	return mode & (l->masked | 07000) ? fchmod(fd, mode) : 0;
}

static int make_file(struct layer *l, const struct reader_entry *e, int dirfd, struct err **err)
{
	const struct timespec times[2] = { e->mtime, e->mtime };
	const char *base = layer_base(l->path);
	mode_t mode = mode_for(l, e, 0600);
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	autoclose int fd = openat(dirfd, base, flags, mode & 0777);

	if (fd < 0 && errno == EEXIST) {
		if (layer_clear_name(l, dirfd, base, err) < 0)
			return -1;
		fd = openat(dirfd, base, flags, mode & 0777);
	}
	if (fd < 0)
		return layer_failed(l->path, err);
	if (reader_copy(l->r, fd, err) < 0)
		return err_add(err, "entry '%.256s'", l->path);
	if (layer_set_attrs(l, e, fd, false, err) < 0)
		return -1;
	if (set_mode(l, fd, mode) < 0)
		return layer_failed(l->path, err);
	(void)futimens(fd, times); /* a time that the file system cannot hold */
	l->st->files++;
	l->st->bytes += (uint64_t)e->size;
	/* Smaller ones are better written together. Where it is not known, the sync has all to do. */
	if (l->o->write_out && e->size >= WRITE_OUT_MIN)
		(void)sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
	/* Network file systems report a full disk here. */
	if (close(steal_fd(&fd)) < 0 && errno != EINTR)
		return layer_failed(l->path, err);
	return 0;
}

/* Attributes, mode and time of the directory fd (taken), which stays open as the parent of what follows. */
static int finish_dir(struct layer *l, const struct reader_entry *e, int fd, bool made, struct err **err)
{
	autoclose int dir = fd;
	mode_t mode = mode_for(l, e, 0700);

	if (layer_set_attrs(l, e, dir, !made, err) < 0)
		return -1;
	if ((made ? set_mode(l, dir, mode) : fchmod(dir, mode)) < 0)
		return layer_failed(l->path, err);
	dirs_put(l->dirs, l->path, steal_fd(&dir), &e->mtime, made);
	memcpy(l->parent, l->path, strlen(l->path) + 1);
	return 0;
}

int layer_make_root(struct layer *l, const struct reader_entry *e, struct err **err)
{
	int fd;

	if (e->type != READER_DIR)
		return layer_corrupt(e->name, "takes the place of the root directory", err);
	fd = openat(l->root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return layer_failed(".", err);
	return finish_dir(l, e, fd, false, err);
}

static int make_dir(struct layer *l, const struct reader_entry *e, int dirfd, struct err **err)
{
	const char *base = layer_base(l->path);
	mode_t mode = mode_for(l, e, 0700);
	const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	bool made = mkdirat(dirfd, base, mode & 0777) == 0;
	int fd;

	if (!made && errno != EEXIST)
		return layer_failed(l->path, err);
	fd = openat(dirfd, base, flags);
	if (fd < 0 && !made && (errno == ENOTDIR || errno == ELOOP)) {
		if (layer_clear_name(l, dirfd, base, err) < 0)
			return -1;
		made = mkdirat(dirfd, base, mode & 0777) == 0;
		fd = made ? openat(dirfd, base, flags) : -1;
	}
	if (fd < 0)
		return layer_failed(l->path, err);
	l->st->dirs++;
	return finish_dir(l, e, fd, made, err);
}

/* Links and FIFOs have a time, and no attributes that a layer could give them. */
static void finish_plain(struct layer *l, const struct reader_entry *e, int dirfd)
{
	const struct timespec times[2] = { e->mtime, e->mtime };

	(void)utimensat(dirfd, layer_base(l->path), times, AT_SYMLINK_NOFOLLOW); /* as for files */
	layer_skip_attrs(l);
	l->st->links++;
}

static int make_symlink(struct layer *l, const struct reader_entry *e, int dirfd, struct err **err)
{
	const char *base = layer_base(l->path);
	int r;

	if (!*e->link)
		return layer_corrupt(l->path, "a symbolic link without a target", err);
	r = symlinkat(e->link, dirfd, base);
	if (r < 0 && errno == EEXIST) {
		if (layer_clear_name(l, dirfd, base, err) < 0)
			return -1;
		r = symlinkat(e->link, dirfd, base);
	}
	if (r < 0)
		return layer_failed(l->path, err);
	finish_plain(l, e, dirfd);
	return 0;
}

static int make_fifo(struct layer *l, const struct reader_entry *e, int dirfd, struct err **err)
{
	const char *base = layer_base(l->path);
	mode_t mode = mode_for(l, e, 0600);
	int r = mkfifoat(dirfd, base, mode & 0777);

	if (r < 0 && errno == EEXIST) {
		if (layer_clear_name(l, dirfd, base, err) < 0)
			return -1;
		r = mkfifoat(dirfd, base, mode & 0777);
	}
	if (r < 0 || (mode & (l->masked | 07000) && fchmodat(dirfd, base, mode, 0) < 0))
		return layer_failed(l->path, err);
	finish_plain(l, e, dirfd);
	return 0;
}

/* ---- hard links ---------------------------------------------------------------------------------------------------------- */

/* Another name for the copy that was made last. */
static int link_copy(const struct layer *l, const struct stat *from, int to_dir)
{
	char path[40];

	if (l->copy.fd < 0 || l->copy.dev != from->st_dev || l->copy.ino != from->st_ino)
		return -1;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", l->copy.fd);
	return linkat(AT_FDCWD, path, to_dir, layer_base(l->path), AT_SYMLINK_FOLLOW);
}

/*
 * Where no further link can be made: a file system without them, or one that has reached its limit. Then the next links are to the
 * copy, so that a chain of them does not fill the disk.
 */
static int copy_instead(struct layer *l, int from_dir, const struct stat *st, int to_dir, struct err **err)
{
	autoclose int in = -1, out = -1;

	if (!S_ISREG(st->st_mode))
		return layer_corrupt(l->path, "a hard link to something that is no file", err);
	if (link_copy(l, st, to_dir) == 0)
		return 0;
	in = openat(from_dir, layer_base(l->link), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (in < 0)
		return layer_failed(l->path, err);
	out = openat(to_dir, layer_base(l->path), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (out < 0 || fd_copy(in, out, UINT64_MAX, NULL) < 0)
		return layer_failed(l->path, err);
	layer_copy_attrs(in, out);
	if (fchmod(out, st->st_mode & 07777) < 0)
		return layer_failed(l->path, err);
	(void)futimens(out, (const struct timespec[2]){ st->st_mtim, st->st_mtim }); /* as for files */
	if (l->copy.fd >= 0)
		close(l->copy.fd);
	l->copy = (struct layer_copy){ st->st_dev, st->st_ino, steal_fd(&out) };
	return 0;
}

/* By errno. Without its target, which was left out, the link is left out too. */
static int target_missing(struct layer *l, struct err **err)
{
	if (seen_has(&l->skipped, l->link)) {
		l->st->devices++;
		return 0;
	}
	layer_failed(l->path, err);
	err_set_kind(err, ERR_CORRUPT);
	return err_add(err, "hard link to '%.256s'", l->link);
}

/* The link could not be made at the first try, by errno: see why. */
static int link_again(struct layer *l, int from_dir, int to_dir, struct err **err)
{
	const char *from_base = *l->link ? layer_base(l->link) : ".";
	const char *base = layer_base(l->path);
	int why = errno;
	struct stat from, to;

	if (fstatat(from_dir, from_base, &from, AT_SYMLINK_NOFOLLOW) < 0)
		return target_missing(l, err);
	if (S_ISDIR(from.st_mode))
		return layer_corrupt(l->path, "a hard link to a directory", err);
	if (fstatat(to_dir, base, &to, AT_SYMLINK_NOFOLLOW) == 0) {
		if (to.st_dev == from.st_dev && to.st_ino == from.st_ino) {
			l->st->links++;
			return 0;
		}
		if (layer_clear_name(l, to_dir, base, err) < 0)
			return -1;
		why = linkat(from_dir, from_base, to_dir, base, 0) < 0 ? errno : 0;
	}
	if (why == EMLINK || why == EPERM || why == EOPNOTSUPP || why == EXDEV) {
		if (copy_instead(l, from_dir, &from, to_dir, err) < 0)
			return -1;
	} else if (why) {
		errno = why;
		return layer_failed(l->path, err);
	}
	l->st->links++;
	return 0;
}

/* The target's parents resolve inside ROOT, and a symbolic link as target is linked itself: nothing outside can be reached. */
static int make_hardlink(struct layer *l, const struct reader_entry *e, int dirfd, struct err **err)
{
	int from_dir;

	if (layer_clean_name(e->link, l->link, err) < 0)
		return err_add(err, "entry '%.256s': hard link", l->path);
	from_dir = dirs_open(l->dirs, l->link, layer_parent_len(l->link), DIRS_LOOK);
	if (from_dir < 0)
		return target_missing(l, err);
	errno = EPERM; /* as for every directory */
	if (!*l->link || linkat(from_dir, layer_base(l->link), dirfd, layer_base(l->path), 0) < 0)
		return link_again(l, from_dir, dirfd, err);
	l->st->links++;
	return 0;
}

/* Device nodes and sockets are not made. What a lower layer had under the name goes all the same. */
static int skip_special(struct layer *l, const struct reader_entry *e, int dirfd, struct err **err)
{
	if (layer_clear_name(l, dirfd, layer_base(l->path), err) < 0)
		return -1;
	if (l->skipped.n < LAYER_SKIPPED_MAX)
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

int layer_make(struct layer *l, const struct reader_entry *e, int dirfd, struct err **err)
{
	return makers[e->type](l, e, dirfd, err);
}
