/* SPDX-License-Identifier: Apache-2.0 */
/* Verification of stored images. Whatever can be said about a part's digest is checked; nothing is changed. */
#include "pkg/store/fsck.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "oci-spec/digest.h"
#include "oci-spec/image_config.h"
#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/fs.h"
#include "pkg/base/mem.h"
#include "pkg/base/path.h"
#include "pkg/base/sig.h"
#include "pkg/base/str.h"
#include "pkg/store/images.h"
#include "pkg/store/layers.h"
#include "pkg/store/store.h"

struct fsck {
	struct store *store;
	const struct image *image;
	const struct image_config *config; /* NULL when it cannot be read */
	fsck_report_fn *report;
	void *arg;
	int bad;
};

static void report(struct fsck *f, enum fsck_state state, bool is_config, const char *what, const char *text)
{
	f->bad += state == FSCK_BAD;
	f->report(state, is_config, what, text, f->arg);
}

/* 1.3.x finds a blob through the folder's link: missing or leading elsewhere, the image is broken for it. */
static const char *link_problem(const struct fsck *f, const char *file)
{
	autofree char *target = fs_readlink(f->image->fd, file);

	if (!target)
		return errno == ENOENT ? "is not linked in the image's folder" : NULL;
	return strcmp(path_base(target), file) == 0 ? NULL : "is linked to another file";
}

/* Images that 1.3.x loaded: "<hex>.layer" may be a digest or a v1 id; a diff id is of the plain tar. */
static enum fsck_state judge_unnamed(
	struct fsck *f, const struct image_layer *l, size_t i, struct digest *ret_got, struct err **err)
{
	const char *hex;
	unsigned char magic[2] = { 0 };
	autoclose int fd = layer_open(f->store, l->file, NULL, err);

	if (fd < 0 || layer_digest(f->store, l->file, SHA_256, ret_got, err) < 0)
		return FSCK_BAD;
	hex = digest_hex(ret_got);
	if (strncmp(l->file, hex, strlen(hex)) == 0)
		return FSCK_OK;
	if (!f->config || i >= f->config->n_diff_ids || f->config->n_diff_ids != f->image->n_layers)
		return FSCK_UNCHECKED;
	if (digest_eq(ret_got, &f->config->diff_ids[i]))
		return FSCK_OK;
	/* Compressed data cannot be compared with a diff id from here. */
	if (fd_pread_full(fd, magic, sizeof(magic), 0) == 2 && magic[0] == 0x1f && magic[1] == 0x8b)
		return FSCK_UNCHECKED;
	err_make(err, ERR_CORRUPT, "digest mismatch (got %s, wanted %s)", ret_got->text,
		f->config->diff_ids[i].text);
	return FSCK_BAD;
}

static int check_size(struct fsck *f, const char *file, int64_t want, struct err **err)
{
	uint64_t size;

	if (want < 0 || !layer_exists(f->store, file, &size) || size == (uint64_t)want)
		return 0;
	return err_make(err, ERR_CORRUPT, "size is %llu, the manifest says %lld", (unsigned long long)size,
		(long long)want);
}

static void check_layer(struct fsck *f, size_t i)
{
	const struct image_layer *l = &f->image->layers[i];
	enum fsck_state state = FSCK_OK;
	const char *link;
	auto_err *e = NULL;
	struct digest got;

	if (l->digest) {
		if (check_size(f, l->file, l->size, &e) < 0 || layer_verify(f->store, l->file, &e) < 0)
			state = FSCK_BAD;
	} else
		state = judge_unnamed(f, l, i, &got, &e);
	link = state == FSCK_BAD ? NULL : link_problem(f, l->file);
	if (link)
		state = FSCK_BAD;
	report(f, state, false, l->file, link ? link : e ? err_text(e) : NULL);
}

static void check_config(struct fsck *f, const char *text, size_t n)
{
	const struct image *img = f->image;
	const char *name = img->config_file ? img->config_file : "manifest";
	auto_err *e = NULL;
	auto_str count = STR_INIT;

	if (img->config_digest && (check_size(f, img->config_digest, img->config_size, &e) < 0 ||
					  layer_verify(f->store, img->config_digest, &e) < 0)) {
		report(f, FSCK_BAD, true, name, err_text(e));
		return;
	}
	if (!f->config) {
		auto_image_config *c = NULL;

		(void)image_config_parse(
			text, n, "image configuration", &c, &e); /* once more, for its words */
		report(f, FSCK_BAD, true, name, e ? err_text(e) : "cannot be read");
		return;
	}
	if (f->config->n_diff_ids && f->config->n_diff_ids != img->n_layers) {
		str_addf(&count, "the configuration names %zu layers, the image has %zu",
			f->config->n_diff_ids, img->n_layers);
		report(f, FSCK_BAD, true, name, str_text(&count));
		return;
	}
	report(f, img->config_digest ? FSCK_OK : FSCK_UNCHECKED, true, name, NULL);
}

int fsck_image(struct store *s, const struct image *img, fsck_report_fn *fn, void *arg, struct err **err)
{
	struct fsck f = { .store = s, .image = img, .report = fn, .arg = arg };
	auto_image_config *c = NULL;
	auto_str text = STR_INIT;
	auto_err *e = NULL;

	if (image_read_config(s, img, &text, &e) < 0)
		report(&f, FSCK_BAD, true, img->config_file ? img->config_file : "manifest", err_text(e));
	else {
		if (image_config_parse(str_text(&text), text.len, "image configuration", &c, NULL) == 0)
			f.config = c;
		check_config(&f, str_text(&text), text.len);
	}
	for (size_t i = 0; i < img->n_layers; i++) {
		if (sig_interrupted())
			return err_sys(err, EINTR, "verify %s", img->name);
		check_layer(&f, i);
	}
	return f.bad;
}
