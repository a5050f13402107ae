/* SPDX-License-Identifier: Apache-2.0 */
/* udocker-bundle rm: containers and all their names. */
#include "cmd/udocker-bundle/program.h"
#include "pkg/base/err.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/base/sig.h"
#include "pkg/store/containers.h"
#include "pkg/store/store.h"

static const struct cli_option rm_options[] = {
	{ .name = "force",
		.letter = 'f',
		.kind = CLI_KIND_IGNORED_FLAG,
		.text = "accepted: directories without permission are always made accessible first" },
	CLI_END,
};

static int remove_one(struct store *s, const char *text, struct err **err)
{
	autofree char *id = NULL;

	if (container_resolve(s, text, &id, err) < 0 || container_remove(s, id, err) < 0)
		return -1;
	log_verbose("container %s is removed", id);
	return 0;
}

/* One that cannot be removed does not keep the others. The last failure is the command's, those before are printed here. */
static int rm_run(const struct cli_call *call, struct err **err)
{
	auto_err *failed = NULL;
	auto_store *s = NULL;

	if (store_open(STORE_UPDATE, &s, err) < 0)
		return -1;
	for (int i = 0; i < call->argc && !sig_interrupted(); i++) {
		auto_err *e = NULL;

		if (remove_one(s, call->argv[i], &e) == 0)
			continue;
		if (failed)
			log_error("%s", err_text(failed));
		err_clear(&failed);
		failed = steal_ptr(&e);
	}
	return failed ? err_move(err, &failed) : 0;
}

const struct cli_command cmd_bundle_rm = {
	.name = "rm",
	.args = "CONTAINER…",
	.min_args = 1,
	.max_args = -1,
	.summary = "remove containers with all their names",
	.options = rm_options,
	.complete = CLI_COMPLETE_CONTAINER,
	.run = rm_run,
};
