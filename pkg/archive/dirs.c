/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A few slots, searched in order: most entries lie beside the one before. A slot is one directory, known by device and inode, under
 * the path it was last asked for; two paths to one directory never hold two slots, so that there is one opinion about its time.
 */
#include "pkg/archive/dirs.h"

#include <errno.h>
#include <sys/stat.h>

#include "pkg/base/fd.h"
#include "pkg/base/fs.h"
#include "pkg/base/mem.h"

#define SLOTS 48
#define OPEN_DIR (O_RDONLY | O_DIRECTORY | O_CLOEXEC)

struct slot {
	char *path;
	size_t len;
	int fd;
	bool known; /* dev and ino are; a directory just made is asked for them only when that matters */
	dev_t dev;
	ino_t ino;
	struct timespec mtime;
	bool timed; /* mtime has to be set */
	uint64_t used;
};

struct dirs {
	int root;
	bool stale; /* no path can be trusted any more */
	uint64_t clock;
	size_t n, last;
	struct slot slots[SLOTS];
};

struct dirs *dirs_new(int root_fd)
{
	struct dirs *d = xcalloc(1, sizeof(*d));

	d->root = root_fd;
	return d;
}

static void slot_close(struct dirs *d, size_t i)
{
	struct slot *s = &d->slots[i];
	const struct timespec times[2] = { s->mtime, s->mtime };

	if (s->timed)
		(void)futimens(s->fd, times); /* a time that the file system cannot hold */
	close(s->fd);
	free(s->path);
	*s = d->slots[--d->n];
	d->last = 0;
}

static void close_all(struct dirs *d)
{
	while (d->n)
		slot_close(d, d->n - 1);
	d->stale = false;
}

static struct slot *use(struct dirs *d, size_t i)
{
	d->last = i;
	d->slots[i].used = ++d->clock;
	return &d->slots[i];
}

static struct slot *find(struct dirs *d, const char *path, size_t n)
{
	for (size_t k = 0; k < d->n; k++) {
		size_t i = (d->last + k) % d->n;
		const struct slot *s = &d->slots[i];

		if (s->len == n && memcmp(s->path, path, n) == 0)
			return use(d, i);
	}
	return NULL;
}

/* A slot that has this directory already. */
static struct slot *find_inode(struct dirs *d, const struct stat *st)
{
	for (size_t i = 0; i < d->n; i++) {
		struct slot *s = &d->slots[i];
		struct stat own;

		if (!s->known && fstat(s->fd, &own) == 0) {
			s->dev = own.st_dev;
			s->ino = own.st_ino;
			s->known = true;
		}
		if (s->known && s->dev == st->st_dev && s->ino == st->st_ino)
			return use(d, i);
	}
	return NULL;
}

/* A slot for the directory fd (taken). st: NULL if it is new. */
static struct slot *add(struct dirs *d, const char *path, size_t n, int fd, const struct stat *st)
{
	struct slot *s = st ? find_inode(d, st) : NULL;

	if (s) {
		close(fd);
		free(s->path);
	} else {
		if (d->n == SLOTS) {
			size_t oldest = 0;

			for (size_t i = 1; i < d->n; i++)
				if (d->slots[i].used < d->slots[oldest].used)
					oldest = i;
			slot_close(d, oldest);
		}
		s = use(d, d->n++);
		*s = (struct slot){ .fd = fd, .used = d->clock };
		if (st) {
			s->known = true;
			s->dev = st->st_dev;
			s->ino = st->st_ino;
			s->mtime = st->st_mtim;
		}
	}
	s->path = xstrndup(path, n);
	s->len = n;
	return s;
}

/* ---- opening ----------------------------------------------------------------------------------------------------------- */

/* Make one directory and leave the time of the one above as it was. */
static int make_one(int above, const char *name)
{
	struct timespec times[2];
	struct stat st;

	if (fstat(above, &st) < 0 || mkdirat(above, name, 0755) < 0 || fchmodat(above, name, 0755, 0) < 0)
		return -1;
	times[0] = times[1] = st.st_mtim;
	(void)utimensat(above, ".", times, 0); /* as in slot_close() */
	return 0;
}

