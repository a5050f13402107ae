/* SPDX-License-Identifier: Apache-2.0 */
/* Images as OCI documents and blobs; the archive. */
#include "pkg/image/save_oci.h"

#include <string.h>

#include "oci-spec/descriptor.h"
#include "oci-spec/image_layout.h"
#include "oci-spec/media_types.h"
#include "oci-spec/platform.h"
#include "pkg/archive/writer.h"
#include "pkg/base/err.h"
#include "pkg/base/json.h"
#include "pkg/base/mem.h"
#include "pkg/base/strv.h"
#include "pkg/image/oci_archive.h"
#include "pkg/image/save.h"
#include "pkg/image/save_format.h"
#include "pkg/image/save_limits.h"
#include "pkg/image/save_manifest.h"
#include "pkg/image/save_set.h"
#include "pkg/image/save_temporary.h"
#include "pkg/store/images.h"

/* ---- conversion ---- */

/* What a layer becomes: its own kind where nothing else is asked for. */
static enum inflate_kind target_kind(
	const struct save_layer *l, const struct save_options *o, bool new_manifest)
{
	switch (o->compress) {
	case SAVE_COMPRESS_NONE:
		return INFLATE_PLAIN;
	case SAVE_COMPRESS_GZIP:
		return INFLATE_GZIP;
	case SAVE_COMPRESS_ZSTD:
		return INFLATE_ZSTD;
	default:
		break;
	}
	if (new_manifest && (l->kind == INFLATE_XZ || l->kind == INFLATE_BZIP2))
		return INFLATE_PLAIN; /* there is no media type for these */
	return l->kind;
}

int save_oci_convert(
	struct save_set *set, const struct save_options *o, int dirfd, const char *what, struct err **err)
{
	for (size_t i = 0; i < set->n_images; i++) {
		struct save_image *si = set->images[i];
		bool new_manifest = save_manifest_is_new(si, SAVE_FAMILY_OCI);

		for (size_t k = 0; k < si->n_layers; k++) {
			struct save_layer *l = si->layers[k];
			enum inflate_kind kind = target_kind(l, o, new_manifest);
			int fd;

			if (l->converted || kind == l->kind)
				continue;
			fd = save_temporary(dirfd, what, err);
			if (fd < 0 || save_layer_convert(set, l, kind, fd, err) < 0)
				return -1;
		}
	}
	return 0;
}

/* ---- documents ---- */

struct oci {
	struct save_set *set;
	const struct save_oci_target *to;
	struct strv written; /* digests */
	struct json *entries;
	struct save_texts texts;
};

static bool is_first(struct oci *oci, const char *digest)
{
	if (strv_has(&oci->written, digest))
		return false;
	strv_add(&oci->written, digest);
	return true;
}

/* `times`: how often load reads it. */
static int put_text(
	struct oci *oci, const struct digest *d, const void *p, size_t n, size_t times, struct err **err)
{
	if (save_limit_text(&oci->texts, n, times, err) < 0)
		return -1;
	return is_first(oci, d->text) ? oci->to->text(oci->to->arg, d, p, n, err) : 0;
}

static void add_entry(struct oci *oci, const struct descriptor *d, const char *name)
{
	struct json *entry = descriptor_to_json(d), *a = json_need_object(entry, "annotations");
	autofree char *full = image_layout_long(name);

	json_set_str(a, ANNOTATION_CONTAINERD_NAME, full);
	json_set_str(a, ANNOTATION_REF_NAME, name);
	json_append(oci->entries, entry);
}

/* Blobs of one image; its manifest's descriptor into ret. */
static int put_image(struct oci *oci, struct save_image *si, struct descriptor *ret, struct err **err)
{
	auto_save_document doc = { 0 };
	struct digest digest;

	for (size_t i = 0; i < si->n_layers; i++)
		if (is_first(oci, save_layer_digest(si->layers[i])->text) &&
			oci->to->layer(oci->to->arg, si->layers[i], err) < 0)
			return -1;
	if (save_manifest(si, SAVE_FAMILY_OCI, &doc, err) < 0 ||
		digest_of(SHA_256, doc.text, doc.n, &digest, err) < 0)
		return -1;
	if (put_text(oci, &si->config_digest, si->config, si->config_len, 1, err) < 0 ||
		put_text(oci, &digest, doc.text, doc.n, 1, err) < 0)
		return -1;
	*ret = (struct descriptor){
		.media_type = xstrdup(MEDIA_OCI_MANIFEST), .digest = digest, .size = (int64_t)doc.n
	};
	return 0;
}

