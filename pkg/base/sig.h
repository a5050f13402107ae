/* SPDX-License-Identifier: Apache-2.0 */
/* Signal names, and the clean interruption of long commands. */
#ifndef UDOCKER_SIG_H
#define UDOCKER_SIG_H

#include "pkg/base/base.h"

/* TERM, SIGTERM, sigterm, 15, RTMIN+3. Returns the number or -1. Signal 0 is accepted as "0". */
int sig_parse(const char *text);
/* "SIGTERM", or NULL for an unknown number. Static. */
const char *sig_name(int sig);

/* Every disposition to default and an empty mask: for a child about to exec. Async-signal-safe. */
void sig_reset_all(void);

/*
 * INT, TERM and HUP set a flag instead of ending the process, so that the command can drop its temporary
 * data. sig_interrupted() has the signal's number, or 0. Long loops ask it. cli_main() turns it into exit 128 + N.
 */
void sig_catch_interrupts(void);
int sig_interrupted(void);
/* How many came so far. What cleans up after one goes on until another one comes. */
unsigned sig_interrupts(void);

#endif
