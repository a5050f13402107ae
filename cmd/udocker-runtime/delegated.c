/* SPDX-License-Identifier: Apache-2.0 */
/* What runc and crun do for their containers, and no direct engine can: update, events, checkpoint, restore. */
#include "cmd/udocker-runtime/program.h"
#include "pkg/base/mem.h"
#include "pkg/runtime/pausing.h"

static int pass_on(const struct cli_call *call, struct err **err)
{
	struct runtime_globals g = runtime_globals_of(call);
	auto_strv words = STRV_INIT;

	cli_emit(call->command->options, call->options, &words);
	return runtime_delegated(&g, call->command->name, &words, call->argv[0], err);
}

/* ---- update ---- */

struct update_opts {
	const char *resources, *blkio_weight, *cpu_period, *cpu_quota, *cpu_share, *cpu_rt_period,
		*cpu_rt_runtime, *cpuset_cpus, *cpuset_mems, *memory, *memory_reservation, *memory_swap,
		*kernel_memory, *kernel_memory_tcp, *pids_limit, *l3_cache_schema, *mem_bw_schema;
};

/* clang-format off: one a line */
static const struct cli_option update_options[] = {
	CLI_STR("resources", 'r', "FILE", struct update_opts, resources,
		"read the limits from this file, - is the standard input"),
	CLI_STR("blkio-weight", 0, "N", struct update_opts, blkio_weight, "weight of block devices"),
	CLI_STR("cpu-period", 0, "US", struct update_opts, cpu_period,
		"period of the scheduler, microseconds"),
	CLI_STR("cpu-quota", 0, "US", struct update_opts, cpu_quota, "processor time in a period"),
	CLI_STR("cpu-share", 0, "N", struct update_opts, cpu_share, "weight of processor time"),
	CLI_STR("cpu-rt-period", 0, "US", struct update_opts, cpu_rt_period,
		"period of the real-time scheduler"),
	CLI_STR("cpu-rt-runtime", 0, "US", struct update_opts, cpu_rt_runtime,
		"real-time processor time in a period"),
	CLI_STR("cpuset-cpus", 0, "LIST", struct update_opts, cpuset_cpus, "processors"),
	CLI_STR("cpuset-mems", 0, "LIST", struct update_opts, cpuset_mems, "memory nodes"),
	CLI_STR("memory", 0, "BYTES", struct update_opts, memory, "memory"),
	CLI_STR("memory-reservation", 0, "BYTES", struct update_opts, memory_reservation,
		"memory when it is short"),
	CLI_STR("memory-swap", 0, "BYTES", struct update_opts, memory_swap, "memory and swap, -1: no limit"),
	CLI_STR("kernel-memory", 0, "BYTES", struct update_opts, kernel_memory, "memory of the kernel"),
	CLI_STR("kernel-memory-tcp", 0, "BYTES", struct update_opts, kernel_memory_tcp,
		"memory of its TCP buffers"),
	CLI_STR("pids-limit", 0, "N", struct update_opts, pids_limit, "number of processes"),
	CLI_STR("l3-cache-schema", 0, "SCHEMA", struct update_opts, l3_cache_schema,
		"cache allocation of Intel RDT"),
	CLI_STR("mem-bw-schema", 0, "SCHEMA", struct update_opts, mem_bw_schema,
		"memory bandwidth of Intel RDT"),
	CLI_END,
};

const struct cli_command cmd_runtime_update = {
	.name = "update",
	.args = "ID",
	.min_args = 1,
	.max_args = 1,
	.summary = "change the limits of a container of runc or crun",
	.options = update_options,
	.complete = CLI_COMPLETE_RUNTIME_ID,
	.options_anywhere = true,
	.run = pass_on,
	.size = sizeof(struct update_opts),
};

/* ---- events ---- */

struct events_opts {
	const char *interval;
	bool stats;
};

static const struct cli_option events_options[] = {
	CLI_STR("interval", 0, "TIME", struct events_opts, interval, "between two statistics"),
	CLI_FLAG("stats", 0, struct events_opts, stats, "print the statistics once"),
	CLI_END,
};

const struct cli_command cmd_runtime_events = {
	.name = "events",
	.args = "ID",
	.min_args = 1,
	.max_args = 1,
	.summary = "print events and statistics of a container of runc",
	.options = events_options,
	.complete = CLI_COMPLETE_RUNTIME_ID,
	.options_anywhere = true,
	.run = pass_on,
	.size = sizeof(struct events_opts),
};

/* ---- checkpoint, restore ---- */

struct checkpoint_opts {
	const char *image_path, *work_path, *parent_path, *status_fd, *page_server, *cgroups_mode, *empty_ns;
	const char *lsm_profile, *lsm_mount_context, *console_socket, *bundle, *pid_file;
	bool leave_running, tcp, unix_sk, shell_job, lazy_pages, file_locks, pre_dump, auto_dedup;
	bool detach, no_pivot;
};

