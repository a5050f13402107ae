/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Launchers kill by SIGKILL what they have started (MPICH's Hydra does, when a rank fails): neither crun nor runc tells its container, which would stay and
 * keep the launcher's sockets. PR_SET_PDEATHSIG cannot be had for it, since the container's process is not forked by us.
 */
#include "pkg/runtime/watcher.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/param.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "pkg/base/fd.h"
#include "pkg/runtime/state.h"

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif

enum { US, PROGRAM, N };

#define POLL_MS 5
#define LATE 2000 /* times POLL_MS that a delegate may take when we are gone */

/* The program's pidfd, from the pid file; it may appear when we are gone. Negative: the container has been given up. */
static int find_program(struct instance *c, int us)
{
	struct pollfd gone = { .fd = us, .events = POLLIN };
	struct stat st;
	int late = 0;

	while (!instance_read_pid_file(c)) {
		if (fstat(c->dirfd, &st) < 0 || st.st_nlink == 0 || late > LATE)
			return -1;
		if (poll(&gone, 1, POLL_MS) > 0) {
			late++;
			(void)poll(NULL, 0, POLL_MS);
		}
	}
	return (int)syscall(SYS_pidfd_open, c->rec.proc.pid, 0);
}

static NORETURN void watch(struct instance *c, int us)
{
	struct pollfd p[N] = { [US] = { .fd = us, .events = POLLIN }, [PROGRAM] = { .events = POLLIN } };
	const int keep[] = { MIN(us, c->dirfd), MAX(us, c->dirfd) };
	int null = open("/dev/null", O_RDWR);

	(void)setsid(); /* signals of the terminal and of our group are not for it */
	for (int fd = 0; fd < 3 && null >= 0; fd++)
		(void)dup2(null, fd);
	fd_close_except(3, keep, ARRAY_LEN(keep));
	p[PROGRAM].fd = find_program(c, us);
	if (p[PROGRAM].fd < 0)
		_exit(0);
	while (poll(p, N, -1) < 0)
		continue;
	if (p[US].revents && !p[PROGRAM].revents)
		(void)syscall(SYS_pidfd_send_signal, p[PROGRAM].fd, SIGKILL, NULL, 0);
	_exit(0);
}

void watcher_start(struct instance *c)
{
	autoclose int us = (int)syscall(SYS_pidfd_open, getpid(), 0);

	if (us >= 0 && fork() == 0)
		watch(c, us);
}
