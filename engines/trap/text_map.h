/* SPDX-License-Identifier: Apache-2.0 */
/* Which mapping an address lies in: only what came from a file, private and not writable, is code that may be changed. */
#ifndef UDOCKER_TRAP_TEXT_MAP_H
#define UDOCKER_TRAP_TEXT_MAP_H

#include <stdbool.h>

struct text_range {
	unsigned long from, to;
};

/* Is the address in code of a file? Known ranges are remembered. */
bool text_map_find(unsigned long address, struct text_range *ret);
/* A line of /proc/self/maps: true if it is such code. For tests. */
bool text_map_parse(const char *line, struct text_range *ret);

#endif
