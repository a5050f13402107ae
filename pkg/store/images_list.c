/* SPDX-License-Identifier: Apache-2.0 */
/* Listing: one readdir of each folder below repos/; metadata is read only when details are asked for. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "oci-spec/image_config.h"
#include "oci-spec/platform.h"
#include "oci-spec/reference.h"
#include "pkg/base/err.h"
#include "pkg/base/fs.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/base/path.h"
#include "pkg/base/strv.h"
#include "pkg/store/images.h"
#include "pkg/store/images_open.h"
#include "pkg/store/layers.h"
#include "pkg/store/store.h"
#include "pkg/store/tagdir.h"

#define DEPTH_MAX 64 /* folders below repos/: a reference has at most REFERENCE_MAX bytes */

struct walk {
	struct store *store;
	struct image_list *list;
};

static bool entry_is(int dirfd, const struct dirent *e, unsigned char type, mode_t mode)
{
	struct stat st;

	if (e->d_type != DT_UNKNOWN)
		return e->d_type == type;
	return fstatat(dirfd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && (st.st_mode & S_IFMT) == mode;
}

static void add_image(struct walk *w, const char *path, bool protect)
{
	struct image_list *l = w->list;
	struct image_info *info;

	l->v = mem_grow(l->v, &l->cap, l->n + 1, sizeof(*l->v));
	info = &l->v[l->n++];
	*info = (struct image_info){ .size = -1, .protected = protect };
	/* "host/5000/app:1" is what 1.3.x makes of host:5000/app:1; "host/5000/app" may as well be host/5000:app. */
	if (!strchr(path_base(path), ':') || !reference_from_old_dir(path, &info->repo, &info->tag)) {
		info->repo = path_dir(path);
		info->tag = xstrdup(path_base(path));
	}
	info->name = xasprintf("%s:%s", info->repo, info->tag);
	info->dir = path_join(w->store->repos, path);
}

/* Takes fd. A folder that holds TAG is a tag; it may hold folders of deeper repositories as well, which 1.3.x does not see. */
static void walk_dir(struct walk *w, int fd, const char *path, int depth)
{
	bool tag = false, protect = false;
	auto_strv dirs = STRV_INIT;
	DIR *dir = fdopendir(fd);
	struct dirent *e;

	if (!dir) {
		close(fd);
		return;
	}
	while ((e = readdir(dir))) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (strcmp(e->d_name, "TAG") == 0 && entry_is(fd, e, DT_REG, S_IFREG))
			tag = true;
		else if (strcmp(e->d_name, "PROTECT") == 0)
			protect = true;
		if (entry_is(fd, e, DT_DIR, S_IFDIR))
			strv_add(&dirs, e->d_name);
	}
	/* A tag needs a repository above it. */
	if (tag && strchr(path, '/'))
		add_image(w, path, protect);
	for (size_t i = 0; i < dirs.n && depth < DEPTH_MAX; i++) {
		autofree char *below = *path ? path_join(path, dirs.v[i]) : xstrdup(dirs.v[i]);
		int sub = openat(fd, dirs.v[i], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

		if (sub >= 0)
			walk_dir(w, sub, below, depth + 1);
		else
			log_debug("repos/%s: %s, skipping", below, strerror(errno));
	}
	closedir(dir);
}

static int compare_info(const void *a, const void *b)
{
	const struct image_info *x = a, *y = b;
	int r = strcmp(x->repo, y->repo);

	return r ? r : strcmp(x->tag, y->tag);
}

int image_list(struct store *s, unsigned flags, struct image_list *ret, struct err **err)
{
	struct walk w = { .store = s, .list = ret };
	int fd;

	if (s->repos_fd < 0)
		return 0;
	fd = openat(s->repos_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, errno, "read %s", s->repos);
	walk_dir(&w, fd, "", 0);
	if (ret->n)
		qsort(ret->v, ret->n, sizeof(*ret->v), compare_info);
	if (flags & IMAGE_LIST_DETAILS)
		for (size_t i = 0; i < ret->n; i++)
			image_info_details(s, &ret->v[i]);
	return 0;
}

/* ---- details ---- */

static int64_t stored_size(struct store *s, const struct image *img, bool *ret_broken)
{
	int64_t total = 0;

	for (size_t i = 0; i < img->n_layers; i++) {
		uint64_t size;

		if (!layer_exists(s, img->layers[i].file, &size))
			*ret_broken = true;
		else
			total += (int64_t)size;
	}
	return total;
}

static int details(struct store *s, struct image_info *info)
{
	auto_tagdir t = TAGDIR_INIT;
	auto_image_config *c = NULL;
	auto_image *img = NULL;
	auto_str text = STR_INIT;

	t.fd = open(info->dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (t.fd < 0)
		return -1;
	t.path = xstrdup(info->dir);
	t.repo = xstrdup(info->repo);
	t.tag = xstrdup(info->tag);
	if (image_open_tagdir(s, &t, &img, NULL) < 0)
		return -1;
	info->digest = xstrdup_null(image_digest(img));
	info->n_layers = img->n_layers;
	info->size = stored_size(s, img, &info->broken);
	if (image_read_config(s, img, &text, NULL) < 0 ||
		image_config_parse(str_text(&text), text.len, "image configuration", &c, NULL) < 0)
		return -1;
	info->created = xstrdup_null(c->created);
	info->os = *c->platform.os ? xstrdup(c->platform.os) : NULL;
	info->architecture = *c->platform.arch ? xstrdup(c->platform.arch) : NULL;
	info->variant = *c->platform.variant ? xstrdup(c->platform.variant) : NULL;
	return 0;
}

void image_info_details(struct store *s, struct image_info *info)
{
	if (details(s, info) < 0)
		info->broken = true;
}

void image_list_free(struct image_list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		struct image_info *info = &l->v[i];

		free(info->repo);
		free(info->tag);
		free(info->name);
		free(info->dir);
		free(info->digest);
		free(info->created);
		free(info->os);
		free(info->architecture);
		free(info->variant);
	}
	free(l->v);
	*l = (struct image_list){ 0 };
}

/* ---- links ---- */

int image_links(struct store *s, const char *dir, struct image_link **ret, size_t *ret_n, struct err **err)
{
	autoclose int fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	auto_strv names = STRV_INIT;
	struct image_link *v;
	size_t n = 0;

	if (fd < 0 || fs_list(fd, ".", &names) < 0)
		return err_sys(err, errno, "read %s", dir);
	v = xcalloc(names.n + 1, sizeof(*v));
	for (size_t i = 0; i < names.n; i++) {
		autofree char *target = fs_readlink(fd, names.v[i]);
		uint64_t size;

		if (!target)
			continue;
		v[n].name = xstrdup(names.v[i]);
		v[n].target = xstrdup(path_base(target));
		v[n].size = layer_exists(s, v[n].target, &size) ? (int64_t)size : -1;
		n++;
	}
	*ret = v;
	*ret_n = n;
	return 0;
}

void image_links_free(struct image_link *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(v[i].name);
		free(v[i].target);
	}
	free(v);
}
