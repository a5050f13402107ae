/* SPDX-License-Identifier: Apache-2.0 */
/* See frame.h. */
#ifndef UDOCKER_TRAP_FRAME_AARCH64_H
#define UDOCKER_TRAP_FRAME_AARCH64_H

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <ucontext.h>

#include "engines/trap/call.h"
#include "engines/trap/mem.h"

/* What lies on the stack when the stub begins. Of the last two only trap_stub_resume knows: a veneer has its own way back. */
struct frame_entry {
	unsigned long x16, x17, next, pstate;
};
/* What the stub puts below it. */
struct frame_stub {
	struct call call;
	unsigned long nzcv, go_on, x6, x7, x9_18[8], x19_30[12];
};
_Static_assert(sizeof(struct frame_stub) == 256, "start_aarch64.S knows its size");

#define FRAME_CALL 0xd4000001u /* svc #0 */
#define FRAME_CALL_LENGTH 4
#define FRAME_NZCV 0xf0000000ul
#define FRAME_RESTORER_SHOWN false /* C libraries set none, and see none */
#define FRAME_LEAST_STACK 5120 /* for signals: less the kernel refuses */

extern const char trap_stub_resume[], trap_clone[];

static inline unsigned long frame_ip(const ucontext_t *uc)
{
	return (unsigned long)uc->uc_mcontext.pc;
}

static inline void frame_set_ip(ucontext_t *uc, const void *ip)
{
	uc->uc_mcontext.pc = (unsigned long)ip;
}

static inline bool frame_is_at_call(const ucontext_t *uc)
{
	return *(const uint32_t *)frame_ip(uc) == FRAME_CALL;
}

static inline unsigned long frame_stack(const ucontext_t *uc)
{
	return (unsigned long)uc->uc_mcontext.sp;
}

static inline void frame_set_result(ucontext_t *uc, long result)
{
	uc->uc_mcontext.regs[0] = (unsigned long)result;
}

/* Behind the guest's call: a veneer takes the frame_entry away and jumps there. */
static inline unsigned long frame_next(const struct frame_entry *e, unsigned long go_on)
{
	const uint32_t *jump = (const uint32_t *)(go_on + 4);

	if (go_on == (unsigned long)trap_stub_resume)
		return e->next;
	return (unsigned long)jump + (unsigned long)((int64_t)((uint64_t)*jump << 38) >> 36);
}

static inline void frame_before(ucontext_t *uc, const struct frame_entry *e, unsigned long go_on)
{
	mcontext_t *m = &uc->uc_mcontext;

	m->pc = frame_next(e, go_on) - FRAME_CALL_LENGTH;
	m->sp = (unsigned long)(e + 1);
	m->regs[16] = e->x16;
	m->regs[17] = e->x17;
}

/* From the beginning of the stub back to before the guest's call. */
static inline void frame_leave_stub(ucontext_t *uc)
{
	frame_before(uc, (const struct frame_entry *)frame_stack(uc), uc->uc_mcontext.regs[17]);
}

/* From within the answer to a call back to before it. */
static inline void frame_rewind(ucontext_t *uc, const struct frame_stub *f, unsigned long at)
{
	mcontext_t *m = &uc->uc_mcontext;

	for (unsigned i = 0; i < 6; i++)
		m->regs[i] = f->call.arg[i];
	m->regs[6] = f->x6;
	m->regs[7] = f->x7;
	m->regs[8] = (unsigned long)f->call.nr;
	for (unsigned i = 0; i < 7; i++)
		m->regs[9 + i] = f->x9_18[i];
	m->regs[18] = f->x9_18[7];
	for (unsigned i = 0; i < 12; i++)
		m->regs[19 + i] = f->x19_30[i];
	m->pstate = (m->pstate & ~FRAME_NZCV) | (f->nzcv & FRAME_NZCV);
	frame_before(uc, (const struct frame_entry *)(at + sizeof(*f)), f->go_on);
}

/* Go on in a stub that answers call `nr` and continues where the thread stopped. false: it has no stack for that. */
static inline bool frame_set_stub(ucontext_t *uc, const void *stub, long nr)
{
	mcontext_t *m = &uc->uc_mcontext;
	const struct frame_entry e = { m->regs[16], m->regs[17], m->pc, m->pstate };

	if (guest_write((void *)(m->sp - sizeof(e)), &e, sizeof(e)) < 0)
		return false;
	m->sp -= sizeof(e);
	m->regs[8] = (unsigned long)nr;
	m->regs[17] = (unsigned long)trap_stub_resume;
	frame_set_ip(uc, stub);
	return true;
}

/*
 * clone() of a child that its parent waits for. musl's posix_spawn() gives it 5 KiB of the parent's own stack, less than a signal's frame: it is given a
 * signal stack, below the parent's, where nothing is while that waits. trap_clone makes the call; false: it is not to be made.
 */
#define FRAME_CHILD_STACK 24576

static inline bool frame_begin_child(ucontext_t *uc, unsigned long next)
{
	mcontext_t *m = &uc->uc_mcontext;
	const unsigned long flags = m->regs[0], low = m->sp - FRAME_CHILD_STACK, touch = 0;
	const bool is_within = (flags & CLONE_VM) && m->regs[1] > m->sp;

	if (flags & (CLONE_NEWNS | CLONE_NEWUSER))
		return false;
	m->regs[16] = 0;
	if (is_within && (uc->uc_stack.ss_flags & SS_DISABLE) &&
		guest_write((void *)low, &touch, sizeof(touch)) == 0)
		m->regs[16] = low;
	m->regs[17] = next; /* both registers are free where clone() is called: a function of its own */
	frame_set_ip(uc, trap_clone);
	return true;
}

static inline void frame_call(ucontext_t *uc, long nr, struct call *ret)
{
	*ret = (struct call){ .nr = nr, .mask = (uint64_t *)&uc->uc_sigmask };
	for (unsigned i = 0; i < 6; i++)
		ret->arg[i] = uc->uc_mcontext.regs[i];
}

#endif
