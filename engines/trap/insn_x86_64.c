/* SPDX-License-Identifier: Apache-2.0 */
/* Lengths of instructions: see insn.h. */
#include "engines/trap/insn.h"

#include <stdbool.h>

#define PADDING 5 /* a jump with 32 bits */

enum operand {
	UNKNOWN = 0,
	NONE = 1,
	MODRM = 2,
	IMM8 = 4,
	IMM16 = 8,
	IMMZ = 16, /* 32 bits, or 16 with an operand-size prefix */
	IMMV = 32, /* 64 bits with REX.W */
	ADDRESS = 64, /* 64 bits */
};

struct insn {
	const uint8_t *p, *end;
	bool size16, rex_w, address32, is_repeated;
	uint8_t op, modrm;
	bool is_two_bytes;
};

static unsigned operands_of_one(const struct insn *i)
{
	switch (i->op) {
	case 0x00 ... 0x3f:
		return (i->op & 7) < 4 ? MODRM : (i->op & 7) == 4 ? IMM8 : (i->op & 7) == 5 ? IMMZ : UNKNOWN;
	case 0x50 ... 0x5f:
	case 0x6c ... 0x6f:
	case 0x90 ... 0x99:
	case 0x9b ... 0x9f:
	case 0xa4 ... 0xa7:
	case 0xaa ... 0xaf:
	case 0xc3:
	case 0xc9:
	case 0xcc:
	case 0xec ... 0xef:
	case 0xf4 ... 0xf5:
	case 0xf8 ... 0xfd:
		return NONE;
	case 0x63:
	case 0x84 ... 0x8e:
	case 0xd0 ... 0xd3:
	case 0xd8 ... 0xdf:
	case 0xfe ... 0xff:
		return MODRM;
	case 0x68:
	case 0xa9:
	case 0xe8 ... 0xe9:
		return i->op == 0xe8 || i->op == 0xe9 ? (i->size16 ? UNKNOWN : IMMZ) : IMMZ;
	case 0x6a:
	case 0x70 ... 0x7f:
	case 0xa8:
	case 0xb0 ... 0xb7:
	case 0xcd:
	case 0xe0 ... 0xe7:
	case 0xeb:
		return IMM8;
	case 0x69:
	case 0x81:
	case 0xc7:
		return MODRM | IMMZ;
	case 0x6b:
	case 0x80:
	case 0x83:
	case 0xc0 ... 0xc1:
	case 0xc6:
		return MODRM | IMM8;
	case 0xa0 ... 0xa3:
		return ADDRESS;
	case 0xb8 ... 0xbf:
		return IMMV;
	case 0xc2:
		return IMM16;
	case 0xf6:
		return (i->modrm & 0x38) < 0x10 ? MODRM | IMM8 : MODRM;
	case 0xf7:
		return (i->modrm & 0x38) < 0x10 ? MODRM | IMMZ : MODRM;
	default:
		return UNKNOWN;
	}
}

static unsigned operands_of_two(const struct insn *i)
{
	switch (i->op) {
	case 0x05:
	case 0x0b:
	case 0x31:
	case 0x77:
	case 0xa2:
	case 0xc8 ... 0xcf:
		return NONE;
	case 0x10 ... 0x1f:
	case 0x28 ... 0x2f:
	case 0x40 ... 0x6f:
	case 0x74 ... 0x76:
	case 0x7c ... 0x7f:
	case 0x90 ... 0x9f:
	case 0xa3:
	case 0xa5:
	case 0xab:
	case 0xad ... 0xb1:
	case 0xb3:
	case 0xb6 ... 0xb7:
	case 0xbb ... 0xc1:
	case 0xd0 ... 0xfe:
		return MODRM;
	case 0x70 ... 0x73:
	case 0xa4:
	case 0xac:
	case 0xba:
	case 0xc2:
	case 0xc6:
		return MODRM | IMM8;
	case 0x80 ... 0x8f:
		return i->size16 ? UNKNOWN : IMMZ;
	default:
		return UNKNOWN;
	}
}

