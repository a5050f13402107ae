/* SPDX-License-Identifier: Apache-2.0 */
/* The launcher: from options to the state of a run, the filter, and the first program. See launch.c for the options. */
#ifndef UDOCKER_TRAP_LAUNCH_H
#define UDOCKER_TRAP_LAUNCH_H

#include <stdbool.h>
#include <stdint.h>

struct process;
struct trap_state;

__attribute__((noreturn)) void launch_main(const struct process *p);

/* ---- launch_state.c: the state as it is built ---- */
struct launch_bind {
	const char *host, *guest;
	bool readonly;
};
/* Ends the process with a word where something is not there or does not fit. The root is the first one added, with the guest name "". */
struct trap_state *launch_state(void);
void launch_add_bind(const struct launch_bind *b);
/* An offset in the state's text. */
uint32_t launch_add_text(const char *s);
/* With all binds, in their order: their places without links, what lies under them, sources in one another, the descriptors, the memfd. */
void launch_seal(const char *image);

/* ---- launch_probe.c ---- */
__attribute__((noreturn)) void launch_probe(void);
/* Can the kernel, or a filter around us, do this? */
bool launch_has_openat2(void);
bool launch_has_faccessat2(void);

#endif
