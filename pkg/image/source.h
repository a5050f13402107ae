/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An image archive, or the directory it could be packed from, as a set of files by path. Archives come as streams in any order, so
 * every file is staged in the store's .stage and hashed on the way; nothing is visible in the store until source_adopt().
 */
#ifndef UDOCKER_IMAGE_SOURCE_H
#define UDOCKER_IMAGE_SOURCE_H

#include "oci-spec/digest.h"
#include "pkg/archive/inflate.h"
#include "pkg/base/base.h"

struct err;
struct json;
struct layer_txn;
struct store;
struct source;

#define SOURCE_FILES_MAX 65536
#define SOURCE_NAMES_MAX ((size_t)16 << 20) /* bytes of all paths and links of an archive */
#define SOURCE_TEXT_MAX ((size_t)4 << 20)
/* Of all documents together, each time they are read: an index of indexes can name the same ones a million times. */
#define SOURCE_TEXTS_MAX ((size_t)64 << 20)

enum source_type { SOURCE_FILE, SOURCE_DIR, SOURCE_SYMLINK, SOURCE_HARDLINK, SOURCE_OTHER };

struct source_file {
	char *path; /* clean, relative to the top */
	char *link; /* target, of links */
	enum source_type type;
	char *staged; /* name in the staging directory */
	uint64_t size;
	struct digest
		digest; /* of the content as staged; of a blob by the algorithm of its path, else sha256 */
	struct digest *plain; /* what source_plain_digest() found, by the kind of hash */
	enum inflate_kind kind; /* what source_kind() found */
	bool looked_at;
	bool adopted;
};

/*
 * Read a whole archive: tar, compressed in any way or not. A blob whose content is not that of its path
 * (blobs/<algorithm>/<hex>) is ERR_CORRUPT at once, and so is a truncated archive, or one beyond the limits of
 * unpack_max_size and unpack_max_ratio (udocker.conf(5)). `what` names it in messages.
 */
int source_open_archive(struct store *s, int fd, const char *what, struct source **ret, struct err **err);
/* A directory: files are staged as they are asked for. dirfd stays the caller's and must stay open. */
int source_open_dir(struct store *s, int dirfd, const char *what, struct source **ret, struct err **err);
/* The images are stored: progress says so. Without it the line just goes. */
void source_done(struct source *src);
/* What was staged and not adopted is gone. NULL is fine. */
void source_free(struct source *src);
DEFINE_CLEANUP(source_cleanup, struct source, source_free);
#define auto_source CLEANUP(source_cleanup) struct source

const char *source_what(const struct source *src);
bool source_has(struct source *src, const char *path); /* a file, or a link whatever it leads to */

/*
 * The file at a path, links inside the archive followed (FIX-26). ERR_CORRUPT "no 'PATH' in it", "is a directory", "leads out of the archive".
 * Valid as long as the source.
 */
int source_find(struct source *src, const char *path, struct source_file **ret, struct err **err);
/* From now on blobs lie at the top, as <hex>, <hex>.manifest.json or manifest.json. */
void source_set_flat(struct source *src);
/* blobs/<algorithm>/<hex>; its size is compared unless it is negative. */
int source_blob(
	struct source *src, const struct digest *d, int64_t size, struct source_file **ret, struct err **err);

/* Parsed content; larger than SOURCE_TEXT_MAX is ERR_CORRUPT. */
int source_json(struct source *src, const struct source_file *f, struct json **ret, struct err **err);
/* The content as text, NUL-terminated. Caller frees. Each time counts towards SOURCE_TEXTS_MAX. */
int source_text(struct source *src, const struct source_file *f, char **ret, size_t *ret_n, struct err **err);
/* The same once more, to be stored: counts as what the source unpacks to. */
int source_copy(struct source *src, const struct source_file *f, char **ret, size_t *ret_n, struct err **err);
/* How it is compressed, by its first bytes. */
int source_kind(struct source *src, struct source_file *f, enum inflate_kind *ret, struct err **err);
/* A descriptor at its beginning, owned by the caller. */
int source_open(struct source *src, const struct source_file *f, struct err **err);

/* A new file of the set that is not in the archive: a configuration or manifest that was made. A document. */
int source_add(struct source *src, const char *path, const void *p, size_t n, struct source_file **ret,
	struct err **err);
/* The digest of the unpacked content; all of it is read, once. ERR_CORRUPT when it is damaged or beyond the limits. */
int source_plain_digest(
	struct source *src, struct source_file *f, enum sha_kind kind, struct digest *ret, struct err **err);
/* Replace the staged content by its decompressed form (layers in xz or bzip2, for which there is no media type). */
int source_decompress(struct source *src, struct source_file *f, struct err **err);

/* Give the content to the store under its digest. Twice is once. */
int source_adopt(struct source *src, struct source_file *f, struct layer_txn *txn, struct err **err);

#endif
