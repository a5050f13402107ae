/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sites of system calls of x86-64 and what takes their place: see rewrite.h.
 *
 *   mov $NR,%eax; syscall      the mov becomes a jump to a veneer; the syscall stays, for who stands before it
 *   syscall … ret; padding     the syscall becomes a short jump into the padding, which becomes a jump to a veneer
 *
 * A veneer is one of a page of equal ones, that is made executable once and never changed: what differs lies in the page behind it. It sends the one
 * number that trapped here to the stub and makes any other call itself, without a stack, since that call may be clone().
 */
#include "engines/trap/rewrite.h"

#include <linux/sched.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

#include "engines/trap/insn.h"
#include "engines/trap/mem.h"
#include "engines/trap/rewrite_form.h"
#include "engines/trap/sys.h"

#define PAGE 4096ul
#define SLOT 40
#define SLOTS (PAGE / SLOT)

extern const char trap_stub[];

const struct rewrite_form rewrite_form = {
	.reach = 0x78000000ul,
	.step = 16ul << 20,
	.step_above = 1ul << 30, /* not where the heap of a program at a low address grows */
	.pages = 2,
	.veneer = SLOT,
};

struct slot {
	uint64_t next, nr;
};

/* The page behind a page of veneers. */
struct area_data {
	uint64_t stub;
	struct slot slot[SLOTS];
};

bool rewrite_is_small_stack(unsigned long next)
{
	static const uint8_t go[] = { 0x48, 0x3d, 0x01, 0xf0, 0xff, 0xff, 0x76 };
	uint8_t code[sizeof(go)];

	if ((next & (PAGE - 1)) <= PAGE - sizeof(go))
		return memcmp((const void *)next, go, sizeof(go)) == 0;
	return guest_read(code, (const void *)next, sizeof(code)) == 0 && memcmp(code, go, sizeof(go)) == 0;
}

/* ---- veneers ---- */
static uint8_t *put(uint8_t *to, const char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		*to++ = (uint8_t)bytes[i];
	return to;
}

/* The distance to `data` from the instruction's end, which is where this field ends. */
static uint8_t *put_distance(uint8_t *to, const void *data)
{
	int32_t d = (int32_t)((const uint8_t *)data - (to + 4));

	memcpy(to, &d, sizeof(d));
	return to + 4;
}

/* Offset of the entry that does not set eax. */
#define VENEER_HOP 6

static void write_veneer(uint8_t *to, struct area_data *data, unsigned i)
{
	to = put_distance(put(to, "\x8b\x05", 2), &data->slot[i].nr); /* mov nr,%eax */
	to = put_distance(put(to, "\x3b\x05", 2), &data->slot[i].nr); /* cmp nr,%eax */
	to = put(to, "\x75\x0d", 2); /* jne over the next two */
	to = put_distance(put(to, "\x48\x8b\x0d", 3), &data->slot[i].next); /* mov next,%rcx */
	to = put_distance(put(to, "\xff\x25", 2), &data->stub); /* jmp *stub */
	to = put(to, "\x0f\x05", 2); /* syscall */
	put_distance(put(to, "\xff\x25", 2), &data->slot[i].next); /* jmp *next */
}

bool rewrite_fill_area(unsigned long at)
{
	struct area_data *data = (struct area_data *)(at + PAGE);

	data->stub = (uint64_t)(uintptr_t)trap_stub;
	for (unsigned s = 0; s < SLOTS; s++)
		write_veneer((uint8_t *)at + (size_t)s * SLOT, data, s);
	return SYS(mprotect, at, PAGE, PROT_READ | PROT_EXEC) == 0;
}

/* A veneer that can be reached from `next`, or 0. */
static unsigned long take_veneer(unsigned long next, long nr, const struct text_range *text)
{
	struct rewrite_area *area = rewrite_find_area(next, text);
	struct area_data *data;

	if (!area)
		return 0;
	data = (struct area_data *)(area->at + PAGE);
	data->slot[area->used] = (struct slot){ next, (uint64_t)nr };
	return rewrite_take_veneer(area);
}

