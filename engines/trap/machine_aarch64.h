/* SPDX-License-Identifier: Apache-2.0 */
/* See machine.h. Kernels have pages of 4, 16 or 64 KiB and addresses of 36 to 48 bits: the first is told at the start, the second shows. */
#ifndef UDOCKER_TRAP_MACHINE_AARCH64_H
#define UDOCKER_TRAP_MACHINE_AARCH64_H

#include <elf.h>
#include <stddef.h>

#define MACHINE_ELF EM_AARCH64
#define MACHINE_PAGE_MOST 65536
extern unsigned long machine_page;

static inline void machine_set_page(unsigned long size)
{
	machine_page = size;
}

/* The end of what a process can have: its stack is the last thing in it. */
static inline unsigned long machine_top(void)
{
	unsigned long on_stack = (unsigned long)__builtin_frame_address(0);

	return 1ul << (64 - __builtin_clzl(on_stack));
}

static inline unsigned long machine_pie_base(void)
{
	return machine_top() / 3 * 2 & ~(unsigned long)(MACHINE_PAGE_MOST - 1);
}

static inline unsigned long machine_pie_range(void)
{
	return machine_top() >> 8;
}

void machine_code_changed(unsigned long at, size_t n);

/* uname(), as a function. */
static const unsigned char machine_uname[] = { 0x08, 0x14, 0x80, 0xd2, 0x01, 0, 0, 0xd4, 0xc0, 0x03, 0x5f,
	0xd6 };

#endif
