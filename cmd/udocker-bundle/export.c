/* SPDX-License-Identifier: Apache-2.0 */
/* udocker-bundle export: a container as a tar archive. */
#include "pkg/bundle/export.h"

#include "cmd/udocker-bundle/program.h"
#include "pkg/base/err.h"
#include "pkg/base/mem.h"
#include "pkg/base/term.h"
#include "pkg/store/store.h"

struct export_opts {
	const char *output;
	bool clone;
};

static const struct cli_option export_options[] = {
	{ .name = "output",
		.letter = 'o',
		.kind = CLI_KIND_STRING,
		.metavar = "FILE",
		.offset = offsetof(struct export_opts, output),
		.text = "file to write instead of the standard output",
		.complete = CLI_COMPLETE_FILE },
	CLI_FLAG("clone", 0, struct export_opts, clone,
		"with metadata, execution mode and protection, for import --clone"),
	CLI_END,
};

/*
 * `export - CONTAINER` is what 1.3.x documents (FIX-05). Its -o is a flag and FILE the first operand, so that --clone may stand
 * between them.
 */
static int take_operands(const struct cli_call *call, struct bundle_export_options *ret,
	const char **ret_container, struct err **err)
{
	const struct export_opts *o = call->options;
	int n = 0;

	ret->path = o->output;
	ret->clone = o->clone;
	if (str_eq(o->output, "--clone")) {
		ret->clone = true;
		ret->path = call->argv[n++];
	} else if (!o->output && call->argc == 2 && str_eq(call->argv[0], "-"))
		n++;
	if (call->argc < n + 1)
		return err_make(err, ERR_USAGE, "the container is missing");
	if (call->argc > n + 1)
		return err_make(err, ERR_USAGE, "unexpected argument '%s'", call->argv[n + 1]);
	*ret_container = call->argv[n];
	if (str_eq(ret->path, "-"))
		ret->path = NULL;
	return 0;
}

static int export_run(const struct cli_call *call, struct err **err)
{
	const struct bundle_globals *g = call->global;
	struct bundle_export_options eo = { .path = NULL };
	const char *container = NULL;
	auto_store *s = NULL;

	if (take_operands(call, &eo, &container, err) < 0)
		return -1;
	if (!eo.path && term_is_tty(STDOUT_FILENO)) {
		err_make(err, ERR_USAGE, "the standard output is a terminal");
		return err_hint(err, "name a file with --output, or pipe the archive on");
	}
	eo.progress = bundle_wants_progress(g);
	eo.announce = cli_called_as();
	if (store_open(STORE_READ, &s, err) < 0)
		return -1;
	return bundle_export(s, container, &eo, err);
}

static const char about[] = "The archive goes to the standard output, or to a file that appears when it is "
			    "complete; one of that name "
			    "is replaced. It holds the container's root file system, as docker export and "
			    "podman export write it, and "
			    "becomes an image or a container again with import. What belongs to the caller "
			    "belongs to root in it, or to "
			    "the owner that create --record-owner has recorded.\n"
			    "\n"
			    "With --clone it holds the container's folder as udocker 1.3.x has it, metadata, "
			    "execution mode and protection "
			    "included; names stay behind.\n"
			    "\n"
			    "Hard links, holes, extended attributes user.* and security.capability, and "
			    "times to the nanosecond are kept. "
			    "Sockets are left out, and what is mounted in the container.";

const struct cli_command cmd_bundle_export = {
	.name = "export",
	.args = "CONTAINER",
	.min_args = 1,
	.max_args = 2,
	.summary = "write a container's files to a tar archive",
	.about = about,
	.examples = "udocker-bundle export -o web.tar web\n"
		    "udocker-bundle export web | zstd >web.tar.zst\n"
		    "udocker-bundle export --clone web | ssh host udocker import --clone -\n",
	.options = export_options,
	.options_anywhere = true,
	.complete = CLI_COMPLETE_CONTAINER,
	.run = export_run,
	.size = sizeof(struct export_opts),
};
