/* SPDX-License-Identifier: Apache-2.0 */
/* See machine.h. */
#include "engines/trap/machine.h"

#include <stdint.h>

unsigned long machine_page = 4096; /* until the kernel has said */

/* By lines of the caches: the data as far as instructions are fetched from, then what has been fetched. */
void machine_code_changed(unsigned long at, size_t n)
{
	uint64_t type, data, code, end = at + n;

	__asm__("mrs %0, ctr_el0" : "=r"(type));
	code = 4ull << (type & 15);
	data = 4ull << (type >> 16 & 15);
	for (uint64_t line = at & ~(data - 1); line < end; line += data)
		__asm__ volatile("dc cvau, %0" ::"r"(line) : "memory");
	__asm__ volatile("dsb ish" ::: "memory");
	for (uint64_t line = at & ~(code - 1); line < end; line += code)
		__asm__ volatile("ic ivau, %0" ::"r"(line) : "memory");
	__asm__ volatile("dsb ish\n\tisb" ::: "memory");
}
