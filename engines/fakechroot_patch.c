/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ROOT's programs for F2 to F4 (udocker-compat 7.4). A file is never changed: a patched copy takes the place of its names, and the original stays as it
 * is in a folder beside ROOT, "N" and, of one inode with the patched names, "N.new". So each name is the old or the new file at any time, which of
 * them its inode tells, whatever has been renamed since; going back is a rename of links, and the originals are the same inodes as before.
 */
#include "engines/fakechroot_patch.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "engines/elf_file.h"
#include "engines/fakechroot.h"
#include "engines/patchelf.h"
#include "pkg/base/atomic.h"
#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/fs.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/base/path.h"
#include "pkg/base/str.h"

#define EDITS_MAX 32 /* of a file: a program that we could build names one loader and one list */
#define NEW "new" /* in the stage: the copy that is patched */

struct patch {
	const struct engine_ctx *ctx;
	struct fakechroot_stage *stage;
	struct fakechroot_set set;
	struct fakechroot_places places;
	struct stat loader;
	char *patchelf; /* NULL: the loader alone */
	char *new_path; /* of NEW */
	char *where; /* path of what could not be done */
};

bool fakechroot_may_be_program(const char *name, const struct stat *st)
{
	if (!S_ISREG(st->st_mode) || (geteuid() != 0 && st->st_uid != geteuid()))
		return false;
	return (st->st_mode & 0111) || fnmatch("lib*.so", name, 0) == 0 ||
	       fnmatch("lib*.so.[0-9]*", name, 0) == 0;
}

/* ---- what is to be different ---- */
static char *into_root(const struct patch *p, const char *path)
{
	return *path == '/' && fakechroot_original(&p->places, path) == path
		       ? xjoin3(p->ctx->rootfs, "/", path)
		       : xstrdup(path);
}

/* A search path, the absolute folders in it led into ROOT; "$ORIGIN" and what else is relative stays. */
static char *folders_into_root(const struct patch *p, const char *text)
{
	auto_strv folders = STRV_INIT;

	strv_split(&folders, text, ":");
	for (size_t i = 0; i < folders.n; i++) {
		char *led = into_root(p, folders.v[i]);

		free(folders.v[i]);
		folders.v[i] = led;
	}
	return strv_join(&folders, ":");
}

/* Of what patchelf is to make another text, that text. A library that can be run keeps its loader: it is not started by it. */
static char *wanted(const struct patch *p, const struct elf_facts *facts, const struct elf_path *path)
{
	switch (path->kind) {
	case ELF_PATH_INTERP:
		return facts->has_soname ? xstrdup(path->text) : into_root(p, path->text);
	case ELF_PATH_NEEDED:
		return into_root(p, path->text);
	case ELF_PATH_VERSIONS: /* patchelf changes it with the other */
		return xstrdup(path->text);
	case ELF_PATH_RPATH:
	case ELF_PATH_RUNPATH:
		break;
	}
	return folders_into_root(p, path->text);
}

static void add_option(struct strv *ret, const struct elf_path *path, const char *want)
{
	switch (path->kind) {
	case ELF_PATH_INTERP:
		strv_add(ret, "--set-interpreter");
		break;
	case ELF_PATH_NEEDED:
		strv_add(ret, "--replace-needed");
		strv_add(ret, path->text);
		break;
	case ELF_PATH_VERSIONS:
		return;
	case ELF_PATH_RPATH:
	case ELF_PATH_RUNPATH:
		if (path->kind == ELF_PATH_RPATH)
			strv_add(ret, "--force-rpath");
		strv_add(ret, "--set-rpath");
		break;
	}
	strv_add(ret, want);
}

/* The options of patchelf for the first path that is to change; none: the file may stay as it is. False: it is none of ours. */
static bool look_at(const struct patch *p, int fd, struct strv *ret)
{
	autofree struct elf_facts *facts = xcalloc(1, sizeof(*facts));
	auto_elf_paths paths = { .items = NULL };

	if (elf_read(fd, facts) < 0 || facts->kind == ELF_NONE || facts->kind == ELF_STATIC ||
		!elf_is_native(facts) || elf_paths_read(fd, &paths) < 0)
		return false;
	for (size_t i = 0; i < paths.n && !ret->n; i++) {
		autofree char *want = wanted(p, facts, &paths.items[i]);

		if (strlen(want) >= PATH_MAX && paths.items[i].kind == ELF_PATH_INTERP)
			return false;
		if (!str_eq(want, paths.items[i].text))
			add_option(ret, &paths.items[i], want);
	}
	return true;
}

