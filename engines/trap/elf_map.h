/* SPDX-License-Identifier: Apache-2.0 */
/* The segments of an ELF file in memory. */
#ifndef UDOCKER_TRAP_ELF_MAP_H
#define UDOCKER_TRAP_ELF_MAP_H

#include <limits.h>
#include <stdbool.h>

#define ELF_MAX_SEGMENTS 64

struct elf_image {
	unsigned long base; /* what is added to the file's addresses */
	unsigned long low, end; /* the whole of it */
	unsigned long code_end;
	unsigned long entry, phdr, phnum;
	bool dynamic; /* ET_DYN */
	bool executable_stack, go;
	char interpreter[PATH_MAX]; /* "" without */
};

/*
 * Map the 64-bit ELF file open at `fd`; as a program it goes where the kernel puts programs, as an interpreter anywhere. 0, -ENOEXEC for what is
 * no such file, or what mmap() says.
 */
long elf_map(int fd, bool is_program, struct elf_image *ret);

#endif
