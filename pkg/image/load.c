/* SPDX-License-Identifier: Apache-2.0 */
/* load: what kind of archive it is, what its images are called here, and their publication, of all or of none. */
#include "pkg/image/load.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "oci-spec/image_layout.h"
#include "oci-spec/reference.h"
#include "pkg/base/err.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/base/sorted.h"
#include "pkg/base/strv.h"
#include "pkg/image/load_set.h"
#include "pkg/image/platforms.h"
#include "pkg/image/source.h"
#include "pkg/store/gc.h"
#include "pkg/store/images.h"
#include "pkg/store/layers.h"
#include "pkg/store/store.h"

#define UNNAMED_HEX 12
/* Of all images, for each platform with --all: a few thousand names of an image for thousands of platforms are millions. */
#define LOAD_NAMES_MAX 65536

/* ---- what it is ---- */

static int not_an_archive(struct source *src, struct err **err)
{
	err_make(err, ERR_CORRUPT, "%s is no image archive: neither manifest.json nor an OCI layout is in it",
		source_what(src));
	return err_hint(err, "a root file system is brought in with 'import'");
}

/*
 * docker >= 25 writes both (FIX-29): the OCI side has the original manifests, manifest.json has the names.
 */
static int find_images(
	struct source *src, const struct load_options *o, struct load_set *set, struct err **err)
{
	bool oci = source_has(src, IMAGE_LAYOUT_FILE) && source_has(src, IMAGE_LAYOUT_INDEX);
	bool docker = source_has(src, "manifest.json"), old = source_has(src, "repositories");

	if (!oci && !docker && !old)
		return not_an_archive(src, err);
	if (!oci && load_is_dir(src))
		return load_dir(src, o->platform, o->all, set, err);
	if (oci && load_oci(src, o->platform, o->all, set, err) < 0)
		return -1;
	if (oci && set->n && docker && load_docker_names(src, set, err) < 0)
		return -1;
	if (!set->n && (docker || old) && load_docker(src, set, err) < 0)
		return -1;
	if (!set->n)
		return err_make(err, ERR_CORRUPT, "%s: there is no image in it", source_what(src));
	return 0;
}

/* ---- what they are called ---- */

static void give_name(struct load_group *g)
{
	const struct load_image *img = g->chosen ? g->chosen : g->members[0];
	autofree char *name = NULL;

	if (g->names.n)
		return;
	name = xasprintf("loaded/%.*s:%s", UNNAMED_HEX, digest_hex(&img->digest), g->tag ? g->tag : "latest");
	load_group_name(g, name);
}

/* NAME without a tag: the repository is replaced, the tags are kept. */
static int move_names(struct load_group *g, const struct reference *to, struct err **err)
{
	auto_strv old = g->names;

	g->names = STRV_INIT;
	if (!old.n) {
		autofree char *name = xasprintf("%s:%s", to->name, g->tag ? g->tag : "latest");

		load_group_name(g, name);
	}
	for (size_t i = 0; i < old.n; i++) {
		auto_reference r = REFERENCE_INIT;
		autofree char *name = NULL;

		if (reference_parse(old.v[i], &r, err) < 0)
			return -1;
		name = xasprintf("%s:%s", to->name, r.tag);
		load_group_name(g, name);
	}
	return 0;
}

static int apply_name(struct load_set *set, const char *text, struct err **err)
{
	auto_reference to = REFERENCE_INIT;

	if (reference_parse(text, &to, err) < 0)
		return -1;
	if (digest_is_set(&to.digest))
		return err_make(err, ERR_USAGE, "'%s': an image cannot be loaded under a digest", text);
	if (to.has_tag && set->n_groups != 1) {
		err_make(err, ERR_USAGE, "'%s' names one image, the archive holds %zu", text, set->n_groups);
		return err_hint(err, "give a name without a tag: each image keeps its own");
	}
	if (to.has_tag) {
		strv_free(&set->groups[0]->names);
		load_group_name(set->groups[0], text);
		return 0;
	}
	for (size_t i = 0; i < set->n_groups; i++)
		if (move_names(set->groups[i], &to, err) < 0)
			return -1;
	return 0;
}

/* ---- which image gets which name ---- */

struct place {
	const struct load_image *img;
	char *name;
};
struct places {
	struct place **v;
	size_t n, cap;
	void *by_name;
};

static void places_free(struct places *p)
{
	sorted_free(&p->by_name);
	for (size_t i = 0; i < p->n; i++) {
		free(p->v[i]->name);
		free(p->v[i]);
	}
	free(p->v);
}
#define auto_places CLEANUP(places_free) struct places

static int compare_places(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	return strcmp(x->name, y->name);
}

/* The image of that name; `img` gets it when there was none. NULL when there are too many. */
static const struct load_image *take_place(struct source *src, struct places *p, const struct load_image *img,
	const char *name, struct err **err)
{
	struct place *new = xcalloc(1, sizeof(*new)), *there;

	*new = (struct place){ img, xstrdup(name) };
	there = *sorted_slot(&p->by_name, new, compare_places);
	if (there != new) {
		free(new->name);
		free(new);
		return there->img;
	}
	p->v = mem_grow(p->v, &p->cap, p->n + 1, sizeof(void *));
	p->v[p->n++] = new;
	if (p->n <= LOAD_NAMES_MAX)
		return img;
	err_make(err, ERR_CORRUPT, "%s: more than %d images and names for them", source_what(src),
		LOAD_NAMES_MAX);
	return NULL;
}

