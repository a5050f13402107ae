/* SPDX-License-Identifier: Apache-2.0 */
/* udocker-image's command table and what its files share. */
#ifndef UDOCKER_CMD_IMAGE_H
#define UDOCKER_CMD_IMAGE_H

#include "pkg/cli/cli.h"

struct err;

struct image_globals {
	const char *repo;
	const char *config;
	const char *progress;
	bool quiet, debug, insecure;
};

extern const struct cli_program image_program;
extern const struct cli_command cmd_image_pull, cmd_image_tags, cmd_image_manifest, cmd_image_login,
	cmd_image_logout, cmd_image_search, cmd_image_push, cmd_image_copy;
extern const struct cli_command cmd_image_load, cmd_image_import, cmd_image_ls, cmd_image_inspect,
	cmd_image_verify, cmd_image_tag, cmd_image_rm, cmd_image_prune, cmd_image_protect,
	cmd_image_unprotect, cmd_image_mkrepo, cmd_image_save, cmd_image_history, cmd_image_fetch_engines;

/* The place of an option's word in its list, from 1; 0 when it was not given. */
int cmd_image_choice(const char *const *list, const char *word);

/* Print an error as cli_main() does and forget it, to go on with the next operand. */
void cmd_image_report(struct err **err);

#endif
