/* SPDX-License-Identifier: Apache-2.0 */
/* relay-hook: what runc is given in the place of a hook. */
#include "cmd/udocker-runtime/program.h"
#include "pkg/runtime/hook_relay.h"

static int relay_hook_run(const struct cli_call *call, struct err **err)
{
	return hook_relay_run(call->argv, err);
}

const struct cli_command cmd_runtime_relay_hook = {
	.name = HOOK_RELAY_COMMAND,
	.args = "KIND BUNDLE PATH [ARG...]",
	.min_args = 3,
	.max_args = -1,
	.summary = "run a hook that belongs to another bundle",
	.run = relay_hook_run,
	.hidden = true,
};
