/* SPDX-License-Identifier: Apache-2.0 */
/* A further program in a container that is there already. */
#ifndef UDOCKER_RUNTIME_EXEC_H
#define UDOCKER_RUNTIME_EXEC_H

#include "pkg/base/base.h"
#include "pkg/base/strv.h"
#include "pkg/runtime/prepare.h"

struct err;
struct json;

/* As given on the command line; strings are borrowed. */
struct runtime_exec_options {
	const char *id;
	const char
		*process_file; /* the process as JSON: then what follows about it does not count; or NULL */
	const char *user; /* U[:G], numbers or names of the container; or NULL */
	const char *cwd; /* or NULL */
	const char *apparmor, *process_label; /* or NULL */
	const struct strv *cgroups; /* for delegates */
	const struct strv *groups, *caps, *env; /* --additional-gids --cap -e */
	const struct strv *args;
	bool tty, no_new_privs;
	bool detach;
	bool ignore_paused; /* for delegates */
	const char *console_socket, *pid_file; /* or NULL */
	int preserve_fds;
};

/*
 * Run it: in the foreground *ret_status is its exit status (128+N when signal N ended it), with --detach 0. ERR_NOT_FOUND for an unknown
 * container, ERR_BUSY for one that does not run, ERR_USAGE and ERR_CORRUPT for what is wrong with the process, and those of
 * prepare_check() and runtime_launch(). A delegate's failure, of which it has spoken, is a status of 255.
 */
int runtime_exec(const struct runtime_globals *g, const struct runtime_exec_options *o, int *ret_status,
	struct err **err);

struct runtime_bundle;

/* HOME of a user where nobody has set it: from the container's passwd, else "/". The caller frees it. */
char *process_home(const struct runtime_bundle *b, uid_t uid);

/*
 * The process to be run: that of --process, or the container's own (`config`) with what the options change. HOME is set where it is
 * missing, from the passwd file inside. Owned by the caller.
 */
int exec_process(const struct runtime_exec_options *o, const struct runtime_bundle *b, struct json **ret,
	struct err **err);

#endif
