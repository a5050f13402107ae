/* SPDX-License-Identifier: Apache-2.0 */
/* Makes and unmakes mount points inside ROOT, with the records of udocker 1.3.x in the container folder. */
#include "engines/mountpoints.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "oci-spec/runtime_config.h"
#include "pkg/base/err.h"
#include "pkg/base/fs.h"
#include "pkg/base/json.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/base/path.h"
#include "pkg/base/str.h"
#include "pkg/base/strv.h"

#define RECORDS ".mountpoints"
#define ORIGINALS ".bind_orig_files"
#define HOST_FILES "/.bind_host_files" /* inside ROOT: where 1.3.x mounts its copies */
#define RECORD_MAX 255 /* a file name: what is longer cannot be recorded */

/* "/etc/x" as "#etc#x", and back. */
static char *encode(const char *path, char from, char to)
{
	char *s = xstrdup(path);

	for (char *p = s; *p; p++)
		if (*p == from)
			*p = to;
	return s;
}

/* ---- making ---- */
/* Length of the deepest part of `path` that exists in the root; 1 for "/". */
static size_t existing_prefix(int rootfd, const char *path)
{
	autofree char *part = xstrdup(path);
	size_t n = strlen(part);

	while (n > 1) {
		autoclose int fd = fs_open(rootfd, part, O_PATH, 0, FS_IN_ROOT);

		if (fd >= 0)
			return n;
		while (part[n - 1] != '/')
			n--;
		if (n > 1)
			n--;
		part[n] = '\0';
	}
	return 1;
}

/* Note what is about to be made, before it is made: a crash in between leaves a record too many, never one too few. */
static void record(int bundle_fd, const char *path, size_t existing)
{
	autofree char *ancestor = xstrndup(path, existing);
	autofree char *name = encode(path, '/', '#');
	autofree char *target = encode(ancestor, '/', '#');
	autoclose int dirfd = -1;

	/* A folder that cannot be written, or a name with '#' or too long for a file: as 1.3.x, the mount point stays. */
	if (strchr(path, '#') || strlen(name) > RECORD_MAX)
		return;
	(void)mkdirat(bundle_fd, RECORDS, 0755);
	dirfd = fs_open(bundle_fd, RECORDS, O_RDONLY | O_DIRECTORY, 0, FS_BENEATH);
	if (dirfd < 0 || (symlinkat(target, dirfd, name) < 0 && errno != EEXIST))
		log_debug("mount point %s is not recorded: %s", path, strerror(errno));
}

static int make_one(int rootfd, const char *path, bool directory)
{
	autofree char *parent = path_dir(path);
	autoclose int fd = fs_mkdir_p(rootfd, directory ? path : parent, 0755, FS_IN_ROOT);

	if (fd < 0 || directory)
		return fd < 0 ? -1 : 0;
	(void)close(steal_fd(&fd)); /* an O_PATH descriptor has nothing to lose */
	fd = fs_open(rootfd, path, O_CREAT | O_WRONLY | O_NOCTTY | O_EXCL, 0644, FS_IN_ROOT);
	return fd < 0 && errno != EEXIST ? -1 : 0;
}

/* 1: there and of the right kind; 0: missing; -1 with errno: in the way. */
static int look(int rootfd, const char *path, bool directory)
{
	autoclose int fd = fs_open(rootfd, path, O_PATH, 0, FS_IN_ROOT);
	struct stat st;

	if (fd < 0)
		return errno == ENOENT ? 0 : -1;
	if (fstat(fd, &st) < 0)
		return -1;
	if (directory == !!S_ISDIR(st.st_mode))
		return 1;
	errno = directory ? ENOTDIR : EISDIR;
	return -1;
}

