/* SPDX-License-Identifier: Apache-2.0 */
/* udocker-bundle create: an image becomes a container of the store, or a bundle in a directory of its own. */
#include "pkg/bundle/create.h"

#include "cmd/udocker-bundle/program.h"
#include "pkg/base/err.h"
#include "pkg/base/mem.h"
#include "pkg/cli/output.h"
#include "pkg/conf/conf.h"
#include "pkg/store/store.h"

struct create_opts {
	const char *name, *execmode, *bundle, *max_size, *max_ratio;
	bool no_sync, force, keep_setid, record_owner;
};

static const struct cli_option create_options[] = {
	CLI_STR("name", 0, "NAME", struct create_opts, name, "give the container this name"),
	{ .name = "execmode",
		.kind = CLI_KIND_STRING,
		.metavar = "MODE",
		.offset = offsetof(struct create_opts, execmode),
		.text = "set its execution mode",
		.complete = CLI_COMPLETE_MODE },
	{ .name = "bundle",
		.letter = 'b',
		.kind = CLI_KIND_STRING,
		.metavar = "DIR",
		.offset = offsetof(struct create_opts, bundle),
		.text = "make a free-standing bundle in this new or empty directory instead",
		.complete = CLI_COMPLETE_DIR },
	CLI_FLAG("keep-setid", 0, struct create_opts, keep_setid, "keep set-user-id and set-group-id bits"),
	CLI_FLAG("record-owner", 0, struct create_opts, record_owner,
		"write the owner of each file into its attribute user.rootlesscontainers"),
	CLI_STR("max-size", 0, "SIZE", struct create_opts, max_size,
		"what the image may unpack to whatever its own size (unpack_max_size)"),
	CLI_STR("max-ratio", 0, "N", struct create_opts, max_ratio,
		"and beyond that, how many times its own size (unpack_max_ratio)"),
	CLI_FLAG("no-sync", 0, struct create_opts, no_sync, "do not wait until the files are on the disk"),
	CLI_FLAG("force", 0, struct create_opts, force, "when the name cannot be given, go on without it"),
	CLI_END,
};

static int create_run(const struct cli_call *call, struct err **err)
{
	const struct create_opts *o = call->options;
	const struct bundle_globals *g = call->global;
	struct bundle_create_options co = { .name = o->name,
		.execmode = o->execmode,
		.no_sync = o->no_sync,
		.force = o->force,
		.keep_setid = o->keep_setid,
		.record_owner = o->record_owner };
	autofree char *id = NULL;
	auto_store *s = NULL;

	co.progress = bundle_wants_progress(g);
	if (o->bundle && (o->name || o->execmode))
		return err_make(err, ERR_USAGE,
			"--bundle goes with neither --name nor --execmode: they are of the store");
	if (conf_set_unpack_limits(o->max_size, o->max_ratio, err) < 0)
		return -1;
	if (o->bundle) {
		if (store_open(STORE_READ, &s, err) < 0)
			return -1;
		return bundle_create_at(s, call->argv[0], o->bundle, &co, err);
	}
	if (store_open(STORE_WRITE, &s, err) < 0 || bundle_create(s, call->argv[0], &co, &id, err) < 0)
		return -1;
	output_line(id);
	return 0;
}

static const char about[] =
	"Unpacks the image's layers, each checked against its digest, and prints the id "
	"of the new container. When anything "
	"goes wrong, nothing is left.\n"
	"\n"
	"Everything belongs to the caller, who can read and write all of it. Device nodes and sockets are "
	"left out, set-user-id and set-group-id bits dropped unless --keep-setid is given. Extended "
	"attributes user.*, trusted.* and security.capability are set where the kernel allows it.\n"
	"\n"
	"With --record-owner, files and directories that are not root's carry the owner that the image gives "
	"them in the attribute user.rootlesscontainers, in the form that umoci has it. "
	"Links cannot have it.";

const struct cli_command cmd_bundle_create = {
	.name = "create",
	.args = "REPO[:TAG|@DIGEST]",
	.min_args = 1,
	.max_args = 1,
	.summary = "make a container of an image; prints its id",
	.about = about,
	.examples = "udocker-bundle create --name=web nginx:1.27\nudocker-bundle create --bundle ./nginx "
		    "nginx:1.27",
	.options = create_options,
	.complete = CLI_COMPLETE_IMAGE,
	.run = create_run,
	.size = sizeof(struct create_opts),
};
