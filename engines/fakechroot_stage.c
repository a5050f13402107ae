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

#define AT_HAND "dir"
#define NOTED "mode."

/* ---- the directory at hand: a link whose text is "MODE:SECONDS:NANOSECONDS:PATH" ---- */
static int set_times(int fd, mode_t mode, const struct timespec *modified)
{
	const struct timespec times[] = { { .tv_nsec = UTIME_OMIT }, *modified };

	if (utimensat(fd, ".", times, 0) == 0)
		return 0;
	return fs_chmod_opath(fd, mode | S_IXUSR) < 0 ? -1 : utimensat(fd, ".", times, 0);
}

/* What a predecessor that was killed has left open, or with another time. */
static void put_back_at_hand(const struct fakechroot_stage *s)
{
	autofree char *record = fs_readlink(s->fd, AT_HAND);
	struct timespec modified;
	char *word[3], *rest = record;
	autoclose int fd = -1;
	unsigned mode;
	int64_t sec, nsec;

	for (int i = 0; i < 3; i++) {
		char *end = rest ? strchr(rest, ':') : NULL;

		if (!end)
			return;
		*end = '\0';
		word[i] = rest;
		rest = end + 1;
	}
	if (num_parse_octal(word[0], 07777, &mode) < 0 ||
		num_parse_i64(word[1], INT64_MIN, INT64_MAX, &sec) < 0 ||
		num_parse_i64(word[2], 0, 999999999, &nsec) < 0)
		return;
	fd = fs_open(s->root, rest, O_PATH | O_DIRECTORY, 0, FS_BENEATH);
	if (fd < 0)
		return; /* removed since */
	modified = (struct timespec){ .tv_sec = (time_t)sec, .tv_nsec = (long)nsec };
	(void)set_times(fd, (mode_t)mode, &modified); /* what is not ours to change stays */
	(void)fs_chmod_opath(fd, (mode_t)mode);
}

/* ---- what is opened for a look: links "mode.N", whose text is "MODE:PATH" ---- */
static mode_t opened(mode_t mode)
{
	return (mode & 07777) | (S_ISDIR(mode) ? S_IRUSR | S_IXUSR : S_IRUSR);
}

int fakechroot_stage_note(struct fakechroot_stage *s, const char *path, const struct stat *st)
{
	autofree char *name = NULL, *record = NULL;

	if ((!S_ISREG(st->st_mode) && !S_ISDIR(st->st_mode)) || st->st_uid != geteuid() ||
		opened(st->st_mode) == (st->st_mode & 07777))
		return 0;
	name = xasprintf(NOTED "%08u", s->noted++);
	record = xasprintf("%04o:%s", (unsigned)st->st_mode & 07777, path);
	return symlinkat(record, s->fd, name) < 0 && errno != ENAMETOOLONG ? -1 : 0;
}

/* What somebody has changed since stays as it is now. */
static void put_back_mode(const struct fakechroot_stage *s, char *record)
{
	char *path = strchr(record, ':');
	autoclose int fd = -1;
	struct stat st;
	unsigned mode;

	if (!path)
		return;
	*path++ = '\0';
	fd = fs_open(s->root, path, O_PATH, 0, FS_BENEATH);
	if (fd < 0 || fstat(fd, &st) < 0 || num_parse_octal(record, 07777, &mode) < 0)
		return;
	if ((st.st_mode & 07777) == opened((st.st_mode & S_IFMT) | mode))
		(void)fs_chmod_opath(fd, (mode_t)mode);
}

static void put_back(const struct fakechroot_stage *s)
{
	auto_strv names = STRV_INIT;

	put_back_at_hand(s);
	if (fs_list(s->fd, ".", &names) < 0)
		return;
	/* From the innermost: afterwards nothing below can be reached. */
	for (size_t i = names.n; i-- > 0;) {
		autofree char *record = str_starts(names.v[i], NOTED) ? fs_readlink(s->fd, names.v[i]) : NULL;

		if (!record)
			continue;
		put_back_mode(s, record);
		(void)unlinkat(s->fd, names.v[i], 0);
	}
}

/* Once for changes in one directory, before the first. The one before is as it was already. */
static int take_in_hand(struct fakechroot_stage *s, const char *path, const struct stat *dir)
{
	autofree char *above = path_dir(path), *record = NULL;

	if (s->at_hand && str_eq(s->at_hand, above))
		return 0;
	record = xasprintf("%04o:%lld:%ld:%s", (unsigned)dir->st_mode & 07777, (long long)dir->st_mtim.tv_sec,
		dir->st_mtim.tv_nsec, above);
	(void)unlinkat(s->fd, AT_HAND, 0);
	if (symlinkat(record, s->fd, AT_HAND) < 0 && errno != ENAMETOOLONG)
		return -1;
	free(s->at_hand);
	s->at_hand = steal_ptr(&above);
	return 0;
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
	put_back(s);
	return 0;
}

void fakechroot_stage_close(struct fakechroot_stage *s)
{
	auto_strv names = STRV_INIT;

	if (s->fd >= 0 && fs_list(s->fd, ".", &names) == 0) {
		for (size_t i = 0; i < names.n; i++)
			(void)unlinkat(s->fd, names.v[i], 0); /* what stays is dropped by the next */
		(void)unlinkat(s->bundle, FAKECHROOT_STAGE, AT_REMOVEDIR);
		(void)unlinkat(s->bundle, FAKECHROOT_RECORDS, AT_REMOVEDIR); /* if nothing else is in it */
	}
	for (int i = 0; i < 3; i++) {
		int fd = i == 0 ? s->fd : i == 1 ? s->root : s->bundle;

		if (fd >= 0)
			close(fd);
	}
	free(s->at_hand);
	*s = FAKECHROOT_STAGE_INIT;
}

/* A directory that its mode closes for its owner is opened for one change. */
static int change_in_closed(const struct fakechroot_stage *s, int dirfd, const char *name,
	const struct stat *dir, fakechroot_change_fn *change, void *arg)
{
	int r, saved;

	if (fchmod(dirfd, (dir->st_mode & 07777) | S_IRWXU) < 0)
		return -1;
	r = change(s, dirfd, name, arg);
	saved = errno;
	if (fchmod(dirfd, dir->st_mode & 07777) < 0)
		return -1;
	errno = saved;
	return r;
}

int fakechroot_stage_change(struct fakechroot_stage *s, int dirfd, const char *name, const char *path,
	fakechroot_change_fn *change, void *arg)
{
	struct stat dir;
	int r;

	if (fstat(dirfd, &dir) < 0 || take_in_hand(s, path, &dir) < 0)
		return -1;
	r = change(s, dirfd, name, arg);
	if (r < 0 && errno == EACCES)
		r = change_in_closed(s, dirfd, name, &dir, change, arg);
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
