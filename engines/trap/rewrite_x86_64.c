/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sites of system calls and what takes their place: see rewrite.h.
 *
 *   mov $NR,%eax; syscall      the mov becomes a jump to a veneer; the syscall stays, for who stands before it
 *   syscall … ret; padding     the syscall becomes a short jump into the padding, which becomes a jump to a veneer
 *
 * A veneer is one of a page of equal ones, that is made executable once and never changed: what differs lies in the page behind it. It sends the one
 * number that trapped here to the stub and makes any other call itself, without a stack, since that call may be clone().
 */
#include "engines/trap/rewrite.h"

#include <linux/membarrier.h>
#include <linux/sched.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

#include "engines/trap/insn.h"
#include "engines/trap/mem.h"
#include "engines/trap/state.h"
#include "engines/trap/sys.h"
#include "engines/trap/text_map.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif
#define PAGE 4096ul
#define HOT 2 /* traps of a site until it is changed: what is called once is cheaper left alone */
#define HEAT 512
#define SLOT 40
#define SLOTS (PAGE / SLOT)
#define AREAS 32
#define STEP (16ul << 20)
#define STEP_ABOVE (1ul << 30) /* not where the heap of a program at a low address grows */
#define REACH (0x78000000ul) /* of a jump, with something to spare */

extern const char trap_stub[];

bool rewrite_program_is_go;

static struct {
	uint32_t site; /* that cannot be changed */
	uint32_t count;
} heat[HEAT];
#define NEVER 1000

static struct {
	unsigned long traps, mov, hop, formless, roomless;
	bool off;
} counts;

struct slot {
	uint64_t next, nr;
};

/* The page behind a page of veneers. */
struct area_data {
	uint64_t stub;
	struct slot slot[SLOTS];
};

static struct {
	unsigned long at;
	unsigned used;
} areas[AREAS];

static uint32_t lock;
static int barrier; /* 1: the kernel can make other processors forget what they have decoded; -1: it cannot */
static struct text_range keep_out;

void rewrite_keep_out(unsigned long from, unsigned long to)
{
	keep_out = (struct text_range){ from, to };
}

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

