/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Docker archives: manifest.json, `repositories`, and a folder for each layer with its parent's name, which is what docker before 1.10 and
 * udocker 1.3.x go by (FIX-28, FIX-30). The folders are called by a hash of the chain below them, as docker calls them, so images with a
 * common base share its folders; where one layer lies on two chains, the second folder has a hard link, for manifest.json names the first.
 */
#include <string.h>

#include "oci-spec/docker_v1.h"
#include "oci-spec/reference.h"
#include "pkg/archive/writer.h"
#include "pkg/base/err.h"
#include "pkg/base/json.h"
#include "pkg/base/mem.h"
#include "pkg/base/str.h"
#include "pkg/base/strv.h"
#include "pkg/image/save.h"
#include "pkg/image/save_format.h"
#include "pkg/image/save_limits.h"
#include "pkg/image/save_set.h"
#include "pkg/image/save_temporary.h"
#include "pkg/store/images.h"
#include "pkg/store/layers.h"

struct content { /* one plain tar, whatever it is compressed with in the store */
	struct save_layer *layer;
	char *path; /* where it was written; NULL: not yet */
};

struct docker {
	struct save_set *set;
	const struct save_options *o;
	struct writer *w;
	int dirfd;
	const char *what;
	struct content *contents;
	size_t n_contents, cap_contents;
	struct strv folders, configs; /* written */
	struct json *manifest, *repositories;
	struct save_texts texts;
};

/* ---- layers ---- */

static struct content *find_content(struct docker *d, struct save_layer *l)
{
	struct content *c;

	for (size_t i = 0; i < d->n_contents; i++)
		if (digest_eq(&d->contents[i].layer->diff_id, &l->diff_id))
			return &d->contents[i];
	d->contents = mem_grow(d->contents, &d->cap_contents, d->n_contents + 1, sizeof(*d->contents));
	c = &d->contents[d->n_contents++];
	*c = (struct content){ .layer = l };
	return c;
}

static enum inflate_kind target_kind(const struct docker *d)
{
	return d->o->compress == SAVE_COMPRESS_GZIP   ? INFLATE_GZIP
	       : d->o->compress == SAVE_COMPRESS_ZSTD ? INFLATE_ZSTD
						      : INFLATE_PLAIN;
}

static int to_writer(void *arg, const void *p, size_t n, struct err **err)
{
	return writer_data(arg, p, n, err);
}

static int send(struct docker *d, struct save_layer *l, struct writer_entry *e, struct err **err)
{
	e->size = (int64_t)save_layer_size(l);
	if (writer_entry(d->w, e, err) < 0)
		return -1;
	return save_layer_send(d->set, l, to_writer, d->w, err);
}

/* The size stands in front of the content: into a file it is written afterwards, for a pipe the layer is unpacked twice. */
static int unpack(struct docker *d, struct save_layer *l, struct writer_entry *e, struct err **err)
{
	if (writer_can_late(d->w) && !l->looked) {
		if (writer_late(d->w, e, err) < 0 || save_layer_unpack(d->set, l, to_writer, d->w, err) < 0)
			return -1;
		return writer_late_end(d->w, NULL, err);
	}
	if (!l->looked && save_layer_look(d->set, l, err) < 0)
		return -1;
	e->size = (int64_t)l->plain_size;
	if (writer_entry(d->w, e, err) < 0)
		return -1;
	return save_layer_unpack(d->set, l, to_writer, d->w, err);
}

static int put_content(struct docker *d, struct content *c, const char *path, struct err **err)
{
	struct writer_entry e = { .type = READER_FILE, .name = path, .mode = 0644 };
	enum inflate_kind kind = target_kind(d);
	struct save_layer *l = c->layer;
	int fd;

	if (c->path) {
		e.type = READER_HARDLINK;
		e.link = c->path;
		return writer_entry(d->w, &e, err);
	}
	c->path = xstrdup(path);
	if (kind == INFLATE_PLAIN && l->kind != kind)
		return unpack(d, l, &e, err);
	if (l->kind == kind)
		return send(d, l, &e, err);
	fd = save_temporary(d->dirfd, d->what, err);
	if (fd < 0 || save_layer_convert(d->set, l, kind, fd, err) < 0)
		return -1;
	return send(d, l, &e, err);
}

/* ---- folders ---- */

static int put_text(struct docker *d, const char *name, const char *text, struct err **err)
{
	const struct writer_entry e = { .type = READER_FILE, .name = name, .mode = 0644 };

	return writer_text(d->w, &e, text, strlen(text), err);
}

static int put_json(struct docker *d, const char *name, const struct json *j, struct err **err)
{
	autofree char *text = json_text(j, 0);

	return put_text(d, name, text, err);
}

/* One that load reads. */
static int put_list(struct docker *d, const char *name, const struct json *j, struct err **err)
{
	autofree char *text = json_text(j, 0);

	return save_limit_text(&d->texts, strlen(text), 1, err) < 0 ? -1 : put_text(d, name, text, err);
}

/* The layer's json: the image's configuration for the top one, as docker before 1.10 wants it. */
static int folder_json(const struct save_image *si, size_t i, const char *id, const char *parent,
	struct json **ret, struct err **err)
{
	const struct json_limits limits = { .bytes = IMAGE_CONFIG_MAX };
	auto_json *j = NULL;

