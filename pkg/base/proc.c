/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting other programs and finding them. Between vfork and exec the child has our memory and only async-signal-safe calls are
 * made; what fails there comes back through a close-on-exec pipe. What is known about a process by its number is in proc_info.c.
 */
#include "pkg/base/proc.h"

#include <assert.h>
#include <errno.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/fs.h"
#include "pkg/base/host.h"
#include "pkg/base/mem.h"
#include "pkg/base/path.h"
#include "pkg/base/sig.h"
#include "pkg/base/str.h"
#include "pkg/base/strv.h"
#include "pkg/base/time.h"

#define READ_BUFFER 4096
/* How long between two looks at a child that closed its output but has not ended, before Linux 5.3. */
#define REAP_POLL_MS 2

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

enum stage { STAGE_GROUP, STAGE_DIR, STAGE_FDS, STAGE_KEEP, STAGE_EXEC };

static const char *const stage_text[] = {
	[STAGE_GROUP] = "make a process group",
	[STAGE_DIR] = "enter the working directory",
	[STAGE_FDS] = "set up standard input and output",
	[STAGE_KEEP] = "pass on a descriptor",
	[STAGE_EXEC] = "start it",
};

/* What the child says when it could not become the program. */
struct failure {
	int errnum;
	enum stage stage;
};

/* Everything the child needs, made before it. */
struct launch {
	const struct proc_spawn *s;
	char *const *env;
	int std[3]; /* what becomes 0, 1, 2; -1: stays as it is */
	int *keep; /* ascending: s->keep and the status pipe */
	size_t n_keep;
	int status; /* write end */
	pid_t parent;
};

static void NORETURN child_fail(const struct launch *l, enum stage stage)
{
	struct failure f = { .errnum = errno, .stage = stage };

	(void)fd_write_all(l->status, &f, sizeof(f)); /* the parent then sees exit status 127 */
	_exit(127);
}

/* Put the three where they belong. Sources below 3 are moved up first, as one may be another's target. */
static int child_std(const struct launch *l)
{
	int from[3];

	for (int i = 0; i < 3; i++) {
		from[i] = l->std[i];
		if (from[i] >= 0 && from[i] < 3)
			from[i] = fcntl(from[i], F_DUPFD_CLOEXEC, 3);
		if (l->std[i] >= 0 && from[i] < 0)
			return -1;
	}
	for (int i = 0; i < 3; i++)
		if (from[i] >= 0 && dup2(from[i], i) < 0)
			return -1;
	return 0;
}

static void child_limits(const struct proc_spawn *s)
{
	struct rlimit now;

	for (size_t i = 0; i < s->n_limits; i++) {
		const struct proc_limit *l = &s->limits[i];

		if (getrlimit(l->resource, &now) < 0 || now.rlim_cur <= l->most)
			continue; /* RLIM_INFINITY is the highest number */
		now.rlim_cur = l->most;
		(void)setrlimit(l->resource, &now); /* lower than it was: always allowed */
	}
}

static void child_filter(const struct proc_spawn *s)
{
	if (s->filter && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0)
		(void)prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, s->filter, 0, 0); /* as proc.h says */
}

static void NORETURN child_run(const struct launch *l)
{
	const struct proc_spawn *s = l->s;

	if (s->ends_with_us &&
		(prctl(PR_SET_PDEATHSIG, s->ends_with_us, 0, 0, 0) < 0 || getppid() != l->parent))
		_exit(127); /* nobody is left to be told */
	if (s->new_group && setpgid(0, 0) < 0)
		child_fail(l, STAGE_GROUP);
	if (s->dirfd >= 0 && fchdir(s->dirfd) < 0)
		child_fail(l, STAGE_DIR);
	if (child_std(l) < 0)
		child_fail(l, STAGE_FDS);
	for (size_t i = 0; i < l->n_keep; i++)
		if (l->keep[i] != l->status && fd_set_cloexec(l->keep[i], false) < 0)
			child_fail(l, STAGE_KEEP);
	if (!s->keep_all)
		fd_close_except(3, l->keep, l->n_keep);
	child_limits(s);
	child_filter(s);
	/* Last: who is stopped before exec holds the parent, too. */
	sig_reset_all();
	execve(s->path, s->argv, l->env);
	child_fail(l, STAGE_EXEC);
}

static int compare_ints(const void *a, const void *b)
{
	const int x = *(const int *)a, y = *(const int *)b;

	return (x > y) - (x < y);
}

static void list_kept(struct launch *l)
{
	size_t n = 0;

	while (l->s->keep && l->s->keep[n] >= 0)
		n++;
	l->keep = xcalloc(n + 1, sizeof(int));
	for (size_t i = 0; i < n; i++)
		l->keep[i] = l->s->keep[i];
	l->keep[n] = l->status;
	l->n_keep = n + 1;
	qsort(l->keep, l->n_keep, sizeof(int), compare_ints);
}

