/* SPDX-License-Identifier: Apache-2.0 */
/* From an image of the store to one of a registry: what it consists of there, its blobs, its manifests. */
#include "pkg/image/push.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "oci-spec/descriptor.h"
#include "oci-spec/manifest.h"
#include "oci-spec/media_types.h"
#include "oci-spec/reference.h"
#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/json.h"
#include "pkg/base/mem.h"
#include "pkg/base/progress.h"
#include "pkg/image/push_set.h"
#include "pkg/image/save_temporary.h"
#include "pkg/image/send_blobs.h"
#include "pkg/registry/client.h"
#include "pkg/registry/upload.h"
#include "pkg/store/images.h"
#include "pkg/store/layers.h"

struct push_blob {
	struct push *push;
	struct save_layer *layer; /* or a text */
	const struct save_image *image;
	int fd;
};

void push_free(struct push *p)
{
	for (size_t i = 0; i < p->n_images; i++)
		save_document_free(&p->images[i].doc);
	save_document_free(&p->index);
	free(p->images);
	free(p->blobs);
	free(p->send);
	save_set_free(&p->set);
}

/* ---- layers packed anew ---- */

static enum inflate_kind wanted_kind(
	const struct push *p, const struct save_image *si, const struct save_layer *l)
{
	if (p->o->compress != PUSH_COMPRESS_OWN)
		return p->o->compress == PUSH_COMPRESS_ZSTD ? INFLATE_ZSTD : INFLATE_GZIP;
	if (l->kind == INFLATE_ZSTD && p->family == SAVE_FAMILY_DOCKER)
		return INFLATE_GZIP; /* docker's manifests have no name for it that all understand */
	if ((l->kind == INFLATE_XZ || l->kind == INFLATE_BZIP2) && save_manifest_is_new(si, p->family))
		return INFLATE_GZIP; /* there is no media type for these */
	return l->kind;
}

static int convert_layer(struct push *p, struct save_layer *l, enum inflate_kind kind, struct err **err)
{
	int fd, r;

	if (l->converted || kind == l->kind)
		return 0;
	fd = save_temporary(-1, NULL, err);
	if (fd < 0)
		return -1;
	p->set.done = 0;
	p->set.progress = progress_begin("packing anew", l->size);
	r = save_layer_convert(&p->set, l, kind, fd, err);
	progress_end(steal_ptr(&p->set.progress), r < 0 ? NULL : "done");
	return r;
}

static int convert(struct push *p, struct err **err)
{
	for (size_t i = 0; i < p->set.n_images; i++) {
		struct save_image *si = p->set.images[i];

		for (size_t k = 0; k < si->n_layers; k++)
			if (convert_layer(p, si->layers[k], wanted_kind(p, si, si->layers[k]), err) < 0)
				return -1;
	}
	return 0;
}

/* ---- documents ---- */

static int make_manifests(struct push *p, struct err **err)
{
	const struct save_group *g = &p->set.groups[0];

	p->images = xcalloc(g->n_images, sizeof(*p->images));
	for (size_t i = 0; i < g->n_images; i++) {
		struct push_image *pi = &p->images[p->n_images++];

		pi->from = g->images[i];
		if (save_manifest(pi->from, p->family, &pi->doc, err) < 0 ||
			digest_of(SHA_256, pi->doc.text, pi->doc.n, &pi->digest, err) < 0)
			return err_add(err, "image %s", pi->from->img->name);
	}
	return 0;
}

/* The images of several platforms under one name. */
static int make_index(struct push *p, struct err **err)
{
	bool docker = p->family == SAVE_FAMILY_DOCKER;
	struct json *list = json_new_array();
	auto_json *j = json_new_object();

	p->index.media_type = docker ? MEDIA_DOCKER_LIST : MEDIA_OCI_INDEX;
	json_set_i64(j, "schemaVersion", 2);
	json_set_str(j, "mediaType", p->index.media_type);
	json_set(j, "manifests", list);
	for (size_t i = 0; i < p->n_images; i++) {
		const struct push_image *pi = &p->images[i];
		auto_descriptor d = { .media_type = xstrdup(pi->doc.media_type),
			.digest = pi->digest,
			.size = (int64_t)pi->doc.n,
			.has_platform = true,
			.platform = pi->from->platform };

		json_append(list, descriptor_to_json(&d));
	}
	p->index.text = json_text(j, 0);
	p->index.n = strlen(p->index.text);
	return digest_of(SHA_256, p->index.text, p->index.n, &p->index_digest, err);
}

/* ---- blobs ---- */

static int open_blob(void *arg, struct err **err)
{
	struct push_blob *b = arg;
	struct save_layer *l = b->layer;

	if (!l)
		return 0;
	b->fd = l->converted ? fd_dup(l->new_fd) : layer_open(b->push->set.store, l->file, NULL, err);
	if (b->fd < 0 && l->converted)
		return err_sys(err, errno, "layer %s", l->file);
	return b->fd < 0 ? -1 : 0;
}

static ssize_t read_blob(void *arg, uint64_t at, void *p, size_t n, struct err **err)
{
	const struct push_blob *b = arg;
	ssize_t got;

	if (!b->layer) {
		memcpy(p, b->image->config + at, n); /* no more than its size is asked for */
		return (ssize_t)n;
	}
	got = fd_pread_full(b->fd, p, n, (off_t)at);
	return got < 0 ? err_sys(err, errno, "read layer %s", b->layer->file) : got;
}

