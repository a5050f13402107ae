/* SPDX-License-Identifier: Apache-2.0 */
/* A program of a direct engine in the foreground, and the caller's terminal: what run and exec have in common. */
#ifndef UDOCKER_RUNTIME_ATTACH_H
#define UDOCKER_RUNTIME_ATTACH_H

#include "pkg/base/base.h"
#include "pkg/runtime/console.h"
#include "pkg/runtime/supervise.h"

struct err;
struct json;
struct launch;
struct relay;
struct runtime_fds;
struct runtime_process;

struct attach {
	struct supervise s;
	struct console console;
	struct relay *relay;
};
#define ATTACH_INIT \
	((struct attach){ .s = { .sigfd = -1, .tty = -1, .foreground = true }, .console = CONSOLE_INIT })

/* In this order. First: signals are kept for the program from here on. */
int attach_begin(struct attach *a, struct err **err);
/* A terminal of its own for the program, carried by us, or the caller's descriptors as they are: as `process` asks. */
int attach_terminal(struct attach *a, const struct runtime_process *process, const struct json *config,
	struct runtime_fds *fds, struct launch *l, struct err **err);
/* The program has been started: carry its terminal. */
int attach_relay(struct attach *a, struct err **err);
/* Or it has not: the terminal is ours again. */
void attach_give_back(struct attach *a);
/* It has ended: the caller's terminal is as it was. */
void attach_end(struct attach *a);
/*
 * Its exit status as shells have it. Ctrl-C went to the program alone: the shell, and the script we are part of, see now what they would
 * have seen.
 */
int attach_status(const struct attach *a, int wait_status);
void attach_free(struct attach *a); /* and the caller's signal mask is back */

#endif
