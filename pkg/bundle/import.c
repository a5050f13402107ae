/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The archive is applied as it comes by: to ROOT alone, or a clone's to ROOT and, beside it, the files of a container's folder. These
 * are two trees with nothing in common: a link in one cannot lead an entry into the other.
 */
#include "pkg/bundle/import.h"

#include <errno.h>
#include <limits.h>
#include <sys/stat.h>

#include "engines/engine.h"
#include "oci-spec/image_config.h"
#include "oci-spec/platform.h"
#include "pkg/archive/inflate.h"
#include "pkg/archive/layer.h"
#include "pkg/archive/reader.h"
#include "pkg/base/err.h"
#include "pkg/base/fs.h"
#include "pkg/base/json.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/base/path.h"
#include "pkg/base/progress.h"
#include "pkg/base/str.h"
#include "pkg/base/time.h"
#include "pkg/bundle/birth.h"
#include "pkg/bundle/clone.h"
#include "pkg/bundle/setup.h"
#include "pkg/conf/conf.h"
#include "pkg/store/containers.h"

#define IMAGE_UNKNOWN "IMPORTED:unknown" /* as in 1.3.x */
#define IN_ROOT CONTAINER_ROOT "/"

/* What a container's folder may hold beside ROOT; config.json is made anew. */
static const char *const folder_files[] = { CONTAINER_FILE_METADATA, CONTAINER_FILE_IMAGE,
	CONTAINER_FILE_MODE, CONTAINER_FILE_PROTECT, BUNDLE_ROOT_PATH_FILE, "osenv.json", "nvidia",
	"ld.so.path", "ld.so.orig", "ld.lib.dirs", "patch.time", "patch.path", "libfakechroot.so", NULL };
static const char *const folder_dirs[] = { ".mountpoints", ".bind_orig_files", ".nvidia", NULL };

struct import {
	const struct bundle_import_options *o;
	struct reader *r;
	struct layer *root, *folder; /* folder: of a clone */
	struct layer_stats stats, folder_stats;
	uint64_t entries; /* of ROOT */
	char name[LAYER_PATH_MAX + 1], link[LAYER_PATH_MAX + 1];
};

static int refuse(const char *name, const char *why, struct err **err)
{
	return err_make(err, ERR_CORRUPT, "entry '%.256s': %s", name, why);
}

/* ---- entries of a clone -------------------------------------------------------------------------------------------------- */

static bool is_listed(const char *const *list, const char *name, size_t n)
{
	for (; *list; list++)
		if (strncmp(*list, name, n) == 0 && !(*list)[n])
			return true;
	return false;
}

static int put_in_root(struct import *im, const struct reader_entry *e, struct err **err)
{
	struct reader_entry below = *e;

	below.name = str_eq(im->name, CONTAINER_ROOT) ? "" : im->name + strlen(IN_ROOT);
	if (e->type == READER_HARDLINK) {
		if (layer_clean_name(e->link, im->link, err) < 0)
			return -1;
		if (!str_starts(im->link, IN_ROOT))
			return refuse(e->name, "a hard link to something outside " CONTAINER_ROOT, err);
		below.link = im->link + strlen(IN_ROOT);
	}
	im->entries++;
	return layer_apply_entry(im->root, &below, err);
}

/* A file of the folder is a file; what lies in its directories is of the kinds that are put there, and linked among themselves. */
static bool fits_in_folder(struct import *im, const struct reader_entry *e, size_t top)
{
	bool dir = is_listed(folder_dirs, im->name, top);

	if (!im->name[top])
		return e->type == (dir ? READER_DIR : READER_FILE);
	if (!dir)
		return false;
	if (e->type == READER_HARDLINK)
		return layer_clean_name(e->link, im->link, NULL) == 0 &&
		       strncmp(im->link, im->name, top + 1) == 0;
	return e->type == READER_DIR || e->type == READER_FILE || e->type == READER_SYMLINK;
}

static int put_in_folder(struct import *im, const struct reader_entry *e, struct err **err)
{
	size_t top = strcspn(im->name, "/");

	if (!top)
		return 0; /* the folder itself */
	if (!is_listed(folder_files, im->name, top) && !is_listed(folder_dirs, im->name, top)) {
		log_verbose("%s: '%s' is left out", im->o->what, e->name);
		return 0;
	}
	if (!fits_in_folder(im, e, top))
		return refuse(e->name, "cannot be what it is called in a container's folder", err);
	return layer_apply_entry(im->folder, e, err);
}

