/* SPDX-License-Identifier: Apache-2.0 */
/* The engine's process and the hand-over to guest_init. */
#include "pkg/runtime/launch.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "engines/engine.h"
#include "engines/guest_init.h"
#include "oci-spec/runtime_config.h"
#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/host.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/base/sig.h"
#include "pkg/base/str.h"
#include "pkg/runtime/caps.h"
#include "pkg/runtime/fds.h"
#include "pkg/runtime/guard.h"
#include "pkg/runtime/listener.h"
#include "pkg/runtime/mark.h"
#include "pkg/runtime/namespaces.h"
#include "pkg/runtime/process.h"
#include "pkg/runtime/seccomp.h"

#define COMPLAINT_MAX 1024
#define ADOPTION_SPINS 1000 /* it takes some microseconds */
#define ADOPTION_TRIES 6000 /* then milliseconds */

/* Our ends of what connects us with the engine's process. */
struct wires {
	int sock; /* guest_init's answer comes, the descriptors go */
	int complaints; /* the engine's stderr */
	int far_sock, far_complaints; /* the child's */
	struct listener listener;
	struct guard guard;
	bool stays; /* it is held to one processor, */
	cpu_set_t cpus; /* and gets these back, the program by itself */
};

static void wires_close(struct wires *w)
{
	int *const all[] = { &w->sock, &w->complaints, &w->far_sock, &w->far_complaints };

	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		if (*all[i] >= 0)
			close(*all[i]);
		*all[i] = -1;
	}
	listener_close(&w->listener);
	guard_close(&w->guard);
}

/* ---- the processor of the start ---- */

/*
 * A tracer and its tracee take turns, and each turn that wakes another processor costs as much as ten that do not. So both start on the one
 * that the engine's process is on, and get back what they had before the program may run.
 */
static void stay_here(void)
{
	unsigned cpu;
	cpu_set_t one;

	/* Not sched_getcpu(): after vfork() that says where our parent is. */
	if (syscall(SYS_getcpu, &cpu, NULL, NULL) < 0 || cpu >= (unsigned)HOST_CPUS_MAX)
		return;
	CPU_ZERO(&one);
	CPU_SET((size_t)cpu, &one);
	(void)sched_setaffinity(0, sizeof(one), &one); /* slower without */
}

/*
 * The processors that we may use; false where there is no choice, or more of them than fit. Who asks for all follows later changes of
 * its cpuset, as who has never asked does, so that all are asked for unless ours were a choice already.
 */
static bool has_choice(cpu_set_t *ret)
{
	cpu_set_t all, now;

	if (sched_getaffinity(0, sizeof(*ret), ret) < 0 || CPU_COUNT(ret) <= 1)
		return false;
	memset(&all, 0xff, sizeof(all));
	if (sched_setaffinity(0, sizeof(all), &all) < 0)
		return true;
	if (sched_getaffinity(0, sizeof(now), &now) == 0 && CPU_EQUAL(&now, ret))
		*ret = all;
	else
		(void)sched_setaffinity(0, sizeof(*ret), ret); /* we had them a moment ago */
	return true;
}

/* ---- the launch block ---- */

/* A limit above ours cannot be set without privilege; what can be had is given, and said. */
static void fit_rlimit(const struct runtime_rlimit *want, struct guest_init_rlimit *ret)
{
	struct rlimit have;

	*ret = (struct guest_init_rlimit){
		.resource = want->resource, .soft = want->soft, .hard = want->hard
	};
	if (getrlimit(want->resource, &have) < 0 || want->hard <= have.rlim_max)
		return;
	log_verbose("%s: %llu exceeds the hard limit, using %llu", want->name, (unsigned long long)want->hard,
		(unsigned long long)have.rlim_max);
	ret->hard = have.rlim_max;
	if (ret->soft > ret->hard)
		ret->soft = ret->hard;
}

/* So that nothing waits for room in the socket. */
static bool fits_one_message(const struct runtime_fds *fds)
{
	return fds->n + 3 <= GUEST_INIT_FDS_PER_MESSAGE;
}

/* The program may start without our having seen it. */
static bool is_early(const struct launch *l)
{
	bool outside = l->setup && (l->setup->has_scheduler || l->setup->has_io_priority);

	return l->early && !outside && l->plan->supervise && !l->plan->leaves && !l->new_session &&
	       l->tty < 0 && fits_one_message(l->fds);
}

