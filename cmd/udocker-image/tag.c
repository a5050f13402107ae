/* SPDX-License-Identifier: Apache-2.0 */
/* udocker-image tag, protect, unprotect and mkrepo: one call of the store each. */
#include "cmd/udocker-image/program.h"
#include "pkg/base/err.h"
#include "pkg/base/mem.h"
#include "pkg/store/images.h"
#include "pkg/store/store.h"

static int tag_run(const struct cli_call *call, struct err **err)
{
	auto_store *s = NULL;

	if (store_open(STORE_UPDATE, &s, err) < 0)
		return -1;
	return image_tag(s, call->argv[0], call->argv[1], err);
}

const struct cli_command cmd_image_tag = {
	.name = "tag",
	.args = "SOURCE[:TAG] NAME[:TAG]",
	.min_args = 2,
	.max_args = 2,
	.summary = "give an image a further name",
	.about = "The new name must be free. A protected image is not tagged, as in udocker 1.3.x.",
	.complete = CLI_COMPLETE_IMAGE,
	.run = tag_run,
};

static int protect(const struct cli_call *call, bool on, struct err **err)
{
	auto_store *s = NULL;

	if (store_open(STORE_UPDATE, &s, err) < 0)
		return -1;
	return image_protect(s, call->argv[0], on, err);
}

static int protect_run(const struct cli_call *call, struct err **err)
{
	return protect(call, true, err);
}

const struct cli_command cmd_image_protect = {
	.name = "protect",
	.args = "NAME[:TAG|@DIGEST]",
	.min_args = 1,
	.max_args = 1,
	.summary = "keep an image from being removed or replaced",
	.complete = CLI_COMPLETE_IMAGE,
	.run = protect_run,
};

static int unprotect_run(const struct cli_call *call, struct err **err)
{
	return protect(call, false, err);
}

const struct cli_command cmd_image_unprotect = {
	.name = "unprotect",
	.args = "NAME[:TAG|@DIGEST]",
	.min_args = 1,
	.max_args = 1,
	.summary = "let an image be removed again",
	.complete = CLI_COMPLETE_IMAGE,
	.run = unprotect_run,
};

static int mkrepo_run(const struct cli_call *call, struct err **err)
{
	return store_make(call->argv[0], err);
}

const struct cli_command cmd_image_mkrepo = {
	.name = "mkrepo",
	.args = "DIR",
	.min_args = 1,
	.max_args = 1,
	.summary = "make an empty store",
	.about = "DIR must not exist, or be empty. It can then be given to --repo, or named by UDOCKER_DIR.",
	.complete = CLI_COMPLETE_DIR,
	.run = mkrepo_run,
};
