/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Applying a layer: the names of its entries, what hides what, and in which order. Parents resolve inside ROOT (dirs.h) and the last
 * component is never followed. Whiteouts and what they must not touch are explained where they are handled; what an entry becomes is
 * in layer_make.c.
 */
#include "pkg/archive/layer.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "pkg/archive/dirs.h"
#include "pkg/archive/layer_priv.h"
#include "pkg/archive/reader.h"
#include "pkg/base/err.h"
#include "pkg/base/fs.h"
#include "pkg/base/mem.h"
#include "pkg/base/sig.h"
#include "pkg/base/str.h"

#define WHITEOUT_META ".wh..wh."

int layer_corrupt(const char *name, const char *why, struct err **err)
{
	return err_make(err, ERR_CORRUPT, "entry '%.256s': %s", name, why);
}

int layer_failed(const char *name, struct err **err)
{
	int e = errno;

	err_sys(err, e, "entry '%.256s'", name);
	/* What an archive causes by itself is its fault and not the machine's. */
	if (e == ENOENT || e == ENOTDIR || e == ELOOP || e == EISDIR || e == EEXIST || e == EINVAL ||
		e == ENAMETOOLONG)
		err_set_kind(err, ERR_CORRUPT);
	return -1;
}

/* ---- names --------------------------------------------------------------------------------------------------------------- */

int layer_clean_name(const char *name, char ret[LAYER_PATH_MAX + 1], struct err **err)
{
	size_t len = 0;

	for (const char *p = name; *p;) {
		size_t n = strcspn(p, "/");

		if (n == 2 && p[0] == '.' && p[1] == '.')
			return layer_corrupt(name, "'..' in its path: refused", err);
		if (n > LAYER_NAME_MAX)
			return layer_corrupt(name, "a name of more than 255 bytes", err);
		if (n && !(n == 1 && *p == '.')) {
			if (len + n + 1 > LAYER_PATH_MAX)
				return layer_corrupt(name, "a path of more than 4095 bytes", err);
			if (len)
				ret[len++] = '/';
			memcpy(ret + len, p, n);
			len += n;
		}
		p += n;
		p += strspn(p, "/");
	}
	ret[len] = '\0';
	return 0;
}

const char *layer_base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* True if a component before the last begins with `prefix`. */
static bool has_parent_like(const char *path, const char *prefix)
{
	for (const char *slash; (slash = strchr(path, '/')); path = slash + 1)
		if (str_starts(path, prefix))
			return true;
	return false;
}

size_t layer_parent_len(const char *path)
{
	const char *base = layer_base(path);

	return base > path ? (size_t)(base - path - 1) : 0;
}

/* The entry lies beside or in the one before: the directories above it are on record. */
static bool parent_is_seen(const struct layer *l)
{
	size_t n = layer_parent_len(l->path);

	return strncmp(l->parent, l->path, n) == 0 && !l->parent[n];
}

/* ---- removing what was there --------------------------------------------------------------------------------------------- */

