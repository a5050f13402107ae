/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bounded: runs a command and says what it took that it must not take. What the command itself says and its status pass through.
 *
 *   bounded [-m MIB] [-t SECONDS] CMD [ARG...]
 *
 * Exit status 98 and a line on stderr when more than MIB of memory were resident at once, 97 when it did not end in time (it is killed
 * then: a hang, not a matter of speed, so the time should be generous); 128+N when signal N ended it.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t child;
static volatile sig_atomic_t late;

static void on_alarm(int sig)
{
	(void)sig;
	late = 1;
	kill(child, SIGKILL);
}

static long number(const char *text)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (*end || end == text || n <= 0) {
		fprintf(stderr, "bounded: '%s' is no number\n", text);
		exit(2);
	}
	return n;
}

int main(int argc, char **argv)
{
	long mib = 0, seconds = 120;
	struct rusage u;
	int status, c;

	while ((c = getopt(argc, argv, "+m:t:")) >= 0) {
		if (c == 'm')
			mib = number(optarg);
		else if (c == 't')
			seconds = number(optarg);
		else
			return 2;
	}
	if (optind >= argc)
		return 2;
	child = fork();
	if (child == 0) {
		execvp(argv[optind], argv + optind);
		fprintf(stderr, "bounded: %s: %s\n", argv[optind], strerror(errno));
		_exit(127);
	}
	signal(SIGALRM, on_alarm);
	alarm((unsigned)seconds);
	while (child < 0 || wait4(child, &status, 0, &u) < 0) {
		if (child < 0 || errno != EINTR) {
			perror("bounded");
			return 99;
		}
	}
	alarm(0);
	if (late) {
		fprintf(stderr, "bounded: %s did not end within %ld s\n", argv[optind], seconds);
		return 97;
	}
	if (mib && u.ru_maxrss > mib << 10) {
		fprintf(stderr, "bounded: %s had %ld MiB in memory where %ld are allowed\n", argv[optind],
			u.ru_maxrss >> 10, mib);
		return 98;
	}
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
