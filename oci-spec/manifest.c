/* SPDX-License-Identifier: Apache-2.0 */
/* Image manifests: OCI, Docker schema 2 and schema 1. */
#include "oci-spec/manifest.h"

#include "pkg/base/err.h"
#include "pkg/base/json.h"
#include "pkg/base/mem.h"

enum media_kind manifest_sniff(const struct json *j, const char *header)
{
	const char *type = json_str(json_get(j, "mediaType"));
	enum media_kind kind = type ? media_type_kind(type) : MEDIA_UNKNOWN;

	if (json_is(json_get(j, "manifests"), JSON_ARRAY) && !json_get(j, "config"))
		return MEDIA_INDEX;
	if (json_is(json_get(j, "fsLayers"), JSON_ARRAY))
		return MEDIA_SCHEMA1;
	if (json_is(json_get(j, "config"), JSON_OBJECT) && !json_get(j, "manifests"))
		return MEDIA_MANIFEST;
	if (kind == MEDIA_UNKNOWN && header && json_is(j, JSON_OBJECT))
		kind = media_type_kind(header);
	return kind == MEDIA_INDEX || kind == MEDIA_MANIFEST || kind == MEDIA_SCHEMA1 ? kind : MEDIA_UNKNOWN;
}

bool manifest_is_ambiguous(const struct json *j)
{
	bool index = json_get(j, "manifests"), v1 = json_get(j, "fsLayers");
	bool v2 = json_get(j, "config") || json_get(j, "layers");
	const char *type = json_str(json_get(j, "mediaType"));
	enum media_kind kind = type ? media_type_kind(type) : MEDIA_UNKNOWN;

	return index + v1 + v2 > 1 || (kind == MEDIA_INDEX && (v1 || v2)) ||
	       ((kind == MEDIA_MANIFEST || kind == MEDIA_SCHEMA1) && index);
}

static int count_layers(const struct json *layers, const char *where, const char *key, struct err **err)
{
	if (json_len(layers) > MANIFEST_MAX_LAYERS)
		return err_make(
			err, ERR_CORRUPT, "%s.%s: more than %d layers", where, key, MANIFEST_MAX_LAYERS);
	return 0;
}

/* Where mediaType is left out, the config's tells the family; OCI leaves it out more often. */
static void conclude_type(struct manifest *m, const char *type)
{
	const struct media_type *t = media_type_find(type ? type : m->config.media_type);

	m->docker = t->docker;
	m->media_type = xstrdup(type ? type : m->docker ? MEDIA_DOCKER_MANIFEST : MEDIA_OCI_MANIFEST);
}

static int read_v2(const struct json *j, const char *where, struct manifest *m, struct err **err)
{
	const char *type = NULL, *artifact = NULL;
	struct json *config = NULL, *layers = NULL, *annotations = NULL;
	autofree char *config_at = xasprintf("%s.config", where);
	int64_t version = 2;

	m->kind = MEDIA_MANIFEST;
	if (json_get_i64(j, where, "schemaVersion", 2, 2, &version, err) < 0 ||
		json_get_str(j, where, "mediaType", &type, err) < 0 ||
		json_get_str(j, where, "artifactType", &artifact, err) < 0 ||
		json_get_object(j, where, "annotations", &annotations, err) < 0 ||
		json_get_object(j, where, "config", &config, err) < 0 ||
		json_get_array(j, where, "layers", &layers, err) < 0)
		return -1;
	if (!config)
		return err_make(err, ERR_CORRUPT, "%s.config: missing", where);
	if (!layers)
		return err_make(err, ERR_CORRUPT, "%s.layers: missing", where);
	if (count_layers(layers, where, "layers", err) < 0 ||
		descriptor_from_json(config, config_at, false, &m->config, err) < 0)
		return -1;
	conclude_type(m, type);
	m->artifact_type = xstrdup_null(artifact);
	m->annotations = annotations ? json_clone(annotations) : NULL;
	m->layers = xcalloc(json_len(layers) + 1, sizeof(*m->layers));
	for (size_t i = 0; i < json_len(layers); i++) {
		autofree char *at = xasprintf("%s.layers[%zu]", where, i);

		if (descriptor_from_json(json_at(layers, i), at, false, &m->layers[i], err) < 0)
			return -1;
		m->n_layers++;
	}
	return 0;
}