static bool is_prefix(struct insn *i, uint8_t c)
{
	switch (c) {
	case 0x66:
		i->size16 = true;
		return true;
	case 0x67:
		i->address32 = true;
		return true;
	case 0xf2 ... 0xf3:
		i->is_repeated = true;
		return true;
	case 0xf0:
	case 0x26:
	case 0x2e:
	case 0x36:
	case 0x3e:
	case 0x64 ... 0x65:
		return true;
	default:
		return false;
	}
}

/* Prefixes and opcode; the byte behind it is looked at as if it were a ModRM byte. */
static bool read_opcode(struct insn *i)
{
	while (i->p < i->end && is_prefix(i, *i->p))
		i->p++;
	if (i->p < i->end && (*i->p & 0xf0) == 0x40)
		i->rex_w = *i->p++ & 8;
	if (i->p < i->end && *i->p == 0x0f) {
		i->is_two_bytes = true;
		i->p++;
	}
	if (i->p >= i->end)
		return false;
	i->op = *i->p++;
	i->modrm = i->p < i->end ? *i->p : 0;
	return true;
}

/* The bytes of a ModRM operand. */
static size_t modrm_length(const struct insn *i)
{
	unsigned mod = i->modrm >> 6, rm = i->modrm & 7;
	size_t n = 1;

	if (mod == 3)
		return n;
	if (rm == 4) {
		if (i->p + 1 >= i->end)
			return 64; /* past the end */
		n++;
		if (mod == 0 && (i->p[1] & 7) == 5)
			n += 4;
	} else if (mod == 0 && rm == 5) {
		n += 4;
	}
	return n + (mod == 1 ? 1 : mod == 2 ? 4 : 0);
}

static enum insn_kind kind_of(const struct insn *i)
{
	if (i->is_two_bytes)
		return i->op == 0x0b ? INSN_END : i->op == 0x1f ? INSN_PAD : INSN_OTHER;
	switch (i->op) {
	case 0xc2 ... 0xc3:
	case 0xe9:
	case 0xeb:
	case 0xf4:
		return INSN_END;
	case 0x90:
		return i->is_repeated ? INSN_OTHER : INSN_PAD;
	case 0xcc:
		return INSN_PAD;
	case 0xff:
		return (i->modrm & 0x38) == 0x20 ? INSN_END : INSN_OTHER;
	default:
		return INSN_OTHER;
	}
}

size_t insn_length(const uint8_t *p, size_t n, enum insn_kind *ret)
{
	struct insn i = { .p = p, .end = p + n };
	unsigned operands;
	size_t length;

	if (!read_opcode(&i))
		return 0;
	operands = i.is_two_bytes ? operands_of_two(&i) : operands_of_one(&i);
	if (operands == UNKNOWN)
		return 0;
	length = (size_t)(i.p - p);
	if (operands & MODRM)
		length += modrm_length(&i);
	length += operands & IMM8 ? 1 : 0;
	length += operands & IMM16 ? 2 : 0;
	length += operands & (IMMZ | IMMV) ? (operands & IMMV && i.rex_w ? 8 : i.size16 ? 2 : 4) : 0;
	length += operands & ADDRESS ? (i.address32 ? 4 : 8) : 0;
	*ret = kind_of(&i);
	return length <= n ? length : 0;
}

/*
 * Functions begin at multiples of 16, and so does what they jump to in their hot parts. What ends 8 off was put before a cold part of the same
 * function, unless it is where a function begins: some have nops there.
 */
static bool is_padding(unsigned long from, unsigned long to)
{
	return to - from >= PADDING && (to % 16 == 0 || (to % 8 == 0 && from % 16 != 0));
}

size_t insn_find_padding(const uint8_t *code, size_t n, unsigned long at, size_t reach)
{
	size_t here = 0, length;
	enum insn_kind kind;

	while (here < n && (length = insn_length(code + here, n - here, &kind)) > 0) {
		size_t from = here += length, to = from;

		if (kind != INSN_END)
			continue;
		if (from > reach)
			break;
		while (to < n && (length = insn_length(code + to, n - to, &kind)) > 0 && kind == INSN_PAD &&
			(to == from || ((at + to) % 16 && !is_padding(at + from, at + to))))
			to += length;
		if (is_padding(at + from, at + to))
			return from;
	}
	return 0;
}
