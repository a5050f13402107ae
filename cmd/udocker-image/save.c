/* SPDX-License-Identifier: Apache-2.0 */
/* udocker-image save: images into an archive, a layout directory, or a pipe. */
#include <string.h>
#include <unistd.h>

#include "cmd/udocker-image/program.h"
#include "pkg/base/err.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/image/save.h"
#include "pkg/store/store.h"

static const char *const formats[] = { "docker-archive", "oci-archive", "oci", NULL };
static const char *const compressions[] = { "none", "gzip", "zstd", NULL };

struct save_opts {
	const char *output;
	const char *format;
	const char *compress;
	bool all, force, quiet;
};

static const struct cli_option save_options[] = {
	{ .name = "output",
		.letter = 'o',
		.kind = CLI_KIND_STRING,
		.metavar = "FILE",
		.offset = offsetof(struct save_opts, output),
		.text = "file to write instead of the standard output, or directory of an OCI layout",
		.complete = CLI_COMPLETE_FILE },
	{ .name = "format",
		.kind = CLI_KIND_STRING,
		.metavar = "FORMAT",
		.offset = offsetof(struct save_opts, format),
		.text = "docker-archive (the default), oci-archive, or oci for a layout directory",
		.choices = formats },
	{ .name = "compress",
		.kind = CLI_KIND_STRING,
		.metavar = "HOW",
		.offset = offsetof(struct save_opts, compress),
		.text = "layers in gzip, zstd, or none",
		.choices = compressions },
	CLI_FLAG("all", 'a', struct save_opts, all, "with the images for all platforms"),
	CLI_FLAG("force", 'f', struct save_opts, force, "replace a file that exists"),
	CLI_FLAG("quiet", 'q', struct save_opts, quiet, "errors only"),
	CLI_END,
};

static bool is_stdout(const char *path)
{
	return !path || strcmp(path, "-") == 0;
}

static int save_run(const struct cli_call *call, struct err **err)
{
	const struct save_opts *o = call->options;
	const struct save_options options = {
		.format = (enum save_format)(o->format ? cmd_image_choice(formats, o->format) - 1 : 0),
		.compress = (enum save_compress)cmd_image_choice(compressions, o->compress),
		.path = o->output,
		.replace = o->force,
		.all = o->all
	};
	bool dash = !o->output && call->argc > 1 && str_eq(call->argv[0], "-");
	auto_store *s = NULL;

	if (o->quiet)
		log_set_level(LOG_LEVEL_MSG);
	if (is_stdout(o->output) && options.format != SAVE_OCI_LAYOUT && isatty(STDOUT_FILENO)) {
		err_make(err, ERR_USAGE, "the standard output is a terminal");
		return err_hint(err, "name a file with --output, or pipe the archive on");
	}
	if (store_open(STORE_READ, &s, err) < 0)
		return -1;
	store_hold(s);
	/* `save - IMAGE` of 1.3.x */
	return save_images(s, call->argv + dash, &options, err);
}

const struct cli_command cmd_image_save = {
	.name = "save",
	.args = "NAME[:TAG|@DIGEST]…",
	.min_args = 1,
	.max_args = -1,
	.summary = "write images to an archive",
	.about = "The archive goes to the standard output, or to a file that appears when it is complete. "
		 "Layers that images share are written once; every layer is checked against its digest. The "
		 "same images always make the same bytes.\n\n"
		 "A docker archive is read by docker, podman, skopeo and udocker 1.3.x; its layers are plain "
		 "tar archives, as docker writes them, unless --compress asks for gzip or zstd. An OCI "
		 "archive or layout has the layers as they are stored, unless --compress says otherwise, and "
		 "the manifest with its own bytes where it is an OCI manifest and no layer changes; a docker "
		 "manifest is converted. A layout directory that exists is added to.\n\n"
		 "--all saves what NAME:TAG-OS-ARCH tags hold as well (see load), as one image for several "
		 "platforms; docker archives cannot hold such images.",
	.examples = "udocker-image save -o two.tar app:1 app:2\n"
		    "udocker-image save app:1 | ssh host udocker load\n"
		    "udocker-image save --format oci --compress zstd -o layout app:1\n",
	.options = save_options,
	.complete = CLI_COMPLETE_IMAGE,
	.run = save_run,
	.size = sizeof(struct save_opts),
	.options_anywhere = true,
};