static int read_fs_layer(const struct json *item, const char *at, struct descriptor *d, struct err **err)
{
	const char *sum = NULL;

	if (!json_is(item, JSON_OBJECT))
		return err_make(err, ERR_CORRUPT, "%s: expected an object", at);
	if (json_get_str(item, at, "blobSum", &sum, err) < 0)
		return -1;
	if (!sum)
		return err_make(err, ERR_CORRUPT, "%s.blobSum: missing", at);
	if (digest_parse(sum, &d->digest, err) < 0)
		return err_add(err, "%s.blobSum", at);
	d->size = -1;
	d->media_type = xstrdup(MEDIA_DOCKER_LAYER_GZIP);
	return 0;
}

static int read_v1(const struct json *j, const char *where, struct manifest *m, struct err **err)
{
	struct json *layers = NULL, *history = NULL;
	const char *v1 = NULL;
	size_t n;
	int64_t version = 1;

	m->kind = MEDIA_SCHEMA1;
	m->docker = true;
	if (json_get_i64(j, where, "schemaVersion", 1, 1, &version, err) < 0 ||
		json_get_array(j, where, "fsLayers", &layers, err) < 0 ||
		json_get_array(j, where, "history", &history, err) < 0 ||
		count_layers(layers, where, "fsLayers", err) < 0)
		return -1;
	v1 = json_str(json_get(json_at(history, 0), "v1Compatibility"));
	if (!v1)
		return err_make(err, ERR_CORRUPT, "%s.history[0].v1Compatibility: expected a string", where);
	if (json_len(history) != json_len(layers))
		return err_make(err, ERR_CORRUPT, "%s.history: of %zu layers, but there are %zu", where,
			json_len(history), json_len(layers));
	m->v1_config = xstrdup(v1);
	m->media_type = xstrdup("application/vnd.docker.distribution.manifest.v1+json");
	m->config.media_type = xstrdup("");
	m->config.size = -1;
	n = json_len(layers);
	m->layers = xcalloc(n + 1, sizeof(*m->layers));
	/* The document lists the top first. */
	for (size_t i = 0; i < n; i++) {
		autofree char *at = xasprintf("%s.fsLayers[%zu]", where, n - 1 - i);

		if (read_fs_layer(json_at(layers, n - 1 - i), at, &m->layers[i], err) < 0)
			return -1;
		m->n_layers++;
	}
	return 0;
}

int manifest_from_json(const struct json *j, const char *where, struct manifest **ret, struct err **err)
{
	auto_manifest *m = xcalloc(1, sizeof(*m));
	int r;

	if (!json_is(j, JSON_OBJECT))
		return err_make(err, ERR_CORRUPT, "%s: expected an object", where);
	if (manifest_is_ambiguous(j))
		return err_make(
			err, ERR_CORRUPT, "%s: would be a manifest to some, an index to others", where);
	switch (manifest_sniff(j, NULL)) {
	case MEDIA_INDEX:
		return err_make(
			err, ERR_UNSUPPORTED, "%s: is an index of several platforms, not a manifest", where);
	case MEDIA_SCHEMA1:
		r = read_v1(j, where, m, err);
		break;
	default:
		r = read_v2(j, where, m, err);
	}
	if (r < 0)
		return -1;
	*ret = steal_ptr(&m);
	return 0;
}

int manifest_parse(const char *text, size_t n, const char *where, struct manifest **ret, struct err **err)
{
	static const struct json_limits limits = { .bytes = MANIFEST_MAX_BYTES };
	auto_json *j = NULL;

	if (json_parse(text, n, where, &limits, &j, err) < 0)
		return -1;
	return manifest_from_json(j, where, ret, err);
}

void manifest_free(struct manifest *m)
{
	if (!m)
		return;
	descriptor_free(&m->config);
	for (size_t i = 0; i < m->n_layers; i++)
		descriptor_free(&m->layers[i]);
	free(m->layers);
	free(m->media_type);
	free(m->v1_config);
	free(m->artifact_type);
	json_free(m->annotations);
	free(m);
}

struct json *manifest_build(
	bool docker, const struct descriptor *config, const struct descriptor *layers, size_t n)
{
	struct json *j = json_new_object();
	struct json *list = json_new_array();

	json_set_i64(j, "schemaVersion", 2);
	json_set_str(j, "mediaType", docker ? MEDIA_DOCKER_MANIFEST : MEDIA_OCI_MANIFEST);
	json_set(j, "config", descriptor_to_json(config));
	for (size_t i = 0; i < n; i++)
		json_append(list, descriptor_to_json(&layers[i]));
	json_set(j, "layers", list);
	return j;
}

bool manifest_is_image(const struct manifest *m)
{
	if (m->kind == MEDIA_SCHEMA1)
		return true;
	return m->config.media_type[0] == '\0' || media_type_kind(m->config.media_type) == MEDIA_CONFIG;
}
