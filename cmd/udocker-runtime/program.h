/* SPDX-License-Identifier: Apache-2.0 */
/* The command table of udocker-runtime and what its files share. */
#ifndef UDOCKER_CMD_RUNTIME_H
#define UDOCKER_CMD_RUNTIME_H

#include "pkg/cli/cli.h"
#include "pkg/runtime/prepare.h"

struct err;

/* Options before the command, as runc has them, and ours. */
struct runtime_program_globals {
	const char *root, *log, *log_format, *engine, *execmode, *default_execmode;
	bool debug, quiet, strict, no_fake_root;
};

/* Options of create and run. */
struct create_opts {
	const char *bundle, *config, *console_socket, *pid_file;
	const char *config_fd;
	int preserve_fds;
	bool no_pivot, no_new_keyring, dry_run;
	/* run only */
	bool detach, keep, preserve_all_fds;
	int status; /* of a failed run, for the exit status */
};
extern const struct cli_option create_options[];

extern const struct cli_program runtime_program;
extern const struct cli_command cmd_runtime_create, cmd_runtime_run, cmd_runtime_start, cmd_runtime_state,
	cmd_runtime_exec, cmd_runtime_kill, cmd_runtime_delete, cmd_runtime_list, cmd_runtime_spec,
	cmd_runtime_features, cmd_runtime_engines, cmd_runtime_pause, cmd_runtime_resume, cmd_runtime_ps,
	cmd_runtime_relay_hook, cmd_runtime_update, cmd_runtime_events, cmd_runtime_checkpoint,
	cmd_runtime_restore;

/* What the library wants of the global options; points into them. */
struct runtime_globals runtime_globals_of(const struct cli_call *call);
/* udocker.conf, for the commands that choose an engine. The others print nothing that the user's settings could add. */
int runtime_load_conf(const struct cli_call *call, struct err **err);
/* The options of create and run for the library. ERR_USAGE. */
int create_options_of(const struct cli_call *call, struct runtime_create_options *ret, struct err **err);
/* --dry-run: the plan as text. */
int print_plan(const struct runtime_globals *g, const struct runtime_create_options *o, bool foreground,
	struct err **err);

#endif
