/* SPDX-License-Identifier: Apache-2.0 */
/* One layer on the tree in memory: step for step what layer.c and layer_make.c do to a ROOT. */
#include <errno.h>

#include "pkg/archive/expect_priv.h"
#include "pkg/archive/layer_priv.h"
#include "pkg/archive/seen.h"
#include "pkg/base/err.h"
#include "pkg/base/mem.h"
#include "pkg/base/sig.h"
#include "pkg/base/str.h"

#define NAMES_MAX ((size_t)1 << 24)

struct applied {
	struct expect *x;
	struct reader *r;
	struct seen seen; /* what this layer has put there, by its own paths */
	struct seen skipped; /* what it has left out */
	char path[LAYER_PATH_MAX + 1];
	char link[LAYER_PATH_MAX + 1];
};

/* ---- what is hidden ------------------------------------------------------------------------------------------------------ */

static bool hides_first(struct applied *a, struct expect_node *dir)
{
	if (dir->hidden == a->x->layer)
		return false;
	dir->hidden = a->x->layer;
	return true;
}

/* The path of a node below `top`, which this layer calls `dir`. */
static void path_below(
	const struct expect_node *top, const char *dir, const struct expect_node *e, struct str *ret)
{
	const struct expect_node *up[LAYER_PATH_MAX];
	size_t n = 0;

	str_truncate(ret, 0);
	str_add(ret, dir);
	for (; e != top && n < LAYER_PATH_MAX; e = e->parent)
		up[n++] = e;
	while (n)
		str_addf(ret, "%s%s", ret->len ? "/" : "", up[--n]->name);
}

/* All below a directory that this layer has not put there. */
static void hide_below(struct applied *a, struct expect_node *top, const char *dir)
{
	auto_str path = STR_INIT;
	struct expect_node *e, *next;

	if (!hides_first(a, top))
		return;
	for (e = expect_next(top, top, true); e; e = next) {
		bool own, into;

		path_below(top, dir, e, &path);
		own = seen_has(&a->seen, str_text(&path));
		into = own && e->file->type == READER_DIR && hides_first(a, e);
		next = expect_next(top, e, into);
		if (!own)
			expect_remove(a->x, e);
	}
}

static int apply_whiteout(struct applied *a, struct err **err)
{
	const char *base = layer_base(a->path), *name = base + strlen(LAYER_WHITEOUT);
	size_t n = layer_parent_len(a->path);
	autofree char *path = NULL;
	struct expect_node *dir = expect_resolve(a->x, a->path, n, false), *e;

	if (!dir)
		return errno == ENOENT || errno == ENOTDIR || errno == ELOOP ? 0 : layer_failed(a->path, err);
	path = xstrndup(a->path, n);
	if (str_eq(base, LAYER_OPAQUE)) {
		hide_below(a, dir, path);
		return 0;
	}
	if (n) {
		free(path);
		path = xasprintf("%.*s/%s", (int)n, a->path, name);
	} else {
		free(path);
		path = xstrdup(name);
	}
	e = expect_child(a->x, dir, name, strlen(name));
	if (!e)
		return 0;
	if (!seen_has(&a->seen, path))
		expect_remove(a->x, e);
	else if (e->file->type == READER_DIR)
		hide_below(a, e, path);
	return 0;
}

/* ---- what is put there --------------------------------------------------------------------------------------------------- */

/* The name gets this file, whatever had it. */
static void put(struct applied *a, struct expect_node *dir, struct expect_file *f)
{
	const char *base = layer_base(a->path);
	struct expect_node *old = expect_child(a->x, dir, base, strlen(base));

	if (old)
		expect_remove(a->x, old);
	expect_add(a->x, dir, base, strlen(base), f);
}

static int read_content(struct applied *a, struct expect_file *f, struct err **err)
{
	CLEANUP(content_drop) struct content c = { .sha = NULL };
	const void *p;
	int64_t offset;
	size_t n;
	int s;

	if (content_begin(&c, err) < 0)
		return -1;
	while ((s = reader_block(a->r, &p, &n, &offset, err)) > 0)
		content_add(&c, (uint64_t)offset, p, n);
	if (s < 0)
		return err_add(err, "entry '%.256s'", a->path);
	content_end(&c, f->content);
	return 0;
}

static struct expect_file *file_of(const struct reader_entry *e, mode_t least)
{
	struct expect_file *f = expect_file_new(e->type, e->mode | least);

	f->mtime = e->mtime;
	return f;
}

static int put_file(
	struct applied *a, const struct reader_entry *e, struct expect_node *dir, struct err **err)
{
	struct expect_file *f = file_of(e, 0600);

	f->size = e->size;
	if (read_content(a, f, err) < 0) {
		expect_file_drop(f);
		return -1;
	}
	put(a, dir, f);
	return 0;
}

static void set_dir(struct expect_file *f, const struct reader_entry *e)
{
	f->mode = e->mode | 0700;
	f->mtime = e->mtime;
	f->made = false;
}

static int put_dir(
	struct applied *a, const struct reader_entry *e, struct expect_node *dir, struct err **err UNUSED)
{
	const char *base = layer_base(a->path);
	struct expect_node *old = expect_child(a->x, dir, base, strlen(base));

	if (old && old->file->type == READER_DIR)
		set_dir(old->file, e);
	else
		put(a, dir, file_of(e, 0700));
	return 0;
}

