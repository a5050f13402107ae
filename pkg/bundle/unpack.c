/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A few layers are in flight: the one that is applied and the next ones, whose decompression has begun. Each holds rings of 3 MiB, and a
 * decoder fills no more of its window than it is ahead: so memory does not depend on the size or number of layers.
 */
#include "pkg/bundle/unpack.h"

#include <errno.h>

#include "oci-spec/digest.h"
#include "oci-spec/image_config.h"
#include "pkg/archive/expect.h"
#include "pkg/archive/inflate.h"
#include "pkg/archive/layer.h"
#include "pkg/archive/reader.h"
#include "pkg/base/err.h"
#include "pkg/base/mem.h"
#include "pkg/base/progress.h"
#include "pkg/base/sig.h"
#include "pkg/conf/conf.h"
#include "pkg/store/coming.h"
#include "pkg/store/images.h"
#include "pkg/store/layers.h"

#define AGAIN "nothing was made: load or pull the image again"
#define FLIGHTS 3

/* A layer whose decompression has begun. */
struct flight {
	int fd; /* owned, unless it is of `coming` */
	struct coming_blob *coming; /* one that is followed */
	uint64_t size;
	struct inflate *in;
	struct progress *progress;
	struct digest digest, diff_id; /* unset: nothing to compare with */
	char *what; /* "layer sha256:… of lib/py:1" */
};
#define FLIGHT_INIT ((struct flight){ .fd = -1 })

struct unpack {
	struct store *store;
	const struct unpack_source *src;
	const struct unpack_options *o;
	int root_fd;
	struct layer_stats stats;
	struct flight flights[FLIGHTS]; /* layer i is flight i % FLIGHTS */
	struct limit limit;
	uint64_t plain, packed; /* bytes of the layers so far; one that is listed again comes in once */
};

static void flight_end(struct flight *f, const char *outcome)
{
	inflate_free(f->in);
	progress_end(f->progress, outcome);
	if (f->fd >= 0 && !f->coming)
		close(f->fd);
	coming_blob_close(f->coming);
	free(f->what);
	*f = FLIGHT_INIT;
}

static void unpack_drop(struct unpack *u)
{
	for (size_t i = 0; i < FLIGHTS; i++)
		flight_end(&u->flights[i], "failed");
}

static int set_expectations(const struct unpack *u, size_t i, struct flight *f, struct err **err)
{
	const struct image *img = u->src->image;
	const struct image_config *c = u->src->config;

	if (img->layers[i].digest && digest_parse(img->layers[i].digest, &f->digest, err) < 0)
		return err_add(err, "%s", f->what);
	/* 1.3.x hashes what it stored, compressed or not (FIX-58), so the diff ids of its own images say nothing. */
	if (img->version >= 2 && c->n_diff_ids)
		f->diff_id = c->diff_ids[i];
	return 0;
}

static int check_size(const struct image_layer *layer, uint64_t size, const char *what, struct err **err)
{
	if (layer->size < 0 || (uint64_t)layer->size == size)
		return 0;
	err_make(err, ERR_CORRUPT, "%s: has %llu bytes where the manifest says %lld", what,
		(unsigned long long)size, (long long)layer->size);
	return err_hint(err, AGAIN);
}

static int open_stored(
	const struct unpack *u, const struct image_layer *layer, struct flight *f, struct err **err)
{
	f->fd = layer_open(u->store, layer->file, &f->size, err);
	if (f->fd < 0)
		return err_add(err, "%s", u->src->image->name);
	return check_size(layer, f->size, f->what, err) < 0 ? -1 : 1;
}

static int open_coming(
	const struct unpack *u, const struct image_layer *layer, struct flight *f, struct err **err)
{
	int r = coming_blob_open(u->src->coming, layer->file, layer->size, &f->coming, err);

	if (r <= 0)
		return r;
	f->fd = coming_blob_fd(f->coming);
	f->size = layer->size > 0 ? (uint64_t)layer->size : 0;
	return 1;
}

/* 1: it has begun; 0: the pull has not begun with this layer. */
static int flight_begin(const struct unpack *u, size_t i, struct flight *f, struct err **err)
{
	const struct image_layer *layer = &u->src->image->layers[i];
	struct inflate_options o = { .limit = u->limit };
	int r;

	free(f->what);
	f->what = xasprintf("layer %s of %s", layer->file, u->src->image->name);
	if (set_expectations(u, i, f, err) < 0)
		return -1;
	r = u->src->coming ? open_coming(u, layer, f, err) : open_stored(u, layer, f, err);
	if (r <= 0)
		return r;
	if (u->o->progress)
		f->progress = progress_begin(layer->file, f->size);
	o.what = f->what;
	o.progress = f->progress;
	o.hash_plain = digest_is_set(&f->diff_id);
	o.plain_sha = f->diff_id.kind;
	/* The pull hashes what it writes; what we read is what we should have read if it unpacks to the diff id. */
	if (f->coming && o.hash_plain)
		f->digest = (struct digest){ .text = "" };
	o.hash_input = digest_is_set(&f->digest);
	o.input_sha = f->digest.kind;
	if (f->coming) {
		o.more = coming_blob_more;
		o.more_arg = f->coming;
		o.size = f->size;
	}
	return inflate_start(f->fd, &o, &f->in, err) < 0 ? -1 : 1;
}

