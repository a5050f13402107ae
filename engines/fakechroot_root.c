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
#include "engines/fakechroot_stage.h"
#include "pkg/base/atomic.h"
#include "pkg/base/err.h"
#include "pkg/base/fs.h"
#include "pkg/base/mem.h"
#include "pkg/base/path.h"

struct conversion {
	struct fakechroot_stage *stage;
	struct fakechroot_places places;
	bool back;
	char *where; /* path of the link that could not be changed */
};

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
	const char *plain = fakechroot_original(&c->places, text);
	char *want;

	if (*text != '/')
		return NULL;
	want = c->back || is_of_the_kernel(plain) ? xstrdup(plain) : xjoin3(c->places.now, plain, "");
	if (str_eq(want, text) || strlen(want) >= PATH_MAX) {
		free(want);
		return NULL;
	}
	return want;
}

struct new_link {
	const char *text;
	const struct stat *st; /* of the old one */
};

/* By way of the stage; where that is another file system, in the directory itself. */
static int replace(const struct fakechroot_stage *s, int dirfd, const char *name, void *arg)
{
	const struct new_link *l = arg;
	const struct timespec times[] = { l->st->st_atim, l->st->st_mtim };

	(void)unlinkat(s->fd, "link", 0);
	if (symlinkat(l->text, s->fd, "link") < 0)
		return -1;
	(void)utimensat(s->fd, "link", times, AT_SYMLINK_NOFOLLOW);
	(void)!fchownat(s->fd, "link", l->st->st_uid, l->st->st_gid,
		AT_SYMLINK_NOFOLLOW); /* root's: else they are ours */
	if (renameat(s->fd, "link", dirfd, name) == 0)
		return 0;
	return errno == EXDEV ? atomic_symlink(dirfd, l->text, name, NULL) : -1;
}

static int convert_one(int dirfd, const char *name, const char *path, const struct stat *st, void *arg)
{
	struct conversion *c = arg;
	autofree char *text = NULL, *want = NULL;

	if (S_ISDIR(st->st_mode))
		return fakechroot_stage_note(c->stage, path, st);
	if (!S_ISLNK(st->st_mode))
		return 0;
	text = fs_readlink(dirfd, name);
	want = text ? wanted(c, text) : NULL;
	if (!want || fakechroot_stage_change(
			     c->stage, dirfd, name, path, replace, &(struct new_link){ want, st }) == 0)
		return 0;
	dirfd = errno;
	c->where = xstrdup(path);
	errno = dirfd;
	return -1;
}

static int convert(const struct engine_ctx *ctx, bool back, struct err **err)
{
	auto_fakechroot_stage stage = FAKECHROOT_STAGE_INIT;
	struct conversion c = { .stage = &stage, .back = back };
	int r;

	if (fakechroot_stage_open(&stage, ctx, err) < 0)
		return -1;
	fakechroot_places_read(&c.places, ctx, stage.bundle);
	r = fs_walk_sorted(stage.root, convert_one, &c);
	if (r < 0)
		err_sys(err, errno, "symbolic links of '%s'%s%s", ctx->rootfs, c.where ? ": " : "",
			c.where ? c.where : "");
	free(c.where);
	fakechroot_places_free(&c.places);
	return r < 0 ? -1 : 0;
}

/* What lies at root.path is where links lead: it is written when they do. */
static int note_root(const struct engine_ctx *ctx, struct err **err)
{
	autoclose int bundle = open(ctx->bundle, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (bundle < 0)
		return err_sys(err, errno, "bundle '%s'", ctx->bundle);
	return atomic_write(bundle, FAKECHROOT_ROOT_PATH, ctx->rootfs, strlen(ctx->rootfs), 0644, 0, err);
}

/*
 * Programs are looked for with the links as the image has them: so they are patched before these are led into ROOT, and put back after
 * they lead to where they led.
 */
int fakechroot_prepare(const struct engine_ctx *ctx, struct err **err)
{
	if (ctx->mode[1] != '1' && (fakechroot_restore(ctx, err) < 0 || fakechroot_patch(ctx, err) < 0))
		return -1;
	if (fakechroot_links_undo(ctx->bundle, ctx->rootfs, err) < 0 || convert(ctx, false, err) < 0)
		return -1;
	return note_root(ctx, err);
}

int fakechroot_restore(const struct engine_ctx *ctx, struct err **err)
{
	if (fakechroot_links_undo(ctx->bundle, ctx->rootfs, err) < 0 || convert(ctx, true, err) < 0)
		return -1;
	return fakechroot_unpatch(ctx, err);
}
