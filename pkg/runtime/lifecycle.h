/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The verbs of a container's life, dispatched by the kind of its engine. Where a delegate (runc, crun) does the work its
 * exit status and messages are passed on: a positive result means that it has failed with that status and has said why.
 */
#ifndef UDOCKER_RUNTIME_LIFECYCLE_H
#define UDOCKER_RUNTIME_LIFECYCLE_H

#include "oci-spec/runtime_state.h"
#include "pkg/base/base.h"
#include "pkg/runtime/prepare.h"

struct err;

/*
 * ERR_EXISTS for a taken id, and what prepare.h lists; nothing is left behind by a failure. The process of the pid file
 * waits for start then, and is left to the caller's subreaper.
 */
int runtime_create(const struct runtime_globals *g, const struct runtime_create_options *o, struct err **err);
/* ERR_BUSY unless the container is in the state created. Returns when the program has been exec'd. */
int runtime_start(const struct runtime_globals *g, const char *id, struct err **err);

/*
 * create + start. In the foreground *ret_status is the program's exit status (128+N when signal N ended it), with --detach 0.
 * On failure (-1) *ret_status says how it is to be reported: 127 program not found, 126 not executable, else 125.
 */
int runtime_run(const struct runtime_globals *g, const struct runtime_create_options *o, int *ret_status,
	struct err **err);

/* ERR_BUSY "container not running" for a stopped one, unless `all`. Signal 0 asks only. */
int runtime_kill(const struct runtime_globals *g, const char *id, int sig, bool all, struct err **err);
/* ERR_BUSY for a running container. `force`: all its processes are killed first, and an unknown id is no error. */
int runtime_delete(const struct runtime_globals *g, const char *id, bool force, struct err **err);

/* The caller frees *ret with runtime_state_free(). */
int runtime_get_state(
	const struct runtime_globals *g, const char *id, struct runtime_state *ret, struct err **err);
/* All containers by id; those of others that cannot be read are left out. `brief`: annotations may be missing. Free with runtime_states_free(). */
struct runtime_states {
	struct runtime_state *v;
	size_t n;
};
int runtime_list(const struct runtime_globals *g, bool brief, struct runtime_states *ret, struct err **err);
void runtime_states_free(struct runtime_states *s);

/* --dry-run: what create or run would start. Writes nothing. */
int runtime_dry_run(const struct runtime_globals *g, const struct runtime_create_options *o, bool foreground,
	struct prepared *ret, struct err **err);

/* The doctor's probes are remembered where those of create are, if that place exists. */
void runtime_remember_probes(const struct runtime_globals *g);

#endif
