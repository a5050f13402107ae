/* SPDX-License-Identifier: Apache-2.0 */
/* The wait for a program, and the end of what it left behind. Standard descriptors and terminals are the callers'. */
#include "pkg/runtime/supervise.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "pkg/base/err.h"
#include "pkg/base/time.h"
#include "pkg/runtime/foreground.h"
#include "pkg/runtime/state.h"
#include "pkg/runtime/tree.h"

#define NS_PER_MS ((int64_t)1000000)
#define HOSTS_MAX 2
#define HOST_MS 50 /* how often to look at them without pidfds (before Linux 5.3) */
#define DEAF_MS 5 /* how often to look when signals are not to be read */
#define GRACE_MS 2 /* a tracer whose last tracee has ended goes by itself at once */
#define SWEEP_MS 50 /* between looks at what does not end */
#define TIDY_SWEEPS 40 /* a tracer may take so long to remove what it made in the root */
#define SWEEPS 60 /* then it hangs in the kernel, and nobody is to wait for that */

static sigset_t caller_mask;

static bool is_ignored(int sig)
{
	struct sigaction now;

	return sigaction(sig, NULL, &now) == 0 && now.sa_handler == SIG_IGN;
}

int supervise_begin(struct err **err)
{
	/* A fault of our own must end us, blocked or not; the others are the program's. */
	static const int ours[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS };
	/* nohup(1) and a shell's background jobs ignore these for the sake of the program: then it does not get them from us. */
	static const int shieldable[] = { SIGHUP, SIGINT, SIGQUIT };
	sigset_t set;
	int fd;

	(void)sigfillset(&set);
	for (size_t i = 0; i < ARRAY_LEN(ours); i++)
		(void)sigdelset(&set, ours[i]);
	/* A blocked signal is kept even if it is ignored. */
	for (size_t i = 0; i < ARRAY_LEN(shieldable); i++)
		if (is_ignored(shieldable[i]))
			(void)sigdelset(&set, shieldable[i]);
	(void)sigprocmask(SIG_BLOCK, &set, &caller_mask);
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
		return err_sys(err, errno, "become a subreaper (Linux 3.4)");
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return err_sys(err, errno, "signalfd");
	return fd;
}

void supervise_cancel(int sigfd)
{
	if (sigfd >= 0)
		close(sigfd);
	(void)sigprocmask(SIG_SETMASK, &caller_mask, NULL);
}

/* ---- stop and continue ---- */

static bool has_tracer(const struct supervise *s)
{
	return s->run.engine != s->run.program;
}

/* What the first process cannot hand on. */
static void signal_below(const struct supervise *s, int sig)
{
	auto_tree t = { 0 };

	if (!s->traced_below)
		return;
	tree_read(&t);
	tree_choose_below(&t, s->run.program);
	(void)tree_signal(&t, sig, 0);
}

static void resume(struct supervise *s)
{
	if (foreground_is_ours(s->tty)) {
		foreground_give(s->tty, s->run.program);
		s->had_tty = true;
	}
	if (has_tracer(s))
		(void)kill(s->run.engine, SIGCONT);
	signal_below(s, SIGCONT);
	/* Its group, as the terminal stopped all of it. */
	if (kill(-s->run.program, SIGCONT) < 0)
		(void)kill(s->run.program, SIGCONT);
}

/* Stop as a shell expects a job to, and come back when it lets us go on. */
static void stop_ourselves(void)
{
	sigset_t one;

	(void)sigemptyset(&one);
	(void)sigaddset(&one, SIGTSTP);
	(void)kill(getpid(), SIGTSTP);
	(void)sigprocmask(SIG_UNBLOCK, &one, NULL); /* here we stand still, unless nobody could wake us */
	(void)sigprocmask(SIG_BLOCK, &one, NULL);
}

/*
 * The program has stopped. A tracer that does not know of stops has let it run on by now, so it is stopped itself: its
 * tracees then stand still at their next system call.
 */
