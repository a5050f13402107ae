/* SPDX-License-Identifier: Apache-2.0 */
/* The walk from a name's document to all that belongs to it. */
#include "pkg/image/copy_set.h"

#include <string.h>

#include "oci-spec/index.h"
#include "oci-spec/manifest.h"
#include "oci-spec/media_types.h"
#include "oci-spec/platform.h"
#include "pkg/base/err.h"
#include "pkg/base/json.h"
#include "pkg/base/mem.h"
#include "pkg/base/sorted.h"
#include "pkg/image/select.h"

void copy_set_free(struct copy_set *set)
{
	sorted_free(&set->by_digest);
	for (size_t i = 0; i < set->n_docs; i++) {
		free(set->docs[i].text);
		free(set->docs[i].media_type);
	}
	for (size_t i = 0; i < set->n_blobs; i++) {
		descriptor_free(&set->blobs[i]->d);
		free(set->blobs[i]);
	}
	free(set->docs);
	free(set->blobs);
	*set = (struct copy_set){ 0 };
}

const struct copy_document *copy_set_top(const struct copy_set *set)
{
	return &set->docs[set->n_docs - 1];
}

/* ---- documents ---- */

static int read_document(struct copy_set *set, const struct descriptor *d, struct copy_document *ret,
	struct json **ret_json, struct err **err)
{
	struct copy_document doc = { .original = d->digest };
	int r = set->from->document(set->from->arg, d, &doc.text, &doc.n, &doc.media_type, err);

	if (r == 0)
		r = digest_of(d->digest.kind, doc.text, doc.n, &doc.digest, err);
	if (r == 0 && !digest_eq(&doc.digest, &d->digest))
		r = err_make(err, ERR_CORRUPT, "manifest %s: digest mismatch (got %s)", d->digest.text,
			doc.digest.text);
	if (r == 0 && d->size >= 0 && doc.n != (uint64_t)d->size)
		r = err_make(err, ERR_CORRUPT, "manifest %s: size is %zu, wanted %lld", d->digest.text, doc.n,
			(long long)d->size);
	set->bytes += doc.n;
	if (r == 0 && set->bytes > COPY_TEXTS_MAX)
		r = err_make(err, ERR_CORRUPT, "its manifests are longer than %zu bytes", COPY_TEXTS_MAX);
	if (r == 0)
		r = json_parse(doc.text, doc.n, d->digest.text, NULL, ret_json, err);
	if (r < 0) {
		free(doc.text);
		free(doc.media_type);
		return -1;
	}
	*ret = doc;
	return 0;
}

static int fetch(void *arg, const struct descriptor *d, struct json **ret, struct err **err)
{
	struct copy_document doc;

	if (read_document(arg, d, &doc, ret, err) < 0)
		return -1;
	free(doc.text);
	free(doc.media_type);
	return 0;
}

static bool has_document(const struct copy_set *set, const struct digest *d)
{
	for (size_t i = 0; i < set->n_docs; i++)
		if (digest_eq(&set->docs[i].original, d))
			return true;
	return false;
}

/* Takes it. Its media type becomes what it says itself, or what it is by its content. */
static void append(struct copy_set *set, struct copy_document *doc, const char *type)
{
	char *own = xstrdup(type);

	free(doc->media_type);
	doc->media_type = own;
	set->docs = mem_grow(set->docs, &set->cap_docs, set->n_docs + 1, sizeof(*set->docs));
	set->docs[set->n_docs++] = *doc;
	*doc = (struct copy_document){ 0 };
}

/* ---- blobs ---- */

static int compare(const void *a, const void *b)
{
	const struct copy_blob *x = a, *y = b;

	return strcmp(x->d.digest.text, y->d.digest.text);
}

static int add_blob(struct copy_set *set, const struct descriptor *d, bool config, struct err **err)
{
	struct copy_blob *b = xcalloc(1, sizeof(*b)), *there;

	b->from = set->from;
	b->config = config;
	descriptor_copy(&b->d, d);
	there = *sorted_slot(&set->by_digest, b, compare);
	if (there == b) {
		set->blobs = mem_grow(set->blobs, &set->cap_blobs, set->n_blobs + 1, sizeof(void *));
		set->blobs[set->n_blobs++] = b;
		return 0;
	}
	descriptor_free(&b->d);
	free(b);
	if (there->d.size == d->size)
		return 0;
	return err_make(err, ERR_CORRUPT, "blob %s has two sizes", d->digest.text);
}

static int add_manifest(
	struct copy_set *set, const struct json *j, struct copy_document *doc, struct err **err)
{
	auto_manifest *m = NULL;

	if (manifest_from_json(j, doc->original.text, &m, err) < 0)
		return -1;
	for (size_t i = 0; i < m->n_layers; i++)
		if (add_blob(set, &m->layers[i], false, err) < 0)
			return -1;
	if (add_blob(set, &m->config, true, err) < 0)
		return -1;
	append(set, doc, m->media_type);
	return 0;
}

/* ---- the walk ---- */

struct walk {
	struct copy_set *set;
	bool all;
	const struct platform *want;
};

static int add(struct walk *w, const struct descriptor *d, int depth, struct err **err);

static int add_index(
	struct walk *w, const struct json *j, struct copy_document *doc, int depth, struct err **err)
{
	const struct select_source from = { .fetch = fetch, .arg = w->set };
	auto_descriptor chosen = { 0 };
	auto_index *x = NULL;