static int put_entry(struct import *im, const struct reader_entry *e, struct err **err)
{
	if (!im->o->clone) {
		im->entries++;
		return layer_apply_entry(im->root, e, err);
	}
	if (layer_clean_name(e->name, im->name, err) < 0)
		return -1;
	if (str_eq(im->name, CONTAINER_ROOT) || str_starts(im->name, IN_ROOT))
		return put_in_root(im, e, err);
	return put_in_folder(im, e, err);
}

/* ---- the archive --------------------------------------------------------------------------------------------------------- */

static int check_entries(const struct import *im, struct err **err)
{
	if (im->entries)
		return 0;
	if (!im->o->clone)
		return err_make(err, ERR_CORRUPT,
			"%s holds no files: it should be the tar of a root file system", im->o->what);
	err_make(err, ERR_CORRUPT, "%s is no archive of a container: it has no " CONTAINER_ROOT, im->o->what);
	return err_hint(err, "import root file systems without --clone");
}

static int read_entries(struct import *im, struct err **err)
{
	struct reader_entry e;
	int more;

	while ((more = reader_next(im->r, &e, err)) > 0) {
		if (put_entry(im, &e, err) == 0)
			continue;
		/* Messages of the reader name the source already. */
		return err && *err && strstr(err_text(*err), im->o->what) ? -1
									  : err_add(err, "%s", im->o->what);
	}
	if (more < 0 || check_entries(im, err) < 0)
		return -1;
	if (layer_end(im->root, err) < 0 || (im->folder && layer_end(im->folder, err) < 0))
		return err_add(err, "%s", im->o->what);
	return reader_rest(im->r, err);
}

static void tell(const struct import *im)
{
	const struct layer_stats *st = &im->stats;
	const unsigned long long left_out = st->devices + st->sockets;

	if (left_out)
		log_info("%s: %llu device nodes and sockets were left out", im->o->what, left_out);
	if (st->attrs)
		log_warning("%s: %llu extended attributes may not be set here, leaving them out", im->o->what,
			(unsigned long long)st->attrs);
}

static uint64_t size_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
}

/* Where the archive goes, made in the staging directory. */
static int apply(const struct birth *b, struct inflate *in, int root_fd,
	const struct bundle_import_options *o, struct err **err)
{
	const struct layer_options root_options = { .plain = true,
		.keep_setid = o->keep_setid,
		.record_owner = o->record_owner,
		.keep_record = o->clone,
		.write_out = !b->o->no_sync };
	const struct layer_options folder_options = { .plain = true };
	autofree struct import *im = xcalloc(1, sizeof(*im));
	auto_layer *root = NULL, *folder = NULL;
	auto_reader *r = NULL;

	if (reader_open(in, o->what, &r, err) < 0)
		return -1;
	im->o = o;
	im->r = r;
	im->root = root = layer_begin(r, root_fd, &root_options, &im->stats);
	if (o->clone)
		im->folder = folder = layer_begin(r, b->stage.fd, &folder_options, &im->folder_stats);
	if (read_entries(im, err) < 0 || inflate_finish(in, NULL, err) < 0)
		return -1;
	tell(im);
	return 0;
}

static int unpack(
	const struct birth *b, int fd, int root_fd, const struct bundle_import_options *o, struct err **err)
{
	struct inflate_options io = { .what = o->what,
		.limit = { conf_size(CONF_UNPACK_MAX_SIZE), (unsigned)conf_int(CONF_UNPACK_MAX_RATIO) } };
	auto_inflate *in = NULL;
	int r;

	if (o->progress)
		io.progress = progress_begin(path_base(o->what), size_of(fd));
	r = inflate_start(fd, &io, &in, err);
	if (r == 0)
		r = apply(b, in, root_fd, o, err);
	inflate_free(steal_ptr(&in)); /* its threads know the progress */
	progress_end(io.progress, r < 0 ? NULL : "imported");
	return r;
}

/* ---- the folder ---------------------------------------------------------------------------------------------------------- */

