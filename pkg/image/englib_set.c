/* SPDX-License-Identifier: Apache-2.0 */
/* Publishing and removing installed engines, so that a kill at any instant leaves something that the next call can end. */
#include "pkg/image/englib_set.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pkg/base/atomic.h"
#include "pkg/base/err.h"
#include "pkg/base/fs.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/base/str.h"
#include "pkg/conf/conf.h"

#define STAGE ".install"
#define PUBLISH ".publish" /* in libdir: STAGE, complete */
#define RECORD ".installed"
#define LOCK_NAME ".install.lock"
#define RECORD_MAX ((size_t)4 << 20)
#define VERSION_MAX 64

static const enum conf_key dir_keys[ENGLIB_PARTS] = { CONF_BINDIR, CONF_LIBDIR, CONF_DOCDIR };

static const char *dir_path(int part)
{
	return conf_str(dir_keys[part]);
}

/* ---- the record ---- */

/* The part and the name in a line of it; false for what is no such line. */
static bool parse_line(const char *line, int *ret_part, const char **ret_name)
{
	const char *p = line + strspn(line, "0123456789abcdef");

	if (p - line != 64 || p[0] != ' ' || p[1] != ' ')
		return false;
	p += 2;
	for (int part = 0; part < ENGLIB_PARTS; part++) {
		size_t n = strlen(englib_part_names[part]);

		if (strncmp(p, englib_part_names[part], n) != 0 || p[n] != '/')
			continue;
		*ret_part = part;
		*ret_name = p + n + 1;
		return **ret_name && **ret_name != '.' && !strchr(*ret_name, '/');
	}
	return false;
}

/* Its lines; none is an answer. */
static int read_record(int dirfd, struct strv *ret, struct err **err)
{
	auto_str text = STR_INIT;

	if (fs_read(dirfd, RECORD, RECORD_MAX, &text, FS_BENEATH) < 0)
		return errno == ENOENT ? 0 : err_sys(err, errno, "read %s/%s", dir_path(ENGLIB_LIB), RECORD);
	strv_split(ret, str_text(&text), "\n");
	return 0;
}

/* Remove what a line names, if it is still what was put there. */
static int remove_recorded(const struct englib_set *s, const char *line, struct err **err)
{
	char hex[SHA_HEX_MAX + 1];
	auto_err *why = NULL;
	const char *name;
	int part;

	if (!parse_line(line, &part, &name))
		return 0;
	if (englib_digest(s->dir[part], name, hex, &why) < 0) {
		if (!err_is(why, ERR_NOT_FOUND))
			log_warning("%s/%s was not removed: %s", dir_path(part), name, err_text(why));
		return 0;
	}
	if (strncmp(line, hex, strlen(hex)) != 0) {
		log_warning("%s/%s is not what was installed, and stays", dir_path(part), name);
		return 0;
	}
	if (unlinkat(s->dir[part], name, 0) < 0 && errno != ENOENT)
		return err_sys(err, errno, "remove %s/%s", dir_path(part), name);
	return 0;
}

static bool names_path(const struct strv *record, const char *path)
{
	for (size_t i = 0; i < record->n; i++)
		if (strlen(record->v[i]) > 66 && str_eq(record->v[i] + 66, path))
			return true;
	return false;
}

/* ---- publishing ---- */

/* Every staged file of a part but the two that end it. */
static int move_files(int from, int to, int part, struct err **err)
{
	auto_strv names = STRV_INIT;

	if (fs_list(from, ".", &names) < 0)
		return err_sys(err, errno, "read %s/%s", dir_path(part), STAGE);
	for (size_t i = 0; i < names.n; i++) {
		if (part == ENGLIB_LIB && (str_eq(names.v[i], ENGLIB_VERSION) || str_eq(names.v[i], RECORD)))
			continue;
		if (renameat(from, names.v[i], to, names.v[i]) < 0)
			return err_sys(err, errno, "install %s/%s", dir_path(part), names.v[i]);
	}
	return fs_sync_dir(to) < 0 ? err_sys(err, errno, "write %s", dir_path(part)) : 0;
}

