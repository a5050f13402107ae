/* SPDX-License-Identifier: Apache-2.0 */
/* udocker-image load: an archive's images into the store; prints the name of each. */
#include <string.h>
#include <unistd.h>

#include "cmd/udocker-image/program.h"
#include "oci-spec/platform.h"
#include "oci-spec/reference.h"
#include "pkg/base/err.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/base/strv.h"
#include "pkg/cli/input.h"
#include "pkg/cli/output.h"
#include "pkg/conf/conf.h"
#include "pkg/image/load.h"
#include "pkg/store/store.h"

struct load_opts {
	const char *input;
	const char *platform;
	const char *max_size, *max_ratio;
	bool all, quiet;
};

static const struct cli_option load_options[] = {
	{ .name = "input",
		.letter = 'i',
		.kind = CLI_KIND_STRING,
		.metavar = "FILE",
		.offset = offsetof(struct load_opts, input),
		.text = "archive or OCI layout directory to read instead of the standard input",
		.complete = CLI_COMPLETE_FILE },
	CLI_STR("platform", 0, "OS/ARCH[/VARIANT]", struct load_opts, platform,
		"choose from images for several platforms"),
	CLI_STR("max-size", 0, "SIZE", struct load_opts, max_size,
		"what the archive may unpack to whatever its own size (unpack_max_size)"),
	CLI_STR("max-ratio", 0, "N", struct load_opts, max_ratio,
		"and beyond that, how many times its own size (unpack_max_ratio)"),
	CLI_FLAG("all", 'a', struct load_opts, all, "load the images for all platforms"),
	CLI_FLAG("quiet", 'q', struct load_opts, quiet, "results and errors only"),
	CLI_END,
};

/* Asked before the archive is read. */
static int check_name(const char *name, struct err **err)
{
	auto_reference r = REFERENCE_INIT;

	return name ? reference_parse(name, &r, err) : 0;
}

/* `load - [NAME]` is `load [NAME]`. */
static int take_operands(const struct cli_call *call, const char **ret_name, struct err **err)
{
	const struct load_opts *o = call->options;
	int first = !o->input && call->argc > 0 && strcmp(call->argv[0], "-") == 0;

	if (call->argc - first > 1)
		return err_make(err, ERR_USAGE, "unexpected argument '%s'", call->argv[call->argc - 1]);
	*ret_name = call->argv[first];
	return check_name(*ret_name, err);
}

static int load_run(const struct cli_call *call, struct err **err)
{
	const struct load_opts *o = call->options;
	struct load_options options = { .all = o->all };
	auto_strv names = STRV_INIT;
	struct platform platform;
	auto_store *s = NULL;
	autoclose int fd = -1;

	if (o->quiet)
		log_set_level(LOG_LEVEL_MSG);
	if (take_operands(call, &options.name, err) < 0 ||
		conf_set_unpack_limits(o->max_size, o->max_ratio, err) < 0)
		return -1;
	if (o->platform) {
		if (platform_parse(o->platform, &platform, err) < 0)
			return -1;
		options.platform = &platform;
	}
	fd = input_open(o->input, &options.what, err);
	if (fd < 0 || store_open(STORE_WRITE, &s, err) < 0 || load_images(s, fd, &options, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.n; i++)
		output_line(names.v[i]);
	return 0;
}

const struct cli_command cmd_image_load = {
	.name = "load",
	.args = "[NAME]",
	.max_args = 2,
	.summary = "load images from an archive",
	.about = "Reads docker archives of every age, OCI archives and OCI layout directories, compressed "
		 "with gzip, zstd, "
		 "xz, bzip2 or not at all, and prints NAME:TAG of each image. An image of the same name is "
		 "replaced.\n\n"
		 "NAME with a tag names the one image of the archive; NAME without a tag replaces the "
		 "repository and "
		 "keeps the tag. An image that nobody named becomes loaded/DIGEST:latest, with the first 12 "
		 "digits of its "
		 "digest.\n\n"
		 "Of an image for several platforms the one for this machine, or for --platform, is loaded. "
		 "With --all the others are loaded as well: each platform is then to be had as "
		 "NAME:TAG-OS-ARCH, with -VARIANT where it has one (app:1-linux-arm-v7), this machine's too.",
	.examples = "udocker-image load -i image.tar\n"
		    "skopeo copy docker://alpine docker-archive:/dev/stdout | udocker-image load alpine:3\n",
	.options = load_options,
	.complete = CLI_COMPLETE_FILE,
	.run = load_run,
	.size = sizeof(struct load_opts),
	.options_anywhere = true,
};
