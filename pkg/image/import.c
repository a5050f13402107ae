/* SPDX-License-Identifier: Apache-2.0 */
/* The layer is staged first, then read to its end as the tar it claims to be, then stored with a configuration and a manifest. */
#include "pkg/image/import.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "oci-spec/descriptor.h"
#include "oci-spec/image_config.h"
#include "oci-spec/manifest.h"
#include "oci-spec/media_types.h"
#include "oci-spec/platform.h"
#include "oci-spec/reference.h"
#include "pkg/archive/inflate.h"
#include "pkg/archive/layer.h"
#include "pkg/archive/reader.h"
#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/json.h"
#include "pkg/base/mem.h"
#include "pkg/base/sha256.h"
#include "pkg/base/time.h"
#include "pkg/conf/conf.h"
#include "pkg/store/images.h"
#include "pkg/store/layers.h"
#include "pkg/store/store.h"

#define STAGED "layer"
#define PLAIN "plain"
#define COMMENT "imported by udocker"

struct import {
	struct store *store;
	const struct import_options *o;
	struct store_stage stage;
	struct layer_txn txn;
	const char *file; /* staged name of the layer */
	struct digest digest, diff_id;
	int64_t size;
	enum media_compression compression;
};

static int create(struct import *im, const char *name, struct err **err)
{
	int fd = openat(im->stage.fd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);

	return fd < 0 ? err_sys(err, errno, "write to %s", im->store->top) : fd;
}

static struct limit limit(void)
{
	return (struct limit){ conf_size(CONF_UNPACK_MAX_SIZE), (unsigned)conf_int(CONF_UNPACK_MAX_RATIO) };
}

/* Every entry is looked at while the input is staged, so that what is stored can be unpacked, and /dev/zero ends at its first block. */
static int stage_tar(struct import *im, int fd, int staged, struct inflate_result *ret, struct err **err)
{
	const struct inflate_options o = { .what = im->o->what,
		.hash_input = true,
		.hash_plain = true,
		.copy = true,
		.copy_to = staged,
		.limit = limit() };
	auto_inflate *in = NULL;
	auto_reader *r = NULL;
	size_t n = 0;

	if (inflate_start(fd, &o, &in, err) < 0 || reader_open(in, im->o->what, &r, err) < 0)
		return -1;
	for (;;) {
		struct reader_entry e;
		int more = reader_next(r, &e, err);

		if (more < 0)
			return -1;
		if (more == 0)
			break;
		if (layer_check_name(e.name, err) < 0)
			return err_add(err, "%s", im->o->what);
		n++;
	}
	if (n == 0)
		return err_make(err, ERR_CORRUPT,
			"%s holds no files: it should be the tar of a root file system", im->o->what);
	return reader_rest(r, err) < 0 ? -1 : inflate_finish(in, ret, err);
}

/* Layers have media types for plain tar, gzip and zstd alone. */
static int unpack_layer(struct import *im, int from, struct err **err)
{
	const struct inflate_options o = { .what = im->o->what, .limit = limit() };
	autoclose int to = create(im, PLAIN, err);
	auto_inflate *in = NULL;

	if (to < 0)
		return -1;
	if (lseek(from, 0, SEEK_SET) < 0)
		return err_sys(err, errno, "%s", im->o->what);
	if (inflate_start(from, &o, &in, err) < 0)
		return -1;
	for (;;) {
		const void *p;
		ssize_t n = inflate_read(in, &p, err);

		if (n < 0)
			return -1;
		if (n == 0)
			return 0;
		if (fd_write_all(to, p, (size_t)n) < 0)
			return err_sys(err, errno, "write to %s", im->store->top);
	}
}

static int stage_layer(struct import *im, int fd, struct err **err)
{
	autoclose int staged = create(im, STAGED, err);
	struct inflate_result r = { 0 };

	if (staged < 0 || stage_tar(im, fd, staged, &r, err) < 0)
		return -1;
	(void)digest_from_hex(SHA_256, r.input_hex, &im->digest); /* what a hash gives is always one */
	(void)digest_from_hex(SHA_256, r.plain_hex, &im->diff_id);
	im->file = STAGED;
	im->size = (int64_t)r.input_bytes;
	im->compression = r.kind == INFLATE_GZIP   ? MEDIA_GZIP
			  : r.kind == INFLATE_ZSTD ? MEDIA_ZSTD
						   : MEDIA_PLAIN;
	if (r.kind != INFLATE_XZ && r.kind != INFLATE_BZIP2)
		return 0;
	if (unpack_layer(im, staged, err) < 0)
		return -1;
	im->file = PLAIN;
	im->digest = im->diff_id;
	im->size = (int64_t)r.plain_bytes;
	return 0;
}

static int put(struct import *im, char **ret_name, struct err **err)
{
	char created[TIME_RFC3339_LEN];
	struct descriptor config = { .media_type = xstrdup(MEDIA_OCI_CONFIG) };
	struct descriptor layer = { .media_type = xstrdup(media_type_layer(false, im->compression)),
		.digest = im->digest,
		.size = im->size };
	autofree char *text = NULL, *digest = NULL, *manifest = NULL;
	auto_json *c = NULL, *m = NULL;
	struct platform host;
	int r;

	platform_host(&host);
	c = image_config_build(im->o->platform ? im->o->platform : &host,
		time_format_rfc3339(time_now_ns() / 1000000000 * 1000000000, created), &im->diff_id, 1,
		COMMENT);
	text = json_text(c, 0);
	config.size = (int64_t)strlen(text);
	r = layer_adopt(im->store, im->stage.fd, im->file, &im->digest, &im->txn, err);
	if (r == 0)
		r = layer_put(im->store, text, strlen(text), &im->txn, &digest, err);
	if (r == 0)
		r = digest_parse(digest, &config.digest, err);
	if (r == 0) {
		m = manifest_build(false, &config, &layer, 1);
		manifest = json_text(m, 0);
		r = image_put(im->store,
			&(struct image_put){ .ref = im->o->ref,
				.manifest = manifest,
				.manifest_len = strlen(manifest),
				.must_be_new = true },
			ret_name, err);
	}
	descriptor_free(&config);
	descriptor_free(&layer);
	return r;
}

/* Asked before the long work; image_put() asks again. */
static int check_ref(struct store *s, const char *ref, struct err **err)
{
	auto_reference r = REFERENCE_INIT;

	if (reference_parse(ref, &r, err) < 0)
		return -1;
	if (digest_is_set(&r.digest))
		return err_make(err, ERR_USAGE, "'%s': an image cannot be imported under a digest", ref);
	if (image_exists(s, ref)) {
		err_make(err, ERR_EXISTS, "image %s:%s exists already", r.name, r.tag);
		return err_hint(err, "remove it first or choose another name");
	}
	return 0;
}

int import_image(struct store *s, int fd, const struct import_options *o, char **ret_name, struct err **err)
{
	struct import im = { .store = s, .o = o, .stage = STORE_STAGE_INIT, .txn = LAYER_TXN_INIT };
	int r;

	if (check_ref(s, o->ref, err) < 0 || store_stage_begin(s, &im.stage, err) < 0)
		return -1;
	r = stage_layer(&im, fd, err);
	if (r == 0)
		r = put(&im, ret_name, err);
	if (r < 0)
		layer_txn_rollback(s, &im.txn);
	layer_txn_done(&im.txn);
	store_stage_drop(&im.stage);
	return r;
}
