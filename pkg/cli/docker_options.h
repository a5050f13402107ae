/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Options of `docker run` that udocker 1.3.x does not have. What can be had here is honoured, or said by the engine that cannot; what is harmless
 * is accepted, and told of once; what would mislead is refused (FIX-51).
 */
#ifndef UDOCKER_DOCKER_OPTIONS_H
#define UDOCKER_DOCKER_OPTIONS_H

#include "pkg/base/strv.h"
#include "pkg/cli/cli.h"

struct docker_options {
	/* files */
	struct strv mount; /* type=bind|tmpfs,KEY=VALUE,… */
	struct strv tmpfs; /* DIR[:OPTIONS] */
	const char *shm_size;
	/* names */
	struct strv add_host, link;
	struct strv dns, dns_search, dns_option;
	const char *domainname;
	/* what the program may do */
	struct strv cap_add, cap_drop, security_opt, group_add;
	bool privileged;
	const char *gpus;
	/* namespaces: "host", "private" … */
	const char *network, *ipc, *pid, *uts, *userns;
	/* limits */
	struct strv ulimit;
	const char *memory, *memory_swap, *cpus, *cpu_shares, *pids_limit, *oom_score_adj;
	/* what is told of it */
	struct strv label, label_file;
	const char *stop_signal;
	struct strv no_effect; /* spellings of options that were given for nothing */
};

/* Rows for struct docker_options, which must be the member `docker` of struct run_options. */
extern const struct cli_option run_docker_options[];

#endif
