/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See guest_within.h. What pkg/runtime/launch.c and supervise.c are outside of a container, in a few pages and without a C library, since it
 * runs in any guest: the launch block of guest_init.h is written here, for the other half of this program.
 */
#include "engines/guest_within.h"

#include <asm-generic/errno.h>
#include <stddef.h>

#include "engines/guest_call.h"
#include "engines/guest_fds.h"
#include "engines/guest_filter.h"
#include "engines/guest_init.h"

#define SUBREAPER 36 /* PR_SET_CHILD_SUBREAPER */
#define DUMPABLE 4 /* PR_SET_DUMPABLE */
#define RLIMIT_CORE 4
#define AF_UNIX 1
#define SEQPACKET_CLOEXEC (5 | 0x80000)
#define SOL_SOCKET 1
#define SO_PASSCRED 16
#define SCM_RIGHTS 1
#define SCM_CREDENTIALS 2
#define MSG_NOSIGNAL 0x4000
#define O_CLOEXEC 0x80000
#define O_NONBLOCK 0x800
#define O_RDWR 2
#define AT_FDCWD (-100)
#define MFD_CLOEXEC 1
#define TIOCNOTTY 0x5422
#define SIG_BLOCK 0
#define SIG_UNBLOCK 1
#define SIG_SETMASK 2
#define SIGKILL 9
#define SIGCHLD 17
#define SIGHUP 1
#define SIGCONT 18
#define WNOHANG 1
#define STATUS_NOT_STARTED 125
#define FDS_MAX 1024
#define CPU_WORDS 128 /* of 64 processors */

struct within {
	char **own; /* the tracer's variables */
	size_t n_own;
	char **tracer; /* and its words */
	size_t n_tracer;
	const char *filter; /* in base64, or NULL */
	char **argv, **env; /* the program's */
	char *self; /* the name of this program, as argv[0] says it */
	unsigned flags; /* enum guest_init_flags */
	int fds[FDS_MAX]; /* the caller's descriptors */
	size_t n_fds;
	int sock, far_sock, status, far_status, complaints, far_complaints, block_fd;
	uint64_t mask; /* the caller's */
	uint64_t cpus[CPU_WORDS]; /* the program's processors */
	size_t n_cpus; /* words of them; 0: there is no choice, or it is left as it is */
	long engine, program; /* pids, 0: not known yet */
};

/* ---- what a C library would have ---- */
static __attribute__((noreturn)) void leave(int status)
{
	for (;;)
		(void)call(NR_exit_group, status, 0, 0, 0, 0);
}

static size_t length(const char *s)
{
	size_t n = 0;

	while (s[n])
		n++;
	return n;
}

