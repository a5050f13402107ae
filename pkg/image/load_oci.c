/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OCI image layouts: index.json lists images, or indexes of images for several platforms. What is no image (attestations, signatures, other
 * artifacts) is left out.
 */
#include <string.h>

#include "oci-spec/image_config.h"
#include "oci-spec/image_layout.h"
#include "oci-spec/index.h"
#include "oci-spec/manifest.h"
#include "oci-spec/media_types.h"
#include "oci-spec/platform.h"
#include "oci-spec/reference.h"
#include "pkg/base/err.h"
#include "pkg/base/json.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/image/load_set.h"
#include "pkg/image/select.h"
#include "pkg/image/source.h"

struct oci {
	struct source *src;
	struct load_set *set;
	const struct platform *want; /* NULL: the machine's */
	bool all;
	bool told; /* the error names the source already */
};

static int fetch(void *arg, const struct descriptor *d, struct json **ret, struct err **err)
{
	struct oci *o = arg;
	struct source_file *f;

	if (source_blob(o->src, &d->digest, d->size, &f, err) == 0 && source_json(o->src, f, ret, err) == 0)
		return 0;
	o->told = true;
	return -1;
}

/* Context for what went wrong in select.c. */
static int tell(struct oci *o, struct err **err)
{
	return o->told ? -1 : err_add(err, "%s", source_what(o->src));
}

/* Known ones, and what some tools make up for compressions that have no type (…tar+xz): the content says what it is. */
static bool is_layer_type(const char *type)
{
	return !*type || media_type_kind(type) == MEDIA_LAYER ||
	       str_starts(type, "application/vnd.oci.image.layer.");
}

/* Signatures carry an image's configuration type, but layers that are none. */
static bool is_image(const struct manifest *m)
{
	if (m->kind != MEDIA_MANIFEST || !manifest_is_image(m) || m->artifact_type)
		return false;
	for (size_t i = 0; i < m->n_layers; i++)
		if (!is_layer_type(m->layers[i].media_type))
			return false;
	return true;
}

static int check_platform(struct oci *o, const struct image_config *c, const char *digest, struct err **err)
{
	char have[PLATFORM_TEXT_MAX], want[PLATFORM_TEXT_MAX];
	struct platform host;

	platform_host(&host);
	if (platform_rank(o->want ? o->want : &host, &c->platform, true) >= 0)
		return 0;
	platform_text(&c->platform, have);
	if (o->want)
		return err_make(err, ERR_UNSUPPORTED, "%s: the image is for %s and not for %s",
			source_what(o->src), have, platform_text(o->want, want));
	log_warning("image %s is for %s and may not run on this machine, loading it", digest, have);
	return 0;
}

static int take_blobs(struct oci *o, const struct manifest *m, struct load_image *img, struct err **err)
{
	struct source_file *f;
	auto_image_config *c = NULL;
	autofree char *text = NULL;
	size_t n;

	if (source_blob(o->src, &m->config.digest, m->config.size, &f, err) < 0 ||
		source_text(o->src, f, &text, &n, err) < 0)
		return -1;
	if (image_config_parse(text, n, "image configuration", &c, err) < 0)
		return err_add(err, "%s", source_what(o->src));
	if (c->n_diff_ids && c->n_diff_ids != m->n_layers)
		return err_make(err, ERR_CORRUPT, "%s: an image has %zu layers, its configuration says %zu",
			source_what(o->src), m->n_layers, c->n_diff_ids);
	if (!o->all && check_platform(o, c, img->digest.text, err) < 0)
		return -1;
	img->config = m->config.digest;
	img->platform = c->platform;
	load_image_blob(img, f);
	for (size_t i = 0; i < m->n_layers; i++) {
		if (source_blob(o->src, &m->layers[i].digest, m->layers[i].size, &f, err) < 0)
			return -1;
		load_image_blob(img, f);
	}
	return 0;
}

/* *ret stays NULL when the manifest is none of an image. */
static int take_manifest(struct oci *o, const struct descriptor *d, struct load_image **ret, struct err **err)
{
	struct source_file *f;
	auto_manifest *m = NULL;
	autofree char *text = NULL;
	struct load_image *img = load_set_find(o->set, &d->digest);
	struct digest digest;
	size_t n;

	if (img) {
		*ret = img;
		return 0;
	}
	if (source_blob(o->src, &d->digest, d->size, &f, err) < 0 ||
		source_text(o->src, f, &text, &n, err) < 0)
		return -1;
	if (manifest_parse(text, n, f->path, &m, err) < 0)
		return err_add(err, "%s", source_what(o->src));
	if (!is_image(m)) {
		log_info("%s: %s is no image, skipping", source_what(o->src), d->digest.text);
		return 0;
	}
	if (digest_of(SHA_256, text, n, &digest, err) < 0)
		return -1;
	*ret = load_set_find(o->set, &digest); /* under a digest of another kind */
	if (*ret)
		return 0;
	*ret = load_set_add(o->set, f, &digest);
	return take_blobs(o, m, *ret, err);
}

