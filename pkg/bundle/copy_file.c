/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files with several names are made in the directory of links, under their device and inode, and linked from there: whichever thread
 * comes first makes one, and no table of names is needed.
 */
#include "pkg/bundle/copy_file.h"

#include <dirent.h>
#include <errno.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/xattr.h>

#include "pkg/base/fd.h"
#include "pkg/base/fs.h"
#include "pkg/base/mem.h"
#include "pkg/base/sig.h"

/* In one call of the kernel, so that an interrupt is noticed. */
#define COPY_CHUNK ((uint64_t)16 << 20)
#define XATTR_NAMES_MAX ((size_t)64 << 10) /* the kernel's ceilings */
#define XATTR_VALUE_MAX ((size_t)64 << 10)

/* ---- content ------------------------------------------------------------------------------------------------------------- */

/* Read and write `n` bytes, fewer at the end of the source. */
static int copy_by_hand(struct copier *c, int in, int out, uint64_t n)
{
	while (n > 0) {
		ssize_t r = fd_read_full(in, c->buffer, n < COPY_BUFFER ? (size_t)n : COPY_BUFFER);

		if (r <= 0)
			return r < 0 ? -1 : 0;
		if (fd_write_all(out, c->buffer, (size_t)r) < 0)
			return -1;
		n -= (uint64_t)r;
	}
	return 0;
}

/* n bytes at the offsets of both. In the kernel as far as it goes: the loop that follows meets a real error again. */
static int copy_range(struct copier *c, int in, int out, uint64_t n)
{
	while (n > COPY_BUFFER) {
		ssize_t r =
			copy_file_range(in, NULL, out, NULL, (size_t)(n < COPY_CHUNK ? n : COPY_CHUNK), 0);

		if (sig_interrupted()) {
			errno = EINTR;
			return -1;
		}
		if (r <= 0)
			break;
		n -= (uint64_t)r;
	}
	return copy_by_hand(c, in, out, n);
}

static int copy_data_parts(struct copier *c, int in, int out, off_t size)
{
	off_t end = 0;

	for (;;) {
		off_t data = lseek(in, end, SEEK_DATA);

		if (data < 0 && errno == ENXIO)
			return ftruncate(out, size);
		if (data < 0)
			return -1;
		end = lseek(in, data, SEEK_HOLE);
		if (end < 0 || lseek(in, data, SEEK_SET) < 0 || lseek(out, data, SEEK_SET) < 0)
			return -1;
		if (copy_range(c, in, out, (uint64_t)(end - data)) < 0)
			return -1;
	}
}

/* 1 when the blocks are shared, 0 when they have to be copied. */
static int copy_reflink(struct copier *c, int in, int out)
{
	if (atomic_load_explicit(&c->common->no_reflink, memory_order_relaxed))
		return 0;
	if (ioctl(out, FICLONE, in) == 0)
		return 1;
	/* Other errors are about this file. */
	if (errno == EOPNOTSUPP || errno == ENOTTY || errno == ENOSYS || errno == EXDEV)
		atomic_store_explicit(&c->common->no_reflink, true, memory_order_relaxed);
	return 0;
}

static int copy_content(struct copier *c, int in, int out, const struct stat *st)
{
	c->stats.bytes += (uint64_t)st->st_size;
	if (st->st_size == 0)
		return 0;
	if (copy_reflink(c, in, out)) {
		c->stats.shared += (uint64_t)st->st_size;
		return 0;
	}
	if (st->st_blocks < st->st_size / 512 && copy_data_parts(c, in, out, st->st_size) == 0)
		return 0;
	/* No holes, or a file system that does not tell: from the beginning, over what was copied. */
	if (lseek(in, 0, SEEK_SET) < 0 || lseek(out, 0, SEEK_SET) < 0)
		return -1;
	return copy_range(c, in, out, (uint64_t)st->st_size);
}

/* ---- attributes ---------------------------------------------------------------------------------------------------------- */

/* What the host's security modules say of a file, they say themselves. */
static bool is_hosts(const char *name)
{
	return strcmp(name, "security.selinux") == 0 || strcmp(name, "security.ima") == 0 ||
	       strcmp(name, "security.evm") == 0;
}

/* A refusal is no failure: not every attribute may be set by everybody. A lack of space is one. */
static int copy_xattr(int from, int to, const char *name)
{
	autofree char *value = xmalloc(XATTR_VALUE_MAX);
	ssize_t n = fgetxattr(from, name, value, XATTR_VALUE_MAX);

	if (n < 0 || fsetxattr(to, name, value, (size_t)n, 0) == 0)
		return 0;
	return errno == ENOSPC || errno == EDQUOT ? -1 : 0;
}

static int copy_xattrs(struct copier *c, int from, int to)
{
	ssize_t n = flistxattr(from, c->buffer, XATTR_NAMES_MAX);
	autofree char *names = NULL;

	if (n <= 0)
		return 0;
	names = xmemdup(c->buffer, (size_t)n);
	for (const char *p = names; p < names + n; p += strlen(p) + 1)
		if (!is_hosts(p) && copy_xattr(from, to, p) < 0)
			return -1;
	return 0;
}

static bool is_foreign(const struct copier *c, const struct stat *st)
{
	return st->st_uid != c->common->uid || st->st_gid != c->common->gid;
}

/* Owner, attributes, mode, times, in this order: each may undo what comes behind it. `made` is the mode that it was made with. */
static int copy_attributes(struct copier *c, int from, int to, const struct stat *st, mode_t made)
{
	const struct timespec times[2] = { st->st_atim, st->st_mtim };
	mode_t mode = st->st_mode & 07777;
	bool foreign = is_foreign(c, st);

	if (foreign)
		(void)!fchown(to, c->common->uid == 0 ? st->st_uid : (uid_t)-1,
			st->st_gid); /* not everybody may give away */
	if (copy_xattrs(c, from, to) < 0)
		return -1;
	if ((foreign || mode != made || (mode & c->common->lost)) && fchmod(to, mode) < 0)
		return -1;
	return futimens(to, times);
}