static void close_blob(void *arg)
{
	struct push_blob *b = arg;

	base_autoclose(&b->fd);
	b->fd = -1;
}

static void add_blob(struct push *p, const struct save_image *si, struct save_layer *l)
{
	struct push_blob *b = &p->blobs[p->n_blobs];

	*b = (struct push_blob){ .push = p, .layer = l, .image = si, .fd = -1 };
	p->send[p->n_blobs++] = (struct send_blob){ .digest = l ? *save_layer_digest(l) : si->config_digest,
		.size = l ? save_layer_size(l) : si->config_len,
		.config = !l,
		.begin = open_blob,
		.source = read_blob,
		.end = close_blob,
		.arg = b };
}

/* Layers that must not be distributed stay where their manifest says. */
static bool stays_away(const struct manifest *m, size_t i)
{
	return i < m->n_layers && m->layers[i].urls.n && media_type_find(m->layers[i].media_type)->foreign;
}

static int add_blobs(struct push *p, const struct push_image *pi, struct err **err)
{
	const struct save_image *si = pi->from;
	auto_manifest *m = NULL;

	if (manifest_parse(pi->doc.text, pi->doc.n, "manifest", &m, err) < 0)
		return err_add(err, "image %s", si->img->name);
	for (size_t i = 0; i < si->n_layers; i++)
		if (!stays_away(m, i))
			add_blob(p, si, si->layers[i]);
	add_blob(p, si, NULL);
	return 0;
}

static int send(struct push *p, struct registry *r, struct err **err)
{
	const struct send_options o = { .jobs = p->o->jobs, .store = p->set.store };
	size_t n = 0;

	for (size_t i = 0; i < p->n_images; i++)
		n += p->images[i].from->n_layers + 1;
	p->blobs = xcalloc(n, sizeof(*p->blobs));
	p->send = xcalloc(n, sizeof(*p->send));
	for (size_t i = 0; i < p->n_images; i++)
		if (add_blobs(p, &p->images[i], err) < 0)
			return -1;
	return send_blobs(r, p->send, p->n_blobs, &o, err);
}

/* ---- publication ---- */

static struct registry_document document(
	const char *what, const struct save_document *doc, const struct digest *digest)
{
	return (struct registry_document){
		.what = what, .media_type = doc->media_type, .bytes = doc->text, .n = doc->n, .digest = digest
	};
}

const struct digest *push_digest(const struct push *p)
{
	return p->index.text ? &p->index_digest : &p->images[0].digest;
}

/* The name comes last: who sees it finds all of it. */
static int publish(struct push *p, struct registry *r, const struct registry_document *top, struct err **err)
{
	for (size_t i = 0; p->index.text && i < p->n_images; i++) {
		const struct push_image *pi = &p->images[i];
		const struct registry_document d = document(pi->digest.text, &pi->doc, &pi->digest);

		if (!registry_has_manifest(r, &d) && registry_put_manifest(r, &d, err) < 0)
			return -1;
	}
	return registry_put_manifest(r, top, err);
}

/* What the name stands for is asked first, which also gets the token that all uploads use. */
static int upload(struct push *p, struct registry *r, const struct reference *to, struct err **err)
{
	const struct registry_document top =
		document(to->tag, p->index.text ? &p->index : &p->images[0].doc, push_digest(p));
	bool there = registry_has_manifest(r, &top);

	if (send(p, r, err) < 0)
		return -1;
	return there ? 0 : publish(p, r, &top, err);
}

static int check_options(const struct push_options *o, struct err **err)
{
	if (o->format != PUSH_FORMAT_DOCKER || o->compress != PUSH_COMPRESS_ZSTD)
		return 0;
	err_make(err, ERR_USAGE, "docker's manifests have no zstd layers");
	return err_hint(err, "use --format oci");
}

int push_prepare(struct push *p, const char *name, struct err **err)
{
	static const enum save_family families[] = { [PUSH_FORMAT_OWN] = SAVE_FAMILY_OWN,
		[PUSH_FORMAT_OCI] = SAVE_FAMILY_OCI,
		[PUSH_FORMAT_DOCKER] = SAVE_FAMILY_DOCKER };

	p->family = families[p->o->format];
	if (check_options(p->o, err) < 0 || save_set_add(&p->set, name, p->o->all, err) < 0 ||
		save_set_settle(&p->set, err) < 0 || convert(p, err) < 0 || make_manifests(p, err) < 0)
		return -1;
	return p->n_images > 1 ? make_index(p, err) : 0;
}

static int check_name(const struct push *p, const struct reference *to, struct err **err)
{
	if (!digest_is_set(&to->digest) || digest_eq(&to->digest, push_digest(p)))
		return 0;
	return err_make(
		err, ERR_USAGE, "'%s': the digest of what is pushed is %s", to->text, push_digest(p)->text);
}

int push_image(struct store *s, const char *name, struct registry *r, const struct reference *to,
	const struct push_options *o, char **ret_name, struct err **err)
{
	CLEANUP(push_free) struct push p = { .set = { .store = s }, .o = o };

	if (push_prepare(&p, name, err) < 0 || check_name(&p, to, err) < 0 || upload(&p, r, to, err) < 0)
		return -1;
	*ret_name = digest_is_valid(to->tag)
			    ? xasprintf("%s@%s", to->name, to->tag)
			    : xasprintf("%s:%s@%s", to->name, to->tag, push_digest(&p)->text);
	return 0;
}
