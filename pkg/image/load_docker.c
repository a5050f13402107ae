/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Docker archives. manifest.json says everything (FIX-28): which file is the configuration, which are the layers, what the image is called. Archives older
 * than docker 1.10 have none: there `repositories` names the top layer, whose json leads down to the base.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "oci-spec/docker_v1.h"
#include "oci-spec/image_config.h"
#include "oci-spec/manifest.h"
#include "oci-spec/media_types.h"
#include "oci-spec/reference.h"
#include "pkg/archive/inflate.h"
#include "pkg/base/codec.h"
#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/json.h"
#include "pkg/base/mem.h"
#include "pkg/base/path.h"
#include "pkg/base/sorted.h"
#include "pkg/image/load_set.h"
#include "pkg/image/source.h"

#define MANIFEST_FILE "manifest.json"
#define REPOSITORIES_FILE "repositories"

struct layers {
	struct source_file **files;
	enum media_compression *compression;
	struct digest *diff_ids; /* of the plain tars */
	size_t n;
};

static void layers_init(struct layers *l, size_t n)
{
	l->n = n;
	l->files = xcalloc(n + 1, sizeof(struct source_file *));
	l->compression = xcalloc(n + 1, sizeof(*l->compression));
	l->diff_ids = xcalloc(n + 1, sizeof(*l->diff_ids));
}

static void layers_free(struct layers *l)
{
	free(l->files);
	free(l->compression);
	free(l->diff_ids);
}
#define auto_layers CLEANUP(layers_free) struct layers

/* One layer against its diff id (unset: there is none). */
static int check_layer(
	struct source *src, struct layers *l, size_t i, const struct digest *want, struct err **err)
{
	struct source_file *f = l->files[i];
	enum inflate_kind kind = INFLATE_PLAIN;

	if (source_kind(src, f, &kind, err) < 0)
		return -1;
	if (kind == INFLATE_XZ || kind == INFLATE_BZIP2) {
		if (source_decompress(src, f, err) < 0)
			return -1;
		kind = INFLATE_PLAIN;
	}
	l->compression[i] = kind == INFLATE_GZIP   ? MEDIA_GZIP
			    : kind == INFLATE_ZSTD ? MEDIA_ZSTD
						   : MEDIA_PLAIN;
	/* What 1.3.x imported and saved has the digest of the compressed file there (FIX-58). */
	if (digest_is_set(want) && digest_eq(want, &f->digest)) {
		l->diff_ids[i] = *want;
		return 0;
	}
	if (!digest_is_set(want) && kind == INFLATE_PLAIN) {
		l->diff_ids[i] = f->digest;
		return 0;
	}
	if (source_plain_digest(src, f, digest_is_set(want) ? want->kind : SHA_256, &l->diff_ids[i], err) < 0)
		return -1;
	if (digest_is_set(want) && !digest_eq(want, &l->diff_ids[i]))
		return err_make(err, ERR_CORRUPT,
			"%s: layer '%s': digest mismatch (got %s, the configuration says %s)",
			source_what(src), f->path, l->diff_ids[i].text, want->text);
	return 0;
}

static int find_layers(struct source *src, const struct strv *paths, struct layers *ret, struct err **err)
{
	layers_init(ret, paths->n);
	for (size_t i = 0; i < paths->n; i++)
		if (source_find(src, paths->v[i], &ret->files[i], err) < 0)
			return -1;
	return 0;
}

static int check_layers(struct source *src, struct layers *l, const struct image_config *c, struct err **err)
{
	static const struct digest none;

	if (c && c->n_diff_ids && c->n_diff_ids != l->n)
		return err_make(err, ERR_CORRUPT, "%s: an image has %zu layers, its configuration says %zu",
			source_what(src), l->n, c->n_diff_ids);
	for (size_t i = 0; i < l->n; i++)
		if (check_layer(src, l, i, c && c->n_diff_ids ? &c->diff_ids[i] : &none, err) < 0)
			return -1;
	return 0;
}

static void describe(struct descriptor *d, const char *media_type, const struct source_file *f)
{
	*d = (struct descriptor){
		.media_type = xstrdup(media_type), .digest = f->digest, .size = (int64_t)f->size
	};
}

