/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What belongs to the process itself and is set from outside of the container, where no engine is in the way: groups, scheduling,
 * I/O priority, personality, security labels. What only the process can do (limits, umask, its directory) is guest_init's.
 */
#ifndef UDOCKER_RUNTIME_PROCESS_H
#define UDOCKER_RUNTIME_PROCESS_H

#include <sched.h>
#include <sys/types.h>

#include "pkg/base/base.h"

struct err;
struct json;
struct runtime_process;
struct strv;

/* As sched_setattr() takes it, in its first version. */
struct process_scheduler {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

struct process_setup {
	gid_t *groups; /* NULL: as they are */
	size_t n_groups;
	bool has_scheduler, has_io_priority, has_personality, has_cpus;
	cpu_set_t cpus; /* what the program of exec may run on */
	struct process_scheduler scheduler;
	int io_priority;
	unsigned long personality;
	char *apparmor, *selinux; /* what is written for the next exec, or NULL */
};
#define PROCESS_SETUP_INIT ((struct process_setup){ 0 })
void process_setup_free(struct process_setup *s); /* leaves it empty */

/* From config.json, checked. ERR_CORRUPT for words that the specification does not have, with the member's name. */
int process_setup_read(const struct json *config, struct process_setup *ret, struct err **err);

/*
 * process.execCPUAffinity, which is for exec alone: `final`, else `initial`. ERR_CORRUPT for what is no list of processors, ERR_UNSUPPORTED
 * for numbers from HOST_CPUS_MAX on.
 */
int process_setup_read_cpus(const struct json *config, struct process_setup *s, struct err **err);

/*
 * The processors of --cpuset-cpus (ANNOTATION_CPUSET), for this process and so for all that it starts from now on: supervisor, engine, program.
 * A tracer and its tracee on one processor wake each other for much less. ERR_UNSUPPORTED when the caller may use none of them.
 */
int process_pin(const struct json *config, struct err **err);

/* In the child that becomes the engine: what all of the container inherits. NULL, or what failed (errno). Async-signal-safe. */
const char *process_setup_enter(const struct process_setup *s);
/* From outside, what is the program's alone, before its exec. */
int process_setup_program(const struct process_setup *s, pid_t program, struct err **err);

/* What this caller on this kernel cannot have, as "property: why" lines like those of engine_unmet(). */
void process_unmet(const struct json *config, const struct runtime_process *p, struct strv *ret_ignored);

#endif
