/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The caller's terminal while a program runs in the foreground. Either the program has the terminal itself (its process
 * group is given it, and it is taken back), or the program has a terminal of its own and we carry bytes and window sizes.
 */
#ifndef UDOCKER_RUNTIME_FOREGROUND_H
#define UDOCKER_RUNTIME_FOREGROUND_H

#include <poll.h>
#include <sys/types.h>
#include <termios.h>

#include "pkg/base/base.h"

struct err;

/* ---- the terminal itself ---- */

/* A descriptor (owned by the caller) of the controlling terminal among 0, 1, 2; -1 if there is none. */
int foreground_terminal(void);
/* True if our process group is the one that the terminal listens to. */
bool foreground_is_ours(int tty);
/* Give it to a process group: ours, the program's. SIGTTOU must be blocked. */
void foreground_give(int tty, pid_t group);

/* ---- a terminal of the program's own ---- */
#define RELAY_BUFFER 16384
#define RELAY_POLLS 3

struct relay_way { /* one direction */
	char data[RELAY_BUFFER];
	size_t at, end;
	bool eof; /* nothing more comes */
};
struct relay {
	int master;
	int in, out; /* the caller's; owned */
	bool raw; /* `saved` is to be put back */
	struct termios saved;
	struct relay_way to_program, from_program;
};
/* Takes master. Sets the caller's terminal raw if there is one and it is ours. */
int relay_open(struct relay *r, int master, struct err **err);
/* What to wait for (RELAY_POLLS entries, unused ones with fd -1), and what to do about it. */
void relay_prepare(const struct relay *r, struct pollfd *p);
void relay_handle(struct relay *r, const struct pollfd *p);
void relay_resize(struct relay *r);
/* The program has ended: carry what it still said. */
void relay_drain(struct relay *r);
void relay_close(struct relay *r); /* restores the terminal */

#endif
