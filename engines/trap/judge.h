/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Filters of the guest's own are asked by the kernel of every call that is made, but a call that traps is not: to trap outranks an errno, and a rewritten
 * site makes none. So the call is made as it is from one place of the image, where the guest's filters hold and the engine's lets it go no further. What
 * a listener or a tracer would decide stays unasked.
 */
#ifndef UDOCKER_TRAP_JUDGE_H
#define UDOCKER_TRAP_JUDGE_H

#include <stdbool.h>

struct call;

/* A filter of the guest's is in force somewhere in this memory. Set once, never unset. */
extern bool judge_is_needed;
/* Behind the instruction of that place. */
extern const char judge_place[];

/* -FILTER_ACQUITTED: answer the call; else what the guest gets. */
long judge(const struct call *c);

#endif