static void on_stop(struct supervise *s)
{
	if (has_tracer(s))
		(void)kill(s->run.engine, SIGSTOP);
	if (!s->foreground || (s->tty < 0 && !s->asked_to_stop))
		return;
	s->asked_to_stop = false;
	if (s->had_tty) {
		foreground_give(s->tty, getpgrp());
		s->had_tty = false;
	}
	stop_ourselves();
	resume(s);
}

/* ---- signals ---- */

static void pass_on(struct supervise *s, int sig)
{
	if (sig == SIGCHLD)
		return;
	s->asked_to_stop |= sig == SIGTSTP;
	if (sig == SIGWINCH && s->relay)
		relay_resize(s->relay);
	else if (sig == SIGCONT)
		resume(s);
	else if (sig == SIGTSTP && s->own_session) {
		signal_below(s, SIGSTOP);
		(void)kill(s->run.program, SIGSTOP); /* the leader of a session ignores the other */
	} else
		(void)kill(s->run.program, sig); /* it may just have ended */
}

static void read_signals(struct supervise *s, bool ended)
{
	struct signalfd_siginfo info[8];
	ssize_t n;

	while ((n = read(s->sigfd, info, sizeof(info))) > 0)
		for (size_t i = 0; i < (size_t)n / sizeof(info[0]); i++)
			if (!ended)
				pass_on(s, (int)info[i].ssi_signo);
}

/* ---- children ---- */

struct ends {
	bool program, engine, all;
	int status;
};

/* Reap what has ended. Adopted children of the program are nobody else's. */
static void reap(struct supervise *s, struct ends *e)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG | (e->program ? 0 : WUNTRACED))) > 0) {
		if (WIFSTOPPED(status)) {
			if (pid == s->run.program && !e->program)
				on_stop(s);
			continue;
		}
		if (pid == s->run.program) {
			e->program = true;
			e->status = status;
		}
		if (pid == s->run.engine)
			e->engine = true;
	}
	e->all = pid < 0 && errno == ECHILD;
}

/* Milliseconds to go, -1: for ever. Kills the program when there are none. */
static int time_left(struct supervise *s, int64_t end)
{
	int64_t left = (end - time_monotonic_ns()) / NS_PER_MS;

	if (!s->timeout || s->late)
		return s->deaf ? DEAF_MS : -1;
	if (left <= 0) {
		s->late = true;
		(void)kill(s->run.program, SIGKILL);
	}
	return left < DEAF_MS ? 1 : DEAF_MS;
}

/* ---- those whose end is the program's ---- */

struct watch {
	int fd[HOSTS_MAX]; /* pidfds; -1 where there are none */
	size_t n;
	bool gone;
};

static void watch_open(struct watch *w, const struct supervise *s)
{
	w->n = s->n_hosts < HOSTS_MAX ? s->n_hosts : HOSTS_MAX;
	for (size_t i = 0; i < w->n; i++) {
		w->fd[i] = -1;
#ifdef SYS_pidfd_open
		w->fd[i] = (int)syscall(SYS_pidfd_open, s->hosts[i].pid, 0);
#endif
	}
}

static void watch_close(struct watch *w)
{
	for (size_t i = 0; i < w->n; i++)
		if (w->fd[i] >= 0)
			close(w->fd[i]);
}

/* Add what to wait for; fewer milliseconds to wait where only looking helps. */
static nfds_t watch_prepare(const struct watch *w, struct pollfd *p, int *timeout)
{
	for (size_t i = 0; i < w->n; i++) {
		p[i] = (struct pollfd){ .fd = w->gone ? -1 : w->fd[i], .events = POLLIN };
		if (!w->gone && w->fd[i] < 0 && (*timeout < 0 || *timeout > HOST_MS))
			*timeout = HOST_MS;
	}
	return w->n;
}

