/* SPDX-License-Identifier: Apache-2.0 */
/* udocker-bundle setup: the execution mode of a container, shown or changed. */
#include "pkg/bundle/setup.h"

#include "cmd/udocker-bundle/program.h"
#include "pkg/base/err.h"
#include "pkg/base/fs.h"
#include "pkg/base/mem.h"
#include "pkg/store/containers.h"
#include "pkg/store/store.h"

struct setup_opts {
	const char *execmode;
	bool nvidia, force, purge, fixperm;
};

static const struct cli_option setup_options[] = {
	{ .name = "execmode",
		.kind = CLI_KIND_STRING,
		.metavar = "MODE",
		.offset = offsetof(struct setup_opts, execmode),
		.text = "change the execution mode; auto: what the machine of a run has for default",
		.complete = CLI_COMPLETE_MODE },
	CLI_FLAG("nvidia", 0, struct setup_opts, nvidia,
		"give its programs the host's NVIDIA driver and GPUs"),
	CLI_FLAG("force", 0, struct setup_opts, force, "go on where a step cannot be done or undone"),
	CLI_FLAG("purge", 0, struct setup_opts, purge,
		"remove the mount points that runs have made in its root directory, and undo --nvidia"),
	CLI_FLAG("fixperm", 0, struct setup_opts, fixperm,
		"make all in its root directory yours and accessible, also what belongs to your subordinate "
		"ids"),
	CLI_END,
};

static int setup_run(const struct cli_call *call, struct err **err)
{
	const struct setup_opts *o = call->options;
	struct bundle_setup change = {
		.mode = o->execmode,
		.nvidia = o->nvidia,
		.force = o->force,
		.purge = o->purge,
		.fixperm = o->fixperm,
	};
	bool show = !o->execmode && !o->nvidia && !o->purge && !o->force && !o->fixperm;
	auto_container *c = NULL;
	auto_store *s = NULL;

	if (store_open(show ? STORE_READ : STORE_UPDATE, &s, err) < 0 ||
		container_open(s, call->argv[0], &c, err) < 0)
		return -1;
	if (show) {
		autofree char *mode = bundle_mode(c->fd, c->root);

		printf("execmode: %s\nnvidiamode: %s\n", mode, fs_exists(c->fd, "nvidia") ? "True" : "False");
		return 0;
	}
	return bundle_setup(s, c, &change, err);
}

const struct cli_command cmd_bundle_setup = {
	.name = "setup",
	.args = "CONTAINER",
	.min_args = 1,
	.max_args = 1,
	.summary = "show or change a container's execution mode",
	.about = "Without options the mode is printed. See udocker-engines(7) for what each mode means.",
	.examples = "udocker-bundle setup --execmode=R1 web",
	.options = setup_options,
	.options_anywhere = true,
	.complete = CLI_COMPLETE_CONTAINER,
	.run = setup_run,
	.size = sizeof(struct setup_opts),
};
