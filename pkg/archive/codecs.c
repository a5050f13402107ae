/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gzip by ISA-L or zlib, zstd by libzstd, xz by liblzma (libarchive sets it no limit of memory), bzip2 by libarchive's raw format. Each
 * library is opened when the first stream that needs it comes by.
 */
#include "pkg/archive/codecs.h"

#include <archive.h>
#include <archive_entry.h>
#include <lzma.h>
#include <pthread.h>
#include <zlib.h>
#include <zstd.h>
#if __has_include(<isa-l/igzip_lib.h>)
#include <isa-l/igzip_lib.h>
#define HAVE_ISAL 1
#else
#define HAVE_ISAL 0
#endif

#include "pkg/base/dl.h"
#include "pkg/base/err.h"
#include "pkg/base/host.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"

/* One library: opened once per process. */
struct library {
	const char *soname, *package;
	const struct dl_symbol *symbols;
	bool usable;
};
static pthread_mutex_t library_mutex = PTHREAD_MUTEX_INITIALIZER;

static int need(struct library *l, struct err **err)
{
	int r = 0;

	pthread_mutex_lock(&library_mutex);
	/* A failure is asked for again: the message is wanted each time. */
	if (!l->usable) {
		r = dl_load(l->soname, l->package, l->symbols, err);
		l->usable = r >= 0;
	}
	pthread_mutex_unlock(&library_mutex);
	return r;
}

static int damaged(const struct flow *f, const char *format, const char *why, struct err **err)
{
	return err_make(err, ERR_CORRUPT, "%s: damaged %s data: %s", f->what, format, why);
}

static int truncated(const struct flow *f, const char *format, struct err **err)
{
	return err_make(err, ERR_CORRUPT, "%s: truncated: the %s data ends too early", f->what, format);
}

/* Windows of zstd and xz: the largest that zstd --ultra and xz -9 ask for, and what libzstd allows by itself. */
#define WINDOW_MAX_MIB 128

static int too_large(const struct flow *f, const char *format, struct err **err)
{
	return err_make(err, ERR_CORRUPT, "%s: the %s data needs more than %d MiB of memory to unpack",
		f->what, format, WINDOW_MAX_MIB);
}

/* ---- gzip ---------------------------------------------------------------------------------------------------------------- */

/*
 * One gzip member, which begins at the unread input. `state` is the library's. Returns 0 behind its trailer, whose checksum and
 * length the library has compared.
 */
typedef int member_fn(struct flow *f, void *state, struct err **err);

/* Behind a member: 1 when another begins, 0 when this was the last. Padding and garbage are passed over as gzip(1) does. */
static int next_member(struct flow *f, struct err **err)
{
	uint64_t padding = 0;
	int r;

	for (;;) {
		size_t zeros = 0;

		while (zeros < f->in_n && f->in[zeros] == 0)
			zeros++;
		padding += zeros;
		if (padding > INFLATE_TRAILING_MAX)
			return err_make(err, ERR_CORRUPT, "%s: no end behind the compressed data", f->what);
		flow_skipped(f, zeros);
		if (f->in_n >= 2)
			break;
		r = flow_more(f, err);
		if (r < 0)
			return -1;
		if (r == 0)
			break;
	}
	if (!f->in_n)
		return 0;
	if (!padding && f->in_n >= 2 && f->in[0] == 0x1f && f->in[1] == 0x8b)
		return 1;
	log_warning("%s: trailing garbage behind the gzip data, ignored", f->what);
	return 0;
}

/* Flags that mean nothing yet are an error (RFC 1952, 2.3.1.2), which not every library knows. A short header is the decoder's to find. */
static int check_flags(struct flow *f, struct err **err)
{
	while (f->in_n < 4) {
		int r = flow_more(f, err);

		if (r <= 0)
			return r;
	}
	return f->in[3] & 0xe0 ? damaged(f, "gzip", "unknown header flags set", err) : 0;
}

static int each_member(struct flow *f, member_fn *member, void *state, struct err **err)
{
	int r;

	do {
		r = check_flags(f, err);
		if (r >= 0)
			r = member(f, state, err);
		if (r >= 0)
			r = next_member(f, err);
	} while (r > 0);
	return r;
}

#if HAVE_ISAL
DL_SLOT(isal_inflate_init);
DL_SLOT(isal_inflate);
static const struct dl_symbol isal_symbols[] = { DL_ENTRY(isal_inflate_init), DL_ENTRY(isal_inflate),
	DL_END };
