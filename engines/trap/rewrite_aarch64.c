/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sites of system calls of aarch64 and what takes their place: see rewrite.h. The one form: `svc #0` becomes a branch to a veneer. These two may take each
 * other's place while another processor executes them; what stands there is the old or the new, and both are right.
 *
 * A call keeps all registers but x0, and so does a veneer, flags included: it puts two aside on the guest's stack and looks at the number without a
 * comparison. Any call but the one that trapped here it makes itself, with the stack as it was, since that call may be clone().
 */
#include "engines/trap/rewrite.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

#include "engines/trap/machine.h"
#include "engines/trap/mem.h"
#include "engines/trap/rewrite_form.h"
#include "engines/trap/sys.h"

extern const char trap_stub[];

enum {
	SVC = 0xd4000001, /* svc #0 */
	RET = 0xd65f03c0,
	B = 0x14000000,
	PUSH = 0xa9be47f0, /* stp x16, x17, [sp, #-32]! */
	POP = 0xa8c247f0, /* ldp x16, x17, [sp], #32 */
	SUB_X16_X8 = 0xd1000110, /* the number at bit 10 */
	CBNZ_X16 = 0xb5000010, /* the distance at bit 5 */
	ADR_X17 = 0x10000011,
	LDR_X16 = 0x58000010,
	BR_X16 = 0xd61f0200,
	CMN_X0_4095 = 0xb13ffc1f,
	B_LO = 0x54000003,
	B_CONDITION = 0xff00001f, /* what tells a branch's condition */
};

/* What the branch and the return place are told by, in frame_aarch64.h too: the branch back stands behind the first POP. */
struct veneer {
	uint32_t push, sub, cbnz, ldr, adr, br;
	uint32_t pop, back;
	uint32_t other_pop, svc, other_back;
	uint32_t unused;
	uint64_t stub;
};

const struct rewrite_form rewrite_form = {
	.reach = 120ul << 20,
	.step = 2ul << 20,
	.step_above = 64ul << 20, /* not where the heap of a program at a low address grows */
	.pages = 1,
	.veneer = sizeof(struct veneer),
};

/* What Go has behind its calls; C compilers compare with 4096. */
bool rewrite_is_small_stack(unsigned long next)
{
	uint32_t code[2];

	return guest_read(code, (const void *)next, sizeof(code)) == 0 && code[0] == CMN_X0_4095 &&
	       (code[1] & B_CONDITION) == B_LO;
}

static uint32_t branch(const void *from, unsigned long to)
{
	return B | ((uint32_t)((to - (unsigned long)from) >> 2) & 0x3ffffff);
}

/* A field of 19 bits: the distance in words. */
static uint32_t distance(size_t from, size_t to)
{
	return (uint32_t)(to - from) / 4 << 5;
}
#define AT(member) offsetof(struct veneer, member)

static void write_veneer(struct veneer *v, unsigned long next, long nr)
{
	*v = (struct veneer){
		.push = PUSH,
		.sub = SUB_X16_X8 | (uint32_t)nr << 10,
		.cbnz = CBNZ_X16 | distance(AT(cbnz), AT(other_pop)),
		.ldr = LDR_X16 | distance(AT(ldr), AT(stub)),
		.adr = ADR_X17 | distance(AT(adr), AT(pop)),
		.br = BR_X16,
		.pop = POP,
		.back = branch(&v->back, next),
		.other_pop = POP,
		.svc = SVC,
		.other_back = branch(&v->other_back, next),
		.stub = (uint64_t)(uintptr_t)trap_stub,
	};
	machine_code_changed((unsigned long)v, sizeof(*v));
}

/* The page is filled as sites are found; others may execute it meanwhile. */
bool rewrite_fill_area(unsigned long at)
{
	return SYS(mprotect, at, machine_page, PROT_READ | PROT_EXEC) == 0;
}

static struct veneer *make_veneer(unsigned long next, long nr, const struct text_range *text)
{
	struct rewrite_area *area = rewrite_find_area(next, text);
	struct veneer *v;

	if (!area || !rewrite_allow_writing(area->at, area->at + machine_page))
		return NULL;
	v = (struct veneer *)rewrite_take_veneer(area);
	write_veneer(v, next, nr);
	rewrite_forbid_writing(area->at, area->at + machine_page);
	return v;
}

/*
 * The one instruction that musl, and glibc since 2.41, make all calls with that can be cancelled: their handler of the cancelling signal knows its
 * address, so that other calls are to be made there and not in a veneer.
 */
static bool is_for_any(unsigned long next)
{
	return *(const uint32_t *)next == RET;
}

bool rewrite_change(unsigned long next, long nr, const struct text_range *text)
{
	uint32_t *site = (uint32_t *)next - 1;
	struct veneer *v;

	if ((unsigned long)site < text->from || next >= text->to || *site != SVC || is_for_any(next)) {
		rewrite_counts.formless++;
		return false;
	}
	v = make_veneer(next, nr, text);
	if (!v || !rewrite_allow_writing((unsigned long)site, next))
		return false;
	__atomic_store_n(site, branch(site, (unsigned long)v), __ATOMIC_SEQ_CST);
	machine_code_changed((unsigned long)site, sizeof(*site));
	rewrite_forbid_writing((unsigned long)site, next);
	rewrite_counts.call++;
	return true;
}
