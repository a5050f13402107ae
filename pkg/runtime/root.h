/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state root: where it is (cli(7)), who may own it, and the private directories below it. A directory is filled under a
 * name that no id can have and becomes visible by one rename, so that nobody ever sees half of one.
 */
#ifndef UDOCKER_RUNTIME_ROOT_H
#define UDOCKER_RUNTIME_ROOT_H

#include <sys/types.h>

#include "pkg/base/base.h"

struct err;
struct strv;

#define RUNTIME_PROBE_DIR "@probes" /* what engines were found, below the root; no id has such a name */

#define RUNTIME_ENDED_DIR "@ended" /* what the last run has left */

struct runtime_root {
	int fd; /* -1: it does not exist yet */
	char *path; /* absolute */
	bool own; /* ours alone: what lies in it can be trusted as far as we trust ourselves */
};
#define RUNTIME_ROOT_INIT ((struct runtime_root){ .fd = -1 })

/*
 * Open the state root: `given` (--root; may be shared with others, as a directory of mode 1777), else the caller's own,
 * which must be owned by the caller and closed to others (ERR_DENIED). With `create` it is made if missing, 0700.
 */
int runtime_root_open(const char *given, bool create, struct runtime_root *ret, struct err **err);
void runtime_root_close(struct runtime_root *r); /* leaves it empty */
#define auto_runtime_root CLEANUP(runtime_root_close) struct runtime_root

/* The uid that the host knows the caller by: that of the outer user namespace, as far as /proc tells. */
uid_t runtime_host_uid(void);

/* Ids that have a directory, sorted. */
int runtime_root_list(const struct runtime_root *r, struct strv *ret, struct err **err);

/*
 * A new private directory under a temporary name (*ret_name, caller frees); returns its descriptor, locked for as long
 * as the descriptor is open, or -1. The name holds the mark (mark.h, 0: none), by which a cleaner finds what was started for it.
 */
int runtime_root_stage(const struct runtime_root *r, uint64_t mark, char **ret_name, struct err **err);
/* Give it its id. ERR_EXISTS when that is taken. */
int runtime_root_publish(const struct runtime_root *r, const char *name, const char *id, struct err **err);

/* Take an id away: it vanishes by rename first and is removed then. A missing one is success. */
int runtime_root_remove(const struct runtime_root *r, const char *id, struct err **err);
/*
 * The same for a directory that holds the files `names` (NULL-terminated, relative) and hardly anything else: they are removed now, the
 * directory stays under a name that no id has until runtime_root_sweep(), when there is time to wait for the disk.
 */
int runtime_root_retire(
	const struct runtime_root *r, const char *id, int dirfd, const char *const *names, struct err **err);
void runtime_root_sweep(const struct runtime_root *r);
/* Remove a staged directory. */
void runtime_root_discard(const struct runtime_root *r, const char *name);

/* Remove staged and half-removed directories whose process is gone, and end what it had started. False if others are at work in some. */
bool runtime_root_clean(const struct runtime_root *r);

#endif
