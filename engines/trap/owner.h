/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of the caller's whose mode keeps their owner out: root opens them all the same, and a program is executed that nobody may read. The mode is changed
 * for the moment of the open and put back, as its owner may do; whoever comes in between finds the file open to its owner alone.
 */
#ifndef UDOCKER_TRAP_OWNER_H
#define UDOCKER_TRAP_OWNER_H

/* The open that has failed with EACCES once more: the descriptor, or -EACCES for what is not the mode's doing or not ours. */
long owner_open(int dirfd, const char *path, unsigned long flags);

#endif
