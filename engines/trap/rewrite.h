/* SPDX-License-Identifier: Apache-2.0 */
/*
 * T1: a site whose call trapped twice comes by a jump. Only sites whose form is known are changed, by one aligned store; without room, without
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
/* Code that is left alone: of a program that is not static, and may look at itself. Set by the loader. */
void rewrite_keep_out(unsigned long from, unsigned long to);

/* What happened in this process, for -d: text of at most REWRITE_TEXT bytes. */
#define REWRITE_TEXT 256
void rewrite_text(char *to);

#endif
