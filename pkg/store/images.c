/* SPDX-License-Identifier: Apache-2.0 */
/* Images opened: which folder a reference means, and what its metadata of either flavour says. Listing and changing are in images_*.c. */
#include "pkg/store/images.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "oci-spec/digest.h"
#include "oci-spec/docker_v1.h"
#include "oci-spec/manifest.h"
#include "oci-spec/reference.h"
#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/fs.h"
#include "pkg/base/json.h"
#include "pkg/base/mem.h"
#include "pkg/base/path.h"
#include "pkg/base/strv.h"
#include "pkg/store/images_open.h"
#include "pkg/store/layers.h"
#include "pkg/store/store.h"
#include "pkg/store/tagdir.h"

/* As often as others may take the tag away and put it back under us. */
#define OPEN_TRIES 10

static int read_meta(const struct image *img, const char *name, struct str *ret, struct err **err)
{
	if (fs_read(img->fd, name, IMAGE_MANIFEST_MAX, ret, FS_BENEATH) == 0)
		return 0;
	return err_sys(err, errno, "read %s", name);
}

static void set_layers(struct image *img, size_t n)
{
	img->n_layers = n;
	img->layers = n ? xcalloc(n, sizeof(*img->layers)) : NULL;
}

/* v2: the manifest names everything. Its text is taken. */
static int use_manifest(struct image *img, struct str *text, struct err **err)
{
	auto_manifest *m = NULL;

	if (manifest_parse(str_text(text), text->len, "manifest", &m, err) < 0)
		return -1;
	if (m->v1_config)
		img->inline_config = xstrdup(m->v1_config);
	else {
		img->config_file = xstrdup(m->config.digest.text);
		img->config_digest = xstrdup(m->config.digest.text);
		img->config_size = m->config.size;
	}
	set_layers(img, m->n_layers);
	for (size_t i = 0; i < m->n_layers; i++) {
		const struct descriptor *d = &m->layers[i];

		img->layers[i] = (struct image_layer){ .file = xstrdup(d->digest.text),
			.digest = xstrdup(d->digest.text),
			.media_type = *d->media_type ? xstrdup(d->media_type) : NULL,
			.size = d->size };
	}
	img->manifest_len = text->len;
	img->manifest = str_steal(text);
	return 0;
}

static int read_v2(struct image *img, struct err **err)
{
	auto_str text = STR_INIT;

	return read_meta(img, "manifest", &text, err) < 0 ? -1 : use_manifest(img, &text, err);
}

int image_of_manifest(const char *name, struct str *manifest, struct image **ret, struct err **err)
{
	auto_image *img = xcalloc(1, sizeof(*img));

	img->fd = -1;
	img->version = 2;
	img->name = xstrdup(name);
	if (use_manifest(img, manifest, err) < 0)
		return -1;
	*ret = steal_ptr(&img);
	return 0;
}

/* v1: container.json where a docker archive was loaded, else the top layer's own json. */
static int find_v1_config(struct image *img, const char *top, struct err **err)
{
	autofree char *target = fs_readlink(img->fd, "container.json");

	img->config_size = -1;
	if (target)
		img->config_file = xstrdup(path_base(target));
	else if (errno == EINVAL) {
		auto_str text = STR_INIT;

		if (fs_read(img->fd, "container.json", IMAGE_CONFIG_MAX, &text, FS_BENEATH) < 0)
			return err_sys(err, errno, "read container.json");
		img->inline_config = str_steal(&text);
		return 0;
	} else if (errno == ENOENT)
		img->config_file = xasprintf("%s.json", top);
	else
		return err_sys(err, errno, "read container.json");
	if (layer_name_is_digest(img->config_file))
		img->config_digest = xstrdup(img->config_file);
	return 0;
}

static int read_v1(struct image *img, struct err **err)
{
	const struct json_limits limits = { .bytes = IMAGE_MANIFEST_MAX };
	auto_json *j = NULL;
	auto_strv ids = STRV_INIT;

	if (json_read(img->fd, "ancestry", &limits, &j, err) < 0)
		return -1;
	if (docker_ancestry_from_json(j, &ids, err) < 0)
		return -1;
	if (ids.n == 0 || ids.n > IMAGE_LAYERS_MAX)
		return err_make(err, ERR_CORRUPT, "ancestry: %zu layers", ids.n);
	set_layers(img, ids.n);
	for (size_t i = 0; i < ids.n; i++) {
		img->layers[i] = (struct image_layer){ .file = xasprintf("%s.layer", ids.v[i]), .size = -1 };
		if (layer_name_is_digest(img->layers[i].file))
			img->layers[i].digest = xstrdup(img->layers[i].file);
	}
	return find_v1_config(img, ids.v[ids.n - 1], err);
}

static const char *meta_name(const struct image *img)
{
	return img->version == 2 ? "manifest" : "ancestry";
}

static bool stamp_meta(int dirfd, const char *name, uint64_t *ret_ino, uint64_t *ret_ctime_ns)
{
	struct stat st;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	*ret_ino = st.st_ino;
	*ret_ctime_ns = (uint64_t)st.st_ctim.tv_sec * 1000000000U + (uint64_t)st.st_ctim.tv_nsec;
	return true;
}

