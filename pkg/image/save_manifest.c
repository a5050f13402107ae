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

/* What the image in the store has: -1 for none that could be kept. */
static int own_family(const struct image *img)
{
	auto_manifest *m = NULL;

	if (!img->manifest || img->inline_config ||
		manifest_parse(img->manifest, img->manifest_len, "manifest", &m, NULL) < 0 ||
		m->kind != MEDIA_MANIFEST)
		return -1;
	if (m->docker)
		return SAVE_FAMILY_DOCKER;
	/* Some tools made OCI manifests of Docker's parts. */
	return media_type_find(m->config.media_type)->docker ? SAVE_FAMILY_OWN : SAVE_FAMILY_OCI;
}

bool save_manifest_is_new(const struct save_image *si, enum save_family family)
{
	int own = own_family(si->img);

	return si->config_changed || own < 0 || (family != SAVE_FAMILY_OWN && own != (int)family);
}

/* Whether it becomes Docker's. */
static bool is_docker(const struct save_image *si, enum save_family family)
{
	if (family != SAVE_FAMILY_OWN)
		return family == SAVE_FAMILY_DOCKER;
	for (size_t i = 0; i < si->n_layers; i++)
		if (save_layer_kind(si->layers[i]) == INFLATE_ZSTD)
			return false;
	return own_family(si->img) == SAVE_FAMILY_DOCKER;
}

static bool keeps_layers(const struct save_image *si)
{
	for (size_t i = 0; i < si->n_layers; i++)
		if (si->layers[i]->converted)
			return false;
	return true;
}

/* The type for the content as it is; layers that must not be distributed are still called so. */
static const char *layer_type(const char *old, enum inflate_kind kind, bool docker)
{
	enum media_compression c = kind == INFLATE_GZIP   ? MEDIA_GZIP
				   : kind == INFLATE_ZSTD ? MEDIA_ZSTD
							  : MEDIA_PLAIN;
	bool foreign = old && media_type_find(old)->foreign;
	const struct media_type *t = media_type_table();

	while (t->name && !(t->kind == MEDIA_LAYER && t->docker == docker && t->foreign == foreign &&
				  t->compression == c))
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

static void edit_layer(struct json *layer, const struct save_layer *l, bool docker)
{
	enum inflate_kind kind = save_layer_kind(l);
	const char *old = json_str(json_get(layer, "mediaType"));

	if (l->converted)
		drop_stale(layer);
	if (docker)
		json_remove(layer, "annotations");
	if (kind != INFLATE_XZ && kind != INFLATE_BZIP2) /* some tools have types of their own for these */
		json_set_str(layer, "mediaType", layer_type(old, kind, docker));
	json_set_str(layer, "digest", save_layer_digest(l)->text);
	json_set_i64(layer, "size", (int64_t)save_layer_size(l));
}

static void edit_config(struct json *config, const struct save_image *si, bool docker)
{
	json_set_str(config, "mediaType", docker ? MEDIA_DOCKER_CONFIG : MEDIA_OCI_CONFIG);
	json_set_str(config, "digest", si->config_digest.text);
	json_set_i64(config, "size", (int64_t)si->config_len);
	if (si->config_changed)
		json_remove(config, "data");
}

static int convert(const struct save_image *si, bool docker, struct json **ret, struct err **err)
{
	static const char *const oci_only[] = { "annotations", "subject", "artifactType" };
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
	json_set_str(j, "mediaType", docker ? MEDIA_DOCKER_MANIFEST : MEDIA_OCI_MANIFEST);
	for (size_t i = 0; docker && i < ARRAY_LEN(oci_only); i++)
		json_remove(j, oci_only[i]);
	edit_config(json_need_object(j, "config"), si, docker);
	for (size_t i = 0; i < si->n_layers; i++)
		edit_layer(json_at(layers, i), si->layers[i], docker);
	*ret = steal_ptr(&j);
	return 0;
}

/* For images without a manifest of their own: what 1.3.x loaded or imported, and schema 1. */
static struct json *build(const struct save_image *si, bool docker)
{
	struct descriptor *d = xcalloc(si->n_layers + 1, sizeof(*d)), *config = &d[si->n_layers];
	struct json *j;

	*config = (struct descriptor){ .media_type = xstrdup(docker ? MEDIA_DOCKER_CONFIG : MEDIA_OCI_CONFIG),
		.digest = si->config_digest,
		.size = (int64_t)si->config_len };
	for (size_t i = 0; i < si->n_layers; i++) {
		const struct save_layer *l = si->layers[i];

		d[i] = (struct descriptor){ .media_type =
						    xstrdup(layer_type(NULL, save_layer_kind(l), docker)),
			.digest = *save_layer_digest(l),
			.size = (int64_t)save_layer_size(l) };
	}
	j = manifest_build(docker, config, d, si->n_layers);
	for (size_t i = 0; i <= si->n_layers; i++)
		descriptor_free(&d[i]);
	free(d);
	return j;
}

void save_document_free(struct save_document *d)
{
	free(d->text);
	*d = (struct save_document){ 0 };
}

int save_manifest(
	const struct save_image *si, enum save_family family, struct save_document *ret, struct err **err)
{
	const struct image *img = si->img;
	bool docker = is_docker(si, family);
	auto_json *j = NULL;

	ret->media_type = docker ? MEDIA_DOCKER_MANIFEST : MEDIA_OCI_MANIFEST;
	if (!save_manifest_is_new(si, family) && keeps_layers(si)) {
		ret->text = xmemdup(img->manifest, img->manifest_len);
		ret->n = img->manifest_len;
		return 0;
	}
	if (!img->manifest || img->inline_config)
		j = build(si, docker);
	else if (convert(si, docker, &j, err) < 0)
		return -1;
	ret->text = json_text(j, 0);
	ret->n = strlen(ret->text);
	return 0;
}