/* ---- patching ---- */
static int edit_loader(int in, int out)
{
	auto_str bytes = STR_INIT_MAX(FAKECHROOT_LOADER_MAX);

	if (fd_read_text(in, FAKECHROOT_LOADER_MAX, &bytes, "loader", NULL) < 0 || !bytes.len) {
		errno = EFBIG;
		return -1;
	}
	fakechroot_edit_loader(bytes.data, bytes.len);
	return fd_write_all(out, bytes.data, bytes.len);
}

int fakechroot_set_attributes(int fd, const struct stat *st)
{
	const struct timespec times[] = { st->st_atim, st->st_mtim };
	struct stat now;

	if (fstat(fd, &now) < 0)
		return -1;
	/* Before the mode: it takes set-id bits. */
	if ((now.st_uid != st->st_uid || now.st_gid != st->st_gid) &&
		fchown(fd, st->st_uid, st->st_gid) < 0 && fchown(fd, (uid_t)-1, st->st_gid) < 0)
		log_debug("a patched program has our group");
	if (fchmod(fd, st->st_mode & 07777) < 0)
		return -1;
	return futimens(fd, times);
}

/*
 * The copy in the stage, by one call for each path: with several at once patchelf 0.14 mixes them up. What it made is looked at after each. False with
 * the reason, or none.
 */
static bool run_patchelf(const struct patch *p, const struct stat *st, struct err **err)
{
	for (int i = 0; i < EDITS_MAX; i++) {
		auto_strv options = STRV_INIT;
		struct stat now;
		bool unlocked;
		autoclose int fd = fs_open_own(p->stage->fd, NEW, 0, &now, &unlocked);

		if (fd < 0 || now.st_size < st->st_size / 2 || !look_at(p, fd, &options))
			return false;
		if (options.n == 0)
			return true;
		if (patchelf_run(p->patchelf, &options, p->new_path, st->st_size, err) < 0)
			return false;
	}
	return false;
}

static bool is_loader(const struct patch *p, const struct stat *st)
{
	return S_ISREG(st->st_mode) && st->st_dev == p->loader.st_dev && st->st_ino == p->loader.st_ino;
}

/* A patched copy in the stage: 1; 0 if the file stays as it is; -1 with errno. */
static int make_copy(const struct patch *p, int fd, const struct stat *st, const char *path)
{
	bool loader = is_loader(p, st);
	auto_strv options = STRV_INIT;
	auto_err *why = NULL;
	autoclose int out = -1;

	if (!loader && (!p->patchelf || !look_at(p, fd, &options) || options.n == 0))
		return 0;
	(void)unlinkat(p->stage->fd, NEW, 0);
	out = openat(p->stage->fd, NEW, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0700);
	if (out < 0 || (loader ? edit_loader(fd, out) : fd_copy(fd, out, UINT64_MAX, NULL)) < 0)
		return -1;
	if (!loader && !run_patchelf(p, st, &why)) {
		log_verbose(
			"%s stays as it is: %s", path, why ? err_text(why) : "patchelf did not change it");
		return 0;
	}
	close(steal_fd(&out));
	out = openat(p->stage->fd, NEW, O_RDONLY | O_NOFOLLOW | O_CLOEXEC); /* it may be another file now */
	return out < 0 || fakechroot_set_attributes(out, st) < 0 ? -1 : 1;
}

