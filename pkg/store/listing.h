/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a listing of many images has read, kept for the next one in $UDOCKER_DIR/.listing. Each piece carries the stamp of the file or
 * directory that it was read from and counts only while that stamp is the same: other programs change the store without a word to us.
 * Nothing but listings looks here. Written in place with a checksum over all: a torn, old or foreign file counts as none.
 */
#ifndef UDOCKER_LISTING_H
#define UDOCKER_LISTING_H

#include <sys/stat.h>

#include "pkg/base/base.h"
#include "pkg/base/strv.h"

struct store;

#define LISTING_FILE ".listing"
#define LISTING_NONE UINT32_MAX
/* So many pieces must have been read anew before the file is written: small stores never have one. */
#define LISTING_WORTH 256

/* Which file, and which state of it. ino 0: unknown, equal to nothing. */
struct listing_stamp {
	uint64_t ino, size, mtime_ns, ctime_ns;
};

/* The metadata of an image (v2), as in struct image_info. Texts may be NULL, but config_file. */
struct listing_image {
	struct listing_stamp manifest, config;
	const char *digest, *created, *os, *architecture, *variant;
	const char *config_file; /* name in layers/ */
	uint32_t first_layer, n_layers; /* in listing_tree.layers */
};

/* A directory below repos/. Those below it follow, up to `end`, sorted by name. */
struct listing_dir {
	const char *name; /* last component; "" for repos/ itself */
	struct listing_stamp stamp;
	uint32_t end;
	uint32_t image; /* in listing_tree.images, or LISTING_NONE */
	bool tag, protect;
};

struct listing_tree {
	struct listing_dir *dirs;
	struct listing_image *images;
	uint32_t *layers; /* numbers of blobs */
	size_t n_dirs, cap_dirs, n_images, cap_images, n_layers, cap_layers;
};

/* Names in layers/, each once, with the size as it is now: many images share them. */
struct listing_blob {
	const char *name;
	int64_t size; /* -1: not there */
	bool known;
};

struct listing {
	struct listing_tree old, now; /* what the file said; what was found */
	struct listing_blob *blobs;
	size_t n_blobs, cap_blobs;
	uint32_t *table; /* numbers of blobs by hash, LISTING_NONE where empty */
	size_t table_size;
	char *text; /* the file; texts of `old` point into it */
	struct strv own; /* texts that were read anew */
	int64_t began_ns;
	size_t fresh; /* pieces in `now` that `old` had not */
};

/* Empty, with the time. */
void listing_init(struct listing *l);
void listing_free(struct listing *l);
#define auto_listing CLEANUP(listing_free) struct listing

/* Fill `old`, or leave it empty. The file must belong to the store's owner and be writable by nobody else. */
void listing_load(struct store *s, struct listing *l);
/* Write `now`, if the store is ours and can be written; what fails leaves no file or one that does not count. Not synced. */
void listing_save(struct store *s, const struct listing *l);

/* False when it is not there or of another type (S_IFREG, S_IFDIR); links are not followed. */
bool listing_stamp(int dirfd, const char *path, mode_t type, struct listing_stamp *ret);
struct listing_stamp listing_stamp_of(const struct stat *st);
bool listing_same(const struct listing_stamp *a, const struct listing_stamp *b);
/* A file changed within the last seconds may change once more without a new stamp: false. */
bool listing_is_settled(const struct listing *l, const struct listing_stamp *s);

/* A copy that lives as long as l; NULL stays NULL. What else is put into l must live as long. */
const char *listing_keep(struct listing *l, const char *text);
uint32_t listing_add_dir(struct listing *l, const struct listing_dir *d);
uint32_t listing_add_image(struct listing *l, const struct listing_image *i);
/* Of the image that is added next. */
void listing_add_layer(struct listing *l, uint32_t blob);
uint32_t listing_blob(struct listing *l, const char *name);
/* Bytes as stored, asked for once; -1: not there. */
int64_t listing_blob_size(struct store *s, struct listing *l, uint32_t blob);

#endif
