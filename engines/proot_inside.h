/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PRoot in the container of another engine (modes R2 and R3): its root is the container's own, and what it adds is the emulation of ids. The
 * host's PRoot, the libraries that it is linked with and our first program are bound, one by one, below a tmpfs of the container, so that nothing
 * is made in the root file system.
 */
#ifndef UDOCKER_PROOT_INSIDE_H
#define UDOCKER_PROOT_INSIDE_H

#include "engines/engine.h"

struct err;
struct json;

/* Is this a mode of PRoot inside another engine? */
bool proot_inside_mode(const char *mode);

/*
 * Look for PRoot besides: fills ret->inside of a delegate's probe that found it available, or makes that unavailable with the reason.
 * ret->reason becomes PRoot's remark.
 */
void proot_inside_probe(const char *mode, struct engine_probe *ret);

/*
 * Put PRoot into `config`, which is the rewritten one: mounts, and the words before the program of process.args, which also go to plan->tracer and
 * plan->tracer_ids, for further programs. `filter`: what oci_rewrite() gave, or NULL. ERR_UNSUPPORTED when the container has no tmpfs to hold it.
 */
int proot_inside_plan(const struct engine_ctx *ctx, const struct engine_probe *probe, struct json *config,
	const char *filter, struct engine_plan *plan, struct err **err);

/* May it show ids other than those that its program has? */
bool proot_inside_shows_ids(const struct engine_probe *probe);

/*
 * Exported for the tests: the libraries of what LD_TRACE_LOADED_OBJECTS=1 makes the loader say, "NAME=PATH" each. False when one is missing,
 * *ret_missing (caller frees) then names it.
 */
bool proot_inside_libraries(const char *text, struct strv *ret, char **ret_missing);

#endif
