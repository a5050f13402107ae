/* SPDX-License-Identifier: Apache-2.0 */
/* The list of images found in an archive, with what each needs and is called. */
#include "pkg/image/load_set.h"

#include <string.h>

#include "pkg/base/err.h"
#include "pkg/base/mem.h"

static void free_image(struct load_image *img)
{
	free(img->manifest);
	free(img->blobs);
	free(img);
}

void load_set_free(struct load_set *set)
{
	for (size_t i = 0; i < set->n; i++)
		free_image(set->v[i]);
	for (size_t i = 0; i < set->n_groups; i++) {
		free(set->groups[i].members);
		free(set->groups[i].tag);
		strv_free(&set->groups[i].names);
	}
	free(set->groups);
	free(set->v);
	*set = (struct load_set){ 0 };
}

struct load_image *load_set_add(struct load_set *set)
{
	set->v = mem_grow(set->v, &set->cap, set->n + 1, sizeof(void *));
	set->v[set->n] = xcalloc(1, sizeof(*set->v[0]));
	return set->v[set->n++];
}

struct load_image *load_set_find(struct load_set *set, const struct digest *manifest)
{
	for (size_t i = 0; i < set->n; i++)
		if (digest_eq(&set->v[i]->digest, manifest))
			return set->v[i];
	return NULL;
}

void load_image_blob(struct load_image *img, struct source_file *f)
{
	for (size_t i = 0; i < img->n_blobs; i++)
		if (img->blobs[i] == f)
			return;
	img->blobs = mem_grow(img->blobs, &img->cap_blobs, img->n_blobs + 1, sizeof(struct source_file *));
	img->blobs[img->n_blobs++] = f;
}

static bool is_group(const struct load_group *g, const struct load_image *chosen,
	struct load_image *const *members, size_t n)
{
	return g->chosen == chosen && g->n_members == n &&
	       (!n || memcmp(g->members, members, n * sizeof(struct load_image *)) == 0);
}

struct load_group *load_set_group(
	struct load_set *set, struct load_image *chosen, struct load_image **members, size_t n)
{
	struct load_group *g;

	for (size_t i = 0; i < set->n_groups; i++)
		if (is_group(&set->groups[i], chosen, members, n)) {
			free(members);
			return &set->groups[i];
		}
	set->groups = mem_grow(set->groups, &set->cap_groups, set->n_groups + 1, sizeof(*set->groups));
	g = &set->groups[set->n_groups++];
	*g = (struct load_group){ .chosen = chosen, .members = members, .n_members = n };
	return g;
}

void load_group_name(struct load_group *g, const char *name)
{
	if (!strv_has(&g->names, name))
		strv_add(&g->names, name);
}

int load_image_manifest(struct load_image *img, char *text, size_t n, struct err **err)
{
	img->manifest = text;
	img->manifest_len = n;
	return digest_of(SHA_256, text, n, &img->digest, err);
}
