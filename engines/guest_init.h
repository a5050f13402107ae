/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How pkg/runtime talks to guest_init, the first program inside a direct engine: the launch block that says what to run, the
 * descriptors, and the answer. guest_init.c itself is freestanding and sees only the first half of this file. Under a tracer
 * every system call costs two changes of process, so that the other side does what it can and guest_init makes few.
 *
 *     guest_init FLAGS      descriptor 0 is one end of a socketpair(AF_UNIX, SOCK_SEQPACKET)
 *     guest_init true       for probing an engine: 0, or 3 when fstat() fails
 *
 * guest_init detaches itself if asked, takes its session or group, and sends GUEST_INIT_HELLO; the kernel adds its pid where the
 * socket has SO_PASSCRED. It is answered with messages that carry descriptors: the writing end of the status pipe, the file with the
 * launch block if that does not fit, the one with struct guest_init_shared if there is to be a listener, and those of the program. The first message is GUEST_INIT_INLINE and the block, or GUEST_INIT_FILE. The
 * engine's own process, which may be a tracer that stays, never holds any of them. On the status pipe: end of file = the program
 * has been exec'd (or guest_init was killed: then the process is gone); a struct guest_init_status = it failed. With
 * GUEST_INIT_ALONE there is no hello, for the answer lies in the socket already and nobody is behind it, and GUEST_INIT_HERE comes before either.
 */
#ifndef UDOCKER_GUEST_INIT_H
#define UDOCKER_GUEST_INIT_H

#include <stdint.h>

#define GUEST_INIT_MAGIC "udocker-init 4"
#define GUEST_INIT_HELLO 'I'
#define GUEST_INIT_HERE '\1'
#define GUEST_INIT_INLINE 'B'
#define GUEST_INIT_FILE 'F'
#define GUEST_INIT_INLINE_MAX 32768 /* bytes of a block in a message */
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
	GUEST_INIT_GROUP = 64, /* setpgid(0, 0); with GUEST_INIT_DETACH after the answer to the hello */
	GUEST_INIT_TTY = 128, /* descriptor 0 becomes the controlling terminal */
	GUEST_INIT_LISTEN_PID = 256, /* LISTEN_PID=… in the environment gets the program's pid */
	/* The answer is there before the hello: guest_init itself waits until `parent` is its parent (GUEST_INIT_DETACH). */
	GUEST_INIT_EARLY = 512,
	GUEST_INIT_EXACT = 1024, /* `file` or nothing: it has not been looked for */
	GUEST_INIT_NO_NEW_PRIVS = 2048, /* prctl() */
	GUEST_INIT_MAKE_CWD = 4096, /* a working directory that is not there is made (0755) */
	GUEST_INIT_ALONE = 8192, /* nobody started us: the process that would have has become us */
};

#define GUEST_INIT_FDS_PER_MESSAGE 250 /* the kernel takes 253 */

/* The step that failed. The words are guest_init_stage_name()'s. */
enum guest_init_stage {
	GUEST_INIT_STAGE_BLOCK = 1, /* launch block unreadable or malformed */
	GUEST_INIT_STAGE_RLIMIT,
	GUEST_INIT_STAGE_GROUPS,
	GUEST_INIT_STAGE_IDS,
	GUEST_INIT_STAGE_CWD,
	GUEST_INIT_STAGE_EXEC, /* ENOENT: 127, anything else: 126 */
	GUEST_INIT_STAGE_FDS,
	GUEST_INIT_STAGE_SESSION,
	GUEST_INIT_STAGE_CPUS,
	GUEST_INIT_STAGE_SECCOMP,
};

/*
 * Memory of both sides, for the listener of a seccomp filter: under the filter no call may be needed. guest_init writes its descriptor's
 * number + 1 and waits until the other side, which has taken a copy of it, sets `go`.
 */
struct guest_init_shared {
	int32_t listener;
	int32_t go;
};

/* What guest_init writes, in one write, when it fails. Native byte order: both sides are one machine. */
struct guest_init_status {
	int32_t stage; /* enum guest_init_stage */
	int32_t error; /* errno */
};

/*
 * The launch block is a sequence of NUL-terminated fields, numbers in decimal:
 *   magic  shared  nfds number…  umask  uid  gid  cwd  parent  file
 *   ncpus word…   ngroups gid…   nrlimits (resource soft hard)…
 *   flags of the filter   ninstructions word…   argc arg…   envc entry…   "end"
 */

#if __STDC_HOSTED__
#include <stdbool.h>
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
	const uint64_t *cpus; /* as the kernel has them: what the program may use, none: as it is */
	size_t n_cpus; /* words */
	const uint64_t
		*filter; /* struct sock_filter each: installed right before the program; n_filter 0: none */
	size_t n_filter;
	unsigned filter_flags; /* SECCOMP_FILTER_FLAG_* */
	bool has_listener; /* SECCOMP_FILTER_FLAG_NEW_LISTENER, and struct guest_init_shared comes along */
	const char *cwd; /* absolute, as the program sees it */
	pid_t parent; /* GUEST_INIT_PDEATHSIG, GUEST_INIT_EARLY: whose child the program is; 0: whoever's */
	const char *
		file; /* where the program is, inside; NULL: argv[0] without a slash goes through PATH of env */
	char *const *argv; /* NULL-terminated, at least one word */
	char *const *env; /* NULL-terminated; exactly the program's environment */
};

/*
 * The launch block as bytes, appended to ret. ERR_USAGE when argv is empty or cwd relative, ERR_UNSUPPORTED when it is too
 * large.
 */
struct str;
int guest_init_block_build(const struct guest_init_launch *launch, struct str *ret, struct err **err);

/* Wait for guest_init; *ret_pid is its pid if the socket has SO_PASSCRED, else 0. ERR_ENGINE when the engine ended before it ran. */
int guest_init_hello(int sock, pid_t *ret_pid, struct err **err);
/* Answer it: the block, the writing end of the status pipe, the program's descriptors. All stay the caller's. */
int guest_init_send(
	int sock, const struct str *block, int status, const int *fds, size_t n, struct err **err);
/*
 * Wait on the reading end of the status pipe (no other copy of the writing end left in this process). 0: the program has
 * been exec'd, or was killed before it could say more; 1: it failed, *ret says where and why.
 */
int guest_init_result(int pipe_fd, struct guest_init_status *ret, struct err **err);

/* "working directory", "program" … for messages. Static. */
const char *guest_init_stage_name(int stage);
#endif

#endif
