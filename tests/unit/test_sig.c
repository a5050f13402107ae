/* SPDX-License-Identifier: Apache-2.0 */
/* sig: names both ways, a clean child, interruption as a flag. */
#include "pkg/base/sig.h"

#include <signal.h>
#include <sys/wait.h>

#include "tests/unit/tap.h"

static void test_names(void)
{
	static const char *const bad[] = { "", "SIG", "TERMX", "-15", "-0", "+15", "65", "RTMIN+31",
		"RTMIN-1", "RTMAX+1", "RTMIN+", "SIGSIGTERM", " TERM", "99999999999" };
	int wrong = 0;

	ok(sig_parse("TERM") == SIGTERM && sig_parse("SIGTERM") == SIGTERM &&
			sig_parse("sigterm") == SIGTERM && sig_parse("Term") == SIGTERM &&
			sig_parse("15") == SIGTERM,
		"TERM in every spelling");
	ok(sig_parse("0") == 0 && sig_parse("64") == 64, "numbers");
	ok(sig_parse("RTMIN") == 34 && sig_parse("SIGRTMIN+3") == 37 && sig_parse("rtmax") == 64 &&
			sig_parse("RTMAX-2") == 62 && sig_parse("RTMIN+30") == 64,
		"real-time signals");
	ok(sig_parse("IOT") == SIGABRT && sig_parse("POLL") == SIGIO && sig_parse("CLD") == SIGCHLD,
		"other names");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		is_int(sig_parse(bad[i]), -1, bad[i]);
	is_str(sig_name(SIGABRT), "SIGABRT", "the usual name");
	is_str(sig_name(37), "SIGRTMIN+3", "a real-time name");
	ok(!sig_name(0) && !sig_name(-1) && !sig_name(65) && !sig_name(32), "no such signal");
	for (int sig = 1; sig <= 64; sig++)
		wrong += sig_name(sig) && sig_parse(sig_name(sig)) != sig;
	is_int(wrong, 0, "every name leads back to its number");
	for (int sig = 1; sig <= 31; sig++)
		wrong += !sig_name(sig);
	is_int(wrong, 0, "every standard signal has a name");
}

static void handler(int sig UNUSED)
{
}

/* Run fn in a child and return its exit status. */
static int in_child(int (*fn)(void))
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0)
		_exit(fn());
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int reset(void)
{
	struct sigaction sa;
	sigset_t set;
	int left = 0;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGTERM, handler);
	signal(SIGRTMIN + 2, handler);
	sigfillset(&set);
	sigprocmask(SIG_SETMASK, &set, NULL);
	sig_reset_all();
	for (int sig = 1; sig <= 64; sig++)
		left += sigaction(sig, NULL, &sa) == 0 && sa.sa_handler != SIG_DFL;
	sigprocmask(SIG_SETMASK, NULL, &set);
	for (int sig = 1; sig <= 64; sig++)
		left += sigismember(&set, sig) == 1;
	return left;
}

static int catches(void)
{
	char byte;
	int p[2];

	signal(SIGHUP, SIG_IGN);
	sig_catch_interrupts();
	if (sig_interrupted() || raise(SIGHUP) || sig_interrupted())
		return 1; /* ignored stays ignored, as under nohup */
	if (raise(SIGINT) || sig_interrupted() != SIGINT || raise(SIGTERM) || sig_interrupted() != SIGTERM)
		return 2;
	if (pipe(p) < 0)
		return 3;
	/* A read that waits must return: ITIMER has no part in it, a child sends the signal. */
	if (fork() == 0) {
		usleep(50000);
		kill(getppid(), SIGINT);
		_exit(0);
	}
	return read(p[0], &byte, 1) < 0 && sig_interrupted() == SIGINT ? 0 : 4;
}

int main(void)
{
	test_names();
	is_int(in_child(reset), 0, "sig_reset_all: default dispositions, nothing blocked");
	is_int(in_child(catches), 0, "sig_catch_interrupts");
	is_int(sig_interrupted(), 0, "not interrupted");
	return tap_done();
}
