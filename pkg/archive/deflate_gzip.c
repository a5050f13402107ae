/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gzip on several processors: the input is cut into blocks of one size, each compressed by itself with the 32 KiB before it as its
 * dictionary and ended at a byte's border, so that one behind the other they are one deflate stream. Where the cuts are does not depend on
 * the number of threads.
 */
#include <string.h>
#include <zlib.h>

#include "pkg/archive/deflate.h"
#include "pkg/base/dl.h"
#include "pkg/base/err.h"
#include "pkg/base/mem.h"
#include "pkg/base/thread.h"

#define LEVEL 6
#define BLOCK ((size_t)512 << 10)
#define WINDOW ((size_t)32 << 10)
/* What does not compress grows by five bytes in each 16 KiB; the rest is for the ends. */
#define ROOM (BLOCK + BLOCK / 1024 + 1024)
#define JOBS_MAX 16
#define THREADS_MAX 8

enum state { FREE, READY, BUSY, DONE };

struct job {
	enum state state;
	unsigned char *in; /* WINDOW bytes of dictionary, then BLOCK of input */
	size_t dictionary_n, in_n;
	unsigned char *out; /* ROOM */
	size_t out_n;
	bool last, failed;
};

struct gzip {
	deflate_sink *sink;
	void *arg;
	struct job jobs[JOBS_MAX];
	unsigned n_jobs, n_threads;
	uint64_t filled,
		written; /* jobs handed over, and given to the sink; the one at `filled` is being filled */
	uint64_t taken; /* by the threads */
	pthread_t threads[THREADS_MAX];
	z_stream own; /* where no thread can be had */
	bool own_open;
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	bool stop, begun;
	uint64_t total;
	uLong crc;
};

DL_SLOT(deflateInit2_);
DL_SLOT(deflate);
DL_SLOT(deflateReset);
DL_SLOT(deflateSetDictionary);
DL_SLOT(deflateEnd);
DL_SLOT(crc32);
static const struct dl_symbol symbols[] = { DL_ENTRY(deflateInit2_), DL_ENTRY(deflate),
	DL_ENTRY(deflateReset), DL_ENTRY(deflateSetDictionary), DL_ENTRY(deflateEnd), DL_ENTRY(crc32),
	DL_END };

static int load(struct err **err)
{
	static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
	static bool loaded;
	int r = 0;

	pthread_mutex_lock(&mutex);
	if (!loaded) {
		r = dl_load("libz.so.1", "zlib1g", symbols, err);
		loaded = r >= 0;
	}
	pthread_mutex_unlock(&mutex);
	return r;
}

/* ---- one block ---- */

static bool open_stream(z_stream *z)
{
	*z = (z_stream){ 0 };
	return dl_deflateInit2_(z, LEVEL, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
		       (int)sizeof(*z)) == Z_OK;
}

static void run_job(z_stream *z, struct job *j)
{
	int want = j->last ? Z_STREAM_END : Z_OK;

	j->failed = dl_deflateReset(z) != Z_OK;
	if (j->dictionary_n)
		j->failed |= dl_deflateSetDictionary(
				     z, j->in + WINDOW - j->dictionary_n, (uInt)j->dictionary_n) != Z_OK;
	z->next_in = j->in + WINDOW;
	z->avail_in = (uInt)j->in_n;
	z->next_out = j->out;
	z->avail_out = (uInt)ROOM;
	j->failed |= dl_deflate(z, j->last ? Z_FINISH : Z_SYNC_FLUSH) != want || z->avail_in || !z->avail_out;
	j->out_n = ROOM - z->avail_out;
}

/* ---- threads ---- */

static struct job *job_at(struct gzip *g, uint64_t number)
{
	return &g->jobs[number % g->n_jobs];
}

static void *work(void *arg)
{
	struct gzip *g = arg;
	z_stream z;
	bool usable = open_stream(&z);

	pthread_mutex_lock(&g->mutex);
	while (!g->stop) {
		struct job *j;

		if (g->taken == g->filled) {
			pthread_cond_wait(&g->changed, &g->mutex);
			continue;
		}
		j = job_at(g, g->taken++);
		j->state = BUSY;
		pthread_mutex_unlock(&g->mutex);
		if (usable)
			run_job(&z, j);
		pthread_mutex_lock(&g->mutex);
		j->failed |= !usable;
		j->state = DONE;
		pthread_cond_broadcast(&g->changed);
	}
	pthread_mutex_unlock(&g->mutex);
	if (usable)
		dl_deflateEnd(&z);
	return NULL;
}

static void start_threads(struct gzip *g)
{
	unsigned want = deflate_threads();

	g->n_jobs = want + 2;
	while (g->n_threads < want && thread_start(&g->threads[g->n_threads], work, g, NULL) == 0)
		g->n_threads++;
	if (!g->n_threads)
		g->own_open = open_stream(&g->own);
}

