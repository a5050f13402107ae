/* SPDX-License-Identifier: Apache-2.0 */
/* Processes: spawn with explicit argv, environment and descriptors; wait; identify; find siblings. No shell anywhere. */
#ifndef UDOCKER_PROC_H
#define UDOCKER_PROC_H

#include <sys/types.h>

#include "pkg/base/base.h"

struct err;
struct sock_fprog;
struct str;

/* A soft limit (RLIMIT_...) that the child has at most. */
struct proc_limit {
	int resource;
	uint64_t most;
};

struct proc_spawn {
	const char *path; /* executable, absolute or found in PATH by proc_find() beforehand */
	char *const *argv;
	char *const *env; /* NULL: ours */
	int fd_in, fd_out, fd_err; /* -1: inherit ours; PROC_NULL: /dev/null */
	const int *keep; /* further descriptors to pass on at the same number, ended by -1; NULL: none */
	bool keep_all; /* pass on everything that is open and not close-on-exec, plus keep */
	bool new_group; /* own process group */
	int ends_with_us; /* the signal that it gets when the thread that starts it ends before it, however that ends; 0: none */
	int dirfd; /* working directory, -1: ours */
	const struct proc_limit *limits; /* limits of its own, beside those that it inherits */
	size_t n_limits;
	const struct sock_fprog *
		filter; /* seccomp, with no_new_privs; where none can be installed, it does without. NULL: none */
};
#define PROC_NULL (-2)
#define PROC_SPAWN_INIT ((struct proc_spawn){ .fd_in = -1, .fd_out = -1, .fd_err = -1, .dirfd = -1 })

/*
 * Start it; exec failures are reported here (the kind from errno). Signals are reset to default in the child. Descriptors
 * from 3 up that are not in `keep` are closed, unless keep_all.
 */
int proc_spawn(const struct proc_spawn *s, pid_t *ret_pid, struct err **err);
/* waitpid() restarted; *ret_status as shells have it: 0..255, or 128 + signal. */
int proc_wait(pid_t pid, int *ret_status, struct err **err);

/* Run to the end and collect stdout (at most max bytes; more kills it and is ERR_ENGINE). timeout_ms 0: none; passed: killed, ERR_ENGINE. */
int proc_capture(const struct proc_spawn *s, size_t max, int timeout_ms, struct str *ret_out, int *ret_status,
	struct err **err);

/*
 * Field 22 of /proc/PID/stat, clock ticks since boot. Returns 0, or -1 (and 0 ticks) when there is no such process or no
 * /proc. *ret_zombie (may be NULL) says that it has ended and only waits to be reaped: to most callers it is gone.
 */
int proc_start_time(pid_t pid, uint64_t *ret_ticks, bool *ret_zombie);

/*
 * Path of an executable, caller frees: `name` with a slash as it is, else in the absolute directories of the PATH-like
 * `path` (may be NULL). NULL if there is none.
 */
char *proc_find(const char *name, const char *path);

/*
 * A sibling program of the suite, e.g. "udocker-bundle": in $UDOCKER_EXEC_DIR, beside /proc/self/exe, in ../libexec/udocker from there, in the
 * compiled-in libexecdir. Never in PATH.
 */
int proc_sibling(const char *name, char **ret, struct err **err);

/* A library in one of these places, which is read and need not be executable. */
int proc_sibling_library(const char *name, char **ret, struct err **err);

/* A folder in one of these places, e.g. "engines/bin"; NULL: there is none. The caller frees it. */
char *proc_sibling_folder(const char *name);

/*
 * Send through a pidfd where the kernel has one, after the start time agreed (0: not compared). -1 with errno, ESRCH when
 * gone, a zombie (if compared) or reused.
 */
int proc_kill(pid_t pid, uint64_t start_time, int sig);

#endif
