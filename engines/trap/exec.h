/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs: execve() of the guest becomes one of our image, which maps the program and its interpreter itself. All that can be refused is
 * refused before the kernel's execve, so that the guest gets an errno.
 */
#ifndef UDOCKER_TRAP_EXEC_H
#define UDOCKER_TRAP_EXEC_H

#include <stdbool.h>
#include <stddef.h>

/*
 * The loader's argv[0]: '\1', 'T', the number of the state's descriptor, ',', the ids' text. argv[1]: the program's guest path, or "/proc/self/fd/N";
 * from argv[2] the guest's own argv. trap-image started by any other argv[0] is the launcher.
 */
#define EXEC_MARK '\1'

/* The guest name of the program of this process, for /proc/self/exe; set by the loader. */
const char *exec_program(void);

/* Put a program of the guest in place of this one; returns -errno only. `path` and the vectors are the engine's or guest's memory. */
long exec_program_at(int dirfd, const char *path, int flags, char *const *argv, char *const *envp);

#endif
