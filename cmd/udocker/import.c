/* SPDX-License-Identifier: Apache-2.0 */
/* `import` makes an image, or with --tocontainer or --clone a container: one grammar in 1.3.x, two of the siblings' commands here. */
#include "cmd/udocker/program.h"

#include "pkg/base/err.h"
#include "pkg/base/log.h"
#include "pkg/cli/import_options.h"

struct import_opts {
	struct import_args args; /* first: the shared table's offsets */
	const char *name;
	bool tocontainer, clone;
};

static const struct cli_option import_options[] = {
	CLI_FLAG("tocontainer", 0, struct import_opts, tocontainer, "make a container, and no image"),
	CLI_FLAG(
		"clone", 0, struct import_opts, clone, "make a container of what export --clone has written"),
	CLI_STR("name", 0, "NAME", struct import_opts, name, "give the container this name"),
	CLI_END,
};
static const struct cli_option *const more_options[] = { import_arg_options, NULL };

static int import_run(const struct cli_call *call, struct err **err)
{
	struct import_opts o = *(const struct import_opts *)call->options;
	bool container = o.tocontainer || o.clone;
	auto_strv words = STRV_INIT;

	if (!container && call->argc < 2)
		return err_make(err, ERR_USAGE, "the name of the image is missing");
	if (!container && o.name)
		log_warning("--name is for containers, ignoring it: without --tocontainer an image is made");
	if (!container)
		o.name = NULL;
	o.tocontainer = false; /* what the sibling does anyway */
	if (udocker_sibling_words(
		    call, container ? "udocker-bundle" : "udocker-image", "import", &words, err) < 0)
		return -1;
	cli_emit(import_options, &o, &words);
	cli_emit(import_arg_options, &o, &words);
	strv_add(&words, "--");
	for (int i = 0; i < call->argc; i++)
		strv_add(&words, call->argv[i]);
	return udocker_exec(&words, err);
}

const struct cli_command cmd_udocker_import = {
	.name = "import",
	.args = "FILE|- [REPO[:TAG]]",
	.min_args = 1,
	.max_args = 2,
	.summary = "make an image or a container of a root file system archive",
	.about = "The tar of a root file system, compressed with gzip, zstd, xz, bzip2 or not at all, "
		 "becomes the image "
		 "REPO:TAG, whose name is printed. With --tocontainer it becomes a container at once, and "
		 "with --clone "
		 "what export --clone has written does; the container's id is printed.",
	.examples = "docker export web | udocker import - web:1\n"
		    "udocker import --tocontainer --name=web web.tar\n",
	.options = import_options,
	.more_options = more_options,
	.options_anywhere = true,
	.complete = CLI_COMPLETE_FILE,
	.run = import_run,
	.size = sizeof(struct import_opts),
};
