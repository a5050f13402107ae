/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An image on its way: what a pull is fetching, told to other processes, so that they can begin with what has arrived. The manifest lies in layers/ as
 * `.partial-image-<hash of the reference>` (with a number behind it for further pulls of the same), locked for as long as the pull lives; blobs are followed where they grow (partial.h). Followers only read:
 * whoever follows checks what he read against the digests himself, and uses it when the tag is there.
 */
#ifndef UDOCKER_COMING_H
#define UDOCKER_COMING_H

#include "pkg/base/base.h"

struct err;
struct image;
struct store;

/* ---- the pull's side ---- */
struct announcement;
/* `name` is what reference_show() gives. NULL when it cannot be announced (locks are refused): then nobody follows, and nothing else is different. */
struct announcement *coming_announce(struct store *s, const char *name, const void *manifest, size_t n);
/* The tag is there, or never will be. NULL is fine. */
void coming_end(struct announcement *a);
DEFINE_CLEANUP(coming_cleanup_announcement, struct announcement, coming_end);
#define auto_announcement CLEANUP(coming_cleanup_announcement) struct announcement

/* ---- the followers' side ---- */
struct coming;
/* 1: a pull is fetching what `ref` names (*ret, caller closes); 0: none is, or the reference is none; -1. s must outlive *ret. */
int coming_open(struct store *s, const char *ref, struct coming **ret, struct err **err);
void coming_close(struct coming *c);
DEFINE_CLEANUP(coming_cleanup, struct coming, coming_close);
#define auto_coming CLEANUP(coming_cleanup) struct coming

/* Whether a pull is fetching it: coming_open() in short. */
bool coming_exists(struct store *s, const char *ref);
/* The image as it will be (without folder: .fd is -1, .dir NULL); its blobs may be missing. Belongs to c. */
const struct image *coming_image(const struct coming *c);
/* The pull has not ended. */
bool coming_is_alive(const struct coming *c);
/* Wait for its end. -1: interrupted. */
int coming_wait(const struct coming *c, struct err **err);

/* A blob of it, complete or growing. */
struct coming_blob;
/*
 * `size` as the manifest has it (negative: unknown). 1: *ret; 0: it has not begun. `c` must outlive *ret. ERR_NETWORK when the pull has ended
 * and the blob is not there.
 */
int coming_blob_open(
	const struct coming *c, const char *name, int64_t size, struct coming_blob **ret, struct err **err);
void coming_blob_close(struct coming_blob *b);
DEFINE_CLEANUP(coming_blob_cleanup, struct coming_blob, coming_blob_close);
#define auto_coming_blob CLEANUP(coming_blob_cleanup) struct coming_blob

/* To be read from its beginning. Belongs to b. */
int coming_blob_fd(const struct coming_blob *b);
/*
 * At the end of what there is: 0: it is complete; 1: read again (a moment was waited); -1: ERR_NETWORK when the pull has ended, ERR_CORRUPT when it began the
 * blob anew in another file. `arg` is the blob: this is archive/inflate.h's inflate_more_fn.
 */
int coming_blob_more(void *arg, struct err **err);
/* Sleep as long as is sensible before looking again for what has not begun. */
void coming_pause(void);

#endif