static unsigned guest_flags(const struct launch *l)
{
	unsigned flags = l->new_session ? GUEST_INIT_SESSION : 0;

	if (l->alone)
		flags = GUEST_INIT_ALONE; /* its session is there */
	else if (is_early(l))
		flags |= GUEST_INIT_EARLY | GUEST_INIT_GROUP;
	else if (!l->new_session && !l->plan->supervise)
		flags |=
			GUEST_INIT_GROUP; /* else it comes from us, for whom a call costs next to nothing: see hand_over() */
	if (l->plan->supervise && !l->alone)
		flags |= GUEST_INIT_PDEATHSIG | (l->plan->in_place ? 0 : GUEST_INIT_DETACH);
	if (l->take_tty)
		flags |= GUEST_INIT_TTY;
	if (l->exact)
		flags |= GUEST_INIT_EXACT;
	if (l->make_cwd && !l->plan->entry) /* else guest_init is one of the host */
		flags |= GUEST_INIT_MAKE_CWD;
	if (l->process->has_umask)
		flags |= GUEST_INIT_SET_UMASK;
	if (l->plan->helpers && l->process->no_new_privileges)
		flags |= GUEST_INIT_NO_NEW_PRIVS;
	if (l->fds->listen)
		flags |= GUEST_INIT_LISTEN_PID;
	return flags;
}

static void program_free(struct engine_program *p)
{
	free(p->file);
	free(p->cwd);
	strv_free(&p->args);
	strv_free(&p->env);
}

/* What is to be run as the configuration says it, then as the engine enters it. */
static int enter(const struct launch *l, struct engine_program *p, struct err **err)
{
	p->file = xstrdup_null(l->file ? *l->file : NULL);
	p->cwd = xstrdup(l->process->cwd);
	strv_dup(&p->args, &l->process->args);
	strv_dup(&p->env, &l->process->env);
	if (l->fds->listen) {
		autofree char *count = xasprintf("%u", l->fds->listen);

		strv_env_set(&p->env, "LISTEN_FDS", count);
		strv_env_set(&p->env, "LISTEN_PID", "0"); /* guest_init knows it */
	}
	return l->plan->entry ? l->plan->entry->enter(l->plan->entry, p, err) : 0;
}

static int build_block(const struct launch *l, const struct wires *w, struct str *ret, struct err **err)
{
	uint64_t cpus[sizeof(cpu_set_t) / sizeof(uint64_t)];
	const struct runtime_process *p = l->process;
	autofree struct guest_init_rlimit *limits = xcalloc(p->n_rlimits + 1, sizeof(*limits));
	CLEANUP(program_free) struct engine_program program = { 0 };
	struct guest_init_launch launch = {
		.flags = guest_flags(l),
		.umask = p->umask,
		.rlimits = limits,
		.n_rlimits = p->n_rlimits,
		.fds = l->fds->to,
		.n_fds = l->fds->n,
		.parent = l->plan->supervise && !l->alone ? getpid() : 0,
		.cpus = cpus,
		.n_cpus = w->stays ? ARRAY_LEN(cpus) : 0,
		.has_listener = w->listener.shared,
	};

	memcpy(cpus, &w->cpus, sizeof(cpus));
	if (l->setup && l->setup->has_cpus) {
		memcpy(cpus, &l->setup->cpus, sizeof(cpus));
		launch.n_cpus = ARRAY_LEN(cpus);
	}
	if (l->seccomp) {
		launch.filter = l->seccomp->words;
		launch.n_filter = l->seccomp->n;
		launch.filter_flags = l->seccomp->flags;
	}
	if (enter(l, &program, err) < 0)
		return -1;
	launch.cwd = program.cwd;
	launch.file = program.file;
	launch.argv = strv_argv(&program.args);
	launch.env = strv_argv(&program.env);
	for (size_t i = 0; i < p->n_rlimits; i++)
		fit_rlimit(&p->rlimits[i], &limits[i]);
	return guest_init_block_build(&launch, ret, err);
}

/* ---- the child that becomes the engine ---- */

static NORETURN void child_fails(int complaints, const char *what)
{
	const char *why = strerror(errno);
	char text[256];
	int n = snprintf(text, sizeof(text), "%s: %s", what, why);

	(void)fd_write_all(complaints, text, (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1);
	_exit(125);
}

static bool has_namespaces(const struct launch *l)
{
	return l->namespaces->n > 0;
}

static void install_filter(const struct engine_plan *plan, int complaints)
{
	struct sock_fprog prog = { .len = (unsigned short)plan->filter_len, .filter = plan->filter };

	if (!plan->filter)
		return;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog, 0, 0) < 0)
		child_fails(complaints, "seccomp filter for older engines");
}

