/* SPDX-License-Identifier: Apache-2.0 */
/* Images and layers gathered for `save`, and what the configurations say of the layers checked or put right. */
#include "pkg/image/save_set.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "oci-spec/docker_v1.h"
#include "oci-spec/image_config.h"
#include "oci-spec/reference.h"
#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/json.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/base/str.h"
#include "pkg/image/platforms.h"
#include "pkg/store/images.h"
#include "pkg/store/layers.h"
#include "pkg/store/store.h"

/* ---- layers ---- */

static int describe_layer(struct save_set *set, const char *file, struct save_layer *ret, struct err **err)
{
	autoclose int fd = layer_open(set->store, file, &ret->size, err);
	unsigned char head[8];
	ssize_t n;

	if (fd < 0)
		return -1;
	n = fd_pread_full(fd, head, sizeof(head), 0);
	if (n < 0)
		return err_sys(err, errno, "read layer %s", file);
	ret->kind = inflate_detect(head, (size_t)n);
	if (layer_name_is_digest(file))
		return digest_parse(file, &ret->digest, err);
	return 0;
}

static int add_layer(
	struct save_set *set, const struct image_layer *from, struct save_layer **ret, struct err **err)
{
	struct save_layer *l;

	for (size_t i = 0; i < set->n_layers; i++)
		if (strcmp(set->layers[i]->file, from->file) == 0) {
			*ret = set->layers[i];
			return 0;
		}
	l = xcalloc(1, sizeof(*l));
	l->file = xstrdup(from->file);
	l->new_fd = -1;
	set->layers = mem_grow(set->layers, &set->cap_layers, set->n_layers + 1, sizeof(struct save_layer *));
	set->layers[set->n_layers++] = l;
	*ret = l;
	return describe_layer(set, from->file, l, err);
}

static void free_layer(struct save_layer *l)
{
	if (l->new_fd >= 0)
		close(l->new_fd);
	free(l->file);
	free(l);
}

uint64_t save_set_bytes(const struct save_set *set)
{
	uint64_t n = 0;

	for (size_t i = 0; i < set->n_layers; i++)
		n += set->layers[i]->size;
	return n;
}

/* ---- images ---- */

static void free_image(struct save_image *si)
{
	image_free(si->img);
	strv_free(&si->names);
	free(si->layers);
	free(si->config);
	free(si->created);
	free(si);
}

void save_set_free(struct save_set *set)
{
	for (size_t i = 0; i < set->n_groups; i++) {
		strv_free(&set->groups[i].names);
		free(set->groups[i].images);
	}
	for (size_t i = 0; i < set->n_images; i++)
		free_image(set->images[i]);
	for (size_t i = 0; i < set->n_layers; i++)
		free_layer(set->layers[i]);
	free(set->groups);
	free(set->images);
	free(set->layers);
	*set = (struct save_set){ 0 };
}

static int read_config(struct save_set *set, struct save_image *si, struct err **err)
{
	struct image *img = si->img;
	auto_str text = STR_INIT;
	struct digest named;

	if (image_read_config(set->store, img, &text, err) < 0)
		return -1;
	if (img->config_digest && digest_parse(img->config_digest, &named, NULL) == 0) {
		if (digest_of(named.kind, str_text(&text), text.len, &si->config_digest, err) < 0)
			return -1;
		if (!digest_eq(&named, &si->config_digest))
			return err_make(err, ERR_CORRUPT, "configuration %s: digest mismatch (got %s)",
				named.text, si->config_digest.text);
	} else if (digest_of(SHA_256, str_text(&text), text.len, &si->config_digest, err) < 0)
		return -1;
	si->config_len = text.len;
	si->config = str_steal(&text);
	return 0;
}

static int fill_image(struct save_set *set, struct save_image *si, struct err **err)
{
	auto_image_config *c = NULL;

	if (read_config(set, si, err) < 0 ||
		image_config_parse(si->config, si->config_len, "image configuration", &c, err) < 0)
		return -1;
	si->platform = c->platform;
	si->created = xstrdup_null(c->created);
	si->layers = xcalloc(si->img->n_layers + 1, sizeof(struct save_layer *));
	for (size_t i = 0; i < si->img->n_layers; i++) {
		if (add_layer(set, &si->img->layers[i], &si->layers[i], err) < 0)
			return -1;
		si->n_layers++;
	}
	return 0;
}

