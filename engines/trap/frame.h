/* SPDX-License-Identifier: Apache-2.0 */
/* The registers of a thread that a signal has stopped, by what they are to a system call. */
#ifndef UDOCKER_TRAP_FRAME_H
#define UDOCKER_TRAP_FRAME_H

#include <ucontext.h>

#include "engines/trap/call.h"

#ifdef __x86_64__
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

/* Go on in a stub that answers call `nr` and continues where the thread stopped. */
static inline void frame_set_stub(ucontext_t *uc, const void *stub, long nr)
{
	greg_t *g = uc->uc_mcontext.gregs;

	g[REG_RAX] = nr;
	g[REG_RCX] = g[REG_RIP];
	g[REG_RIP] = (greg_t)stub;
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

#endif
