/* SPDX-License-Identifier: Apache-2.0 */
/* For unit tests of the trap engine's image: guest memory as the kernel sees it, so that bad addresses fail, and a state with a root. */
#ifndef UDOCKER_TEST_TRAP_GUEST_H
#define UDOCKER_TEST_TRAP_GUEST_H

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "engines/trap/call.h"
#include "engines/trap/exec.h"
#include "engines/trap/state.h"
#include "engines/trap/sys.h"

long guest_copy(void *to, const void *from, size_t n);
long guest_copy_string(char *to, const char *from, size_t size);

/* Either side may be the guest's. */
long guest_copy(void *to, const void *from, size_t n)
{
	char bounce[4096];

	while (n) {
		size_t now = n < sizeof(bounce) ? n : sizeof(bounce);
		struct iovec here = { bounce, now }, there = { (void *)(uintptr_t)from, now };

		if (process_vm_readv(getpid(), &here, 1, &there, 1, 0) != (ssize_t)now)
			return -EFAULT;
		there.iov_base = to;
		if (process_vm_writev(getpid(), &here, 1, &there, 1, 0) != (ssize_t)now)
			return -EFAULT;
		to = (char *)to + now;
		from = (const char *)from + now;
		n -= now;
	}
	return 0;
}

long guest_copy_string(char *to, const char *from, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (guest_copy(to + i, from + i, 1))
			return -EFAULT;
		if (!to[i])
			return (long)i;
	}
	return (long)size;
}

/* call.c and exec.c would bring what is written for the image alone. */
long call_pass(const struct call *c)
{
	return sys_call(c->nr, (long)c->arg[0], (long)c->arg[1], (long)c->arg[2], (long)c->arg[3],
		(long)c->arg[4], (long)c->arg[5]);
}

const char *exec_program(void)
{
	return "/bin/program";
}

bool exec_program_is_kept(void)
{
	return false;
}

#define TRAP_GUEST_FD 900

/* A state whose root is `host`, and with `proc` a procfs at /proc. */
static inline struct trap_state *trap_guest(const char *host, unsigned flags, bool proc)
{
	struct trap_state *s = calloc(1, sizeof(*s) + 4096);
	const char *source[] = { host, "/proc" }, *guest[] = { "", "/proc" };
	uint32_t at = 1;

	s->flags = flags;
	s->real_uid = getuid();
	s->real_gid = getgid();
	s->n_binds = proc ? 2 : 1;
	s->fd_low = TRAP_GUEST_FD;
	s->fd_high = TRAP_GUEST_FD + 9;
	for (unsigned i = 0; i < s->n_binds; i++) {
		struct trap_bind *b = &s->bind[i];
		int fd = open(source[i], O_PATH | O_CLOEXEC);

		b->fd = dup2(fd, TRAP_GUEST_FD + (int)i);
		close(fd);
		b->guest = at;
		b->guest_len = (uint16_t)strlen(guest[i]);
		at += (uint32_t)(stpcpy(s->text + at, guest[i]) - (s->text + at)) + 1;
		b->host = at;
		b->host_len = (uint16_t)strlen(source[i]);
		at += (uint32_t)(stpcpy(s->text + at, source[i]) - (s->text + at)) + 1;
	}
	return s;
}

/* Enters bind 1 into the table of names, as the launcher does with all; `hash` is path_hash() of a text. */
static inline void trap_guest_enter(struct trap_state *s, unsigned i, uint32_t whole, uint32_t last)
{
	trap_add_last_name(s, last);
	s->bind[i].next = s->bucket[whole % TRAP_BUCKETS];
	s->bucket[whole % TRAP_BUCKETS] = (uint16_t)(i + 1);
}

#endif
