/* SPDX-License-Identifier: Apache-2.0 */
/* pause and resume. */
#include "cmd/udocker-runtime/program.h"
#include "pkg/runtime/pausing.h"

static int pause_run(const struct cli_call *call, struct err **err)
{
	struct runtime_globals g = runtime_globals_of(call);

	return runtime_pause(&g, call->argv[0], err);
}

static int resume_run(const struct cli_call *call, struct err **err)
{
	struct runtime_globals g = runtime_globals_of(call);

	return runtime_resume(&g, call->argv[0], err);
}

const struct cli_command cmd_runtime_pause = {
	.name = "pause",
	.args = "ID",
	.min_args = 1,
	.max_args = 1,
	.summary = "stop all processes of a container for a while",
	.about = "With runc and crun by a control group, under PRoot by signals, so that the program may "
		 "learn of it.",
	.complete = CLI_COMPLETE_RUNTIME_ID,
	.options_anywhere = true,
	.run = pause_run,
};

const struct cli_command cmd_runtime_resume = {
	.name = "resume",
	.args = "ID",
	.min_args = 1,
	.max_args = 1,
	.summary = "let a paused container go on",
	.complete = CLI_COMPLETE_RUNTIME_ID,
	.options_anywhere = true,
	.run = resume_run,
};
