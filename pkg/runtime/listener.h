/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The listener of a seccomp filter: from guest_init, which may make no call any more, to the agent that linux.seccomp.listenerPath
 * names, together with what the specification calls the container process state.
 */
#ifndef UDOCKER_RUNTIME_LISTENER_H
#define UDOCKER_RUNTIME_LISTENER_H

#include <sys/types.h>

#include "pkg/base/base.h"

struct err;
struct guest_init_shared;
struct instance;
struct seccomp_program;

struct listener {
	int fd; /* of the memory shared with guest_init, for which it is meant */
	volatile struct guest_init_shared *shared;
};
#define LISTENER_INIT ((struct listener){ .fd = -1 })
int listener_open(struct listener *l, struct err **err);
void listener_close(struct listener *l); /* leaves it empty */

/*
 * Wait until `program` has a listener, send a copy of it, and let the program go on. `status` is guest_init's pipe: when that says
 * something else there is nothing to send, and 0 is returned. ERR_UNSUPPORTED before Linux 5.6.
 */
int listener_hand_over(struct listener *l, const struct seccomp_program *p, const struct instance *c,
	pid_t program, int status, struct err **err);

#endif
