/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The decompression thread: runs the decoder on what feed.h gives, fills the ring. Plain bytes are hashed by a thread of
 * their own, the ring's second consumer; data that is not compressed goes through that one hash for both digests.
 */
#include "pkg/archive/inflate.h"

#include <assert.h>
#include <sys/stat.h>

#include "pkg/archive/codecs.h"
#include "pkg/archive/feed.h"
#include "pkg/archive/pipeline.h"
#include "pkg/base/err.h"
#include "pkg/base/mem.h"
#include "pkg/base/num.h"
#include "pkg/base/thread.h"

struct inflate {
	struct flow flow; /* first: a decoder's flow is our inflate */
	struct inflate_options o;
	char *what;
	struct feed *feed;
	uint64_t file_size; /* 0 for a stream */
	struct pipeline *pipe;
	pthread_t worker, hasher;
	bool worker_runs, hasher_runs;
	struct sha *plain_sha;
	int hash_consumer;
	bool one_hash; /* not compressed: plain_sha serves both */
	unsigned char *buf; /* FEED_BLOCK + FLOW_LEFT_MAX */
	uint64_t taken; /* bytes of the source that the decoder was given */
	unsigned char *block; /* claimed from the ring, or NULL */
	size_t block_n;
	struct inflate_result result;
	bool completed; /* result is */
};

static const struct {
	const char *name;
	size_t n;
	unsigned char magic[6];
	codec_fn *decode;
} kinds[] = {
	[INFLATE_PLAIN] = { .name = "none" },
	[INFLATE_GZIP] = { "gzip", 2, { 0x1f, 0x8b }, codec_gzip },
	[INFLATE_ZSTD] = { "zstd", 4, { 0x28, 0xb5, 0x2f, 0xfd }, codec_zstd },
	[INFLATE_XZ] = { "xz", 6, { 0xfd, '7', 'z', 'X', 'Z', 0 }, codec_xz },
	[INFLATE_BZIP2] = { "bzip2", 3, { 'B', 'Z', 'h' }, codec_bzip2 },
};

const char *inflate_kind_name(enum inflate_kind kind)
{
	return kinds[kind].name;
}

enum inflate_kind inflate_detect(const void *p, size_t n)
{
	const unsigned char *b = p;

	for (size_t i = INFLATE_PLAIN + 1; i < ARRAY_LEN(kinds); i++)
		if (n >= kinds[i].n && memcmp(p, kinds[i].magic, kinds[i].n) == 0)
			return (enum inflate_kind)i;
	/* A zstd stream may begin with a skippable frame (pzstd, zstd:chunked write them). */
	if (n >= 4 && (b[0] & 0xf0) == 0x50 && b[1] == 0x2a && b[2] == 0x4d && b[3] == 0x18)
		return INFLATE_ZSTD;
	return INFLATE_PLAIN;
}

/* ---- the source ---------------------------------------------------------------------------------------------------------- */

/* Empty members, frames and streams can follow each other for ever. Real data is never much longer packed than plain. */
static int check_barren(const struct inflate *in, struct err **err)
{
	uint64_t plain = in->result.plain_bytes;
	char packed[NUM_SIZE_LEN], size[NUM_SIZE_LEN];

	if (in->taken <= INFLATE_BARREN_MAX || (in->taken - INFLATE_BARREN_MAX) / INFLATE_SWELL_MAX <= plain)
		return 0;
	num_format_size(in->taken, packed);
	num_format_size(plain, size);
	err_make(err, ERR_CORRUPT, "%s: %s of compressed data unpack to %s: taken for data without end",
		in->what, packed, size);
	return err_hint(err, "pack it again, it is made of empty parts");
}

int flow_more(struct flow *f, struct err **err)
{
	struct inflate *in = (struct inflate *)f;
	const void *p;
	ssize_t n;

	assert(f->in_n <= FLOW_LEFT_MAX);
	if (check_barren(in, err) < 0)
		return -1;
	/* A decoder that leaves bytes unread wants them in front of what follows. */
	if (f->in_n)
		memmove(in->buf, f->in, f->in_n);
	n = feed_next(in->feed, &p, err);
	if (n <= 0) {
		f->in = in->buf;
		return (int)n;
	}
	f->in = p;
	if (f->in_n) {
		memcpy(in->buf + f->in_n, p, (size_t)n);
		f->in = in->buf;
	}
	f->in_n += (size_t)n;
	in->taken += (uint64_t)n;
	return 1;
}

