/* SPDX-License-Identifier: Apache-2.0 */
/* The three forms behind one door; zstd is here, its library has threads of its own. */
#include "pkg/archive/deflate.h"

#include <pthread.h>
#include <zstd.h>

#include "pkg/base/dl.h"
#include "pkg/base/err.h"
#include "pkg/base/host.h"
#include "pkg/base/mem.h"

#define ZSTD_LEVEL 3
#define THREADS_MAX 8

struct deflate {
	enum inflate_kind kind;
	deflate_sink *sink;
	void *arg;
	struct gzip *gzip;
	ZSTD_CCtx *zstd;
	void *out;
	size_t out_size;
};

DL_SLOT(ZSTD_createCCtx);
DL_SLOT(ZSTD_freeCCtx);
DL_SLOT(ZSTD_CCtx_setParameter);
DL_SLOT(ZSTD_compressStream2);
DL_SLOT(ZSTD_CStreamOutSize);
DL_SLOT(ZSTD_isError);
DL_SLOT(ZSTD_getErrorName);
static const struct dl_symbol symbols[] = { DL_ENTRY(ZSTD_createCCtx), DL_ENTRY(ZSTD_freeCCtx),
	DL_ENTRY(ZSTD_CCtx_setParameter), DL_ENTRY(ZSTD_compressStream2), DL_ENTRY(ZSTD_CStreamOutSize),
	DL_ENTRY(ZSTD_isError), DL_ENTRY(ZSTD_getErrorName), DL_END };

static int load(struct err **err)
{
	static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
	static bool loaded;
	int r = 0;

	pthread_mutex_lock(&mutex);
	if (!loaded) {
		r = dl_load("libzstd.so.1", "libzstd1", symbols, err);
		loaded = r >= 0;
	}
	pthread_mutex_unlock(&mutex);
	return r;
}

unsigned deflate_threads(void)
{
	int n = host_cpus();

	return n > THREADS_MAX ? THREADS_MAX : (unsigned)n;
}

static int start_zstd(struct deflate *d, struct err **err)
{
	if (load(err) < 0)
		return -1;
	d->zstd = dl_ZSTD_createCCtx();
	if (!d->zstd)
		return err_make(err, ERR_SYSTEM, "no memory for zstd");
	d->out_size = dl_ZSTD_CStreamOutSize();
	d->out = xmalloc(d->out_size);
	(void)dl_ZSTD_CCtx_setParameter(d->zstd, ZSTD_c_compressionLevel, ZSTD_LEVEL); /* within bounds */
	(void)dl_ZSTD_CCtx_setParameter(d->zstd, ZSTD_c_checksumFlag, 1);
	/* Without threads in the library there is one. The bytes do not depend on their number, but on there being any. */
	(void)dl_ZSTD_CCtx_setParameter(d->zstd, ZSTD_c_nbWorkers, (int)deflate_threads());
	return 0;
}

static int run_zstd(struct deflate *d, const void *p, size_t n, ZSTD_EndDirective how, struct err **err)
{
	ZSTD_inBuffer in = { p, n, 0 };
	size_t left;

	do {
		ZSTD_outBuffer out = { d->out, d->out_size, 0 };

		left = dl_ZSTD_compressStream2(d->zstd, &out, &in, how);
		if (dl_ZSTD_isError(left))
			return err_make(err, ERR_SYSTEM, "zstd: %s", dl_ZSTD_getErrorName(left));
		if (out.pos && d->sink(d->arg, d->out, out.pos, err) < 0)
			return -1;
	} while (how == ZSTD_e_end ? left > 0 : in.pos < in.size);
	return 0;
}

int deflate_start(
	enum inflate_kind kind, deflate_sink *sink, void *arg, struct deflate **ret, struct err **err)
{
	auto_deflate *d = xcalloc(1, sizeof(*d));
	int r = 0;

	d->kind = kind;
	d->sink = sink;
	d->arg = arg;
	if (kind == INFLATE_GZIP)
		r = gzip_start(sink, arg, &d->gzip, err);
	else if (kind == INFLATE_ZSTD)
		r = start_zstd(d, err);
	else if (kind != INFLATE_PLAIN)
		r = err_make(err, ERR_UNSUPPORTED, "nothing is compressed with %s", inflate_kind_name(kind));
	if (r < 0)
		return -1;
	*ret = steal_ptr(&d);
	return 0;
}

int deflate_data(struct deflate *d, const void *p, size_t n, struct err **err)
{
	if (d->gzip)
		return gzip_data(d->gzip, p, n, err);
	if (d->zstd)
		return run_zstd(d, p, n, ZSTD_e_continue, err);
	return n ? d->sink(d->arg, p, n, err) : 0;
}

int deflate_end(struct deflate *d, struct err **err)
{
	if (d->gzip)
		return gzip_end(d->gzip, err);
	return d->zstd ? run_zstd(d, "", 0, ZSTD_e_end, err) : 0;
}

void deflate_free(struct deflate *d)
{
	if (!d)
		return;
	gzip_free(d->gzip);
	if (d->zstd)
		dl_ZSTD_freeCCtx(d->zstd);
	free(d->out);
	free(d);
}
