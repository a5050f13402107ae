/* SPDX-License-Identifier: Apache-2.0 */
/*
 * T1: the second time the call of a site comes by a jump. Only sites whose form is known are changed, by one aligned store; without room, without
 * the right to change text (SELinux, W^X) or under another's lock the site stays and traps as before.
 */
#ifndef UDOCKER_TRAP_REWRITE_H
#define UDOCKER_TRAP_REWRITE_H

#include <stdbool.h>

/* `next`: the address behind the system call instruction that trapped with number `nr`. */
void rewrite_site(unsigned long next, long nr);
/* Does the code behind the instruction belong to Go, whose stacks hold no handler? Its calls are answered in the signal handler. */
bool rewrite_is_small_stack(unsigned long next);
/* The program says by a note that it is Go's: set by the loader. */
extern bool rewrite_program_is_go;

#endif
