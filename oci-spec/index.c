/* SPDX-License-Identifier: Apache-2.0 */
/* Image indexes and manifest lists. */
#include "oci-spec/index.h"

#include "pkg/base/err.h"
#include "pkg/base/json.h"
#include "pkg/base/mem.h"
#include "pkg/base/str.h"

static int read_index(const struct json *j, const char *where, struct index *x, struct err **err)
{
	const char *type = NULL;
	struct json *items = NULL, *annotations = NULL;
	int64_t version = 2;

	if (!json_is(j, JSON_OBJECT))
		return err_make(err, ERR_CORRUPT, "%s: expected an object", where);
	if (json_get_i64(j, where, "schemaVersion", 2, 2, &version, err) < 0 ||
		json_get_str(j, where, "mediaType", &type, err) < 0 ||
		json_get_object(j, where, "annotations", &annotations, err) < 0 ||
		json_get_array(j, where, "manifests", &items, err) < 0)
		return -1;
	if (!items)
		return err_make(err, ERR_CORRUPT, "%s.manifests: missing", where);
	if (json_len(items) > INDEX_MAX_ITEMS)
		return err_make(
			err, ERR_CORRUPT, "%s.manifests: more than %d entries", where, INDEX_MAX_ITEMS);
	x->media_type = xstrdup(type ? type : "");
	x->annotations = annotations ? json_clone(annotations) : NULL;
	x->items = xcalloc(json_len(items) + 1, sizeof(*x->items));
	for (size_t i = 0; i < json_len(items); i++) {
		autofree char *at = xasprintf("%s.manifests[%zu]", where, i);

		if (descriptor_from_json(json_at(items, i), at, false, &x->items[i], err) < 0)
			return -1;
		x->n_items++;
	}
	return 0;
}

int index_from_json(const struct json *j, const char *where, struct index **ret, struct err **err)
{
	auto_index *x = xcalloc(1, sizeof(*x));

	if (read_index(j, where, x, err) < 0)
		return -1;
	*ret = steal_ptr(&x);
	return 0;
}

void index_free(struct index *x)
{
	if (!x)
		return;
	for (size_t i = 0; i < x->n_items; i++)
		descriptor_free(&x->items[i]);
	free(x->items);
	free(x->media_type);
	json_free(x->annotations);
	free(x);
}

bool index_item_is_companion(const struct descriptor *d)
{
	return descriptor_annotation(d, "vnd.docker.reference.type") ||
	       (d->has_platform && str_eq(d->platform.os, "unknown") && str_eq(d->platform.arch, "unknown"));
}

static int none_serves(const struct index *x, const struct platform *want, struct err **err)
{
	auto_str have = STR_INIT_MAX(1024);
	char buf[PLATFORM_TEXT_MAX];

	for (size_t i = 0; i < x->n_items; i++) {
		if (index_item_is_companion(&x->items[i]))
			continue;
		str_addf(&have, "%s%s", have.len ? ", " : "",
			x->items[i].has_platform ? platform_text(&x->items[i].platform, buf) : "?");
	}
	err_make(err, ERR_UNSUPPORTED, "no image for %s; there is: %s", platform_text(want, buf),
		have.len ? str_text(&have) : "nothing");
	return err_hint(err, "choose one with --platform");
}

int index_select(const struct index *x, const struct platform *want, bool compat,
	const struct descriptor **ret, struct err **err)
{
	const struct descriptor *best = NULL;
	int best_rank = -1;

	for (size_t i = 0; i < x->n_items; i++) {
		static const struct platform unstated;
		const struct descriptor *d = &x->items[i];
		int r;

		if (index_item_is_companion(d))
			continue;
		r = platform_rank(want, d->has_platform ? &d->platform : &unstated, compat);
		if (r >= 0 && (!best || r < best_rank)) {
			best = d;
			best_rank = r;
		}
	}
	if (!best)
		return none_serves(x, want, err);
	*ret = best;
	return 0;
}
