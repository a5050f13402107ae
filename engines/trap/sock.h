/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of unix sockets. A name of the guest is stored as "/proc/self/fd/N/…", N being the root's or a bind's descriptor, the same in all processes of a
 * run: the way back is cutting that off.
 */
#ifndef UDOCKER_TRAP_SOCK_H
#define UDOCKER_TRAP_SOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/un.h>

/* An address on its way to the kernel. */
struct sock_name {
	struct sockaddr_un addr;
	long len; /* 0: the guest's own goes as it is */
	long fd; /* to be closed after the call, or -1 */
	const char *
		last; /* what it is to be called in folder `fd` after the call, in `text`; NULL: it is called so */
	char text[sizeof(((struct sockaddr_un *)0)->sun_path) + 1];
};

/* For connect() and the like (`made` false) or bind(). 0 or -errno. */
long sock_name_in(struct sock_name *ret, int sock, const void *guest, unsigned long len, bool made);
/* After bind(): r, or what keeps the socket from its name. */
long sock_name_settle(const struct sock_name *n, long r);
void sock_name_free(const struct sock_name *n);
/* A stored name as the guest's, in place; its new length. `sock`: whose own name it is, or -1. */
unsigned sock_name_out(struct sockaddr_un *addr, unsigned len, int sock);

#endif
