/* SPDX-License-Identifier: Apache-2.0 */
/* The folder beside ROOT in which its new entries are made, and what paths that were led into ROOT said before. */
#include "engines/fakechroot_stage.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engines/elf_file.h"
#include "engines/fakechroot.h"
#include "pkg/base/err.h"
#include "pkg/base/fs.h"
#include "pkg/base/mem.h"
#include "pkg/base/num.h"
#include "pkg/base/path.h"
#include "pkg/base/str.h"
#include "pkg/base/strv.h"

#define CLOSED_DIR "dir"

/* What a predecessor that was killed has left open. */
static void close_again(const struct fakechroot_stage *s)
{
	autofree char *record = fs_readlink(s->fd, CLOSED_DIR);
	char *path = record ? strchr(record, ':') : NULL;
	autoclose int fd = -1;
	unsigned mode;

	if (!path)
		return;
	*path++ = '\0';
	fd = fs_open(s->root, path, O_PATH | O_DIRECTORY, 0, FS_BENEATH);
	if (fd >= 0 && num_parse_octal(record, 07777, &mode) == 0)
		(void)fs_chmod_opath(fd, (mode_t)mode);
	(void)unlinkat(s->fd, CLOSED_DIR, 0);
}

int fakechroot_stage_open(struct fakechroot_stage *s, const struct engine_ctx *ctx, struct err **err)
{
	s->bundle = open(ctx->bundle, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	s->root = open(ctx->rootfs, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->bundle < 0 || s->root < 0)
		return err_sys(err, errno, "root file system '%s'", ctx->rootfs);
	if ((mkdirat(s->bundle, FAKECHROOT_RECORDS, 0700) < 0 && errno != EEXIST) ||
		(mkdirat(s->bundle, FAKECHROOT_STAGE, 0700) < 0 && errno != EEXIST) ||
		(s->fd = fs_open(s->bundle, FAKECHROOT_STAGE, O_RDONLY | O_DIRECTORY, 0, FS_BENEATH)) < 0)
		return err_sys(err, errno, "write beside '%s'", ctx->rootfs);
	close_again(s);
	return 0;
}

void fakechroot_stage_close(struct fakechroot_stage *s)
{
	auto_strv names = STRV_INIT;

	if (s->fd >= 0 && fs_list(s->fd, ".", &names) == 0) {
		for (size_t i = 0; i < names.n; i++)
			if (!str_eq(names.v[i], CLOSED_DIR))
				(void)unlinkat(s->fd, names.v[i], 0); /* what stays is dropped by the next */
		(void)unlinkat(s->bundle, FAKECHROOT_STAGE, AT_REMOVEDIR);
		(void)unlinkat(s->bundle, FAKECHROOT_RECORDS, AT_REMOVEDIR); /* if nothing else is in it */
	}
	for (int i = 0; i < 3; i++) {
		int fd = i == 0 ? s->fd : i == 1 ? s->root : s->bundle;

		if (fd >= 0)
			close(fd);
	}
	*s = FAKECHROOT_STAGE_INIT;
}

/* A directory that its mode closes for its owner is opened for one change; its mode is noted until it has it back. */
static int change_in_closed(const struct fakechroot_stage *s, int dirfd, const char *name, const char *path,
	const struct stat *dir, fakechroot_change_fn *change, void *arg)
{
	autofree char *above = path_dir(path);
	autofree char *record = xasprintf("%04o:%s", (unsigned)dir->st_mode & 07777, above);
	int r, saved;

	(void)unlinkat(s->fd, CLOSED_DIR, 0);
	if (symlinkat(record, s->fd, CLOSED_DIR) < 0 || fchmod(dirfd, (dir->st_mode & 07777) | S_IRWXU) < 0)
		return -1;
	r = change(s, dirfd, name, arg);
	saved = errno;
	if (fchmod(dirfd, dir->st_mode & 07777) < 0)
		return -1;
	(void)unlinkat(s->fd, CLOSED_DIR, 0);
	errno = saved;
	return r;
}

int fakechroot_stage_change(const struct fakechroot_stage *s, int dirfd, const char *name, const char *path,
	fakechroot_change_fn *change, void *arg)
{
	struct stat dir;
	int r;

	if (fstat(dirfd, &dir) < 0)
		return -1;
	r = change(s, dirfd, name, arg);
	if (r < 0 && errno == EACCES)
		r = change_in_closed(s, dirfd, name, path, &dir, change, arg);
	if (r == 0)
		(void)futimens(dirfd, (const struct timespec[]){ dir.st_atim, dir.st_mtim });
	return r;
}

/* ---- places ---- */
static char *read_line(int bundle, const char *file)
{
	auto_str text = STR_INIT;

	if (fs_read(bundle, file, ELF_PATH_MAX, &text, FS_BENEATH) < 0)
		return NULL;
	str_trim(&text);
	return text.len ? str_steal(&text) : NULL;
}

void fakechroot_places_read(struct fakechroot_places *p, const struct engine_ctx *ctx, int bundle)
{
	autofree char *patched = read_line(bundle, FAKECHROOT_PATCH_PATH);

	p->now = ctx->rootfs;
	p->then = read_line(bundle, FAKECHROOT_ROOT_PATH);
	p->patched = patched ? path_join(patched, path_base(ctx->rootfs)) : NULL;
}

void fakechroot_places_free(struct fakechroot_places *p)
{
	free(p->then);
	free(p->patched);
	*p = (struct fakechroot_places){ .now = NULL };
}

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

const char *fakechroot_original(const struct fakechroot_places *p, const char *text)
{
	size_t n = prefix_of(text, p->now);

	if (!n)
		n = prefix_of(text, p->then);
	if (!n)
		n = prefix_of(text, p->patched);
	if (!n)
		n = container_prefix(text);
	text += n;
	return n && !*text ? "/" : text;
}