/* ---- text ---- */
static bool is_one_word(unsigned long at, size_t n)
{
	return (at & 7) + n <= 8;
}

/*
 * Does nobody else execute this memory? Then what takes two stores is seen by nobody half done. The call changes nothing: it fails if the memory
 * is shared with a thread or with who waits for a vfork().
 */
static bool is_alone(void)
{
	return SYS(unshare, CLONE_VM) == 0;
}

/* Bytes of one aligned word, in one store: other threads see all or nothing of it. There are none if it is not one word. */
static void store(unsigned long at, const uint8_t *bytes, size_t n)
{
	uint64_t *word = (uint64_t *)(at & ~7ul), value;

	if (!is_one_word(at, n)) {
		memcpy((void *)at, bytes, n);
		return;
	}
	value = *word;
	memcpy((uint8_t *)&value + (at & 7), bytes, n);
	__atomic_store_n(word, value, __ATOMIC_SEQ_CST);
}

static void encode_jump(uint8_t out[5], unsigned long at, unsigned long to)
{
	int32_t d = (int32_t)(to - (at + 5));

	out[0] = 0xe9;
	memcpy(out + 1, &d, sizeof(d));
}

static bool is_mov_form(unsigned long next, long nr, const struct text_range *text)
{
	const uint8_t *s = (const uint8_t *)next - 7;
	int32_t value;

	if (next - 8 < text->from || s[0] != 0xb8)
		return false;
	memcpy(&value, s + 1, sizeof(value));
	/* With a REX prefix it is another register, or another instruction's end. */
	return value == nr && (s[-1] & 0xf0) != 0x40;
}

static bool rewrite_mov(unsigned long next, long nr, const struct text_range *text)
{
	unsigned long veneer = take_veneer(next, nr, text), at = next - 7;
	uint8_t jump[5];

	if (!veneer || !rewrite_allow_writing(at, at + sizeof(jump)))
		return false;
	encode_jump(jump, at, veneer);
	store(at, jump, sizeof(jump));
	rewrite_forbid_writing(at, at + sizeof(jump));
	rewrite_counts.number++;
	return true;
}

static unsigned long find_padding(unsigned long next, const struct text_range *text)
{
	unsigned long end = (next & ~(PAGE - 1)) + PAGE; /* one page more than the call's is not changed */
	size_t d;

	if (end > text->to)
		end = text->to;
	d = insn_find_padding((const uint8_t *)next, end - next, next, 127);
	return d ? next + d : 0;
}

static bool rewrite_hop(unsigned long next, long nr, unsigned long padding, const struct text_range *text)
{
	unsigned long veneer = take_veneer(next, nr, text);
	unsigned long end = padding + 5;
	uint8_t jump[5], hop[2] = { 0xeb, (uint8_t)(padding - next) };

	if (!veneer || !rewrite_allow_writing(next - 2, end))
		return false;
	encode_jump(jump, padding, veneer + VENEER_HOP);
	memcpy((void *)padding, jump, sizeof(jump));
	rewrite_make_others_see();
	store(next - 2, hop, sizeof(hop));
	rewrite_forbid_writing(next - 2, end);
	rewrite_counts.call++;
	return true;
}

/*
 * The one instruction that musl, and glibc since 2.41, make all calls with that can be cancelled: their handler of the cancelling signal knows its
 * address, so that other calls are to be made there and not in a veneer.
 */
static bool is_for_any(unsigned long next)
{
	return *(const uint8_t *)next == 0xc3;
}

bool rewrite_change(unsigned long next, long nr, const struct text_range *text)
{
	const uint8_t *call = (const uint8_t *)next - 2;
	const bool known = next - 2 >= text->from && call[0] == 0x0f && call[1] == 0x05;
	unsigned long padding;

	if (known && is_mov_form(next, nr, text) && (is_one_word(next - 7, 5) || is_alone()))
		return rewrite_mov(next, nr, text);
	padding = !known || is_for_any(next) ? 0 : find_padding(next, text);
	if (padding && (is_one_word(next - 2, 2) || is_alone()))
		return rewrite_hop(next, nr, padding, text);
	rewrite_counts.formless++;
	return false;
}
