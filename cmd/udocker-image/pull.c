/* SPDX-License-Identifier: Apache-2.0 */
/* udocker-image pull: images from their registries; prints NAME:TAG@DIGEST of each. */
#include "pkg/image/pull.h"
#include "cmd/udocker-image/network.h"
#include "pkg/base/err.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/base/sig.h"
#include "pkg/base/strv.h"
#include "pkg/cli/output.h"
#include "pkg/store/store.h"

struct pull_opts {
	struct network_opts network;
	const char *platform;
	int jobs;
	bool all, quiet;
};

static const struct cli_option pull_options[] = {
	CLI_FLAG("all-tags", 'a', struct pull_opts, all, "pull every tag of the repository"),
	CLI_STR("platform", 0, "OS/ARCH[/VARIANT]", struct pull_opts, platform,
		"choose from images for several platforms"),
	CLI_INT("jobs", 'j', "N", struct pull_opts, jobs, "fetch so many layers at once; 4 by default"),
	{ .name = "index",
		.kind = CLI_KIND_IGNORED_VALUE,
		.metavar = "URL",
		.text = "accepted as in udocker 1.3.x: an index is for search alone" },
	CLI_FLAG("quiet", 'q', struct pull_opts, quiet, "results and errors only"),
	CLI_END,
};

static int pull_one(struct store *s, struct registry *r, const struct reference *ref,
	const struct pull_options *o, struct err **err)
{
	autofree char *name = NULL;

	if (pull_image(s, r, ref, o, &name, err) < 0)
		return -1;
	output_line(name);
	return 0;
}

/* Every tag; one that fails does not keep the others back. */
static int pull_all(struct store *s, struct registry *r, const struct reference *ref,
	const struct pull_options *o, struct err **err)
{
	auto_strv tags = STRV_INIT;
	int status = 0;

	if (ref->has_tag || digest_is_set(&ref->digest))
		return err_make(
			err, ERR_USAGE, "'%s': --all-tags takes a name without tag or digest", ref->text);
	if (registry_tags(r, &tags, err) < 0)
		return -1;
	if (!tags.n)
		return err_make(err, ERR_NOT_FOUND, "%s has no tags", ref->name);
	for (size_t i = 0; i < tags.n; i++) {
		auto_reference one = REFERENCE_INIT;
		struct err *e = NULL;

		if (reference_replace(ref, NULL, tags.v[i], &one, &e) == 0 &&
			pull_one(s, r, &one, o, &e) == 0)
			continue;
		if (sig_interrupted())
			return err_move(err, &e);
		cmd_image_report(&e);
		status = 1;
	}
	return status;
}

static int pull_named(struct store *s, const char *text, const struct pull_opts *o,
	const struct pull_options *options, struct err **err)
{
	auto_reference ref = REFERENCE_INIT;
	auto_registry *r = NULL;

	if (network_open(&o->network, text, &ref, &r, err) < 0)
		return -1;
	return o->all ? pull_all(s, r, &ref, options, err) : pull_one(s, r, &ref, options, err);
}

static int pull_run(const struct cli_call *call, struct err **err)
{
	const struct pull_opts *o = call->options;
	struct pull_options options = { .jobs = o->jobs };
	struct platform platform;
	auto_store *s = NULL;
	int status = 0;

	if (o->quiet)
		log_set_level(LOG_LEVEL_MSG);
	if (o->jobs < 0 || o->jobs > PULL_JOBS_MAX)
		return err_make(err, ERR_USAGE, "--jobs is a number from 1 to %d", PULL_JOBS_MAX);
	if (network_platform(o->platform, &platform, &options.platform, err) < 0)
		return -1;
	/* A wrong name is told before anything is fetched or made. */
	for (int i = 0; i < call->argc; i++) {
		auto_reference ref = REFERENCE_INIT;

		if (reference_parse(call->argv[i], &ref, err) < 0)
			return -1;
	}
	if (store_open(STORE_WRITE, &s, err) < 0)
		return -1;
	for (int i = 0; i < call->argc; i++) {
		struct err *e = NULL;
		int one = pull_named(s, call->argv[i], o, &options, &e);

		if (one >= 0) {
			status = one > status ? one : status;
			continue;
		}
		if (call->argc == 1 || sig_interrupted())
			return err_move(err, &e);
		cmd_image_report(&e);
		status = 1;
	}
	return status;
}

const struct cli_command cmd_image_pull = {
	.name = "pull",
	.args = "NAME[:TAG][@DIGEST]…",
	.min_args = 1,
	.max_args = -1,
	.summary = "download images from registries",
	.about = "Fetches what is not in the store yet, checks every digest, and prints NAME:TAG@DIGEST. A "
		 "name whose first "
		 "part has a dot or a port, or is localhost, is asked of that registry, any other of Docker "
		 "Hub. A pull that "
		 "was broken off goes on where it stopped.\n\n"
		 "Credentials are those of login, else those of podman and docker with their helpers. A "
		 "registry's own CA, or a "
		 "certificate for it, lies in ~/.config/containers/certs.d/HOST[:PORT]/.",
	.examples = "udocker-image pull alpine:3 quay.io/podman/hello\n"
		    "udocker-image pull --platform linux/arm64 localhost:5000/app@sha256:…\n",
	.options = pull_options,
	.more_options = network_more_options,
	.complete = CLI_COMPLETE_IMAGE,
	.run = pull_run,
	.size = sizeof(struct pull_opts),
	.options_anywhere = true,
};
