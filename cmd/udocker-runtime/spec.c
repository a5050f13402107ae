/* SPDX-License-Identifier: Apache-2.0 */
/* spec: a config.json to start from. */
#include <errno.h>

#include "cmd/udocker-runtime/program.h"
#include "engines/oci_host.h"
#include "oci-spec/runtime_config.h"
#include "pkg/base/atomic.h"
#include "pkg/base/err.h"
#include "pkg/base/json.h"
#include "pkg/base/mem.h"

struct spec_opts {
	const char *bundle;
	bool rootless;
};

static const struct cli_option spec_options[] = {
	{ .name = "bundle",
		.letter = 'b',
		.kind = CLI_KIND_STRING,
		.metavar = "DIR",
		.offset = offsetof(struct spec_opts, bundle),
		.text = "where to write it, by default the working directory",
		.complete = CLI_COMPLETE_DIR },
	CLI_FLAG("rootless", 0, struct spec_opts, rootless, "for a user without privileges"),
	CLI_END,
};

static int spec_run(const struct cli_call *call, struct err **err)
{
	const struct spec_opts *o = call->options;
	const char *dir = o->bundle && *o->bundle ? o->bundle : ".";
	autoclose int dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_json *config = NULL;
	autofree char *text = NULL;

	if (dirfd < 0)
		return err_sys(err, errno, "bundle '%s'", dir);
	config = runtime_config_example(o->rootless, geteuid(), getegid());
	if (!str_eq(oci_host_cgroup_layout(), "v2"))
		runtime_remove_namespace(config, "cgroup"); /* callers add it there, as to runc's example */
	text = json_text(config, JSON_PRETTY);
	if (atomic_write(dirfd, "config.json", text, strlen(text), 0666, ATOMIC_EXCL, err) < 0) {
		if (err_is(err ? *err : NULL, ERR_EXISTS))
			(void)err_hint(err, "remove it first");
		return -1;
	}
	return 0;
}

const struct cli_command cmd_runtime_spec = {
	.name = "spec",
	.max_args = 0,
	.summary = "write a config.json to start from",
	.options = spec_options,
	.options_anywhere = true,
	.run = spec_run,
	.size = sizeof(struct spec_opts),
};
