/* SPDX-License-Identifier: Apache-2.0 */
/* Layouts, archives, stores and registries that are filled. */
#include "pkg/image/copy_target.h"

#include <errno.h>
#include <string.h>

#include "oci-spec/image_layout.h"
#include "oci-spec/manifest.h"
#include "oci-spec/media_types.h"
#include "oci-spec/reference.h"
#include "pkg/archive/writer.h"
#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/json.h"
#include "pkg/base/mem.h"
#include "pkg/base/outfile.h"
#include "pkg/image/copy_blobs.h"
#include "pkg/image/copy_set.h"
#include "pkg/image/layout_out.h"
#include "pkg/image/oci_archive.h"
#include "pkg/registry/client.h"
#include "pkg/registry/upload.h"
#include "pkg/store/images.h"
#include "pkg/store/layers.h"

/* The entry of index.json: with the name as it was given, and containerd's where it is a whole reference. */
static struct json *entries(const struct copy_set *set, const char *name)
{
	const struct copy_document *top = copy_set_top(set);
	auto_descriptor d = {
		.media_type = xstrdup(top->media_type), .digest = top->digest, .size = (int64_t)top->n
	};
	struct json *list = json_new_array(), *entry = descriptor_to_json(&d), *a;

	json_append(list, entry);
	if (!name)
		return list;
	a = json_need_object(entry, "annotations");
	if (strpbrk(name, ":/")) {
		autofree char *full = image_layout_long(name);

		json_set_str(a, ANNOTATION_CONTAINERD_NAME, full);
	}
	json_set_str(a, ANNOTATION_REF_NAME, name);
	return list;
}

/* ---- a layout ---- */

struct layout_item {
	const struct copy_blob *blob;
	struct atomic file;
};

static int layout_item_begin(void *arg, const struct copy_blob *b, void **ret, struct err **err)
{
	struct layout_item *item = xcalloc(1, sizeof(*item));
	int r;

	item->blob = b;
	item->file = ATOMIC_INIT;
	r = layout_begin(arg, &b->d.digest, (uint64_t)b->d.size, &item->file, err);
	if (r > 0)
		*ret = item;
	else
		free(item);
	return r;
}

static int layout_item_write(void *arg, void *item, const void *p, size_t n, struct err **err)
{
	const struct layout_item *i = item;
	const struct layout *l = arg;

	return fd_write_all(i->file.fd, p, n) < 0 ? err_sys(err, errno, "write to %s", l->path) : 0;
}

static void layout_item_drop(void *arg UNUSED, void *item)
{
	struct layout_item *i = item;

	atomic_abort(&i->file);
	free(i);
}

static int layout_item_end(void *arg, void *item, struct err **err)
{
	struct layout_item *i = item;
	int r = layout_commit(arg, &i->file, &i->blob->d.digest, err);

	layout_item_drop(arg, item);
	return r;
}

int copy_to_layout(const struct copy_set *set, const char *path, const char *name, int jobs, struct err **err)
{
	auto_layout l = LAYOUT_INIT(path);
	const struct copy_target to = { .begin = layout_item_begin,
		.write = layout_item_write,
		.end = layout_item_end,
		.drop = layout_item_drop,
		.arg = &l };
	auto_json *list = entries(set, name);

	if (layout_open(&l, err) < 0 || copy_blobs(set, &to, jobs, err) < 0)
		return -1;
	for (size_t i = 0; i < set->n_docs; i++)
		if (layout_put(&l, &set->docs[i].digest, set->docs[i].text, set->docs[i].n, err) < 0)
			return -1;
	return layout_publish(&l, list, err);
}

/* ---- an archive ---- */

static int archive_begin(void *arg, const struct copy_blob *b, void **ret, struct err **err)
{
	struct oci_archive *a = arg;

	*ret = a;
	return oci_archive_entry(a, &b->d.digest, (uint64_t)b->d.size, err) < 0 ? -1 : 1;
}

static int archive_write(void *arg, void *item UNUSED, const void *p, size_t n, struct err **err)
{
	struct oci_archive *a = arg;

	return writer_data(a->w, p, n, err);
}

static int archive_end(void *arg UNUSED, void *item UNUSED, struct err **err UNUSED)
{
	return 0;
}

static void archive_drop(void *arg UNUSED, void *item UNUSED)
{
	/* All of it goes. */
}

static int fill_archive(const struct copy_set *set, struct writer *w, const char *name, struct err **err)
{
	struct oci_archive a = { .w = w };
	const struct copy_target to = { .begin = archive_begin,
		.write = archive_write,
		.end = archive_end,
		.drop = archive_drop,
		.one_at_a_time = true,
		.arg = &a };

	if (oci_archive_begin(&a, err) < 0 || copy_blobs(set, &to, 1, err) < 0)
		return -1;
	for (size_t i = 0; i < set->n_docs; i++)
		if (oci_archive_put(&a, &set->docs[i].digest, set->docs[i].text, set->docs[i].n, err) < 0)
			return -1;
	return oci_archive_end(&a, entries(set, name), err);
}

