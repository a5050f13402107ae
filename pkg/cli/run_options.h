/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The options of `run` that shape the container, in one table for `udocker run` and `udocker-bundle config` (udocker-compat 6.1). Those that choose or
 * fetch a container (--name, --rm, --pull …) are the wrapper's own.
 */
#ifndef UDOCKER_RUN_OPTIONS_H
#define UDOCKER_RUN_OPTIONS_H

#include "pkg/base/strv.h"
#include "pkg/cli/cli.h"
#include "pkg/cli/docker_options.h"

struct run_options {
	/* files */
	struct strv volume; /* HOST[:CONT[:OPTIONS]] */
	struct strv novol;
	bool nosysdirs, bindhome, dri;
	bool read_only;
	struct strv device;
	/* environment */
	struct strv env, env_file;
	bool hostenv;
	/* identity */
	const char *user; /* NULL: not given */
	bool hostauth, containerauth;
	const char *hostname;
	/* process */
	const char *workdir;
	const char *entrypoint; /* "" drops the image's entrypoint and command; NULL: not given */
	bool nometa;
	bool tty;
	bool mpi;
	bool interactive; /* accepted: the standard input is always passed on */
	const char *cpuset_cpus;
	/* engine */
	const char *kernel;
	struct strv publish;
	bool publish_all;
	struct docker_options docker;
};

/* Rows for struct run_options; a command whose own options struct is larger has struct run_options as its first member. */
extern const struct cli_option run_config_options[];

#endif
