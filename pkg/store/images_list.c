/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Listing: each folder below repos/ is looked at, and read where it has changed since the last listing of many images (listing.h);
 * metadata is looked at only when details are asked for.
 */
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
#include "pkg/store/listing.h"
#include "pkg/store/store.h"
#include "pkg/store/tagdir.h"

#define DEPTH_MAX 64 /* folders below repos/: a reference has at most REFERENCE_MAX bytes */

struct walk {
	struct store *store;
	struct image_list *list;
	struct listing *listing;
	struct str path; /* of the directory below repos/ */
	bool details;
};

static bool entry_is(int dirfd, const struct dirent *e, unsigned char type, mode_t mode)
{
	struct stat st;

	if (e->d_type != DT_UNKNOWN)
		return e->d_type == type;
	return fstatat(dirfd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && (st.st_mode & S_IFMT) == mode;
}

static struct image_info *add_image(struct walk *w, bool protect)
{
	struct image_list *l = w->list;
	const char *path = str_text(&w->path);
	struct image_info *info;

	l->v = mem_grow(l->v, &l->cap, l->n + 1, sizeof(*l->v));
	info = &l->v[l->n++];
	*info = (struct image_info){ .size = -1, .protected = protect };
	/* "host/5000/app:1" is what 1.3.x makes of host:5000/app:1; "host/5000/app" may as well be host/5000:app. */
	if (!strchr(path_base(path), ':') || !reference_from_old_dir(path, &info->repo, &info->tag)) {
		info->repo = path_dir(path);
		info->tag = xstrdup(path_base(path));
	}
	info->name = xjoin3(info->repo, ":", info->tag);
	info->dir = path_join(w->store->repos, path);
	return info;
}

static const char *walk_path(const struct walk *w)
{
	return w->path.len ? str_text(&w->path) : ".";
}

/* ---- details ---- */

static void sum_sizes(struct walk *w, const struct listing_image *i, struct image_info *info)
{
	struct listing *l = w->listing;

	info->size = 0;
	info->n_layers = i->n_layers;
	for (size_t k = 0; k < i->n_layers; k++) {
		int64_t size = listing_blob_size(w->store, l, l->now.layers[i->first_layer + k]);

		if (size < 0)
			info->broken = true;
		else
			info->size += size;
	}
}

/* What was known of an image is known on. */
static uint32_t carry(struct walk *w, uint32_t old)
{
	struct listing *l = w->listing;
	struct listing_image i = l->old.images[old];
	const uint32_t *layers = l->old.layers + i.first_layer;

	i.first_layer = (uint32_t)l->now.n_layers;
	for (size_t k = 0; k < i.n_layers; k++)
		listing_add_layer(l, layers[k]);
	return listing_add_image(l, &i);
}

static bool stamp_manifest(struct walk *w, struct listing_stamp *ret)
{
	size_t length = w->path.len;
	bool there;

	(void)str_add(&w->path, "/manifest"); /* cut off, it would be another name and not there */
	there = listing_stamp(w->store->repos_fd, str_text(&w->path), S_IFREG, ret);
	str_truncate(&w->path, length);
	return there;
}

/* Manifest and configuration are the files that were read then. */
static bool is_as_it_was(struct walk *w, const struct listing_image *i)
{
	struct listing_stamp manifest, config;

	return stamp_manifest(w, &manifest) && listing_same(&i->manifest, &manifest) &&
	       listing_stamp(w->store->layers_fd, i->config_file, S_IFREG, &config) &&
	       listing_same(&i->config, &config);
}

static void fill_known(struct walk *w, uint32_t at, struct image_info *info)
{
	const struct listing_image *i = &w->listing->now.images[at];

	info->digest = xstrdup_null(i->digest);
	info->created = xstrdup_null(i->created);
	info->os = xstrdup_null(i->os);
	info->architecture = xstrdup_null(i->architecture);
	info->variant = xstrdup_null(i->variant);
	sum_sizes(w, i, info);
}

static void keep_texts(
	struct listing *l, const struct image *img, const struct image_info *info, struct listing_image *ret)
{
	ret->digest = listing_keep(l, info->digest);
	ret->created = listing_keep(l, info->created);
	ret->os = listing_keep(l, info->os);
	ret->architecture = listing_keep(l, info->architecture);
	ret->variant = listing_keep(l, info->variant);
	ret->config_file = listing_keep(l, img->config_file);
}

static struct image *open_again(struct store *s, const struct image_info *info)
{
	auto_tagdir t = TAGDIR_INIT;
	struct image *img = NULL;

	t.fd = open(info->dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (t.fd < 0)
		return NULL;
	t.path = xstrdup(info->dir);
	t.repo = xstrdup(info->repo);
	t.tag = xstrdup(info->tag);
	return image_open_tagdir(s, &t, &img, NULL) < 0 ? NULL : img;
}

static int read_config(struct store *s, const struct image *img, struct image_info *info)
{
	auto_image_config *c = NULL;
	auto_str text = STR_INIT;

	if (image_read_config(s, img, &text, NULL) < 0 ||
		image_config_parse(str_text(&text), text.len, "image configuration", &c, NULL) < 0)
		return -1;
	info->created = xstrdup_null(c->created);
	info->os = *c->platform.os ? xstrdup(c->platform.os) : NULL;
	info->architecture = *c->platform.arch ? xstrdup(c->platform.arch) : NULL;
	info->variant = *c->platform.variant ? xstrdup(c->platform.variant) : NULL;
	return 0;
}

/* Read anew; LISTING_NONE when it is not to be kept: of another kind, damaged, or changed just now. */
static uint32_t details(struct walk *w, struct image_info *info)
{
	struct listing *l = w->listing;
	struct listing_image i = { 0 };
	bool kept = stamp_manifest(w, &i.manifest) && listing_is_settled(l, &i.manifest);
	auto_image *img = open_again(w->store, info);

	if (!img) {
		info->broken = true;
		return LISTING_NONE;
	}
	info->digest = xstrdup_null(image_digest(img));
	i.first_layer = (uint32_t)l->now.n_layers;
	i.n_layers = (uint32_t)img->n_layers;
	for (size_t k = 0; k < img->n_layers; k++)
		listing_add_layer(l, listing_blob(l, img->layers[k].file));
	sum_sizes(w, &i, info);
	kept = kept && img->version == 2 && img->config_file &&
	       listing_stamp(w->store->layers_fd, img->config_file, S_IFREG, &i.config) &&
	       listing_is_settled(l, &i.config);
	if (read_config(w->store, img, info) < 0) {
		info->broken = true;
		return LISTING_NONE;
	}
	if (!kept)
		return LISTING_NONE;
	keep_texts(l, img, info, &i);
	l->fresh++;
	return listing_add_image(l, &i);
}

/* The image in the directory that is being visited, of which `old` may be known. Returns what is known now. */
static uint32_t look(struct walk *w, uint32_t old, struct image_info *info)
{
	uint32_t now;

	if (old == LISTING_NONE || (w->details && !is_as_it_was(w, &w->listing->old.images[old])))
		return w->details ? details(w, info) : LISTING_NONE;
	now = carry(w, old);
	if (w->details)
		fill_known(w, now, info);
	return now;
}

/* ---- the walk ---- */

/* The entries of a directory: is it a tag, and what folders are in it (sorted). False when it is gone or cannot be read. */
static bool read_dir(const struct walk *w, struct listing_dir *d, struct strv *ret_dirs)
{
	int fd = fs_open(w->store->repos_fd, walk_path(w), O_RDONLY | O_DIRECTORY, 0, FS_BENEATH);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	while ((e = readdir(dir))) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (strcmp(e->d_name, "TAG") == 0 && entry_is(fd, e, DT_REG, S_IFREG))
			d->tag = true;
		else if (strcmp(e->d_name, "PROTECT") == 0)
			d->protect = true;
		if (entry_is(fd, e, DT_DIR, S_IFDIR))
			strv_add(ret_dirs, e->d_name);
	}
	closedir(dir);
	strv_sort(ret_dirs);
	return true;
}

static void visit(struct walk *w, uint32_t old, const char *name, int depth);

static void visit_below(struct walk *w, uint32_t old, const char *name, int depth)
{
	size_t length = w->path.len;

	if (length)
		(void)str_add_char(&w->path, '/');
	if (str_add(&w->path, name) == 0) /* the file system's limit is far below the string's */
		visit(w, old, name, depth + 1);
	str_truncate(&w->path, length);
}

/* The folders in a directory that was read; what was known of them before is found by going along both lists. */
static void visit_read(struct walk *w, uint32_t old, const struct strv *dirs, int depth)
{
	const struct listing_dir *known = w->listing->old.dirs;
	uint32_t end = old == LISTING_NONE ? 0 : known[old].end, next = old == LISTING_NONE ? 0 : old + 1;

	for (size_t i = 0; i < dirs->n; i++) {
		bool found;

		while (next < end && strcmp(known[next].name, dirs->v[i]) < 0)
			next = known[next].end;
		found = next < end && strcmp(known[next].name, dirs->v[i]) == 0;
		visit_below(w, found ? next : LISTING_NONE,
			found ? known[next].name : listing_keep(w->listing, dirs->v[i]), depth);
	}
}

/* The folders in a directory that is as it was. */
static void visit_known(struct walk *w, uint32_t old, int depth)
{
	const struct listing_dir *known = w->listing->old.dirs;

	for (uint32_t next = old + 1; next < known[old].end; next = known[next].end)
		visit_below(w, next, known[next].name, depth);
}

/* A folder that holds TAG is a tag; it may hold folders of deeper repositories as well, which 1.3.x does not see. */
static void visit(struct walk *w, uint32_t old, const char *name, int depth)
{
	struct listing *l = w->listing;
	const struct listing_dir *was = old == LISTING_NONE ? NULL : &l->old.dirs[old];
	struct listing_dir d = { .name = name, .image = LISTING_NONE };
	struct listing_stamp stamp;
	auto_strv dirs = STRV_INIT;
	bool same;
	uint32_t at;

	/* The stamp first: a change while we read makes it another. */
	if (!listing_stamp(w->store->repos_fd, walk_path(w), S_IFDIR, &stamp)) {
		log_debug("repos/%s: %s, skipping", str_text(&w->path), strerror(errno));
		return;
	}
	same = was && listing_same(&was->stamp, &stamp);
	if (same) {
		d.tag = was->tag;
		d.protect = was->protect;
	} else if (!read_dir(w, &d, &dirs)) {
		log_debug("repos/%s: %s, skipping", str_text(&w->path), strerror(errno));
		return;
	}
	if (listing_is_settled(l, &stamp)) {
		d.stamp = stamp;
		l->fresh += !same;
	}
	/* A tag needs a repository above it. */
	if (d.tag && strchr(str_text(&w->path), '/')) {
		struct image_info *info = add_image(w, d.protect);

		d.image = look(w, same ? was->image : LISTING_NONE, info);
	}
	at = listing_add_dir(l, &d);
	if (depth < DEPTH_MAX && same)
		visit_known(w, old, depth);
	else if (depth < DEPTH_MAX)
		visit_read(w, old, &dirs, depth);
	l->now.dirs[at].end = (uint32_t)l->now.n_dirs;
}

static int compare_info(const void *a, const void *b)
{
	const struct image_info *x = a, *y = b;
	int r = strcmp(x->repo, y->repo);

	return r ? r : strcmp(x->tag, y->tag);
}

int image_list(struct store *s, unsigned flags, struct image_list *ret, struct err **err)
{
	auto_listing l;
	struct walk w = { .store = s, .list = ret, .listing = &l, .details = flags & IMAGE_LIST_DETAILS };

	listing_init(&l);
	if (s->repos_fd < 0)
		return 0;
	if (faccessat(s->repos_fd, ".", R_OK, AT_EACCESS) < 0)
		return err_sys(err, errno, "read %s", s->repos);
	if (flags & IMAGE_LIST_REMEMBER)
		listing_load(s, &l);
	visit(&w, l.old.n_dirs ? 0 : LISTING_NONE, "", 0);
	str_free(&w.path);
	if (ret->n)
		qsort(ret->v, ret->n, sizeof(*ret->v), compare_info);
	if ((flags & IMAGE_LIST_REMEMBER) && l.fresh >= LISTING_WORTH)
		listing_save(s, &l);
	return 0;
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