/* A name with a digest is one only for the manifest of that digest. */
static bool name_is_true(const char *name, const struct digest *manifest)
{
	auto_reference r = REFERENCE_INIT;

	return reference_parse(name, &r, NULL) == 0 &&
	       (!digest_is_set(&r.digest) || digest_eq(&r.digest, manifest));
}

/*
 * The manifest for the wanted platform, of one entry of index.json or of entries that share a name and differ by platform. With --all there need
 * be none: *ret_d is empty then.
 */
static int choose(struct oci *o, struct descriptor *items, size_t n, struct descriptor *ret, struct err **err)
{
	const struct select_source from = { .fetch = fetch, .arg = o };
	const struct index group = { .items = items, .n_items = n };
	bool had = items[0].has_platform;
	auto_err *e = NULL;
	int r;

	if (n == 1 && media_type_kind(items[0].media_type) == MEDIA_MANIFEST) {
		descriptor_copy(ret, &items[0]);
		return 0;
	}
	/* An index that stands alone is opened whatever platform its own entry claims. */
	items[0].has_platform = n > 1 && had;
	r = select_manifest(&from, &group, o->want, ret, &e);
	items[0].has_platform = had;
	if (r == 0 || (o->all && err_is(e, ERR_UNSUPPORTED)))
		return 0;
	(void)tell(o, &e);
	return err_move(err, &e);
}

/* Every image of the entries; nothing where it is one alone. Caller frees *ret. */
static int take_all(struct oci *o, struct descriptor *items, size_t n, struct load_image ***ret,
	size_t *ret_n, struct err **err)
{
	const struct select_source from = { .fetch = fetch, .arg = o };
	const struct index group = { .items = items, .n_items = n };
	struct load_image **v;
	struct descriptor *d;
	size_t count = 0, k = 0;
	int r = 0;

	if (n == 1 && media_type_kind(items[0].media_type) == MEDIA_MANIFEST)
		return 0;
	if (select_all(&from, &group, &d, &count, err) < 0)
		return tell(o, err);
	v = xcalloc(count + 1, sizeof(struct load_image *));
	for (size_t i = 0; i < count; i++) {
		struct load_image *img = NULL;

		if (r == 0)
			r = take_manifest(o, &d[i], &img, err);
		if (img && d[i].has_platform && *d[i].platform.os && *d[i].platform.arch)
			img->platform = d[i].platform;
		if (img)
			v[k++] = img;
		descriptor_free(&d[i]);
	}
	free(d);
	if (r < 0) {
		free(v);
		return -1;
	}
	*ret = v;
	*ret_n = k;
	return 0;
}

static int take_group(struct oci *o, struct descriptor *items, size_t n, struct err **err)
{
	autofree struct load_image **members = NULL;
	auto_descriptor chosen = { 0 };
	autofree char *name = NULL, *tag = NULL;
	struct load_image *img = NULL;
	struct load_group *g;
	size_t n_members = 0;

	image_layout_names(&items[0], &name, &tag);
	if (choose(o, items, n, &chosen, err) < 0)
		return -1;
	if (digest_is_set(&chosen.digest) && take_manifest(o, &chosen, &img, err) < 0)
		return -1;
	if (o->all && take_all(o, items, n, &members, &n_members, err) < 0)
		return -1;
	if (!img && !n_members)
		return 0;
	g = load_set_group(o->set, img, steal_ptr(&members), n_members);
	if (name && name_is_true(name, &chosen.digest))
		load_group_name(g, name);
	if (tag && !g->tag)
		g->tag = steal_ptr(&tag);
	return 0;
}

/* An entry of index.json that is for a platform, by what it is called. */
struct entry {
	const char *name[2];
	size_t at;
};

static int compare_names(const struct entry *x, const struct entry *y)
{
	for (size_t i = 0; i < ARRAY_LEN(x->name); i++) {
		const char *a = x->name[i], *b = y->name[i];
		int r = a && b ? strcmp(a, b) : !!a - !!b;

		if (r)
			return r;
	}
	return 0;
}

static int compare_entries(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int r = compare_names(x, y);

	return r ? r : x->at < y->at ? -1 : x->at > y->at;
}

