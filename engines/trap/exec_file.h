/* SPDX-License-Identifier: Apache-2.0 */
/* What can be executed: permissions, and ELF headers as the kernel looks at them. */
#ifndef UDOCKER_TRAP_EXEC_FILE_H
#define UDOCKER_TRAP_EXEC_FILE_H

#include <stddef.h>

struct stat;

/* How a program is opened that may be a fifo or a terminal. */
#define EXEC_FILE_OPEN (O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)

/* 0, or what execve() says: -EACCES for what is no file or may not be executed. */
long exec_file_permitted(int fd, struct stat *ret);
/* Is the open file, that begins with `head` (256 bytes, zeros behind its end), a program of this machine whose interpreter is there? 0 or -errno. */
long exec_file_is_elf(int fd, const char *head);

#endif
