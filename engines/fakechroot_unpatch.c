/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ROOT's programs as they were. What was patched here has its original beside ROOT. What 1.3.x patched, and copies that programs made of
 * patched files since, have none: a copy whose paths say what they said becomes the original, and the rest is the same for all. The loader of
 * 1.3.x is in its ld.so.orig.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "engines/fakechroot.h"
#include "engines/fakechroot_patch.h"
#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/fs.h"
#include "pkg/base/mem.h"
#include "pkg/base/str.h"
#include "pkg/base/strv.h"

#define NEW "new" /* in the stage: a file as it was */

struct unpatch {
	const struct engine_ctx *ctx;
	struct fakechroot_stage *stage;
	struct fakechroot_set set;
	struct fakechroot_places places;
	struct stat loader; /* that of 1.3.x, to be replaced by what it kept; st_ino 0: none */
	bool programs; /* paths in programs are looked at */
	char *where;
};

/* ---- paths ---- */
static const char *without_root(const struct unpatch *u, const char *path)
{
	const char *plain = fakechroot_original(&u->places, path);

	return plain != path && plain[0] == '/' && plain[1] == '/' ? plain + 1 : plain;
}

/* The text as it was, never longer; caller frees. */
static char *original_text(const struct unpatch *u, const struct elf_path *p)
{
	auto_strv folders = STRV_INIT;

	if (p->kind != ELF_PATH_RPATH && p->kind != ELF_PATH_RUNPATH)
		return xstrdup(without_root(u, p->text));
	strv_split(&folders, p->text, ":");
	for (size_t i = 0; i < folders.n; i++) {
		char *plain = xstrdup(without_root(u, folders.v[i]));

		free(folders.v[i]);
		folders.v[i] = plain;
	}
	return strv_join(&folders, ":");
}

static int write_text(int fd, const struct elf_path *p, const char *text)
{
	size_t n = strlen(p->text);
	autofree char *field = xcalloc(1, n + 1);

	memcpy(field, text, strlen(text));
	return pwrite(fd, field, n, (off_t)p->at) == (ssize_t)n ? 0 : -1;
}

/* Does the file name ROOT? */
static bool is_patched(const struct unpatch *u, int fd, struct elf_paths *ret)
{
	bool any = false;

	if (elf_paths_read(fd, ret) < 0)
		return false;
	for (size_t i = 0; i < ret->n; i++) {
		autofree char *text = original_text(u, &ret->items[i]);

		any |= strlen(text) < strlen(ret->items[i].text);
	}
	return any;
}

/* ---- files without an original ---- */
static int make_new(const struct fakechroot_stage *s)
{
	(void)unlinkat(s->fd, NEW, 0);
	return openat(s->fd, NEW, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0700);
}

/* In the stage: 1; 0 if the file stays as it is. */
static int make_original(const struct unpatch *u, int fd, const struct stat *st)
{
	auto_elf_paths paths = { .items = NULL };
	autoclose int out = -1;

	if (!is_patched(u, fd, &paths))
		return 0;
	out = make_new(u->stage);
	if (out < 0 || fd_copy(fd, out, UINT64_MAX, NULL) < 0)
		return -1;
	for (size_t i = 0; i < paths.n; i++) {
		autofree char *text = original_text(u, &paths.items[i]);

		if (strlen(text) < strlen(paths.items[i].text) && write_text(out, &paths.items[i], text) < 0)
			return -1;
	}
	return fakechroot_set_attributes(out, st) < 0 ? -1 : 1;
}

static int make_original_loader(const struct unpatch *u, const struct stat *st)
{
	autoclose int in = fs_open(u->stage->bundle, FAKECHROOT_LOADER_ORIGINAL, O_RDONLY, 0, FS_BENEATH);
	autoclose int out = make_new(u->stage);

	if (in < 0 || out < 0 || fd_copy(in, out, UINT64_MAX, NULL) < 0)
		return -1;
	return fakechroot_set_attributes(out, st) < 0 ? -1 : 1;
}

static bool is_old_loader(const struct unpatch *u, const struct stat *st)
{
	return u->loader.st_ino && st->st_dev == u->loader.st_dev && st->st_ino == u->loader.st_ino;
}

static int adopt(struct unpatch *u, int dirfd, const char *name, const char *path, const struct stat *st,
	struct fakechroot_pair **ret)
{
	struct stat now;
	bool unlocked;
	int r;

	if (is_old_loader(u, st)) {
		r = make_original_loader(u, st);
	} else {
		autoclose int fd = fakechroot_stage_note(u->stage, path, st) < 0
					   ? -1
					   : fs_open_own(dirfd, name, 0, &now, &unlocked);

		if (fd < 0)
			return errno == ENOENT || errno == EACCES ? 0 : -1;
		r = make_original(u, fd, &now);
	}
	return r == 1 ? fakechroot_set_add(&u->set, u->stage, dirfd, name, NEW, true, ret) : r;
}