/* The first of them that has ended ends the program. */
static void watch_check(struct watch *w, const struct supervise *s)
{
	for (size_t i = 0; i < w->n && !w->gone; i++)
		w->gone = !runtime_proc_alive(&s->hosts[i], (uid_t)-1);
	if (w->gone)
		(void)kill(s->run.program, SIGKILL);
}

static void wait_for_something(struct supervise *s, const struct watch *w, int64_t end)
{
	struct pollfd p[1 + RELAY_POLLS + HOSTS_MAX] = { { .fd = s->deaf ? -1 : s->sigfd,
		.events = POLLIN } };
	nfds_t n = 1;
	int timeout = time_left(s, end);

	if (s->relay) {
		relay_prepare(s->relay, p + 1);
		n += RELAY_POLLS;
	}
	n += watch_prepare(w, p + n, &timeout);
	if (poll(p, n, timeout) > 0 && s->relay)
		relay_handle(s->relay, p + 1);
}

/* Everything below us, the tracer after its tracees: without it they would run on unconfined. `tidy`: it may still end by itself. */
static void sweep(const struct supervise *s, bool tidy)
{
	auto_tree t = { 0 };

	tree_read(&t);
	tree_choose_below(&t, getpid());
	if (has_tracer(s)) {
		/* A stopped tracer cannot see its tracees die, and a continued one lets them die sooner. */
		(void)kill(s->run.engine, SIGCONT);
		if (tree_signal(&t, SIGKILL, s->run.engine) > 0 || tidy)
			return;
	}
	(void)tree_signal(&t, SIGKILL, 0);
	(void)kill(-s->run.program, SIGKILL); /* where there is no /proc this is all we can reach */
}

static void end_the_rest(struct supervise *s, struct ends *e)
{
	int timeout = GRACE_MS;

	for (int i = 0; i <= SWEEPS && !e->all; i++) {
		struct pollfd p = { .fd = s->deaf ? -1 : s->sigfd, .events = POLLIN };

		if (i > 0) {
			sweep(s, i <= TIDY_SWEEPS);
			timeout = SWEEP_MS;
		}
		if (s->deaf) {
			(void)poll(NULL, 0, GRACE_MS);
			reap(s, e);
			continue;
		}
		/* A child's end may wake us before others have ended. */
		while (!e->all && poll(&p, 1, timeout) > 0) {
			read_signals(s, true);
			reap(s, e);
		}
	}
}

int supervise(struct supervise *s)
{
	CLEANUP(watch_close) struct watch w = { 0 };
	struct ends e = { 0 };
	int64_t end = time_monotonic_ns() + s->timeout * 1000 * NS_PER_MS;

	watch_open(&w, s);
	while (reap(s, &e), !e.program) {
		watch_check(&w, s);
		/* The tracer is gone and its tracees run on without it: that cannot be left so. */
		if (e.engine || e.all) {
			(void)kill(s->run.program, SIGKILL);
			if (e.all) {
				e.status = SIGKILL;
				break;
			}
		}
		wait_for_something(s, &w, end);
		if (!s->deaf)
			read_signals(s, false);
	}
	if (!s->leave)
		end_the_rest(s, &e);
	if (s->relay)
		relay_drain(s->relay);
	if (s->had_tty)
		foreground_give(s->tty, getpgrp());
	return e.status;
}

void supervise_exit(int status)
{
	int sig = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	struct rlimit none = { 0, 0 };
	sigset_t one;

	if (!sig)
		_exit(WEXITSTATUS(status));
	(void)setrlimit(RLIMIT_CORE, &none);
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* a limit does not keep a core from a pipe */
	(void)signal(sig, SIG_DFL);
	(void)sigemptyset(&one);
	(void)sigaddset(&one, sig);
	(void)kill(getpid(), sig);
	(void)sigprocmask(SIG_UNBLOCK, &one, NULL);
	_exit(128 + sig);
}
