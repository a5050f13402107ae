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
	free(img->tag);
	strv_free(&img->names);
	free(img);
}

void load_set_free(struct load_set *set)
{
	for (size_t i = 0; i < set->n; i++)
		free_image(set->v[i]);
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

void load_image_name(struct load_image *img, const char *name)
{
	if (!strv_has(&img->names, name))
		strv_add(&img->names, name);
}

int load_image_manifest(struct load_image *img, char *text, size_t n, struct err **err)
{
	img->manifest = text;
	img->manifest_len = n;
	return digest_of(SHA_256, text, n, &img->digest, err);
}
