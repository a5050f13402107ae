/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of `udocker run` share: run.c, run_target.c (which container), run_remove.c (--rm). */
#ifndef UDOCKER_CMD_UDOCKER_RUN_H
#define UDOCKER_CMD_UDOCKER_RUN_H

#include "cmd/udocker/program.h"
#include "pkg/cli/run_options.h"

struct json;
struct store;

/* Status when nothing could be started; the runtime uses it as well (cli.md). */
enum { STATUS_NOT_STARTED = 125 };

struct run_opts {
	struct run_options config; /* first: the shared table's offsets */
	const char *name;
	const char *pull;
	struct udocker_fetch fetch;
	const char *location; /* of a root directory, instead of a container's */
	const char *cidfile;
	bool rm;
	bool detach;
	bool nobanner;
	int status; /* of a run that failed, for the exit status */
};

/* The container of this run. */
struct run_target {
	struct store *store;
	char *id;
	char *dir;
	struct json *config;
	char *mode; /* what it runs in, if the folder does not change meanwhile */
	bool created;
};

/* Which container runs (udocker-compat 6.2), made or fetched first where it must be. A status other than 0: a sibling has failed and said why. */
int run_target_find(const struct cli_call *call, struct run_target *ret, int *ret_status, struct err **err);
/* --location: the configuration of a run in that directory. */
struct bundle_options;
int run_location_config(
	const char *location, const struct bundle_options *o, struct run_target *ret, struct err **err);
void run_target_free(struct run_target *t);
#define auto_run_target CLEANUP(run_target_free) struct run_target

#define RUN_ID_LEN (12 + 1 + 6)
void run_id_make(const struct run_target *t, char run_id[RUN_ID_LEN + 1]);

/* In the background; the id is printed. `remove`: the container goes with the run. */
int run_detached(
	const struct cli_call *call, struct run_target *t, bool remove, int *ret_status, struct err **err);

/* The runtime as a child, to its end: somebody must stay to remove the container. */
int run_child(const struct cli_call *call, const struct run_target *t, int *ret_status, struct err **err);
int run_remove(const struct cli_call *call, const struct run_target *t, int *ret_status, struct err **err);

#endif
