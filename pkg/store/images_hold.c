/* SPDX-License-Identifier: Apache-2.0 */
/* Images opened for long reading: their blobs are opened at once, so that who removes the image meanwhile does not stop us half-way. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pkg/base/err.h"
#include "pkg/base/mem.h"
#include "pkg/store/images.h"
#include "pkg/store/layers.h"
#include "pkg/store/store.h"

/* Descriptors are scarce: an image of more layers is read as it lies. */
#define HELD_MAX 256
#define TRIES 10

/* False when it is not there. What cannot be opened for another reason says so when it is read. */
static bool hold(struct store *s, const char *name)
{
	auto_err *e = NULL;
	int fd;

	if (!name || layer_held(s, name) || s->n_held >= HELD_MAX)
		return true;
	fd = layer_open(s, name, NULL, &e);
	if (fd < 0)
		return !err_is(e, ERR_NOT_FOUND);
	s->held = mem_grow(s->held, &s->cap_held, s->n_held + 1, sizeof(*s->held));
	s->held[s->n_held++] = (struct store_held){ .name = xstrdup(name), .fd = fd };
	return true;
}

static bool hold_all(struct store *s, const struct image *img)
{
	bool all = hold(s, img->config_file);

	for (size_t i = 0; i < img->n_layers; i++)
		all = hold(s, img->layers[i].file) && all;
	return all;
}

static bool is_same(const struct image *a, const struct image *b)
{
	if (a->version != b->version || a->n_layers != b->n_layers || a->manifest_len != b->manifest_len)
		return false;
	for (size_t i = 0; i < a->n_layers; i++)
		if (strcmp(a->layers[i].file, b->layers[i].file) != 0)
			return false;
	return !a->manifest || memcmp(a->manifest, b->manifest, a->manifest_len) == 0;
}

int image_open_held(struct store *s, const char *ref, struct image **ret, struct err **err)
{
	auto_image *img = NULL;

	if (image_open(s, ref, &img, err) < 0)
		return -1;
	/* Not all there: damaged, or removed or replaced since its manifest was read. */
	for (int i = 0; i < TRIES && !hold_all(s, img); i++) {
		auto_image *again = NULL;
		bool same;

		if (image_open(s, ref, &again, err) < 0)
			return -1;
		same = is_same(img, again);
		image_free(img);
		img = steal_ptr(&again);
		if (same)
			break;
	}
	*ret = steal_ptr(&img);
	return 0;
}
