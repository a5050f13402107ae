/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ROOT's absolute symbolic links, which the host's kernel follows: into ROOT and back (udocker-compat 7.4). Each is replaced by rename,
 * so that it is the old or the new one at any time, and its text alone says which; a conversion that was killed is repeated or undone. Links
 * into /proc, /sys and /dev stay: the host's are shown there.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engines/fakechroot.h"
#include "engines/fakechroot_entry.h"
#include "pkg/base/atomic.h"
#include "pkg/base/err.h"
#include "pkg/base/fs.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/base/num.h"
#include "pkg/base/path.h"
#include "pkg/base/str.h"

#define CLOSED_DIR "dir"

struct conversion {
	const char *root; /* ROOT now */
	const char *old; /* ROOT at the last change of the mode, or NULL */
	bool back;
	int stage; /* the folder where new links are made, and the mode of a directory that is opened for us is noted */
	char *where; /* path of the link that could not be changed */
};

/* Length of ".../containers/<id>/ROOT" at the beginning of a link's text, 0 if it is not there: another place of a container of ours. */
static size_t container_prefix(const char *text)
{
	static const char mark[] = "/containers/", end[] = "/ROOT";
	const char *p = strstr(text, mark), *id;
	size_t n, groups = 1;

	if (*text != '/' || !p)
		return 0;
	id = p + strlen(mark);
	n = strspn(id, "0123456789abcdefghijklmnopqrstuvwxyz-");
	for (size_t i = 0; i < n; i++)
		groups += id[i] == '-';
	if (groups != 5 || strncmp(id + n, end, strlen(end)) != 0)
		return 0;
	n = (size_t)(id + n - text) + strlen(end);
	return text[n] == '/' || text[n] == '\0' ? n : 0;
}

static size_t prefix_of(const char *text, const char *root)
{
	size_t n = root ? strlen(root) : 0;

	return n > 1 && strncmp(text, root, n) == 0 && (text[n] == '/' || text[n] == '\0') ? n : 0;
}

/* The text as the image has it. */
static const char *original(const struct conversion *c, const char *text)
{
	size_t n = prefix_of(text, c->root);

	if (!n)
		n = prefix_of(text, c->old);
	if (!n)
		n = container_prefix(text);
	text += n;
	return n && !*text ? "/" : text;
}

static bool is_of_the_kernel(const char *text)
{
	static const char *const tops[] = { "/proc", "/sys", "/dev" };
	autofree char *clean = path_clean(text);

	for (size_t i = 0; i < ARRAY_LEN(tops); i++)
		if (path_is_below(clean, tops[i]))
			return true;
	return false;
}

/* What the link is to say, NULL if it stays; the caller frees. */
static char *wanted(const struct conversion *c, const char *text)
{
	const char *plain = original(c, text);
	char *want;

	if (*text != '/')
		return NULL;
	want = c->back || is_of_the_kernel(plain) ? xstrdup(plain) : xjoin3(c->root, plain, "");
	if (str_eq(want, text) || strlen(want) >= PATH_MAX) {
		free(want);
		return NULL;
	}
	return want;
}

/* By way of the stage; where that is another file system, in the directory itself. */
static int replace(
	const struct conversion *c, int dirfd, const char *name, const struct stat *st, const char *text)
{
	const struct timespec times[] = { st->st_atim, st->st_mtim };

	(void)unlinkat(c->stage, "link", 0);
	if (symlinkat(text, c->stage, "link") < 0)
		return -1;
	(void)utimensat(c->stage, "link", times, AT_SYMLINK_NOFOLLOW);
	(void)!fchownat(c->stage, "link", st->st_uid, st->st_gid,
		AT_SYMLINK_NOFOLLOW); /* root's: else they are ours */
	if (renameat(c->stage, "link", dirfd, name) == 0)
		return 0;
	return errno == EXDEV ? atomic_symlink(dirfd, text, name, NULL) : -1;
}

/* A directory that its mode closes for its owner is opened for one replacement; its mode is noted until it has it back. */
static int replace_in_closed(const struct conversion *c, int dirfd, const char *path, const char *name,
	const struct stat *st, const struct stat *dir, const char *text)
{
	autofree char *above = path_dir(path);
	autofree char *record = xasprintf("%04o:%s", (unsigned)dir->st_mode & 07777, above);
	int r;

	(void)unlinkat(c->stage, CLOSED_DIR, 0);
	if (symlinkat(record, c->stage, CLOSED_DIR) < 0 ||
		fchmod(dirfd, (dir->st_mode & 07777) | S_IRWXU) < 0)
		return -1;
	r = replace(c, dirfd, name, st, text);
	if (fchmod(dirfd, dir->st_mode & 07777) < 0)
		r = -1;
	(void)unlinkat(c->stage, CLOSED_DIR, 0);
	return r;
}

