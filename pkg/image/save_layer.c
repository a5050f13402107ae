/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of one layer on their way out of the store: as they are, unpacked, or packed anew; every digest is checked on the way. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "pkg/archive/deflate.h"
#include "pkg/archive/hasher.h"
#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/mem.h"
#include "pkg/base/progress.h"
#include "pkg/base/sig.h"
#include "pkg/conf/conf.h"
#include "pkg/image/save_set.h"
#include "pkg/store/layers.h"
#include "pkg/store/store.h"

#define CHUNK ((size_t)256 << 10)

const struct digest *save_layer_digest(const struct save_layer *l)
{
	return l->converted ? &l->new_digest : &l->digest;
}

uint64_t save_layer_size(const struct save_layer *l)
{
	return l->converted ? l->new_size : l->size;
}

enum inflate_kind save_layer_kind(const struct save_layer *l)
{
	return l->converted ? l->new_kind : l->kind;
}

static int mismatch(const struct save_layer *l, const char *got, struct err **err)
{
	err_make(err, ERR_CORRUPT, "layer %s: digest mismatch (got %s)", l->file, got);
	return err_hint(err, "load or pull the image again");
}

/* ---- as it is ---- */

static int check_sent(struct save_layer *l, struct hasher *h, uint64_t n, struct err **err)
{
	const struct digest *want = save_layer_digest(l);
	char hex[SHA_HEX_MAX + 1];
	struct digest got;

	hasher_finish(h, hex);
	(void)digest_from_hex(want->kind, hex, &got); /* what a hash gives is always one */
	if (!digest_eq(want, &got))
		return mismatch(l, got.text, err);
	if (n != save_layer_size(l))
		return err_make(err, ERR_CORRUPT, "layer %s changed while it was read", l->file);
	return 0;
}

/* One block is hashed while the next is read and written. */
static int pump(
	struct save_set *set, struct save_layer *l, int fd, save_sink *sink, void *arg, struct err **err)
{
	const struct digest *want = save_layer_digest(l);
	uint64_t left = save_layer_size(l), before = set->done;
	autofree char *buf = xmalloc(2 * CHUNK);
	auto_hasher *h = hasher_begin(want->kind, err);

	if (!h)
		return -1;
	for (unsigned turn = 0;; turn ^= 1) {
		char *at = buf + turn * CHUNK;
		ssize_t n = fd_read_full(fd, at, CHUNK);

		if (n < 0)
			return err_sys(err, errno, "read layer %s", l->file);
		if (sig_interrupted())
			return err_sys(err, EINTR, "read layer %s", l->file);
		if (n == 0)
			break;
		if ((uint64_t)n > left)
			return err_make(err, ERR_CORRUPT, "layer %s changed while it was read", l->file);
		left -= (uint64_t)n;
		hasher_update(h, at, (size_t)n);
		if (sink(arg, at, (size_t)n, err) < 0)
			return -1;
		if (!l->converted)
			progress_update(set->progress, set->done += (uint64_t)n);
	}
	if (!l->converted)
		set->done = before + l->size;
	return check_sent(l, h, save_layer_size(l) - left, err);
}

int save_layer_send(struct save_set *set, struct save_layer *l, save_sink *sink, void *arg, struct err **err)
{
	autoclose int fd = l->converted ? fd_dup(l->new_fd) : layer_open(set->store, l->file, NULL, err);

	if (fd < 0)
		return l->converted ? err_sys(err, errno, "layer %s", l->file) : -1;
	if (l->converted && lseek(fd, 0, SEEK_SET) < 0)
		return err_sys(err, errno, "layer %s", l->file);
	return pump(set, l, fd, sink, arg, err);
}

/* ---- unpacked ---- */

