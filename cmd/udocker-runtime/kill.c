/* SPDX-License-Identifier: Apache-2.0 */
/* kill: a signal to the program of a container. */
#include <signal.h>

#include "cmd/udocker-runtime/program.h"
#include "pkg/base/err.h"
#include "pkg/base/sig.h"
#include "pkg/runtime/lifecycle.h"

struct kill_opts {
	bool all;
};

static const struct cli_option kill_options[] = {
	CLI_FLAG("all", 'a', struct kill_opts, all, "signal all processes of the container"),
	CLI_END,
};

static int kill_run(const struct cli_call *call, struct err **err)
{
	const struct kill_opts *o = call->options;
	struct runtime_globals g = runtime_globals_of(call);
	int sig = call->argc > 1 ? sig_parse(call->argv[1]) : SIGTERM;

	if (sig < 0)
		return err_make(err, ERR_USAGE, "unknown signal '%s'", call->argv[1]);
	return runtime_kill(&g, call->argv[0], sig, o->all, err);
}

const struct cli_command cmd_runtime_kill = {
	.name = "kill",
	.args = "ID [SIGNAL]",
	.min_args = 1,
	.max_args = 2,
	.summary = "send a signal, by default TERM, to a container",
	.about = "SIGNAL is a name with or without SIG, or a number. KILL reaches the program and everything "
		 "it has started.",
	.options = kill_options,
	.complete = CLI_COMPLETE_RUNTIME_ID,
	.options_anywhere = true,
	.run = kill_run,
	.size = sizeof(struct kill_opts),
};
