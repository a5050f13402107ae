/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What layer.c (entries, whiteouts), layer_make.c (what entries become) and layer_attrs.c (attributes, owners) share, and expect.c, which
 * follows the same rules without a ROOT.
 */
#ifndef UDOCKER_LAYER_PRIV_H
#define UDOCKER_LAYER_PRIV_H

#include <sys/types.h>

#include "pkg/archive/layer.h"
#include "pkg/archive/seen.h"

struct dirs;
struct err;
struct reader;
struct reader_entry;

#define LAYER_NAME_MAX 255
#define LAYER_WHITEOUT ".wh."
#define LAYER_OPAQUE ".wh..wh..opq"
/* Where layers of the AUFS days keep the files that their hard links mean. */
#define LAYER_AUFS_LINKS ".wh..wh.plnk"
/* Names of device nodes that are remembered for hard links to them. An archive can hold millions, and none takes room on the disk. */
#define LAYER_SKIPPED_MAX ((size_t)1 << 18)

#define WRITE_OUT_MIN 16384

/* A copy that took the place of a hard link. */
struct layer_copy {
	dev_t dev; /* what it is a copy of */
	ino_t ino;
	int fd; /* the copy, O_PATH; -1: none was made yet */
};

struct layer {
	struct reader *r;
	const struct layer_options *o;
	struct dirs *dirs;
	int root;
	mode_t masked; /* bits that a mode given to open or mkdir may lose: the umask, or all of them */
	mode_t keep; /* mode bits beyond 0777 that are kept */
	struct layer_stats *st;
	struct seen seen; /* what this layer has put there */
	struct seen skipped; /* what it has left out: hard links to it are left out too */
	struct seen hidden; /* directories that lower layers have nothing in any more, by device and inode */
	struct layer_copy copy;
	bool aufs_links; /* it has some */
	char path[LAYER_PATH_MAX + 1]; /* the entry at hand: clean, relative, "" for ROOT itself */
	char link[LAYER_PATH_MAX + 1]; /* the same for a hard link's target */
	char parent[LAYER_PATH_MAX + 1]; /* a directory that `seen` has, with those above it */
};

/* ---- layer.c ---- */
int layer_corrupt(const char *name, const char *why, struct err **err);
/* By errno; ERR_CORRUPT where the archive alone can have caused it. */
int layer_failed(const char *name, struct err **err);
/* What the name of an entry makes of it, -1 for a whiteout of nothing. LAYER_AUFS is that file system's own bookkeeping. */
enum layer_kind { LAYER_CONTENT, LAYER_AUFS_LINK, LAYER_AUFS, LAYER_WHITEOUT_ENTRY };
int layer_kind(const char *path, struct err **err);
const char *layer_base(const char *path);
/* Bytes of `path` before the last component, without the slash. */
size_t layer_parent_len(const char *path);
/* Remove what has the name that the entry at hand is about to take, or that it hides. */
int layer_clear_name(struct layer *l, int dirfd, const char *base, struct err **err);

/* ---- layer_make.c ---- */
/* Make the entry l->path (not ROOT itself) in the directory dirfd. */
int layer_make(struct layer *l, const struct reader_entry *e, int dirfd, struct err **err);
int layer_make_root(struct layer *l, const struct reader_entry *e, struct err **err);

/* ---- layer_attrs.c ---- */
/* Attributes and recorded owner of a file or directory; `old`: it was there before, and what the entry does not have goes. */
int layer_set_attrs(struct layer *l, const struct reader_entry *e, int fd, bool old, struct err **err);
/* Of an entry that can have none: they are counted. */
void layer_skip_attrs(struct layer *l);
/* The attributes of one file for its copy. */
void layer_copy_attrs(int from, int to);

#endif
