/* SPDX-License-Identifier: Apache-2.0 */
/* udocker-bundle rm: containers and all their names. */
#include "cmd/udocker-bundle/program.h"
#include "pkg/base/err.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/base/sig.h"
#include "pkg/store/containers.h"
#include "pkg/store/store.h"

struct rm_opts {
	bool force;
};

/* Directories without permission are made accessible in any case, which is all that 1.3.x means by -f. */
static const struct cli_option rm_options[] = {
	CLI_FLAG("force", 'f', struct rm_opts, force, "do not mind if a container is not there"),
	CLI_END,
};

static int remove_one(struct store *s, const char *text, bool force, struct err **err)
{
	autofree char *id = NULL;
	auto_err *e = NULL;

	if (container_resolve(s, text, &id, &e) == 0 && container_remove(s, id, &e) == 0) {
		if (cli_called_as())
			log_info("deleting container: %s", id);
		return 0;
	}
	/* 1.3.x fails for what is unknown, with -f as well. */
	return force && err_is(e, ERR_NOT_FOUND) && !cli_called_as() ? 0 : err_move(err, &e);
}

/* One that cannot be removed does not keep the others. */
static int rm_run(const struct cli_call *call, struct err **err)
{
	const struct rm_opts *o = call->options;
	auto_store *s = NULL;
	int status = 0;

	if (store_open(STORE_UPDATE, &s, err) < 0)
		return -1;
	for (int i = 0; i < call->argc && !sig_interrupted(); i++) {
		auto_err *e = NULL;

		if (remove_one(s, call->argv[i], o->force, &e) == 0)
			continue;
		if (call->argc == 1)
			return err_move(err, &e);
		bundle_report(e);
		status = 1;
	}
	return sig_interrupted() ? err_make(err, ERR_SYSTEM, "interrupted") : status;
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
	.size = sizeof(struct rm_opts),
};
