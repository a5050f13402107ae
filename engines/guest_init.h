/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How pkg/runtime talks to guest_init, the first program inside a direct engine: the launch block that says what to run, and
 * the answer on the status descriptor. guest_init.c itself is freestanding and sees only the first half of this file.
 *
 *     guest_init BLOCK_FD STATUS_FD
 *     guest_init true                  (for probing an engine: 0, or 3 when fstat() fails)
 *
 * BLOCK_FD holds a launch block (from offset 0 if it can be sought, else what is read next). STATUS_FD is one end of a
 * connected Unix socket, or a pipe. Neither may be close-on-exec when the engine is started: guest_init closes both.
 *
 * Socket (what an engine with a tracer needs, since the tracer keeps a copy of every descriptor and a pipe would never end):
 * guest_init makes a close-on-exec pipe of its own and sends its reading end over the socket, one byte GUEST_INIT_HELLO with the
 * descriptor as SCM_RIGHTS. On that pipe: end of file = the program has been exec'd (or guest_init was killed: then the
 * process is gone); a struct guest_init_status = it failed. Pipe: STATUS_FD is made close-on-exec and takes the part of that pipe.
 * guest_init_await() does the reading side of both.
 *
 * With GUEST_INIT_RECEIVE (socket only) guest_init then waits for the program's descriptors on the same socket, in messages
 * of one byte and at most GUEST_INIT_FDS_PER_MESSAGE of them, and puts them where the block says: the engine's own
 * process holds none of them. guest_init_hello(), guest_init_send_fds(), guest_init_result() are the steps of that.
 */
#ifndef UDOCKER_GUEST_INIT_H
#define UDOCKER_GUEST_INIT_H

#include <stdint.h>

#define GUEST_INIT_MAGIC "udocker-init 1"
#define GUEST_INIT_HELLO 'I'
#define GUEST_INIT_BLOCK_MAX \
	(8u << 20) /* bytes; the kernel takes at most 6 MiB of arguments and environment */
#define GUEST_INIT_FAILED 127 /* exit status of guest_init itself after it has reported a failure */

/* Where the program's own PATH does not say. */
#define GUEST_INIT_DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

enum guest_init_flags {
	GUEST_INIT_SET_UMASK = 1,
	GUEST_INIT_SET_GROUPS = 2, /* setgroups(), also with none */
	GUEST_INIT_SET_IDS = 4, /* setresgid() and setresuid() */
	GUEST_INIT_PDEATHSIG = 8, /* SIGKILL when the parent dies */
	/*
	 * Fork, and let the first half end: the program becomes a child of the nearest subreaper, which has its true wait status.
	 * A tracer's own status is that of whichever tracee ended last. Must not be combined with a tracer's kill-on-exit.
	 */
	GUEST_INIT_DETACH = 16,
	GUEST_INIT_SESSION = 32, /* setsid() */
	GUEST_INIT_GROUP = 64, /* setpgid(0, 0) */
	GUEST_INIT_TTY = 128, /* descriptor 0 becomes the controlling terminal */
	GUEST_INIT_RECEIVE = 256,
	GUEST_INIT_LISTEN_PID = 512, /* LISTEN_PID=… in the environment gets the program's pid */
};

#define GUEST_INIT_FDS_PER_MESSAGE 250 /* the kernel takes 253 */

/* The step that failed. The words are guest_init_stage_name()'s. */
enum guest_init_stage {
	GUEST_INIT_STAGE_BLOCK = 1, /* launch block unreadable or malformed */
	GUEST_INIT_STAGE_STATUS,
	GUEST_INIT_STAGE_RLIMIT,
	GUEST_INIT_STAGE_GROUPS,
	GUEST_INIT_STAGE_IDS,
	GUEST_INIT_STAGE_CWD,
	GUEST_INIT_STAGE_EXEC, /* ENOENT: 127, anything else: 126 */
	GUEST_INIT_STAGE_FDS,
	GUEST_INIT_STAGE_SESSION,
};

/* What guest_init writes, in one write, when it fails. Native byte order: both sides are one machine. */
struct guest_init_status {
	int32_t stage; /* enum guest_init_stage */
	int32_t error; /* errno */
};

/*
 * The launch block is a sequence of NUL-terminated fields, numbers in decimal:
 *   magic  flags  nfds number…  umask  uid  gid  cwd
 *   ngroups gid…   nrlimits (resource soft hard)…   argc arg…   envc entry…   "end"
 */

#if __STDC_HOSTED__
#include <stddef.h>
#include <sys/types.h>

struct err;

struct guest_init_rlimit {
	int resource; /* RLIMIT_NOFILE … */
	uint64_t soft;
	uint64_t hard; /* RLIM_INFINITY is UINT64_MAX */
};

struct guest_init_launch {
	unsigned flags;
	mode_t umask;
	uid_t uid;
	gid_t gid;
	const gid_t *groups;
	size_t n_groups;
	const struct guest_init_rlimit *rlimits;
	size_t n_rlimits;
	const int
		*fds; /* GUEST_INIT_RECEIVE: the numbers that the descriptors get, in the order of sending */
	size_t n_fds;
	const char *cwd; /* absolute, as the program sees it */
	char *const *
		argv; /* NULL-terminated, at least one word; argv[0] without a slash goes through PATH of env */
	char *const *env; /* NULL-terminated; exactly the program's environment */
};

/*
 * Write the launch block into an anonymous file and return its descriptor (owned by the caller, close-on-exec: clear that in
 * the child that becomes the engine). ERR_USAGE when argv is empty or cwd relative, ERR_UNSUPPORTED when it is too large.
 */
int guest_init_block_build(const struct guest_init_launch *launch, int *ret_fd, struct err **err);

/*
 * Wait for guest_init on our end of the status socket or pipe (every other copy of its peer in this process closed before).
 * 0: the program has been exec'd, or was killed before it could say more; 1: it failed, *ret says where and why;
 * -1 with *err: ERR_ENGINE when the engine ended before guest_init ran.
 */
int guest_init_await(int status_fd, struct guest_init_status *ret, struct err **err);

/*
 * The same in steps, on a socket. hello: guest_init is there; *ret_pipe (owned by the caller) is the pipe of its result, *ret_pid its
 * pid if the socket has SO_PASSCRED, else 0. send_fds: what GUEST_INIT_RECEIVE waits for. result: as guest_init_await().
 */
int guest_init_hello(int sock, pid_t *ret_pid, int *ret_pipe, struct err **err);
int guest_init_send_fds(int sock, const int *fds, size_t n, struct err **err);
int guest_init_result(int pipe_fd, struct guest_init_status *ret, struct err **err);

/* "working directory", "program" … for messages. Static. */
const char *guest_init_stage_name(int stage);
#endif

#endif
