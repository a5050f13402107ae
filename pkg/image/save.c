/* SPDX-License-Identifier: Apache-2.0 */
/* save: gather, settle, write. */
#include "pkg/image/save.h"

#include <string.h>

#include "pkg/archive/writer.h"
#include "pkg/base/err.h"
#include "pkg/base/outfile.h"
#include "pkg/base/path.h"
#include "pkg/base/progress.h"
#include "pkg/image/save_format.h"
#include "pkg/image/save_set.h"
#include "pkg/store/store.h"

static int check_options(const struct save_options *o, struct err **err)
{
	if (o->all && o->format == SAVE_DOCKER_ARCHIVE) {
		err_make(err, ERR_USAGE, "a docker archive holds each image for one platform");
		return err_hint(err, "use --format oci-archive");
	}
	if (o->format == SAVE_OCI_LAYOUT && (!o->path || strcmp(o->path, "-") == 0)) {
		err_make(err, ERR_USAGE, "an OCI layout is a directory");
		return err_hint(err, "name one with --output, or use --format oci-archive");
	}
	return 0;
}

/* The one image under another name, or under none. */
static void rename_image(struct save_set *set, const char *name)
{
	struct save_image *si = set->n_images ? set->images[0] : NULL;

	if (!si) /* there was no reference */
		return;
	strv_free(&si->names);
	strv_free(&set->groups[0].names);
	if (!*name)
		return;
	strv_add(&si->names, name);
	strv_add(&set->groups[0].names, name);
}

static int write_archive(struct save_set *set, const struct save_options *o, struct err **err)
{
	auto_outfile out = OUTFILE_INIT;
	auto_writer *w = NULL;
	int r;

	if (outfile_open(o->path, o->replace, &out, err) < 0 || save_set_settle(set, err) < 0 ||
		writer_open(out.fd, out.what, &w, err) < 0)
		return -1;
	r = o->format == SAVE_DOCKER_ARCHIVE ? save_docker(set, o, w, out.dirfd, out.what, err)
					     : save_oci_archive(set, o, w, out.dirfd, out.what, err);
	if (r < 0 || writer_end(w, err) < 0)
		return -1;
	progress_update(set->progress, writer_position(w)); /* what the last line tells */
	return outfile_commit(&out, err);
}

int save_images(struct store *s, char *const *refs, const struct save_options *o, struct err **err)
{
	auto_save_set set = { .store = s };
	const char *title = o->path ? path_base(o->path) : "-";
	int r;

	if (check_options(o, err) < 0)
		return -1;
	for (; *refs; refs++)
		if (save_set_add(&set, *refs, o->all, err) < 0)
			return -1;
	if (o->name)
		rename_image(&set, o->name);
	set.progress =
		progress_begin(*title && strcmp(title, "-") != 0 ? title : "saving", save_set_bytes(&set));
	r = o->format == SAVE_OCI_LAYOUT ? save_oci_layout(&set, o, err) : write_archive(&set, o, err);
	progress_end(set.progress, r < 0 ? NULL : "saved");
	return r;
}
