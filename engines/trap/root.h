/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process that has called chroot(). Names inside the engine stay those of the run, and no descriptor changes: absolute paths and links begin at the
 * process's root, ".." ends there, and what is shown is shown without it. A working directory outside is left as the kernel leaves it.
 */
#ifndef UDOCKER_TRAP_ROOT_H
#define UDOCKER_TRAP_ROOT_H

#include <stdbool.h>
#include <stddef.h>

/* Has somebody in this memory another root? Else there is nothing to ask for. */
extern bool root_is_changed;

/* The canonical name of this process's root, "" for the run's; *ret_len: its length. */
const char *root_name(size_t *ret_len);
/* At a program's start, when its ids are known. */
void root_start(void);
/* A canonical name as this process sees it, in place: its length, or -ENOENT for what does not lie below its root. */
long root_show(char *name, size_t len);

#endif