static int compare(const struct flight *f, const struct digest *want, const char *hex, const char *name,
	struct err **err)
{
	struct digest got = { .text = "" };

	if (!digest_is_set(want))
		return 0;
	if (digest_from_hex(want->kind, hex, &got) && digest_eq(want, &got))
		return 0;
	if (want == &f->digest)
		err_make(err, ERR_CORRUPT, "%s: %s mismatch (got %s)", f->what, name, got.text);
	else
		err_make(err, ERR_CORRUPT, "%s: %s mismatch (wanted %s, got %s)", f->what, name, want->text,
			got.text);
	return err_hint(err, AGAIN);
}

/* A layer alone is kept within the limit by inflate.c, the image as a whole here. */
static int count(struct unpack *u, size_t i, uint64_t plain, struct err **err)
{
	const struct image *img = u->src->image;
	bool again = false;

	for (size_t k = 0; k < i && !again; k++)
		again = str_eq(img->layers[k].file, img->layers[i].file);
	u->plain += plain;
	u->packed += again ? 0 : u->flights[i % FLIGHTS].size;
	return limit_check(&u->limit, u->plain, u->packed, img->name, err);
}

static int flight_apply(struct unpack *u, struct flight *f, size_t i, struct err **err)
{
	struct layer_options o = {
		.keep_setid = u->o->keep_setid,
		.record_owner = u->o->record_owner,
		.write_out = u->o->write_out,
	};
	struct inflate_result result;
	auto_reader *r = NULL;
	int s;

	if (reader_open(f->in, f->what, &r, err) < 0)
		return -1;
	s = u->o->expect ? expect_layer(u->o->expect, r, err)
			 : layer_apply(r, u->root_fd, &o, &u->stats, err);
	if (s < 0) {
		/* Messages of the reader name the layer already. */
		if (err && *err && !strstr(err_text(*err), f->what))
			err_add(err, "%s", f->what);
		return -1;
	}
	if (inflate_finish(f->in, &result, err) < 0)
		return -1;
	f->size = result.input_bytes;
	if (check_size(&u->src->image->layers[i], f->size, f->what, err) < 0 ||
		count(u, i, result.plain_bytes, err) < 0)
		return -1;
	if (compare(f, &f->digest, result.input_hex, "digest", err) < 0)
		return -1;
	return compare(f, &f->diff_id, result.plain_hex, "diff id", err);
}

/* The layer i, which is wanted now, and the next ones, if they have begun to arrive. */
static int begin_flights(struct unpack *u, size_t i, size_t *begun, struct err **err)
{
	size_t n = u->src->image->n_layers;

	while (*begun < n && *begun < i + FLIGHTS) {
		int r = flight_begin(u, *begun, &u->flights[*begun % FLIGHTS], err);

		if (r < 0)
			return -1;
		*begun += r > 0;
		if (r > 0)
			continue;
		if (*begun > i)
			return 0;
		if (sig_interrupted())
			return err_sys(err, EINTR, "%s", u->src->image->name);
		coming_pause();
	}
	return 0;
}

static int apply_all(struct unpack *u, struct err **err)
{
	size_t n = u->src->image->n_layers, begun = 0;

	for (size_t i = 0; i < n; i++) {
		struct flight *f = &u->flights[i % FLIGHTS];

		if (begin_flights(u, i, &begun, err) < 0)
			return -1;
		if (flight_apply(u, f, i, err) < 0)
			return -1;
		flight_end(f, "done");
	}
	return 0;
}

int bundle_unpack(struct store *s, const struct unpack_source *src, int root_fd,
	const struct unpack_options *o, struct unpack_stats *ret, struct err **err)
{
	CLEANUP(unpack_drop)
	struct unpack u = { .store = s, .src = src, .o = o, .root_fd = root_fd };
	const struct image *img = src->image;

	for (size_t i = 0; i < FLIGHTS; i++)
		u.flights[i] = FLIGHT_INIT;
	if (img->version >= 2 && src->config->n_diff_ids && src->config->n_diff_ids != img->n_layers)
		return err_make(err, ERR_CORRUPT, "%s: its configuration lists %zu diff ids for %zu layers",
			img->name, src->config->n_diff_ids, img->n_layers);
	u.limit =
		(struct limit){ conf_size(CONF_UNPACK_MAX_SIZE), (unsigned)conf_int(CONF_UNPACK_MAX_RATIO) };
	if (apply_all(&u, err) < 0)
		return -1;
	ret->files = u.stats.files;
	ret->bytes = u.stats.bytes;
	ret->left_out = u.stats.devices + u.stats.sockets;
	ret->attrs = u.stats.attrs;
	return 0;
}
