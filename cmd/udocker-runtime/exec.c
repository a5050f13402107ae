/* SPDX-License-Identifier: Apache-2.0 */
/* exec: one more program in a container. */
#include "pkg/runtime/exec.h"

#include "cmd/udocker-runtime/program.h"
#include "pkg/base/mem.h"

struct exec_opts {
	const char *process, *console_socket, *pid_file, *user, *cwd, *apparmor, *label;
	struct strv groups, caps, env, cgroups;
	int preserve_fds;
	bool detach, tty, no_new_privs, ignore_paused;
};

static const struct cli_option exec_options[] = {
	CLI_FLAG("detach", 'd', struct exec_opts, detach, "return when the program has been started"),
	CLI_FLAG("tty", 't', struct exec_opts, tty, "give the program a terminal"),
	{ .name = "process",
		.letter = 'p',
		.kind = CLI_KIND_STRING,
		.metavar = "FILE",
		.offset = offsetof(struct exec_opts, process),
		.text = "the process to run, as config.json describes one; the options about it do not count "
			"then",
		.complete = CLI_COMPLETE_FILE },
	{ .name = "console-socket",
		.kind = CLI_KIND_STRING,
		.metavar = "SOCKET",
		.offset = offsetof(struct exec_opts, console_socket),
		.text = "send the terminal's master end to this Unix socket",
		.complete = CLI_COMPLETE_FILE },
	{ .name = "pid-file",
		.kind = CLI_KIND_STRING,
		.metavar = "FILE",
		.offset = offsetof(struct exec_opts, pid_file),
		.text = "write the process id here; its exit status is the program's",
		.complete = CLI_COMPLETE_FILE },
	CLI_STR("user", 'u', "USER[:GROUP]", struct exec_opts, user,
		"run as this user: numbers, or names of the container"),
	CLI_LIST("additional-gids", 'g', "GID", struct exec_opts, groups, "a further group"),
	CLI_LIST("cap", 'c', "CAPABILITY", struct exec_opts, caps,
		"a capability in addition to the container's"),
	CLI_LIST("env", 'e', "NAME=VALUE", struct exec_opts, env, "set a variable"),
	CLI_STR("cwd", 0, "DIR", struct exec_opts, cwd, "run in this directory of the container"),
	CLI_FLAG("no-new-privs", 0, struct exec_opts, no_new_privs, "set no_new_privs for the program"),
	CLI_STR("apparmor", 0, "PROFILE", struct exec_opts, apparmor, "AppArmor profile of the program"),
	CLI_STR("process-label", 0, "LABEL", struct exec_opts, label, "SELinux label of the program"),
	CLI_INT("preserve-fds", 0, "N", struct exec_opts, preserve_fds,
		"pass N descriptors from 3 up on to the program"),
	CLI_LIST("cgroup", 0, "[CONTROLLERS:]PATH", struct exec_opts, cgroups,
		"for runc and crun: a control group below the container's"),
	CLI_FLAG("ignore-paused", 0, struct exec_opts, ignore_paused, "for runc: also in a paused container"),
	CLI_END,
};

static int exec_run(const struct cli_call *call, struct err **err)
{
	const struct exec_opts *o = call->options;
	struct runtime_globals g = runtime_globals_of(call);
	auto_strv args = STRV_INIT;
	struct runtime_exec_options e = {
		.id = call->argv[0],
		.process_file = o->process,
		.user = o->user,
		.cwd = o->cwd,
		.apparmor = o->apparmor,
		.process_label = o->label,
		.cgroups = &o->cgroups,
		.groups = &o->groups,
		.caps = &o->caps,
		.env = &o->env,
		.args = &args,
		.tty = o->tty,
		.no_new_privs = o->no_new_privs,
		.detach = o->detach,
		.ignore_paused = o->ignore_paused,
		.console_socket = o->console_socket,
		.pid_file = o->pid_file,
		.preserve_fds = o->preserve_fds,
	};
	int status;

	for (int i = 1; i < call->argc; i++)
		strv_add(&args, call->argv[i]);
	if (runtime_load_conf(call, err) < 0 || runtime_exec(&g, &e, &status, err) < 0)
		return -1;
	return status;
}

const struct cli_command cmd_runtime_exec = {
	.name = "exec",
	.args = "ID [COMMAND [ARG...]]",
	.min_args = 1,
	.max_args = -1,
	.summary = "run one more program in a container",
	.about = "The exit status is the program's, 128+N when signal N ended it, 255 when it could not be "
		 "started. The program ends with its container; under PRoot what it leaves behind ends with "
		 "it.",
	.options = exec_options,
	.complete = CLI_COMPLETE_RUNTIME_ID,
	.run = exec_run,
	.size = sizeof(struct exec_opts),
};
