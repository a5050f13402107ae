/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PRoot writes the small program that loads others, which it carries in itself, to a temporary file at every start and removes it again.
 * A copy that is kept beside the remembered probes (probe_cache.h) saves that; PROOT_LOADER names it.
 */
#ifndef UDOCKER_PROOT_LOADER_H
#define UDOCKER_PROOT_LOADER_H

#include "pkg/base/base.h"

/* Take the loader out of this PRoot and keep it. Its path, which the caller frees; NULL where there is none or nothing is remembered. */
char *proot_loader_keep(const char *proot);
/* The path of the copy that was kept, which the caller frees; NULL when it is not there (any more). */
char *proot_loader_kept(const char *proot);

/* A directory for PRoot's temporary files beside the kept loaders, caller frees; NULL where there is none. */
char *proot_loader_tmp(void);

/*
 * Exported for the tests: the native static executable inside these bytes of an executable. False if there is none, or more than one;
 * *ret_at and *ret_len lie within the bytes.
 */
bool proot_loader_locate(const unsigned char *bytes, size_t n, size_t *ret_at, size_t *ret_len);

#endif
