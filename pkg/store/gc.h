/* SPDX-License-Identifier: Apache-2.0 */
/* Blobs nobody links, tags that were begun and never finished, dead staging directories: found and removed. */
#ifndef UDOCKER_GC_H
#define UDOCKER_GC_H

#include "pkg/base/base.h"
#include "pkg/base/strv.h"

struct err;
struct store;

/*
 * Every name in layers/ that some link below repos/ leads to (last component of the target, whatever the link is called), sorted, each
 * once, into an empty ret. An error means that nothing may be concluded.
 */
int gc_linked(struct store *s, struct strv *ret, struct err **err);

enum gc_flags { GC_DRY_RUN = 1 };
/* A blob younger than this stays: a 1.3.x pull, which takes no locks, links its blobs only after it has downloaded them. */
#define GC_MIN_AGE_S 600

struct gc_result {
	struct strv blobs; /* names removed, or to be removed */
	uint64_t bytes;
};
#define GC_RESULT_INIT ((struct gc_result){ 0 })
/*
 * Blobs no image links; unless it is a dry run also empty folders below repos/, tags that were begun and never finished, and what dead
 * writers left in .stage/ and layers/. Safe beside other writers: what one of them has just brought is left to him. Caller frees the result.
 */
int gc_collect(struct store *s, unsigned flags, int min_age_s, struct gc_result *ret, struct err **err);
void gc_result_free(struct gc_result *r);

/* Of these blobs remove those no image links. Never an error: it serves rm, rollbacks and the clearing of dead staging directories. */
void gc_drop(struct store *s, const struct strv *names);

/*
 * No lock is needed for that, since other hosts may not see ours and some file systems have none: a blob is first moved to layers/.gc,
 * then the links are read once more; if there is one by now it is moved back. A writer makes its links first and then looks whether the
 * blobs are there. So either we see the link, or the writer sees the blob missing; it can take it back with gc_regain().
 */

/* Hidden by one of us and still there: move it back. */
bool gc_regain(struct store *s, const char *name);
/* The same for readers: open it where it is. -1 when it is not there. */
int gc_open_hidden(struct store *s, const char *name);
/* Finish what a process that was killed had begun: its hidden blobs are moved back or removed. */
void gc_recover(struct store *s);

#endif