/*
 * With every signal blocked, so that no handler of ours runs in the child. Not fork(): the other threads would have every page that they
 * write copied, until the program has begun.
 */
static pid_t start_child(const struct launch *l)
{
	sigset_t all, old;
	pid_t pid;
	int saved;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	pid = vfork();
	if (pid == 0)
		child_run(l);
	saved = errno;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	errno = saved;
	return pid;
}

/* Wait until the child has become the program, or has said why not. */
static int await_exec(const struct proc_spawn *s, pid_t pid, int status, struct err **err)
{
	struct failure f;
	ssize_t n;

	do { /* an interruption ends us later: here the child's answer is on its way */
		n = fd_read_full(status, &f, sizeof(f));
	} while (n < 0 && errno == EINTR);
	if (n == 0)
		return 0;
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	if (n != (ssize_t)sizeof(f))
		return err_make(err, ERR_SYSTEM, "cannot start '%s': no word from the child", s->path);
	if (f.stage == STAGE_EXEC)
		return err_sys(err, f.errnum, "cannot start '%s'", s->path);
	return err_sys(err, f.errnum, "cannot start '%s': %s", s->path, stage_text[f.stage]);
}

static int launch(struct launch *l, pid_t *ret_pid, struct err **err)
{
	const struct proc_spawn *s = l->s;
	autoclose int reader = -1, writer = -1;
	int ends[2];
	pid_t pid;

	if (fd_pipe(ends) < 0)
		return err_sys(err, errno, "make a pipe");
	reader = ends[0];
	writer = ends[1];
	l->status = fd_dup(writer); /* not among 0, 1, 2, which the child replaces */
	if (l->status < 0)
		return err_sys(err, errno, "make a pipe");
	list_kept(l);
	pid = start_child(l);
	base_autoclose(&l->status);
	base_autoclose(&writer);
	writer = -1;
	if (pid < 0)
		return err_sys(err, errno, "cannot start '%s'", s->path);
	if (s->new_group)
		(void)setpgid(pid, pid); /* the child does it as well: whoever is first */
	if (await_exec(s, pid, reader, err) < 0)
		return -1;
	*ret_pid = pid;
	return 0;
}

int proc_spawn(const struct proc_spawn *s, pid_t *ret_pid, struct err **err)
{
	struct launch l = { .s = s, .env = s->env ? s->env : environ, .status = -1, .parent = getpid() };
	const int want[3] = { s->fd_in, s->fd_out, s->fd_err };
	autoclose int null = -1;
	int r;

	for (int i = 0; i < 3; i++) {
		if (want[i] == PROC_NULL && null < 0)
			null = open("/dev/null", O_RDWR | O_CLOEXEC);
		if (want[i] == PROC_NULL && null < 0)
			return err_sys(err, errno, "open /dev/null");
		l.std[i] = want[i] == PROC_NULL ? null : want[i];
	}
	r = launch(&l, ret_pid, err);
	free(l.keep);
	return r;
}

static int shell_status(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int proc_wait(pid_t pid, int *ret_status, struct err **err)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return err_sys(err, errno, "wait for process %ld", (long)pid);
	*ret_status = shell_status(status);
	return 0;
}

/* ---- capture -------------------------------------------------------------------------------------------------- */

/* Milliseconds to a deadline for poll(): -1 without one, 0 when it has passed. */
static int time_left(int64_t deadline)
{
	int64_t left;

	if (!deadline)
		return -1;
	left = (deadline - time_monotonic_ns() + 999999) / 1000000;
	return left <= 0 ? 0 : left > 60000 ? 60000 : (int)left;
}

enum outcome { CAPTURE_DONE, CAPTURE_TOO_MUCH, CAPTURE_TOO_LONG, CAPTURE_FAILED };

static enum outcome capture_output(int fd, size_t max, int64_t deadline, struct str *out)
{
	size_t total = 0;

	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		char buf[READ_BUFFER];
		ssize_t n;
		int r = poll(&p, 1, time_left(deadline));

		if (r < 0 && errno != EINTR)
			return CAPTURE_FAILED;
		if (r <= 0 && deadline && time_left(deadline) == 0)
			return CAPTURE_TOO_LONG;
		if (r <= 0)
			continue;
		n = read(fd, buf, sizeof(buf));
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return CAPTURE_FAILED;
		if (n < 0)
			continue;
		if (n == 0)
			return CAPTURE_DONE;
		total += (size_t)n;
		if (total > max || str_add_mem(out, buf, (size_t)n) < 0)
			return CAPTURE_TOO_MUCH;
	}
}

/* Its output is closed; the process may take longer. CAPTURE_DONE when it was reaped. */
static enum outcome capture_end(pid_t pid, int64_t deadline, int *ret_status)
{
	autoclose int pidfd = deadline ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
	struct pollfd p = { .fd = pidfd, .events = POLLIN };
	bool ended = !deadline; /* or nobody minds how long it takes */

