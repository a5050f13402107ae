/* SPDX-License-Identifier: Apache-2.0 */
/* Documents of `docker save` archives and of v1 images. */
#include "oci-spec/docker_v1.h"

#include <ctype.h>

#include "oci-spec/digest.h"
#include "pkg/base/err.h"
#include "pkg/base/json.h"
#include "pkg/base/mem.h"
#include "pkg/base/path.h"

enum { ID_MAX = 128, CHAIN_MAX = 4096 };

/* A member's path without a leading "./"; one that leaves the archive is refused. */
static int plain_path(const char *text, const char *where, char **ret, struct err **err)
{
	while (str_starts(text, "./"))
		text += 2;
	if (!path_is_plain(text))
		return err_make(
			err, ERR_CORRUPT, "%s: '%.200s' is not a path inside the archive", where, text);
	*ret = xstrdup(text);
	return 0;
}

static int read_layers(
	const struct json *j, const char *where, struct docker_archive_item *item, struct err **err)
{
	auto_strv layers = STRV_INIT;

	if (json_get_strv(j, where, "Layers", &layers, err) < 0)
		return -1;
	if (layers.n > CHAIN_MAX)
		return err_make(err, ERR_CORRUPT, "%s.Layers: more than %d layers", where, CHAIN_MAX);
	for (size_t i = 0; i < layers.n; i++) {
		autofree char *at = xasprintf("%s.Layers[%zu]", where, i);
		char *path = NULL;

		if (plain_path(layers.v[i], at, &path, err) < 0)
			return -1;
		strv_add_owned(&item->layers, path);
	}
	return 0;
}

static int read_item(
	const struct json *j, const char *where, struct docker_archive_item *item, struct err **err)
{
	autofree char *at = xasprintf("%s.Config", where);
	const char *config = NULL;

	if (!json_is(j, JSON_OBJECT))
		return err_make(err, ERR_CORRUPT, "%s: expected an object", where);
	if (json_get_str(j, where, "Config", &config, err) < 0)
		return -1;
	if (!config)
		return err_make(err, ERR_CORRUPT, "%s: missing", at);
	if (plain_path(config, at, &item->config, err) < 0 ||
		json_get_strv(j, where, "RepoTags", &item->repo_tags, err) < 0)
		return -1;
	return read_layers(j, where, item, err);
}

int docker_archive_from_json(const struct json *j, struct docker_archive **ret, struct err **err)
{
	auto_docker_archive *a = xcalloc(1, sizeof(*a));
	size_t tags = 0;

	if (!json_is(j, JSON_ARRAY))
		return err_make(err, ERR_CORRUPT, "manifest.json: expected an array");
	if (json_len(j) > DOCKER_ARCHIVE_MAX_ITEMS)
		return err_make(
			err, ERR_CORRUPT, "manifest.json: more than %d images", DOCKER_ARCHIVE_MAX_ITEMS);
	a->items = xcalloc(json_len(j) + 1, sizeof(*a->items));
	for (size_t i = 0; i < json_len(j); i++) {
		autofree char *at = xasprintf("manifest.json[%zu]", i);

		a->n_items++; /* half-read ones are freed as well */
		if (read_item(json_at(j, i), at, &a->items[i], err) < 0)
			return -1;
		tags += a->items[i].repo_tags.n;
		if (tags > DOCKER_ARCHIVE_MAX_TAGS)
			return err_make(err, ERR_CORRUPT, "manifest.json: more than %d names",
				DOCKER_ARCHIVE_MAX_TAGS);
	}
	*ret = steal_ptr(&a);
	return 0;
}

void docker_archive_free(struct docker_archive *a)
{
	if (!a)
		return;
	for (size_t i = 0; i < a->n_items; i++) {
		free(a->items[i].config);
		strv_free(&a->items[i].repo_tags);
		strv_free(&a->items[i].layers);
	}
	free(a->items);
	free(a);
}

struct json *docker_archive_item_to_json(
	const char *config, const struct strv *repo_tags, const struct strv *layers)
{
	struct json *j = json_new_object();

	json_set_str(j, "Config", config);
	json_set(j, "RepoTags", json_new_strv(repo_tags));
	json_set(j, "Layers", json_new_strv(layers));
	return j;
}

static int count_tags(const struct json *j, size_t *ret, struct err **err)
{
	size_t n = 0;

	if (!json_is(j, JSON_OBJECT))
		return err_make(err, ERR_CORRUPT, "repositories: expected an object");
	for (size_t i = 0; i < json_len(j); i++) {
		const struct json *tags = json_value_at(j, i);

		if (!json_is(tags, JSON_OBJECT))
			return err_make(
				err, ERR_CORRUPT, "repositories.%s: expected an object", json_key_at(j, i));
		for (size_t k = 0; k < json_len(tags); k++)
			if (!json_str(json_value_at(tags, k)))
				return err_make(err, ERR_CORRUPT, "repositories.%s.%s: expected a string",
					json_key_at(j, i), json_key_at(tags, k));
		n += json_len(tags);
	}
	if (n > DOCKER_ARCHIVE_MAX_ITEMS)
		return err_make(
			err, ERR_CORRUPT, "repositories: more than %d images", DOCKER_ARCHIVE_MAX_ITEMS);
	*ret = n;
	return 0;
}