static void set_oom_score(const struct runtime_process *p)
{
	char text[16];
	autoclose int fd = -1;
	int n = snprintf(text, sizeof(text), "%d", p->oom_score_adj);

	if (!p->has_oom_score_adj)
		return;
	fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	if (fd >= 0)
		(void)fd_write_all(
			fd, text, (size_t)n); /* lowering it takes a privilege: ignored, as the answers say */
}

static NORETURN void become_engine(const struct launch *l, const struct wires *w, pid_t parent)
{
	const struct engine_plan *plan = l->plan;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	const char *what = has_namespaces(l) ? namespaces_enter(l->namespaces) : NULL;

	if (what)
		child_fails(w->far_complaints, what);
	/* A tracer that outlives its supervisor would leave its tracees without one. */
	if (plan->supervise && !l->alone) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
		if (getppid() != parent)
			_exit(125);
		/* Signals of the caller's group and terminal are the program's business, never the tracer's; a leader gets no session. */
		if (!plan->in_place || !l->new_session)
			(void)setpgid(0, 0);
	}
	if (w->stays)
		stay_here();
	sig_reset_all();
	set_oom_score(l->process);
	mark_ourselves(l->mark);
	if (null < 0 || dup2(w->far_sock, 0) < 0 || dup2(null, 1) < 0 || dup2(w->far_complaints, 2) < 0)
		child_fails(w->far_complaints, "/dev/null");
	if (plan->cwd && chdir(plan->cwd) < 0)
		child_fails(w->far_complaints, plan->cwd);
	what = guard_enter(&w->guard);
	if (what)
		child_fails(w->far_complaints, what);
	if (!plan->helpers)
		caps_enter(&l->caps);
	what = l->setup ? process_setup_enter(l->setup) : NULL;
	if (what)
		child_fails(w->far_complaints, what);
	if (l->process->no_new_privileges && !plan->helpers && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		child_fails(w->far_complaints, "no_new_privs");
	install_filter(plan, w->far_complaints);
	execve(plan->argv.v[0], strv_argv(&plan->argv), strv_argv(&plan->env));
	child_fails(w->far_complaints, plan->argv.v[0]);
}

/* ---- our side ---- */

static struct engine_plan with_arguments(const struct launch *l, struct strv *argv)
{
	struct engine_plan full = *l->plan;

	strv_dup(argv, &l->plan->argv);
	strv_addf(argv, "%u", guest_flags(l));
	full.argv = *argv;
	return full;
}

static int open_socket(struct wires *w, struct err **err)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(err, errno, "start the engine: socket");
	w->sock = pair[0];
	w->far_sock = pair[1];
	return 0;
}

static int open_wires(struct wires *w, struct err **err)
{
	int pipe_ends[2], on = 1;

	if (open_socket(w, err) < 0)
		return -1;
	/* So that the kernel says who speaks: a tracer's child has a pid that nobody else tells us. */
	if (setsockopt(w->sock, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0)
		return err_sys(err, errno, "start the engine: socket");
	if (fd_pipe(pipe_ends) < 0)
		return err_sys(err, errno, "start the engine: pipe");
	w->complaints = pipe_ends[0];
	w->far_complaints = pipe_ends[1];
	/* Nobody reads on later: a full pipe must not stop the engine. */
	(void)fcntl(w->far_complaints, F_SETFL, O_NONBLOCK);
	(void)fcntl(w->complaints, F_SETFL, O_NONBLOCK);
	return 0;
}

/* What the engine has said so far, on one line; "" if it was silent. */
static void read_complaints(int fd, char *text, size_t size)
{
	ssize_t n = read(fd, text, size - 1);

	while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == ' '))
		n--;
	text[n > 0 ? n : 0] = '\0';
	for (char *p = text; *p; p++)
		if (*p == '\n')
			*p = ' ';
}

static void add_complaints(int fd, const struct engine_plan *plan, struct err **err)
{
	char text[COMPLAINT_MAX];

	read_complaints(fd, text, sizeof(text));
	if (*text)
		(void)err_hint(err, "it said: %s", text);
	(void)err_add(err, "%s", plan->argv.v[0]);
}

