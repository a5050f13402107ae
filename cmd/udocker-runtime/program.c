/* SPDX-License-Identifier: Apache-2.0 */
/* The runtime's global options, its commands in the order of help, its logs and exit statuses. */
#include "cmd/udocker-runtime/program.h"

#include <errno.h>
#include <signal.h>

#include "oci-spec/runtime_config.h"
#include "pkg/base/err.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/conf/conf.h"

#define STATUS_NOT_STARTED 125

static const char *const log_formats[] = { "text", "json", NULL };
static const char *const rootless_choices[] = { "true", "false", "auto", NULL };

static const struct cli_option runtime_options[] = {
	{ .name = "root",
		.kind = CLI_KIND_STRING,
		.metavar = "DIR",
		.offset = offsetof(struct runtime_program_globals, root),
		.text = "keep the state of containers in this directory",
		.complete = CLI_COMPLETE_DIR },
	{ .name = "log",
		.kind = CLI_KIND_STRING,
		.metavar = "FILE",
		.offset = offsetof(struct runtime_program_globals, log),
		.text = "write messages to this file too",
		.complete = CLI_COMPLETE_FILE },
	{ .name = "log-format",
		.kind = CLI_KIND_STRING,
		.metavar = "FORMAT",
		.offset = offsetof(struct runtime_program_globals, log_format),
		.text = "form of the log",
		.choices = log_formats },
	CLI_FLAG("debug", 'D', struct runtime_program_globals, debug, "log every step"),
	CLI_FLAG("quiet", 'q', struct runtime_program_globals, quiet, "errors only"),
	CLI_STR("engine", 0, "NAME", struct runtime_program_globals, engine,
		"use this engine: crun, runc, runsc, proot, fakechroot, singularity, trap"),
	{ .name = "execmode",
		.kind = CLI_KIND_STRING,
		.metavar = "XY",
		.offset = offsetof(struct runtime_program_globals, execmode),
		.text = "use this execution mode: P1, R1 …, or auto",
		.complete = CLI_COMPLETE_MODE },
	{ .name = "default-execmode",
		.kind = CLI_KIND_STRING,
		.metavar = "XY",
		.offset = offsetof(struct runtime_program_globals, default_execmode),
		.text = "execution mode when nothing else asks for one",
		.hidden = true },
	CLI_FLAG("strict", 0, struct runtime_program_globals, strict,
		"fail when the engine cannot apply all that the bundle asks for"),
	CLI_FLAG("no-fake-root", 0, struct runtime_program_globals, no_fake_root,
		"do not pretend that root's calls succeed under a map of one id"),
	{ .name = "systemd-cgroup", .kind = CLI_KIND_IGNORED_FLAG, .text = "accepted, without effect" },
	{ .name = "cgroup-manager",
		.kind = CLI_KIND_IGNORED_VALUE,
		.metavar = "NAME",
		.text = "accepted, without effect" },
	{ .name = "rootless",
		.kind = CLI_KIND_IGNORED_VALUE,
		.metavar = "WHEN",
		.text = "accepted, without effect",
		.choices = rootless_choices },
	CLI_END,
};

static int open_log(const struct runtime_program_globals *g, struct err **err)
{
	enum log_format format = str_eq(g->log_format, "json") ? LOG_JSON : LOG_TEXT;
	int fd;

	if (!g->log || !*g->log) {
		if (g->log_format)
			log_set_stderr_format(format);
		return 0;
	}
	fd = open(g->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0644);
	if (fd < 0)
		return err_sys(err, errno, "log '%s'", g->log);
	log_set_file(fd, format);
	return 0;
}

static int runtime_setup(void *global, struct err **err)
{
	const struct runtime_program_globals *g = global;

	if (g->debug || g->quiet)
		log_set_level(g->debug ? LOG_LEVEL_DEBUG : LOG_LEVEL_ERROR);
	/* A reader that goes away is an error where we write, not our end. Programs get the default back. */
	(void)signal(SIGPIPE, SIG_IGN);
	return open_log(g, err);
}

int runtime_load_conf(const struct cli_call *call, struct err **err)
{
	const struct runtime_program_globals *g = call->global;

	if (conf_load(NULL, err) < 0)
		return -1;
	if (!g->debug && !g->quiet)
		log_set_level((int)conf_int(CONF_VERBOSE_LEVEL));
	return 0;
}

struct runtime_globals runtime_globals_of(const struct cli_call *call)
{
	const struct runtime_program_globals *g = call->global;

	return (struct runtime_globals){
		.root = g->root,
		.engine = {
			.switch_engine = g->engine,
			.switch_mode = g->execmode,
			.fallback_mode = g->default_execmode ? g->default_execmode : "auto",
		},
		.strict = g->strict,
		.no_fake_root = g->no_fake_root,
		.log_file = g->log,
		.log_format = g->log_format,
		.debug = g->debug,
	};
}

/* Of run and exec the status is the program's, unless it says that there was none. */
static int runtime_status_of(const struct cli_call *call, const struct err *err)
{
	const struct create_opts *o = call->options;

	if (call->command == &cmd_runtime_exec)
		return 255;
	(void)err; /* what it means for run has been found out there */
	if (call->command != &cmd_runtime_run)
		return 1;
	return o->status ? o->status : STATUS_NOT_STARTED; /* it has not come so far: the log */
}

/* clang-format off: one a line */
static const struct cli_command *const runtime_commands[] = {
	&cmd_runtime_run,
	&cmd_runtime_create,
	&cmd_runtime_start,
	&cmd_runtime_state,
	&cmd_runtime_exec,
	&cmd_runtime_kill,
	&cmd_runtime_delete,
	&cmd_runtime_pause,
	&cmd_runtime_resume,
	&cmd_runtime_ps,
	&cmd_runtime_list,
	&cmd_runtime_update,
	&cmd_runtime_events,
	&cmd_runtime_checkpoint,
	&cmd_runtime_restore,
	&cmd_runtime_spec,
	&cmd_runtime_features,
	&cmd_runtime_engines,
	&cmd_runtime_relay_hook,
	NULL,
};
/* clang-format on */

const struct cli_program runtime_program = {
	.name = "udocker-runtime",
	.summary = "run OCI bundles with runc, crun or PRoot",
	.about =
		"Runs a bundle as the OCI runtime specification describes it: a directory with a config.json "
		"and a root "
		"file system. The engine that does so is chosen by --engine or --execmode, by the annotation "
		"org.udocker.execmode, by the bundle's execmode file, by the configuration, or is the first "
		"that works "
		"here.",
	.options = runtime_options,
	.size = sizeof(struct runtime_program_globals),
	.commands = runtime_commands,
	.setup = runtime_setup,
	.usage_status = 1,
	.failure_status = 1,
	.status_of = runtime_status_of,
	.version_extra = "commit: v" UDOCKER_VERSION "\nspec: " RUNTIME_SPEC_NEWEST,
};