int copy_dir_attributes(struct copier *c, int from, int to, const struct stat *st)
{
	/* ~0: always set, for it was made with one of ours. */
	return copy_attributes(c, from, to, st, (mode_t)~0);
}

/* ---- entries ------------------------------------------------------------------------------------------------------------- */

/* What is copied: in is open for files alone. */
struct source {
	int dirfd;
	const char *name;
	int in;
	struct stat st;
	char *target; /* of a symbolic link */
};

static int make_regular(struct copier *c, const struct source *s, int dirfd, const char *name)
{
	/* user.* attributes can be set by those alone who may write. */
	mode_t mode = (s->st.st_mode & 0777) | 0600;
	autoclose int out = openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);

	if (out < 0 || copy_content(c, s->in, out, &s->st) < 0 ||
		copy_attributes(c, s->in, out, &s->st, mode) < 0)
		return -1;
	/* Network file systems report a full disk here. */
	return close(steal_fd(&out)) < 0 && errno != EINTR ? -1 : 0;
}

static int make_other(struct copier *c, const struct source *s, int dirfd, const char *name)
{
	const struct timespec times[2] = { s->st.st_atim, s->st.st_mtim };
	mode_t mode = s->st.st_mode & 07777;

	if (S_ISLNK(s->st.st_mode)) {
		if (symlinkat(s->target, dirfd, name) < 0)
			return -1;
	} else if (mkfifoat(dirfd, name, mode & 0777) < 0) {
		return -1;
	}
	if (is_foreign(c, &s->st))
		(void)!fchownat(dirfd, name, c->common->uid == 0 ? s->st.st_uid : (uid_t)-1, s->st.st_gid,
			AT_SYMLINK_NOFOLLOW); /* as for files */
	if (S_ISFIFO(s->st.st_mode) && fchmodat(dirfd, name, mode, 0) < 0)
		return -1;
	return utimensat(dirfd, name, times, AT_SYMLINK_NOFOLLOW);
}

static int make(struct copier *c, const struct source *s, int dirfd, const char *name)
{
	return S_ISREG(s->st.st_mode) ? make_regular(c, s, dirfd, name) : make_other(c, s, dirfd, name);
}

/* Another name of what some thread has made, or makes now. 1 when there are to be no more: it has to be a copy. */
static int link_known(struct copier *c, const char *key, int to, const char *name)
{
	if (linkat(c->common->links_fd, key, to, name, 0) == 0)
		return 0;
	return errno == EMLINK || errno == EPERM || errno == EOPNOTSUPP ? 1 : -1;
}

static int copy_linked(struct copier *c, const struct source *s, int to)
{
	char key[40];
	int r;

	snprintf(key, sizeof(key), "%llx-%llx", (unsigned long long)s->st.st_dev,
		(unsigned long long)s->st.st_ino);
	r = link_known(c, key, to, s->name);
	if (r < 0 && errno == ENOENT) {
		if (make(c, s, c->common->links_fd, key) < 0 && errno != EEXIST)
			return -1;
		r = link_known(c, key, to, s->name);
	}
	return r > 0 ? make(c, s, to, s->name) : r;
}

static int count(struct copier *c, const struct stat *st)
{
	switch (st->st_mode & S_IFMT) {
	case S_IFREG:
		c->stats.files++;
		return 1;
	case S_IFLNK:
	case S_IFIFO:
		c->stats.others++;
		return 1;
	default:
		c->stats.left_out++;
		return 0;
	}
}

static bool has_vanished(int errnum)
{
	return errnum == ENOENT || errnum == ESTALE;
}

/* Open and look: 1, 0 when it has vanished, -1 with errno. */
static int look(struct source *s, unsigned char type)
{
	bool unlocked;

	if (type == DT_REG)
		s->in = fs_open_own(s->dirfd, s->name, 0, &s->st, &unlocked);
	/* It need not be a file any more: a link and a socket cannot be opened. */
	if (s->in < 0 && type == DT_REG && errno != ELOOP && errno != ENXIO)
		return has_vanished(errno) ? 0 : -1;
	if (s->in < 0 && fstatat(s->dirfd, s->name, &s->st, AT_SYMLINK_NOFOLLOW) < 0)
		return has_vanished(errno) ? 0 : -1;
	if (S_ISREG(s->st.st_mode) && s->in < 0) {
		s->in = fs_open_own(s->dirfd, s->name, 0, &s->st, &unlocked);
		if (s->in < 0)
			return has_vanished(errno) ? 0 : -1;
	}
	if (S_ISLNK(s->st.st_mode)) {
		s->target = fs_readlink(s->dirfd, s->name);
		if (!s->target)
			return has_vanished(errno) || errno == EINVAL ? 0 : -1;
	}
	return 1;
}

int copy_file(struct copier *c, int from, int to, const char *name, unsigned char type)
{
	struct source s = { .dirfd = from, .name = name, .in = -1 };
	int r = look(&s, type), saved;

	if (r > 0 && !S_ISDIR(s.st.st_mode)) {
		if (!count(c, &s.st))
			r = 0;
		else
			r = s.st.st_nlink > 1 ? copy_linked(c, &s, to) : make(c, &s, to, name);
	}
	saved = errno;
	if (s.in >= 0)
		close(s.in);
	free(s.target);
	errno = saved;
	return r;
}
