/* SPDX-License-Identifier: Apache-2.0 */
/* The platform's choice, level by level. Indexes cannot form a circle (their digests would have to), but they can be deep. */
#include "pkg/image/select.h"

#include "oci-spec/descriptor.h"
#include "oci-spec/index.h"
#include "oci-spec/manifest.h"
#include "oci-spec/media_types.h"
#include "oci-spec/platform.h"
#include "pkg/base/err.h"
#include "pkg/base/json.h"
#include "pkg/base/mem.h"

static bool is_index(const struct descriptor *d, const struct json *doc)
{
	enum media_kind kind = media_type_kind(d->media_type);

	return kind == MEDIA_INDEX || (kind == MEDIA_UNKNOWN && manifest_sniff(doc, NULL) == MEDIA_INDEX);
}

static int choose(const struct select_source *from, const struct index *x, const struct platform *want,
	int depth, struct descriptor *ret, struct err **err)
{
	const struct descriptor *d = NULL;
	auto_index *below = NULL;
	auto_json *doc = NULL;

	/* Without compat first: a machine that could emulate still prefers its own. */
	if (index_select(x, want, false, &d, NULL) < 0 && index_select(x, want, true, &d, err) < 0)
		return -1;
	if (media_type_kind(d->media_type) == MEDIA_MANIFEST) {
		descriptor_copy(ret, d);
		return 0;
	}
	if (from->fetch(from->arg, d, &doc, err) < 0)
		return -1;
	if (!is_index(d, doc)) {
		descriptor_copy(ret, d);
		return 0;
	}
	if (depth >= SELECT_DEPTH_MAX)
		return err_make(err, ERR_CORRUPT, "index %s: nested too deeply", d->digest.text);
	if (index_from_json(doc, d->digest.text, &below, err) < 0)
		return -1;
	return choose(from, below, want, depth + 1, ret, err);
}

int select_manifest(const struct select_source *from, const struct index *x, const struct platform *want,
	struct descriptor *ret, struct err **err)
{
	struct platform host;

	if (!want) {
		platform_host(&host);
		want = &host;
	}
	return choose(from, x, want, 0, ret, err);
}

/* ---- all of them ---- */

struct found {
	struct descriptor *v;
	size_t n, cap;
	size_t looked; /* entries of all indexes */
};

static void take(struct found *f, const struct descriptor *d)
{
	for (size_t i = 0; i < f->n; i++)
		if (digest_eq(&f->v[i].digest, &d->digest))
			return;
	f->v = mem_grow(f->v, &f->cap, f->n + 1, sizeof(*f->v));
	descriptor_copy(&f->v[f->n++], d);
}

static int collect(const struct select_source *from, const struct index *x, int depth, struct found *f,
	struct err **err);

static int collect_item(const struct select_source *from, const struct descriptor *d, int depth,
	struct found *f, struct err **err)
{
	auto_index *below = NULL;
	auto_json *doc = NULL;

	if (++f->looked > INDEX_MAX_ITEMS)
		return err_make(err, ERR_CORRUPT, "more than %d entries in all indexes", INDEX_MAX_ITEMS);
	if (media_type_kind(d->media_type) == MEDIA_MANIFEST) {
		take(f, d);
		return 0;
	}
	if (from->fetch(from->arg, d, &doc, err) < 0)
		return -1;
	if (!is_index(d, doc)) {
		take(f, d);
		return 0;
	}
	if (depth >= SELECT_DEPTH_MAX)
		return err_make(err, ERR_CORRUPT, "index %s: nested too deeply", d->digest.text);
	if (index_from_json(doc, d->digest.text, &below, err) < 0)
		return -1;
	return collect(from, below, depth + 1, f, err);
}

static int collect(
	const struct select_source *from, const struct index *x, int depth, struct found *f, struct err **err)
{
	for (size_t i = 0; i < x->n_items; i++)
		if (!index_item_is_companion(&x->items[i]) &&
			collect_item(from, &x->items[i], depth, f, err) < 0)
			return -1;
	return 0;
}

int select_all(const struct select_source *from, const struct index *x, struct descriptor **ret,
	size_t *ret_n, struct err **err)
{
	struct found f = { 0 };

	if (collect(from, x, 0, &f, err) < 0) {
		for (size_t i = 0; i < f.n; i++)
			descriptor_free(&f.v[i]);
		free(f.v);
		return -1;
	}
	*ret = f.v;
	*ret_n = f.n;
	return 0;
}
