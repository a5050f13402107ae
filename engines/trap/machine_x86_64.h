/* SPDX-License-Identifier: Apache-2.0 */
/* See machine.h. */
#ifndef UDOCKER_TRAP_MACHINE_X86_64_H
#define UDOCKER_TRAP_MACHINE_X86_64_H

#include <elf.h>
#include <stddef.h>

#define MACHINE_ELF EM_X86_64
#define MACHINE_PAGE_MOST 4096
static const unsigned long machine_page = MACHINE_PAGE_MOST;

/* Where the kernel puts programs that can be anywhere, and the range of what it adds by chance. */
static inline unsigned long machine_pie_base(void)
{
	return 0x555555554000ul;
}

static inline unsigned long machine_pie_range(void)
{
	return 1ul << 40;
}

static inline void machine_set_page(unsigned long size)
{
	(void)size;
}

static inline void machine_code_changed(unsigned long at, size_t n)
{
	(void)at, (void)n; /* the processor looks */
}

/* uname(), as a function. */
static const unsigned char machine_uname[] = { 0xb8, 63, 0, 0, 0, 0x0f, 0x05, 0xc3 };

#endif