int copy_to_archive(
	const struct copy_set *set, const char *path, bool replace, const char *name, struct err **err)
{
	auto_outfile out = OUTFILE_INIT;
	auto_writer *w = NULL;

	if (outfile_open(path, replace, &out, err) < 0 || writer_open(out.fd, out.what, &w, err) < 0 ||
		fill_archive(set, w, name, err) < 0 || writer_end(w, err) < 0)
		return -1;
	return outfile_commit(&out, err);
}

/* ---- a store ---- */

struct store_target {
	struct store *store;
	struct layer_txn txn;
};

static int store_begin(void *arg, const struct copy_blob *b, void **ret, struct err **err)
{
	const struct store_target *t = arg;
	struct layer_writer *w;
	uint64_t size;

	if (layer_exists(t->store, b->d.digest.text, &size) && size == (uint64_t)b->d.size)
		return 0;
	if (layer_writer_begin(t->store, b->d.digest.text, &w, err) < 0)
		return -1;
	*ret = w;
	return 1;
}

static int store_write(void *arg UNUSED, void *item, const void *p, size_t n, struct err **err)
{
	return layer_writer_write(item, p, n, err);
}

static int store_end(void *arg, void *item, struct err **err)
{
	struct store_target *t = arg;

	return layer_writer_commit(item, -1, &t->txn, NULL, err);
}

static void store_drop(void *arg UNUSED, void *item)
{
	layer_writer_abort(item);
}

static int check_image(const struct copy_set *set, struct err **err)
{
	const struct copy_document *top = copy_set_top(set);
	auto_manifest *m = NULL;

	if (manifest_parse(top->text, top->n, top->digest.text, &m, err) < 0)
		return -1;
	for (size_t i = 0; i < m->n_layers; i++)
		if (*m->layers[i].media_type && media_type_kind(m->layers[i].media_type) != MEDIA_LAYER)
			return err_make(err, ERR_UNSUPPORTED,
				"%s: layer %s has the media type '%s', which is no layer's", set->from->what,
				m->layers[i].digest.text, m->layers[i].media_type);
	if (manifest_is_image(m) && !m->artifact_type)
		return 0;
	return err_make(err, ERR_UNSUPPORTED, "%s is no container image but an artifact of the type '%s'",
		set->from->what, m->artifact_type ? m->artifact_type : m->config.media_type);
}

/* Asked before megabytes come in vain. */
static int refuse_protected(struct store *s, const char *name, struct err **err)
{
	auto_image *old = NULL;

	if (image_open(s, name, &old, NULL) < 0 || !old->protected)
		return 0;
	err_make(err, ERR_DENIED, "image %s is protected", old->name);
	return err_hint(err, "unprotect it first");
}

int copy_to_store(const struct copy_set *set, struct store *s, const char *name, int jobs, struct err **err)
{
	struct store_target t = { .store = s, .txn = LAYER_TXN_INIT };
	const struct copy_target to = {
		.begin = store_begin, .write = store_write, .end = store_end, .drop = store_drop, .arg = &t
	};
	const struct copy_document *top = copy_set_top(set);
	const struct image_put put = { .ref = name, .manifest = top->text, .manifest_len = top->n };
	int r = 0;

	if (refuse_protected(s, name, err) < 0 || check_image(set, err) < 0)
		return -1;
	r = copy_blobs(set, &to, jobs, err);
	if (r == 0)
		r = image_put(s, &put, NULL, err);
	if (r < 0)
		layer_txn_rollback(s, &t.txn);
	layer_txn_done(&t.txn);
	return r;
}

/* ---- a registry ---- */

static struct registry_document document(const char *what, const struct copy_document *doc)
{
	return (struct registry_document){ .what = what,
		.media_type = doc->media_type,
		.bytes = doc->text,
		.n = doc->n,
		.digest = &doc->digest };
}

int copy_to_registry(const struct copy_set *set, struct registry *r, const struct reference *to,
	const struct strv *from, int jobs, struct err **err)
{
	const struct copy_document *top = copy_set_top(set);
	const struct registry_document last = document(to->tag, top);
	bool there;

	if (digest_is_set(&to->digest) && !digest_eq(&to->digest, &top->digest))
		return err_make(err, ERR_USAGE, "'%s': the digest of what is copied is %s", to->text,
			top->digest.text);
	/* Also gets the token that all uploads use. */
	there = registry_has_manifest(r, &last);
	if (copy_send(set, r, from, jobs, err) < 0)
		return -1;
	/* The name comes last: who sees it finds all of it. */
	for (size_t i = 0; i + 1 < set->n_docs; i++) {
		const struct registry_document d = document(set->docs[i].digest.text, &set->docs[i]);

		if (!registry_has_manifest(r, &d) && registry_put_manifest(r, &d, err) < 0)
			return -1;
	}
	return there ? 0 : registry_put_manifest(r, &last, err);
}