/* What a predecessor that was killed has left open. */
static void close_again(const struct conversion *c, int rootfd)
{
	autofree char *record = fs_readlink(c->stage, CLOSED_DIR);
	char *path = record ? strchr(record, ':') : NULL;
	autoclose int fd = -1;
	unsigned mode;

	if (!path)
		return;
	*path++ = '\0';
	fd = fs_open(rootfd, path, O_PATH | O_DIRECTORY, 0, FS_BENEATH);
	if (fd >= 0 && num_parse_octal(record, 07777, &mode) == 0)
		(void)fs_chmod_opath(fd, (mode_t)mode);
	(void)unlinkat(c->stage, CLOSED_DIR, 0);
}

static int convert_one(int dirfd, const char *name, const char *path, const struct stat *st, void *arg)
{
	struct conversion *c = arg;
	autofree char *text = NULL, *want = NULL;
	struct stat dir;
	int r;

	if (!S_ISLNK(st->st_mode))
		return 0;
	text = fs_readlink(dirfd, name);
	want = text ? wanted(c, text) : NULL;
	if (!want)
		return 0;
	if (fstat(dirfd, &dir) < 0)
		return -1;
	r = replace(c, dirfd, name, st, want);
	if (r < 0 && errno == EACCES)
		r = replace_in_closed(c, dirfd, path, name, st, &dir, want);
	if (r < 0) {
		int errnum = errno;

		c->where = xstrdup(path);
		errno = errnum;
		return -1;
	}
	(void)futimens(dirfd, (const struct timespec[]){ dir.st_atim, dir.st_mtim });
	return 0;
}

static int open_stage(int bundle)
{
	if ((mkdirat(bundle, FAKECHROOT_RECORDS, 0700) < 0 && errno != EEXIST) ||
		(mkdirat(bundle, FAKECHROOT_RECORDS "/stage", 0700) < 0 && errno != EEXIST))
		return -1;
	return fs_open(bundle, FAKECHROOT_RECORDS "/stage", O_RDONLY | O_DIRECTORY, 0, FS_BENEATH);
}

static int walk(const struct engine_ctx *ctx, struct conversion *c, struct err **err)
{
	autoclose int fd = open(ctx->rootfs, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r;

	if (fd >= 0)
		close_again(c, fd);
	r = fd < 0 ? -1 : fs_walk_sorted(fd, convert_one, c);
	if (r < 0) {
		err_sys(err, errno, "symbolic links of '%s'%s%s", ctx->rootfs, c->where ? ": " : "",
			c->where ? c->where : "");
		r = -1;
	}
	free(c->where);
	c->where = NULL;
	return r;
}

static int convert(const struct engine_ctx *ctx, bool back, struct err **err)
{
	autoclose int bundle = open(ctx->bundle, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_str old = STR_INIT;
	struct conversion c = { .root = ctx->rootfs, .back = back, .stage = -1 };
	int r;

	if (bundle < 0 || (c.stage = open_stage(bundle)) < 0)
		return err_sys(err, errno, "write beside '%s'", ctx->rootfs);
	if (fs_read(bundle, FAKECHROOT_ROOT_PATH, PATH_MAX, &old, FS_BENEATH) == 0) {
		str_trim(&old);
		c.old = str_text(&old);
	}
	r = walk(ctx, &c, err);
	close(c.stage);
	if (r < 0)
		return -1;
	(void)unlinkat(bundle, FAKECHROOT_RECORDS "/stage/link", 0);
	(void)unlinkat(bundle, FAKECHROOT_RECORDS "/stage", AT_REMOVEDIR);
	(void)unlinkat(bundle, FAKECHROOT_RECORDS, AT_REMOVEDIR); /* if nothing else is in it */
	return 0;
}

/* What lies at root.path is where links lead: it is written when they do. */
static int note_root(const struct engine_ctx *ctx, struct err **err)
{
	autoclose int bundle = open(ctx->bundle, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (bundle < 0)
		return err_sys(err, errno, "bundle '%s'", ctx->bundle);
	return atomic_write(bundle, FAKECHROOT_ROOT_PATH, ctx->rootfs, strlen(ctx->rootfs), 0644, 0, err);
}

int fakechroot_prepare(const struct engine_ctx *ctx, struct err **err)
{
	if (fakechroot_links_undo(ctx->bundle, ctx->rootfs, err) < 0 || convert(ctx, false, err) < 0)
		return -1;
	return note_root(ctx, err);
}

int fakechroot_restore(const struct engine_ctx *ctx, struct err **err)
{
	if (fakechroot_links_undo(ctx->bundle, ctx->rootfs, err) < 0)
		return -1;
	return convert(ctx, true, err);
}
