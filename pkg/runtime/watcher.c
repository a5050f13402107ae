/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Launchers kill by SIGKILL what they have started (MPICH's Hydra does, when a rank fails): neither crun nor runc tells its container, which would stay and
 * keep the launcher's sockets. PR_SET_PDEATHSIG cannot be had for it, since the container's process is not forked by us.
 */
#include "pkg/runtime/watcher.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "pkg/base/fd.h"

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif

enum { US, PROGRAM, N };

static NORETURN void watch(struct pollfd p[N])
{
	const int keep[] = { p[US].fd, p[PROGRAM].fd };
	int null = open("/dev/null", O_RDWR);

	(void)setsid(); /* signals of the terminal and of our group are not for it */
	for (int fd = 0; fd < 3 && null >= 0; fd++)
		(void)dup2(null, fd);
	fd_close_except(3, keep, N);
	while (poll(p, N, -1) < 0)
		continue;
	if (p[US].revents && !p[PROGRAM].revents)
		(void)syscall(SYS_pidfd_send_signal, p[PROGRAM].fd, SIGKILL, NULL, 0);
	_exit(0);
}

void watcher_start(pid_t program)
{
	autoclose int us = (int)syscall(SYS_pidfd_open, getpid(), 0);
	autoclose int its = us < 0 ? -1 : (int)syscall(SYS_pidfd_open, program, 0);

	if (its >= 0 && fork() == 0)
		watch((struct pollfd[N]){ { .fd = us, .events = POLLIN }, { .fd = its, .events = POLLIN } });
}
