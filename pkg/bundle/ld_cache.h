/* SPDX-License-Identifier: Apache-2.0 */
/* /etc/ld.so.cache as glibc's ldconfig writes it (the format of glibc 2.2 and later, alone or behind the older one). */
#ifndef UDOCKER_BUNDLE_LD_CACHE_H
#define UDOCKER_BUNDLE_LD_CACHE_H

#include "pkg/base/base.h"

struct strv;

#define LD_CACHE_MAX_BYTES ((size_t)64 << 20)

/*
 * Append the directories of libraries whose file names begin with one of `prefixes` (ended by NULL), each once, in the cache's order. Text that
 * is no cache, or one that contradicts itself, has none: every offset is checked.
 */
void ld_cache_dirs(const char *data, size_t n, const char *const *prefixes, struct strv *ret);

#endif
