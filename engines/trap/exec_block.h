/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an execve() needs until the kernel has read it. Not on the stack, which may be that of a child of posix_spawn(), and not from the heap: what
 * a vfork child takes stays with its parent. So blocks are lent by thread, and the kernel's robust futexes give back what a thread held that is
 * another program now.
 */
#ifndef UDOCKER_TRAP_EXEC_BLOCK_H
#define UDOCKER_TRAP_EXEC_BLOCK_H

#include <linux/futex.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "engines/trap/ids.h"
#include "engines/trap/mem.h"
#include "engines/trap/shebang.h"

#define EXEC_LEVELS 5 /* of #! */
#define EXEC_SHORT 256 /* words of a command line that need no more memory */

struct exec_block {
	uint32_t owner; /* a futex: the thread, or what the kernel leaves when it is gone */
	struct exec_block *next;
	struct robust_list_head list;
	struct robust_list entry;

	int fd; /* of the program */
	struct stat st;
	unsigned levels;
	struct shebang line[EXEC_LEVELS];
	char head[EXEC_LEVELS + 1][SHEBANG_MAX];
	char name[32 + TRAP_PATH_MAX];
	char program[TRAP_PATH_MAX];
	char mark[16 + IDS_TEXT_MAX + TRAP_PATH_MAX];
	char fd_text[24];

	const char *words[EXEC_SHORT];
	const char **more; /* for longer ones; kept */
	size_t more_size;
};

/* NULL without memory. */
struct exec_block *exec_block_take(void);
void exec_block_give(struct exec_block *b);
/* Room for `n` words, or NULL. */
const char **exec_block_words(struct exec_block *b, size_t n);

#endif
