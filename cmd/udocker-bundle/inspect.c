/* SPDX-License-Identifier: Apache-2.0 */
/* udocker-bundle inspect: the metadata of a container, or where its root directory is. */
#include "cmd/udocker-bundle/program.h"
#include "pkg/base/err.h"
#include "pkg/base/json.h"
#include "pkg/base/mem.h"
#include "pkg/store/containers.h"
#include "pkg/store/store.h"

struct inspect_opts {
	bool path;
};

static const struct cli_option inspect_options[] = {
	CLI_FLAG("path", 'p', struct inspect_opts, path, "print the path of its root directory instead"),
	CLI_END,
};

static int inspect_run(const struct cli_call *call, struct err **err)
{
	const struct inspect_opts *o = call->options;
	autofree char *text = NULL;
	auto_json *metadata = NULL;
	auto_container *c = NULL;
	auto_store *s = NULL;

	if (store_open(STORE_READ, &s, err) < 0 || container_open(s, call->argv[0], &c, err) < 0)
		return -1;
	if (o->path) {
		printf("%s\n", c->root);
		return 0;
	}
	if (container_metadata(c->fd, &metadata, err) < 0)
		return err_add(err, "container %s", c->id);
	/* The form of 1.3.x, to the byte. */
	text = json_text(metadata, JSON_PRETTY | JSON_INDENT4 | JSON_SORT | JSON_ASCII);
	fputs(text, stdout);
	return 0;
}

const struct cli_command cmd_bundle_inspect = {
	.name = "inspect",
	.args = "CONTAINER",
	.min_args = 1,
	.max_args = 1,
	.summary = "show the image configuration a container was made with",
	.options = inspect_options,
	.complete = CLI_COMPLETE_CONTAINER,
	.run = inspect_run,
	.size = sizeof(struct inspect_opts),
};
