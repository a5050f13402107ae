/* SPDX-License-Identifier: Apache-2.0 */
/* udocker-bundle import: a tar archive becomes a container. */
#include "pkg/bundle/import.h"

#include "cmd/udocker-bundle/program.h"
#include "oci-spec/platform.h"
#include "oci-spec/reference.h"
#include "pkg/base/err.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/bundle/birth.h"
#include "pkg/cli/import_options.h"
#include "pkg/cli/input.h"
#include "pkg/cli/output.h"
#include "pkg/conf/conf.h"
#include "pkg/store/store.h"

struct import_opts {
	struct import_args args; /* first: the shared table's offsets */
	const char *name;
	bool clone, no_sync, keep_setid, record_owner;
};

static const struct cli_option import_options[] = {
	CLI_FLAG("clone", 0, struct import_opts, clone, "the archive is what export --clone has written"),
	CLI_STR("name", 0, "NAME", struct import_opts, name, "give the container this name"),
	CLI_FLAG("keep-setid", 0, struct import_opts, keep_setid, "keep set-user-id and set-group-id bits"),
	CLI_FLAG("record-owner", 0, struct import_opts, record_owner,
		"write the owner of each file into its attribute user.rootlesscontainers"),
	CLI_FLAG("no-sync", 0, struct import_opts, no_sync, "do not wait until the files are on the disk"),
	CLI_END,
};
static const struct cli_option *const more_options[] = { import_arg_options, NULL };

static int check_options(const struct cli_call *call, struct err **err)
{
	const struct import_opts *o = call->options;

	if (o->args.move && o->no_sync)
		return err_make(err, ERR_USAGE,
			"--mv goes not with --no-sync: the file would be gone before "
			"its content is on the disk");
	if (o->clone && (call->argc > 1 || o->args.platform))
		log_warning("a clone has an image and a platform already, ignoring %s",
			call->argc > 1 ? call->argv[1] : "--platform");
	return conf_set_unpack_limits(o->args.max_size, o->args.max_ratio, err);
}

/* "repo:tag" of the second operand, NULL without one; caller frees. */
static int image_name(const struct cli_call *call, char **ret, struct err **err)
{
	auto_reference r = REFERENCE_INIT;

	if (call->argc < 2)
		return 0;
	if (reference_parse(call->argv[1], &r, err) < 0)
		return -1;
	*ret = xasprintf("%s:%s", r.name, r.tag ? r.tag : "latest");
	return 0;
}

static int import_run(const struct cli_call *call, struct err **err)
{
	const struct import_opts *o = call->options;
	struct birth_options bo = { .name = o->name, .no_sync = o->no_sync };
	struct bundle_import_options io = { .clone = o->clone,
		.keep_setid = o->keep_setid,
		.record_owner = o->record_owner,
		.progress = bundle_wants_progress(call->global) };
	autofree char *id = NULL, *image = NULL;
	struct platform platform;
	auto_store *s = NULL;
	autoclose int fd = -1;

	if (check_options(call, err) < 0 || image_name(call, &image, err) < 0)
		return -1;
	if (o->args.platform && platform_parse(o->args.platform, &platform, err) < 0)
		return -1;
	io.platform = o->args.platform ? &platform : NULL;
	io.image = image;
	fd = input_open(call->argv[0], &io.what, err);
	if (fd < 0 || store_open(STORE_WRITE, &s, err) < 0 || bundle_import(s, fd, &io, &bo, &id, err) < 0)
		return -1;
	if (o->args.move && !str_eq(call->argv[0], "-"))
		input_remove(call->argv[0], fd);
	output_line(id);
	return 0;
}

static const char about[] = "Makes a container of the tar of a root file system, as export, docker export "
			    "and tar write it, compressed with "
			    "gzip, zstd, xz, bzip2 or not at all, and prints its id. When anything goes "
			    "wrong, nothing is left. The name "
			    "of an image behind the file is recorded as the container's image; no image is "
			    "made (see udocker-image import "
			    "for one). Files whose names begin with .wh. are files like others.\n"
			    "\n"
			    "With --clone the archive is a container's folder, from export --clone or from "
			    "udocker 1.3.x: metadata, "
			    "execution mode and protection come with it. Names do not.\n"
			    "\n"
			    "Owners, modes, device nodes and attributes are treated as by create. With --mv "
			    "the file is removed when the "
			    "container is on the disk.";

const struct cli_command cmd_bundle_import = {
	.name = "import",
	.args = "FILE|- [REPO[:TAG]]",
	.min_args = 1,
	.max_args = 2,
	.summary = "make a container of a tar archive; prints its id",
	.about = about,
	.examples = "docker export web | udocker-bundle import --name=web -\n"
		    "udocker-bundle import --clone --name=web web.tar\n",
	.options = import_options,
	.more_options = more_options,
	.options_anywhere = true,
	.complete = CLI_COMPLETE_FILE,
	.run = import_run,
	.size = sizeof(struct import_opts),
};
