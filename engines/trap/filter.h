/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The seccomp filter of a run, from calls.def: calls that are nobody's business are allowed by their number alone (which the kernel then remembers,
 * since Linux 5.11), the others trap or fail unless the instruction pointer lies in the image. Pure.
 */
#ifndef UDOCKER_TRAP_FILTER_H
#define UDOCKER_TRAP_FILTER_H

#include <stdbool.h>
#include <stdint.h>

struct sock_filter;

#define FILTER_MAX 2048
/* In si_errno of the engine's own SIGSYS: another one comes from a filter of the guest. */
#define FILTER_TRAP_DATA 0x7564
/* The verdict on a call that is made to be judged: none has this errno. One of a guest's filter, which is newer, comes before it. */
#define FILTER_ACQUITTED 4094

/* Children of these kinds of clone() the engine helps to begin: frame_begin_child(). */
#ifdef __aarch64__
#define FILTER_CLONE_BITS CLONE_VFORK
#else
#define FILTER_CLONE_BITS 0
#endif

struct filter_options {
	uint32_t fd_low, fd_high; /* the reserved descriptors */
	bool ids; /* ids are emulated */
	bool names; /* uname() is answered */
	bool ends; /* the end of a process traps as well */
	uint32_t judge; /* of the image, lower half: a call from here never happens; 0: there is none */
};

/* The number of instructions written to `out` (FILTER_MAX), or 0 if they do not fit. */
unsigned filter_build(struct sock_filter *out, const struct filter_options *options);

#endif
