/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commands that one sibling carries out: a row names the sibling and its command, and the words behind ours are passed on untouched.
 */
#include "cmd/udocker/program.h"

#include <errno.h>
#include <signal.h>

#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/mem.h"
#include "pkg/base/proc.h"
#include "pkg/base/str.h"

extern char **environ;

int udocker_sibling_words(const struct cli_call *call, const char *program, const char *command,
	struct strv *ret, struct err **err)
{
	const struct udocker_globals *g = call->global;
	autofree char *as = xasprintf("udocker %s", call->command->name);
	char *path = NULL;

	if (proc_sibling(program, &path, err) < 0)
		return -1;
	strv_add_owned(ret, path);
	if (setenv("UDOCKER_AS", as, 1) < 0)
		return err_sys(err, errno, "environment");
	if (g->debug)
		strv_add(ret, "--debug");
	if (!str_eq(program, "udocker-runtime")) {
		if (g->repo)
			strv_addf(ret, "--repo=%s", g->repo);
		if (g->config)
			strv_addf(ret, "--config=%s", g->config);
		if (g->quiet)
			strv_add(ret, "--quiet");
		if (g->insecure && str_eq(program, "udocker-image"))
			strv_add(ret, "--insecure");
	}
	if (command)
		strv_add(ret, command);
	return 0;
}

int udocker_exec(const struct strv *words, struct err **err)
{
	(void)fflush(stdout); /* the sibling's own output fails as well if this does */
	execve(words->v[0], strv_argv(words), environ);
	return err_sys(err, errno, "%s", words->v[0]);
}

static int run_sibling(struct proc_spawn *spawn, const struct strv *words, int *ret_status, struct err **err)
{
	pid_t pid;

	spawn->path = words->v[0];
	spawn->argv = strv_argv(words);
	return proc_spawn(spawn, &pid, err) < 0 ? -1 : proc_wait(pid, ret_status, err);
}

int udocker_run_sibling(const struct strv *words, int *ret_status, struct err **err)
{
	struct proc_spawn spawn = PROC_SPAWN_INIT;

	return run_sibling(&spawn, words, ret_status, err);
}

int udocker_ask_sibling(const struct strv *words, int fd_out, int fd_err, int *ret_status, struct err **err)
{
	struct proc_spawn spawn = PROC_SPAWN_INIT;

	spawn.fd_out = fd_out;
	spawn.fd_err = fd_err;
	spawn.ends_with_us = SIGTERM;
	return run_sibling(&spawn, words, ret_status, err);
}

static int forward_run(const struct cli_call *call, struct err **err)
{
	auto_strv words = STRV_INIT;

	if (udocker_sibling_words(call, call->command->forward_to, call->command->forward_as, &words, err) <
		0)
		return -1;
	for (int i = 0; i < call->argc; i++)
		strv_add(&words, call->argv[i]);
	return udocker_exec(&words, err);
}

#define FORWARD(id, cmd, operands, text, to, as, what) \
	const struct cli_command cmd_udocker_##id = { \
		.name = cmd, \
		.args = operands, \
		.max_args = -1, \
		.summary = text, \
		.forward_to = "udocker-" to, \
		.forward_as = as, \
		.complete = CLI_COMPLETE_##what, \
		.run = forward_run, \
	}

FORWARD(pull, "pull", "REPO[:TAG][@DIGEST]…", "download images from registries", "image", "pull", IMAGE);
FORWARD(search, "search", "[EXPRESSION]", "search for images in Docker Hub or a registry", "image", "search",
	NONE);
FORWARD(login, "login", NULL, "store the credentials of a registry", "image", "login", NONE);
FORWARD(logout, "logout", NULL, "forget the credentials of a registry", "image", "logout", NONE);
FORWARD(images, "images", NULL, "list the images", "image", "ls", NONE);
FORWARD(load, "load", "[NAME]", "load images from an archive or the standard input", "image", "load", FILE);
FORWARD(save, "save", "REPO[:TAG]…", "write images to an archive or the standard output", "image", "save",
	IMAGE);
FORWARD(rmi, "rmi", "REPO[:TAG]…", "remove images", "image", "rm", IMAGE);
FORWARD(tag, "tag", "SOURCE NAME", "give an image a further name", "image", "tag", IMAGE);
FORWARD(history, "history", "REPO[:TAG]", "show how an image was made", "image", "history", IMAGE);
FORWARD(mkrepo, "mkrepo", "DIR", "make an empty repository", "image", "mkrepo", DIR);
FORWARD(create, "create", "REPO[:TAG]", "make a container of an image; prints its id", "bundle", "create",
	IMAGE);
FORWARD(ps, "ps", NULL, "list the containers", "bundle", "ls", NONE);
FORWARD(name, "name", "CONTAINER NAME", "give a container a name", "bundle", "name", CONTAINER);
FORWARD(rmname, "rmname", "NAME", "take a name off its container", "bundle", "rmname", CONTAINER);
FORWARD(rename, "rename", "NAME NEW-NAME", "change a container's name", "bundle", "rename", CONTAINER);
FORWARD(clone, "clone", "CONTAINER", "make a copy of a container; prints its id", "bundle", "clone",
	CONTAINER);
FORWARD(export, "export", "CONTAINER", "write a container's files to a tar archive", "bundle", "export",
	CONTAINER);
FORWARD(rm, "rm", "CONTAINER…", "remove containers", "bundle", "rm", CONTAINER);
FORWARD(setup, "setup", "CONTAINER", "show or change a container's execution mode", "bundle", "setup",
	CONTAINER);
