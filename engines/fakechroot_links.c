/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Volumes as symbolic links in ROOT, for libraries that cannot map one path to another. A record beside ROOT is a link too, named after the
 * place ('/' as '#'), whose text is "MODE:ABOVE:HOST": the mode of the directory that was there or '-', the deepest folder that was there,
 * and what the link in ROOT says. It is made first, so that a crash leaves a record too many, never one too few.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engines/fakechroot.h"
#include "engines/fakechroot_entry.h"
#include "pkg/base/err.h"
#include "pkg/base/fs.h"
#include "pkg/base/mem.h"
#include "pkg/base/num.h"
#include "pkg/base/path.h"
#include "pkg/base/str.h"

#define FOLDER "links"
#define RECORD_MAX 255

static char *encode(const char *path, char from, char to)
{
	char *s = xstrdup(path);

	for (char *p = s; *p; p++)
		if (*p == from)
			*p = to;
	return s;
}

static bool is_empty(const char *path)
{
	DIR *dir = opendir(path);
	bool empty = dir;
	struct dirent *d;

	while (dir && empty && (d = readdir(dir)))
		empty = str_eq(d->d_name, ".") || str_eq(d->d_name, "..");
	if (dir)
		closedir(dir);
	return empty;
}

static bool leads_to(const char *path, const char *target)
{
	autofree char *text = fs_readlink(AT_FDCWD, path);

	return text && str_eq(text, target);
}

bool fakechroot_link_fits(const struct fakechroot_view *v, const char *guest, const char *host)
{
	autofree char *path = xjoin3(v->rootfs, guest, "");
	struct stat st;

	if (strchr(guest, '#') || strlen(guest) > RECORD_MAX || str_eq(guest, "/"))
		return false;
	/* In something of the host's nothing is made. */
	for (size_t i = 0; i < v->n; i++)
		if (path_is_below(guest, v->binds[i].guest) && !str_eq(guest, v->binds[i].guest))
			return false;
	if (lstat(path, &st) < 0)
		return errno == ENOENT;
	return S_ISLNK(st.st_mode) ? leads_to(path, host) : S_ISDIR(st.st_mode) && is_empty(path);
}

/* The deepest folder above `guest` that is there. */
static char *existing_above(const char *rootfs, const char *guest)
{
	char *above = path_dir(guest);

	while (!str_eq(above, "/")) {
		autofree char *host = xjoin3(rootfs, above, "");
		char *up;

		if (access(host, F_OK) == 0)
			break;
		up = path_dir(above);
		free(above);
		above = up;
	}
	return above;
}

static int make_parents(const char *rootfs, const char *guest, const char *above)
{
	size_t from = strlen(above);

	for (const char *p = strchr(guest + (from > 1 ? from + 1 : 1), '/'); p; p = strchr(p + 1, '/')) {
		autofree char *part = xstrndup(guest, (size_t)(p - guest));
		autofree char *host = xjoin3(rootfs, part, "");

		if (mkdir(host, 0755) < 0 && errno != EEXIST)
			return -1;
	}
	return 0;
}

/* One link; another run may have made it a moment ago. */
static int make_one(int records, const char *rootfs, const struct fakechroot_bind *b)
{
	autofree char *path = xjoin3(rootfs, b->guest, ""), *name = encode(b->guest, '/', '#');
	autofree char *above = existing_above(rootfs, b->guest), *record = NULL;
	struct stat st;
	bool there = lstat(path, &st) == 0;

	if (there && S_ISLNK(st.st_mode) && leads_to(path, b->host))
		return 0;
	if (there && S_ISDIR(st.st_mode))
		record = xasprintf("%04o:%s:%s", (unsigned)st.st_mode & 07777, above, b->host);
	else
		record = xasprintf("-:%s:%s", above, b->host);
	if (symlinkat(record, records, name) < 0 && errno != EEXIST)
		return -1;
	if (make_parents(rootfs, b->guest, above) < 0 || (there && rmdir(path) < 0 && errno != ENOENT))
		return -1;
	return symlink(b->host, path) < 0 && !(errno == EEXIST && leads_to(path, b->host)) ? -1 : 0;
}

