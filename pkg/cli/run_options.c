/* SPDX-License-Identifier: Apache-2.0 */
/* The one table of `run` options that shape the container. */
#include "pkg/cli/run_options.h"

#define FLAG(n, l, f, txt) CLI_FLAG(n, l, struct run_options, f, txt)
#define STR(n, l, mv, f, txt) CLI_STR(n, l, mv, struct run_options, f, txt)
#define LIST(n, l, mv, f, txt) CLI_LIST(n, l, mv, struct run_options, f, txt)
#define IGNORED(n, l, mv, k, txt) \
	{ \
		.name = n, .letter = l, .kind = k, .metavar = mv, .text = txt \
	}

/* clang-format off: one option, one row */
const struct cli_option run_config_options[] = { LIST("volume", 'v', "HOST[:CONT[:ro]]", volume,
							 "bind a host file or folder into the container"),
	LIST("novol", 0, "PATH", novol, "leave out a default or earlier bind of this host path"),
	FLAG("nosysdirs", 0, nosysdirs,
		"no default binds: /dev /proc /sys and the host's name service files"),
	FLAG("bindhome", 0, bindhome, "bind the home directory at the same path and use it as HOME"),
	FLAG("dri", 0, dri, "bind the host's direct rendering folders"),
	LIST("device", 0, "PATH", device, "make a host device available where the engine hides them"),
	FLAG("read-only", 0, read_only, "root file system read-only, where the engine can"),
	LIST("env", 'e', "NAME[=VALUE]", env, "set an environment variable; without a value, the host's"),
	{ .name = "env-file",
		.kind = CLI_KIND_LIST,
		.metavar = "FILE",
		.offset = offsetof(struct run_options, env_file),
		.text = "read environment variables from a file, one a line",
		.complete = CLI_COMPLETE_FILE },
	FLAG("hostenv", 0, hostenv, "pass on the host's environment"),
	STR("user", 'u', "USER[:GROUP]", user, "run as this user, a name or a number"),
	FLAG("hostauth", 0, hostauth, "use the host's users and groups"),
	FLAG("containerauth", 0, containerauth, "use the container's users and groups as they are"),
	STR("hostname", 'h', "NAME", hostname, "host name, where the engine can set one"),
	STR("workdir", 'w', "DIR", workdir, "working directory inside the container"),
	STR("entrypoint", 0, "COMMAND", entrypoint, "replace the image's entrypoint; empty: drop it"),
	FLAG("nometa", 0, nometa, "ignore the image's user, command, environment and working directory"),
	FLAG("tty", 't', tty, "give the program a terminal"),
	FLAG("interactive", 'i', interactive, "keep the standard input, which is always the case"),
	FLAG("mpi", 0, mpi,
		"run as a rank of a parallel job that mpiexec or srun of the host starts, see "
		"udocker-hpc(7)"),
	STR("cpuset-cpus", 0, "LIST", cpuset_cpus, "processors to run on: 0-3,8"),
	STR("kernel", 0, "RELEASE", kernel, "kernel release that the program sees, where the engine can"),
	LIST("publish", 'p', "HPORT:CPORT", publish,
		"map a port of the container to one of the host, where the engine can"),
	{ .name = "publish-all",
		.letter = 'P',
		.kind = CLI_KIND_FLAG,
		.offset = offsetof(struct run_options, publish_all),
		.text = "let the engine map ports that cannot be had",
		.alias = "netcoop" },
	IGNORED(NULL, 'a', NULL, CLI_KIND_IGNORED_FLAG, "accepted, no effect"),
	IGNORED("volumes-from", 0, "CONTAINER", CLI_KIND_IGNORED_VALUE, "accepted, no effect"), CLI_END };
/* clang-format on */
