/* SPDX-License-Identifier: Apache-2.0 */
/* udocker-bundle clone: a copy of a container under an id of its own. */
#include "pkg/bundle/clone.h"

#include "cmd/udocker-bundle/program.h"
#include "pkg/base/mem.h"
#include "pkg/bundle/birth.h"
#include "pkg/cli/output.h"
#include "pkg/store/store.h"

struct clone_opts {
	const char *name;
	bool no_sync;
};

static const struct cli_option clone_options[] = {
	CLI_STR("name", 0, "NAME", struct clone_opts, name, "give the copy this name"),
	CLI_FLAG("no-sync", 0, struct clone_opts, no_sync, "do not wait until the files are on the disk"),
	CLI_END,
};

static int clone_run(const struct cli_call *call, struct err **err)
{
	const struct clone_opts *o = call->options;
	struct birth_options bo = { .name = o->name, .no_sync = o->no_sync };
	autofree char *id = NULL;
	auto_store *s = NULL;

	if (store_open(STORE_UPDATE, &s, err) < 0 || bundle_clone(s, call->argv[0], &bo, &id, err) < 0)
		return -1;
	output_line(id);
	return 0;
}

static const char about[] = "Copies a container with its files, metadata, execution mode and protection, and "
			    "prints the id of the "
			    "copy; names stay where they are. Where the file system can, the files of both "
			    "share their disk space "
			    "until one is changed.\n"
			    "\n"
			    "Sockets and device nodes are left out, and what is mounted in it. A program "
			    "that changes files at the "
			    "same time may be caught in the middle of that.";

const struct cli_command cmd_bundle_clone = {
	.name = "clone",
	.args = "CONTAINER",
	.min_args = 1,
	.max_args = 1,
	.summary = "make a copy of a container; prints its id",
	.about = about,
	.examples = "udocker-bundle clone --name=test web",
	.options = clone_options,
	.options_anywhere = true,
	.complete = CLI_COMPLETE_CONTAINER,
	.run = clone_run,
	.size = sizeof(struct clone_opts),
};