static bool same_text(const char *a, size_t an, const char *b, size_t bn)
{
	return (!a && !b) || (a && b && an == bn && memcmp(a, b, an) == 0);
}

/* The same manifest under another name; images of 1.3.x without one are never the same. */
static struct save_image *find_image(struct save_set *set, const struct image *img)
{
	for (size_t i = 0; i < set->n_images; i++) {
		const struct image *have = set->images[i]->img;

		if (img->manifest &&
			same_text(img->manifest, img->manifest_len, have->manifest, have->manifest_len))
			return set->images[i];
	}
	return NULL;
}

static int add_image(
	struct save_set *set, const char *ref, struct save_image **ret, char **ret_name, struct err **err)
{
	auto_image *img = NULL;
	struct save_image *si;

	if (image_open_held(set->store, ref, &img, err) < 0)
		return -1;
	*ret_name = xasprintf("%s%s%s", img->repo, digest_is_valid(img->tag) ? "@" : ":", img->tag);
	*ret = find_image(set, img);
	if (*ret)
		return 0;
	si = xcalloc(1, sizeof(*si));
	si->img = steal_ptr(&img);
	set->images = mem_grow(set->images, &set->cap_images, set->n_images + 1, sizeof(struct save_image *));
	set->images[set->n_images++] = si;
	*ret = si;
	if (fill_image(set, si, err) < 0)
		return err_add(err, "image %s", si->img->name);
	return 0;
}

/* ---- groups ---- */

static void name_group(struct save_group *g, const char *name)
{
	if (!strv_has(&g->names, name))
		strv_add(&g->names, name);
}

/* Takes images. The same images under another name are one group. */
static void add_group(struct save_set *set, struct save_image **images, size_t n, const char *name)
{
	struct save_group *g;

	for (size_t i = 0; i < set->n_groups; i++) {
		g = &set->groups[i];
		if (g->n_images == n && memcmp(g->images, images, n * sizeof(struct save_image *)) == 0) {
			name_group(g, name);
			free(images);
			return;
		}
	}
	set->groups = mem_grow(set->groups, &set->cap_groups, set->n_groups + 1, sizeof(*set->groups));
	g = &set->groups[set->n_groups++];
	*g = (struct save_group){ .images = images, .n_images = n };
	name_group(g, name);
}

static void add_once(struct save_image **images, size_t *n, struct save_image *si)
{
	for (size_t i = 0; i < *n; i++)
		if (images[i] == si)
			return;
	images[(*n)++] = si;
}

static int add_platforms(struct save_set *set, const char *ref, struct err **err)
{
	autofree struct save_image **images = NULL;
	auto_reference r = REFERENCE_INIT;
	autofree char *name = NULL;
	auto_strv refs = STRV_INIT;
	size_t n = 0;

	if (reference_parse(ref, &r, err) < 0 || image_platform_names(set->store, ref, &refs, err) < 0)
		return -1;
	images = xcalloc(refs.n, sizeof(struct save_image *));
	for (size_t i = 0; i < refs.n; i++) {
		autofree char *own = NULL;
		struct save_image *si;

		if (add_image(set, refs.v[i], &si, &own, err) < 0)
			return -1;
		(void)image_platform_of(strrchr(own, ':') + 1, r.tag, &si->platform); /* for its variant */
		add_once(images, &n, si);
	}
	name = xasprintf("%s%s%s", r.name, digest_is_valid(r.tag) ? "@" : ":", r.tag);
	add_group(set, steal_ptr(&images), n, name);
	return 0;
}

int save_set_add(struct save_set *set, const char *ref, bool all, struct err **err)
{
	autofree char *name = NULL;
	struct save_image *si, **one;

	if (all)
		return add_platforms(set, ref, err);
	if (add_image(set, ref, &si, &name, err) < 0)
		return -1;
	if (!strv_has(&si->names, name))
		strv_add(&si->names, name);
	one = xmalloc(sizeof(struct save_image *));
	*one = si;
	add_group(set, one, 1, name);
	return 0;
}

