/* SPDX-License-Identifier: Apache-2.0 */
/* udocker-bundle name, rmname, rename, protect, unprotect: what hangs on a container from outside. */
#include "cmd/udocker-bundle/program.h"
#include "pkg/base/err.h"
#include "pkg/base/mem.h"
#include "pkg/store/containers.h"
#include "pkg/store/store.h"

static int name_run(const struct cli_call *call, struct err **err)
{
	autofree char *id = NULL;
	auto_store *s = NULL;

	if (store_open(STORE_UPDATE, &s, err) < 0 || container_resolve(s, call->argv[0], &id, err) < 0)
		return -1;
	return container_name_add(s, id, call->argv[1], err);
}

static int rmname_run(const struct cli_call *call, struct err **err)
{
	auto_store *s = NULL;

	return store_open(STORE_UPDATE, &s, err) < 0 ? -1 : container_name_remove(s, call->argv[0], err);
}

static int rename_run(const struct cli_call *call, struct err **err)
{
	auto_store *s = NULL;

	return store_open(STORE_UPDATE, &s, err) < 0
		       ? -1
		       : container_name_rename(s, call->argv[0], call->argv[1], err);
}

static int protect(const char *text, bool on, struct err **err)
{
	auto_container *c = NULL;
	auto_store *s = NULL;

	if (store_open(STORE_UPDATE, &s, err) < 0 || container_open(s, text, &c, err) < 0)
		return -1;
	/* In one that is being removed it is of no use. */
	return container_protect(c, on, err) < 0 || container_check_current(s, c, err) < 0 ? -1 : 0;
}

static int protect_run(const struct cli_call *call, struct err **err)
{
	return protect(call->argv[0], true, err);
}

static int unprotect_run(const struct cli_call *call, struct err **err)
{
	return protect(call->argv[0], false, err);
}

const struct cli_command cmd_bundle_name = {
	.name = "name",
	.args = "CONTAINER NAME",
	.min_args = 2,
	.max_args = 2,
	.summary = "give a container a name, or a further one",
	.complete = CLI_COMPLETE_CONTAINER,
	.run = name_run,
};

const struct cli_command cmd_bundle_rmname = {
	.name = "rmname",
	.args = "NAME",
	.min_args = 1,
	.max_args = 1,
	.summary = "take a name off its container",
	.complete = CLI_COMPLETE_CONTAINER,
	.run = rmname_run,
};

const struct cli_command cmd_bundle_rename = {
	.name = "rename",
	.args = "NAME NEW-NAME",
	.min_args = 2,
	.max_args = 2,
	.summary = "change a name of a container",
	.complete = CLI_COMPLETE_CONTAINER,
	.run = rename_run,
};

const struct cli_command cmd_bundle_protect = {
	.name = "protect",
	.args = "CONTAINER",
	.min_args = 1,
	.max_args = 1,
	.summary = "keep a container from being removed or set up anew",
	.complete = CLI_COMPLETE_CONTAINER,
	.run = protect_run,
};

const struct cli_command cmd_bundle_unprotect = {
	.name = "unprotect",
	.args = "CONTAINER",
	.min_args = 1,
	.max_args = 1,
	.summary = "let a container be removed and set up again",
	.complete = CLI_COMPLETE_CONTAINER,
	.run = unprotect_run,
};