static struct library isal_library = {
	.soname = "libisal.so.2", .package = "libisal2", .symbols = isal_symbols
};

static int isal_failed(const struct flow *f, int code, struct err **err)
{
	if (code == ISAL_INCORRECT_CHECKSUM)
		return damaged(f, "gzip", "wrong checksum", err);
	if (code == ISAL_INVALID_WRAPPER || code == ISAL_UNSUPPORTED_METHOD)
		return damaged(f, "gzip", "wrong header", err);
	return damaged(f, "gzip", "invalid deflate data", err);
}

static int isal_member(struct flow *f, void *state, struct err **err)
{
	struct inflate_state *s = state;
	bool ended = false;

	dl_isal_inflate_init(s);
	s->crc_flag = ISAL_GZIP;
	for (;;) {
		size_t in_n, out_n;
		int r;

		if (flow_room(f, err) < 0)
			return -1;
		if (!f->in_n && !ended) {
			r = flow_more(f, err);
			if (r < 0)
				return -1;
			ended = r == 0;
		}
		in_n = f->in_n;
		out_n = f->out_n;
		s->next_in =
			(uint8_t *)(uintptr_t)f->in; /* read only; the library's declaration lacks const */
		s->avail_in = (uint32_t)in_n;
		s->next_out = f->out;
		s->avail_out = (uint32_t)out_n;
		r = dl_isal_inflate(s);
		if (r < 0)
			return isal_failed(f, r, err);
		in_n -= s->avail_in;
		out_n -= s->avail_out;
		flow_used(f, in_n);
		if (flow_wrote(f, out_n, err) < 0)
			return -1;
		if (s->block_state == ISAL_BLOCK_FINISH)
			return 0;
		if (ended && !in_n && !out_n)
			return truncated(f, "gzip", err);
	}
}
#endif

DL_SLOT(inflateInit2_);
DL_SLOT(inflate);
DL_SLOT(inflateReset);
DL_SLOT(inflateEnd);
static const struct dl_symbol zlib_symbols[] = { DL_ENTRY(inflateInit2_), DL_ENTRY(inflate),
	DL_ENTRY(inflateReset), DL_ENTRY(inflateEnd), DL_END };
static struct library zlib_library = { .soname = "libz.so.1", .package = "zlib1g", .symbols = zlib_symbols };

static int zlib_member(struct flow *f, void *state, struct err **err)
{
	z_stream *z = state;

	dl_inflateReset(z);
	for (;;) {
		size_t in_n, out_n;
		int r, more = 1;

		if (flow_room(f, err) < 0)
			return -1;
		if (!f->in_n) {
			more = flow_more(f, err);
			if (more < 0)
				return -1;
		}
		in_n = f->in_n;
		out_n = f->out_n;
		z->next_in = (Bytef *)(uintptr_t)f->in; /* read only */
		z->avail_in = (uInt)in_n;
		z->next_out = f->out;
		z->avail_out = (uInt)out_n;
		r = dl_inflate(z, Z_NO_FLUSH);
		if (r != Z_OK && r != Z_STREAM_END && r != Z_BUF_ERROR)
			return damaged(f, "gzip", z->msg ? z->msg : "invalid deflate data", err);
		in_n -= z->avail_in;
		out_n -= z->avail_out;
		flow_used(f, in_n);
		if (flow_wrote(f, out_n, err) < 0)
			return -1;
		if (r == Z_STREAM_END)
			return 0;
		if (!more && !in_n && !out_n)
			return truncated(f, "gzip", err);
	}
}

static int decode_zlib(struct flow *f, struct err **err)
{
	z_stream z = { 0 };
	int r;

	if (need(&zlib_library, err) < 0)
		return -1;
	if (dl_inflateInit2_(&z, 15 + 16, ZLIB_VERSION, (int)sizeof(z)) != Z_OK)
		return err_make(err, ERR_UNSUPPORTED, "%s: zlib cannot be used", f->what);
	r = each_member(f, zlib_member, &z, err);
	dl_inflateEnd(&z);
	return r;
}

int codec_gzip(struct flow *f, struct err **err)
{
#if HAVE_ISAL
	if (!host_env("UDOCKER_TEST_NO_ISAL") && need(&isal_library, NULL) >= 0) {
		autofree struct inflate_state *s = xmalloc(sizeof(*s));

		return each_member(f, isal_member, s, err);
	}
#endif
	return decode_zlib(f, err);
}