static int place_member(struct source *src, struct places *p, const struct load_image *img, const char *name,
	struct err **err)
{
	auto_reference r = REFERENCE_INIT;
	autofree char *tag = NULL, *full = NULL;
	const struct load_image *has;

	if (reference_parse(name, &r, err) < 0)
		return -1;
	if (digest_is_set(&r.digest)) /* its digest is the index's or the chosen one's: no tag to build on */
		return 0;
	tag = image_platform_tag(r.tag, &img->platform);
	if (!reference_tag_is_valid(tag))
		return err_make(err, ERR_USAGE, "%s: '%s' is no tag", source_what(src), tag);
	full = xasprintf("%s:%s", r.name, tag);
	has = take_place(src, p, img, full, err);
	if (!has)
		return -1;
	if (has != img)
		log_warning("%s: there are two images for the platform of %s, leaving out %s",
			source_what(src), full, img->digest.text);
	return 0;
}

static int place_group(struct source *src, struct places *p, const struct load_group *g, const char *name,
	bool asked, struct err **err)
{
	if (g->chosen) {
		size_t before = p->n;

		if (!take_place(src, p, g->chosen, name, err))
			return -1;
		if (p->n == before)
			return err_make(err, asked ? ERR_USAGE : ERR_CORRUPT,
				"%s: two images are called '%s'", source_what(src), name);
	}
	for (size_t i = 0; i < g->n_members; i++)
		if (place_member(src, p, g->members[i], name, err) < 0)
			return -1;
	return 0;
}

static int name_images(
	struct source *src, struct load_set *set, const char *name, struct places *ret, struct err **err)
{
	if (name && apply_name(set, name, err) < 0)
		return -1;
	for (size_t i = 0; i < set->n_groups; i++) {
		struct load_group *g = set->groups[i];

		give_name(g);
		for (size_t k = 0; k < g->names.n; k++)
			if (place_group(src, ret, g, g->names.v[k], name, err) < 0)
				return -1;
	}
	return 0;
}

/* ---- publication ---- */

/* Before anything is visible: what would stop us in the middle. */
static int refuse_protected(struct store *s, const struct places *p, struct err **err)
{
	for (size_t i = 0; i < p->n; i++) {
		auto_image *old = NULL;

		if (image_open(s, p->v[i]->name, &old, NULL) == 0 && old->protected) {
			err_make(err, ERR_DENIED, "image %s is protected", old->name);
			return err_hint(err, "unprotect it, or load under another name");
		}
	}
	return 0;
}

static int put_all(struct store *s, struct source *src, const struct places *p, struct strv *dropped,
	struct strv *ret, struct err **err)
{
	for (size_t i = 0; i < p->n; i++) {
		struct image_put put = { .ref = p->v[i]->name, .dropped = dropped };
		autofree char *text = NULL;
		char *name = NULL;

		if (source_copy(src, p->v[i]->img->manifest, &text, &put.manifest_len, err) < 0)
			return -1;
		put.manifest = text;
		if (image_put(s, &put, &name, err) < 0)
			return -1;
		strv_add_owned(ret, name);
	}
	return 0;
}

static int publish(
	struct store *s, struct source *src, const struct places *p, struct strv *ret, struct err **err)
{
	struct layer_txn txn = LAYER_TXN_INIT;
	auto_strv dropped = STRV_INIT, names = STRV_INIT;
	int r = refuse_protected(s, p, err);

	for (size_t i = 0; r == 0 && i < p->n; i++)
		for (size_t k = 0; r == 0 && k < p->v[i]->img->n_blobs; k++)
			r = source_adopt(src, p->v[i]->img->blobs[k], &txn, err);
	if (r == 0)
		r = put_all(s, src, p, &dropped, &names, err);
	if (r < 0)
		layer_txn_rollback(s, &txn);
	layer_txn_done(&txn);
	if (dropped.n)
		gc_drop(s, &dropped);
	for (size_t i = 0; r == 0 && i < names.n; i++)
		strv_add(ret, names.v[i]);
	return r;
}

static int load(
	struct store *s, int fd, const struct load_options *o, struct strv *ret_names, struct err **err)
{
	auto_load_set set = { 0 };
	auto_places places = { 0 };
	auto_source *src = NULL;
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0)
		return err_sys(err, errno, "%s", o->what);
	r = S_ISDIR(st.st_mode) ? source_open_dir(s, fd, o->what, &src, err)
				: source_open_archive(s, fd, o->what, &src, err);
	if (r < 0 || find_images(src, o, &set, err) < 0 || name_images(src, &set, o->name, &places, err) < 0)
		return -1;
	if (publish(s, src, &places, ret_names, err) < 0)
		return -1;
	source_done(src);
	return 0;
}

int load_images(
	struct store *s, int fd, const struct load_options *o, struct strv *ret_names, struct err **err)
{
	return load(s, fd, o, ret_names, err) == 0
		       ? 0
		       : err_hint_else(err, ERR_CORRUPT, "nothing was stored: get the archive again");
}