/* The records' folder, made if it is not there. */
static int open_records(const char *bundle)
{
	autoclose int fd = open(bundle, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || (mkdirat(fd, FAKECHROOT_RECORDS, 0700) < 0 && errno != EEXIST) ||
		(mkdirat(fd, FAKECHROOT_RECORDS "/" FOLDER, 0700) < 0 && errno != EEXIST))
		return -1;
	return fs_open(fd, FAKECHROOT_RECORDS "/" FOLDER, O_RDONLY | O_DIRECTORY, 0, FS_BENEATH);
}

int fakechroot_links_make(const struct fakechroot_entry *e, struct err **err)
{
	autoclose int records = e->links.n ? open_records(e->bundle) : -1;

	if (e->links.n && records < 0)
		return err_sys(err, errno, "record mount points beside '%s'", e->view.rootfs);
	for (size_t i = 0; i < e->view.n; i++) {
		const struct fakechroot_bind *b = &e->view.binds[i];

		if (!strv_has(&e->links, b->guest) || make_one(records, e->view.rootfs, b) == 0)
			continue;
		if (errno != EEXIST && errno != ENOTEMPTY)
			return err_sys(err, errno, "mount point %s in the container", b->guest);
		err_make(err, ERR_BUSY, "mount point %s in the container shows something else", b->guest);
		return err_hint(err, "end the other run and take its mount points away with setup --purge");
	}
	return 0;
}

/* ---- undoing ---- */

static void remove_parents(const char *rootfs, const char *guest, const char *above)
{
	autofree char *part = path_dir(guest);

	while (!str_eq(part, above) && path_is_below(part, above)) {
		autofree char *host = xjoin3(rootfs, part, "");
		char *up = path_dir(part);

		free(part);
		part = up;
		if (rmdir(host) < 0)
			return; /* in use by something else: so is everything above */
	}
}

static int undo_one(const char *rootfs, const char *guest, char *record)
{
	autofree char *path = xjoin3(rootfs, guest, "");
	char *above = strchr(record, ':'), *host = above ? strchr(above + 1, ':') : NULL;
	struct stat st;
	unsigned mode;

	if (!host)
		return 0;
	*above++ = *host++ = '\0';
	if (lstat(path, &st) == 0) {
		if (!S_ISLNK(st.st_mode) || !leads_to(path, host))
			return 0; /* the container's now */
		if (unlink(path) < 0)
			return -1;
	}
	if (str_eq(record, "-"))
		remove_parents(rootfs, guest, above);
	else if (num_parse_octal(record, 07777, &mode) == 0 &&
		 (mkdir(path, 0700) < 0 || chmod(path, (mode_t)mode) < 0) && errno != EEXIST)
		return -1;
	return 0;
}

int fakechroot_links_undo(const char *bundle, const char *rootfs, struct err **err)
{
	autoclose int fd = open(bundle, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	autoclose int records =
		fd < 0 ? -1
		       : fs_open(fd, FAKECHROOT_RECORDS "/" FOLDER, O_RDONLY | O_DIRECTORY, 0, FS_BENEATH);
	auto_strv names = STRV_INIT;

	if (records < 0)
		return errno == ENOENT ? 0 : err_sys(err, errno, "mount points of '%s'", rootfs);
	if (fs_list(records, ".", &names) < 0)
		return err_sys(err, errno, "mount points of '%s'", rootfs);
	for (size_t i = 0; i < names.n; i++) {
		autofree char *record = fs_readlink(records, names.v[i]);
		autofree char *guest = encode(names.v[i], '#', '/'), *clean = path_clean(guest);

		if (!record || *guest != '/' || !str_eq(guest, clean))
			continue;
		if (undo_one(rootfs, guest, record) < 0)
			return err_sys(err, errno, "mount point %s in the container", guest);
		if (unlinkat(records, names.v[i], 0) < 0)
			return err_sys(err, errno, "mount points of '%s'", rootfs);
	}
	(void)unlinkat(fd, FAKECHROOT_RECORDS "/" FOLDER, AT_REMOVEDIR); /* stays if it is not empty */
	(void)unlinkat(fd, FAKECHROOT_RECORDS, AT_REMOVEDIR);
	return 0;
}