/* Both digests against what is known of them; what was not known is known then. */
static int check_unpacked(struct save_layer *l, const struct inflate_options *o,
	const struct inflate_result *r, struct err **err)
{
	struct digest stored, plain;

	(void)digest_from_hex(o->input_sha, r->input_hex, &stored); /* what a hash gives is always one */
	(void)digest_from_hex(o->plain_sha, r->plain_hex, &plain);
	if (digest_is_set(&l->digest) && !digest_eq(&l->digest, &stored))
		return mismatch(l, stored.text, err);
	l->digest = stored;
	l->size = r->input_bytes;
	l->plain_size = r->plain_bytes;
	if (digest_is_set(&l->diff_id) && !digest_eq(&l->diff_id, &plain) && l->looked)
		return err_make(err, ERR_CORRUPT, "layer %s changed while it was read", l->file);
	if (digest_is_set(&l->diff_id) && !digest_eq(&l->diff_id, &plain)) {
		err_make(err, ERR_CORRUPT, "layer %s: digest mismatch (got %s, the configuration says %s)",
			l->file, plain.text, l->diff_id.text);
		return err_hint(err, "load or pull the image again");
	}
	l->diff_id = plain;
	return 0;
}

int save_layer_unpack(
	struct save_set *set, struct save_layer *l, save_sink *sink, void *arg, struct err **err)
{
	autofree char *what = xasprintf("layer %s", l->file);
	const struct inflate_options o = { .what = what,
		.hash_input = true,
		.hash_plain = true,
		.input_sha = digest_is_set(&l->digest) ? l->digest.kind : SHA_256,
		.plain_sha = digest_is_set(&l->diff_id) ? l->diff_id.kind : SHA_256,
		.limit = { conf_size(CONF_UNPACK_MAX_SIZE), (unsigned)conf_int(CONF_UNPACK_MAX_RATIO) } };
	autoclose int fd = layer_open(set->store, l->file, NULL, err);
	uint64_t before = set->done;
	auto_inflate *in = NULL;
	struct inflate_result r;
	const void *p;
	ssize_t n;

	if (fd < 0 || inflate_start(fd, &o, &in, err) < 0)
		return -1;
	while ((n = inflate_read(in, &p, err)) > 0) {
		if (sink(arg, p, (size_t)n, err) < 0)
			return -1;
		progress_update(set->progress, before + inflate_position(in));
	}
	if (n < 0 || inflate_finish(in, &r, err) < 0)
		return -1;
	set->done = before + l->size;
	return check_unpacked(l, &o, &r, err);
}

static int drop(void *arg UNUSED, const void *p UNUSED, size_t n UNUSED, struct err **err UNUSED)
{
	return 0;
}

int save_layer_look(struct save_set *set, struct save_layer *l, struct err **err)
{
	uint64_t before = set->done;
	struct digest claim = l->diff_id;

	/* What it is, not what it should be: the caller compares. */
	l->diff_id = (struct digest){ .kind = SHA_256 };
	if (save_layer_unpack(set, l, drop, NULL, err) < 0) {
		l->diff_id = claim;
		return -1;
	}
	set->done = before; /* it will be read once more */
	l->looked = true;
	return 0;
}

/* ---- packed anew ---- */

struct packing {
	struct deflate *deflate;
	struct hasher *hasher;
	struct save_layer *layer;
	uint64_t size;
	int fd;
};

static int write_packed(void *arg, const void *p, size_t n, struct err **err)
{
	struct packing *k = arg;

	k->size += n;
	hasher_update(k->hasher, p, n);
	if (fd_write_all(k->fd, p, n) < 0)
		return err_sys(err, errno, "write layer %s anew", k->layer->file);
	hasher_wait(k->hasher); /* the block is the compressor's */
	return 0;
}

static int pack(void *arg, const void *p, size_t n, struct err **err)
{
	struct packing *k = arg;

	return deflate_data(k->deflate, p, n, err);
}

int save_layer_convert(
	struct save_set *set, struct save_layer *l, enum inflate_kind kind, int fd, struct err **err)
{
	struct packing k = { .layer = l, .fd = fd };
	char hex[SHA_HEX_MAX + 1];
	int r = -1;

	l->new_fd = fd;
	k.hasher = hasher_begin(SHA_256, err);
	if (k.hasher && deflate_start(kind, write_packed, &k, &k.deflate, err) == 0)
		r = save_layer_unpack(set, l, pack, &k, err);
	if (r == 0)
		r = deflate_end(k.deflate, err);
	if (r == 0) {
		hasher_finish(k.hasher, hex);
		(void)digest_from_hex(SHA_256, hex, &l->new_digest); /* what a hash gives is always one */
		l->converted = true;
		l->new_kind = kind;
		l->new_size = k.size;
	}
	deflate_free(k.deflate);
	hasher_free(k.hasher);
	return r;
}
