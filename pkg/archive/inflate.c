/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The decompression thread: reads the source, hashes it, runs the decoder, fills the ring. Plain bytes are hashed by a thread of
 * their own, the ring's second consumer; data that is not compressed goes through that one hash for both digests.
 */
#include "pkg/archive/inflate.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "pkg/archive/codecs.h"
#include "pkg/archive/pipeline.h"
#include "pkg/base/err.h"
#include "pkg/base/mem.h"
#include "pkg/base/num.h"
#include "pkg/base/progress.h"
#include "pkg/base/sig.h"

#define INPUT_SIZE ((size_t)256 << 10)
#define POLL_MS 100

struct inflate {
	struct flow flow; /* first: a decoder's flow is our inflate */
	struct inflate_options o;
	char *what;
	int fd;
	bool is_file;
	bool source_ended;
	struct pipeline *pipe;
	pthread_t worker, hasher;
	bool worker_runs, hasher_runs;
	struct sha *input_sha, *plain_sha;
	int hash_consumer;
	bool one_hash; /* not compressed: plain_sha serves both */
	unsigned char *buf; /* INPUT_SIZE */
	unsigned char *block; /* claimed from the ring, or NULL */
	size_t block_n;
	_Atomic uint64_t input_bytes;
	struct inflate_result result;
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

/* A pipe may be silent for long: sleep in steps, so that cancellation and interrupts are seen. */
static int wait_readable(struct inflate *in, struct err **err)
{
	while (!sig_interrupted() && !pipeline_cancelled(in->pipe)) {
		struct pollfd p = { .fd = in->fd, .events = POLLIN };
		int r = poll(&p, 1, POLL_MS);

		if (r > 0)
			return 0;
		if (r < 0 && errno != EINTR)
			return err_sys(err, errno, "read %s", in->what);
	}
	return err_make(err, ERR_SYSTEM, "interrupted");
}

/* Fill buf, less at the end of the source only. */
static ssize_t read_source(struct inflate *in, void *buf, size_t n, struct err **err)
{
	size_t got = 0;

	while (got < n && !in->source_ended) {
		ssize_t r;

		if (!in->is_file && wait_readable(in, err) < 0)
			return -1;
		r = read(in->fd, (char *)buf + got, n - got);
		if (r < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (r < 0)
			return err_sys(err, errno, "read %s", in->what);
		in->source_ended = r == 0;
		got += (size_t)r;
	}
	if (in->o.hash_input && in->input_sha)
		sha_update(in->input_sha, buf, got);
	atomic_fetch_add_explicit(&in->input_bytes, got, memory_order_relaxed);
	if (in->o.progress)
		progress_update(in->o.progress, atomic_load_explicit(&in->input_bytes, memory_order_relaxed));
	return (ssize_t)got;
}

int flow_more(struct flow *f, struct err **err)
{
	struct inflate *in = (struct inflate *)f;
	ssize_t n;

	if (f->in_n)
		memmove(in->buf, f->in, f->in_n);
	f->in = in->buf;
	n = read_source(in, in->buf + f->in_n, INPUT_SIZE - f->in_n, err);
	if (n < 0)
		return -1;
	f->in_n += (size_t)n;
	return n > 0;
}

void flow_used(struct flow *f, size_t n)
{
	f->in += n;
	f->in_n -= n;
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
	uint64_t input = atomic_load_explicit(&in->input_bytes, memory_order_relaxed) - f->in_n;
	uint64_t plain;
	char text[NUM_SIZE_LEN];

	f->out += n;
	f->out_n -= n;
	in->block_n += n;
	in->result.plain_bytes += n;
	plain = in->result.plain_bytes;
	if (in->o.max_plain && plain > in->o.max_plain)
		return err_make(err, ERR_CORRUPT, "%s: more than the %s that are allowed when unpacked",
			in->what, num_format_size(in->o.max_plain, text));
	if (in->o.max_ratio && plain >= INFLATE_RATIO_FROM && plain / in->o.max_ratio > input)
		return err_make(err, ERR_CORRUPT,
			"%s: unpacks to more than %u times its size: taken for a decompression bomb",
			in->what, in->o.max_ratio);
	return 0;
}

/* Not compressed: from the descriptor straight into the ring. */
static int copy_plain(struct inflate *in, struct err **err)
{
	struct flow *f = &in->flow;

	do {
		size_t n = f->in_n;

		if (flow_room(f, err) < 0)
			return -1;
		if (n > f->out_n)
			n = f->out_n;
		if (n) {
			memcpy(f->out, f->in, n);
			flow_used(f, n);
		} else {
			ssize_t r = read_source(in, f->out, f->out_n, err);

			if (r < 0)
				return -1;
			n = (size_t)r;
		}
		if (flow_wrote(f, n, err) < 0)
			return -1;
	} while (f->in_n || !in->source_ended);
	return 0;
}

/* Garbage behind the compressed data counts for the digest of the source. */
static int drain_source(struct inflate *in, struct err **err)
{
	ssize_t n;

	do {
		if (pipeline_cancelled(in->pipe) || sig_interrupted())
			return err_make(err, ERR_SYSTEM, "interrupted");
		n = read_source(in, in->buf, INPUT_SIZE, err);
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

/* The kind is known: who hashes what, and start the second consumer. */
static int start_hasher(struct inflate *in, struct err **err)
{
	bool same = in->o.input_sha == in->o.plain_sha || !in->o.hash_plain;

	if (in->result.kind == INFLATE_PLAIN && in->o.hash_input && same) {
		/* What was read to find the kind is still unread input and goes through the ring as well. */
		in->one_hash = true;
		if (!in->plain_sha)
			in->plain_sha = steal_ptr(&in->input_sha);
		sha_free(steal_ptr(&in->input_sha));
	} else if (in->o.hash_input) {
		sha_update(in->input_sha, in->flow.in, in->flow.in_n);
	}
	if (!in->plain_sha)
		return 0;
	in->hash_consumer = pipeline_add_consumer(in->pipe);
	if (pipeline_thread(&in->hasher, hash_plain, in, err) < 0)
		return -1;
	in->hasher_runs = true;
	return 0;
}

static int work(struct inflate *in, struct err **err)
{
	struct sha *input = steal_ptr(&in->input_sha);
	int r;

	/* The first bytes are hashed once it is clear by whom. */
	r = flow_more(&in->flow, err);
	in->input_sha = input;
	if (r < 0)
		return -1;
	in->result.kind = inflate_detect(in->flow.in, in->flow.in_n);
	if (start_hasher(in, err) < 0)
		return -1;
	r = in->result.kind == INFLATE_PLAIN ? copy_plain(in, err)
					     : kinds[in->result.kind].decode(&in->flow, err);
	if (r < 0)
		return -1;
	if (in->block)
		pipeline_publish(in->pipe, in->block_n);
	return drain_source(in, err);
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

	in->fd = fd;
	in->o = *o;
	in->what = xstrdup(o->what ? o->what : "archive");
	in->o.what = in->what;
	in->flow.what = in->what;
	if (fstat(fd, &st) < 0)
		return err_sys(err, errno, "read %s", in->what);
	if (S_ISDIR(st.st_mode))
		return err_sys(err, EISDIR, "read %s", in->what);
	in->is_file = S_ISREG(st.st_mode);
	if (o->hash_input && !(in->input_sha = sha_begin(o->input_sha, err)))
		return -1;
	if (o->hash_plain && !(in->plain_sha = sha_begin(o->plain_sha, err)))
		return -1;
	in->buf = xmalloc(INPUT_SIZE);
	in->pipe = pipeline_new(PIPELINE_BLOCK, PIPELINE_COUNT);
	if (pipeline_thread(&in->worker, worker, in, err) < 0)
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

int inflate_finish(struct inflate *in, struct inflate_result *ret, struct err **err)
{
	const void *p;
	ssize_t n;

	do {
		n = pipeline_next(in->pipe, 0, &p, err);
	} while (n > 0);
	if (n < 0)
		return -1;
	join_threads(in);
	in->result.input_bytes = atomic_load(&in->input_bytes);
	if (in->plain_sha)
		sha_finish(in->plain_sha, in->result.plain_hex);
	if (in->input_sha)
		sha_finish(in->input_sha, in->result.input_hex);
	sha_free(steal_ptr(&in->plain_sha));
	sha_free(steal_ptr(&in->input_sha));
	if (in->one_hash)
		memcpy(in->result.input_hex, in->result.plain_hex, sizeof(in->result.input_hex));
	if (!in->o.hash_plain)
		in->result.plain_hex[0] = 0;
	if (ret)
		*ret = in->result;
	return 0;
}

uint64_t inflate_position(const struct inflate *in)
{
	return atomic_load_explicit(&in->input_bytes, memory_order_relaxed);
}

void inflate_free(struct inflate *in)
{
	if (!in)
		return;
	if (in->pipe)
		pipeline_cancel(in->pipe);
	join_threads(in);
	pipeline_free(in->pipe);
	sha_free(in->input_sha);
	sha_free(in->plain_sha);
	free(in->buf);
	free(in->what);
	free(in);
}