/* A manifest that names what the archive has; of Docker's kind unless a layer is in zstd, which that does not know. */
static int make_image(struct source *src, struct load_set *set, struct source_file *config,
	const struct layers *l, struct load_image **ret, struct err **err)
{
	struct descriptor *d = xcalloc(l->n + 1, sizeof(*d));
	autofree char *path = xasprintf("manifest//%zu", set->n), *text = NULL;
	struct source_file *f;
	struct load_image *img;
	struct digest digest;
	auto_json *j = NULL;
	bool docker = true;

	for (size_t i = 0; i < l->n; i++)
		docker = docker && l->compression[i] != MEDIA_ZSTD;
	describe(&d[l->n], docker ? MEDIA_DOCKER_CONFIG : MEDIA_OCI_CONFIG, config);
	for (size_t i = 0; i < l->n; i++)
		describe(&d[i], media_type_layer(docker, l->compression[i]), l->files[i]);
	j = manifest_build(docker, &d[l->n], d, l->n);
	for (size_t i = 0; i <= l->n; i++)
		descriptor_free(&d[i]);
	free(d);
	text = json_text(j, 0);
	if (digest_of(SHA_256, text, strlen(text), &digest, err) < 0)
		return -1;
	*ret = load_set_find(set, &digest);
	if (*ret)
		return 0;
	if (source_add(src, path, text, strlen(text), &f, err) < 0)
		return -1;
	*ret = img = load_set_add(set, f, &digest);
	for (size_t i = 0; i < l->n; i++)
		load_image_blob(img, l->files[i]);
	load_image_blob(img, config);
	img->config = config->digest;
	return 0;
}

/* "<hex>.json", or "sha256:<hex>" as some tools call it, promises the content's digest. */
static int check_config_name(
	struct source *src, const char *path, const struct source_file *f, struct err **err)
{
	const char *base = path_base(path), *hex = str_starts(base, "sha256:") ? base + 7 : base;
	autofree char *promised = xstrndup(hex, 64);

	if (!codec_is_hex(promised, 64) || !(hex[64] == '\0' || strcmp(hex + 64, ".json") == 0))
		return 0;
	if (f->digest.kind != SHA_256 || strcmp(promised, digest_hex(&f->digest)) == 0)
		return 0;
	return err_make(err, ERR_CORRUPT, "%s: configuration '%s': digest mismatch (got %s)",
		source_what(src), path, f->digest.text);
}

static int add_names(struct source *src, struct load_group *g, const struct strv *tags, struct err **err)
{
	for (size_t i = 0; i < tags->n; i++) {
		auto_reference r = REFERENCE_INIT;
		autofree char *name = NULL;

		if (reference_parse(tags->v[i], &r, err) < 0) {
			err_set_kind(err, ERR_CORRUPT);
			return err_add(err, "%s: RepoTags", source_what(src));
		}
		name = reference_show(&r);
		load_group_name(g, name);
	}
	return 0;
}

/* ---- layers that 1.3.x left out ---- */

/*
 * udocker 1.3.x lists a layer that several images share for the first of them alone (FIX-30). The diff ids say which layers an image has; they
 * are looked for among those of the whole archive.
 */
struct pooled {
	struct digest digest; /* of the file, or of what it unpacks to */
	struct source_file *file;
};
struct pool {
	const struct docker_archive *archive;
	struct pooled **v;
	size_t n, cap;
	void *by_digest;
	bool filled;
};

static void pool_free(struct pool *p)
{
	sorted_free(&p->by_digest);
	for (size_t i = 0; i < p->n; i++)
		free(p->v[i]);
	free(p->v);
}
#define auto_pool CLEANUP(pool_free) struct pool

static int compare_pooled(const void *a, const void *b)
{
	const struct pooled *x = a, *y = b;

	return strcmp(x->digest.text, y->digest.text);
}

/* Of files with the same content the first serves. */
static void pool_add(struct pool *p, const struct digest *d, struct source_file *f)
{
	struct pooled *e = xmalloc(sizeof(*e));

	*e = (struct pooled){ *d, f };
	if (*sorted_slot(&p->by_digest, e, compare_pooled) != e) {
		free(e);
		return;
	}
	p->v = mem_grow(p->v, &p->cap, p->n + 1, sizeof(void *));
	p->v[p->n++] = e;
}

static struct source_file *find_in_pool(const struct pool *p, const struct digest *d)
{
	const struct pooled key = { .digest = *d }, *e = sorted_find(&p->by_digest, &key, compare_pooled);

	return e ? e->file : NULL;
}

static int fill_pool(struct source *src, struct pool *p, struct err **err)
{
	p->filled = true;
	for (size_t i = 0; i < p->archive->n_items; i++)
		for (size_t k = 0; k < p->archive->items[i].layers.n; k++) {
			struct source_file *f;
			struct digest plain;

			if (source_find(src, p->archive->items[i].layers.v[k], &f, err) < 0 ||
				source_plain_digest(src, f, SHA_256, &plain, err) < 0)
				return -1;
			pool_add(p, &plain, f);
			pool_add(p, &f->digest, f);
		}
	return 0;
}

