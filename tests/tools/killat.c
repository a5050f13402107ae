/* SPDX-License-Identifier: Apache-2.0 */
/*
 * killat MICROSECONDS PROGRAM ARG...   SIGKILL after that time; the exit status is the program's, or 137.
 * killat - PROGRAM ARG...              let it run: a shell says nothing of its end by a signal
 * killat -t PROGRAM ARG...             the same, and print how many microseconds it took
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

int main(int argc, char **argv)
{
	long long start, us;
	char *end;
	int status;
	pid_t pid;

	if (argc < 3) {
		fprintf(stderr, "usage: killat MICROSECONDS|-|-t PROGRAM [ARG...]\n");
		return 125;
	}
	us = *argv[1] == '-' ? -1 : strtoll(argv[1], &end, 10);
	if (us >= 0 && (*end || end == argv[1])) {
		fprintf(stderr, "killat: '%s' is no number\n", argv[1]);
		return 125;
	}
	start = now_us();
	pid = fork();
	if (pid == 0) {
		execvp(argv[2], argv + 2);
		fprintf(stderr, "killat: %s: %s\n", argv[2], strerror(errno));
		_exit(125);
	}
	if (pid < 0)
		return 125;
	if (us >= 0) {
		usleep((useconds_t)us);
		kill(pid, SIGKILL);
	}
	if (waitpid(pid, &status, 0) < 0)
		return 125;
	if (strcmp(argv[1], "-t") == 0)
		printf("%lld\n", now_us() - start);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
