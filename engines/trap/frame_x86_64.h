/* SPDX-License-Identifier: Apache-2.0 */
/* See frame.h. */
#ifndef UDOCKER_TRAP_FRAME_X86_64_H
#define UDOCKER_TRAP_FRAME_X86_64_H

#include <stdbool.h>
#include <ucontext.h>

#include "engines/trap/call.h"

/* What the stub in start_x86_64.S has on the stack while a call is answered. */
struct frame_stub {
	struct call call;
	unsigned long r15, r14, r13, r12, rbx, r8, r9, rbp, next;
};
#define FRAME_RED_ZONE 128
#define FRAME_RESTORER_SHOWN true /* each action has one */
#define FRAME_LEAST_STACK 2048 /* for signals: less the kernel refuses */
#define FRAME_CALL_LENGTH 2 /* of the instruction */

static inline bool frame_is_at_call(const ucontext_t *uc)
{
	const unsigned char *ip = (const unsigned char *)uc->uc_mcontext.gregs[REG_RIP];

	return ip[0] == 0x0f && ip[1] == 0x05;
}

static inline unsigned long frame_stack(const ucontext_t *uc)
{
	return (unsigned long)uc->uc_mcontext.gregs[REG_RSP];
}

/* From the beginning of the stub back to before the guest's call. */
static inline void frame_leave_stub(ucontext_t *uc)
{
	greg_t *g = uc->uc_mcontext.gregs;

	g[REG_RIP] = g[REG_RCX] - FRAME_CALL_LENGTH;
}

/* From within the answer to a call back to before it. */
static inline void frame_rewind(ucontext_t *uc, const struct frame_stub *f, unsigned long at)
{
	unsigned long ip = f->next - FRAME_CALL_LENGTH, sp = at + sizeof(*f) + FRAME_RED_ZONE;
	greg_t *g = uc->uc_mcontext.gregs;

	g[REG_RIP] = (greg_t)ip;
	g[REG_RSP] = (greg_t)sp;
	g[REG_RAX] = f->call.nr;
	g[REG_RDI] = (greg_t)f->call.arg[0];
	g[REG_RSI] = (greg_t)f->call.arg[1];
	g[REG_RDX] = (greg_t)f->call.arg[2];
	g[REG_R10] = (greg_t)f->call.arg[3];
	g[REG_R8] = (greg_t)f->call.arg[4];
	g[REG_R9] = (greg_t)f->call.arg[5];
	g[REG_RBX] = (greg_t)f->rbx;
	g[REG_RBP] = (greg_t)f->rbp;
	g[REG_R12] = (greg_t)f->r12;
	g[REG_R13] = (greg_t)f->r13;
	g[REG_R14] = (greg_t)f->r14;
	g[REG_R15] = (greg_t)f->r15;
}

static inline unsigned long frame_ip(const ucontext_t *uc)
{
	return (unsigned long)uc->uc_mcontext.gregs[REG_RIP];
}

static inline void frame_set_ip(ucontext_t *uc, const void *ip)
{
	uc->uc_mcontext.gregs[REG_RIP] = (greg_t)ip;
}

static inline void frame_set_result(ucontext_t *uc, long result)
{
	uc->uc_mcontext.gregs[REG_RAX] = result;
}

/* Go on in a stub that answers call `nr` and continues where the thread stopped. false: it has no stack for that. */
static inline bool frame_set_stub(ucontext_t *uc, const void *stub, long nr)
{
	greg_t *g = uc->uc_mcontext.gregs;

	g[REG_RAX] = nr;
	g[REG_RCX] = g[REG_RIP];
	g[REG_RIP] = (greg_t)stub;
	return true;
}

/* Nothing is done for a child of clone(): a signal's frame fits on any stack that C libraries make. */
static inline bool frame_begin_child(ucontext_t *uc, unsigned long next)
{
	(void)uc, (void)next;
	return false;
}

static inline void frame_call(ucontext_t *uc, long nr, struct call *ret)
{
	const greg_t *g = uc->uc_mcontext.gregs;

	*ret = (struct call){
		.nr = nr,
		.arg = { (unsigned long)g[REG_RDI], (unsigned long)g[REG_RSI], (unsigned long)g[REG_RDX],
			(unsigned long)g[REG_R10], (unsigned long)g[REG_R8], (unsigned long)g[REG_R9] },
		.mask = (uint64_t *)&uc->uc_sigmask,
	};
}

#endif