/* One directory on the way, made if it is missing. `path` leads to it from ROOT. */
static int step(const struct dirs *d, int above, const char *name, const char *path)
{
	int fd = openat(above, name, OPEN_DIR | O_NOFOLLOW);

	if (fd < 0 && errno == ENOENT && make_one(above, name) == 0)
		fd = openat(above, name, OPEN_DIR | O_NOFOLLOW);
	/* Where a link leads takes a resolution from the top. */
	if (fd < 0 && (errno == ENOTDIR || errno == ELOOP))
		fd = fs_open(d->root, path, OPEN_DIR, 0, FS_IN_ROOT);
	return fd;
}

/* Step by step, each missing one made: a path may have two thousand of them. Begins at `cur` (taken), behind `done` bytes. */
static int make_path(const struct dirs *d, int cur, char *path, size_t done)
{
	char *name = path + done;

	while (cur >= 0 && *name) {
		char *end = strchrnul(name, '/');
		const char was = *end;
		int fd;

		*end = '\0';
		fd = step(d, cur, name, path);
		*end = was;
		name = was ? end + 1 : end;
		close(cur);
		cur = fd;
	}
	return cur;
}

/* Bytes of a path of n bytes before its last component, without the slash. */
static size_t above_len(const char *path, size_t n)
{
	const char *slash = memrchr(path, '/', n);

	return slash ? (size_t)(slash - path) : 0;
}

/* From the nearest directory above that is open, or from ROOT. */
static int make_all(struct dirs *d, char *path, size_t n)
{
	for (size_t len = n; len;) {
		const struct slot *s;

		len = above_len(path, len);
		s = find(d, path, len);
		if (s)
			return make_path(d, fcntl(s->fd, F_DUPFD_CLOEXEC, 3), path, len ? len + 1 : 0);
	}
	return make_path(d, openat(d->root, ".", OPEN_DIR), path, 0);
}

static int open_path(struct dirs *d, const char *path, size_t n, bool make)
{
	autofree char *copy = xstrndup(path, n);
	size_t above = above_len(path, n);
	const struct slot *s = n ? find(d, path, above) : NULL;
	int fd = -1;

	errno = ELOOP;
	if (s)
		fd = openat(s->fd, copy + (above ? above + 1 : 0), OPEN_DIR | O_NOFOLLOW);
	if (fd < 0 && (errno == ELOOP || errno == ENOTDIR))
		fd = fs_open(d->root, n ? copy : ".", OPEN_DIR, 0, FS_IN_ROOT);
	if (fd < 0 && errno == ENOENT && make)
		fd = make_all(d, copy, n);
	return fd;
}

int dirs_open(struct dirs *d, const char *path, size_t n, enum dirs_use how)
{
	struct slot *s;
	struct stat st;
	int fd;

	if (d->stale)
		close_all(d);
	s = find(d, path, n);
	if (!s) {
		fd = open_path(d, path, n, how == DIRS_MAKE);
		if (fd < 0)
			return -1;
		if (fstat(fd, &st) < 0) {
			close(fd);
			return -1;
		}
		s = add(d, path, n, fd, &st);
	}
	s->timed |= how != DIRS_LOOK;
	return s->fd;
}

void dirs_put(struct dirs *d, const char *path, int fd, const struct timespec *mtime, bool made)
{
	struct slot *s;
	struct stat st;

	if (d->stale)
		close_all(d);
	s = add(d, path, strlen(path), fd, !made && fstat(fd, &st) == 0 ? &st : NULL);
	s->mtime = *mtime;
	s->timed = true;
}

void dirs_forget(struct dirs *d)
{
	d->stale = true;
}

void dirs_free(struct dirs *d)
{
	if (!d)
		return;
	close_all(d);
	free(d);
}
