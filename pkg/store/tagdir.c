/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tag folders. The mere existence of the file TAG makes a folder a tag, for us as for udocker 1.3.x: it is made last and goes first.
 */
#include "pkg/store/tagdir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "oci-spec/digest.h"
#include "oci-spec/reference.h"
#include "pkg/base/atomic.h"
#include "pkg/base/err.h"
#include "pkg/base/fs.h"
#include "pkg/base/id.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/base/path.h"
#include "pkg/base/str.h"
#include "pkg/base/strv.h"
#include "pkg/store/images.h"
#include "pkg/store/store.h"

void tagdir_close(struct tagdir *t)
{
	if (t->fd >= 0)
		close(t->fd);
	free(t->path);
	free(t->repo);
	free(t->tag);
	*t = TAGDIR_INIT;
}

bool tagdir_has(const struct tagdir *t, const char *name)
{
	return fs_has_name(t->fd, name);
}

int tagdir_open(struct store *s, const char *path, struct tagdir *ret, struct err **err)
{
	autoclose int fd = -1;
	struct stat st;

	if (s->repos_fd < 0)
		return 0;
	fd = fs_open(s->repos_fd, path, O_RDONLY | O_DIRECTORY, 0, FS_BENEATH);
	if (fd < 0) {
		if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP)
			return 0;
		return err_sys(err, errno, "open %s/%s", s->repos, path);
	}
	if (fstatat(fd, "TAG", &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
		return 0;
	ret->fd = steal_fd(&fd);
	ret->path = xstrdup(path);
	return 1;
}

static void set_names(struct tagdir *t, const char *repo, const char *tag)
{
	t->repo = xstrdup(repo);
	t->tag = xstrdup(tag);
}

/* The digest of the folder's manifest is the one wanted. */
static bool has_digest(const struct tagdir *t, const struct digest *want)
{
	auto_str text = STR_INIT;
	struct digest got;

	return fs_read(t->fd, "manifest", IMAGE_MANIFEST_MAX, &text, FS_BENEATH) == 0 &&
	       digest_of(want->kind, str_text(&text), text.len, &got, NULL) == 0 && digest_eq(&got, want);
}

/* Any tag of the repository whose manifest has the digest. */
static int find_digest(struct store *s, const struct reference *r, struct tagdir *ret, struct err **err)
{
	auto_strv tags = STRV_INIT;

	if (fs_list(s->repos_fd, r->name, &tags) < 0)
		return errno == ENOENT || errno == ENOTDIR
			       ? 0
			       : err_sys(err, errno, "read %s/%s", s->repos, r->name);
	for (size_t i = 0; i < tags.n; i++) {
		autofree char *path = path_join(r->name, tags.v[i]);
		auto_tagdir t = TAGDIR_INIT;

		if (tagdir_open(s, path, &t, NULL) <= 0 || !has_digest(&t, &r->digest))
			continue;
		set_names(&t, r->name, tags.v[i]);
		*ret = t;
		t = TAGDIR_INIT;
		return 1;
	}
	return 0;
}

int tagdir_find(struct store *s, const struct reference *r, struct tagdir *ret, struct err **err)
{
	auto_strv dirs = STRV_INIT;

	if (s->repos_fd < 0)
		return 0;
	if (digest_is_set(&r->digest))
		strv_add_owned(&dirs, path_join(r->name, r->digest.text));
	else {
		strv_add_owned(&dirs, reference_dir(r));
		reference_old_dirs(r, &dirs);
	}
	for (size_t i = 0; i < dirs.n; i++) {
		int found = tagdir_open(s, dirs.v[i], ret, err);

		if (found > 0)
			set_names(ret, r->name, path_base(digest_is_set(&r->digest) ? dirs.v[i] : r->tag));
		if (found != 0)
			return found;
	}
	return digest_is_set(&r->digest) ? find_digest(s, r, ret, err) : 0;
}

int tagdir_make(struct store *s, const struct reference *r, struct tagdir *ret, struct err **err)
{
	autofree char *path = reference_dir(r);
	autoclose int fd = -1;

	/* 1.3.x, which takes no locks, may prune an empty parent between the steps. */
	for (int tries = 0; fd < 0 && tries < 3; tries++) {
		autoclose int made = fs_mkdir_p(s->repos_fd, path, 0755, FS_BENEATH);

		if (made < 0 && errno != ENOENT)
			return err_sys(err, errno, "create %s/%s", s->repos, path);
		fd = fs_open(s->repos_fd, path, O_RDONLY | O_DIRECTORY, 0, FS_BENEATH);
		if (fd < 0 && errno != ENOENT)
			return err_sys(err, errno, "open %s/%s", s->repos, path);
	}
	if (fd < 0)
		return err_sys(err, errno, "create %s/%s", s->repos, path);
	ret->fd = steal_fd(&fd);
	ret->path = steal_ptr(&path);
	set_names(ret, r->name, r->tag);
	return 0;
}

/* ---- links ---- */

/* Where a directory really is, so that ".." counts right even when a part of the store is a link to elsewhere. */
static char *real_dir(int fd, const char *path)
{
	char *real = fs_fd_path(fd);

	return real ? real : xstrdup(path);
}

char *tagdir_link_text(struct store *s, const struct tagdir *t, const char *blob)
{
	autofree char *repos = real_dir(s->repos_fd, s->repos), *layers = real_dir(s->layers_fd, s->layers);
	autofree char *from = path_join(repos, t->path), *to = path_join(layers, blob);
	auto_str text = STR_INIT;
	size_t common = 0;

	for (size_t i = 0; from[i] && from[i] == to[i]; i++)
		if (from[i] == '/')
			common = i;
	for (const char *c = from + common; *c; c++)
		if (*c == '/')
			str_add(&text, "../");
	str_add(&text, to + common + 1);
	return str_steal(&text);
}

/* By rename; what a crash leaves lies in the staging directory where that is possible. */
static int replace_link(
	struct store *s, const struct tagdir *t, const char *name, const char *text, struct err **err)
{
	int scratch = store_scratch(s, err);

	if (scratch < 0)
		return -1;
	(void)unlinkat(scratch, "link", 0); /* of an earlier failure */
	if (symlinkat(text, scratch, "link") == 0 && renameat(scratch, "link", t->fd, name) == 0)
		return 0;
	return atomic_symlink(t->fd, text, name, err);
}

int tagdir_link(struct store *s, const struct tagdir *t, const char *name, const char *blob, struct err **err)
{
	autofree char *text = tagdir_link_text(s, t, blob), *old = NULL;

	if (symlinkat(text, t->fd, name) == 0)
		return 1;
	if (errno != EEXIST)
		return err_sys(err, errno, "link %s", name);
	old = fs_readlink(t->fd, name);
	if (old && strcmp(old, text) == 0)
		return 0;
	return replace_link(s, t, name, text, err);
}

int tagdir_drop_links(
	const struct tagdir *t, const struct strv *keep, struct strv *ret_targets, struct err **err)
{
	auto_strv names = STRV_INIT;

	if (fs_list(t->fd, ".", &names) < 0)
		return err_sys(err, errno, "read the folder of %s", t->path);
	for (size_t i = 0; i < names.n; i++) {
		autofree char *target = NULL;

		if (keep && strv_has(keep, names.v[i]))
			continue;
		target = fs_readlink(t->fd, names.v[i]);
		if (!target)
			continue;
		if (unlinkat(t->fd, names.v[i], 0) < 0 && errno != ENOENT)
			return err_sys(err, errno, "remove %s/%s", t->path, names.v[i]);
		strv_add(ret_targets, path_base(target));
	}
	return 0;
}

void tagdir_prune(struct store *s, const char *path)
{
	autofree char *dir = xstrdup(path);

	for (;;) {
		char *slash;

		if (unlinkat(s->repos_fd, dir, AT_REMOVEDIR) < 0 && errno != ENOENT)
			return;
		slash = strrchr(dir, '/');
		if (!slash)
			return;
		*slash = '\0';
	}
}

void tagdir_targets(int dirfd, const char *path, struct strv *ret)
{
	autoclose int fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	auto_strv names = STRV_INIT;

	if (fd < 0 || fs_list(fd, ".", &names) < 0)
		return;
	for (size_t i = 0; i < names.n; i++) {
		autofree char *target = fs_readlink(fd, names.v[i]);

		if (target)
			strv_add(ret, path_base(target));
	}
}

bool tagdir_is_current(struct store *s, const struct tagdir *t)
{
	autoclose int fd = fs_open(s->repos_fd, t->path, O_PATH | O_DIRECTORY, 0, FS_BENEATH);
	struct stat a, b;

	return fd >= 0 && fstat(fd, &a) == 0 && fstat(t->fd, &b) == 0 && a.st_ino == b.st_ino &&
	       a.st_dev == b.st_dev;
}

/* ---- taking away ---- */

static bool has_folders(int fd)
{
	auto_strv names = STRV_INIT;

	if (fs_list(fd, ".", &names) < 0)
		return true;
	for (size_t i = 0; i < names.n; i++) {
		struct stat st;

		if (fstatat(fd, names.v[i], &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode))
			return true;
	}
	return false;
}

bool tagdir_take(struct store *s, const char *path, struct tagdir_taken *ret)
{
	autoclose int fd = fs_open(s->repos_fd, path, O_RDONLY | O_DIRECTORY, 0, FS_BENEATH);
	char random[9];
	int scratch;

	if (fd < 0 || has_folders(fd))
		return false;
	scratch = store_scratch(s, NULL);
	if (scratch < 0)
		return false;
	id_random_hex(random, 8);
	ret->name = xasprintf(TAGDIR_REMOVED "%s", random);
	if (renameat(s->repos_fd, path, scratch, ret->name) == 0) {
		ret->fd = openat(scratch, ret->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		/* A folder may have been made in it meanwhile, or all of it anew. */
		if (ret->fd >= 0 && !has_folders(ret->fd))
			return true;
		tagdir_put_back(s, path, ret);
		return false;
	}
	free(steal_ptr(&ret->name));
	return false;
}

void tagdir_put_back(struct store *s, const char *path, struct tagdir_taken *t)
{
	if (renameat(s->scratch->fd, t->name, s->repos_fd, path) < 0)
		log_warning("repos/%s was replaced meanwhile", path);
	if (t->fd >= 0)
		close(t->fd);
	free(steal_ptr(&t->name));
}

void tagdir_discard(struct store *s, struct tagdir_taken *t, struct strv *ret_targets)
{
	tagdir_targets(t->fd, ".", ret_targets);
	(void)fs_rm_tree(s->scratch->fd, t->name, NULL); /* what stays goes with the staging directory */
	close(t->fd);
	free(steal_ptr(&t->name));
}

/* Entry by entry: deeper repositories stay. */
static int remove_in_place(struct store *s, struct tagdir *t, struct strv *ret_targets, struct err **err)
{
	auto_strv names = STRV_INIT;

	if (unlinkat(t->fd, "TAG", 0) < 0 && errno != ENOENT)
		return err_sys(err, errno, "remove %s/%s/TAG", s->repos, t->path);
	(void)fs_sync_dir(t->fd); /* it is gone; when the disk knows is its own affair */
	if (tagdir_drop_links(t, NULL, ret_targets, err) < 0)
		return -1;
	if (fs_list(t->fd, ".", &names) < 0)
		return err_sys(err, errno, "read %s/%s", s->repos, t->path);
	for (size_t i = 0; i < names.n; i++)
		if (unlinkat(t->fd, names.v[i], 0) < 0 && errno != ENOENT && errno != EISDIR &&
			errno != EPERM)
			return err_sys(err, errno, "remove %s/%s/%s", s->repos, t->path, names.v[i]);
	return 0;
}

/* Before the blobs go: a power cut must not leave a tag without them. */
static void sync_above(struct store *s, const char *path)
{
	autofree char *dir = path_dir(path);
	autoclose int fd = fs_open(s->repos_fd, dir, O_RDONLY | O_DIRECTORY, 0, FS_BENEATH);

	if (fd >= 0)
		(void)fs_sync_dir(fd); /* it is gone; when the disk knows is its own affair */
}

int tagdir_remove(struct store *s, struct tagdir *t, struct strv *ret_targets, struct err **err)
{
	struct tagdir_taken taken;

	if (tagdir_take(s, t->path, &taken)) {
		if (fs_has_name(taken.fd, "PROTECT")) {
			tagdir_put_back(s, t->path, &taken);
			return err_make(err, ERR_DENIED, "%s:%s is protected", t->repo, t->tag);
		}
		sync_above(s, t->path);
		tagdir_discard(s, &taken, ret_targets);
	} else if (remove_in_place(s, t, ret_targets, err) < 0)
		return -1;
	tagdir_prune(s, t->path);
	return 0;
}