/* Is the target a directory? A bind is what its source is; a missing source is the runtime's to report. */
static bool wants_directory(const struct runtime_mount *m, const struct mountpoints_at *at)
{
	struct stat st;
	bool made = m->bind && at->state_fd >= 0 && path_is_below(m->source, at->state_path) &&
		    !str_eq(m->source, at->state_path);

	if (!m->bind)
		return true;
	if (made)
		return fstatat(at->state_fd, m->source + strlen(at->state_path) + 1, &st, 0) < 0 ||
		       S_ISDIR(st.st_mode);
	return fstatat(at->bundle, m->source, &st, 0) < 0 || S_ISDIR(st.st_mode);
}

/* Below an earlier mount: the target lies in that one's file system, where the runtime makes it. */
static bool is_covered(const struct runtime_mounts *mounts, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (path_is_below(mounts->items[i].destination, mounts->items[k].destination) &&
			!str_eq(mounts->items[i].destination, mounts->items[k].destination))
			return true;
	return false;
}

int mountpoints_make(const struct mountpoints_at *at, const struct json *config, struct err **err)
{
	auto_runtime_mounts mounts = RUNTIME_MOUNTS_INIT;
	bool of_store = fs_exists(at->bundle, "container.json");

	if (runtime_mounts_read(config, &mounts, err) < 0)
		return -1;
	for (size_t i = 0; i < mounts.n; i++) {
		const char *path = mounts.items[i].destination;
		bool directory = wants_directory(&mounts.items[i], at);
		int r = str_eq(path, "/") || is_covered(&mounts, i) ? 1 : look(at->root, path, directory);

		if (r < 0)
			return err_sys(err, errno, "mount point %s in the container", path);
		if (r > 0)
			continue;
		if (of_store)
			record(at->bundle, path, existing_prefix(at->root, path));
		if (make_one(at->root, path, directory) < 0) {
			err_sys(err, errno, "mount point %s is missing in the container and cannot be made",
				path);
			return err_hint(err, "make it in the image, or the container's ROOT writable");
		}
	}
	return 0;
}

int mountpoints_make_parents(const struct mountpoints_at *at, const struct json *config, struct err **err)
{
	auto_runtime_mounts mounts = RUNTIME_MOUNTS_INIT;
	bool of_store = fs_exists(at->bundle, "container.json");

	if (runtime_mounts_read(config, &mounts, err) < 0)
		return -1;
	for (size_t i = 0; i < mounts.n; i++) {
		autofree char *path = path_dir(mounts.items[i].destination);

		if (str_eq(path, "/") || is_covered(&mounts, i) || look(at->root, path, true) != 0)
			continue;
		if (of_store)
			record(at->bundle, path, existing_prefix(at->root, path));
		if (make_one(at->root, path, true) < 0)
			return err_sys(err, errno, "mount point %s in the container", path);
	}
	return 0;
}

/* ---- unmaking ---- */
/* A link that 1.3.x left in place of a bound file. */
static bool points_to_host_files(int dirfd, const char *name)
{
	autofree char *target = fs_readlink(dirfd, name);

	return target && path_is_below(target, HOST_FILES);
}

/* Put the original of one file back over the link that 1.3.x left in its place. */
static int restore_one(int rootfd, int origfd, const char *name, struct err **err)
{
	autofree char *path = encode(name, '#', '/');
	const char *base = NULL;
	autoclose int dirfd = fs_open_parent(rootfd, path, FS_IN_ROOT, &base);
	struct stat st;

	if (dirfd < 0 && errno == ENOENT)
		return 0; /* its directory is gone: nothing to put it back to, so it is kept */
	if (dirfd < 0)
		return err_sys(err, errno, "restore %s in the container", path);
	/* A program of the container has written a new file since: that is the container's now. */
	if (fstatat(dirfd, base, &st, AT_SYMLINK_NOFOLLOW) == 0 && !points_to_host_files(dirfd, base))
		return 0;
	if (renameat(origfd, name, dirfd, base) < 0)
		return err_sys(err, errno, "restore %s in the container", path);
	return 0;
}

