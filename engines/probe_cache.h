/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Remembers what probing an executable found, so that a start runs the engine once and not twice. One small file per engine name
 * and executable in the directory of engine_set_cache_dir(). Never an error: what cannot be read or written is probed again. Within
 * the process it is remembered in any case; threads may ask at once.
 */
#ifndef UDOCKER_PROBE_CACHE_H
#define UDOCKER_PROBE_CACHE_H

#include "pkg/base/base.h"

/* What is remembered. */
struct probe_facts {
	char *version; /* "5.1.0" */
	char *detail; /* the engine's own: the version of the specification; "" if none */
	unsigned flags;
};
void probe_facts_free(struct probe_facts *f); /* leaves it empty */

/*
 * The key of an executable: device, inode, size, times, kernel release, the caller's uid, and the kernel settings that decide whether
 * engines work (a change of them must be seen). The caller frees it. NULL when the file cannot be looked at.
 */
char *probe_cache_key(const char *path);

/* True and *ret filled when this name was remembered under this key. */
bool probe_cache_load(const char *name, const char *key, struct probe_facts *ret);
void probe_cache_save(const char *name, const char *key, const struct probe_facts *facts);

/* Keep an executable file beside them, replaced by rename. False when it could not be. */
bool probe_cache_put(const char *name, const void *bytes, size_t n);
/* Where that is, or would be; the caller frees it. NULL when nothing is remembered, or the directory is not ours alone. */
char *probe_cache_path(const char *name);

/* The number in a file of one number below /proc/sys, or `missing`. */
long probe_sysctl(const char *path, long missing);

#endif
