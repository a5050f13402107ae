/* SPDX-License-Identifier: Apache-2.0 */
/* The images of one archive before they are stored: what load_docker.c and load_oci.c find, and load.c names and publishes. */
#ifndef UDOCKER_IMAGE_LOAD_SET_H
#define UDOCKER_IMAGE_LOAD_SET_H

#include "oci-spec/digest.h"
#include "oci-spec/platform.h"
#include "pkg/base/base.h"
#include "pkg/base/strv.h"

struct err;
struct source;
struct source_file;

struct load_image {
	struct source_file *manifest; /* what is to be stored; borrowed */
	struct digest digest; /* of it, by sha256 */
	struct digest config; /* of the configuration */
	struct platform platform; /* as the index says, else the configuration */
	struct source_file **blobs; /* config and layers, each once; borrowed */
	size_t n_blobs, cap_blobs;
};

/* What goes by one name: an image, or images for several platforms. */
struct load_group {
	struct load_image *chosen; /* gets the names; NULL: none serves the wanted platform */
	struct load_image **members; /* for each platform, with --all; else none. Borrowed */
	size_t n_members;
	struct strv names; /* full references */
	char *tag; /* without a name: the tag alone that the archive knows, or NULL */
};

struct load_set {
	struct load_image **v;
	size_t n, cap;
	struct load_group **groups;
	size_t n_groups, cap_groups;
	void *by_digest, *by_content; /* trees of the images and of the groups */
};
void load_set_free(struct load_set *set);
#define auto_load_set CLEANUP(load_set_free) struct load_set

/* The image of that manifest; a new one, without blobs, when there was none. */
struct load_image *load_set_add(
	struct load_set *set, struct source_file *manifest, const struct digest *digest);
/* The image of that manifest, or NULL. */
struct load_image *load_set_find(const struct load_set *set, const struct digest *manifest);
void load_image_blob(struct load_image *img, struct source_file *f);
/* The group of these images, made if there is none. Takes members (NULL: none). */
struct load_group *load_set_group(
	struct load_set *set, struct load_image *chosen, struct load_image **members, size_t n);
void load_group_name(struct load_group *g, const char *name); /* each once */

/* manifest.json, or `repositories` with layer folders (docker < 1.10). */
int load_docker(struct source *src, struct load_set *set, struct err **err);
/* index.json and blobs. `want` may be NULL: the machine's platform. With `all` the images for other platforms come as well. */
int load_oci(
	struct source *src, const struct platform *want, bool all, struct load_set *set, struct err **err);
/* What skopeo and podman call `dir`: manifest.json is the manifest, or an index, and blobs lie beside it. */
bool load_is_dir(struct source *src);
int load_dir(
	struct source *src, const struct platform *want, bool all, struct load_set *set, struct err **err);
/* RepoTags of manifest.json for images that load_oci() found, by their configuration (FIX-29). */
int load_docker_names(struct source *src, struct load_set *set, struct err **err);

#endif