struct grouping {
	struct entry *sorted; /* entries of the same name behind each other, as they come */
	size_t n;
	size_t *place; /* of each entry in sorted */
	bool *done; /* each entry */
	struct descriptor *group; /* room for all */
};

static void grouping_free(struct grouping *g)
{
	free(g->sorted);
	free(g->place);
	free(g->done);
	free(g->group);
}
#define auto_grouping CLEANUP(grouping_free) struct grouping

static void sort_entries(struct grouping *g, const struct index *x)
{
	g->sorted = xcalloc(x->n_items + 1, sizeof(*g->sorted));
	g->place = xcalloc(x->n_items + 1, sizeof(*g->place));
	g->done = xcalloc(x->n_items + 1, sizeof(*g->done));
	g->group = xcalloc(x->n_items + 1, sizeof(*g->group));
	for (size_t i = 0; i < x->n_items; i++) {
		const struct descriptor *d = &x->items[i];

		g->done[i] = index_item_is_companion(d);
		if (d->has_platform && !g->done[i])
			g->sorted[g->n++] = (struct entry){ { descriptor_annotation(d, ANNOTATION_REF_NAME),
								    descriptor_annotation(
									    d, ANNOTATION_CONTAINERD_NAME) },
				i };
	}
	qsort(g->sorted, g->n, sizeof(*g->sorted), compare_entries);
	for (size_t i = 0; i < g->n; i++)
		g->place[g->sorted[i].at] = i;
}

/* Entries of the same name for different platforms are one image; gathered behind each other, first come first. */
static int take_index(struct oci *o, struct index *x, struct err **err)
{
	auto_grouping g = { 0 };

	sort_entries(&g, x);
	for (size_t i = 0; i < x->n_items; i++) {
		const struct entry *e = &g.sorted[g.place[i]], *end = g.sorted + g.n;
		size_t n = 0;

		if (g.done[i])
			continue;
		if (!x->items[i].has_platform)
			g.group[n++] = x->items[i];
		else
			for (const struct entry *k = e; k < end && compare_names(e, k) == 0; k++) {
				g.group[n++] = x->items[k->at];
				g.done[k->at] = true;
			}
		if (take_group(o, g.group, n, err) < 0)
			return -1;
	}
	return 0;
}

int load_oci(
	struct source *src, const struct platform *want, bool all, struct load_set *set, struct err **err)
{
	struct oci o = { .src = src, .set = set, .want = want, .all = all };
	auto_json *layout = NULL, *j = NULL;
	struct source_file *f;
	auto_index *x = NULL;

	if (source_find(src, IMAGE_LAYOUT_FILE, &f, err) < 0 || source_json(src, f, &layout, err) < 0)
		return -1;
	if (image_layout_check(layout, err) < 0)
		return err_add(err, "%s", source_what(src));
	if (source_find(src, IMAGE_LAYOUT_INDEX, &f, err) < 0 || source_json(src, f, &j, err) < 0)
		return -1;
	if (index_from_json(j, IMAGE_LAYOUT_INDEX, &x, err) < 0)
		return err_add(err, "%s", source_what(src));
	return take_index(&o, x, err);
}

/* ---- dir ---- */

#define DIR_MANIFEST "manifest.json"

static int read_dir_manifest(
	struct source *src, struct source_file **ret_file, struct json **ret, struct err **err)
{
	if (source_find(src, DIR_MANIFEST, ret_file, err) < 0)
		return -1;
	return source_json(src, *ret_file, ret, err);
}

bool load_is_dir(struct source *src)
{
	struct source_file *f;
	auto_json *j = NULL;

	return source_has(src, "version") && read_dir_manifest(src, &f, &j, NULL) == 0 &&
	       manifest_sniff(j, NULL) != MEDIA_UNKNOWN;
}

int load_dir(
	struct source *src, const struct platform *want, bool all, struct load_set *set, struct err **err)
{
	struct oci o = { .src = src, .set = set, .want = want, .all = all };
	auto_descriptor d = { 0 };
	struct source_file *f;
	auto_json *j = NULL;

	if (read_dir_manifest(src, &f, &j, err) < 0)
		return -1;
	source_set_flat(src);
	d = (struct descriptor){ .media_type =
					 xstrdup(manifest_sniff(j, NULL) == MEDIA_INDEX ? MEDIA_OCI_INDEX
											: MEDIA_OCI_MANIFEST),
		.digest = f->digest,
		.size = (int64_t)f->size };
	if (take_group(&o, &d, 1, err) < 0)
		return -1;
	return set->n ? 0 : err_make(err, ERR_CORRUPT, "%s: there is no image in it", source_what(src));
}