bool image_is_current(const struct image *img)
{
	autofree char *path = path_join(img->dir, meta_name(img));
	uint64_t ino, ctime_ns;

	return stamp_meta(AT_FDCWD, path, &ino, &ctime_ns) && ino == img->meta_ino &&
	       ctime_ns == img->meta_ctime_ns;
}

/*
 * A pull of 1.3.x over a loaded image leaves both markers (FIX-66): what was pulled is what the user wanted, so v2 wins
 * wherever there is a manifest.
 */
static int read_metadata(struct image *img, const struct tagdir *t, struct err **err)
{
	if (tagdir_has(t, "manifest") && (tagdir_has(t, "v2") || !tagdir_has(t, "v1")))
		img->version = 2;
	else if (tagdir_has(t, "ancestry"))
		img->version = 1;
	else
		return err_make(err, ERR_CORRUPT, "neither manifest nor ancestry");
	/* Before it is read: one that is replaced meanwhile counts as replaced. */
	(void)stamp_meta(img->fd, meta_name(img), &img->meta_ino, &img->meta_ctime_ns);
	return img->version == 2 ? read_v2(img, err) : read_v1(img, err);
}

int image_open_tagdir(struct store *s, struct tagdir *t, struct image **ret, struct err **err)
{
	auto_image *img = xcalloc(1, sizeof(*img));

	img->fd = fd_dup(t->fd);
	if (img->fd < 0)
		return err_sys(err, errno, "open %s", t->path);
	img->repo = xstrdup(t->repo);
	img->tag = xstrdup(t->tag);
	img->name = xasprintf("%s:%s", t->repo, t->tag);
	img->dir = path_join(s->repos, t->path);
	img->protected = tagdir_has(t, "PROTECT");
	if (read_metadata(img, t, err) < 0) {
		err_add(err, "image %s is damaged", img->name);
		if (err && *err && !err_is(*err, ERR_SYSTEM) && !err_is(*err, ERR_DENIED))
			err_set_kind(err, ERR_CORRUPT);
		return err_hint(err, "remove it and load or pull it again");
	}
	*ret = steal_ptr(&img);
	return 0;
}

static int no_such_image(const char *ref, struct err **err)
{
	return err_make(err, ERR_NOT_FOUND, "no such image: '%s'", ref);
}

static bool is_there(struct store *s, const struct tagdir *t)
{
	return tagdir_has(t, "TAG") && tagdir_is_current(s, t);
}

int image_open(struct store *s, const char *ref, struct image **ret, struct err **err)
{
	auto_reference r = REFERENCE_INIT;

	if (reference_parse(ref, &r, err) < 0)
		return -1;
	for (int left = OPEN_TRIES;; left--) {
		auto_tagdir t = TAGDIR_INIT;
		auto_err *e = NULL;
		int found = tagdir_find(s, &r, &t, err);

		if (found <= 0)
			return found < 0 ? -1 : no_such_image(ref, err);
		if (image_open_tagdir(s, &t, ret, &e) == 0)
			return 0;
		/* It may have been taken away between two looks, or, where it is there, have become v2 in place: once. */
		if (left > 0 && is_there(s, &t))
			left = 1;
		if (left > 0)
			continue;
		err_move(err, &e);
		return -1;
	}
}

bool image_exists(struct store *s, const char *ref)
{
	auto_reference r = REFERENCE_INIT;
	auto_tagdir t = TAGDIR_INIT;

	return reference_parse(ref, &r, NULL) == 0 && tagdir_find(s, &r, &t, NULL) > 0;
}

const char *image_digest(struct image *img)
{
	struct digest d;

	if (!img->digest && img->manifest &&
		digest_of(SHA_256, img->manifest, img->manifest_len, &d, NULL) == 0)
		img->digest = xstrdup(d.text);
	return img->digest;
}

int image_read_config(struct store *s, const struct image *img, struct str *ret, struct err **err)
{
	autoclose int fd = -1;

	if (img->inline_config)
		return str_add(ret, img->inline_config);
	fd = layer_open(s, img->config_file, NULL, err);
	if (fd < 0 || fd_read_text(fd, IMAGE_CONFIG_MAX, ret, "image configuration", err) < 0)
		return err_add(err, "image %s", img->name);
	return 0;
}

int image_config(struct store *s, const struct image *img, struct json **ret, struct err **err)
{
	const struct json_limits limits = { .bytes = IMAGE_CONFIG_MAX };
	auto_str text = STR_INIT;
	auto_json *j = NULL;

	if (image_read_config(s, img, &text, err) < 0)
		return -1;
	if (json_parse(str_text(&text), text.len, "image configuration", &limits, &j, err) < 0)
		return err_add(err, "image %s", img->name);
	if (!json_is(j, JSON_OBJECT))
		return err_make(
			err, ERR_CORRUPT, "image %s: image configuration: expected an object", img->name);
	*ret = steal_ptr(&j);
	return 0;
}

void image_free(struct image *img)
{
	if (!img)
		return;
	for (size_t i = 0; i < img->n_layers; i++) {
		free(img->layers[i].file);
		free(img->layers[i].digest);
		free(img->layers[i].media_type);
	}
	if (img->fd >= 0)
		close(img->fd);
	free(img->layers);
	free(img->repo);
	free(img->tag);
	free(img->name);
	free(img->dir);
	free(img->manifest);
	free(img->digest);
	free(img->config_file);
	free(img->config_digest);
	free(img->inline_config);
	free(img);
}
