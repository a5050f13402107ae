/* SPDX-License-Identifier: Apache-2.0 */
/*
 * layers/: blobs, shared by all images. A blob we write is called by its digest ("sha256:<hex>"); udocker 1.3.x also left
 * "<id>.layer" and "<id>.json". A blob appears under its name only when it is complete and its digest was checked.
 */
#ifndef UDOCKER_LAYERS_H
#define UDOCKER_LAYERS_H

#include "pkg/base/base.h"
#include "pkg/base/sha256.h"

struct digest;
struct err;
struct store;
struct strv;

/* "sha256:" and 64, or "sha512:" and 128 lower-case hexadecimal digits: what a blob we write is called. */
bool layer_name_is_digest(const char *name);
/* A name that may be looked up in layers/: one component, not hidden, no control characters. */
bool layer_name_is_valid(const char *name);

/* True if the blob is there and a regular file (links do not count: 1.3.x left dangling ones). *ret_size may be NULL. */
bool layer_exists(struct store *s, const char *name, uint64_t *ret_size);

/*
 * Open for reading. ERR_NOT_FOUND when it is not there (1.3.x may delete at any moment), ERR_CORRUPT when it is no file.
 * Returns the descriptor, owned by the caller.
 */
int layer_open(struct store *s, const char *name, uint64_t *ret_size, struct err **err);

/* True if image_open_held() keeps it open. */
bool layer_held(const struct store *s, const char *name);

/*
 * A blob that another removes or has removed while we have just linked it is taken back, if that is possible: it is hidden still (gc.h),
 * or this process brought it itself and has kept a second name. True if it is there.
 */
bool layer_regain(struct store *s, const char *name);

/* The digest of a blob's stored bytes, whatever its name is. */
int layer_digest(struct store *s, const char *name, enum sha_kind kind, struct digest *ret, struct err **err);
/* Hash the stored bytes of a blob called by its digest: ERR_CORRUPT on a mismatch, ERR_UNSUPPORTED if the name is none. */
int layer_verify(struct store *s, const char *name, struct err **err);

/*
 * What one load, pull or import has added to layers/ so that a failure can take it back. Zeroed to begin with. Blobs that were
 * there before are not listed.
 */
struct layer_txn {
	char **v;
	size_t n, cap;
};
#define LAYER_TXN_INIT ((struct layer_txn){ 0 })
void layer_txn_add(struct layer_txn *txn, const char *name);
/* Remove those blobs that no image links, unless other writers are at work (then they stay for `prune`). Frees the list. */
void layer_txn_rollback(struct store *s, struct layer_txn *txn);
/* Everything is linked: forget the list. */
void layer_txn_done(struct layer_txn *txn);

/* A blob being written: a file in the staging directory, hashed as it grows, renamed to its digest by layer_writer_commit(). */
struct layer_writer;
/* The store must be open for writing. `digest` (may be NULL) chooses the algorithm and is what commit will demand. */
int layer_writer_begin(struct store *s, const char *digest, struct layer_writer **ret, struct err **err);
int layer_writer_write(struct layer_writer *w, const void *p, size_t n, struct err **err);
uint64_t layer_writer_size(const struct layer_writer *w);
/*
 * Check digest and size (size < 0: unknown), make it durable and visible. ERR_CORRUPT when they do not agree. A blob of that name that is
 * there already is replaced by the same bytes, which mends a damaged one. *ret_digest (may be NULL) belongs to the caller; txn may be NULL.
 * w is freed in every case.
 */
int layer_writer_commit(
	struct layer_writer *w, int64_t size, struct layer_txn *txn, char **ret_digest, struct err **err);
/* Drop it: nothing is left behind. NULL is fine. */
void layer_writer_abort(struct layer_writer *w);
DEFINE_CLEANUP(layer_writer_cleanup, struct layer_writer, layer_writer_abort);
#define auto_layer_writer CLEANUP(layer_writer_cleanup) struct layer_writer

/*
 * Take over a file that was staged and hashed elsewhere: made durable, and renamed (copied, where the file systems differ) to its
 * digest, which the caller vouches for. The name in dirfd is gone afterwards. It keeps another in the process's staging directory, so
 * that it can be brought once more, and prune knows that somebody has to do with it.
 */
int layer_adopt(struct store *s, int dirfd, const char *name, const struct digest *digest,
	struct layer_txn *txn, struct err **err);

/*
 * The same without taking the name away: the file becomes the blob by a further name. Returns 1, or 0 where that cannot be (another file
 * system, no hard links, not ours, a blob of that digest is there): layer_adopt() a copy then. Whoever keeps the first name can still write into the
 * blob: it has to go soon.
 */
int layer_link(struct store *s, int dirfd, const char *name, const struct digest *digest,
	struct layer_txn *txn, struct err **err);

/* A small blob all at once (a config, a synthesised manifest). */
int layer_put(
	struct store *s, const void *p, size_t n, struct layer_txn *txn, char **ret_digest, struct err **err);

#endif
