/* SPDX-License-Identifier: Apache-2.0 */
/* The wrapper's command table and what its files share. */
#ifndef UDOCKER_CMD_UDOCKER_H
#define UDOCKER_CMD_UDOCKER_H

#include <sys/types.h>

#include "pkg/base/strv.h"
#include "pkg/cli/cli.h"

struct err;

/* Options before the command, as 1.3.x has them. */
struct udocker_globals {
	const char *repo;
	const char *config;
	bool quiet, debug, allow_root, insecure;
};

extern const struct cli_program udocker_program;
/* forward.c */
extern const struct cli_command cmd_udocker_pull, cmd_udocker_search, cmd_udocker_login, cmd_udocker_logout,
	cmd_udocker_load, cmd_udocker_images, cmd_udocker_tag, cmd_udocker_rmi, cmd_udocker_create,
	cmd_udocker_ps, cmd_udocker_name, cmd_udocker_rmname, cmd_udocker_rename, cmd_udocker_setup,
	cmd_udocker_rm, cmd_udocker_mkrepo, cmd_udocker_save, cmd_udocker_clone, cmd_udocker_history,
	cmd_udocker_export;
/* run.c, import.c, compose.c, install.c, program.c */
extern const struct cli_command cmd_udocker_run, cmd_udocker_import;
extern const struct cli_command cmd_udocker_inspect, cmd_udocker_verify, cmd_udocker_manifest;
extern const struct cli_command cmd_udocker_protect, cmd_udocker_install;
extern const struct cli_command cmd_udocker_unprotect;
extern const struct cli_command cmd_udocker_version;
extern const struct cli_command cmd_udocker_showconf;

/* True if the word is a container to the commands that take containers and images. */
struct store;
bool udocker_means_container(struct store *s, const char *text);

/*
 * The beginning of a sibling's command line: its path, our global options in its spelling, its command. UDOCKER_AS in our environment is set to
 * the wrapper's command `as`, under whose name the sibling prints usage and errors.
 */
int udocker_sibling_words(const struct cli_call *call, const char *program, const char *command,
	struct strv *ret, struct err **err);

/* Replace this process by the words' program. Returns on failure only. */
int udocker_exec(const struct strv *words, struct err **err);

/*
 * Run a sibling to its end. *ret_status is what it ended with; its own message has told what went wrong then, and *err stays unset.
 */
int udocker_run_sibling(const struct strv *words, int *ret_status, struct err **err);
/* The same with its stdout and stderr on these (as in proc.h); it is stopped when we end before it, for nobody waits for what it makes. */
int udocker_ask_sibling(const struct strv *words, int fd_out, int fd_err, int *ret_status, struct err **err);

/* ---- fetch.c: an image for `run` ---- */
struct udocker_fetch {
	const char *platform, *registry, *proxy;
	int proxy_fd; /* the proxy, where it is not for the eyes of others; else 0 */
};
/* First of all: a proxy with a password leaves our arguments, which are to be seen as long as the container runs. */
int udocker_hide_proxy(struct udocker_fetch *o, struct err **err);
void udocker_forget_proxy(struct udocker_fetch *o);
/* Whether it is the name of an image at all. */
bool udocker_may_fetch(const char *image);
/* Pull it, to the end. *ret_status other than 0: it failed and has said why. */
int udocker_fetch(const struct cli_call *call, const struct udocker_fetch *o, const char *image,
	int *ret_status, struct err **err);
/*
 * The same for an image that is absent, in the background: returns when the pull has announced what it fetches (store/coming.h; *ret_pid is its process, to be waited for with
 * udocker_fetched()), or has ended (*ret_pid is 0).
 */
int udocker_fetch_begin(const struct cli_call *call, const struct udocker_fetch *o, const char *image,
	pid_t *ret_pid, int *ret_status, struct err **err);
/* Wait for its end. *ret_told: it has ended by itself, and said why if *ret_status is not 0. */
int udocker_fetched(pid_t pid, int *ret_status, bool *ret_told, struct err **err);

/* The exit status of a `run` that failed with an error: 127 program not found, 126 not executable, else 125. */
int udocker_run_status(const struct cli_call *call);

#endif
