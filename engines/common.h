/* SPDX-License-Identifier: Apache-2.0 */
/* What the engines share with each other, and with nobody else. */
#ifndef UDOCKER_ENGINE_COMMON_H
#define UDOCKER_ENGINE_COMMON_H

#include "engines/engine.h"

struct str;

/* Does any port of the list, HPORT:CPORT,…, have another number on the host? Else the host's network is all that it takes. */
bool engine_maps_ports(const char *list);

/*
 * The properties that the engine does not apply: ignored ones become notes (an error with ctx->strict); a refused one is
 * ERR_UNSUPPORTED and named.
 */
int engine_check_answers(
	const struct engine *e, const struct engine_ctx *ctx, struct engine_plan *plan, struct err **err);

/*
 * Run an engine's executable to ask it something: its standard output, at most 64 KiB, within ten seconds; standard error is
 * dropped. *ret_status as shells have it. `env` beside PATH and the like: "NAME=VALUE" words or NULL.
 */
int engine_ask(const char *const *argv, const char *const *env, struct str *ret_out, int *ret_status,
	struct err **err);

/* The same, for a program that is told that the kernel has no such system call; where that cannot be arranged, it is not. */
int engine_ask_without(
	const char *const *argv, long call, struct str *ret_out, int *ret_status, struct err **err);

/* The first "digits.digits[.digits]" in the text after `mark`, caller frees; NULL if there is none. */
char *engine_find_version(const char *text, const char *mark);

/* "5.1.0" as COMPAT_VERSION(5, 1); 0 if it is none. */
unsigned engine_version_number(const char *version);

/* Where the host has a file system of the kernel's ("proc", "devpts", …), for engines that mount none; NULL for any other type. Static. */
const char *engine_kernel_place(const char *type);

#endif
