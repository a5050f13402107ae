/* SPDX-License-Identifier: Apache-2.0 */
/* delete: forget a container. */
#include "cmd/udocker-runtime/program.h"
#include "pkg/runtime/lifecycle.h"

struct delete_opts {
	bool force;
};

static const struct cli_option delete_options[] = {
	CLI_FLAG("force", 'f', struct delete_opts, force,
		"kill what still runs; an unknown container is no error"),
	CLI_END,
};

static int delete_run(const struct cli_call *call, struct err **err)
{
	const struct delete_opts *o = call->options;
	struct runtime_globals g = runtime_globals_of(call);

	return runtime_delete(&g, call->argv[0], o->force, err);
}

const struct cli_command cmd_runtime_delete = {
	.name = "delete",
	.args = "ID",
	.min_args = 1,
	.max_args = 1,
	.summary = "delete a stopped container",
	.options = delete_options,
	.complete = CLI_COMPLETE_RUNTIME_ID,
	.run = delete_run,
	.size = sizeof(struct delete_opts),
};
