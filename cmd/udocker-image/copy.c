/* SPDX-License-Identifier: Apache-2.0 */
/* udocker-image copy: an image from one transport to another. */
#include "pkg/image/copy.h"

#include <string.h>
#include <unistd.h>

#include "cmd/udocker-image/network.h"
#include "pkg/base/err.h"
#include "pkg/base/log.h"
#include "pkg/image/send_blobs.h"

static const char *const formats[] = { "oci", "docker", NULL };

struct copy_opts {
	struct network_opts network;
	const char *platform, *format;
	int jobs;
	bool all, force, quiet;
};

static const struct cli_option copy_options[] = {
	CLI_FLAG("all", 'a', struct copy_opts, all, "copy the images for all platforms"),
	CLI_STR("platform", 0, "OS/ARCH[/VARIANT]", struct copy_opts, platform,
		"choose from images for several platforms"),
	{ .name = "format",
		.kind = CLI_KIND_STRING,
		.metavar = "FORMAT",
		.offset = offsetof(struct copy_opts, format),
		.text = "convert manifests to oci or docker (schema 2)",
		.choices = formats },
	CLI_INT("jobs", 'j', "N", struct copy_opts, jobs, "copy so many layers at once; 4 by default"),
	CLI_FLAG("force", 'f', struct copy_opts, force, "replace an archive that exists"),
	CLI_FLAG("quiet", 'q', struct copy_opts, quiet, "errors only"),
	CLI_END,
};

static int copy_run(const struct cli_call *call, struct err **err)
{
	const struct copy_opts *o = call->options;
	struct copy_options options = {
		.all = o->all,
		.format = (enum copy_format)cmd_image_choice(formats, o->format),
		.jobs = o->jobs,
		.replace = o->force,
	};
	auto_transport from = { 0 }, to = { 0 };
	struct platform platform;

	if (o->quiet)
		log_set_level(LOG_LEVEL_MSG);
	if (o->jobs < 0 || o->jobs > SEND_JOBS_MAX)
		return err_make(err, ERR_USAGE, "--jobs is a number from 1 to %d", SEND_JOBS_MAX);
	if (network_settings(&o->network, &options.registry, err) < 0 ||
		network_platform(o->platform, &platform, &options.platform, err) < 0 ||
		transport_parse(call->argv[0], &from, err) < 0 ||
		transport_parse(call->argv[1], &to, err) < 0)
		return -1;
	if (to.path && strcmp(to.path, "-") == 0 && isatty(STDOUT_FILENO))
		return err_make(err, ERR_USAGE, "the standard output is a terminal");
	return copy_image(&from, &to, &options, err);
}

const struct cli_command cmd_image_copy = {
	.name = "copy",
	.args = "SOURCE DESTINATION",
	.min_args = 2,
	.max_args = 2,
	.summary = "copy an image between registries, layouts, archives and the store",
	.about =
		"SOURCE and DESTINATION are docker://REF (a registry), oci:DIR[:TAG], "
		"oci-archive:FILE[:TAG], "
		"docker-archive:FILE[:REF] or "
		"store:REF. The store has no part in it unless it is named. Every blob is checked while it "
		"passes; nothing can be seen at the "
		"destination before all of it is there.\n\n"
		"Blobs go from registry to registry while they arrive, or are mounted where both are one; "
		"what "
		"the destination has is not sent again. "
		"Manifests keep their bytes, and so their digest, but those of docker become OCI's in "
		"layouts and "
		"OCI archives, and --format "
		"converts them elsewhere. A docker archive that is read or written, and an OCI archive that "
		"is "
		"read, take a place for the image below the "
		"directory for temporary files. An archive's FILE may be -, the standard input or output.\n\n"
		"Of an image for several platforms the one for this machine, or for --platform, is copied; "
		"--all "
		"copies everything under "
		"the name. A layout that exists is added to.",
	.examples = "udocker-image copy docker://alpine:3 oci:layout:alpine\n"
		    "xz -dc app.tar.xz | udocker-image copy docker-archive:- docker://localhost:5000/app:1\n"
		    "udocker-image copy --all docker://quay.io/a/b:1 docker://localhost:5000/b:1\n"
		    "udocker-image copy store:app:1 oci-archive:app.tar:1\n",
	.options = copy_options,
	.more_options = network_more_options,
	.complete = CLI_COMPLETE_FILE,
	.run = copy_run,
	.size = sizeof(struct copy_opts),
	.options_anywhere = true,
};
