/* SPDX-License-Identifier: Apache-2.0 */
/* A process by its number: since when it runs, and signals that do not hit a stranger who got the number later. */
#include "pkg/base/proc.h"

#include <errno.h>
#include <signal.h>
#include <sys/syscall.h>

#include "pkg/base/fd.h"
#include "pkg/base/num.h"

/* State and start time are the fields 3 and 22 of proc(5); the name before them may hold anything, ')' too. */
#define FIELD_STATE 3
#define FIELD_START 22

static int parse_stat(char *text, uint64_t *ret_ticks, bool *ret_zombie)
{
	char *p = strrchr(text, ')');
	char state = '\0';

	if (!p)
		return -1;
	p++;
	for (int field = FIELD_STATE;; field++) {
		char *end;

		p += strspn(p, " ");
		end = p + strcspn(p, " \n");
		if (end == p)
			return -1;
		if (field == FIELD_STATE)
			state = *p;
		if (field < FIELD_START) {
			p = end;
			continue;
		}
		*end = '\0';
		if (num_parse_u64(p, UINT64_MAX, ret_ticks) < 0)
			return -1;
		if (ret_zombie)
			*ret_zombie = state == 'Z' || state == 'X' || state == 'x';
		return 0;
	}
}

int proc_start_time(pid_t pid, uint64_t *ret_ticks, bool *ret_zombie)
{
	char path[40], text[2048];
	autoclose int fd = -1;
	uint64_t ticks = 0;
	bool zombie = false;
	ssize_t n;

	*ret_ticks = 0;
	snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	/* The kernel hands it out whole. */
	do
		n = read(fd, text, sizeof(text) - 1);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -1;
	text[n] = '\0';
	if (parse_stat(text, &ticks, &zombie) < 0) {
		errno = ESRCH;
		return -1;
	}
	*ret_ticks = ticks;
	if (ret_zombie)
		*ret_zombie = zombie;
	return 0;
}

/* Is it still the process that started then? Without /proc nothing can be compared, and the number has to do. */
static bool is_same(pid_t pid, uint64_t start_time)
{
	uint64_t now;
	bool zombie;

	if (start_time == 0)
		return true;
	if (proc_start_time(pid, &now, &zombie) < 0)
		return access("/proc/self/stat", F_OK) < 0;
	return now == start_time && !zombie;
}

int proc_kill(pid_t pid, uint64_t start_time, int sig)
{
	autoclose int fd = -1;

	if (pid <= 0) { /* to kill() these mean groups, or everyone */
		errno = ESRCH;
		return -1;
	}
#if defined(SYS_pidfd_open) && defined(SYS_pidfd_send_signal)
	fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (fd < 0 && errno == ESRCH)
		return -1;
#endif
	/* Compared after the pidfd was opened: from here on it cannot lead to another process. */
	if (!is_same(pid, start_time)) {
		errno = ESRCH;
		return -1;
	}
#if defined(SYS_pidfd_open) && defined(SYS_pidfd_send_signal)
	if (fd >= 0) {
		int r = (int)syscall(SYS_pidfd_send_signal, fd, sig, NULL, 0);

		if (r == 0 || (errno != ENOSYS && errno != EPERM))
			return r;
	}
#endif
	return kill(pid, sig);
}
