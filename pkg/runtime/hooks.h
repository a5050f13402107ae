/* SPDX-License-Identifier: Apache-2.0 */
/* The hooks of config.json for direct engines: programs that are told the container's state at fixed points of its life. */
#ifndef UDOCKER_RUNTIME_HOOKS_H
#define UDOCKER_RUNTIME_HOOKS_H

#include "oci-spec/runtime_config.h"
#include "oci-spec/runtime_state.h"
#include "pkg/base/base.h"

struct err;
struct instance;
struct json;
struct launch;

/*
 * Run the hooks of one kind, in order, with the state (as it stands, with this status) on stdin, in the bundle. Their output
 * is kept for the message alone. The first that fails, or takes longer than its timeout and is killed, ends it: ERR_ENGINE "error running
 * createRuntime hook #1: …". Poststop hooks all run, and failures are warnings.
 */
struct hook_call {
	const struct json *config;
	const struct instance *instance;
	enum runtime_status status;
	pid_t pid; /* as the hook is told; 0 when stopped */
};
int hooks_run(const struct hook_call *call, enum runtime_hook_kind kind, struct err **err);

/*
 * startContainer hooks, which run inside, through the engine: `launch` is that of the container's program. The caller has called
 * supervise_begin(), whose descriptor sigfd is.
 */
int hooks_run_inside(const struct hook_call *call, const struct launch *launch, int sigfd, struct err **err);

#endif
