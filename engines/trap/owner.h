/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files and folders of the caller's whose mode keeps their owner out: root gets in all the same, and a program is executed that nobody may read. Modes are
 * changed for the moment of the call and put back, as their owner may do; whoever comes in between finds them open to the owner alone.
 */
#ifndef UDOCKER_TRAP_OWNER_H
#define UDOCKER_TRAP_OWNER_H

struct call;

/* The open that has failed with EACCES once more: the descriptor, or -EACCES for what is not the mode's doing or not ours. */
long owner_open(int dirfd, const char *path, unsigned long flags, unsigned mode);
/* The same of any call with paths; `handler` is what has answered with EACCES. */
long owner_answer(struct call *c, long (*handler)(struct call *));

#endif