int layer_clear_name(struct layer *l, int dirfd, const char *base, struct err **err)
{
	struct stat st;

	if (fstatat(dirfd, base, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : layer_failed(l->path, err);
	if (S_ISDIR(st.st_mode) || S_ISLNK(st.st_mode))
		dirs_forget(l->dirs);
	if (S_ISDIR(st.st_mode)) {
		if (fs_rm_tree(dirfd, base, err) < 0)
			return err_add(err, "entry '%.256s'", l->path);
		return 0;
	}
	if (unlinkat(dirfd, base, 0) < 0 && errno != ENOENT)
		return layer_failed(l->path, err);
	return 0;
}

/*
 * True the first time. A second look finds this layer's entries alone, also where the inode was given to a newer directory: without
 * this a layer of many markers for one large directory would take hours.
 */
static bool hides_first(struct layer *l, const struct stat *st)
{
	char key[40];

	snprintf(key, sizeof(key), "%llx:%llx", (unsigned long long)st->st_dev,
		(unsigned long long)st->st_ino);
	if (seen_has(&l->hidden, key))
		return false;
	seen_add(&l->hidden, key, false);
	return true;
}

struct hiding {
	struct layer *l;
	const char *dir; /* whose content is hidden, "" for ROOT */
	struct err **err;
	bool failed; /* *err says why */
};

static bool is_own(const struct hiding *h, const char *path)
{
	autofree char *full = *h->dir ? xasprintf("%s/%s", h->dir, path) : NULL;

	return seen_has(&h->l->seen, full ? full : path);
}

/* One entry below the directory: what lower layers left goes, and the time of where it lay stays. */
static int hide_entry(int dirfd, const char *name, const char *path, const struct stat *st, void *arg)
{
	struct hiding *h = arg;
	struct timespec times[2];
	struct stat above;

	if (is_own(h, path))
		return S_ISDIR(st->st_mode) && !hides_first(h->l, st) ? FS_WALK_SKIP : 0;
	if (S_ISDIR(st->st_mode) || S_ISLNK(st->st_mode))
		dirs_forget(h->l->dirs);
	if (fstat(dirfd, &above) < 0)
		return -1;
	if (fs_rm_tree(dirfd, name, h->err) < 0) {
		h->failed = true;
		return -1;
	}
	times[0] = times[1] = above.st_mtim;
	(void)futimens(dirfd, times); /* as for files */
	return FS_WALK_SKIP;
}

/* Everything below `dir` that this layer has not put there; flags: O_NOFOLLOW where dir itself must not be a link. */
static int hide_below(struct layer *l, const char *dir, int flags, struct err **err)
{
	autoclose int fd = fs_open(l->root, *dir ? dir : ".", O_RDONLY | O_DIRECTORY | flags, 0, FS_IN_ROOT);
	struct hiding h = { .l = l, .dir = dir, .err = err };
	struct stat st;

	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == ELOOP ? 0 : layer_failed(l->path, err);
	if (fstat(fd, &st) == 0 && !hides_first(l, &st))
		return 0;
	if (fs_walk(fd, hide_entry, &h) == 0)
		return 0;
	return h.failed ? err_add(err, "entry '%.256s'", l->path) : layer_failed(l->path, err);
}

/* `.wh.NAME`: layer.md, "whiteout files MUST only apply to resources in lower/parent layers". */
static int hide_path(struct layer *l, const char *path, struct err **err)
{
	int dirfd;

	if (seen_has(&l->seen, path))
		return hide_below(l, path, O_NOFOLLOW, err);
	dirfd = dirs_open(l->dirs, path, layer_parent_len(path), DIRS_CHANGE);
	if (dirfd < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == ELOOP ? 0 : layer_failed(l->path, err);
	return layer_clear_name(l, dirfd, layer_base(path), err);
}

static int apply_whiteout(struct layer *l, struct err **err)
{
	autofree char *path = xstrdup(l->path);
	char *base = path + (layer_base(l->path) - l->path);
	const char *name = base + strlen(LAYER_WHITEOUT);

	l->st->whiteouts++;
	if (strcmp(base, LAYER_OPAQUE) == 0) {
		base[base > path ? -1 : 0] = '\0';
		return hide_below(l, path, 0, err);
	}
	memmove(base, name, strlen(name) + 1);
	return hide_path(l, path, err);
}

/* ---- entries ------------------------------------------------------------------------------------------------------------- */

/* The entry's directory is open as dirfd; it may lie where AUFS keeps its own. */
static int apply_content(struct layer *l, const struct reader_entry *e, struct err **err)
{
	bool seen = parent_is_seen(l);
	size_t n = layer_parent_len(l->path);
	int dirfd = dirs_open(l->dirs, l->path, n, DIRS_MAKE);

	if (dirfd < 0)
		return layer_failed(l->path, err);
	seen_add(&l->seen, l->path, !seen);
	if (!seen) {
		memcpy(l->parent, l->path, n);
		l->parent[n] = '\0';
	}
	return layer_make(l, e, dirfd, err);
}

int layer_kind(const char *path, struct err **err)
{
	const char *base = layer_base(path), *hidden = base + strlen(LAYER_WHITEOUT);

	if (str_starts(path, LAYER_AUFS_LINKS))
		return LAYER_AUFS_LINK;
	if (strcmp(base, LAYER_OPAQUE) != 0 &&
		(str_starts(base, WHITEOUT_META) || has_parent_like(path, WHITEOUT_META)))
		return LAYER_AUFS;
	if (has_parent_like(path, LAYER_WHITEOUT))
		return layer_corrupt(path, "lies below a whiteout", err);
	if (!str_starts(base, LAYER_WHITEOUT))
		return LAYER_CONTENT;
	if (!*hidden || strcmp(hidden, ".") == 0 || strcmp(hidden, "..") == 0)
		return layer_corrupt(path, "a whiteout that names no file", err);
	return LAYER_WHITEOUT_ENTRY;
}

int layer_check_name(const char *name, struct err **err)
{
	char path[LAYER_PATH_MAX + 1];

	return layer_clean_name(name, path, err) < 0 || layer_kind(path, err) < 0 ? -1 : 0;
}

int layer_apply_entry(struct layer *l, const struct reader_entry *e, struct err **err)
{
	int kind;

	if (sig_interrupted())
		return err_make(err, ERR_SYSTEM, "interrupted");
	if (layer_clean_name(e->name, l->path, err) < 0)
		return -1;
	if (!*l->path)
		return layer_make_root(l, e, err);
	kind = l->o->plain ? LAYER_CONTENT : layer_kind(l->path, err);
	switch (kind) {
	case LAYER_AUFS:
		return 0;
	case LAYER_WHITEOUT_ENTRY:
		return apply_whiteout(l, err);
	case LAYER_AUFS_LINK:
	case LAYER_CONTENT:
		l->aufs_links |= kind == LAYER_AUFS_LINK;
		return apply_content(l, e, err);
	default:
		return -1;
	}
}

/* They come and go without a trace, also in the time of ROOT. */
int layer_end(struct layer *l, struct err **err)
{
	if (!l->aufs_links)
		return 0;
	if (dirs_open(l->dirs, "", 0, DIRS_CHANGE) < 0)
		return layer_failed(".", err);
	dirs_forget(l->dirs);
	return fs_rm_tree(l->root, LAYER_AUFS_LINKS, err);
}

struct layer *layer_begin(
	struct reader *r, int root_fd, const struct layer_options *o, struct layer_stats *stats)
{
	static const struct layer_options none = { 0 };
	struct layer *l = xcalloc(1, sizeof(*l));

	l->r = r;
	l->o = o ? o : &none;
	l->root = root_fd;
	l->st = stats;
	l->masked = fs_lost_bits(root_fd);
	l->keep = l->o->keep_setid ? 07000 : 01000;
	l->dirs = dirs_new(root_fd);
	l->copy.fd = -1;
	return l;
}

void layer_free(struct layer *l)
{
	if (!l)
		return;
	dirs_free(l->dirs);
	if (l->copy.fd >= 0)
		close(l->copy.fd);
	seen_free(&l->seen);
	seen_free(&l->skipped);
	seen_free(&l->hidden);
	free(l);
}

int layer_apply(struct reader *r, int root_fd, const struct layer_options *o, struct layer_stats *stats,
	struct err **err)
{
	auto_layer *l = layer_begin(r, root_fd, o, stats);
	struct reader_entry e;
	int more;

	while ((more = reader_next(r, &e, err)) > 0)
		if (layer_apply_entry(l, &e, err) < 0)
			return -1;
	return more < 0 ? -1 : layer_end(l, err);
}