static int same(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

static int begins(const char *s, const char *start)
{
	while (*start && *s == *start) {
		s++;
		start++;
	}
	return !*start;
}

static void say(const char *text)
{
	(void)call(NR_write, 2, (long)text, (long)length(text), 0, 0);
}

static __attribute__((noreturn)) void give_up(const char *what)
{
	say("udocker: ");
	say(what);
	say("\n");
	leave(STATUS_NOT_STARTED);
}

static void *memory(size_t n)
{
	long r = call(NR_mmap, 0, (long)n, 3 /* read, write */, 0x22 /* private, anonymous */, -1);

	if (r < 0 && r > -4096)
		give_up("no memory for the program's arguments");
	return (void *)r;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		(void)call(NR_close, *fd, 0, 0, 0, 0);
	*fd = -1;
}

/* ---- the launch block ---- */
static void add_text(char **at, const char *text)
{
	while ((*(*at)++ = *text++))
		;
}

static char *decimal(char buffer[24], unsigned long n)
{
	char *p = buffer + 23;

	*p = '\0';
	do
		*--p = (char)('0' + n % 10);
	while ((n /= 10) > 0);
	return p;
}

static void add_number(char **at, unsigned long n)
{
	char buffer[24];

	add_text(at, decimal(buffer, n));
}

static void add_list(char **at, char **list)
{
	size_t n = 0;

	while (list[n])
		n++;
	add_number(at, n);
	for (size_t i = 0; i < n; i++)
		add_text(at, list[i]);
}

static size_t list_bytes(char **list)
{
	size_t n = 24;

	for (; *list; list++)
		n += length(*list) + 1;
	return n;
}

/* The message: its first byte, and the block. Returns its length. */
static size_t build(const struct within *w, char **ret)
{
	size_t room = list_bytes(w->argv) + list_bytes(w->env) + (w->n_fds + w->n_cpus + 16) * 24;
	char *start = memory(room), *at = start;

	*at++ = GUEST_INIT_INLINE;
	add_text(&at, GUEST_INIT_MAGIC);
	add_number(&at, 0); /* no listener */
	add_number(&at, w->n_fds);
	for (size_t i = 0; i < w->n_fds; i++)
		add_number(&at, (unsigned long)w->fds[i]);
	for (int i = 0; i < 3; i++)
		add_number(&at, 0); /* umask and ids stay */
	add_text(&at, ".");
	add_number(&at, (unsigned long)call(NR_getpid, 0, 0, 0, 0, 0));
	add_text(&at, ""); /* the program has not been looked for */
	add_number(&at, w->n_cpus);
	for (size_t i = 0; i < w->n_cpus; i++)
		add_number(&at, (unsigned long)w->cpus[i]);
	for (int i = 0; i < 4; i++)
		add_number(&at, 0); /* groups, limits and filter stay */
	add_list(&at, w->argv);
	add_list(&at, w->env);
	add_text(&at, "end");
	*ret = start;
	return (size_t)(at - start);
}

/* One that does not fit into a message goes as a file. */
static size_t to_file(struct within *w, char **text, size_t n)
{
	char *p = *text + 1;

	if (n <= GUEST_INIT_INLINE_MAX)
		return n;
	w->block_fd = (int)call(NR_memfd_create, (long)"block", MFD_CLOEXEC, 0, 0, 0);
	for (size_t left = n - 1; left > 0;) {
		long r = w->block_fd < 0 ? -1 : call(NR_write, w->block_fd, (long)p, (long)left, 0, 0);

		if (r <= 0)
			give_up("no room for the program's arguments");
		p += r;
		left -= (size_t)r;
	}
	/* It is read from its beginning: the offset is shared. */
	if (call(NR_lseek, w->block_fd, 0, 0, 0, 0) < 0)
		give_up("no room for the program's arguments");
	**text = GUEST_INIT_FILE;
	return 1;
}

/* ---- the socket ---- */
/* A message with descriptors. */
static void send_message(const struct within *w, const void *data, size_t len, const int *fds, size_t n)
{
	struct {
		size_t len;
		int level, type, fd[GUEST_INIT_FDS_PER_MESSAGE + 1];
	} control = { .level = SOL_SOCKET, .type = SCM_RIGHTS };
	struct {
		const void *base;
		size_t len;
	} iov = { data, len };
	struct kernel_msghdr msg = { .iov = &iov, .n_iov = 1, .control = &control };

	for (size_t i = 0; i < n; i++)
		control.fd[i] = fds[i];
	control.len = offsetof(__typeof__(control), fd) + n * sizeof(int);
	msg.control_len = (control.len + sizeof(long) - 1) & ~(sizeof(long) - 1);
	if (call(NR_sendmsg, w->sock, (long)&msg, MSG_NOSIGNAL, 0, 0) < 0)
		give_up("cannot hand over the program's descriptors");
}

/* Before the tracer is started: who it runs finds the answer waiting (GUEST_INIT_EARLY). */
static void send_block(struct within *w)
{
	int all[FDS_MAX + 2];
	size_t n = 0, len;
	char *text;

	len = build(w, &text);
	len = to_file(w, &text, len);
	all[n++] = w->far_status;
	if (w->block_fd >= 0)
		all[n++] = w->block_fd;
	for (size_t i = 0; i < w->n_fds; i++)
		all[n++] = w->fds[i];
	for (size_t at = 0, part; at < n; at += part) {
		part = n - at < GUEST_INIT_FDS_PER_MESSAGE ? n - at : GUEST_INIT_FDS_PER_MESSAGE;
		send_message(w, text, at == 0 ? len : 1, all + at, part);
	}
}

/* The pid of the one that says hello; 0: nobody does. */
static long hello(const struct within *w)
{
	char letter = 0;
	struct {
		void *base;
		size_t len;
	} iov = { &letter, 1 };
	struct {
		size_t len;
		int level, type, pid, uid, gid, pad;
	} control = { 0 };
	struct kernel_msghdr msg = {
		.iov = &iov, .n_iov = 1, .control = &control, .control_len = sizeof(control)
	};
	long r = call(NR_recvmsg, w->sock, (long)&msg, 0, 0, 0);

	return r == 1 && letter == GUEST_INIT_HELLO && control.type == SCM_CREDENTIALS ? control.pid : 0;
}

static void open_wires(struct within *w)
{
	int pair[2] = { -1, -1 }, status[2] = { -1, -1 }, complaints[2] = { -1, -1 }, on = 1;

	if (call(NR_socketpair, AF_UNIX, SEQPACKET_CLOEXEC, 0, (long)pair, 0) < 0 ||
		call(NR_setsockopt, pair[0], SOL_SOCKET, SO_PASSCRED, (long)&on, sizeof(on)) < 0 ||
		call(NR_pipe2, (long)status, O_CLOEXEC, 0, 0, 0) < 0 ||
		call(NR_pipe2, (long)complaints, O_CLOEXEC | O_NONBLOCK, 0, 0, 0) < 0)
		give_up("cannot prepare the start of the program");
	w->sock = pair[0];
	w->far_sock = pair[1];
	w->status = status[0];
	w->far_status = status[1];
	w->complaints = complaints[0];
	w->far_complaints = complaints[1];
}

/* For the tracer, the program and us. */
static void set_filter(const struct within *w)
{
	unsigned char *program;
	size_t n;

	if (!w->filter)
		return;
	program = memory(length(w->filter) + 1);
	n = filter_decode(w->filter, program) / FILTER_INSTRUCTION;
	if (filter_install(program, n, 0) < 0)
		give_up("cannot install the filter of system calls");
}

/* ---- the processor of the start: as pkg/runtime/launch.c does it ---- */
static long set_cpus(long pid, const uint64_t *cpus, size_t n)
{
	return call(NR_sched_setaffinity, pid, (long)(n * sizeof(*cpus)), (long)cpus, 0, 0);
}

/* Who asks for all follows later changes of its cpuset, as who has never asked does. */
static void find_cpus(struct within *w)
{
	long n = call(NR_sched_getaffinity, 0, sizeof(w->cpus), (long)w->cpus, 0, 0);
	uint64_t all[CPU_WORDS], now[CPU_WORDS] = { 0 };
	size_t words = n > 0 ? (size_t)n / sizeof(*w->cpus) : 0, choice = 0;
	int differ = 0;

	if (sizeof(long) < sizeof(*w->cpus) || n % (long)sizeof(*w->cpus))
		return;
	for (size_t i = 0; i < words; i++) {
		choice += (w->cpus[i] & (w->cpus[i] - 1)) != 0 ? 2 : w->cpus[i] != 0;
		all[i] = ~(uint64_t)0;
	}
	if (choice < 2 || set_cpus(0, all, words) < 0)
		return; /* what cannot be set back is not changed */
	differ = call(NR_sched_getaffinity, 0, n, (long)now, 0, 0) != n;
	for (size_t i = 0; i < words; i++)
		differ |= now[i] != w->cpus[i];
	if (differ)
		(void)set_cpus(0, w->cpus, words); /* we had them a moment ago */
	for (size_t i = 0; i < words && !differ; i++)
		w->cpus[i] = all[i];
	w->n_cpus = words;
}

/* The tracer, and what it starts until that is the program, take turns on one processor. */
static void stay_here(const struct within *w)
{
	uint64_t one[CPU_WORDS] = { 0 };
	unsigned cpu = 0;

	if (!w->n_cpus || call(NR_getcpu, (long)&cpu, 0, 0, 0, 0) < 0 || cpu / 64 >= w->n_cpus)
		return;
	one[cpu / 64] = (uint64_t)1 << cpu % 64;
	(void)set_cpus(0, one, w->n_cpus); /* slower without */
}

/* ---- the tracer ---- */
static __attribute__((noreturn)) void become_tracer(const struct within *w)
{
	char number[24], *flags = decimal(number, w->flags);
	size_t n_env = 0, n = 0;
	char **argv = memory((w->n_tracer + 3) * sizeof(*argv)), **env;
	int null = (int)call(NR_openat, AT_FDCWD, (long)"/dev/null", O_RDWR | O_CLOEXEC, 0, 0);

	while (w->env[n_env])
		n_env++;
	env = memory((w->n_own + n_env + 1) * sizeof(*env));
	/* The first of two of a name counts. */
	for (; n < w->n_own; n++)
		env[n] = w->own[n];
	for (size_t i = 0; i < n_env; i++)
		env[n++] = w->env[i];
	for (size_t i = 0; i < w->n_tracer; i++)
		argv[i] = w->tracer[i];
	argv[w->n_tracer] = w->self;
	argv[w->n_tracer + 1] = flags;
	stay_here(w);
	/* Signals of our group are not the tracer's business. */
	(void)call(NR_setpgid, 0, 0, 0, 0, 0);
	(void)call(NR_rt_sigprocmask, SIG_SETMASK, (long)&w->mask, 0, sizeof(w->mask), 0);
	(void)call(NR_dup3, w->far_sock, 0, 0, 0, 0);
	(void)call(NR_dup3, null >= 0 ? null : w->far_complaints, 1, 0, 0, 0);
	(void)call(NR_dup3, w->far_complaints, 2, 0, 0, 0);
	/* It holds none of the program's: who waits for their end would wait for the tracer. */
	for (size_t i = 0; i < w->n_fds; i++)
		if (w->fds[i] > 2)
			(void)call(NR_close, w->fds[i], 0, 0, 0, 0);
	(void)call(NR_execve, (long)argv[0], (long)argv, (long)env, 0, 0);
	say("cannot be executed");
	leave(STATUS_NOT_STARTED);
}

static long wait_for(long pid, int *status, long options)
{
	return call(NR_wait4, pid, (long)status, options, 0, 0);
}

/* Nobody has said hello: what the tracer had to say instead is told. */
static __attribute__((noreturn)) void tracer_failed(struct within *w)
{
	char text[1024];
	long n;
	int status;

	(void)call(NR_kill, w->engine, SIGKILL, 0, 0, 0);
	(void)wait_for(w->engine, &status, 0);
	n = call(NR_read, w->complaints, (long)text, sizeof(text), 0, 0);
	say("udocker: PRoot did not run the program: ");
	if (n > 0)
		(void)call(NR_write, 2, (long)text, n, 0, 0);
	say("\n");
	leave(STATUS_NOT_STARTED);
}

/* guest_init's last word, if it could not run the program. */
static void check_result(const struct within *w)
{
	struct guest_init_status s = { 0, 0 };
	int status;

	if (call(NR_read, w->status, (long)&s, sizeof(s), 0, 0) != (long)sizeof(s))
		return; /* the program has been exec'd, or its end will say what happened */
	(void)wait_for(w->program, &status, 0);
	say("exec: \"");
	say(w->argv[0]);
	if (s.stage != GUEST_INIT_STAGE_EXEC)
		say("\": it could not be prepared\n");
	else if (s.error == ENOENT)
		say("\": no such file or directory\n");
	else if (s.error == EACCES)
		say("\": permission denied\n");
	else
		say("\": cannot be executed\n");
	leave(s.stage != GUEST_INIT_STAGE_EXEC ? STATUS_NOT_STARTED : s.error == ENOENT ? 127 : 126);
}

/* ---- until the program has ended ---- */
static void set_default(int sig)
{
	long action[8] = { 0 }; /* SIG_DFL is 0 */

	(void)call(NR_rt_sigaction, sig, (long)action, 0, sizeof(uint64_t), 0);
}

static __attribute__((noreturn)) void end_alike(int status)
{
	uint64_t none[2] = { 0, 0 }, one;
	int sig = status & 0x7f;

	if (!sig)
		leave((status >> 8) & 0xff);
	(void)call(NR_prlimit64, 0, RLIMIT_CORE, (long)none, 0, 0);
	(void)call(NR_prctl, DUMPABLE, 0, 0, 0, 0); /* a limit does not keep a core from a pipe */
	set_default(sig);
	one = (uint64_t)1 << (sig - 1);
	(void)call(NR_kill, call(NR_getpid, 0, 0, 0, 0, 0), sig, 0, 0, 0);
	(void)call(NR_rt_sigprocmask, SIG_UNBLOCK, (long)&one, 0, sizeof(one), 0);
	leave(128 + sig); /* the first process of a PID namespace cannot be ended by its own signal */
}

static void reap(struct within *w)
{
	int status = 0;
	long pid;

	while ((pid = wait_for(-1, &status, WNOHANG)) > 0) {
		if (pid == w->program)
			end_alike(status);
		/* Its tracees would run on without it. */
		if (pid == w->engine)
			(void)call(NR_kill, w->program, SIGKILL, 0, 0, 0);
	}
	if (pid == -ECHILD)
		end_alike(SIGKILL); /* somebody else has the program's status */
}

static __attribute__((noreturn)) void supervise(struct within *w)
{
	const uint64_t all = ~(uint64_t)0;

	for (;;) {
		long sig;

		reap(w);
		sig = call(NR_rt_sigtimedwait, (long)&all, 0, 0, sizeof(all), 0);
		if (sig > 0 && sig != SIGCHLD)
			(void)call(NR_kill, w->program, sig, 0, 0, 0);
	}
}

/* The terminal becomes free for the program's own session. To lose it is told by these two, which are not for the program. */
static int lose_terminal(void)
{
	const uint64_t told = (uint64_t)1 << (SIGHUP - 1) | (uint64_t)1 << (SIGCONT - 1);
	const long now[2] = { 0, 0 };

	if (call(NR_ioctl, 0, TIOCNOTTY, 0, 0, 0) < 0)
		return 0;
	while (call(NR_rt_sigtimedwait, (long)&told, 0, (long)now, sizeof(told), 0) > 0)
		;
	return 1;
}

static void read_words(struct within *w, long *stack)
{
	char **words = (char **)(stack + 1);

	w->self = words[0];
	w->env = words + stack[0] + 1;
	w->own = words += 2;
	while (*words && **words != '/')
		words++;
	w->n_own = (size_t)(words - w->own);
	if (w->n_own > 0 && words[-1][0] == GUEST_WITHIN_FILTER) {
		w->n_own--;
		w->filter = words[-1] + 1;
	}
	w->tracer = words;
	while (*words && !same(*words, GUEST_WITHIN_END))
		words++;
	w->n_tracer = (size_t)(words - w->tracer);
	if (!*words || !words[1] || w->n_tracer == 0)
		give_up("udocker-guest-init within: started by udocker-runtime, not by hand");
	w->argv = words + 1;
}

void guest_within_main(long *stack)
{
	const uint64_t all = ~(uint64_t)0;
	struct within w = { .block_fd = -1 };

	if (stack[0] < 2 || !same(((char **)(stack + 1))[1], GUEST_WITHIN))
		return;
	read_words(&w, stack);
	set_filter(&w);
	w.n_fds = fds_find(w.fds, FDS_MAX);
	open_wires(&w);
	(void)call(NR_rt_sigprocmask, SIG_BLOCK, (long)&all, (long)&w.mask, sizeof(all), 0);
	(void)call(NR_prctl, SUBREAPER, 1, 0, 0, 0);
	w.flags = GUEST_INIT_EARLY | GUEST_INIT_DETACH | GUEST_INIT_SESSION | GUEST_INIT_PDEATHSIG;
	w.flags |= lose_terminal() ? GUEST_INIT_TTY : 0;
	for (char **e = w.env; *e; e++)
		w.flags |= begins(*e, "LISTEN_PID=") ? GUEST_INIT_LISTEN_PID : 0;
	find_cpus(&w);
	send_block(&w);
	w.engine = call(NR_clone, SIGCHLD, 0, 0, 0, 0);
	if (w.engine == 0)
		become_tracer(&w);
	if (w.engine < 0)
		give_up("cannot start PRoot: fork");
	set_default(SIGCHLD); /* ignored, the program's status would be lost */
	close_fd(&w.far_sock);
	close_fd(&w.far_status);
	close_fd(&w.far_complaints);
	close_fd(&w.block_fd);
	w.program = hello(&w);
	if (w.program == 0)
		tracer_failed(&w);
	close_fd(&w.sock);
	check_result(&w);
	if (w.n_cpus)
		(void)set_cpus(w.engine, w.cpus, w.n_cpus); /* slower without */
	close_fd(&w.status);
	close_fd(&w.complaints);
	for (size_t i = 0; i < w.n_fds; i++)
		close_fd(&w.fds[i]);
	supervise(&w);
}
