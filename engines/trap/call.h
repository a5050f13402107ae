/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A system call of the guest on its way through the engine, and the handlers that answer one: call_NAME() of each row of calls.def, spread
 * over files.c, names.c, ids.c, sock.c, signals.c, exec.c, fds.c, proc.c and guestsec.c. A handler returns what the guest gets, a negative errno on failure.
 * It runs on the guest's own stack with the guest's signal mask, or (Go, whose stacks are too small) on the signal stack with all signals blocked.
 * Stack of a handler and what it calls: 1 KiB where the call is a hot one, 3 KiB at most.
 */
#ifndef UDOCKER_TRAP_CALL_H
#define UDOCKER_TRAP_CALL_H

#include <stddef.h>
#include <stdint.h>

struct call {
	long nr;
	unsigned long arg[6];
	uint64_t *
		mask; /* where the signal mask is that is restored behind the handler; NULL: the thread's own is in force */
};

typedef long (*call_handler)(struct call *c);

/* Make the guest's own call as it is. */
long call_pass(const struct call *c);
/* The handler of a number, or NULL. */
call_handler call_find(long nr);
/* Answer the call, whose arguments no handler changes (the stub gives them back to the guest): what the stub and the signal handler use. */
long call_answer(struct call *c);

#define PASS(...)
#define FAIL(...)
#define FAIL_WHEN(...)
#define TRAP(name, x86_64, aarch64, handler) long handler(struct call *c);
#define WHEN(name, x86_64, aarch64, handler, condition) long handler(struct call *c);
#define IDS TRAP
#define IDS_WHEN WHEN
#define NAMES TRAP
#define ENDS TRAP
#include "engines/trap/calls.def"
#undef PASS
#undef FAIL
#undef FAIL_WHEN
#undef TRAP
#undef WHEN
#undef IDS
#undef IDS_WHEN
#undef NAMES
#undef ENDS

#endif