/* The layers that the diff ids name, if all of them are in the archive; else l stays as it is, for check_layers() to complain. */
static int complete_layers(
	struct source *src, struct pool *p, const struct image_config *c, struct layers *l, struct err **err)
{
	auto_layers full = { 0 };

	if (c->n_diff_ids <= l->n)
		return 0;
	if (!p->filled && fill_pool(src, p, err) < 0)
		return -1;
	layers_init(&full, c->n_diff_ids);
	for (size_t i = 0; i < full.n; i++) {
		full.files[i] = find_in_pool(p, &c->diff_ids[i]);
		if (!full.files[i])
			return 0;
	}
	layers_free(l);
	*l = full;
	full = (struct layers){ 0 };
	return 0;
}

/* ---- manifest.json ---- */

static int load_item(struct source *src, const struct docker_archive_item *item, struct pool *pool,
	struct load_set *set, struct err **err)
{
	struct source_file *config;
	auto_image_config *c = NULL;
	auto_layers l = { 0 };
	autofree char *text = NULL;
	struct load_image *img;
	size_t n;

	if (source_find(src, item->config, &config, err) < 0 ||
		source_text(src, config, &text, &n, err) < 0 ||
		check_config_name(src, item->config, config, err) < 0)
		return -1;
	if (image_config_parse(text, n, item->config, &c, err) < 0)
		return err_add(err, "%s", source_what(src));
	if (find_layers(src, &item->layers, &l, err) < 0 || complete_layers(src, pool, c, &l, err) < 0 ||
		check_layers(src, &l, c, err) < 0)
		return -1;
	if (make_image(src, set, config, &l, &img, err) < 0)
		return -1;
	img->platform = c->platform;
	return add_names(src, load_set_group(set, img, NULL, 0), &item->repo_tags, err);
}

static int read_manifest(struct source *src, struct docker_archive **ret, struct err **err)
{
	struct source_file *f;
	auto_json *j = NULL;

	if (source_find(src, MANIFEST_FILE, &f, err) < 0 || source_json(src, f, &j, err) < 0)
		return -1;
	if (docker_archive_from_json(j, ret, err) < 0)
		return err_add(err, "%s", source_what(src));
	return 0;
}

/* ---- before docker 1.10 ---- */

/* The chain from the top layer down; `top` gets its json. Layer paths into ret, base first. */
static int walk_parents(
	struct source *src, const char *id, struct json **ret_top, struct strv *ret, struct err **err)
{
	autofree char *at = xstrdup(id);
	auto_strv seen = STRV_INIT;

	while (at) {
		autofree char *path = xasprintf("%s/json", at);
		const char *own, *parent = NULL;
		struct source_file *f;
		auto_json *j = NULL;
		char *next;

		if (!docker_layer_id_is_valid(at) || strv_has(&seen, at) || seen.n >= MANIFEST_MAX_LAYERS)
			return err_make(err, ERR_CORRUPT, "%s: the layers of '%s' form no chain",
				source_what(src), id);
		strv_add(&seen, at);
		if (source_find(src, path, &f, err) < 0 || source_json(src, f, &j, err) < 0)
			return -1;
		if (docker_layer_from_json(j, path, &own, &parent, err) < 0)
			return err_add(err, "%s", source_what(src));
		strv_add_owned(ret, xasprintf("%s/layer.tar", at));
		next = xstrdup_null(parent);
		if (!*ret_top)
			*ret_top = steal_ptr(&j);
		free(at);
		at = next;
	}
	for (size_t i = 0; i < ret->n / 2; i++) {
		char *swap = ret->v[i];

		ret->v[i] = ret->v[ret->n - 1 - i];
		ret->v[ret->n - 1 - i] = swap;
	}
	return 0;
}

static int load_repository(
	struct source *src, const struct docker_repository *item, struct load_set *set, struct err **err)
{
	autofree char *path = xasprintf("configuration//%zu", set->n), *text = NULL;
	auto_strv paths = STRV_INIT, names = STRV_INIT;
	auto_image_config *c = NULL;
	struct source_file *config;
	struct load_image *img;
	auto_json *top = NULL;
	auto_layers l = { 0 };

	if (walk_parents(src, item->id, &top, &paths, err) < 0 || find_layers(src, &paths, &l, err) < 0 ||
		check_layers(src, &l, NULL, err) < 0)
		return -1;
	docker_layer_to_config(top, l.diff_ids, l.n);
	text = json_text(top, 0);
	if (image_config_parse(text, strlen(text), item->id, &c, err) < 0)
		return err_add(err, "%s", source_what(src));
	if (source_add(src, path, text, strlen(text), &config, err) < 0 ||
		make_image(src, set, config, &l, &img, err) < 0)
		return -1;
	strv_addf(&names, "%s:%s", item->name, item->tag);
	img->platform = c->platform;
	return add_names(src, load_set_group(set, img, NULL, 0), &names, err);
}