int docker_repositories_from_json(const struct json *j, struct docker_repositories **ret, struct err **err)
{
	struct docker_repositories *r;
	size_t n = 0;

	if (count_tags(j, &n, err) < 0)
		return -1;
	r = xcalloc(1, sizeof(*r));
	r->items = xcalloc(n + 1, sizeof(*r->items));
	for (size_t i = 0; i < json_len(j); i++) {
		const struct json *tags = json_value_at(j, i);

		for (size_t k = 0; k < json_len(tags); k++) {
			struct docker_repository *item = &r->items[r->n_items++];

			item->name = xstrdup(json_key_at(j, i));
			item->tag = xstrdup(json_key_at(tags, k));
			item->id = xstrdup(json_str(json_value_at(tags, k)));
		}
	}
	*ret = r;
	return 0;
}

void docker_repositories_free(struct docker_repositories *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->n_items; i++) {
		free(r->items[i].name);
		free(r->items[i].tag);
		free(r->items[i].id);
	}
	free(r->items);
	free(r);
}

bool docker_layer_id_is_valid(const char *id)
{
	size_t n = strlen(id);

	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)id[i]))
			return false;
	return n > 0 && n <= ID_MAX;
}

int docker_layer_from_json(const struct json *j, const char *where, const char **ret_id,
	const char **ret_parent, struct err **err)
{
	const char *id = NULL, *parent = NULL;

	if (!json_is(j, JSON_OBJECT))
		return err_make(err, ERR_CORRUPT, "%s: expected an object", where);
	if (json_get_str(j, where, "id", &id, err) < 0 || json_get_str(j, where, "parent", &parent, err) < 0)
		return -1;
	if (!id)
		return err_make(err, ERR_CORRUPT, "%s.id: missing", where);
	/* Some writers put the algorithm in front. */
	if (parent && str_starts(parent, "sha256:"))
		parent += 7;
	if (str_starts(id, "sha256:"))
		id += 7;
	if (!docker_layer_id_is_valid(id))
		return err_make(err, ERR_CORRUPT, "%s.id: '%.140s' is not a layer id", where, id);
	if (parent && *parent == '\0')
		parent = NULL;
	if (parent && !docker_layer_id_is_valid(parent))
		return err_make(err, ERR_CORRUPT, "%s.parent: '%.140s' is not a layer id", where, parent);
	*ret_id = id;
	*ret_parent = parent;
	return 0;
}

void docker_layer_to_config(struct json *top, const struct digest *diff_ids, size_t n)
{
	static const char *const identity[] = { "id", "parent", "layer_id", "parent_id", "throwaway", "Size",
		"size", "checksum" };
	struct json *rootfs = json_new_object(), *ids = json_new_array();

	for (size_t i = 0; i < ARRAY_LEN(identity); i++)
		json_remove(top, identity[i]);
	for (size_t i = 0; i < n; i++)
		json_append(ids, json_new_str(diff_ids[i].text));
	json_set_str(rootfs, "type", "layers");
	json_set(rootfs, "diff_ids", ids);
	json_set(top, "rootfs", rootfs);
	if (!json_get(top, "os"))
		json_set_str(top, "os", "linux");
}

int docker_layer_chain(const char *const *ids, const char *const *parents, size_t n, const char *top,
	struct strv *ret, struct err **err)
{
	auto_strv chain = STRV_INIT; /* top first */
	const char *at = top;

	while (at) {
		size_t i = 0;

		while (i < n && !str_eq(ids[i], at))
			i++;
		if (i == n)
			return err_make(err, ERR_CORRUPT, "layer %.140s is missing", at);
		if (chain.n >= n || chain.n >= CHAIN_MAX)
			return err_make(
				err, ERR_CORRUPT, "layer %.140s: its parents go round in a circle", top);
		strv_add(&chain, at);
		at = parents[i];
	}
	for (size_t i = chain.n; i > 0; i--)
		strv_add(ret, chain.v[i - 1]);
	return 0;
}

int docker_ancestry_from_json(const struct json *j, struct strv *ret, struct err **err)
{
	if (!json_is(j, JSON_ARRAY))
		return err_make(err, ERR_CORRUPT, "ancestry: expected an array");
	if (json_len(j) > CHAIN_MAX)
		return err_make(err, ERR_CORRUPT, "ancestry: more than %d layers", CHAIN_MAX);
	for (size_t i = json_len(j); i > 0; i--) {
		const char *id = json_str(json_at(j, i - 1));

		if (!id || !docker_layer_id_is_valid(id))
			return err_make(err, ERR_CORRUPT, "ancestry[%zu]: expected a layer id", i - 1);
		strv_add(ret, id);
	}
	return 0;
}

struct json *docker_ancestry_to_json(const struct strv *base_first)
{
	struct json *j = json_new_array();

	for (size_t i = base_first->n; i > 0; i--)
		json_append(j, json_new_str(base_first->v[i - 1]));
	return j;
}
