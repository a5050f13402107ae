/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signals: SIGSYS is the engine's, SIGSEGV and SIGBUS pass by it (a fault in guest_read() and friends is -EFAULT), none is kept in a table: the
 * guest's own handler lies in the kernel's sa_restorer, so that fork, vfork and exec treat it as they treat any action.
 */
#ifndef UDOCKER_TRAP_SIGNALS_H
#define UDOCKER_TRAP_SIGNALS_H

#include <stdint.h>

/* The first thing a loader does: SIGSYS unblocked, the engine's actions set. 0 or -errno. */
long signals_start(void);
/* Before exec: what the kernel would do with ignored SIGSEGV and SIGBUS. */
void signals_before_exec(void);

#endif
