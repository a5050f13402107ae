/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Documents of `docker save` archives of every age: manifest.json, repositories, the json of a layer folder with id and parent, and 1.3.x's `ancestry`.
 * Schema 1 registry manifests are in manifest.h.
 */
#ifndef UDOCKER_DOCKER_V1_H
#define UDOCKER_DOCKER_V1_H

#include "pkg/base/base.h"
#include "pkg/base/strv.h"

struct err;
struct json;

#define DOCKER_ARCHIVE_MAX_ITEMS 1024
#define DOCKER_ARCHIVE_MAX_TAGS 4096 /* of all images together */

/* One image of manifest.json. */
struct docker_archive_item {
	char *config; /* path in the archive, plain */
	struct strv repo_tags; /* may be empty: RepoTags null or [] */
	struct strv layers; /* paths in the archive, base first, plain; links are the reader's affair */
};
struct docker_archive {
	struct docker_archive_item *items;
	size_t n_items;
};
/* ERR_CORRUPT for wrong shapes and for paths that are not plain ("..", absolute). Caller frees. */
int docker_archive_from_json(const struct json *j, struct docker_archive **ret, struct err **err);
void docker_archive_free(struct docker_archive *a);
DEFINE_CLEANUP(docker_archive_cleanup, struct docker_archive, docker_archive_free);
#define auto_docker_archive CLEANUP(docker_archive_cleanup) struct docker_archive
/* One item of a new manifest.json. */
struct json *docker_archive_item_to_json(
	const char *config, const struct strv *repo_tags, const struct strv *layers);

/* `repositories`: name -> tag -> id. */
struct docker_repository {
	char *name, *tag, *id;
};
struct docker_repositories {
	struct docker_repository *items;
	size_t n_items;
};
int docker_repositories_from_json(const struct json *j, struct docker_repositories **ret, struct err **err);
void docker_repositories_free(struct docker_repositories *r);
DEFINE_CLEANUP(docker_repositories_cleanup, struct docker_repositories, docker_repositories_free);
#define auto_docker_repositories CLEANUP(docker_repositories_cleanup) struct docker_repositories

/* The `json` of a layer: its id and parent (NULL for a base), inside the tree. A v1 id is 64 hex characters, or what 1.3.x makes ([A-Za-z0-9]+). */
int docker_layer_from_json(const struct json *j, const char *where, const char **ret_id,
	const char **ret_parent, struct err **err);
bool docker_layer_id_is_valid(const char *id);
/* The top layer's json, in place, into an image configuration: without the layer's identity, with the rootfs that did not exist then. */
struct digest;
void docker_layer_to_config(struct json *top, const struct digest *diff_ids, size_t n);

/*
 * Layers by their parents: ids[i] has parents[i] (NULL: none). Appends to ret the chain that ends in `top`, base first.
 * ERR_CORRUPT for a missing parent or a circle.
 */
int docker_layer_chain(const char *const *ids, const char *const *parents, size_t n, const char *top,
	struct strv *ret, struct err **err);

/* `ancestry`: an array of ids, top first. Read into ret base first. */
int docker_ancestry_from_json(const struct json *j, struct strv *ret, struct err **err);
struct json *docker_ancestry_to_json(const struct strv *base_first);

#endif
