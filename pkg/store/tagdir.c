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
	return faccessat(t->fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
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
	return atomic_symlink(t->fd, text, name, err);
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

		if (unlinkat(s->repos_fd, dir, AT_REMOVEDIR) < 0)
			return;
		slash = strrchr(dir, '/');
		if (!slash)
			return;
		*slash = '\0';
	}
}

int tagdir_remove(struct store *s, struct tagdir *t, struct strv *ret_targets, struct err **err)
{
	auto_strv names = STRV_INIT;

	if (unlinkat(t->fd, "TAG", 0) < 0 && errno != ENOENT)
		return err_sys(err, errno, "remove %s/%s/TAG", s->repos, t->path);
	(void)fs_sync_dir(t->fd); /* it is gone; when the disk knows is its own affair */
	if (tagdir_drop_links(t, NULL, ret_targets, err) < 0)
		return -1;
	if (fs_list(t->fd, ".", &names) < 0)
		return err_sys(err, errno, "read %s/%s", s->repos, t->path);
	for (size_t i = 0; i < names.n; i++) /* folders of deeper repositories stay: EISDIR */
		if (unlinkat(t->fd, names.v[i], 0) < 0 && errno != ENOENT && errno != EISDIR &&
			errno != EPERM)
			return err_sys(err, errno, "remove %s/%s/%s", s->repos, t->path, names.v[i]);
	tagdir_prune(s, t->path);
	return 0;
}