static int patch_one(int dirfd, const char *name, const char *path, const struct stat *st, void *arg)
{
	struct patch *p = arg;
	struct fakechroot_pair *pair;
	autoclose int fd = -1;
	struct stat now;
	bool unlocked;
	int r;

	if (S_ISDIR(st->st_mode))
		return fakechroot_stage_note(p->stage, path, st);
	if (st->st_dev != p->set.dev || (!is_loader(p, st) && !fakechroot_may_be_program(name, st)))
		return 0;
	pair = fakechroot_set_by_original(&p->set, st->st_ino);
	if (!pair) {
		if (fakechroot_stage_note(p->stage, path, st) < 0)
			return -1;
		fd = fs_open_own(dirfd, name, 0, &now, &unlocked);
		if (fd < 0 && (errno == ENOENT || errno == EACCES || errno == ELOOP))
			return 0;
		r = fd < 0 ? -1 : make_copy(p, fd, &now, path);
		if (r == 1)
			r = fakechroot_set_add(&p->set, p->stage, dirfd, name, NEW, false, &pair);
	}
	if (pair)
		r = fakechroot_stage_change(p->stage, dirfd, name, path, fakechroot_set_put_patched, pair);
	if (r < 0 && !p->where) {
		int saved = errno;

		p->where = xstrdup(path);
		errno = saved;
	}
	return r;
}

/* ---- all of it ---- */
static int write_text(const struct patch *p, const char *file, const char *text, struct err **err)
{
	return atomic_write(p->stage->bundle, file, text, strlen(text), 0644, 0, err);
}

/* What 1.3.x wants to know of a container in these modes, and our records of the loader. */
static int write_records(const struct patch *p, const char *loader, int fd, struct err **err)
{
	auto_str original = STR_INIT_MAX(FAKECHROOT_LOADER_MAX);
	autofree char *now = xasprintf("%lld", (long long)time(NULL));

	if (fd_read_text(fd, FAKECHROOT_LOADER_MAX, &original, loader, err) < 0 ||
		atomic_write(p->stage->bundle, FAKECHROOT_LOADER_ORIGINAL, str_text(&original), original.len,
			0755, 0, err) < 0 ||
		write_text(p, FAKECHROOT_LOADER_PATH, loader, err) < 0)
		return -1;
	if (!p->patchelf)
		return 0;
	return write_text(p, FAKECHROOT_PATCH_TIME, now, err) < 0
		       ? -1
		       : write_text(p, FAKECHROOT_PATCH_PATH, p->ctx->bundle, err);
}

static int patch_all(struct patch *p, struct err **err)
{
	autofree char *loader = fakechroot_find_loader(p->ctx, p->stage->root, &p->places, err);
	autoclose int fd = loader ? fakechroot_open_inside(p->stage->root, loader, &p->loader) : -1;

	if (!loader)
		return -1;
	if (fd < 0)
		return err_sys(err, errno, "loader %s of the container", loader);
	if (fakechroot_set_open(&p->set, p->stage, true, err) < 0 || write_records(p, loader, fd, err) < 0)
		return -1;
	if (fs_walk_sorted(p->stage->root, patch_one, p) < 0)
		return err_sys(err, errno, "programs of '%s'%s%s", p->ctx->rootfs, p->where ? ": " : "",
			p->where ? p->where : "");
	if (!fakechroot_set_by_original(&p->set, p->loader.st_ino))
		return err_make(err, ERR_UNSUPPORTED, "mode %s: the container's loader %s cannot be replaced",
			p->ctx->mode, loader);
	(void)syncfs(p->stage->bundle); /* the mode is written when all of this is there */
	return 0;
}

int fakechroot_patch(const struct engine_ctx *ctx, struct err **err)
{
	auto_fakechroot_stage stage = FAKECHROOT_STAGE_INIT;
	struct patch p = { .ctx = ctx, .stage = &stage, .set = FAKECHROOT_SET_INIT };
	int r = -1;

	if (ctx->mode[1] != '2' && !(p.patchelf = patchelf_find(err)))
		return -1;
	p.new_path = xjoin3(ctx->bundle, "/" FAKECHROOT_STAGE "/", NEW);
	if (fakechroot_stage_open(&stage, ctx, err) == 0) {
		fakechroot_places_read(&p.places, ctx, stage.bundle);
		r = patch_all(&p, err);
	}
	fakechroot_set_close(&p.set);
	fakechroot_places_free(&p.places);
	free(p.patchelf);
	free(p.new_path);
	free(p.where);
	return r;
}
