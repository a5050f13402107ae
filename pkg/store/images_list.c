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
#include "oci-spec/reference.h"
#include "pkg/base/err.h"
#include "pkg/base/fs.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/base/path.h"
#include "pkg/base/strv.h"
#include "pkg/store/images.h"
#include "pkg/store/images_details.h"
#include "pkg/store/layers.h"
#include "pkg/store/listing.h"
#include "pkg/store/store.h"

#define ENTRIES_BYTES 32768
#define DEPTH_MAX 64 /* folders below repos/: a reference has at most REFERENCE_MAX bytes */

struct walk {
	struct store *store;
	struct image_list *list;
	struct listing *listing;
	struct str path; /* of the directory below repos/ */
	struct details *details; /* or NULL */
	char *entries; /* ENTRIES_BYTES for getdents64 */
};

static bool entry_is(int dirfd, const struct dirent64 *e, unsigned char type, mode_t mode)
{
	struct stat st;

	if (e->d_type != DT_UNKNOWN)
		return e->d_type == type;
	return fstatat(dirfd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && (st.st_mode & S_IFMT) == mode;
}

/* Returns its number in the list. */
static size_t add_image(struct walk *w, bool protect)
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
	return l->n - 1;
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

static char *text_or_null(const char *text)
{
	return *text ? xstrdup(text) : NULL;
}

/* What was read of an image anew, shown, and kept unless it is of another kind, damaged, or changed just now. */
static void use_details(struct walk *w, struct details_job *j)
{
	struct listing *l = w->listing;
	struct image_info *info = &w->list->v[j->info];
	struct listing_image i = { .manifest = j->manifest_stamp,
		.config = j->config_stamp,
		.first_layer = (uint32_t)l->now.n_layers,
		.n_layers = (uint32_t)j->layers.n };

	info->broken = !j->read || !j->config;
	if (!j->read)
		return;
	info->digest = digest_is_set(&j->digest) ? xstrdup(j->digest.text) : NULL;
	for (size_t k = 0; k < j->layers.n; k++)
		listing_add_layer(l, listing_blob(l, j->layers.v[k]));
	sum_sizes(w, &i, info);
	if (!j->config)
		return;
	info->created = steal_ptr(&j->config->created);
	info->os = text_or_null(j->config->platform.os);
	info->architecture = text_or_null(j->config->platform.arch);
	info->variant = text_or_null(j->config->platform.variant);
	if (!listing_is_settled(l, &i.manifest) || !listing_is_settled(l, &i.config))
		return;
	i.digest = info->digest; /* the list is there until the listing has been saved */
	i.created = info->created;
	i.os = info->os;
	i.architecture = info->architecture;
	i.variant = info->variant;
	i.config_file = listing_keep(l, j->config_file);
	l->fresh++;
	l->now.dirs[j->dir].image = listing_add_image(l, &i);
}

/* The image in the directory that is being visited, number `at`, of which `old` may be known. Returns what is known now. */
static uint32_t look(struct walk *w, uint32_t old, uint32_t at, bool v2, size_t number)
{
	struct image_info *info = &w->list->v[number];
	uint32_t now;

	if (old == LISTING_NONE || (w->details && !is_as_it_was(w, &w->listing->old.images[old]))) {
		struct details_job j = { .path = info->dir + strlen(w->store->repos) + 1,
			.repo = info->repo,
			.tag = info->tag,
			.v2 = v2,
			.info = number,
			.dir = at };

		if (w->details)
			details_add(w->details, &j);
		return LISTING_NONE;
	}
	now = carry(w, old);
	if (w->details)
		fill_known(w, now, info);
	return now;
}

/* ---- the walk ---- */

/* What the entries of a directory say it is. */
struct seen {
	bool tag, protect, manifest, v1, v2;
	struct strv dirs; /* sorted */
};

static void see(int fd, const struct dirent64 *e, struct seen *ret)
{
	const char *name = e->d_name;

	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return;
	if (entry_is(fd, e, DT_DIR, S_IFDIR))
		strv_add(&ret->dirs, name);
	if (strcmp(name, "TAG") == 0)
		ret->tag = entry_is(fd, e, DT_REG, S_IFREG);
	else if (strcmp(name, "PROTECT") == 0)
		ret->protect = true;
	else if (strcmp(name, "manifest") == 0)
		ret->manifest = true;
	else if (strcmp(name, "v1") == 0)
		ret->v1 = true;
	else if (strcmp(name, "v2") == 0)
		ret->v2 = true;
}

/* False when it is gone or cannot be read. */
static bool read_dir(const struct walk *w, int fd, struct seen *ret)
{
	ssize_t n;

	while ((n = getdents64(fd, (void *)w->entries, ENTRIES_BYTES)) > 0)
		for (ssize_t at = 0; at < n;) {
			const struct dirent64 *e = (const void *)(w->entries + at);

			see(fd, e, ret);
			at += e->d_reclen;
		}
	strv_sort(&ret->dirs);
	return n == 0;
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

/*
 * The directory as it is now; *ret_seen is filled if that is not what `was` says (*ret_anew). The stamp comes first, since a change while we read
 * makes it another. False when the directory is gone or cannot be read.
 */
static bool look_at_dir(const struct walk *w, const struct listing_dir *was, struct listing_stamp *ret_stamp,
	struct seen *ret_seen, bool *ret_anew)
{
	autoclose int fd = -1;
	struct stat st;

	*ret_anew = false;
	if (was && listing_stamp(w->store->repos_fd, walk_path(w), S_IFDIR, ret_stamp) &&
		listing_same(&was->stamp, ret_stamp))
		return true;
	*ret_anew = true;
	fd = fs_open(w->store->repos_fd, walk_path(w), O_RDONLY | O_DIRECTORY, 0, FS_BENEATH);
	if (fd < 0 || fstat(fd, &st) < 0)
		return false;
	*ret_stamp = listing_stamp_of(&st);
	return read_dir(w, fd, ret_seen);
}

static void free_seen(struct seen *seen)
{
	strv_free(&seen->dirs);
}

/* A folder that holds TAG is a tag; it may hold folders of deeper repositories as well, which 1.3.x does not see. */
static void visit(struct walk *w, uint32_t old, const char *name, int depth)
{
	struct listing *l = w->listing;
	const struct listing_dir *was = old == LISTING_NONE ? NULL : &l->old.dirs[old];
	struct listing_dir d = { .name = name, .image = LISTING_NONE };
	struct listing_stamp stamp;
	CLEANUP(free_seen) struct seen seen = { 0 };
	bool anew;
	uint32_t at;

	if (!look_at_dir(w, was, &stamp, &seen, &anew)) {
		log_debug("repos/%s: %s, skipping", str_text(&w->path), strerror(errno));
		return;
	}
	d.tag = anew ? seen.tag : was->tag;
	d.protect = anew ? seen.protect : was->protect;
	if (listing_is_settled(l, &stamp)) {
		d.stamp = stamp;
		l->fresh += anew;
	}
	at = listing_add_dir(l, &d);
	/* A tag needs a repository above it. */
	if (d.tag && strchr(str_text(&w->path), '/')) {
		size_t number = add_image(w, d.protect);

		l->now.dirs[at].image = look(w, anew ? LISTING_NONE : was->image, at,
			seen.manifest && (seen.v2 || !seen.v1), number);
	}
	if (depth < DEPTH_MAX && !anew)
		visit_known(w, old, depth);
	else if (depth < DEPTH_MAX)
		visit_read(w, old, &seen.dirs, depth);
	l->now.dirs[at].end = (uint32_t)l->now.n_dirs;
}

static int compare_info(const void *a, const void *b)
{
	const struct image_info *x = a, *y = b;
	int r = strcmp(x->repo, y->repo);

	return r ? r : strcmp(x->tag, y->tag);
}

/* All folders, and what details are still missing. */
static void walk(struct walk *w)
{
	struct details_job *const *jobs;
	size_t n;

	w->entries = xmalloc(ENTRIES_BYTES);
	visit(w, w->listing->old.n_dirs ? 0 : LISTING_NONE, "", 0);
	free(w->entries);
	str_free(&w->path);
	if (!w->details)
		return;
	jobs = details_finish(w->details, &n);
	for (size_t i = 0; i < n; i++)
		use_details(w, jobs[i]);
}

int image_list(struct store *s, unsigned flags, struct image_list *ret, struct err **err)
{
	auto_listing l;
	auto_details *details = NULL;
	struct walk w = { .store = s, .list = ret, .listing = &l };

	listing_init(&l);
	if (s->repos_fd < 0)
		return 0;
	if (faccessat(s->repos_fd, ".", R_OK, AT_EACCESS) < 0)
		return err_sys(err, errno, "read %s", s->repos);
	if (flags & IMAGE_LIST_REMEMBER)
		listing_load(s, &l);
	if (flags & IMAGE_LIST_DETAILS)
		w.details = details = details_begin(s);
	walk(&w);
	if (ret->n)
		qsort(ret->v, ret->n, sizeof(*ret->v), compare_info);
	if ((flags & IMAGE_LIST_REMEMBER) && l.fresh >= LISTING_WORTH)
		listing_save(s, &l);
	return 0;
}

void image_list_remember(struct store *s)
{
	auto_image_list l = { 0 };

	(void)image_list(s, IMAGE_LIST_DETAILS | IMAGE_LIST_REMEMBER, &l,
		NULL); /* without it the next one takes longer */
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