	if (depth >= SELECT_DEPTH_MAX)
		return err_make(err, ERR_CORRUPT, "index %s: nested too deeply", doc->original.text);
	if (index_from_json(j, doc->original.text, &x, err) < 0)
		return -1;
	if (!w->all)
		return select_manifest(&from, x, w->want, &chosen, err) < 0 ? -1
									    : add(w, &chosen, depth + 1, err);
	for (size_t i = 0; i < x->n_items; i++) {
		if (++w->set->looked > INDEX_MAX_ITEMS)
			return err_make(
				err, ERR_CORRUPT, "more than %d entries in all indexes", INDEX_MAX_ITEMS);
		if (add(w, &x->items[i], depth + 1, err) < 0)
			return -1;
	}
	append(w->set, doc, *x->media_type ? x->media_type : MEDIA_OCI_INDEX);
	return 0;
}

static int add(struct walk *w, const struct descriptor *d, int depth, struct err **err)
{
	struct copy_document doc;
	auto_json *j = NULL;
	int r;

	if (has_document(w->set, &d->digest))
		return 0;
	if (read_document(w->set, d, &doc, &j, err) < 0)
		return -1;
	switch (manifest_sniff(j, doc.media_type)) {
	case MEDIA_INDEX:
		r = add_index(w, j, &doc, depth, err);
		break;
	case MEDIA_MANIFEST:
		r = add_manifest(w->set, j, &doc, err);
		break;
	case MEDIA_SCHEMA1:
		err_make(err, ERR_UNSUPPORTED, "manifest %s is of schema 1", d->digest.text);
		r = err_hint(err, "pull the image, and push it from the store");
		break;
	default:
		r = err_make(err, ERR_UNSUPPORTED, "manifest %s has the media type '%s', which is no image's",
			d->digest.text,
			json_str(json_get(j, "mediaType")) ? json_str(json_get(j, "mediaType")) : "(none)");
	}
	free(doc.text); /* unless the set has it now */
	free(doc.media_type);
	return r;
}

int copy_set_fill(struct copy_set *set, const struct copy_source *from, const struct descriptor *top,
	bool all, const struct platform *want, struct err **err)
{
	struct walk w = { set, all, want };

	set->from = from;
	return add(&w, top, 0, err) < 0 ? err_add(err, "%s", from->what) : 0;
}

/* ---- the other family ---- */

/* The name of the same thing in the family; NULL where there is none or it is of that family already. */
static const char *other_type(const char *type, bool docker)
{
	const struct media_type *from = media_type_find(type), *t = media_type_table();

	if (!from->name || from->docker == docker || from->kind == MEDIA_UNKNOWN)
		return NULL;
	while (t->name && !(t->kind == from->kind && t->docker == docker && t->foreign == from->foreign &&
				  t->compression == from->compression))
		t++;
	return t->name;
}

static bool set_type(struct json *j, bool docker)
{
	const char *type = json_str(json_get(j, "mediaType")),
		   *other = type ? other_type(type, docker) : NULL;

	if (other)
		json_set_str(j, "mediaType", other);
	if (other && docker)
		json_remove(j, "annotations");
	return other != NULL;
}

/* Entries whose documents were converted are those of the new ones. */
static bool follow(const struct copy_set *set, struct json *entry)
{
	const char *digest = json_str(json_get(entry, "digest"));

	for (size_t i = 0; digest && i < set->n_docs; i++) {
		const struct copy_document *doc = &set->docs[i];

		if (strcmp(doc->original.text, digest) != 0 || digest_eq(&doc->original, &doc->digest))
			continue;
		json_set_str(entry, "digest", doc->digest.text);
		json_set_i64(entry, "size", (int64_t)doc->n);
		json_set_str(entry, "mediaType", doc->media_type);
		return true;
	}
	return false;
}

static int check_zstd(const struct json *layer, struct err **err)
{
	const char *type = json_str(json_get(layer, "mediaType"));

	if (!type || media_type_kind(type) != MEDIA_LAYER || media_type_find(type)->compression != MEDIA_ZSTD)
		return 0;
	err_make(err, ERR_UNSUPPORTED, "docker's manifests have no zstd layers");
	return err_hint(err, "keep the format, or push from the store, which packs them anew");
}

static int convert_parts(
	const struct copy_set *set, struct json *j, bool docker, bool *changed, struct err **err)
{
	struct json *layers = json_get(j, "layers"), *manifests = json_get(j, "manifests");

	*changed |= set_type(json_get(j, "config"), docker);
	for (size_t i = 0; i < json_len(layers); i++) {
		if (docker && check_zstd(json_at(layers, i), err) < 0)
			return -1;
		*changed |= set_type(json_at(layers, i), docker);
	}
	for (size_t i = 0; i < json_len(manifests); i++)
		*changed |= follow(set, json_at(manifests, i));
	return 0;
}

static int convert(const struct copy_set *set, struct copy_document *doc, bool docker, struct err **err)
{
	static const char *const oci_only[] = { "annotations", "subject", "artifactType" };
	const char *type = other_type(doc->media_type, docker);
	auto_json *j = NULL;
	bool changed = type != NULL;

	if (json_parse(doc->text, doc->n, doc->digest.text, NULL, &j, err) < 0 ||
		convert_parts(set, j, docker, &changed, err) < 0)
		return -1;
	if (!changed)
		return 0;
	if (type) {
		json_set_str(j, "mediaType", type);
		free(doc->media_type);
		doc->media_type = xstrdup(type);
	}
	for (size_t i = 0; type && docker && i < ARRAY_LEN(oci_only); i++)
		json_remove(j, oci_only[i]);
	free(doc->text);
	doc->text = json_text(j, 0);
	doc->n = strlen(doc->text);
	return digest_of(SHA_256, doc->text, doc->n, &doc->digest, err);
}

int copy_set_convert(struct copy_set *set, bool docker, struct err **err)
{
	for (size_t i = 0; i < set->n_docs; i++)
		if (convert(set, &set->docs[i], docker, err) < 0)
			return err_add(err, "%s", set->from->what);
	return 0;
}
