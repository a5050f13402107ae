/* SPDX-License-Identifier: Apache-2.0 */
/* The tree is packed while it is walked; what is written is decided entry by entry. */
#include "pkg/bundle/export.h"

#include <errno.h>
#include <sys/stat.h>

#include "engines/fakechroot.h"
#include "pkg/archive/owner.h"
#include "pkg/archive/writer.h"
#include "pkg/base/err.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/base/outfile.h"
#include "pkg/base/path.h"
#include "pkg/base/progress.h"
#include "pkg/base/sig.h"
#include "pkg/base/str.h"
#include "pkg/bundle/clone.h"
#include "pkg/bundle/setup.h"
#include "pkg/store/containers.h"
#include "pkg/store/store.h"

struct export
{
	const struct bundle_export_options *o;
	struct writer *w;
	struct progress *progress;
	uid_t me;
	struct writer_xattr *xattrs; /* of the entry at hand, without the recorded owner */
	size_t cap_xattrs;
};

/*
 * Of a container's folder: what means nothing elsewhere. Originals of patched programs are of one inode with these, and nobody else would know what to
 * do with them. 1.3.x wants to know where a converted ROOT has lain.
 */
static bool is_left_out(const char *path)
{
	if (str_eq(path, FAKECHROOT_ORIGINALS))
		return true;
	return bundle_is_local(path) && !str_eq(path, CONTAINER_FILE_CONFIG) &&
	       !str_eq(path, BUNDLE_ROOT_PATH_FILE);
}

/* The record becomes what it says. */
static void apply_record(struct export *x, struct writer_entry *e)
{
	size_t n = 0;

	for (size_t i = 0; i < e->n_xattrs; i++) {
		const struct writer_xattr *a = &e->xattrs[i];

		if (str_eq(a->name, OWNER_ATTR) && owner_parse(a->value, a->n, &e->uid, &e->gid))
			continue;
		x->xattrs = mem_grow(x->xattrs, &x->cap_xattrs, n + 1, sizeof(*x->xattrs));
		x->xattrs[n++] = *a;
	}
	e->xattrs = x->xattrs;
	e->n_xattrs = n;
}

static int edit(struct writer_entry *e, int dirfd UNUSED, const char *name UNUSED, const char *path,
	const struct stat *st, void *arg, struct err **err UNUSED)
{
	struct export *x = arg;

	progress_update(x->progress, writer_position(x->w));
	if (x->o->clone && is_left_out(path))
		return WRITER_SKIP;
	/* The caller is root in his containers (one-id map). */
	if (x->me != 0 && st->st_uid == x->me)
		e->uid = e->gid = 0;
	if (!x->o->clone)
		apply_record(x, e);
	return 0;
}

static void tell(const struct writer_tree_stats *st, const char *what)
{
	if (st->sockets)
		log_info("%s: %llu sockets were left out", what, (unsigned long long)st->sockets);
	if (st->mounts)
		log_warning(
			"%s: %llu of its directories are mount points; what is mounted there was left out",
			what, (unsigned long long)st->mounts);
}

static int pack(struct export *x, int dirfd, const char *what, const struct outfile *out, struct err **err)
{
	struct writer_tree_stats stats = { 0 };
	const struct writer_tree_options o = { .what = what,
		.prefix = ".",
		.xattrs = true,
		.one_file_system = true,
		.edit = edit,
		.arg = x,
		.stats = &stats };
	auto_writer *w = NULL;

	if (writer_open(out->fd, out->what, &w, err) < 0)
		return -1;
	x->w = w;
	if (writer_tree(w, dirfd, &o, err) < 0 || writer_end(w, err) < 0)
		return -1;
	progress_update(x->progress, writer_position(w)); /* what the last line tells */
	tell(&stats, what);
	return 0;
}

/* Who removes a container renames it first, so that what it lacks now it lacked all the time. */
static int check_still_there(const struct store *s, const struct container *c, struct err **err)
{
	struct stat named, open;

	if (fstat(c->fd, &open) == 0 && fstatat(s->containers_fd, c->id, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
		named.st_ino == open.st_ino && named.st_dev == open.st_dev)
		return 0;
	return err_make(err, ERR_NOT_FOUND, "container %s was removed while it was exported", c->id);
}

int bundle_export(
	struct store *s, const char *container, const struct bundle_export_options *o, struct err **err)
{
	struct export x = { .o = o, .me = geteuid() };
	autofree char *what = NULL;
	auto_outfile out = OUTFILE_INIT;
	auto_container *c = NULL;
	autoclose int root = -1;
	auto_err *e = NULL;
	int r;

	if (container_open(s, container, &c, err) < 0)
		return -1;
	if (bundle_check_whole(c, &root, &e) < 0 || outfile_open(o->path, true, &out, &e) < 0)
		return check_still_there(s, c, err) < 0 ? -1 : err_move(err, &e);
	if (o->announce && o->path)
		log_info("exporting to file %s", o->path);
	what = xasprintf("container %s", c->id);
	if (o->progress)
		x.progress = progress_begin(o->path ? path_base(o->path) : "exporting", 0);
	r = pack(&x, o->clone ? c->fd : root, what, &out, &e);
	free(x.xattrs);
	progress_end(x.progress, r < 0 ? NULL : "exported");
	/* Whatever is wrong with one that is being removed is not what is to be said. */
	if (!sig_interrupted() && check_still_there(s, c, err) < 0)
		return -1;
	if (r < 0)
		return err_move(err, &e);
	return outfile_commit(&out, err);
}
