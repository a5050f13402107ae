/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The trap engine, modes T1 (call sites are rewritten) and T2 (they only trap): neither namespaces nor a tracer. Its program, udocker-trap, installs a
 * filter under which calls with paths come back to it, in the process that makes them, and becomes the first program.
 */
#ifndef UDOCKER_TRAP_H
#define UDOCKER_TRAP_H

#include "engines/engine.h"

#define TRAP_PROGRAM "udocker-trap" /* beside guest_init; its command line: launch.c */

/* engine_probe.flags of this engine. */
enum trap_found {
	TRAP_FOUND_FILTER = 1,
	TRAP_FOUND_OPENAT2 = 2, /* else each path is walked */
	TRAP_FOUND_REWRITE = 4, /* text may be changed: else T1 is T2 */
	TRAP_FOUND_MM_MAP = 8, /* else lists of processes show the engine's program */
};

extern const struct engine engine_trap;

/* struct engine.plan of engine_trap. */
int trap_plan(const struct engine_ctx *ctx, const struct engine_probe *probe, struct engine_plan *ret,
	struct err **err);

#endif
