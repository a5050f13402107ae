/* SPDX-License-Identifier: Apache-2.0 */
/*
 * killat MICROSECONDS PROGRAM ARG...   SIGKILL after that time; the exit status is the program's, or 137.
 * killat - PROGRAM ARG...              let it run: a shell says nothing of its end by a signal
 * killat -t PROGRAM ARG...             the same, and print how many microseconds it took
 * killat -s COMMAND PROGRAM ARG...     when the program stops (SIGSTOP), run the shell command, without LD_PRELOAD, then let the program
 *                                      go on; 99: it never stopped and succeeded
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long long now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

static pid_t start(char **argv)
{
	pid_t pid = fork();

	if (pid == 0) {
		execvp(argv[0], argv);
		fprintf(stderr, "killat: %s: %s\n", argv[0], strerror(errno));
		_exit(125);
	}
	return pid;
}

static int finish(pid_t pid)
{
	int status;

	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return 125;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int meanwhile(const char *command, char **argv)
{
	char *shell[] = { "/bin/sh", "-c", strdup(command), NULL };
	pid_t pid = start(argv);
	int status;

	if (pid < 0 || waitpid(pid, &status, WUNTRACED) < 0)
		return 125;
	if (!WIFSTOPPED(status))
		return !WIFEXITED(status)    ? 128 + WTERMSIG(status)
		       : WEXITSTATUS(status) ? WEXITSTATUS(status)
					     : 99;
	unsetenv("LD_PRELOAD");
	finish(start(shell));
	kill(pid, SIGCONT);
	return finish(pid);
}

int main(int argc, char **argv)
{
	long long begin, us;
	char *end = "";
	pid_t pid;
	int status;

	if (argc > 3 && strcmp(argv[1], "-s") == 0)
		return meanwhile(argv[2], argv + 3);
	us = argc < 3 || *argv[1] == '-' ? -1 : strtoll(argv[1], &end, 10);
	if (argc < 3 || *end) {
		fprintf(stderr, "usage: killat MICROSECONDS|-|-t|-s COMMAND PROGRAM [ARG...]\n");
		return 125;
	}
	begin = now_us();
	pid = start(argv + 2);
	if (us >= 0 && pid > 0) {
		usleep((useconds_t)us);
		kill(pid, SIGKILL);
	}
	status = finish(pid);
	if (strcmp(argv[1], "-t") == 0)
		printf("%lld\n", now_us() - begin);
	return status;
}