	if (i + 1 == si->n_layers) {
		if (json_parse(si->config, si->config_len, "image configuration", &limits, &j, err) < 0)
			return -1;
		json_remove(j, "rootfs");
		json_remove(j, "history");
	} else {
		j = json_new_object();
		json_set_str(j, "created", "1970-01-01T00:00:00Z");
		json_set_str(j, "os", "linux");
	}
	json_set_str(j, "id", id);
	json_set_str(j, "parent", parent);
	*ret = steal_ptr(&j);
	return 0;
}

static int put_folder(struct docker *d, const struct save_image *si, size_t i, const char *id,
	const char *parent, struct err **err)
{
	autofree char *version = xasprintf("%s/VERSION", id), *json = xasprintf("%s/json", id);
	autofree char *path = xasprintf("%s/layer.tar", id);
	const struct writer_entry dir = { .type = READER_DIR, .name = id, .mode = 0755 };
	auto_json *j = NULL;

	if (strv_has(&d->folders, id))
		return 0;
	strv_add(&d->folders, id);
	/* Four of each folder, a configuration of each image, two lists. */
	if (save_limit_files(4 * d->folders.n + d->set->n_images + 2, err) < 0)
		return -1;
	if (folder_json(si, i, id, parent, &j, err) < 0)
		return -1;
	if (writer_entry(d->w, &dir, err) < 0 || put_text(d, version, "1.0", err) < 0 ||
		put_json(d, json, j, err) < 0)
		return -1;
	return put_content(d, find_content(d, si->layers[i]), path, err);
}

/* What a folder is called: the chain id of image-spec's config.md, the parent's name, and for the top the configuration. */
static int folder_id(const struct save_image *si, size_t i, struct digest *chain, char **id, struct err **err)
{
	const struct digest *diff = &si->layers[i]->diff_id;
	const char *config = i + 1 == si->n_layers ? si->config_digest.text : "";
	auto_str text = STR_INIT;
	struct digest name;

	if (i == 0)
		*chain = *diff;
	else {
		str_addf(&text, "%s %s", chain->text, diff->text);
		if (digest_of(SHA_256, str_text(&text), text.len, chain, err) < 0)
			return -1;
		str_truncate(&text, 0);
	}
	str_addf(&text, "layer %s\nparent %s\nconfig %s\n", chain->text, *id ? *id : "", config);
	if (digest_of(SHA_256, str_text(&text), text.len, &name, err) < 0)
		return -1;
	free(*id);
	*id = xstrdup(digest_hex(&name));
	return 0;
}

/* All folders of an image; paths for manifest.json into ret, the top folder's name is handed over. */
static int put_layers(
	struct docker *d, const struct save_image *si, struct strv *ret, char **ret_top, struct err **err)
{
	autofree char *id = NULL;
	struct digest chain;

	for (size_t i = 0; i < si->n_layers; i++) {
		autofree char *parent = xstrdup_null(id);

		if (folder_id(si, i, &chain, &id, err) < 0 || put_folder(d, si, i, id, parent, err) < 0)
			return -1;
		strv_add(ret, find_content(d, si->layers[i])->path);
	}
	*ret_top = steal_ptr(&id);
	return 0;
}

/* ---- images ---- */

/* Names for tools that know no digests in names. */
static void add_names(struct docker *d, const struct save_image *si, const char *top, struct strv *tags)
{
	for (size_t i = 0; i < si->names.n; i++) {
		auto_reference r = REFERENCE_INIT;

		if (reference_parse(si->names.v[i], &r, NULL) < 0 || digest_is_set(&r.digest))
			continue;
		strv_add(tags, si->names.v[i]);
		if (top)
			json_set_str(json_need_object(d->repositories, r.name), r.tag, top);
	}
}

static int put_config(struct docker *d, const struct save_image *si, const char *path, struct err **err)
{
	const struct writer_entry e = { .type = READER_FILE, .name = path, .mode = 0644 };

	if (save_limit_text(&d->texts, si->config_len, 1, err) < 0)
		return -1;
	if (strv_has(&d->configs, path))
		return 0;
	strv_add(&d->configs, path);
	return writer_text(d->w, &e, si->config, si->config_len, err);
}

static int put_image(struct docker *d, const struct save_image *si, struct err **err)
{
	autofree char *config = xasprintf("%s.json", digest_hex(&si->config_digest)), *top = NULL;
	auto_strv layers = STRV_INIT, tags = STRV_INIT;

	if (put_layers(d, si, &layers, &top, err) < 0 || put_config(d, si, config, err) < 0)
		return -1;
	add_names(d, si, top, &tags);
	json_append(d->manifest, docker_archive_item_to_json(config, &tags, &layers));
	return 0;
}

int save_docker(struct save_set *set, const struct save_options *o, struct writer *w, int dirfd,
	const char *what, struct err **err)
{
	struct docker d = { .set = set, .o = o, .w = w, .dirfd = dirfd, .what = what };
	int r = save_limit_docker(set, err);

	d.manifest = json_new_array();
	d.repositories = json_new_object();
	for (size_t i = 0; r == 0 && i < set->n_images; i++)
		if (put_image(&d, set->images[i], err) < 0)
			r = err_add(err, "image %s", set->images[i]->img->name);
	if (r == 0)
		r = put_list(&d, "manifest.json", d.manifest, err);
	if (r == 0)
		r = put_json(&d, "repositories", d.repositories, err);
	for (size_t i = 0; i < d.n_contents; i++)
		free(d.contents[i].path);
	free(d.contents);
	strv_free(&d.folders);
	strv_free(&d.configs);
	json_free(d.manifest);
	json_free(d.repositories);
	return r;
}