int gzip_start(deflate_sink *sink, void *arg, struct gzip **ret, struct err **err)
{
	struct gzip *g;

	if (load(err) < 0)
		return -1;
	g = xcalloc(1, sizeof(*g));
	g->sink = sink;
	g->arg = arg;
	g->crc = dl_crc32(0, NULL, 0);
	pthread_mutex_init(&g->mutex, NULL);
	pthread_cond_init(&g->changed, NULL);
	start_threads(g);
	*ret = g;
	return 0;
}

void gzip_free(struct gzip *g)
{
	if (!g)
		return;
	pthread_mutex_lock(&g->mutex);
	g->stop = true;
	pthread_cond_broadcast(&g->changed);
	pthread_mutex_unlock(&g->mutex);
	for (unsigned i = 0; i < g->n_threads; i++)
		pthread_join(g->threads[i], NULL);
	if (g->own_open)
		dl_deflateEnd(&g->own);
	for (unsigned i = 0; i < JOBS_MAX; i++) {
		free(g->jobs[i].in);
		free(g->jobs[i].out);
	}
	pthread_cond_destroy(&g->changed);
	pthread_mutex_destroy(&g->mutex);
	free(g);
}

/* ---- the caller's thread ---- */

static int put_header(struct gzip *g, struct err **err)
{
	static const unsigned char header[10] = { 0x1f, 0x8b, 8, [9] = 255 };

	g->begun = true;
	return g->sink(g->arg, header, sizeof(header), err);
}

/* The oldest job's bytes to the sink; waits for it. */
static int write_oldest(struct gzip *g, struct err **err)
{
	struct job *j = job_at(g, g->written);

	if (!g->n_threads) {
		j->failed = !g->own_open;
		if (g->own_open)
			run_job(&g->own, j);
	} else {
		pthread_mutex_lock(&g->mutex);
		while (j->state != DONE)
			pthread_cond_wait(&g->changed, &g->mutex);
		pthread_mutex_unlock(&g->mutex);
	}
	if (j->failed)
		return err_make(err, ERR_SYSTEM, "zlib cannot compress");
	if (!g->begun && put_header(g, err) < 0)
		return -1;
	if (g->sink(g->arg, j->out, j->out_n, err) < 0)
		return -1;
	j->state = FREE;
	g->written++;
	return 0;
}

/* Hand the block being filled to the threads. The next one begins with its last bytes as the dictionary. */
static int hand_over(struct gzip *g, bool last, struct err **err)
{
	struct job *j = job_at(g, g->filled), *next;
	size_t n = j->in_n < WINDOW ? j->in_n : WINDOW;

	j->last = last;
	g->crc = dl_crc32(g->crc, j->in + WINDOW, (uInt)j->in_n);
	if (!last) {
		while (g->filled + 1 - g->written >= g->n_jobs)
			if (write_oldest(g, err) < 0)
				return -1;
		next = job_at(g, g->filled + 1);
		if (!next->in) {
			next->in = xmalloc(WINDOW + BLOCK);
			next->out = xmalloc(ROOM);
		}
		memcpy(next->in + WINDOW - n, j->in + WINDOW + j->in_n - n, n);
		next->dictionary_n = n;
		next->in_n = 0;
	}
	pthread_mutex_lock(&g->mutex);
	j->state = READY;
	g->filled++;
	pthread_cond_broadcast(&g->changed);
	pthread_mutex_unlock(&g->mutex);
	return 0;
}

static struct job *current(struct gzip *g)
{
	struct job *j = job_at(g, g->filled);

	if (!j->in) {
		j->in = xmalloc(WINDOW + BLOCK);
		j->out = xmalloc(ROOM);
	}
	return j;
}

int gzip_data(struct gzip *g, const void *p, size_t n, struct err **err)
{
	g->total += n;
	while (n) {
		struct job *j = current(g);
		size_t room = BLOCK - j->in_n, step = n < room ? n : room;

		/* A full block waits for a byte behind it: the last one is ended in another way. */
		if (!room) {
			if (hand_over(g, false, err) < 0)
				return -1;
			continue;
		}
		memcpy(j->in + WINDOW + j->in_n, p, step);
		j->in_n += step;
		p = (const char *)p + step;
		n -= step;
	}
	return 0;
}

int gzip_end(struct gzip *g, struct err **err)
{
	unsigned char trailer[8];

	(void)current(g); /* the compressed form of nothing has a block as well */
	if (hand_over(g, true, err) < 0)
		return -1;
	while (g->written < g->filled)
		if (write_oldest(g, err) < 0)
			return -1;
	for (int i = 0; i < 4; i++) {
		trailer[i] = (unsigned char)(g->crc >> (8 * i));
		trailer[4 + i] = (unsigned char)(g->total >> (8 * i));
	}
	return g->sink(g->arg, trailer, sizeof(trailer), err);
}
