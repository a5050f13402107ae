/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signals: SIGSYS is the engine's, SIGSEGV and SIGBUS pass by it (a fault in guest_read() and friends is -EFAULT), none is kept in a table: the
 * guest's own handler lies in the kernel's sa_restorer, so that fork, vfork and exec treat it as they treat any action. The signals that C libraries
 * cancel threads by pass by as well: their handlers look at where a thread stands, which is to be the guest's call and not our answer to it.
 */
#ifndef UDOCKER_TRAP_SIGNALS_H
#define UDOCKER_TRAP_SIGNALS_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

/* The first thing a loader does: SIGSYS unblocked, the engine's actions set. 0 or -errno. */
long signals_start(void);
/* Before exec: what the kernel would do with ignored SIGSYS, SIGSEGV and SIGBUS. And behind an exec that failed. */
void signals_before_exec(void);
void signals_after_exec(void);

/* A mask of the guest without what must not be blocked or waited for. */
static inline uint64_t signals_mask(uint64_t mask)
{
	return mask & ~(1ull << (SIGSYS - 1));
}

/* As the kernel takes it. */
struct signals_action {
	uint64_t handler, flags, restorer, mask;
};

/* What the kernel is told of the guest's action for one of these signals, and back. For tests. */
bool signals_is_ours(int sig);
void signals_to_kernel(int sig, const struct signals_action *guest, struct signals_action *ret);
void signals_to_guest(int sig, const struct signals_action *kernel, struct signals_action *ret);

#endif