/* The one file `name` from .publish into libdir; done before is done. */
static int move_last(const struct englib_set *s, int from, const char *name, struct err **err)
{
	if (renameat(from, name, s->dir[ENGLIB_LIB], name) < 0 && errno != ENOENT)
		return err_sys(err, errno, "install %s/%s", dir_path(ENGLIB_LIB), name);
	return fs_sync_dir(s->dir[ENGLIB_LIB]) < 0 ? err_sys(err, errno, "write %s", dir_path(ENGLIB_LIB))
						   : 0;
}

/* From the decision on: may be broken off anywhere, and is then done again from its beginning. */
static int carry_on(const struct englib_set *s, struct err **err)
{
	auto_strv before = STRV_INIT, now = STRV_INIT;
	autoclose int publish =
		openat(s->dir[ENGLIB_LIB], PUBLISH, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (publish < 0)
		return err_sys(err, errno, "open %s/%s", dir_path(ENGLIB_LIB), PUBLISH);
	for (int part = 0; part < ENGLIB_PARTS; part++) {
		autoclose int stage = -1;

		if (part != ENGLIB_LIB)
			stage = openat(s->dir[part], STAGE, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (part != ENGLIB_LIB && stage < 0 && errno == ENOENT)
			continue;
		if (move_files(part == ENGLIB_LIB ? publish : stage, s->dir[part], part, err) < 0)
			return -1;
	}
	if (read_record(s->dir[ENGLIB_LIB], &before, err) < 0 || read_record(publish, &now, err) < 0)
		return -1;
	for (size_t i = 0; now.n && i < before.n; i++)
		if (strlen(before.v[i]) > 66 && !names_path(&now, before.v[i] + 66) &&
			remove_recorded(s, before.v[i], err) < 0)
			return -1;
	if (move_last(s, publish, RECORD, err) < 0 || move_last(s, publish, ENGLIB_VERSION, err) < 0)
		return -1;
	for (int part = 0; part < ENGLIB_PARTS; part++)
		if (fs_rm_tree(s->dir[part], part == ENGLIB_LIB ? PUBLISH : STAGE, err) < 0)
			return -1;
	return 0;
}

/* Before the decision: a directory in the place of a file would keep it from ever being carried out. */
static int check_ways(const struct englib_set *s, struct err **err)
{
	for (int part = 0; part < ENGLIB_PARTS; part++) {
		auto_strv names = STRV_INIT;
		struct stat st;

		if (fs_list(s->stage[part], ".", &names) < 0)
			return err_sys(err, errno, "read %s/%s", dir_path(part), STAGE);
		for (size_t i = 0; i < names.n; i++)
			if (fstatat(s->dir[part], names.v[i], &st, AT_SYMLINK_NOFOLLOW) == 0 &&
				S_ISDIR(st.st_mode))
				return err_make(err, ERR_EXISTS,
					"%s/%s is a directory, and in the way of a file", dir_path(part),
					names.v[i]);
	}
	return 0;
}

int englib_set_publish(struct englib_set *s, struct err **err)
{
	auto_strv list = STRV_INIT;
	autofree char *text = NULL;

	if (englib_archive_list(s->stage, &list, err) < 0 || check_ways(s, err) < 0)
		return -1;
	strv_add(&list, "");
	text = strv_join(&list, "\n");
	if (atomic_write(s->stage[ENGLIB_LIB], RECORD, text, strlen(text), 0644, ATOMIC_DURABLE, err) < 0)
		return -1;
	if (renameat(s->dir[ENGLIB_LIB], STAGE, s->dir[ENGLIB_LIB], PUBLISH) < 0)
		return err_sys(err, errno, "install into %s", dir_path(ENGLIB_LIB));
	/* Decided: from now on what is staged belongs to the set, and nobody drops it. */
	for (int part = 0; part < ENGLIB_PARTS; part++) {
		close(s->stage[part]);
		s->stage[part] = -1;
	}
	if (fs_sync_dir(s->dir[ENGLIB_LIB]) < 0)
		return err_sys(err, errno, "write %s", dir_path(ENGLIB_LIB));
	return carry_on(s, err);
}

/* ---- opening ---- */

static int drop_staged(const struct englib_set *s, struct err **err)
{
	for (int part = 0; part < ENGLIB_PARTS; part++)
		if (fs_rm_tree(s->dir[part], STAGE, err) < 0)
			return err_add(err, "%s", dir_path(part));
	return 0;
}

static int open_dir(int part, struct err **err)
{
	const char *path = dir_path(part);
	int fd = *path == '/' ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

	if (fd < 0)
		return err_sys(err, *path == '/' ? errno : ENOENT, "open %s", *path ? path : "the store");
	if (faccessat(fd, ".", W_OK | X_OK, AT_EACCESS) < 0) {
		int e = errno;

		close(fd);
		err_sys(err, e, "%s cannot be written", path);
		return err_hint(err, "choose a store of your own with --repo DIR or UDOCKER_DIR");
	}
	return fd;
}

int englib_set_open(struct englib_set *ret, struct err **err)
{
	struct stat st;
	int lib;

	for (int part = 0; part < ENGLIB_PARTS; part++) {
		ret->dir[part] = open_dir(part, err);
		if (ret->dir[part] < 0)
			return -1;
	}
	lib = ret->dir[ENGLIB_LIB];
	if (lock_take(&ret->lock, lib, LOCK_NAME, LOCK_EXCLUSIVE, err) < 0)
		return err_add(err, "%s", dir_path(ENGLIB_LIB));
	if (fstatat(lib, PUBLISH, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		log_info("ending an installation of engines that was broken off");
		if (carry_on(ret, err) < 0)
			return -1;
	}
	return drop_staged(ret, err);
}

void englib_set_close(struct englib_set *s)
{
	for (int part = 0; part < ENGLIB_PARTS; part++) {
		if (s->stage[part] >= 0) {
			(void)fs_rm_tree(s->dir[part], STAGE, NULL); /* else the next one does */
			close(s->stage[part]);
		}
	}
	for (int part = 0; part < ENGLIB_PARTS; part++)
		if (s->dir[part] >= 0)
			close(s->dir[part]);
	lock_release(&s->lock);
	*s = ENGLIB_SET_INIT;
}

int englib_set_stage(struct englib_set *s, struct err **err)
{
	for (int part = 0; part < ENGLIB_PARTS; part++) {
		if (s->stage[part] >= 0) { /* of an archive that was refused */
			close(s->stage[part]);
			s->stage[part] = -1;
			if (fs_rm_tree(s->dir[part], STAGE, err) < 0)
				return -1;
		}
		if (mkdirat(s->dir[part], STAGE, 0700) < 0)
			return err_sys(err, errno, "create %s/%s", dir_path(part), STAGE);
		s->stage[part] = openat(s->dir[part], STAGE, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (s->stage[part] < 0)
			return err_sys(err, errno, "open %s/%s", dir_path(part), STAGE);
	}
	return 0;
}

char *englib_set_version(void)
{
	autoclose int lib = open(dir_path(ENGLIB_LIB), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_str text = STR_INIT;

	if (lib < 0 || fs_read(lib, ENGLIB_VERSION, VERSION_MAX, &text, FS_BENEATH) < 0)
		return xstrdup("");
	str_trim(&text);
	return str_steal(&text);
}

int englib_set_purge(struct englib_set *s, struct err **err)
{
	int lib = s->dir[ENGLIB_LIB];
	auto_strv record = STRV_INIT;
	bool installed = fs_exists(lib, ENGLIB_VERSION);

	if (read_record(lib, &record, err) < 0)
		return -1;
	if (installed && !record.n) {
		err_make(err, ERR_NOT_FOUND, "%s has no list of what was installed: nothing was removed",
			dir_path(ENGLIB_LIB));
		return err_hint(err, "udocker 1.3.x installed it; remove it by hand, or put another in its "
				     "place with --force");
	}
	/* From the first on they count as not installed; the record goes last, so that the next call can end it. */
	for (int last = 0; last <= 1; last++) {
		for (size_t i = 0; i < record.n; i++) {
			bool is_version =
				strlen(record.v[i]) > 66 && str_eq(record.v[i] + 66, "lib/" ENGLIB_VERSION);

			if (is_version == (last == 0) && remove_recorded(s, record.v[i], err) < 0)
				return -1;
		}
		if (fs_sync_dir(lib) < 0)
			return err_sys(err, errno, "write %s", dir_path(ENGLIB_LIB));
	}
	if (unlinkat(lib, RECORD, 0) < 0 && errno != ENOENT)
		return err_sys(err, errno, "remove %s/%s", dir_path(ENGLIB_LIB), RECORD);
	return 0;
}
