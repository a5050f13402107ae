/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a delegate's container with that of the process which runs it in the foreground, however that ends. */
#ifndef UDOCKER_RUNTIME_WATCHER_H
#define UDOCKER_RUNTIME_WATCHER_H

#include <sys/types.h>

#include "pkg/base/base.h"

/*
 * From now on `program`, a child of ours, is killed when we are gone. A process of its own sees to it, in a session of its own and without our
 * descriptors, until either has ended. Where the kernel has no pidfds (before 5.3) nothing is done.
 */
void watcher_start(pid_t program);

#endif
