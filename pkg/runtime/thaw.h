/* SPDX-License-Identifier: Apache-2.0 */
/* The freezer of cgroup v1: what is in a frozen group does not even die of SIGKILL. (With cgroup v2 it does.) */
#ifndef UDOCKER_RUNTIME_THAW_H
#define UDOCKER_RUNTIME_THAW_H

struct instance;

/*
 * Take a container's processes out of frozen groups into our own, one by one: the group may be somebody else's and hold more. Nothing
 * where there is no such freezer, or where we may not.
 */
void thaw_members(const struct instance *c);

#endif
