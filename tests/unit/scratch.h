/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For unit tests that touch the system: a directory of their own, a part that runs in a child, and system calls that
 * are refused as an older kernel or a filter refuses them.
 */
#ifndef UDOCKER_TEST_SCRATCH_H
#define UDOCKER_TEST_SCRATCH_H

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pkg/base/fs.h"
#include "tests/unit/tap.h"

/* A fresh directory below `base`, opened; its name stays in `path`. */
static inline int scratch_open_in(const char *base, char path[64])
{
	snprintf(path, 64, "%s/udocker-unit-XXXXXX", base);
	if (!mkdtemp(path)) {
		perror("mkdtemp");
		exit(99);
	}
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static inline int scratch_open(char path[64])
{
	return scratch_open_in("/tmp", path);
}

static inline void scratch_close(int fd, const char *path)
{
	close(fd);
	ok(fs_rm_tree(AT_FDCWD, path, NULL) == 0, "the scratch directory can be removed");
}

static inline void put(int dirfd, const char *name, const char *text)
{
	int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text)) {
		perror(name);
		exit(99);
	}
	close(fd);
}

/* Run a part of the test in a child; its checks count as if they had been made here. */
static inline void in_child(void (*part)(void *), void *arg)
{
	int ends[2], counts[2] = { 0, 0 }, status = 0;
	pid_t pid;

	fflush(stdout);
	if (pipe2(ends, O_CLOEXEC) < 0 || (pid = fork()) < 0) {
		perror("in_child");
		exit(99);
	}
	if (pid == 0) {
		part(arg);
		counts[0] = tap_count;
		counts[1] = tap_failed;
		fflush(stdout);
		if (write(ends[1], counts, sizeof(counts)) < 0)
			_exit(99);
		_exit(0);
	}
	close(ends[1]);
	if (read(ends[0], counts, sizeof(counts)) == sizeof(counts)) {
		tap_count = counts[0];
		tap_failed = counts[1];
	}
	close(ends[0]);
	waitpid(pid, &status, 0);
	ok(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child came to its end (status %x)",
		(unsigned)status);
}

/* From here on this process is answered `errnum` to the system calls of the list, which ends with -1. */
static inline void deny_calls(const int *calls, int errnum)
{
	struct sock_filter code[64];
	struct sock_fprog prog = { .filter = code };
	unsigned short n = 0;

	code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	for (; *calls >= 0; calls++) {
		code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)*calls, 0, 1);
		code[n++] =
			(struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)errnum);
	}
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	prog.len = n;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) < 0) {
		perror("seccomp");
		exit(99);
	}
}

/* Permissions mean nothing to root: become somebody, in a child only. The directory is given away first. */
static inline void become_nobody(int dirfd)
{
	if (geteuid() != 0)
		return;
	if (fchown(dirfd, 65534, 65534) < 0 || setresgid(65534, 65534, 65534) < 0 ||
		setresuid(65534, 65534, 65534) < 0) {
		perror("become nobody");
		exit(99);
	}
}

#endif