/* ---- zstd ---------------------------------------------------------------------------------------------------------------- */

DL_SLOT(ZSTD_createDCtx);
DL_SLOT(ZSTD_freeDCtx);
DL_SLOT(ZSTD_decompressStream);
DL_SLOT(ZSTD_isError);
DL_SLOT(ZSTD_getErrorName);
static const struct dl_symbol zstd_symbols[] = { DL_ENTRY(ZSTD_createDCtx), DL_ENTRY(ZSTD_freeDCtx),
	DL_ENTRY(ZSTD_decompressStream), DL_ENTRY(ZSTD_isError), DL_ENTRY(ZSTD_getErrorName), DL_END };
static struct library zstd_library = {
	.soname = "libzstd.so.1", .package = "libzstd1", .symbols = zstd_symbols
};

static int zstd_failed(const struct flow *f, const char *why, struct err **err)
{
	return strstr(why, "too much memory") ? too_large(f, "zstd", err) : damaged(f, "zstd", why, err);
}

static int zstd_frames(struct flow *f, ZSTD_DCtx *z, struct err **err)
{
	size_t left = 0; /* 0: between frames */
	int more = 1;

	for (;;) {
		ZSTD_inBuffer in;
		ZSTD_outBuffer out;

		if (flow_room(f, err) < 0)
			return -1;
		if (!f->in_n && more) {
			more = flow_more(f, err);
			if (more < 0)
				return -1;
		}
		if (!f->in_n && !left)
			return 0;
		in = (ZSTD_inBuffer){ f->in, f->in_n, 0 };
		out = (ZSTD_outBuffer){ f->out, f->out_n, 0 };
		left = dl_ZSTD_decompressStream(z, &out, &in);
		if (dl_ZSTD_isError(left))
			return zstd_failed(f, dl_ZSTD_getErrorName(left), err);
		flow_used(f, in.pos);
		if (flow_wrote(f, out.pos, err) < 0)
			return -1;
		if (!more && !in.pos && !out.pos && left)
			return truncated(f, "zstd", err);
	}
}

int codec_zstd(struct flow *f, struct err **err)
{
	ZSTD_DCtx *z;
	int r;

	if (need(&zstd_library, err) < 0)
		return -1;
	z = dl_ZSTD_createDCtx();
	if (!z)
		return err_make(err, ERR_SYSTEM, "%s: no memory for zstd", f->what);
	r = zstd_frames(f, z, err);
	dl_ZSTD_freeDCtx(z);
	return r;
}

/* ---- xz ------------------------------------------------------------------------------------------------------------------ */

DL_SLOT(lzma_stream_decoder);
DL_SLOT(lzma_code);
DL_SLOT(lzma_end);
static const struct dl_symbol lzma_symbols[] = { DL_ENTRY(lzma_stream_decoder), DL_ENTRY(lzma_code),
	DL_ENTRY(lzma_end), DL_END };
static struct library lzma_library = {
	.soname = "liblzma.so.5", .package = "liblzma5", .symbols = lzma_symbols
};

static int xz_failed(const struct flow *f, lzma_ret code, struct err **err)
{
	switch (code) {
	case LZMA_BUF_ERROR: /* it asks for more */
		return truncated(f, "xz", err);
	case LZMA_MEMLIMIT_ERROR:
		return too_large(f, "xz", err);
	case LZMA_MEM_ERROR:
		return err_make(err, ERR_SYSTEM, "%s: no memory for xz", f->what);
	case LZMA_FORMAT_ERROR:
		return damaged(f, "xz", "wrong header", err);
	case LZMA_OPTIONS_ERROR:
		return damaged(f, "xz", "unknown options", err);
	default:
		return damaged(f, "xz", "invalid data or a wrong checksum", err);
	}
}

static int xz_streams(struct flow *f, lzma_stream *z, struct err **err)
{
	int more = 1;

	for (;;) {
		size_t in_n, out_n;
		lzma_ret r;

		if (flow_room(f, err) < 0)
			return -1;
		if (!f->in_n && more) {
			more = flow_more(f, err);
			if (more < 0)
				return -1;
		}
		in_n = f->in_n;
		out_n = f->out_n;
		z->next_in = f->in;
		z->avail_in = in_n;
		z->next_out = f->out;
		z->avail_out = out_n;
		r = dl_lzma_code(z, more ? LZMA_RUN : LZMA_FINISH);
		flow_used(f, in_n - z->avail_in);
		if (flow_wrote(f, out_n - z->avail_out, err) < 0)
			return -1;
		if (r == LZMA_STREAM_END)
			return 0;
		if (r != LZMA_OK)
			return xz_failed(f, r, err);
	}
}

