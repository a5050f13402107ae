/* SPDX-License-Identifier: Apache-2.0 */
/* The command table of udocker-bundle and what its files share. */
#ifndef UDOCKER_CMD_BUNDLE_H
#define UDOCKER_CMD_BUNDLE_H

#include "pkg/cli/cli.h"

struct bundle_globals {
	const char *repo;
	const char *config;
	const char *progress;
	bool quiet, debug;
};

extern const struct cli_program bundle_program;

/* Unpacking takes a second or two: lines in a log file would be noise unless they are asked for. */
bool bundle_wants_progress(const struct bundle_globals *g);
/* An error that does not end the command. */
struct err;
void bundle_report(const struct err *e);

extern const struct cli_command cmd_bundle_create;
extern const struct cli_command cmd_bundle_clone;
extern const struct cli_command cmd_bundle_export, cmd_bundle_import;
extern const struct cli_command cmd_bundle_ls;
extern const struct cli_command cmd_bundle_inspect;
extern const struct cli_command cmd_bundle_name, cmd_bundle_rmname, cmd_bundle_rename;
extern const struct cli_command cmd_bundle_rm;
extern const struct cli_command cmd_bundle_verify;
extern const struct cli_command cmd_bundle_protect, cmd_bundle_unprotect;
extern const struct cli_command cmd_bundle_setup;

#endif
