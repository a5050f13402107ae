/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the host's /proc says and the guest must not: names of the host behind magic links, and files that list mounts, ids and mappings.
 * Called for names in a bind with TRAP_BIND_PROC; `name` is the canonical guest name ("/proc/self/exe", wherever procfs is bound).
 */
#ifndef UDOCKER_TRAP_PROC_H
#define UDOCKER_TRAP_PROC_H

#include <stddef.h>

/* Answers besides lengths and descriptors: far from any errno. */
enum {
	/* The kernel follows it itself (pipes, deleted files, what no name of the guest leads to). */
	PROC_LINK_MAGIC = 1 << 20,
	PROC_LINK_EXE, /* this process's program: exec_program() */
	PROC_NOT_MINE,
};

/*
 * A link was found at `name` with the `n` bytes of `target` (room for TRAP_PATH_MAX): for walking. Turns a magic link's target into the guest's
 * name and returns its length; PROC_LINK_*; `n` for an ordinary link.
 */
long proc_link(const char *name, char *target, long n);
/* The same for readlink(): what the guest is told; always a length or -errno. */
long proc_readlink(const char *name, char *target, long n);
/* open() of `name`, for a file that is made up: its descriptor, -errno, or PROC_NOT_MINE. */
long proc_open(const char *name, unsigned long flags);

#endif
