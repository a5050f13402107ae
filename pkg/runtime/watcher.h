/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a delegate's container with that of the process which runs it in the foreground, however that ends. */
#ifndef UDOCKER_RUNTIME_WATCHER_H
#define UDOCKER_RUNTIME_WATCHER_H

struct instance;

/*
 * From now on the container's program is killed when we are gone. A process of its own sees to it, in a session of its own and without our
 * descriptors, until either has ended. Called before the delegate starts: the program may run before we know of it. Where the kernel has no
 * pidfds (before 5.3) nothing is done.
 */
void watcher_start(struct instance *c);

#endif
