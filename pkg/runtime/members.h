/* SPDX-License-Identifier: Apache-2.0 */
/* All processes of a container, whoever of them is left, and signals to them. */
#ifndef UDOCKER_RUNTIME_MEMBERS_H
#define UDOCKER_RUNTIME_MEMBERS_H

#include "pkg/runtime/state.h"
#include "pkg/runtime/tree.h"

/*
 * Choose what descends from the process of the pid file, and what has lost it: the mark stays whoever is killed. Not chosen are supervisors,
 * and tracers, without which their tracees would run on unconfined. Free with tree_free().
 */
void members_find(const struct instance *c, struct tree *ret);
/* Signal them; how many there were. */
size_t members_signal(const struct instance *c, int sig);
/* End what makes it, or has been left by that: a delegate and its hooks. How many there were. */
size_t members_kill_makers(const struct instance *c);
/* Signal the tracers, of the container's program and of further ones. */
void members_signal_tracers(const struct instance *c, int sig);

#endif