/* ---- diff ids ---- */

static bool is_wrong_by_habit(const struct save_layer *l, const struct digest *claim)
{
	return l->kind != INFLATE_PLAIN && digest_eq(claim, &l->digest);
}

/* What a configuration says of a layer: taken if it can be right, else the layer has to be read. */
static int take_claim(
	struct save_set *set, struct save_layer *l, const struct digest *claim, struct err **err)
{
	/* A plain layer's diff id is its digest. */
	if (l->kind == INFLATE_PLAIN && digest_is_set(&l->digest) &&
		(!digest_is_set(claim) || claim->kind == l->digest.kind))
		l->diff_id = l->digest;
	if (l->looked || (l->kind == INFLATE_PLAIN && digest_is_set(&l->diff_id)) ||
		(digest_is_set(&l->digest) && digest_eq(claim, &l->diff_id)))
		return 0;
	if (digest_is_set(&l->digest) && digest_is_set(claim) && !digest_is_set(&l->diff_id) &&
		!is_wrong_by_habit(l, claim)) {
		l->diff_id = *claim;
		return 0;
	}
	return save_layer_look(set, l, err);
}

/* The configuration with the diff ids that the layers have. */
static int correct_config(struct save_image *si, struct err **err)
{
	struct digest *ids = xcalloc(si->n_layers + 1, sizeof(*ids));
	auto_json *j = NULL;
	int r = json_parse(si->config, si->config_len, "image configuration",
		&(struct json_limits){ .bytes = IMAGE_CONFIG_MAX }, &j, err);

	for (size_t i = 0; i < si->n_layers; i++)
		ids[i] = si->layers[i]->diff_id;
	if (r == 0) {
		docker_layer_to_config(j, ids, si->n_layers);
		free(si->config);
		si->config = json_text(j, 0);
		si->config_len = strlen(si->config);
		si->config_changed = true;
		log_info("image %s: its configuration gets the diff ids that its layers have", si->img->name);
		r = digest_of(SHA_256, si->config, si->config_len, &si->config_digest, err);
	}
	free(ids);
	return r;
}

static int wrong_claim(const struct save_image *si, size_t i, const struct digest *claim, struct err **err)
{
	err_make(err, ERR_CORRUPT, "layer %s: digest mismatch (got %s, the configuration says %s)",
		si->layers[i]->file, si->layers[i]->diff_id.text, claim->text);
	return err_hint(err, "load or pull the image again");
}

static int settle_image(struct save_set *set, struct save_image *si, struct err **err)
{
	static const struct digest none;
	auto_image_config *c = NULL;
	bool right = true;

	if (image_config_parse(si->config, si->config_len, "image configuration", &c, err) < 0)
		return -1;
	if (c->n_diff_ids && c->n_diff_ids != si->n_layers)
		return err_make(err, ERR_CORRUPT, "there are %zu layers, the configuration says %zu",
			si->n_layers, c->n_diff_ids);
	for (size_t i = 0; i < si->n_layers; i++)
		if (take_claim(set, si->layers[i], c->n_diff_ids ? &c->diff_ids[i] : &none, err) < 0)
			return -1;
	for (size_t i = 0; i < si->n_layers; i++) {
		const struct digest *claim = c->n_diff_ids ? &c->diff_ids[i] : &none;

		if (digest_eq(claim, &si->layers[i]->diff_id))
			continue;
		if (digest_is_set(claim) && !is_wrong_by_habit(si->layers[i], claim))
			return wrong_claim(si, i, claim, err);
		right = false;
	}
	return right ? 0 : correct_config(si, err);
}

int save_set_settle(struct save_set *set, struct err **err)
{
	for (size_t i = 0; i < set->n_images; i++)
		if (settle_image(set, set->images[i], err) < 0)
			return err_add(err, "image %s", set->images[i]->img->name);
	return 0;
}
