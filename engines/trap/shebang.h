/* SPDX-License-Identifier: Apache-2.0 */
/* The first line of a script, as the kernel reads it: at most 256 bytes, one argument, which may hold blanks. Pure. */
#ifndef UDOCKER_TRAP_SHEBANG_H
#define UDOCKER_TRAP_SHEBANG_H

#include <stddef.h>

#define SHEBANG_MAX 256

struct shebang {
	const char *program;
	const char *argument; /* NULL: none */
};

/*
 * `head` holds the first `n` bytes of a file, SHEBANG_MAX at most, in an array of that size; it is changed, and what is found lies in it.
 * 1: a script; 0: no script; -ENOEXEC: a line that names no program, or one that may be cut.
 */
int shebang_parse(char head[SHEBANG_MAX], size_t n, struct shebang *ret);

#endif
