/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is remembered of a container and how its status is judged: the record (state.json), the program's pid beside it, and
 * the kernel's word on whether they are still the same processes. Nothing here changes a process.
 */
#ifndef UDOCKER_RUNTIME_STATE_DIR_H
#define UDOCKER_RUNTIME_STATE_DIR_H

#include <sys/types.h>

#include "engines/engine.h"
#include "oci-spec/runtime_state.h"
#include "pkg/base/base.h"
#include "pkg/base/strv.h"

struct err;
struct json;
struct runtime_globals;
struct runtime_root;

/* Names in a container's directory. */
#define STATE_RECORD "state.json"
#define STATE_CONFIG "config.json"
#define STATE_LOCK "lock"
#define STATE_FIFO "exec.fifo" /* there as long as the container waits for start */
#define STATE_ANSWER "start.fifo" /* the waiting process tells start how it went */
#define STATE_PROGRAM "program" /* pid and start time of the program of a direct engine */
#define STATE_EXECS "exec" /* further programs of a direct engine, see execs.h */
#define STATE_PAUSED "paused" /* there while a container is paused */
#define STATE_FILES "files" /* generated files that are bound into the container */
#define STATE_BUNDLE "bundle" /* a delegate's rewritten config.json */
#define STATE_PIDFILE "pid" /* a delegate's pid file */
#define STATE_DELEGATE "delegate" /* a delegate's own state root: DELEGATE/ID/… */

/* A process that cannot be mistaken for another: pids are reused. */
struct runtime_proc {
	pid_t pid;
	uint64_t start; /* field 22 of /proc/PID/stat; 0 where there is no /proc */
};

struct runtime_record {
	char *oci_version;
	char *bundle; /* absolute */
	char *rootfs; /* absolute */
	char *created; /* RFC 3339, UTC */
	char *engine;
	char *mode;
	bool delegate;
	bool foreground;
	bool guard_devices; /* a delegate's: see engine_plan */
	struct runtime_proc proc; /* the process of the pid file; pid 0: not known yet */
	struct json *annotations; /* or NULL; owned */
	struct strv prefix; /* a delegate's argv before the verb */
	struct strv tracer, tracer_ids; /* what its programs run under inside: see engine_plan */
	uint64_t mark; /* mark.h; 0: none */
};

/* A container of ours, opened: its directory and its record. (Containers of the store are pkg/store's.) */
struct instance {
	const struct runtime_globals *globals; /* of the command, for its delegate; or NULL */
	char *id;
	char *path; /* of the directory, absolute */
	int dirfd;
	uid_t owner; /* of the directory, from its descriptor */
	struct runtime_record rec;
};
#define INSTANCE_INIT ((struct instance){ .dirfd = -1 })
void instance_free(struct instance *c); /* leaves it empty */
#define auto_instance CLEANUP(instance_free) struct instance

void runtime_record_free(struct runtime_record *r); /* leaves it empty */

/* The start time of a live process, for the record. */
struct runtime_proc runtime_proc_of(pid_t pid);
/* Is it still there, the same, and no zombie? `owner`: whose process it must be ((uid_t)-1: anybody's). */
bool runtime_proc_alive(const struct runtime_proc *p, uid_t owner);
/* Signal it if it is the one we know. errno on failure, ESRCH when it is not. */
int runtime_proc_signal(const struct runtime_proc *p, uid_t owner, int sig);

/*
 * Open the directory of an id and read its record. ERR_NOT_FOUND "container 'x' does not exist". ERR_CORRUPT for a record
 * that cannot be used: then c holds id, path, dirfd and owner all the same, for delete.
 */
int instance_open(const struct runtime_root *root, const char *id, struct instance *c, struct err **err);
/* The same for its status and the columns of a list: without annotations, prefix and tracer, where the record can be read without them. */
int instance_glance(const struct runtime_root *root, const char *id, struct instance *c, struct err **err);

/* A delegate writes its pid file itself: take the pid from it. False if there is none (yet). */
bool instance_read_pid_file(struct instance *c);

/* Write the record: by rename, or `fresh` into a directory nobody sees yet. */
int instance_write(const struct instance *c, bool fresh, struct err **err);
/* The configuration of create, for exec and hooks. */
int instance_config(const struct instance *c, struct json **ret, struct err **err);

/* The program's process as its supervisor wrote it down; false if there is none. */
/* `tracer`: the process of an engine that traces it, which must not be signalled itself; 0: none. */
bool instance_program(const struct instance *c, struct runtime_proc *ret, pid_t *ret_tracer);
int instance_write_program(int dirfd, pid_t pid, pid_t tracer);

/* True while the process that makes or starts the container holds its lock. */
bool instance_is_locked(const struct instance *c);

/* Only the owner's processes count when root looks at another user's state: the record is theirs to write. */
uid_t instance_trusted_owner(const struct instance *c);

/* True if root looks at a container of somebody else: nothing that its record names may be executed. */
bool instance_is_foreign(const struct instance *c);
/* ERR_DENIED for such a one: what takes the record's word, its hooks' above all, is its owner's to do. */
int instance_check_owner(const struct instance *c, struct err **err);

/* The name of what its delegate writes of it when it makes it, relative to dirfd. The caller frees it. */
char *instance_delegate_name(const struct instance *c);
/* Its programs run on a kernel of the delegate's own: the host's processes are not the container's. */
bool instance_own_kernel(const struct instance *c);

/* The status now. runc and crun have the same fifo as we have while a container waits for its start. */
enum runtime_status instance_status(const struct instance *c);

/* The state document. Owned strings of ret are copies. */
void instance_state(const struct instance *c, enum runtime_status status, struct runtime_state *ret);

#endif
