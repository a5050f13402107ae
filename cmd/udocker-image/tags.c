/* SPDX-License-Identifier: Apache-2.0 */
/* udocker-image tags: every tag that a registry has of a repository. */
#include "cmd/udocker-image/network.h"
#include "pkg/base/err.h"
#include "pkg/base/json.h"
#include "pkg/base/mem.h"
#include "pkg/base/strv.h"
#include "pkg/cli/output.h"

struct tags_opts {
	struct network_opts network;
	const char *format;
};

static const struct cli_option tags_options[] = {
	{ .name = "format",
		.kind = CLI_KIND_STRING,
		.metavar = "FORMAT",
		.offset = offsetof(struct tags_opts, format),
		.text = "table: one tag a line; json: an array of strings",
		.choices = output_formats },
	CLI_END,
};

int tags_print(const struct network_opts *network, const char *name, bool json, struct err **err)
{
	auto_reference ref = REFERENCE_INIT;
	auto_strv tags = STRV_INIT;
	auto_registry *r = NULL;

	if (network_open(network, name, &ref, &r, err) < 0 || registry_tags(r, &tags, err) < 0)
		return -1;
	if (json) {
		auto_json *j = json_new_strv(&tags);

		output_json(j);
		return 0;
	}
	for (size_t i = 0; i < tags.n; i++)
		output_line(tags.v[i]);
	return 0;
}

static int tags_run(const struct cli_call *call, struct err **err)
{
	const struct tags_opts *o = call->options;

	return tags_print(&o->network, call->argv[0], str_eq(o->format, "json"), err);
}

const struct cli_command cmd_image_tags = {
	.name = "tags",
	.args = "NAME",
	.min_args = 1,
	.max_args = 1,
	.summary = "list the tags of a repository in its registry",
	.options = tags_options,
	.more_options = network_more_options,
	.run = tags_run,
	.size = sizeof(struct tags_opts),
	.options_anywhere = true,
};