static int finish_new(const struct birth *b, const struct bundle_import_options *o, struct err **err)
{
	const char *image = o->image ? o->image : IMAGE_UNKNOWN;
	char created[TIME_RFC3339_LEN];
	autofree char *text = NULL;
	auto_json *metadata = NULL;
	struct platform host;

	platform_host(&host);
	metadata = image_config_build(
		&(struct image_config_facts){ .platform = o->platform ? o->platform : &host,
			.id = b->id,
			.created = time_format_rfc3339(time_now_ns() / 1000000000 * 1000000000, created) });
	text = json_text(metadata, 0);
	if (birth_write(b->stage.fd, CONTAINER_FILE_METADATA, text, strlen(text), err) < 0 ||
		birth_write(b->stage.fd, CONTAINER_FILE_IMAGE, image, strlen(image), err) < 0)
		return -1;
	return birth_config(b, metadata, image, NULL, err);
}

/* A mode that this version does not have is left out. */
static int check_mode(
	const struct birth *b, const char *mode, const char *what, const char **ret, struct err **err)
{
	if (engine_mode_is_valid(mode) && engine_by_mode(mode)) {
		*ret = mode;
		return 0;
	}
	if (*mode)
		log_warning("%s: its execution mode '%s' is none, leaving it out", what, mode);
	if (unlinkat(b->stage.fd, BUNDLE_ROOT_PATH_FILE, 0) < 0 && errno != ENOENT)
		return err_sys(err, errno, "%s", BUNDLE_ROOT_PATH_FILE);
	if (unlinkat(b->stage.fd, CONTAINER_FILE_MODE, 0) < 0 && errno != ENOENT)
		return err_sys(err, errno, "%s", CONTAINER_FILE_MODE);
	return 0;
}

static int finish_clone(const struct birth *b, const struct bundle_import_options *o, struct err **err)
{
	autofree char *image = container_image_name(b->stage.fd), *mode = container_mode(b->stage.fd);
	auto_json *metadata = NULL;
	const char *use = NULL;
	auto_str old = STR_INIT;

	if (str_eq(image, BUNDLE_IN_PROGRESS))
		return err_make(err, ERR_CORRUPT,
			"%s holds a container that was not finished when it was exported", o->what);
	if (container_metadata(b->stage.fd, &metadata, err) < 0) {
		err_set_kind(err, ERR_CORRUPT);
		return err_add(err, "%s", o->what);
	}
	if (check_mode(b, mode, o->what, &use, err) < 0)
		return -1;
	if (!use || !birth_is_converted(use))
		return birth_config(b, metadata, image, use, err);
	/* Where its files lead to still. */
	(void)fs_read(b->stage.fd, BUNDLE_ROOT_PATH_FILE, PATH_MAX, &old, FS_BENEATH);
	if (birth_config(b, metadata, image, use, err) < 0)
		return -1;
	return birth_write(b->stage.fd, BUNDLE_ROOT_PATH_FILE, str_text(&old), old.len, err);
}

static int make(struct birth *b, int fd, const struct bundle_import_options *o, struct err **err)
{
	autoclose int root_fd = -1;

	if (birth_stage(b, err) < 0)
		return -1;
	root_fd = birth_root(b->stage.fd, CONTAINER_ROOT, err);
	if (root_fd < 0 || unpack(b, fd, root_fd, o, err) < 0)
		return -1;
	if ((o->clone ? finish_clone(b, o, err) : finish_new(b, o, err)) < 0)
		return -1;
	birth_warn_unusual(root_fd, o->what);
	return birth_finish(b, err);
}

/* Of a container that came with its mode. */
static int convert(const struct birth *b, struct err **err)
{
	autoclose int fd = open(b->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	autofree char *mode = fd < 0 ? xstrdup("") : container_mode(fd);

	return birth_is_converted(mode) && engine_by_mode(mode) ? birth_convert(b, mode, err) : 0;
}

int bundle_import(struct store *s, int fd, const struct bundle_import_options *o,
	const struct birth_options *bo, char **ret_id, struct err **err)
{
	auto_birth b = BIRTH_INIT;

	if (birth_begin(&b, s, bo, err) < 0)
		return -1;
	if (make(&b, fd, o, err) < 0)
		return birth_give_up(err);
	if (o->clone && convert(&b, err) < 0)
		return -1;
	*ret_id = xstrdup(b.id);
	return 0;
}
