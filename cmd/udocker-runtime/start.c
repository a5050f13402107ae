/* SPDX-License-Identifier: Apache-2.0 */
/* start: let a created container go. */
#include "cmd/udocker-runtime/program.h"
#include "pkg/runtime/lifecycle.h"

static int start_run(const struct cli_call *call, struct err **err)
{
	struct runtime_globals g = runtime_globals_of(call);

	return runtime_start(&g, call->argv[0], err);
}

const struct cli_command cmd_runtime_start = {
	.name = "start",
	.args = "ID",
	.min_args = 1,
	.max_args = 1,
	.summary = "start the program of a created container",
	.complete = CLI_COMPLETE_RUNTIME_ID,
	.options_anywhere = true,
	.run = start_run,
};