static void log_complaints(int fd, const struct engine_plan *plan)
{
	char text[COMPLAINT_MAX];

	if (log_level() < LOG_LEVEL_VERBOSE)
		return;
	read_complaints(fd, text, sizeof(text));
	if (*text)
		log_verbose("%s: %s", plan->argv.v[0], text);
}

int runtime_exec_failed(const char *name, const struct guest_init_status *s, struct err **err)
{
	if (s->stage != GUEST_INIT_STAGE_EXEC)
		return err_sys(err, s->error, "%s", guest_init_stage_name(s->stage));
	if (s->error == ENOENT && !strchr(name, '/'))
		return err_make(err, ERR_NOT_FOUND, "exec: \"%s\": executable file not found in $PATH", name);
	(void)err_sys(err, s->error, "exec: \"%s\"", name);
	return err_set_kind(err, s->error == ENOENT ? ERR_NOT_FOUND : ERR_DENIED);
}

/* A program whose pid we do not know yet is in the engine's group still, stopped for its tracer, and comes to us with its end. */
static void end_engine(const struct engine_plan *plan, const struct launched *run)
{
	pid_t pid;

	if (run->program > 0)
		(void)kill(run->program, SIGKILL);
	if (plan->supervise)
		(void)kill(-run->engine, SIGKILL);
	(void)kill(run->engine, SIGKILL);
	do
		pid = waitpid(-1, NULL, 0);
	while (pid != run->engine && (pid >= 0 || errno == EINTR));
	while (plan->supervise && (waitpid(-run->engine, NULL, 0) >= 0 || errno == EINTR))
		;
	if (run->program > 0 && run->program != run->engine)
		(void)waitpid(run->program, NULL, 0);
}

/* Until the kernel has given us the program, whose parent is on its way out. */
static int wait_for_adoption(pid_t program, struct err **err)
{
	siginfo_t info;

	for (int i = 0; i < ADOPTION_TRIES; i++) {
		if (waitid(P_PID, (id_t)program, &info, WEXITED | WNOHANG | WNOWAIT) == 0)
			return 0;
		if (errno != ECHILD && errno != EINTR)
			break;
		if (i > ADOPTION_SPINS)
			(void)poll(NULL, 0, 1);
	}
	return err_make(err, ERR_ENGINE, "the program did not leave its tracer");
}

static bool has_listener(const struct launch *l)
{
	return l->seccomp && l->seccomp->notifies && l->instance;
}

static int send_answer(const struct launch *l, struct wires *w, int status, struct err **err)
{
	autofree int *fds = xcalloc(l->fds->n + 1, sizeof(*fds));
	auto_str block = STR_INIT;
	size_t n = 0;

	if (w->listener.shared)
		fds[n++] = w->listener.fd;
	memcpy(fds + n, l->fds->from, l->fds->n * sizeof(*fds));
	n += l->fds->n;
	return build_block(l, w, &block, err) < 0 ? -1
						  : guest_init_send(w->sock, &block, status, fds, n, err);
}

static int send_all(const struct launch *l, struct wires *w, int *ret_result, struct err **err)
{
	autoclose int status = -1;
	int ends[2];

	if (has_listener(l) && listener_open(&w->listener, err) < 0)
		return -1;
	if (fd_pipe(ends) < 0)
		return err_sys(err, errno, "start the engine: pipe");
	*ret_result = ends[0];
	status = ends[1];
	return send_answer(l, w, status, err);
}

/* An engine that has nothing to do any more once the program is ours: from then on there is none. */
static int wait_for_leave(struct launched *run, struct err **err)
{
	for (int i = 0; i < ADOPTION_TRIES; i++) {
		pid_t pid = waitpid(run->engine, NULL, WNOHANG);

		if (pid == run->engine) {
			run->engine = run->program;
			return 0;
		}
		if (pid < 0 && errno != EINTR)
			return err_sys(err, errno, "wait for the engine");
		(void)poll(NULL, 0, 1);
	}
	return err_make(err, ERR_ENGINE, "the engine did not end after it had started the program");
}

/* What is done to a program that waits for our answer: it is ours to move as long as it has not exec'd anything. */
static int prepare_waiting(const struct launch *l, const struct launched *run, struct err **err)
{
	if (l->plan->supervise && wait_for_adoption(run->program, err) < 0)
		return -1;
	if (l->plan->supervise && !l->plan->in_place && !l->new_session &&
		setpgid(run->program, run->program) < 0)
		return err_sys(err, errno, "start the program: process group");
	if (l->setup && process_setup_program(l->setup, run->program, err) < 0)
		return -1;
	if (l->tty >= 0)
		(void)tcsetpgrp(l->tty, run->program); /* it may have hung up meanwhile */
	return 0;
}

