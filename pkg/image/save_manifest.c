/* SPDX-License-Identifier: Apache-2.0 */
/* Manifests converted by editing their tree, so that what is not understood lives on. */
#include "pkg/image/save_manifest.h"

#include <string.h>

#include "oci-spec/descriptor.h"
#include "oci-spec/manifest.h"
#include "oci-spec/media_types.h"
#include "pkg/base/err.h"
#include "pkg/base/json.h"
#include "pkg/base/mem.h"
#include "pkg/image/save_set.h"
#include "pkg/store/images.h"

static bool is_oci(const struct image *img)
{
	auto_manifest *m = NULL;

	return img->manifest && manifest_parse(img->manifest, img->manifest_len, "manifest", &m, NULL) == 0 &&
	       m->kind == MEDIA_MANIFEST && !m->docker && !media_type_find(m->config.media_type)->docker;
}

bool save_manifest_is_new(const struct save_image *si)
{
	return si->config_changed || !is_oci(si->img);
}

static bool keeps_layers(const struct save_image *si)
{
	for (size_t i = 0; i < si->n_layers; i++)
		if (si->layers[i]->converted)
			return false;
	return true;
}

/* The type for the content as it is; layers that must not be distributed are still called so. */
static const char *layer_type(const char *old, enum inflate_kind kind)
{
	enum media_compression c = kind == INFLATE_GZIP   ? MEDIA_GZIP
				   : kind == INFLATE_ZSTD ? MEDIA_ZSTD
							  : MEDIA_PLAIN;
	bool foreign = old && media_type_find(old)->foreign;
	const struct media_type *t = media_type_table();

	while (t->name &&
		!(t->kind == MEDIA_LAYER && !t->docker && t->foreign == foreign && t->compression == c))
		t++;
	return t->name;
}

/* Annotations that index the compressed bytes, for lazy pulling. */
static void drop_stale(struct json *layer)
{
	static const char *const stale[] = { "io.github.containers.zstd-chunked.",
		"io.containers.zstd-chunked.", "containerd.io/snapshot/stargz/", "io.containers.estargz." };
	struct json *a = json_get(layer, "annotations");

	json_remove(layer, "urls");
	for (size_t i = json_len(a); i > 0; i--)
		for (size_t k = 0; k < ARRAY_LEN(stale); k++)
			if (str_starts(json_key_at(a, i - 1), stale[k])) {
				json_remove_at(a, i - 1);
				break;
			}
}

static void edit_layer(struct json *layer, const struct save_layer *l)
{
	enum inflate_kind kind = save_layer_kind(l);
	const char *old = json_str(json_get(layer, "mediaType"));

	if (l->converted)
		drop_stale(layer);
	if (kind != INFLATE_XZ && kind != INFLATE_BZIP2) /* some tools have types of their own for these */
		json_set_str(layer, "mediaType", layer_type(old, kind));
	json_set_str(layer, "digest", save_layer_digest(l)->text);
	json_set_i64(layer, "size", (int64_t)save_layer_size(l));
}

static void edit_config(struct json *config, const struct save_image *si)
{
	json_set_str(config, "mediaType", MEDIA_OCI_CONFIG);
	json_set_str(config, "digest", si->config_digest.text);
	json_set_i64(config, "size", (int64_t)si->config_len);
	if (si->config_changed)
		json_remove(config, "data");
}

static int convert(const struct save_image *si, struct json **ret, struct err **err)
{
	const struct json_limits limits = { .bytes = IMAGE_MANIFEST_MAX };
	auto_json *j = NULL;
	struct json *layers;

	if (json_parse(si->img->manifest, si->img->manifest_len, "manifest", &limits, &j, err) < 0)
		return -1;
	layers = json_get(j, "layers");
	if (json_len(layers) != si->n_layers)
		return err_make(
			err, ERR_CORRUPT, "manifest: %zu layers, wanted %zu", json_len(layers), si->n_layers);
	json_set_i64(j, "schemaVersion", 2);
	json_set_str(j, "mediaType", MEDIA_OCI_MANIFEST);
	edit_config(json_need_object(j, "config"), si);
	for (size_t i = 0; i < si->n_layers; i++)
		edit_layer(json_at(layers, i), si->layers[i]);
	*ret = steal_ptr(&j);
	return 0;
}

/* For images without a manifest of their own: what 1.3.x loaded or imported, and schema 1. */
static struct json *build(const struct save_image *si)
{
	struct descriptor *d = xcalloc(si->n_layers + 1, sizeof(*d)), *config = &d[si->n_layers];
	struct json *j;

	*config = (struct descriptor){ .media_type = xstrdup(MEDIA_OCI_CONFIG),
		.digest = si->config_digest,
		.size = (int64_t)si->config_len };
	for (size_t i = 0; i < si->n_layers; i++) {
		const struct save_layer *l = si->layers[i];

		d[i] = (struct descriptor){ .media_type = xstrdup(layer_type(NULL, save_layer_kind(l))),
			.digest = *save_layer_digest(l),
			.size = (int64_t)save_layer_size(l) };
	}
	j = manifest_build(false, config, d, si->n_layers);
	for (size_t i = 0; i <= si->n_layers; i++)
		descriptor_free(&d[i]);
	free(d);
	return j;
}

int save_manifest(const struct save_image *si, char **ret, size_t *ret_n, struct err **err)
{
	const struct image *img = si->img;
	auto_json *j = NULL;

	if (!save_manifest_is_new(si) && keeps_layers(si)) {
		*ret = xmemdup(img->manifest, img->manifest_len);
		*ret_n = img->manifest_len;
		return 0;
	}
	if (!img->manifest || img->inline_config)
		j = build(si);
	else if (convert(si, &j, err) < 0)
		return -1;
	*ret = json_text(j, 0);
	*ret_n = strlen(*ret);
	return 0;
}
