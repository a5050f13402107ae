/* SPDX-License-Identifier: Apache-2.0 */
/* An open-addressed set of hashes. The seed is random, so that nobody can prepare a layer whose paths all meet in one slot. */
#include "pkg/archive/seen.h"

#include "pkg/base/id.h"
#include "pkg/base/mem.h"

#define FIRST_CAP 1024
#define FNV_PRIME 0x100000001b3u

static uint64_t finish(uint64_t h)
{
	h ^= h >> 32;
	h *= 0x9fb21c651e98df25u;
	h ^= h >> 29;
	return h ? h : 1;
}

static void insert(struct seen *s, uint64_t h)
{
	size_t i = h & (s->cap - 1);

	while (s->slots[i] && s->slots[i] != h)
		i = (i + 1) & (s->cap - 1);
	s->n += !s->slots[i];
	s->slots[i] = h;
}

static void add_hash(struct seen *s, uint64_t h)
{
	if (4 * s->n >= 3 * s->cap) {
		uint64_t *old = s->slots;
		size_t old_cap = s->cap;

		s->cap = old_cap ? 2 * old_cap : FIRST_CAP;
		s->slots = xcalloc(s->cap, sizeof(*s->slots));
		s->n = 0;
		for (size_t i = 0; i < old_cap; i++)
			if (old[i])
				insert(s, old[i]);
		free(old);
	}
	insert(s, h);
}

void seen_add(struct seen *s, const char *path, bool parents)
{
	uint64_t h;

	if (!s->cap) {
		char hex[17];

		id_random_hex(hex, 16);
		for (int i = 0; i < 16; i++)
			s->seed = s->seed << 4 | (uint64_t)(hex[i] <= '9' ? hex[i] - '0' : hex[i] - 'a' + 10);
	}
	h = s->seed;
	for (; *path; path++) {
		if (*path == '/' && parents)
			add_hash(s, finish(h));
		h = (h ^ (unsigned char)*path) * FNV_PRIME;
	}
	add_hash(s, finish(h));
}

bool seen_has(const struct seen *s, const char *path)
{
	uint64_t h = s->seed;
	size_t i;

	if (!s->cap)
		return false;
	for (; *path; path++)
		h = (h ^ (unsigned char)*path) * FNV_PRIME;
	h = finish(h);
	for (i = h & (s->cap - 1); s->slots[i]; i = (i + 1) & (s->cap - 1))
		if (s->slots[i] == h)
			return true;
	return false;
}

void seen_free(struct seen *s)
{
	free(s->slots);
	*s = SEEN_INIT;
}
