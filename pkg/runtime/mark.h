/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A mark that all processes of one container bear and hand on to their children, over exec, setsid and a cleared environment,
 * and that anybody can read: the limit of RLIMIT_RTTIME, a random number of decades. It counts for processes under a
 * real-time scheduler only, and none of them computes that long without a pause. With it `delete --force` finds what ran away when
 * every process of ours had been killed.
 */
#ifndef UDOCKER_RUNTIME_MARK_H
#define UDOCKER_RUNTIME_MARK_H

#include <sys/types.h>

#include "pkg/base/base.h"

struct json;

/* A new one; 0 when our own limit leaves no room for it. */
uint64_t mark_new(void);
/* Bear it, for what we exec: a limit that a configuration sets replaces it. Async-signal-safe. 0: nothing. */
void mark_ourselves(uint64_t mark);
/* Add it to the limits of a configuration's process: for delegates. False, and nothing happens, where that sets this one itself. */
bool mark_config(struct json *config, uint64_t mark);
/*
 * What a delegate bears that makes a container, and its hooks with it: another mark than the container's, since what a hook leaves running
 * on purpose does not belong to that, but one from which the container's can still be reached, as limits only fall.
 */
uint64_t mark_of_maker(uint64_t mark);
/* The mark of a running process, 0 if it has none. */
uint64_t mark_of(pid_t pid);

#endif
