/* SPDX-License-Identifier: Apache-2.0 */
/* The table of docker's options of `run`. */
#include "pkg/cli/docker_options.h"

#include "pkg/cli/run_options.h"

#define STR(n, l, mv, f, txt) CLI_STR(n, l, mv, struct run_options, docker.f, txt)
#define LIST(n, l, mv, f, txt) CLI_LIST(n, l, mv, struct run_options, docker.f, txt)
#define NOTED(n, l, mv, k, txt) \
	{ \
		.name = n, .letter = l, .kind = CLI_KIND_NOTED_##k, .metavar = mv, \
		.offset = offsetof(struct run_options, docker.no_effect), .text = txt \
	}
#define SILENT(n, l, mv, k, txt) \
	{ \
		.name = n, .letter = l, .kind = CLI_KIND_IGNORED_##k, .metavar = mv, .text = txt \
	}
#define NONE "accepted, no effect"

/* clang-format off: one option, one row */
const struct cli_option run_docker_options[] = {
	LIST("mount", 0, "type=TYPE,…", mount,
		"bind a host file or folder (type=bind,source=HOST,target=CONT[,readonly]) or mount an empty "
		"folder (type=tmpfs,target=CONT)"),
	LIST("tmpfs", 0, "CONT[:OPTIONS]", tmpfs, "mount an empty folder that goes with the run"),
	STR("shm-size", 0, "SIZE", shm_size,
		"shared memory of the container's own of this size, where the engine can"),
	LIST("add-host", 0, "NAME:ADDRESS", add_host,
		"add a host name to /etc/hosts; host-gateway is this machine"),
	LIST("link", 0, "CONTAINER[:ALIAS]", link,
		"add these names to /etc/hosts: other containers are on this machine's network"),
	LIST("dns", 0, "ADDRESS", dns, "ask this name server"),
	LIST("dns-search", 0, "DOMAIN", dns_search, "look for host names in this domain"),
	{ .name = "dns-option",
		.alias = "dns-opt",
		.kind = CLI_KIND_LIST,
		.metavar = "OPTION",
		.offset = offsetof(struct run_options, docker.dns_option),
		.text = "an option of resolv.conf(5)" },
	STR("domainname", 0, "NAME", domainname, "NIS domain name, where the engine can set one"),
	LIST("cap-add", 0, "CAPABILITY", cap_add, "a capability more inside, or ALL"),
	LIST("cap-drop", 0, "CAPABILITY", cap_drop, "a capability less, or ALL"),
	LIST("security-opt", 0, "OPTION", security_opt,
		"no-new-privileges[=true|false], which is the default, or something=unconfined, which has no "
		"effect"),
	LIST("group-add", 0, "GROUP", group_add, "a further group for the program, where the engine can"),
	CLI_FLAG("privileged", 0, struct run_options, docker.privileged,
		"all capabilities inside; nothing more on the host than the caller may do"),
	STR("gpus", 0, "GPUS", gpus, "NVIDIA devices: all, a number, or device=0,1"),
	{ .name = "network",
		.alias = "net",
		.kind = CLI_KIND_STRING,
		.metavar = "NETWORK",
		.offset = offsetof(struct run_options, docker.network),
		.text = "host, which is always the case, or none, where the engine can" },
	STR("ipc", 0, "MODE", ipc, "host, which is the default, or private, where the engine can"),
	STR("pid", 0, "MODE", pid, "host, which is the default, or private, where the engine can"),
	STR("uts", 0, "MODE", uts, "host, which is the default"),
	STR("userns", 0, "MODE", userns, "accepted: programs are always the caller on the host"),
	LIST("ulimit", 0, "NAME=SOFT[:HARD]", ulimit, "a limit of setrlimit(2): nofile=1024:4096"),
	STR("memory", 'm', "SIZE", memory, "limit of memory, where the engine can make a control group"),
	STR("memory-swap", 0, "SIZE", memory_swap, "the same for memory and swap together; -1: no limit"),
	STR("cpus", 0, "NUMBER", cpus,
		"so much of processors' time, where the engine can make a control group"),
	STR("cpu-shares", 'c', "NUMBER", cpu_shares,
		"weight of processor time, where the engine can make a control group"),
	STR("pids-limit", 0, "NUMBER", pids_limit,
		"limit of processes, where the engine can make a control group"),
	STR("oom-score-adj", 0, "NUMBER", oom_score_adj,
		"how early the kernel ends the program when memory is short: -1000 to 1000"),
	LIST("label", 'l', "KEY[=VALUE]", label, "an annotation of the run's config.json"),
	{ .name = "label-file",
		.kind = CLI_KIND_LIST,
		.metavar = "FILE",
		.offset = offsetof(struct run_options, docker.label_file),
		.text = "read labels from a file, one a line",
		.complete = CLI_COMPLETE_FILE },
	STR("stop-signal", 0, "SIGNAL", stop_signal, "an annotation of the run's config.json"),
	SILENT("init", 0, NULL, FLAG, "accepted: orphaned processes always find a parent"),
	SILENT("sig-proxy", 0, NULL, FLAG, "accepted: signals always reach the program"),
	SILENT("quiet", 'q', NULL, FLAG, "accepted: see udocker --quiet"),
	SILENT("attach", 0, "STREAM", VALUE, "accepted: all streams are always attached"),
	SILENT("cgroupns", 0, "MODE", VALUE, NONE), SILENT("disable-content-trust", 0, NULL, FLAG, NONE),
	SILENT("detach-keys", 0, "KEYS", VALUE, NONE), SILENT("no-healthcheck", 0, NULL, FLAG, NONE),
	NOTED("restart", 0, "POLICY", VALUE, NONE), NOTED("log-driver", 0, "DRIVER", VALUE, NONE),
	NOTED("log-opt", 0, "OPTION", VALUE, NONE), NOTED("health-cmd", 0, "COMMAND", VALUE, NONE),
	NOTED("health-interval", 0, "TIME", VALUE, NONE), NOTED("health-retries", 0, "NUMBER", VALUE, NONE),
	NOTED("health-start-period", 0, "TIME", VALUE, NONE),
	NOTED("health-start-interval", 0, "TIME", VALUE, NONE),
	NOTED("health-timeout", 0, "TIME", VALUE, NONE), NOTED("stop-timeout", 0, "SECONDS", VALUE, NONE),
	NOTED("expose", 0, "PORT", VALUE, NONE), NOTED("memory-reservation", 0, "SIZE", VALUE, NONE),
	NOTED("memory-swappiness", 0, "NUMBER", VALUE, NONE), NOTED("kernel-memory", 0, "SIZE", VALUE, NONE),
	NOTED("oom-kill-disable", 0, NULL, FLAG, NONE), NOTED("cpu-period", 0, "MICROSECONDS", VALUE, NONE),
	NOTED("cpu-quota", 0, "MICROSECONDS", VALUE, NONE),
	NOTED("cpu-rt-period", 0, "MICROSECONDS", VALUE, NONE),
	NOTED("cpu-rt-runtime", 0, "MICROSECONDS", VALUE, NONE), NOTED("cpuset-mems", 0, "LIST", VALUE, NONE),
	NOTED("blkio-weight", 0, "NUMBER", VALUE, NONE),
	NOTED("blkio-weight-device", 0, "WEIGHT", VALUE, NONE),
	NOTED("device-cgroup-rule", 0, "RULE", VALUE, NONE), NOTED("device-read-bps", 0, "RATE", VALUE, NONE),
	NOTED("device-read-iops", 0, "RATE", VALUE, NONE), NOTED("device-write-bps", 0, "RATE", VALUE, NONE),
	NOTED("device-write-iops", 0, "RATE", VALUE, NONE), NOTED("cgroup-parent", 0, "GROUP", VALUE, NONE),
	NOTED("storage-opt", 0, "OPTION", VALUE, NONE), NOTED("sysctl", 0, "NAME=VALUE", VALUE, NONE),
	NOTED("network-alias", 0, "NAME", VALUE, NONE), NOTED("ip", 0, "ADDRESS", VALUE, NONE),
	NOTED("ip6", 0, "ADDRESS", VALUE, NONE), NOTED("link-local-ip", 0, "ADDRESS", VALUE, NONE),
	NOTED("mac-address", 0, "ADDRESS", VALUE, NONE), NOTED("isolation", 0, "KIND", VALUE, NONE),
	NOTED("runtime", 0, "NAME", VALUE, "accepted, no effect: see setup --execmode"),
	NOTED("volume-driver", 0, "DRIVER", VALUE, NONE), CLI_END
};
/* clang-format on */
