/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The process that stands for the container while its program runs: a child subreaper that passes signals on to the program,
 * stops and goes on with it, ends what the program leaves behind, and ends as the program did.
 */
#ifndef UDOCKER_RUNTIME_SUPERVISE_H
#define UDOCKER_RUNTIME_SUPERVISE_H

#include <sys/types.h>

#include "pkg/base/base.h"
#include "pkg/runtime/launch.h"

struct err;
struct relay;
struct runtime_proc;

struct supervise {
	struct launched run;
	int sigfd; /* from supervise_begin() */
	int tty; /* the caller's terminal, which the program's group has been given or may be given; or -1 */
	bool had_tty; /* the program's group has it */
	bool own_session; /* the program is out of the terminal's reach: a stop has to be made */
	bool traced_below; /* a delegate's first process, to which the program is a child: stops must reach that too */
	bool foreground; /* when the program stops and there is a shell to see it, so do we */
	bool asked_to_stop; /* a stop was sent to us, as a shell without a terminal does */
	bool leave; /* what the program leaves behind is somebody else's */
	bool deaf; /* signals are for somebody who comes later: they stay where they are */
	int timeout; /* seconds after which the program is killed; 0: none */
	bool late; /* that has happened */
	const struct runtime_proc *hosts; /* whose end is the program's too: a container's, for exec */
	size_t n_hosts;
	struct relay *relay; /* a terminal of the program's own, or NULL */
};

/*
 * Become a child subreaper, block every signal that can be passed on and return a descriptor that reads them (close-on-exec),
 * or -1. Signals that arrive before supervise() runs are kept for the program.
 */
int supervise_begin(struct err **err);
/* Back to the caller's mask, in a process that has nothing to supervise after all. */
void supervise_cancel(int sigfd);

/* Wait for the program's end, and end what it left. Returns its status as waitpid() has it. Frees nothing. */
int supervise(struct supervise *s);

/* End this process as the program ended: the same exit status, or death by the same signal (without a core file). */
NORETURN void supervise_exit(int status);

#endif
