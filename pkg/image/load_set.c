/* SPDX-License-Identifier: Apache-2.0 */
/* The list of images found in an archive, with what each needs and is called. */
#include "pkg/image/load_set.h"

#include <string.h>

#include "pkg/base/mem.h"
#include "pkg/base/sorted.h"

static void free_image(struct load_image *img)
{
	free(img->blobs);
	free(img);
}

static void free_group(struct load_group *g)
{
	if (!g)
		return;
	free(g->members);
	free(g->tag);
	strv_free(&g->names);
	free(g);
}

void load_set_free(struct load_set *set)
{
	sorted_free(&set->by_digest);
	sorted_free(&set->by_content);
	for (size_t i = 0; i < set->n; i++)
		free_image(set->v[i]);
	for (size_t i = 0; i < set->n_groups; i++) {
		free_group(set->groups[i]);
	}
	free(set->groups);
	free(set->v);
	*set = (struct load_set){ 0 };
}

static int compare_digests(const void *a, const void *b)
{
	const struct load_image *x = a, *y = b;

	return strcmp(x->digest.text, y->digest.text);
}

struct load_image *load_set_add(
	struct load_set *set, struct source_file *manifest, const struct digest *digest)
{
	struct load_image *img = load_set_find(set, digest);

	if (img)
		return img;
	img = xcalloc(1, sizeof(*img));
	img->manifest = manifest;
	img->digest = *digest;
	set->v = mem_grow(set->v, &set->cap, set->n + 1, sizeof(void *));
	set->v[set->n++] = img;
	(void)sorted_slot(&set->by_digest, img, compare_digests);
	return img;
}

struct load_image *load_set_find(const struct load_set *set, const struct digest *manifest)
{
	const struct load_image key = { .digest = *manifest };

	return sorted_find(&set->by_digest, &key, compare_digests);
}

void load_image_blob(struct load_image *img, struct source_file *f)
{
	for (size_t i = 0; i < img->n_blobs; i++)
		if (img->blobs[i] == f)
			return;
	img->blobs = mem_grow(img->blobs, &img->cap_blobs, img->n_blobs + 1, sizeof(struct source_file *));
	img->blobs[img->n_blobs++] = f;
}

/* Any order will do, as long as the same images are the same group. */
static int compare_groups(const void *a, const void *b)
{
	const struct load_group *x = a, *y = b;

	if (x->chosen != y->chosen)
		return (uintptr_t)x->chosen < (uintptr_t)y->chosen ? -1 : 1;
	if (x->n_members != y->n_members)
		return x->n_members < y->n_members ? -1 : 1;
	return x->n_members ? memcmp(x->members, y->members, x->n_members * sizeof(void *)) : 0;
}

struct load_group *load_set_group(
	struct load_set *set, struct load_image *chosen, struct load_image **members, size_t n)
{
	struct load_group *g = xcalloc(1, sizeof(*g)), *there;

	*g = (struct load_group){ .chosen = chosen, .members = members, .n_members = n };
	there = *sorted_slot(&set->by_content, g, compare_groups);
	if (there != g) {
		free_group(g);
		return there;
	}
	set->groups = mem_grow(set->groups, &set->cap_groups, set->n_groups + 1, sizeof(void *));
	set->groups[set->n_groups++] = g;
	return g;
}

void load_group_name(struct load_group *g, const char *name)
{
	if (!strv_has(&g->names, name))
		strv_add(&g->names, name);
}
