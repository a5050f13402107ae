/* SPDX-License-Identifier: Apache-2.0 */
/* Signal names, and the clean interruption of long commands. */
#include "pkg/base/sig.h"

#include <signal.h>

#include "pkg/base/mem.h"
#include "pkg/base/num.h"

/* Numbers differ between architectures (MIPS, SPARC), so the headers say which they are. */
static const struct {
	int number;
	const char *name;
} names[] = {
	{ SIGHUP, "SIGHUP" },
	{ SIGINT, "SIGINT" },
	{ SIGQUIT, "SIGQUIT" },
	{ SIGILL, "SIGILL" },
	{ SIGTRAP, "SIGTRAP" },
	{ SIGABRT, "SIGABRT" },
	{ SIGBUS, "SIGBUS" },
	{ SIGFPE, "SIGFPE" },
	{ SIGKILL, "SIGKILL" },
	{ SIGUSR1, "SIGUSR1" },
	{ SIGSEGV, "SIGSEGV" },
	{ SIGUSR2, "SIGUSR2" },
	{ SIGPIPE, "SIGPIPE" },
	{ SIGALRM, "SIGALRM" },
	{ SIGTERM, "SIGTERM" },
#ifdef SIGSTKFLT
	{ SIGSTKFLT, "SIGSTKFLT" },
#endif
	{ SIGCHLD, "SIGCHLD" },
	{ SIGCONT, "SIGCONT" },
	{ SIGSTOP, "SIGSTOP" },
	{ SIGTSTP, "SIGTSTP" },
	{ SIGTTIN, "SIGTTIN" },
	{ SIGTTOU, "SIGTTOU" },
	{ SIGURG, "SIGURG" },
	{ SIGXCPU, "SIGXCPU" },
	{ SIGXFSZ, "SIGXFSZ" },
	{ SIGVTALRM, "SIGVTALRM" },
	{ SIGPROF, "SIGPROF" },
	{ SIGWINCH, "SIGWINCH" },
	{ SIGIO, "SIGIO" },
	{ SIGPWR, "SIGPWR" },
	{ SIGSYS, "SIGSYS" },
	/* Other spellings; sig_name() takes the first. */
	{ SIGIOT, "SIGIOT" },
	{ SIGPOLL, "SIGPOLL" },
	{ SIGCHLD, "SIGCLD" },
};

/*
 * Real-time signals by the kernel's count, 34 to 64 as kill(1) and runc have it: a program inside may be linked
 * with a C library that reserves others than ours.
 */
#define RT_MIN 34
#define RT_MAX 64

/* RTMIN, RTMIN+n, RTMAX, RTMAX-n. */
static int parse_realtime(const char *text)
{
	bool from_min = strncasecmp(text, "RTMIN", 5) == 0;
	int n = 0;

	if (!from_min && strncasecmp(text, "RTMAX", 5) != 0)
		return -1;
	text += 5;
	if (*text && (*text != (from_min ? '+' : '-') || num_parse_int(text + 1, 0, RT_MAX - RT_MIN, &n) < 0))
		return -1;
	return from_min ? RT_MIN + n : RT_MAX - n;
}

int sig_parse(const char *text)
{
	const char *name = strncasecmp(text, "SIG", 3) == 0 ? text + 3 : text;
	int number;

	if (num_parse_int(text, 0, RT_MAX, &number) == 0)
		return text[0] == '-' ? -1 : number; /* "-0" */
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcasecmp(name, names[i].name + 3) == 0)
			return names[i].number;
	return parse_realtime(name);
}

static const char realtime_names[RT_MAX - RT_MIN + 1][12] = {
	"SIGRTMIN",
	"SIGRTMIN+1",
	"SIGRTMIN+2",
	"SIGRTMIN+3",
	"SIGRTMIN+4",
	"SIGRTMIN+5",
	"SIGRTMIN+6",
	"SIGRTMIN+7",
	"SIGRTMIN+8",
	"SIGRTMIN+9",
	"SIGRTMIN+10",
	"SIGRTMIN+11",
	"SIGRTMIN+12",
	"SIGRTMIN+13",
	"SIGRTMIN+14",
	"SIGRTMIN+15",
	"SIGRTMAX-14",
	"SIGRTMAX-13",
	"SIGRTMAX-12",
	"SIGRTMAX-11",
	"SIGRTMAX-10",
	"SIGRTMAX-9",
	"SIGRTMAX-8",
	"SIGRTMAX-7",
	"SIGRTMAX-6",
	"SIGRTMAX-5",
	"SIGRTMAX-4",
	"SIGRTMAX-3",
	"SIGRTMAX-2",
	"SIGRTMAX-1",
	"SIGRTMAX",
};

const char *sig_name(int sig)
{
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (names[i].number == sig)
			return names[i].name;
	return sig >= RT_MIN && sig <= RT_MAX ? realtime_names[sig - RT_MIN] : NULL;
}

void sig_reset_all(void)
{
	struct sigaction sa = { .sa_handler = SIG_DFL };
	sigset_t none;

	/* KILL, STOP and the two that glibc keeps to itself refuse, and have no handler to lose. */
	for (int sig = 1; sig <= RT_MAX; sig++)
		(void)sigaction(sig, &sa, NULL);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Atomic, since every thread asks for them: lock-free for an int, so a handler may set them. */
static _Atomic int interrupted;
static _Atomic unsigned interrupts;

static void on_interrupt(int sig)
{
	interrupted = sig;
	interrupts++;
}

void sig_catch_interrupts(void)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	/* No SA_RESTART: a read that waits for a registry or a pipe must return. */
	struct sigaction sa = { .sa_handler = on_interrupt };

	sigemptyset(&sa.sa_mask);
	for (size_t i = 0; i < ARRAY_LEN(signals); i++) {
		struct sigaction old;

		/* What nohup or a shell's background job ignores stays ignored. */
		if (sigaction(signals[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
			(void)sigaction(signals[i], &sa, NULL);
	}
}

int sig_interrupted(void)
{
	return interrupted;
}

unsigned sig_interrupts(void)
{
	return interrupts;
}
