/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The layer is staged first, then read to its end as the tar it claims to be, then stored with a configuration and a manifest. A file that is
 * moved is read where it is.
 */
#include "pkg/image/import.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
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
#include "pkg/base/path.h"
#include "pkg/base/sha256.h"
#include "pkg/base/time.h"
#include "pkg/conf/conf.h"
#include "pkg/store/images.h"
#include "pkg/store/layers.h"
#include "pkg/store/store.h"

#define STAGED "layer"
#define PLAIN "plain"
#define CHUNK ((size_t)256 << 10)

struct import {
	struct store *store;
	const struct import_options *o;
	struct store_stage stage;
	struct layer_txn txn;
	const char *file; /* staged name of the layer */
	struct digest digest, diff_id;
	int64_t size;
	enum media_compression compression;
	bool in_place; /* the caller's file is to be the layer */
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

/* Every entry is looked at while the input is staged (-1: it stays where it is), so that what is stored can be unpacked, and /dev/zero ends at its first block. */
static int stage_tar(struct import *im, int fd, int staged, struct inflate_result *ret, struct err **err)
{
	const struct inflate_options o = { .what = im->o->what,
		.hash_input = true,
		.hash_plain = true,
		.copy = staged >= 0,
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

/* A file that is ours alone, where it could be renamed to, and whose name can be taken away afterwards. */
static bool can_stay(const struct import *im, int fd, struct stat *ret)
{
	autofree char *dir = im->o->path ? path_dir(im->o->path) : NULL;
	struct stat named, layers;

	return dir && fstat(fd, ret) == 0 && S_ISREG(ret->st_mode) && ret->st_nlink == 1 &&
	       ret->st_uid == geteuid() && lstat(im->o->path, &named) == 0 && named.st_ino == ret->st_ino &&
	       named.st_dev == ret->st_dev && fstat(im->store->layers_fd, &layers) == 0 &&
	       layers.st_dev == ret->st_dev && faccessat(AT_FDCWD, dir, W_OK | X_OK, AT_EACCESS) == 0;
}

/* What the checks have found; the file or, in xz or bzip2, what is in it. */
static int take_checked(struct import *im, int fd, const struct inflate_result *r, struct err **err)
{
	(void)digest_from_hex(SHA_256, r->input_hex, &im->digest); /* what a hash gives is always one */
	(void)digest_from_hex(SHA_256, r->plain_hex, &im->diff_id);
	im->file = STAGED;
	im->size = (int64_t)r->input_bytes;
	im->compression = r->kind == INFLATE_GZIP   ? MEDIA_GZIP
			  : r->kind == INFLATE_ZSTD ? MEDIA_ZSTD
						    : MEDIA_PLAIN;
	if (r->kind != INFLATE_XZ && r->kind != INFLATE_BZIP2)
		return 0;
	if (unpack_layer(im, fd, err) < 0)
		return -1;
	im->in_place = false;
	im->file = PLAIN;
	im->digest = im->diff_id;
	im->size = (int64_t)r->plain_bytes;
	return 0;
}

/* Read where it is. 0 with im->in_place false: it has to be staged after all. */
static int check_in_place(struct import *im, int fd, struct err **err)
{
	struct inflate_result r = { 0 };
	struct stat before, after;

	if (!can_stay(im, fd, &before))
		return 0;
	im->in_place = true;
	if (stage_tar(im, fd, -1, &r, err) < 0 || take_checked(im, fd, &r, err) < 0)
		return -1;
	if (fstat(fd, &after) < 0 || after.st_size != before.st_size ||
		after.st_mtim.tv_sec != before.st_mtim.tv_sec ||
		after.st_mtim.tv_nsec != before.st_mtim.tv_nsec)
		return err_make(err, ERR_CORRUPT, "%s changed while it was read", im->o->what);
	return 0;
}

static int stage_layer(struct import *im, int fd, struct err **err)
{
	autoclose int staged = -1;
	struct inflate_result r = { 0 };

	if (check_in_place(im, fd, err) < 0)
		return -1;
	if (im->file)
		return 0;
	staged = create(im, STAGED, err);
	if (staged < 0 || stage_tar(im, fd, staged, &r, err) < 0)
		return -1;
	return take_checked(im, staged, &r, err);
}

/* A file that could not be linked: copied, and hashed once more on the way. */
static int copy_in(struct import *im, int fd, struct err **err)
{
	autofree char *buf = xmalloc(CHUNK);
	auto_layer_writer *w = NULL;

	if (lseek(fd, 0, SEEK_SET) < 0)
		return err_sys(err, errno, "%s", im->o->what);
	if (layer_writer_begin(im->store, im->digest.text, &w, err) < 0)
		return -1;
	for (;;) {
		ssize_t n = fd_read_full(fd, buf, CHUNK);

		if (n < 0)
			return err_sys(err, errno, "read %s", im->o->what);
		if (n == 0)
			return layer_writer_commit(steal_ptr(&w), im->size, &im->txn, NULL, err);
		if (layer_writer_write(w, buf, (size_t)n, err) < 0)
			return -1;
	}
}

/* The layer into the store. */
static int adopt(struct import *im, int fd, struct err **err)
{
	int r;

	if (!im->in_place)
		return layer_adopt(im->store, im->stage.fd, im->file, &im->digest, &im->txn, err);
	r = layer_link(im->store, AT_FDCWD, im->o->path, &im->digest, &im->txn, err);
	if (r != 0)
		return r < 0 ? -1 : 0;
	return copy_in(im, fd, err);
}

static int put(struct import *im, int fd, char **ret_name, struct err **err)
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
	c = image_config_build(
		&(struct image_config_facts){ .platform = im->o->platform ? im->o->platform : &host,
			.id = strchr(im->digest.text, ':') + 1,
			.created = time_format_rfc3339(time_now_ns() / 1000000000 * 1000000000, created),
			.size = im->size,
			.diff_id = &im->diff_id });
	text = json_text(c, 0);
	config.size = (int64_t)strlen(text);
	r = adopt(im, fd, err);
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
		r = put(&im, fd, ret_name, err);
	if (r < 0)
		layer_txn_rollback(s, &im.txn);
	layer_txn_done(&im.txn);
	store_stage_drop(&im.stage);
	return r == 0 ? 0 : err_hint_else(err, ERR_CORRUPT, "nothing was stored: get the archive again");
}