static int load_repositories(struct source *src, struct load_set *set, struct err **err)
{
	auto_docker_repositories *r = NULL;
	struct source_file *f;
	auto_json *j = NULL;

	if (source_find(src, REPOSITORIES_FILE, &f, err) < 0 || source_json(src, f, &j, err) < 0)
		return -1;
	if (docker_repositories_from_json(j, &r, err) < 0)
		return err_add(err, "%s", source_what(src));
	for (size_t i = 0; i < r->n_items; i++)
		if (load_repository(src, &r->items[i], set, err) < 0)
			return -1;
	return 0;
}

/* ---- the doors ---- */

int load_docker(struct source *src, struct load_set *set, struct err **err)
{
	auto_docker_archive *a = NULL;
	auto_pool pool = { 0 };

	if (!source_has(src, MANIFEST_FILE))
		return load_repositories(src, set, err);
	if (read_manifest(src, &a, err) < 0)
		return -1;
	pool.archive = a;
	for (size_t i = 0; i < a->n_items; i++)
		if (load_item(src, &a->items[i], &pool, set, err) < 0)
			return -1;
	return 0;
}

/* ---- names for what an OCI layout beside it has ---- */

struct named {
	const struct digest *config;
	size_t at; /* in manifest.json */
};

static int compare_named(const void *a, const void *b)
{
	const struct named *x = a, *y = b;
	int r = strcmp(x->config->text, y->config->text);

	return r ? r : x->at < y->at ? -1 : x->at > y->at;
}

static int compare_at(const void *a, const void *b)
{
	size_t x = *(const size_t *)a, y = *(const size_t *)b;

	return x < y ? -1 : x > y;
}

/* The first of that configuration among n sorted ones, or n. */
static size_t first_named(const struct named *v, size_t n, const struct digest *config)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (strcmp(v[mid].config->text, config->text) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

struct naming {
	const struct docker_archive *archive;
	struct named *v; /* by configuration, then as they come */
	size_t *hits; /* room for archive->n_items */
	bool *hit;
	size_t given; /* names, to all groups */
};

static void naming_free(struct naming *x)
{
	free(x->v);
	free(x->hits);
	free(x->hit);
}
#define auto_naming CLEANUP(naming_free) struct naming

static void find_hits(struct naming *x, const struct digest *config, size_t *n)
{
	size_t all = x->archive->n_items;

	for (size_t i = first_named(x->v, all, config); i < all && digest_eq(x->v[i].config, config); i++)
		if (!x->hit[x->v[i].at]) {
			x->hit[x->v[i].at] = true;
			x->hits[(*n)++] = x->v[i].at;
		}
}

/* The group has one of its images from each of these items: their names, as they come in manifest.json. */
static int name_group(struct source *src, struct naming *x, struct load_group *g, struct err **err)
{
	size_t n = 0;

	if (g->chosen)
		find_hits(x, &g->chosen->config, &n);
	for (size_t i = 0; i < g->n_members; i++)
		find_hits(x, &g->members[i]->config, &n);
	qsort(x->hits, n, sizeof(*x->hits), compare_at);
	for (size_t i = 0; i < n; i++) {
		const struct strv *tags = &x->archive->items[x->hits[i]].repo_tags;

		x->hit[x->hits[i]] = false;
		x->given += tags->n;
		if (x->given > DOCKER_ARCHIVE_MAX_TAGS)
			return err_make(err, ERR_CORRUPT, "%s: more than %d names", source_what(src),
				DOCKER_ARCHIVE_MAX_TAGS);
		if (add_names(src, g, tags, err) < 0)
			return -1;
	}
	return 0;
}

int load_docker_names(struct source *src, struct load_set *set, struct err **err)
{
	auto_docker_archive *a = NULL;
	auto_naming x = { 0 };

	if (read_manifest(src, &a, err) < 0)
		return -1;
	x.archive = a;
	x.v = xcalloc(a->n_items + 1, sizeof(*x.v));
	x.hits = xcalloc(a->n_items + 1, sizeof(*x.hits));
	x.hit = xcalloc(a->n_items + 1, sizeof(*x.hit));
	for (size_t i = 0; i < a->n_items; i++) {
		struct source_file *config;

		if (source_find(src, a->items[i].config, &config, err) < 0)
			return -1;
		x.v[i] = (struct named){ &config->digest, i };
	}
	qsort(x.v, a->n_items, sizeof(*x.v), compare_named);
	for (size_t i = 0; i < set->n_groups; i++)
		if (name_group(src, &x, set->groups[i], err) < 0)
			return -1;
	return 0;
}