/* The index of a group's platforms as a blob; ret is its descriptor then. */
static int put_index(struct oci *oci, const struct save_group *g, struct descriptor *ret, struct err **err)
{
	auto_json *j = json_new_object();
	struct json *list = json_new_array();
	autofree char *text = NULL;
	struct digest digest;

	json_set_i64(j, "schemaVersion", 2);
	json_set_str(j, "mediaType", MEDIA_OCI_INDEX);
	json_set(j, "manifests", list);
	for (size_t i = 0; i < g->n_images; i++) {
		auto_descriptor d = { 0 };

		if (put_image(oci, g->images[i], &d, err) < 0)
			return err_add(err, "image %s", g->images[i]->img->name);
		d.has_platform = true;
		d.platform = g->images[i]->platform;
		json_append(list, descriptor_to_json(&d));
	}
	text = json_text(j, 0);
	if (digest_of(SHA_256, text, strlen(text), &digest, err) < 0 ||
		put_text(oci, &digest, text, strlen(text), 2 * g->names.n, err) < 0)
		return -1;
	*ret = (struct descriptor){
		.media_type = xstrdup(MEDIA_OCI_INDEX), .digest = digest, .size = (int64_t)strlen(text)
	};
	return 0;
}

static int put_group(struct oci *oci, const struct save_group *g, struct err **err)
{
	auto_descriptor d = { 0 };

	if (g->n_images > 1) {
		if (put_index(oci, g, &d, err) < 0)
			return -1;
	} else if (put_image(oci, g->images[0], &d, err) < 0)
		return err_add(err, "image %s", g->images[0]->img->name);
	for (size_t i = 0; i < g->names.n; i++)
		add_entry(oci, &d, g->names.v[i]);
	return 0;
}

int save_oci_blobs(
	struct save_set *set, const struct save_oci_target *to, struct json **ret_entries, struct err **err)
{
	struct oci oci = { .set = set, .to = to, .entries = json_new_array() };
	int r = save_limit_oci(set, err);

	for (size_t i = 0; r == 0 && i < set->n_groups; i++)
		r = put_group(&oci, &set->groups[i], err);
	strv_free(&oci.written);
	if (r == 0)
		*ret_entries = oci.entries;
	else
		json_free(oci.entries);
	return r;
}

/* ---- the archive ---- */

struct archive {
	struct save_set *set;
	struct oci_archive out;
};

static int archive_text(void *arg, const struct digest *d, const void *p, size_t n, struct err **err)
{
	struct archive *a = arg;

	return oci_archive_put(&a->out, d, p, n, err);
}

static int to_writer(void *arg, const void *p, size_t n, struct err **err)
{
	return writer_data(arg, p, n, err);
}

static int archive_layer(void *arg, struct save_layer *l, struct err **err)
{
	struct archive *a = arg;

	if (oci_archive_entry(&a->out, save_layer_digest(l), save_layer_size(l), err) < 0)
		return -1;
	return save_layer_send(a->set, l, to_writer, a->out.w, err);
}

int save_oci_archive(struct save_set *set, const struct save_options *o, struct writer *w, int dirfd,
	const char *what, struct err **err)
{
	struct archive a = { .set = set, .out = { .w = w } };
	const struct save_oci_target to = { .layer = archive_layer, .text = archive_text, .arg = &a };
	struct json *entries = NULL;

	if (save_oci_convert(set, o, dirfd, what, err) < 0 || oci_archive_begin(&a.out, err) < 0 ||
		save_oci_blobs(set, &to, &entries, err) < 0)
		return -1;
	return oci_archive_end(&a.out, entries, err);
}
