/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program put into memory as the kernel would have: its segments, its interpreter, the stack's vectors, what /proc says of it. What can be refused
 * has been refused before (exec.h); a failure here ends the process with a word.
 */
#ifndef UDOCKER_TRAP_LOADER_H
#define UDOCKER_TRAP_LOADER_H

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>

/* The vectors that the kernel left on the stack. */
struct process {
	long *stack; /* argc, argv, NULL, envp, NULL, auxv */
	long argc;
	char **argv, **envp;
	Elf64_auxv_t *auxv;
};
void process_read(struct process *ret, long *stack);
/* An entry of the auxiliary vector, or 0. */
unsigned long process_aux(const struct process *p, unsigned long type);

struct loader_program {
	int fd; /* open for reading; closed here */
	const char *name; /* AT_EXECFN, and its last part the process's name */
	long dropped; /* words of argv that are not the program's */
};
__attribute__((noreturn)) void loader_run(const struct process *p, const struct loader_program *program);

/* The loader's part of trap_main(): argv is what exec.h says. */
__attribute__((noreturn)) void loader_main(const struct process *p);

/* "udocker-trap: WHAT: NAME" to the standard error output, and the end. */
__attribute__((noreturn)) void trap_die(int status, const char *what, const char *name);

#endif
