/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The process that exists from create on, waits for start and then stands for the program (ARCHITECTURE section 6). It is
 * forked from create, keeps its memory and nothing else of it, and never returns.
 */
#ifndef UDOCKER_RUNTIME_INIT_H
#define UDOCKER_RUNTIME_INIT_H

#include <sys/types.h>

#include "pkg/base/base.h"
#include "pkg/runtime/hooks.h"
#include "pkg/runtime/launch.h"

struct err;
struct runtime_fds;

struct init {
	int dirfd; /* the container's directory */
	const char *id;
	struct runtime_fds *fds; /* what the program gets */
	struct launch launch; /* plan NULL: there is nothing to start */
	struct hook_call hooks; /* for those that run inside */
};

/*
 * Fork it. *ret_control is our end of a socket: the process is ready to be started when one byte has come, and ends unless it gets one
 * in return. ERR_SYSTEM when it could not be made ready.
 */
int init_fork(struct init *init, pid_t *ret_pid, int *ret_control, struct err **err);
/* Everything about it is written down: from now on it lives without us. */
int init_commit(int control, struct err **err);

/*
 * Start it, from another process: returns when the program has been exec'd. ERR_BUSY "not created", ERR_NOT_FOUND and ERR_DENIED as
 * runtime_launch(), ERR_ENGINE when it died on the way. The caller holds the container's lock.
 */
struct instance;
int init_start(const struct instance *c, struct err **err);

#endif
