/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting the engine's process of a direct engine and, through guest_init, the program in it. The engine gets nothing of the
 * caller's: its own standard descriptors are /dev/null and a pipe for its complaints; the program's travel over the status
 * socket. What happens afterwards is supervise.c's.
 */
#ifndef UDOCKER_RUNTIME_LAUNCH_H
#define UDOCKER_RUNTIME_LAUNCH_H

#include <sys/types.h>

#include "pkg/base/base.h"
#include "pkg/runtime/caps.h"

struct engine_plan;
struct guest_init_status;
struct err;
struct instance;
struct namespaces;
struct process_setup;
struct runtime_fds;
struct runtime_process;
struct seccomp_program;
struct strv;

/* In Python's notation, as 1.3.x tells it from level 4 on. */
void launch_tell(const struct strv *argv);

struct launch {
	const struct engine_plan *plan;
	const struct runtime_process *process;
	const struct runtime_fds *fds;
	char *const
		*file; /* where the program was found, inside, or NULL; known when `meanwhile` has returned */
	bool exact; /* `file` is what was asked for, whatever the first argument says */
	uint64_t mark; /* mark.h; 0: none */
	struct caps caps; /* of the program */
	const struct process_setup *setup; /* NULL: nothing */
	struct namespaces *namespaces; /* to go into; may be empty */
	/* The container's own filter, NULL or empty: none; known when `meanwhile` has returned. */
	const struct seccomp_program *seccomp;
	const struct instance *
		instance; /* what a listener is told of; NULL: what a listener would decide fails with ENOSYS */
	bool make_cwd; /* if it is not there; where the engine shows the program the container alone */
	bool new_session; /* else a process group of its own */
	bool take_tty; /* descriptor 0 becomes the controlling terminal (new_session) */
	int tty; /* the caller's terminal: the program's group gets it; or -1 */
	bool alone; /* set by runtime_become() */
	bool early; /* nothing has to happen between `started` and the program: it may run before, if no terminal is in play */
	/* Work to do while the engine starts, with `arg`; NULL: none. When it fails nothing is run. */
	int (*meanwhile)(void *arg, struct err **err);
};

struct launched {
	pid_t engine; /* our child */
	pid_t program; /* our child too, by adoption, where the engine is a tracer; else the same as the engine */
};

typedef void launch_started_fn(const struct launched *run, void *arg);

/*
 * Returns 0 when the program has been exec'd. The caller must be a child subreaper and have SIGCHLD blocked. ERR_NOT_FOUND (127) and
 * ERR_DENIED (126) when the exec failed, ERR_ENGINE with the engine's own words when it did not come that far; nothing runs then.
 * `started` (may be NULL) is called with `arg` when both pids are known, before the program runs unless it may run early.
 */
int runtime_launch(const struct launch *l, launch_started_fn *started, void *arg, struct launched *ret,
	struct err **err);

/*
 * The same without anybody who stays, where runtime_launch_is_alone(): this process, which leads a session, becomes the program. `reply` gets
 * what the engine complains of, and then what guest_init says (GUEST_INIT_ALONE). It returns with an error alone, of what failed before that.
 */
bool runtime_launch_is_alone(const struct launch *l);
int runtime_become(const struct launch *l, int reply, struct err **err);

/* What guest_init says when it cannot run `name`: errors as runtime_launch(). */
int runtime_exec_failed(const char *name, const struct guest_init_status *s, struct err **err);

#endif