static unsigned long map_at(unsigned long where)
{
	long r = SYS(mmap, where, 2 * PAGE, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	if (sys_failed(r))
		return 0;
	if ((unsigned long)r == where)
		return where;
	(void)SYS(munmap, r, 2 * PAGE); /* before Linux 4.17 the flag is none */
	return 0;
}

static unsigned long map_near(const struct text_range *text)
{
	unsigned long at = 0;

	for (unsigned long d = STEP; !at && d < REACH && text->from > d + PAGE; d += STEP)
		at = map_at((text->from & ~(PAGE - 1)) - d);
	for (unsigned long d = STEP_ABOVE; !at && d < REACH; d += STEP)
		at = map_at(((text->to + PAGE - 1) & ~(PAGE - 1)) + d);
	return at;
}

static bool make_area(unsigned i, const struct text_range *text)
{
	unsigned long at = map_near(text);
	struct area_data *data = (struct area_data *)(at + PAGE);

	if (!at)
		return false;
	data->stub = (uint64_t)(uintptr_t)trap_stub;
	for (unsigned s = 0; s < SLOTS; s++)
		write_veneer((uint8_t *)at + (size_t)s * SLOT, data, s);
	if (SYS(mprotect, at, PAGE, PROT_READ | PROT_EXEC) < 0) {
		(void)SYS(munmap, at, 2 * PAGE);
		counts.off = true;
		return false;
	}
	areas[i].at = at;
	areas[i].used = 0;
	return true;
}

static bool is_near(unsigned long at, unsigned long site)
{
	return (at > site ? at - site : site - at) < REACH + STEP;
}

/* A veneer that can be reached from `next`, or 0. */
static unsigned long take_veneer(unsigned long next, long nr, const struct text_range *text)
{
	unsigned i = 0;
	struct area_data *data;

	while (i < AREAS && areas[i].at && (areas[i].used == SLOTS || !is_near(areas[i].at, next)))
		i++;
	if (i == AREAS || (!areas[i].at && !make_area(i, text)))
		return 0;
	data = (struct area_data *)(areas[i].at + PAGE);
	data->slot[areas[i].used] = (struct slot){ next, (uint64_t)nr };
	return areas[i].at + (unsigned long)areas[i].used++ * SLOT;
}

/* ---- text ---- */
static void make_others_see(void)
{
	if (barrier == 0)
		barrier = SYS(membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE, 0, 0) == 0
				  ? 1
				  : -1;
	if (barrier > 0)
		(void)SYS(membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE, 0, 0);
}

static long protect(unsigned long from, unsigned long to, int how)
{
	from &= ~(PAGE - 1);
	return SYS(mprotect, from, ((to + PAGE - 1) & ~(PAGE - 1)) - from, how);
}

static bool allow_writing(unsigned long from, unsigned long to)
{
	if (protect(from, to, PROT_READ | PROT_WRITE | PROT_EXEC) == 0)
		return true;
	counts.off = true;
	return false;
}

static void forbid_writing(unsigned long from, unsigned long to)
{
	(void)protect(from, to, PROT_READ | PROT_EXEC);
	make_others_see();
}

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

	if (!veneer) {
		counts.roomless++;
		return false;
	}
	if (!allow_writing(at, at + sizeof(jump)))
		return false;
	encode_jump(jump, at, veneer);
	store(at, jump, sizeof(jump));
	forbid_writing(at, at + sizeof(jump));
	counts.mov++;
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

	if (!veneer) {
		counts.roomless++;
		return false;
	}
	if (!allow_writing(next - 2, end))
		return false;
	encode_jump(jump, padding, veneer + VENEER_HOP);
	memcpy((void *)padding, jump, sizeof(jump));
	make_others_see();
	store(next - 2, hop, sizeof(hop));
	forbid_writing(next - 2, end);
	counts.hop++;
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

static bool change(unsigned long next, long nr)
{
	const uint8_t *call = (const uint8_t *)next - 2;
	struct text_range text;
	unsigned long padding;

	if ((next >= keep_out.from && next < keep_out.to) || !text_map_find(next, &text) ||
		next - 2 < text.from || call[0] != 0x0f || call[1] != 0x05) {
		counts.formless++;
		return false;
	}
	if (is_mov_form(next, nr, &text) && (is_one_word(next - 7, 5) || is_alone()))
		return rewrite_mov(next, nr, &text);
	padding = is_for_any(next) ? 0 : find_padding(next, &text);
	if (padding && (is_one_word(next - 2, 2) || is_alone()))
		return rewrite_hop(next, nr, padding, &text);
	counts.formless++;
	return false;
}

/* Is it time to change this site? Two that share a place in the table warm each other. */
static bool is_hot(unsigned long next, unsigned *ret_place)
{
	unsigned place = (unsigned)((next ^ next >> 9) % HEAT);

	*ret_place = place;
	if (heat[place].count == NEVER)
		return heat[place].site != (uint32_t)next;
	return ++heat[place].count >= HOT;
}

void rewrite_site(unsigned long next, long nr)
{
	unsigned place;

	counts.traps++;
	if (counts.off || trap_has(TRAP_NO_REWRITE) || !is_hot(next, &place))
		return;
	if (__atomic_exchange_n(&lock, 1, __ATOMIC_ACQUIRE))
		return;
	if (!change(next, nr)) {
		heat[place].site = (uint32_t)next;
		heat[place].count = NEVER;
	}
	__atomic_store_n(&lock, 0, __ATOMIC_RELEASE);
}

static char *put_count(char *to, unsigned long n, const char *what)
{
	size_t length = strlen(what);

	to = text_number(to, n);
	memcpy(to, what, length + 1);
	return to + length;
}

void rewrite_text(char *to)
{
	to = put_count(to, counts.traps, " stops, sites rewritten: ");
	to = put_count(to, counts.mov, " at the number, ");
	to = put_count(to, counts.hop, " at the call, left alone: ");
	to = put_count(to, counts.formless, " by their form, ");
	to = put_count(to, counts.roomless, " for want of room");
	if (counts.off)
		memcpy(to, "; text cannot be changed", sizeof("; text cannot be changed"));
}