/* Remove `path` and what stands above it up to `keep`; only empty directories, empty files and 1.3.x's own links. */
static void remove_up_to(int rootfd, const char *path, const char *keep)
{
	autofree char *part = xstrdup(path);

	while (!str_eq(part, keep) && path_is_below(part, keep) && !str_eq(part, "/")) {
		const char *base = NULL;
		autoclose int dirfd = fs_open_parent(rootfd, part, FS_IN_ROOT, &base);
		char *up = path_dir(part);
		struct stat st;
		int r = 0;

		if (dirfd >= 0 && fstatat(dirfd, base, &st, AT_SYMLINK_NOFOLLOW) == 0) {
			if (S_ISDIR(st.st_mode))
				r = unlinkat(dirfd, base, AT_REMOVEDIR);
			else if ((S_ISREG(st.st_mode) && st.st_size == 0) ||
				 points_to_host_files(dirfd, base))
				r = unlinkat(dirfd, base, 0);
			else
				r = -1;
		}
		free(part);
		part = up;
		/* In use by something else: so is everything above it. */
		if (r < 0)
			return;
	}
}

static int restore_originals(int rootfd, int bundle_fd, struct strv *ret_names, struct err **err)
{
	autoclose int fd = fs_open(bundle_fd, ORIGINALS, O_RDONLY | O_DIRECTORY, 0, FS_BENEATH);

	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(err, errno, "open %s", ORIGINALS);
	if (fs_list(fd, ".", ret_names) < 0)
		return err_sys(err, errno, "read %s", ORIGINALS);
	for (size_t i = 0; i < ret_names->n; i++)
		if (ret_names->v[i][0] == '#' && restore_one(rootfd, fd, ret_names->v[i], err) < 0)
			return -1;
	return 0;
}

/* 1.3.x also records what it only replaced by a link (FIX-15): such a file is the container's own, and so is any with content. */
static bool is_own_file(int rootfd, const char *path, const struct strv *originals)
{
	autofree char *name = encode(path, '/', '#');
	struct stat st;

	if (strv_has(originals, name))
		return true;
	return fs_lstat(rootfd, path, &st, FS_IN_ROOT) == 0 && S_ISREG(st.st_mode) && st.st_size > 0;
}

static int remove_recorded(int rootfd, int bundle_fd, const struct strv *originals, struct err **err)
{
	autoclose int fd = fs_open(bundle_fd, RECORDS, O_RDONLY | O_DIRECTORY, 0, FS_BENEATH);
	auto_strv names = STRV_INIT;

	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(err, errno, "open %s", RECORDS);
	if (fs_list(fd, ".", &names) < 0)
		return err_sys(err, errno, "read %s", RECORDS);
	/* Backwards: "/a/b/c" goes before "/a/b". */
	for (size_t i = names.n; i-- > 0;) {
		autofree char *target = fs_readlink(fd, names.v[i]);
		autofree char *path = encode(names.v[i], '#', '/'), *keep = NULL;

		if (!target || *path != '/')
			continue;
		keep = encode(*target ? target : "#", '#', '/');
		if (!is_own_file(rootfd, path, originals))
			remove_up_to(rootfd, path, keep);
	}
	return 0;
}

int mountpoints_purge(int rootfd, int bundle_fd, struct err **err)
{
	auto_strv originals = STRV_INIT;

	if (restore_originals(rootfd, bundle_fd, &originals, err) < 0)
		return -1;
	if (remove_recorded(rootfd, bundle_fd, &originals, err) < 0)
		return -1;
	remove_up_to(rootfd, HOST_FILES, "/");
	/* Only when it is empty: what could not be put back is the user's data. */
	if (unlinkat(bundle_fd, ORIGINALS, AT_REMOVEDIR) < 0 && errno != ENOENT && errno != ENOTEMPTY)
		return err_sys(err, errno, "remove %s", ORIGINALS);
	return fs_rm_tree(bundle_fd, RECORDS, err);
}