#define IMAGE_OPTIONS \
	CLI_STR("image-path", 0, "DIR", struct checkpoint_opts, image_path, "directory of the checkpoint"), \
		CLI_STR("work-path", 0, "DIR", struct checkpoint_opts, work_path, \
			"directory of CRIU's own files and logs"), \
		CLI_FLAG("tcp-established", 0, struct checkpoint_opts, tcp, "with open TCP connections"), \
		CLI_FLAG("ext-unix-sk", 0, struct checkpoint_opts, unix_sk, \
			"with Unix sockets to the outside"), \
		CLI_FLAG("shell-job", 0, struct checkpoint_opts, shell_job, \
			"with a terminal of the outside"), \
		CLI_FLAG("file-locks", 0, struct checkpoint_opts, file_locks, "with locks on files"), \
		CLI_FLAG("lazy-pages", 0, struct checkpoint_opts, lazy_pages, \
			"bring memory when it is needed"), \
		CLI_FLAG("auto-dedup", 0, struct checkpoint_opts, auto_dedup, "keep pages once"), \
		CLI_STR("manage-cgroups-mode", 0, "MODE", struct checkpoint_opts, cgroups_mode, \
			"soft, full or strict"), \
		CLI_STR("empty-ns", 0, "TYPE", struct checkpoint_opts, empty_ns, \
			"make this namespace without what was in it")

static const struct cli_option checkpoint_options[] = {
	IMAGE_OPTIONS,
	CLI_STR("parent-path", 0, "DIR", struct checkpoint_opts, parent_path,
		"an earlier checkpoint to add to"),
	CLI_FLAG("leave-running", 0, struct checkpoint_opts, leave_running, "let the container go on"),
	CLI_FLAG("pre-dump", 0, struct checkpoint_opts, pre_dump, "memory only, and let the container go on"),
	CLI_STR("page-server", 0, "ADDRESS:PORT", struct checkpoint_opts, page_server, "send memory there"),
	CLI_STR("status-fd", 0, "N", struct checkpoint_opts, status_fd,
		"descriptor that is told when lazy pages are ready"),
	CLI_END,
};

const struct cli_command cmd_runtime_checkpoint = {
	.name = "checkpoint",
	.args = "ID",
	.min_args = 1,
	.max_args = 1,
	.summary = "write a container of runc or crun to a directory",
	.about = "Needs CRIU. The container is stopped then, unless it is to go on; restore brings it back "
		 "under its id.",
	.options = checkpoint_options,
	.complete = CLI_COMPLETE_RUNTIME_ID,
	.options_anywhere = true,
	.run = pass_on,
	.size = sizeof(struct checkpoint_opts),
};

static const struct cli_option restore_passed[] = {
	IMAGE_OPTIONS,
	CLI_FLAG("detach", 'd', struct checkpoint_opts, detach, "return when it runs"),
	CLI_STR("console-socket", 0, "SOCKET", struct checkpoint_opts, console_socket,
		"send the terminal's master end to this Unix socket"),
	CLI_FLAG("no-pivot", 0, struct checkpoint_opts, no_pivot, "do not use pivot_root"),
	CLI_STR("lsm-profile", 0, "TYPE:NAME", struct checkpoint_opts, lsm_profile,
		"security profile to restore with"),
	CLI_STR("lsm-mount-context", 0, "CONTEXT", struct checkpoint_opts, lsm_mount_context,
		"security context of mounts"),
	CLI_END,
};
static const struct cli_option restore_kept[] = {
	CLI_STR("bundle", 'b', "DIR", struct checkpoint_opts, bundle,
		"accepted: the container's own is used"),
	CLI_STR("pid-file", 0, "FILE", struct checkpoint_opts, pid_file, "write the process id here"),
	{ .name = "no-subreaper", .kind = CLI_KIND_IGNORED_FLAG, .text = "accepted, without effect" },
	CLI_END,
};
/* clang-format on */
static const struct cli_option *const restore_more[] = { restore_kept, NULL };

static int restore_run(const struct cli_call *call, struct err **err)
{
	const struct checkpoint_opts *o = call->options;
	struct runtime_globals g = runtime_globals_of(call);
	auto_strv words = STRV_INIT;

	cli_emit(restore_passed, o, &words);
	return runtime_restore(&g, &words, call->argv[0], o->pid_file, err);
}

const struct cli_command cmd_runtime_restore = {
	.name = "restore",
	.args = "ID",
	.min_args = 1,
	.max_args = 1,
	.summary = "bring a container of runc or crun back from a checkpoint",
	.options = restore_passed,
	.more_options = restore_more,
	.complete = CLI_COMPLETE_RUNTIME_ID,
	.options_anywhere = true,
	.run = restore_run,
	.size = sizeof(struct checkpoint_opts),
};
