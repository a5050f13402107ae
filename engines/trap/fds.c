/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine's own descriptors: for the guest they are numbers that no descriptor has. Programs that close or mark all there may be go by
 * without noticing.
 */
#include <fcntl.h>

#include "engines/trap/call.h"
#include "engines/trap/state.h"
#include "engines/trap/sys.h"

#ifndef CLOSE_RANGE_UNSHARE
#define CLOSE_RANGE_UNSHARE 2
#endif
#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC 4
#endif
#ifndef CLONE_FILES
#define CLONE_FILES 0x400
#endif

long call_close(struct call *c)
{
	return trap_is_reserved(c->arg[0]) ? -EBADF : call_pass(c);
}

long call_dup(struct call *c)
{
	return trap_is_reserved(c->arg[0]) ? -EBADF : call_pass(c);
}

long call_dup2(struct call *c)
{
	return trap_is_reserved(c->arg[0]) || trap_is_reserved(c->arg[1]) ? -EBADF : call_pass(c);
}

long call_dup3(struct call *c)
{
	return trap_is_reserved(c->arg[0]) || trap_is_reserved(c->arg[1]) ? -EBADF : call_pass(c);
}

long call_fcntl(struct call *c)
{
	if (!trap_is_reserved(c->arg[0]))
		return call_pass(c);
	/* Who marks all descriptors takes a failure here for a reason to give up. */
	return (int)c->arg[1] == F_SETFD ? 0 : -EBADF;
}

long call_close_range(struct call *c)
{
	uint32_t first = (uint32_t)c->arg[0], last = (uint32_t)c->arg[1], flags = (uint32_t)c->arg[2];
	uint32_t low = trap_state->fd_low, high = trap_state->fd_high;
	long r = 0;

	if (first > last || first > high || last < low ||
		flags & ~(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC))
		return call_pass(c);
	/* The table is left to whom it is shared with before any part of it changes. */
	if (flags & CLOSE_RANGE_UNSHARE)
		r = SYS(unshare, CLONE_FILES);
	flags &= ~(uint32_t)CLOSE_RANGE_UNSHARE;
	if (!r && first < low)
		r = SYS(close_range, first, low - 1, flags);
	if (!r && last > high)
		r = SYS(close_range, high + 1, last, flags);
	return r;
}