void flow_used(struct flow *f, size_t n)
{
	f->in += n;
	f->in_n -= n;
}

void flow_skipped(struct flow *f, size_t n)
{
	struct inflate *in = (struct inflate *)f;

	in->taken -= n; /* they were counted when they came */
	flow_used(f, n);
}

/* ---- the ring ------------------------------------------------------------------------------------------------------------ */

int flow_room(struct flow *f, struct err **err)
{
	struct inflate *in = (struct inflate *)f;

	if (in->block && f->out_n)
		return 0;
	if (in->block)
		pipeline_publish(in->pipe, PIPELINE_BLOCK);
	in->block_n = 0;
	in->block = pipeline_claim(in->pipe);
	if (!in->block)
		return err_make(err, ERR_SYSTEM, "interrupted");
	f->out = in->block;
	f->out_n = PIPELINE_BLOCK;
	return 0;
}

int flow_wrote(struct flow *f, size_t n, struct err **err)
{
	struct inflate *in = (struct inflate *)f;
	uint64_t input = in->taken - f->in_n;

	f->out += n;
	f->out_n -= n;
	in->block_n += n;
	in->result.plain_bytes += n;
	if (input < in->file_size)
		input = in->file_size;
	return limit_check(&in->o.limit, in->result.plain_bytes, input, in->what, err);
}

/* Not compressed: from the descriptor straight into the ring. */
static int copy_plain(struct inflate *in, struct err **err)
{
	struct flow *f = &in->flow;
	size_t n;

	do {
		ssize_t r;

		if (flow_room(f, err) < 0)
			return -1;
		n = f->in_n < f->out_n ? f->in_n : f->out_n;
		if (n) {
			memcpy(f->out, f->in, n);
			flow_used(f, n);
			continue;
		}
		r = feed_read(in->feed, f->out, f->out_n, err);
		if (r <= 0)
			return (int)r;
		n = (size_t)r;
		in->taken += n;
	} while (flow_wrote(f, n, err) == 0);
	return -1;
}

/* Garbage behind the compressed data counts for the digest of the source. It must end: /dev/zero could follow. */
static int drain_source(struct inflate *in, struct err **err)
{
	uint64_t sum = 0;
	const void *p;
	ssize_t n;

	do {
		n = feed_next(in->feed, &p, err);
		sum += n > 0 ? (uint64_t)n : 0;
		if (sum > INFLATE_TRAILING_MAX && !in->file_size)
			return err_make(err, ERR_CORRUPT, "%s: no end behind the compressed data", in->what);
	} while (n > 0);
	return (int)n;
}

/* ---- the threads --------------------------------------------------------------------------------------------------------- */

static void *hash_plain(void *arg)
{
	struct inflate *in = arg;
	const void *p;
	ssize_t n;

	while ((n = pipeline_next(in->pipe, in->hash_consumer, &p, NULL)) > 0)
		sha_update(in->plain_sha, p, (size_t)n);
	return NULL;
}

static int start_hasher(struct inflate *in, enum sha_kind kind, struct err **err)
{
	in->plain_sha = sha_begin(kind, err);
	if (!in->plain_sha)
		return -1;
	in->hash_consumer = pipeline_add_consumer(in->pipe);
	if (thread_start(&in->hasher, hash_plain, in, err) < 0)
		return -1;
	in->hasher_runs = true;
	return 0;
}

/* The kind is known, and so is who hashes what. Bytes that are not compressed need one hash where both digests are of one kind. */
static int start_hashing(struct inflate *in, struct err **err)
{
	const struct inflate_options *o = &in->o;
	bool same = o->input_sha == o->plain_sha || !o->hash_plain;

	in->one_hash = in->result.kind == INFLATE_PLAIN && o->hash_input && same;
	if (in->one_hash)
		return start_hasher(in, o->input_sha, err);
	if (o->hash_input && feed_hash(in->feed, o->input_sha, in->flow.in, in->flow.in_n, err) < 0)
		return -1;
	return o->hash_plain ? start_hasher(in, o->plain_sha, err) : 0;
}

