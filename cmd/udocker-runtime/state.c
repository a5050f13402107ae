/* SPDX-License-Identifier: Apache-2.0 */
/* state: the state document of one container. */
#include "cmd/udocker-runtime/program.h"
#include "pkg/base/json.h"
#include "pkg/cli/output.h"
#include "pkg/runtime/lifecycle.h"

static int state_run(const struct cli_call *call, struct err **err)
{
	struct runtime_globals g = runtime_globals_of(call);
	auto_runtime_state state = RUNTIME_STATE_INIT;
	auto_json *j = NULL;

	if (runtime_get_state(&g, call->argv[0], &state, err) < 0)
		return -1;
	j = runtime_state_to_json(&state);
	output_json(j);
	return 0;
}

const struct cli_command cmd_runtime_state = {
	.name = "state",
	.args = "ID",
	.min_args = 1,
	.max_args = 1,
	.summary = "print the state of a container",
	.complete = CLI_COMPLETE_RUNTIME_ID,
	.options_anywhere = true,
	.run = state_run,
};