static int hand_over(const struct launch *l, struct wires *w, launch_started_fn *started, void *arg,
	struct launched *run, struct err **err)
{
	struct guest_init_status status;
	autoclose int result = -1;
	bool early = is_early(l);
	int r;

	if (early && send_all(l, w, &result, err) < 0)
		return -1;
	if (guest_init_hello(w->sock, &run->program, err) < 0) {
		add_complaints(w->complaints, l->plan, err);
		return -1;
	}
	if (!early && prepare_waiting(l, run, err) < 0)
		return -1;
	if (l->plan->leaves && wait_for_leave(run, err) < 0)
		return -1;
	if (started)
		started(run, arg);
	if (w->stays)
		(void)sched_setaffinity(run->engine, sizeof(w->cpus), &w->cpus); /* slower without */
	if (!early && send_all(l, w, &result, err) < 0)
		return -1;
	close(steal_fd(&w->sock));
	if (w->listener.shared &&
		listener_hand_over(&w->listener, l->seccomp, l->instance, run->program, result, err) < 0)
		return -1;
	r = guest_init_result(result, &status, err);
	log_complaints(w->complaints, l->plan);
	return r > 0 ? runtime_exec_failed(l->exact ? *l->file : l->process->args.v[0], &status, err) : r;
}

void launch_tell(const struct strv *argv)
{
	autofree char *words = log_level() >= LOG_LEVEL_VERBOSE ? strv_join(argv, "', '") : NULL;

	if (words)
		log_verbose("CMD = ['%s']", words);
}

int runtime_launch(
	const struct launch *l, launch_started_fn *started, void *arg, struct launched *ret, struct err **err)
{
	CLEANUP(wires_close)
	struct wires w = { -1, -1, -1, -1, .listener = LISTENER_INIT, .guard = GUARD_INIT };
	auto_strv argv = STRV_INIT;
	struct engine_plan plan;
	struct launch full = *l;
	struct launched run = { 0 };
	pid_t parent = getpid();

	if (open_wires(&w, err) < 0 || guard_open(&w.guard, l->plan, l->fds, err) < 0)
		return -1;
	plan = with_arguments(l, &argv);
	launch_tell(&argv);
	full.plan = &plan;
	w.stays = l->plan->supervise && !l->plan->in_place && !l->plan->leaves && has_choice(&w.cpus);
	/* We stand still until it has exec'd: it needs no copy of our memory, and changes nothing of ours. Mounts and namespaces take more. */
	run.engine = w.guard.mounts || has_namespaces(l) ? fork() : vfork();
	if (run.engine < 0)
		return err_sys(err, errno, "start the engine: fork");
	if (run.engine == 0)
		become_engine(&full, &w, parent);
	close(steal_fd(&w.far_sock));
	close(steal_fd(&w.far_complaints));
	if ((l->meanwhile && l->meanwhile(arg, err) < 0) ||
		hand_over(&full, &w, started, arg, &run, err) < 0) {
		end_engine(&plan, &run);
		return -1;
	}
	*ret = run;
	return 0;
}

/* ---- nobody stays ---- */

bool runtime_launch_is_alone(const struct launch *l)
{
	return l->plan->alone && !has_listener(l) && fits_one_message(l->fds);
}

int runtime_become(const struct launch *l, int reply, struct err **err)
{
	CLEANUP(wires_close)
	struct wires w = { -1, -1, -1, -1, .listener = LISTENER_INIT, .guard = GUARD_INIT };
	auto_strv argv = STRV_INIT;
	struct engine_plan plan;
	struct launch full = *l;

	full.alone = true;
	plan = with_arguments(&full, &argv);
	full.plan = &plan;
	w.far_complaints = fd_dup(reply);
	if (open_socket(&w, err) < 0 || guard_open(&w.guard, l->plan, l->fds, err) < 0 ||
		(l->setup && process_setup_program(l->setup, 0, err) < 0) ||
		send_answer(&full, &w, reply, err) < 0)
		return -1;
	(void)prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0); /* it would outlive the exec */
	become_engine(&full, &w, 0);
}