	for (;;) {
		pid_t r = waitpid(pid, ret_status, ended ? 0 : WNOHANG);

		if (r == pid)
			return CAPTURE_DONE;
		if (r < 0 && errno != EINTR)
			return CAPTURE_FAILED;
		if (deadline && time_left(deadline) == 0)
			return CAPTURE_TOO_LONG;
		if (r == 0)
			ended = poll(&p, 1, pidfd < 0 ? REAP_POLL_MS : time_left(deadline)) > 0;
	}
}

static int capture_error(const struct proc_spawn *s, enum outcome what, size_t max, struct err **err)
{
	if (what == CAPTURE_TOO_MUCH)
		return err_make(err, ERR_ENGINE, "'%s' printed more than %zu bytes", s->path, max);
	if (what == CAPTURE_TOO_LONG)
		return err_make(err, ERR_ENGINE, "'%s' took too long and was ended", s->path);
	return err_sys(err, errno, "read the output of '%s'", s->path);
}

int proc_capture(const struct proc_spawn *s, size_t max, int timeout_ms, struct str *ret_out, int *ret_status,
	struct err **err)
{
	int64_t deadline = timeout_ms > 0 ? time_monotonic_ns() + (int64_t)timeout_ms * 1000000 : 0;
	struct proc_spawn with = *s;
	autoclose int reader = -1, writer = -1;
	enum outcome got;
	int ends[2], status = 0, saved;
	pid_t pid = 0;

	if (fd_pipe(ends) < 0)
		return err_sys(err, errno, "make a pipe");
	reader = ends[0];
	writer = ends[1];
	with.fd_out = writer;
	if (proc_spawn(&with, &pid, err) < 0)
		return -1;
	assert(pid > 0);
	base_autoclose(&writer);
	writer = -1;
	got = capture_output(reader, max, deadline, ret_out);
	if (got == CAPTURE_DONE)
		got = capture_end(pid, deadline, &status);
	if (got == CAPTURE_DONE) {
		*ret_status = shell_status(status);
		return 0;
	}
	saved = errno;
	kill(s->new_group ? -pid : pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	errno = saved;
	return capture_error(s, got, max, err);
}

/* ---- finding programs ----------------------------------------------------------------------------------------- */

static bool is_executable(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

char *proc_find(const char *name, const char *path)
{
	auto_strv dirs = STRV_INIT;

	if (!*name)
		return NULL;
	if (strchr(name, '/'))
		return is_executable(name) ? xstrdup(name) : NULL;
	if (path)
		strv_split(&dirs, path, ":");
	for (size_t i = 0; i < dirs.n; i++) {
		autofree char *full = path_join(dirs.v[i], name);

		if (*full == '/' && is_executable(full))
			return steal_ptr(&full);
	}
	return NULL;
}

/* Our own directory: by /proc, else by the name the kernel was given if that does not depend on where we are. */
static char *own_dir(void)
{
	autofree char *exe = fs_readlink(AT_FDCWD, "/proc/self/exe");
	const char *given;

	if (exe && *exe == '/')
		return path_dir(exe);
	/* The auxiliary vector carries the address as a number. */
	given = (const char *)(uintptr_t)getauxval(AT_EXECFN);
	return given && *given == '/' ? path_dir(given) : NULL;
}

static bool is_folder(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static bool is_library(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, R_OK) == 0;
}

/* The path of `name` in the first of the suite's places where it suits; those that were tried are told if it is nowhere. */
static char *beside_us(const char *name, bool (*suits)(const char *path), struct str *tried)
{
	autofree char *own = own_dir();
	/* Beside bin/ in the same prefix: an installed tree may be moved, or unpacked anywhere. */
	autofree char *beside = own ? path_join(own, "../libexec/udocker") : NULL;
	const char *dirs[] = { host_env("UDOCKER_EXEC_DIR"), own, beside, UDOCKER_LIBEXECDIR };

	for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
		autofree char *full = NULL;

		if (!dirs[i] || *dirs[i] != '/')
			continue;
		full = path_join(dirs[i], name);
		if (suits(full))
			return steal_ptr(&full);
		str_addf(tried, "%s%s", tried->len ? ", " : "", dirs[i]);
	}
	return NULL;
}

static int sibling(
	const char *kind, const char *name, bool (*suits)(const char *path), char **ret, struct err **err)
{
	auto_str tried = STR_INIT;
	char *found = beside_us(name, suits, &tried);

	if (!found) {
		err_make(err, ERR_NOT_FOUND, "%s '%s' not found in %s", kind, name, str_text(&tried));
		return err_hint(
			err, "install it there, or set UDOCKER_EXEC_DIR to the directory that has it");
	}
	*ret = found;
	return 0;
}

int proc_sibling(const char *name, char **ret, struct err **err)
{
	return sibling("program", name, is_executable, ret, err);
}

int proc_sibling_library(const char *name, char **ret, struct err **err)
{
	return sibling("library", name, is_library, ret, err);
}

char *proc_sibling_folder(const char *name)
{
	auto_str tried = STR_INIT;

	return beside_us(name, is_folder, &tried);
}
