/* SPDX-License-Identifier: Apache-2.0 */
/* Verification of stored images. Whatever can be said about a part's digest is checked; nothing is changed. */
#include "pkg/store/fsck.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "oci-spec/digest.h"
#include "oci-spec/image_config.h"
#include "pkg/base/atomic.h"
#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/fs.h"
#include "pkg/base/mem.h"
#include "pkg/base/path.h"
#include "pkg/base/sig.h"
#include "pkg/base/str.h"
#include "pkg/base/strv.h"
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

static void report(
	struct fsck *f, enum fsck_state state, enum fsck_part part, const char *what, const char *text)
{
	f->bad += state == FSCK_BAD;
	f->report(state, part, what, text, f->arg);
}

/* ---- the folder ---------------------------------------------------------------------------------------------------------- */

/* By its directory and not by what it leads to: a blob may be out of sight for a moment (gc.h). */
static bool leads_to_layers(const struct fsck *f, const char *target)
{
	autofree char *dir = path_dir(target);
	autoclose int fd = openat(f->image->fd, dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct stat there, layers;

	return fd >= 0 && f->store->layers_fd >= 0 && fstat(fd, &there) == 0 &&
	       fstat(f->store->layers_fd, &layers) == 0 && there.st_ino == layers.st_ino &&
	       there.st_dev == layers.st_dev;
}

/* 1.3.x finds a blob through the folder's link: missing or leading elsewhere, the image is broken for it. */
static const char *link_problem(const struct fsck *f, const char *name, const char *blob)
{
	autofree char *target = fs_readlink(f->image->fd, name);

	if (!target && errno == ENOENT)
		return "is not linked in the image's folder";
	if (!target)
		return "has something other than a link in the image's folder";
	if (!str_eq(path_base(target), blob))
		return "is linked to another file";
	return leads_to_layers(f, target) ? NULL : "is linked to a file outside of the store's layers";
}

static bool is_of_image(const struct image *img, const char *name)
{
	if (img->config_file && str_eq(img->config_file, name))
		return true;
	for (size_t i = 0; i < img->n_layers; i++)
		if (str_eq(img->layers[i].file, name))
			return true;
	return false;
}

/* Deeper repositories are folders in this one, and file systems over a network keep what was removed while it is open. */
static bool is_passing(const struct fsck *f, const char *name)
{
	struct stat st;

	if (atomic_is_tmp(name) || str_starts(name, ".nfs"))
		return true;
	return fstatat(f->image->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ? errno == ENOENT
									 : S_ISDIR(st.st_mode);
}

static void check_entry(struct fsck *f, const char *name)
{
	static const char *const ours[] = { "TAG", "manifest", "ancestry", "v1", "v2", "PROTECT",
		"container.json" };
	autofree char *target = NULL;

	for (size_t i = 0; i < sizeof(ours) / sizeof(*ours); i++)
		if (str_eq(name, ours[i]))
			return;
	if (is_of_image(f->image, name) || is_passing(f, name))
		return;
	target = fs_readlink(f->image->fd, name);
	if (!target)
		report(f, FSCK_BAD, FSCK_FILE, name, "does not belong in the image's folder");
	else if (!leads_to_layers(f, target) || !layer_exists(f->store, path_base(target), NULL))
		report(f, FSCK_BAD, FSCK_FILE, name, "is a link that leads to no layer of the store");
}

static void check_folder(struct fsck *f)
{
	const char *marker = f->image->version == 2 ? "v2" : "v1";
	auto_strv names = STRV_INIT;

	if (fs_list(f->image->fd, ".", &names) < 0) {
		report(f, FSCK_BAD, FSCK_FILE, f->image->dir, strerror(errno));
		return;
	}
	strv_sort(&names);
	if (!strv_has(&names, marker))
		report(f, FSCK_BAD, FSCK_FILE, marker, "is missing in the image's folder");
	for (size_t i = 0; i < names.n; i++)
		check_entry(f, names.v[i]);
}

/* ---- layers -------------------------------------------------------------------------------------------------------------- */

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
	if (sig_interrupted())
		return;
	link = state == FSCK_BAD ? NULL : link_problem(f, l->file, l->file);
	if (link)
		state = FSCK_BAD;
	report(f, state, FSCK_LAYER, l->file, link ? link : e ? err_text(e) : NULL);
}

/* ---- the configuration --------------------------------------------------------------------------------------------------- */

static const char *config_name(const struct image *img)
{
	return img->config_file ? img->config_file : "manifest";
}

static const char *config_link_problem(const struct fsck *f)
{
	const struct image *img = f->image;
	autofree char *old = img->version == 1 ? fs_readlink(img->fd, "container.json") : NULL;

	return img->config_file ? link_problem(f, old ? "container.json" : img->config_file, img->config_file)
				: NULL;
}

static int check_config_text(struct fsck *f, const char *text, size_t n, struct err **err)
{
	const struct image *img = f->image;
	auto_image_config *c = NULL;

	if (img->config_digest && (check_size(f, img->config_digest, img->config_size, err) < 0 ||
					  layer_verify(f->store, img->config_digest, err) < 0))
		return -1;
	if (!f->config) /* once more, for its words */
		return image_config_parse(text, n, "image configuration", &c, err);
	if (f->config->n_diff_ids && f->config->n_diff_ids != img->n_layers)
		return err_make(err, ERR_CORRUPT, "the configuration names %zu layers, the image has %zu",
			f->config->n_diff_ids, img->n_layers);
	return 0;
}

static void check_config(struct fsck *f, const char *text, size_t n)
{
	const struct image *img = f->image;
	const char *link = config_link_problem(f);
	auto_err *e = NULL;

	if (check_config_text(f, text, n, &e) < 0)
		report(f, FSCK_BAD, FSCK_CONFIG, config_name(img), e ? err_text(e) : "cannot be read");
	else if (link)
		report(f, FSCK_BAD, FSCK_CONFIG, config_name(img), link);
	else
		report(f, img->config_digest ? FSCK_OK : FSCK_UNCHECKED, FSCK_CONFIG, config_name(img), NULL);
}

int fsck_image(struct store *s, const struct image *img, fsck_report_fn *fn, void *arg, struct err **err)
{
	struct fsck f = { .store = s, .image = img, .report = fn, .arg = arg };
	auto_image_config *c = NULL;
	auto_str text = STR_INIT;
	auto_err *e = NULL;

	check_folder(&f);
	if (image_read_config(s, img, &text, &e) < 0)
		report(&f, FSCK_BAD, FSCK_CONFIG, config_name(img), err_text(e));
	else {
		if (image_config_parse(str_text(&text), text.len, "image configuration", &c, NULL) == 0)
			f.config = c;
		check_config(&f, str_text(&text), text.len);
	}
	for (size_t i = 0; i < img->n_layers && !sig_interrupted(); i++)
		check_layer(&f, i);
	if (sig_interrupted())
		return err_sys(err, EINTR, "verify %s", img->name);
	return f.bad;
}