int codec_xz(struct flow *f, struct err **err)
{
	const uint64_t limit = (uint64_t)(WINDOW_MAX_MIB + 2) << 20;
	lzma_stream z = LZMA_STREAM_INIT;
	int r;

	if (need(&lzma_library, err) < 0)
		return -1;
	if (dl_lzma_stream_decoder(&z, limit, LZMA_CONCATENATED) != LZMA_OK)
		return err_make(err, ERR_SYSTEM, "%s: no memory for xz", f->what);
	r = xz_streams(f, &z, err);
	dl_lzma_end(&z);
	return r;
}

/* ---- bzip2 --------------------------------------------------------------------------------------------------------------- */

DL_SLOT(archive_read_new);
DL_SLOT(archive_read_free);
DL_SLOT(archive_read_support_filter_bzip2);
DL_SLOT(archive_read_support_format_raw);
DL_SLOT(archive_read_open);
DL_SLOT(archive_read_next_header);
DL_SLOT(archive_read_data);
DL_SLOT(archive_error_string);
static const struct dl_symbol archive_symbols[] = { DL_ENTRY(archive_read_new), DL_ENTRY(archive_read_free),
	DL_ENTRY(archive_read_support_filter_bzip2), DL_ENTRY(archive_read_support_format_raw),
	DL_ENTRY(archive_read_open), DL_ENTRY(archive_read_next_header), DL_ENTRY(archive_read_data),
	DL_ENTRY(archive_error_string), DL_END };
static struct library archive_library = {
	.soname = "libarchive.so.13", .package = "libarchive13", .symbols = archive_symbols
};

struct raw {
	struct flow *flow;
	struct err *err; /* of flow_more() */
	size_t lent; /* input that libarchive has been given */
	bool ended; /* it asked for more than there was */
};

static la_ssize_t raw_read(struct archive *a UNUSED, void *arg, const void **ret)
{
	struct raw *w = arg;

	flow_used(w->flow, w->lent);
	w->lent = 0;
	if (!w->flow->in_n) {
		int r = flow_more(w->flow, &w->err);

		w->ended = r == 0;
		if (r <= 0)
			return r < 0 ? ARCHIVE_FATAL : 0;
	}
	*ret = w->flow->in;
	w->lent = w->flow->in_n;
	return (la_ssize_t)w->lent;
}

static int raw_failed(struct raw *w, struct archive *a, struct err **err)
{
	const char *why = dl_archive_error_string(a);

	if (w->err)
		return err_move(err, &w->err);
	if (w->ended)
		return truncated(w->flow, "bzip2", err);
	return damaged(w->flow, "bzip2", why ? why : "unknown reason", err);
}

static int raw_run(struct raw *w, struct archive *a, struct err **err)
{
	struct archive_entry *e;
	int r = dl_archive_read_open(a, w, NULL, raw_read, NULL);

	if (r >= ARCHIVE_WARN)
		r = dl_archive_read_next_header(a, &e);
	if (r == ARCHIVE_EOF)
		return 0; /* the compressed form of nothing */
	if (r < ARCHIVE_WARN)
		return raw_failed(w, a, err);
	for (;;) {
		la_ssize_t n;

		if (flow_room(w->flow, err) < 0)
			return -1;
		n = dl_archive_read_data(a, w->flow->out, w->flow->out_n);
		if (n < 0)
			return raw_failed(w, a, err);
		if (n == 0)
			return 0;
		if (flow_wrote(w->flow, (size_t)n, err) < 0)
			return -1;
	}
}

int codec_bzip2(struct flow *f, struct err **err)
{
	struct raw w = { .flow = f };
	struct archive *a;
	int r;

	if (need(&archive_library, err) < 0)
		return -1;
	a = dl_archive_read_new();
	if (!a)
		return err_make(err, ERR_SYSTEM, "%s: no memory for libarchive", f->what);
	dl_archive_read_support_filter_bzip2(a);
	dl_archive_read_support_format_raw(a);
	r = raw_run(&w, a, err);
	dl_archive_read_free(a);
	err_clear(&w.err);
	return r;
}
