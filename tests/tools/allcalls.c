/* SPDX-License-Identifier: Apache-2.0 */
/*
 * allcalls LAST: as an ordinary user makes every system call up to a number, with arguments of 0 and with ones that lead nowhere, each in a process of its own. Prints a line for
 * each that was ended by SIGSYS, and at the end how many were made.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define WAIT_US 100000 /* for calls that wait */

static int is_vfork(long nr)
{
#ifdef SYS_vfork
	return nr == SYS_vfork;
#else
	return nr < 0;
#endif
}

/* What would end more than the process itself; seccomp(), of which 0 is the strict mode that ends it; and vfork(), which a function cannot return from. */
static int is_left_out(long nr)
{
	return nr == SYS_kill || nr == SYS_reboot || nr == SYS_sync || nr == SYS_seccomp || is_vfork(nr);
}

static int try_call(long nr, long argument)
{
	const struct itimerval soon = { { 0, WAIT_US }, { 0, WAIT_US } };
	int status = 0;
	pid_t child = fork();

	if (child < 0)
		return -1;
	if (child == 0) {
		signal(SIGALRM, SIG_DFL); /* whoever started us may ignore it */
		setitimer(ITIMER_REAL, &soon, NULL);
		(void)syscall(nr, argument, argument, argument, argument, argument, argument);
		_exit(0);
	}
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	/* It has asked to be traced. */
	if (WIFSTOPPED(status)) {
		kill(child, SIGKILL);
		waitpid(child, &status, 0);
	}
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

int main(int argc, char **argv)
{
	static const long arguments[] = { 0, -1, 8 };
	long last = argc > 1 ? strtol(argv[1], NULL, 10) : 600;
	int tried = 0, wrong = 0;

	if (getuid() == 0) {
		fprintf(stderr, "allcalls: is for ordinary users\n");
		return 2;
	}
	/* Descriptor 0 is an argument: nothing of the machine's. */
	if (dup2((int)syscall(SYS_memfd_create, "0", 0), 0) < 0)
		return 2;
	(void)setsid(); /* whatever a call does to its group */
	for (long nr = 0; nr <= last; nr++) {
		for (size_t i = 0; i < sizeof(arguments) / sizeof(*arguments) && !is_left_out(nr); i++) {
			int sig = try_call(nr, arguments[i]);

			tried++;
			if (sig != SIGSYS && sig >= 0)
				continue;
			printf("%ld (%ld): signal %d\n", nr, arguments[i], sig);
			wrong++;
		}
	}
	printf("%d calls, %d wrong\n", tried, wrong);
	return wrong != 0;
}
