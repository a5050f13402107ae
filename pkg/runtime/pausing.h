/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The verbs that look at or change a container that runs: pause, resume, ps, and those that are a delegate's alone. A positive result is a
 * delegate's exit status; it has said why.
 */
#ifndef UDOCKER_RUNTIME_PAUSING_H
#define UDOCKER_RUNTIME_PAUSING_H

#include <sys/types.h>

#include "pkg/base/base.h"

struct err;
struct runtime_globals;
struct str;
struct strv;

/*
 * Stop all processes of a container, and let them go on. Under a direct engine by signals: its tracers stand still, and whatever they trace with
 * them. ERR_BUSY unless it is running, or paused.
 */
int runtime_pause(const struct runtime_globals *g, const char *id, struct err **err);
int runtime_resume(const struct runtime_globals *g, const char *id, struct err **err);

/*
 * Processes as the host numbers them, ascending: those of the container, and the one that its pid file names. *ret_pids is the caller's, *ret_n
 * their number, 0 for a stopped one. A delegate that has a control group answers itself: then *ret_pids is NULL.
 */
int runtime_ps(const struct runtime_globals *g, const char *id, const char *format, const struct strv *args,
	pid_t **ret_pids, size_t *ret_n, struct err **err);
/* The rows of ps(1), called with `args` (none: -ef), that are about one of these, and its head. */
int runtime_ps_table(const pid_t *pids, size_t n, const struct strv *args, struct str *ret, struct err **err);

/* A verb of delegates with its options: update, events, checkpoint. ERR_UNSUPPORTED for a container of a direct engine. */
int runtime_delegated(const struct runtime_globals *g, const char *verb, const struct strv *options,
	const char *id, struct err **err);
/* restore: the container's delegate makes it again from a checkpoint; the pid file is ours to keep and `pid_file` (or NULL) the caller's. */
int runtime_restore(const struct runtime_globals *g, const struct strv *options, const char *id,
	const char *pid_file, struct err **err);

#endif
