/* SPDX-License-Identifier: Apache-2.0 */
/* udocker-image push: an image of the store into a registry; prints NAME:TAG@DIGEST. */
#include "pkg/image/push.h"

#include "cmd/udocker-image/network.h"
#include "pkg/base/err.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/cli/output.h"
#include "pkg/image/send_blobs.h"
#include "pkg/store/store.h"

static const char *const formats[] = { "oci", "docker", NULL };
static const char *const compressions[] = { "gzip", "zstd", NULL };

struct push_opts {
	struct network_opts network;
	const char *format, *compress;
	int jobs;
	bool all, quiet;
};

static const struct cli_option push_options[] = {
	{ .name = "format",
		.kind = CLI_KIND_STRING,
		.metavar = "FORMAT",
		.offset = offsetof(struct push_opts, format),
		.text = "convert the manifest to oci or docker (schema 2)",
		.choices = formats },
	{ .name = "compress",
		.kind = CLI_KIND_STRING,
		.metavar = "HOW",
		.offset = offsetof(struct push_opts, compress),
		.text = "pack layers anew in gzip or zstd",
		.choices = compressions },
	CLI_FLAG("all", 'a', struct push_opts, all, "with the images for all platforms"),
	CLI_INT("jobs", 'j', "N", struct push_opts, jobs, "send so many layers at once; 4 by default"),
	CLI_FLAG("quiet", 'q', struct push_opts, quiet, "results and errors only"),
	CLI_END,
};

static int push_run(const struct cli_call *call, struct err **err)
{
	const struct push_opts *o = call->options;
	const struct push_options options = {
		.format = (enum push_format)cmd_image_choice(formats, o->format),
		.compress = (enum push_compress)cmd_image_choice(compressions, o->compress),
		.jobs = o->jobs,
		.all = o->all,
	};
	const char *from = call->argv[0], *dest = call->argc > 1 ? call->argv[1] : from;
	struct registry_settings settings;
	auto_reference ref = REFERENCE_INIT;
	auto_registry *r = NULL;
	auto_store *s = NULL;
	autofree char *name = NULL;

	if (o->quiet)
		log_set_level(LOG_LEVEL_MSG);
	if (o->jobs < 0 || o->jobs > SEND_JOBS_MAX)
		return err_make(err, ERR_USAGE, "--jobs is a number from 1 to %d", SEND_JOBS_MAX);
	if (reference_parse(dest, &ref, err) < 0)
		return -1;
	if (network_settings(&o->network, &settings, err) < 0)
		return -1;
	settings.push = true;
	if (store_open(STORE_READ, &s, err) < 0)
		return -1;
	store_hold(s);
	if (registry_open(&ref, &settings, &r, err) < 0 ||
		push_image(s, from, r, &ref, &options, &name, err) < 0)
		return -1;
	output_line(name);
	return 0;
}

const struct cli_command cmd_image_push = {
	.name = "push",
	.args = "NAME[:TAG|@DIGEST] [DEST-NAME[:TAG]]",
	.min_args = 1,
	.max_args = 2,
	.summary = "upload an image to a registry",
	.about = "Sends what the registry does not have yet, several layers at once, then the manifest, and "
		 "prints "
		 "NAME:TAG@DIGEST. "
		 "Layers that another repository of the same registry has, by what the names in the store "
		 "say, "
		 "are mounted from there. "
		 "An upload that breaks off goes on where it stopped; a push that was broken off is repeated "
		 "and sends the layers that are "
		 "missing.\n\n"
		 "Without --format and --compress the manifest's bytes are those of the store: the digest "
		 "stays "
		 "that of the registry it was "
		 "pulled from. An image that came without a manifest, and zstd layers of a docker manifest, "
		 "get "
		 "an OCI one. --all sends what "
		 "NAME:TAG-OS-ARCH tags hold as well (see load), as one image for several platforms.",
	.examples = "udocker-image push localhost:5000/app:1\n"
		    "udocker-image push --compress zstd app:1 quay.io/me/app:1\n",
	.options = push_options,
	.more_options = network_more_options,
	.complete = CLI_COMPLETE_IMAGE,
	.run = push_run,
	.size = sizeof(struct push_opts),
	.options_anywhere = true,
};
