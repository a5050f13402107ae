/* SPDX-License-Identifier: Apache-2.0 */
/* The trap engine: which names of components may be those of mount points, so that a path is walked. */
#include <stdio.h>

#include "engines/trap/path.h"
#include "engines/trap/state.h"
#include "tests/unit/tap.h"

static const char *const usual[] = { "proc", "dev", "sys", "mounts", "mountinfo", "mountstats", "status",
	"maps", "smaps", "numa_maps", "exe", "cwd", "root", "resolv.conf", "hosts", "passwd", "group" };
#define USUAL (sizeof(usual) / sizeof(usual[0]))

static uint32_t hash_of(const char *s)
{
	uint32_t h = PATH_HASH;

	while (*s)
		h = path_hash(h, *s++);
	return h;
}

/* How many of 5,000 names of files are taken for one of a mount point. */
static int mistaken(const struct trap_state *s, const char *before, const char *behind)
{
	int n = 0;
	char name[32];

	for (int i = 0; i < 5000; i++) {
		(void)snprintf(name, sizeof(name), "%s%d%s", before, i, behind);
		n += trap_is_last_name(s, hash_of(name));
	}
	return n;
}

int main(void)
{
	static struct trap_state s;
	char name[32];
	size_t found = 0;

	for (size_t i = 0; i < USUAL; i++)
		trap_add_last_name(&s, hash_of(usual[i]));
	for (size_t i = 0; i < USUAL; i++)
		found += trap_is_last_name(&s, hash_of(usual[i]));
	is_int((long)found, USUAL, "names of mount points are all known");
	ok(mistaken(&s, "", "") < 10, "numbers are none");
	ok(mistaken(&s, "file", ".c") < 10, "nor other names");
	for (int i = 0; i < TRAP_MAX_BINDS; i++) {
		(void)snprintf(name, sizeof(name), "volume-%d", i);
		trap_add_last_name(&s, hash_of(name));
	}
	ok(mistaken(&s, "", "") < 250, "few are mistaken with as many binds as there may be");
	return tap_done();
}
