/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The further programs of a container of a direct engine: each has a supervisor of its own and a file in the container's directory that
 * says so, exec/PID. They end with the container: each supervisor watches its processes, and whoever ends the container waits
 * for them.
 */
#ifndef UDOCKER_RUNTIME_EXECS_H
#define UDOCKER_RUNTIME_EXECS_H

#include "pkg/base/base.h"
#include "pkg/runtime/state.h"

struct err;
struct launched;

struct exec_record {
	struct runtime_proc supervisor; /* alive, else it is not listed */
	struct runtime_proc program; /* pid 0: not started yet */
	pid_t tracer; /* of the program, or 0 */
};
struct exec_records {
	struct exec_record *v;
	size_t n, cap;
};

/* ERR_BUSY when the container is not one that programs can be added to: stopped, paused. */
int execs_check(const struct instance *c, struct err **err);
/*
 * This process is to supervise one: ERR_BUSY as execs_check(), ERR_NOT_FOUND when the container has been deleted. From now on whoever ends the container knows of us.
 */
int execs_enter(const struct instance *c, struct err **err);
/* Its program has been started. */
void execs_note(int dirfd, const struct launched *run);
/* It has ended. */
void execs_leave(int dirfd);

/* Those that are there; `dirfd` is the container's, `owner` the one whose processes count: instance_trusted_owner(). */
void execs_read(int dirfd, uid_t owner, struct exec_records *ret);
void execs_free(struct exec_records *e);
#define auto_execs CLEANUP(execs_free) struct exec_records

/* Kill them; how many supervisors were there. */
size_t execs_kill(int dirfd, uid_t owner);
/* Kill them and wait until their supervisors have gone, some seconds at most. Costs one call where there are none. */
void execs_end(int dirfd);

#endif
