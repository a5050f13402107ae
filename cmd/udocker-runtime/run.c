/* SPDX-License-Identifier: Apache-2.0 */
/* run: create and start, in the foreground unless --detach. */
#include "cmd/udocker-runtime/program.h"
#include "pkg/runtime/lifecycle.h"

static const struct cli_option run_options[] = {
	CLI_FLAG("detach", 'd', struct create_opts, detach, "return when the program has been started"),
	CLI_FLAG("keep", 0, struct create_opts, keep, "leave the stopped container for delete"),
	CLI_FLAG("preserve-all-fds", 0, struct create_opts, preserve_all_fds,
		"pass all open descriptors on to the program"),
	{ .name = "no-subreaper", .kind = CLI_KIND_IGNORED_FLAG, .text = "accepted, without effect" },
	CLI_END,
};
static const struct cli_option *const run_more[] = { create_options, NULL };

static int run_run(const struct cli_call *call, struct err **err)
{
	struct create_opts *o = call->options;
	struct runtime_globals g = runtime_globals_of(call);
	struct runtime_create_options c;

	o->status = 125;
	if (create_options_of(call, &c, err) < 0 || runtime_load_conf(call, err) < 0)
		return -1;
	if (o->dry_run)
		return print_plan(&g, &c, !c.detach, err);
	if (runtime_run(&g, &c, &o->status, err) < 0)
		return -1;
	return o->status;
}

const struct cli_command cmd_runtime_run = {
	.name = "run",
	.args = "ID",
	.min_args = 1,
	.max_args = 1,
	.summary = "create a container and start it",
	.about = "In the foreground the exit status is the program's, 128+N when signal N ended it, 125 when "
		 "nothing could be started, "
		 "126 when the program cannot be executed and 127 when it is not there.",
	.options = run_options,
	.more_options = run_more,
	.options_anywhere = true,
	.run = run_run,
	.size = sizeof(struct create_opts),
};