static int put_symlink(
	struct applied *a, const struct reader_entry *e, struct expect_node *dir, struct err **err)
{
	struct expect_file *f;

	if (!*e->link)
		return layer_corrupt(a->path, "a symbolic link without a target", err);
	f = file_of(e, 0777);
	f->link = xstrdup(e->link);
	put(a, dir, f);
	return 0;
}

static int put_fifo(
	struct applied *a, const struct reader_entry *e, struct expect_node *dir, struct err **err UNUSED)
{
	put(a, dir, file_of(e, 0600));
	return 0;
}

static int target_missing(struct applied *a, struct err **err)
{
	if (seen_has(&a->skipped, a->link))
		return 0;
	layer_failed(a->path, err);
	err_set_kind(err, ERR_CORRUPT);
	return err_add(err, "hard link to '%.256s'", a->link);
}

static int put_hardlink(
	struct applied *a, const struct reader_entry *e, struct expect_node *dir, struct err **err)
{
	const char *base = layer_base(a->path), *from_base;
	struct expect_node *from, *target, *old;

	if (layer_clean_name(e->link, a->link, err) < 0)
		return err_add(err, "entry '%.256s': hard link", a->path);
	from = expect_resolve(a->x, a->link, layer_parent_len(a->link), false);
	if (!from)
		return target_missing(a, err);
	from_base = layer_base(a->link);
	target = *a->link ? expect_child(a->x, from, from_base, strlen(from_base)) : from;
	if (!target) {
		errno = ENOENT;
		return target_missing(a, err);
	}
	if (target->file->type == READER_DIR)
		return layer_corrupt(a->path, "a hard link to a directory", err);
	old = expect_child(a->x, dir, base, strlen(base));
	if (old && old->file == target->file)
		return 0;
	if (old) {
		expect_remove(a->x, old);
		/* The target may have lain in it. */
		from = expect_resolve(a->x, a->link, layer_parent_len(a->link), false);
		target = from ? expect_child(a->x, from, from_base, strlen(from_base)) : NULL;
		if (!target) {
			errno = ENOENT;
			return layer_failed(a->path, err);
		}
	}
	expect_add(a->x, dir, base, strlen(base), target->file);
	return 0;
}

static int skip_special(struct applied *a, const struct reader_entry *e UNUSED, struct expect_node *dir,
	struct err **err UNUSED)
{
	const char *base = layer_base(a->path);
	struct expect_node *old = expect_child(a->x, dir, base, strlen(base));

	if (old)
		expect_remove(a->x, old);
	if (a->skipped.n < LAYER_SKIPPED_MAX)
		seen_add(&a->skipped, a->path, false);
	return 0;
}

typedef int put_fn(
	struct applied *a, const struct reader_entry *e, struct expect_node *dir, struct err **err);
static put_fn *const putters[] = {
	[READER_FILE] = put_file,
	[READER_DIR] = put_dir,
	[READER_SYMLINK] = put_symlink,
	[READER_HARDLINK] = put_hardlink,
	[READER_FIFO] = put_fifo,
	[READER_CHAR] = skip_special,
	[READER_BLOCK_DEVICE] = skip_special,
	[READER_SOCKET] = skip_special,
	[READER_OTHER] = skip_special,
};

/* ---- entries ------------------------------------------------------------------------------------------------------------- */

static int apply_content(struct applied *a, const struct reader_entry *e, struct err **err)
{
	struct expect_node *dir = expect_resolve(a->x, a->path, layer_parent_len(a->path), true);

	if (!dir)
		return layer_failed(a->path, err);
	if (a->x->n > NAMES_MAX)
		return err_make(err, ERR_UNSUPPORTED, "more than %zu names: too many to verify", NAMES_MAX);
	seen_add(&a->seen, a->path, true);
	return putters[e->type](a, e, dir, err);
}

static int apply_root(struct applied *a, const struct reader_entry *e, struct err **err)
{
	if (e->type != READER_DIR)
		return layer_corrupt(e->name, "takes the place of the root directory", err);
	set_dir(a->x->root->file, e);
	return 0;
}

static int apply_entry(struct applied *a, const struct reader_entry *e, struct err **err)
{
	if (layer_clean_name(e->name, a->path, err) < 0)
		return -1;
	if (!*a->path)
		return apply_root(a, e, err);
	switch (layer_kind(a->path, err)) {
	case LAYER_AUFS:
		return 0;
	case LAYER_WHITEOUT_ENTRY:
		return apply_whiteout(a, err);
	case LAYER_AUFS_LINK:
	case LAYER_CONTENT:
		return apply_content(a, e, err);
	default:
		return -1;
	}
}

static int apply_all(struct applied *a, struct err **err)
{
	struct expect_node *aufs;
	struct reader_entry e;
	int r;

	while ((r = reader_next(a->r, &e, err)) > 0) {
		if (sig_interrupted())
			return err_make(err, ERR_SYSTEM, "interrupted");
		if (apply_entry(a, &e, err) < 0)
			return -1;
	}
	aufs = expect_find(a->x, LAYER_AUFS_LINKS);
	if (r == 0 && aufs)
		expect_remove(a->x, aufs);
	return r;
}

int expect_layer(struct expect *x, struct reader *r, struct err **err)
{
	autofree struct applied *a = xcalloc(1, sizeof(*a));
	int s;

	a->x = x;
	a->r = r;
	x->layer++;
	s = apply_all(a, err);
	seen_free(&a->seen);
	seen_free(&a->skipped);
	return s;
}
