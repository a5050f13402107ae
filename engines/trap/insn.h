/* SPDX-License-Identifier: Apache-2.0 */
/* x86-64 instructions, as much as is needed to walk over a function's end. What is not known (VEX, EVEX, three-byte maps) ends the walk. Pure. */
#ifndef UDOCKER_TRAP_INSN_H
#define UDOCKER_TRAP_INSN_H

#include <stddef.h>
#include <stdint.h>

enum insn_kind {
	INSN_OTHER,
	INSN_END, /* what follows is not reached from here: ret, jmp, hlt, ud2 */
	INSN_PAD, /* nop and int3, of which padding is made */
};

/* The length of the instruction at `p`, of which `n` bytes are there; 0: not known. */
size_t insn_length(const uint8_t *p, size_t n, enum insn_kind *ret);
/*
 * `code` begins with an instruction. The offset of 5 or more bytes of padding that nothing reaches: behind an INSN_END and before an address that is a
 * multiple of 16, or of 8 within a function; `at` is that of `code`. At most `reach`; 0 for none.
 */
size_t insn_find_padding(const uint8_t *code, size_t n, unsigned long at, size_t reach);

#endif
