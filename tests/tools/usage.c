/* SPDX-License-Identifier: Apache-2.0 */
/*
 * usage FILE CMD ARG...: runs CMD and writes what it and its children took to FILE, "PEAK_KIB USER_MS SYSTEM_MS". Exits as CMD did,
 * 128 + N when signal N ended it. A program of its own, since a process inherits the peak of the one that forked it.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static long milliseconds(struct timeval t)
{
	return t.tv_sec * 1000L + t.tv_usec / 1000;
}

int main(int argc, char **argv)
{
	struct rusage use;
	int status;
	pid_t pid;
	FILE *out;

	if (argc < 3) {
		fprintf(stderr, "usage: usage FILE CMD ARG...\n");
		return 2;
	}
	pid = fork();
	if (pid == 0) {
		execvp(argv[2], argv + 2);
		fprintf(stderr, "usage: %s: %s\n", argv[2], strerror(errno));
		_exit(127);
	}
	if (pid < 0 || wait4(pid, &status, 0, &use) < 0) {
		perror("usage");
		return 125;
	}
	out = fopen(argv[1], "w");
	if (!out ||
		fprintf(out, "%ld %ld %ld\n", use.ru_maxrss, milliseconds(use.ru_utime),
			milliseconds(use.ru_stime)) < 0 ||
		fclose(out)) {
		perror(argv[1]);
		return 125;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
