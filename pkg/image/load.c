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
#include "pkg/base/strv.h"
#include "pkg/image/load_set.h"
#include "pkg/image/source.h"
#include "pkg/store/gc.h"
#include "pkg/store/images.h"
#include "pkg/store/layers.h"
#include "pkg/store/store.h"

#define UNNAMED_HEX 12

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
	if (oci && load_oci(src, o->platform, set, err) < 0)
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

static void give_name(struct load_image *img)
{
	autofree char *name = NULL;

	if (img->names.n)
		return;
	name = xasprintf(
		"loaded/%.*s:%s", UNNAMED_HEX, digest_hex(&img->digest), img->tag ? img->tag : "latest");
	load_image_name(img, name);
}

/* NAME without a tag: the repository is replaced, the tags are kept. */
static int move_names(struct load_image *img, const struct reference *to, struct err **err)
{
	auto_strv old = img->names;

	img->names = STRV_INIT;
	if (!old.n) {
		autofree char *name = xasprintf("%s:%s", to->name, img->tag ? img->tag : "latest");

		load_image_name(img, name);
	}
	for (size_t i = 0; i < old.n; i++) {
		auto_reference r = REFERENCE_INIT;
		autofree char *name = NULL;

		if (reference_parse(old.v[i], &r, err) < 0)
			return -1;
		name = xasprintf("%s:%s", to->name, r.tag);
		load_image_name(img, name);
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
	if (to.has_tag && set->n != 1) {
		err_make(err, ERR_USAGE, "'%s' names one image, the archive holds %zu", text, set->n);
		return err_hint(err, "give a name without a tag: each image keeps its own");
	}
	if (to.has_tag) {
		strv_free(&set->v[0]->names);
		load_image_name(set->v[0], text);
		return 0;
	}
	for (size_t i = 0; i < set->n; i++)
		if (move_names(set->v[i], &to, err) < 0)
			return -1;
	return 0;
}

static int name_images(struct source *src, struct load_set *set, const char *name, struct err **err)
{
	auto_strv all = STRV_INIT;

	if (name && apply_name(set, name, err) < 0)
		return -1;
	for (size_t i = 0; i < set->n; i++) {
		give_name(set->v[i]);
		for (size_t k = 0; k < set->v[i]->names.n; k++) {
			const char *one = set->v[i]->names.v[k];

			if (strv_has(&all, one))
				return err_make(err, name ? ERR_USAGE : ERR_CORRUPT,
					"%s: two images are called '%s'", source_what(src), one);
			strv_add(&all, one);
		}
	}
	return 0;
}

/* ---- publication ---- */

/* Before anything is visible: what would stop us in the middle. */
static int refuse_protected(struct store *s, const struct load_set *set, struct err **err)
{
	for (size_t i = 0; i < set->n; i++)
		for (size_t k = 0; k < set->v[i]->names.n; k++) {
			auto_image *old = NULL;

			if (image_open(s, set->v[i]->names.v[k], &old, NULL) == 0 && old->protected) {
				err_make(err, ERR_DENIED, "image %s is protected", old->name);
				return err_hint(err, "unprotect it, or load under another name");
			}
		}
	return 0;
}

static int put_all(
	struct store *s, const struct load_set *set, struct strv *dropped, struct strv *ret, struct err **err)
{
	for (size_t i = 0; i < set->n; i++)
		for (size_t k = 0; k < set->v[i]->names.n; k++) {
			const struct image_put put = { .ref = set->v[i]->names.v[k],
				.manifest = set->v[i]->manifest,
				.manifest_len = set->v[i]->manifest_len,
				.dropped = dropped };
			char *name = NULL;

			if (image_put(s, &put, &name, err) < 0)
				return -1;
			strv_add_owned(ret, name);
		}
	return 0;
}

static int publish(
	struct store *s, struct source *src, struct load_set *set, struct strv *ret, struct err **err)
{
	struct layer_txn txn = LAYER_TXN_INIT;
	auto_strv dropped = STRV_INIT, names = STRV_INIT;
	int r = refuse_protected(s, set, err);

	for (size_t i = 0; r == 0 && i < set->n; i++)
		for (size_t k = 0; r == 0 && k < set->v[i]->n_blobs; k++)
			r = source_adopt(src, set->v[i]->blobs[k], &txn, err);
	if (r == 0)
		r = put_all(s, set, &dropped, &names, err);
	if (r < 0)
		layer_txn_rollback(s, &txn);
	layer_txn_done(&txn);
	if (dropped.n)
		gc_drop(s, &dropped);
	for (size_t i = 0; r == 0 && i < names.n; i++)
		strv_add(ret, names.v[i]);
	return r;
}

int load_images(
	struct store *s, int fd, const struct load_options *o, struct strv *ret_names, struct err **err)
{
	auto_load_set set = { 0 };
	auto_source *src = NULL;
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0)
		return err_sys(err, errno, "%s", o->what);
	r = S_ISDIR(st.st_mode) ? source_open_dir(s, fd, o->what, &src, err)
				: source_open_archive(s, fd, o->what, &src, err);
	if (r < 0 || find_images(src, o, &set, err) < 0 || name_images(src, &set, o->name, err) < 0)
		return -1;
	if (publish(s, src, &set, ret_names, err) < 0)
		return -1;
	source_done(src);
	return 0;
}