/* ---- all of it ---- */
static int unpatch_one(int dirfd, const char *name, const char *path, const struct stat *st, void *arg)
{
	struct unpatch *u = arg;
	struct fakechroot_pair *pair;
	int r = 0;

	if (S_ISDIR(st->st_mode))
		return fakechroot_stage_note(u->stage, path, st);
	if (!S_ISREG(st->st_mode) || st->st_dev != u->set.dev)
		return 0;
	pair = fakechroot_set_by_patched(&u->set, st->st_ino);
	if (!pair && (is_old_loader(u, st) || (u->programs && fakechroot_may_be_program(name, st))))
		r = adopt(u, dirfd, name, path, st, &pair);
	if (pair && r == 0 && (r = fakechroot_set_take_mode(pair, st)) == 0)
		r = fakechroot_stage_change(u->stage, dirfd, name, path, fakechroot_set_put_original, pair);
	if (r < 0 && !u->where) {
		int saved = errno;

		u->where = xstrdup(path);
		errno = saved;
	}
	return r;
}

/* Is the loader in ROOT what the one that 1.3.x has kept becomes by its edits? One that was upgraded since is not. */
static void find_old_loader(struct unpatch *u)
{
	auto_str kept = STR_INIT_MAX(FAKECHROOT_LOADER_MAX), now = STR_INIT_MAX(FAKECHROOT_LOADER_MAX);
	auto_str path = STR_INIT;
	autoclose int fd = -1;
	struct stat st;

	if (fs_read(u->stage->bundle, FAKECHROOT_LOADER_PATH, ELF_PATH_MAX, &path, FS_BENEATH) < 0 ||
		fs_read(u->stage->bundle, FAKECHROOT_LOADER_ORIGINAL, FAKECHROOT_LOADER_MAX, &kept,
			FS_BENEATH) < 0 ||
		!kept.len)
		return;
	str_trim(&path);
	fd = fakechroot_open_inside(u->stage->root, str_text(&path), &st);
	if (fd < 0 || fakechroot_set_by_patched(&u->set, st.st_ino) ||
		fd_read_text(fd, FAKECHROOT_LOADER_MAX, &now, "loader", NULL) < 0 || now.len != kept.len)
		return;
	fakechroot_edit_loader(kept.data, kept.len);
	if (memcmp(now.data, kept.data, kept.len) == 0)
		u->loader = st;
}

static int unpatch_all(struct unpatch *u, struct err **err)
{
	static const char *const records[] = { FAKECHROOT_LOADER_ORIGINAL, FAKECHROOT_LOADER_PATH,
		FAKECHROOT_PATCH_TIME, FAKECHROOT_PATCH_PATH };

	if (fakechroot_set_open(&u->set, u->stage, true, err) < 0)
		return -1;
	find_old_loader(u);
	if (fs_walk_sorted(u->stage->root, unpatch_one, u) < 0)
		return err_sys(err, errno, "programs of '%s'%s%s", u->ctx->rootfs, u->where ? ": " : "",
			u->where ? u->where : "");
	(void)syncfs(u->stage->bundle); /* before what could be done again is gone */
	if (fakechroot_set_remove(&u->set, u->stage) < 0)
		return err_sys(err, errno, "programs kept beside '%s'", u->ctx->rootfs);
	for (size_t i = 0; i < ARRAY_LEN(records); i++)
		if (unlinkat(u->stage->bundle, records[i], 0) < 0 && errno != ENOENT)
			return err_sys(err, errno, "%s", records[i]);
	return 0;
}

/* Has anybody patched anything here? */
static bool is_needed(const struct engine_ctx *ctx, const struct fakechroot_stage *s)
{
	return ctx->mode[1] != '1' || fs_exists(s->bundle, FAKECHROOT_ORIGINALS) ||
	       fs_exists(s->bundle, FAKECHROOT_LOADER_ORIGINAL) ||
	       fs_exists(s->bundle, FAKECHROOT_PATCH_PATH);
}

int fakechroot_unpatch(const struct engine_ctx *ctx, struct err **err)
{
	auto_fakechroot_stage stage = FAKECHROOT_STAGE_INIT;
	struct unpatch u = { .ctx = ctx, .stage = &stage, .set = FAKECHROOT_SET_INIT };
	int r = 0;

	if (fakechroot_stage_open(&stage, ctx, err) < 0)
		return -1;
	if (!is_needed(ctx, &stage))
		return 0;
	u.programs = ctx->mode[1] > '2' || fs_exists(stage.bundle, FAKECHROOT_PATCH_PATH);
	fakechroot_places_read(&u.places, ctx, stage.bundle);
	r = unpatch_all(&u, err);
	fakechroot_set_close(&u.set);
	fakechroot_places_free(&u.places);
	free(u.where);
	return r;
}
