/* SPDX-License-Identifier: Apache-2.0 */
/* Which descriptors the caller has given to the program, for guest_within.c: all that are not close-on-exec. */
#ifndef UDOCKER_GUEST_FDS_H
#define UDOCKER_GUEST_FDS_H

#include <stddef.h>
#include <stdint.h>

#include "engines/guest_call.h"

#define FDS_HERE (-100) /* AT_FDCWD */
#define FDS_OPEN 0x80800 /* O_CLOEXEC, O_NONBLOCK */
#define FDS_GETFD 1 /* F_GETFD */

struct fds_list {
	int *v;
	size_t n, max;
};

static inline void fds_add(struct fds_list *l, int fd)
{
	if (l->n < l->max && call(NR_fcntl, fd, FDS_GETFD, 0, 0, 0) == 0)
		l->v[l->n++] = fd;
}

/* The number that a name is, -1: it is none. */
static inline int fds_number(const char *name)
{
	int n = 0;

	for (; *name >= '0' && *name <= '9' && n < 100000000; name++)
		n = n * 10 + (*name - '0');
	return *name ? -1 : n;
}

/* From the kernel's list. Returns 0 where the guest has another there: then the folder's own descriptor is not in it. */
static inline int fds_read(struct fds_list *l)
{
	const struct {
		uint64_t ino;
		int64_t off;
		unsigned short len;
		unsigned char type;
		char name[];
	} * entry;
	_Alignas(8) char text[1024] = { 0 };
	long dir = call(NR_openat, FDS_HERE, (long)"/proc/self/fd", FDS_OPEN, 0, 0), n;
	int is_it = 0;

	if (dir < 0)
		return 0;
	while ((n = call(NR_getdents64, dir, (long)text, sizeof(text), 0, 0)) > 0) {
		for (long at = 0; at < n; at += entry->len) {
			int fd;

			entry = (const void *)(text + at);
			fd = fds_number(entry->name);
			is_it |= fd == dir;
			if (fd >= 0)
				fds_add(l, fd);
		}
	}
	(void)call(NR_close, dir, 0, 0, 0, 0);
	return is_it;
}

/* Their numbers, in rising order; returns how many. A call for each number that there might be takes longer than the list. */
static inline size_t fds_find(int *ret, size_t max)
{
	struct fds_list l = { ret, 0, max };

	if (fds_read(&l))
		return l.n;
	l.n = 0;
	for (int fd = 0; fd < (int)max; fd++)
		fds_add(&l, fd);
	return l.n;
}

#endif
