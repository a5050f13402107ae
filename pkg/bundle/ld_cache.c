/* SPDX-License-Identifier: Apache-2.0 */
/* The cache of the dynamic loader, read without running anything. */
#include "pkg/bundle/ld_cache.h"

#include <string.h>

#include "pkg/base/mem.h"
#include "pkg/base/path.h"
#include "pkg/base/strv.h"

#define MAGIC "glibc-ld.so.cache1.1"

struct header {
	char magic[sizeof(MAGIC) - 1];
	uint32_t n_libs, string_bytes;
	uint8_t flags, padding[3];
	uint32_t extension_offset, unused[3];
};

struct entry {
	int32_t flags;
	uint32_t key, value; /* offsets from the header: the name, the path */
	uint32_t os_version;
	uint64_t hwcap;
};

static bool is_wanted(const char *name, const char *const *prefixes)
{
	for (; *prefixes; prefixes++)
		if (str_starts(name, *prefixes))
			return true;
	return false;
}

void ld_cache_dirs(const char *data, size_t n, const char *const *prefixes, struct strv *ret)
{
	const char *start = n > 0 ? memmem(data, n, MAGIC, sizeof(MAGIC) - 1) : NULL;
	struct header h;
	size_t room;

	if (!start)
		return;
	n -= (size_t)(start - data);
	if (n < sizeof(h))
		return;
	memcpy(&h, start, sizeof(h));
	room = (n - sizeof(h)) / sizeof(struct entry);
	for (size_t i = 0; i < h.n_libs && i < room; i++) {
		autofree char *dir = NULL;
		struct entry e;

		memcpy(&e, start + sizeof(h) + i * sizeof(e), sizeof(e));
		if (e.value >= n || !memchr(start + e.value, '\0', n - e.value) || start[e.value] != '/' ||
			!is_wanted(path_base(start + e.value), prefixes))
			continue;
		dir = path_dir(start + e.value);
		if (!strv_has(ret, dir))
			strv_add(ret, dir);
	}
}