static int decode(struct inflate *in, struct err **err)
{
	if (in->result.kind == INFLATE_PLAIN)
		return copy_plain(in, err);
	if (feed_ahead(in->feed, err) < 0 || kinds[in->result.kind].decode(&in->flow, err) < 0)
		return -1;
	return drain_source(in, err);
}

static int work(struct inflate *in, struct err **err)
{
	ssize_t n = feed_read(in->feed, in->buf, FEED_BLOCK, err);

	if (n < 0)
		return -1;
	in->flow.in = in->buf;
	in->flow.in_n = (size_t)n;
	in->taken = (uint64_t)n;
	in->result.kind = inflate_detect(in->buf, (size_t)n);
	if (start_hashing(in, err) < 0 || decode(in, err) < 0)
		return -1;
	if (in->block)
		pipeline_publish(in->pipe, in->block_n);
	return 0;
}

static void *worker(void *arg)
{
	struct inflate *in = arg;
	struct err *e = NULL;

	(void)work(in, &e); /* a failure is in e */
	pipeline_finish(in->pipe, e);
	return NULL;
}

int inflate_start(int fd, const struct inflate_options *o, struct inflate **ret, struct err **err)
{
	auto_inflate *in = xcalloc(1, sizeof(*in));
	struct stat st;

	in->o = *o;
	in->what = xstrdup(o->what ? o->what : "archive");
	in->o.what = in->what;
	in->flow.what = in->what;
	if (feed_open(fd, in->what, o->progress, o->copy ? o->copy_to : -1, &in->feed, err) < 0)
		return -1;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		in->file_size = (uint64_t)st.st_size;
	if (o->more) {
		in->file_size = o->size;
		feed_follow(in->feed, o->more, o->more_arg);
	}
	in->buf = xmalloc(FEED_BLOCK + FLOW_LEFT_MAX);
	in->pipe = pipeline_new(PIPELINE_BLOCK, PIPELINE_COUNT);
	if (thread_start(&in->worker, worker, in, err) < 0)
		return -1;
	in->worker_runs = true;
	*ret = steal_ptr(&in);
	return 0;
}

/* ---- the caller's side --------------------------------------------------------------------------------------------------- */

ssize_t inflate_read(struct inflate *in, const void **ret, struct err **err)
{
	return pipeline_next(in->pipe, 0, ret, err);
}

static void join_threads(struct inflate *in)
{
	if (in->worker_runs)
		pthread_join(in->worker, NULL);
	if (in->hasher_runs)
		pthread_join(in->hasher, NULL);
	in->worker_runs = in->hasher_runs = false;
}

/* The end was reached: the threads have nothing left to do. */
static void complete(struct inflate *in)
{
	struct inflate_result *r = &in->result;

	join_threads(in);
	r->input_bytes = feed_position(in->feed);
	feed_digest(in->feed, r->input_hex);
	if (in->plain_sha)
		sha_finish(in->plain_sha, r->plain_hex);
	sha_free(steal_ptr(&in->plain_sha));
	if (in->one_hash)
		memcpy(r->input_hex, r->plain_hex, sizeof(r->input_hex));
	if (!in->o.hash_plain)
		r->plain_hex[0] = '\0';
	in->completed = true;
}

int inflate_finish(struct inflate *in, struct inflate_result *ret, struct err **err)
{
	const void *p;
	ssize_t n;

	do {
		n = pipeline_next(in->pipe, 0, &p, err);
	} while (n > 0);
	if (n < 0)
		return -1;
	if (!in->completed)
		complete(in);
	if (ret)
		*ret = in->result;
	return 0;
}

uint64_t inflate_position(const struct inflate *in)
{
	return feed_position(in->feed);
}

void inflate_free(struct inflate *in)
{
	if (!in)
		return;
	if (in->pipe)
		pipeline_cancel(in->pipe);
	if (in->feed)
		feed_cancel(in->feed);
	join_threads(in);
	feed_free(in->feed);
	pipeline_free(in->pipe);
	sha_free(in->plain_sha);
	free(in->buf);
	free(in->what);
	free(in);
}
