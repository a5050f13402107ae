/* SPDX-License-Identifier: Apache-2.0 */
/* The options before the command, the commands in the order of help, and what happens before each of them. */
#include "cmd/udocker-image/program.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/base/progress.h"
#include "pkg/base/sig.h"
#include "pkg/conf/conf.h"
#include "pkg/store/store.h"

static const char *const progress_modes[] = { "auto", "tty", "plain", "none", NULL };

static const struct cli_option image_options[] = {
	{ .name = "repo",
		.kind = CLI_KIND_STRING,
		.metavar = "DIR",
		.offset = offsetof(struct image_globals, repo),
		.text = "use the store in this directory",
		.complete = CLI_COMPLETE_DIR },
	{ .name = "config",
		.kind = CLI_KIND_STRING,
		.metavar = "FILE",
		.offset = offsetof(struct image_globals, config),
		.text = "read this configuration file last",
		.complete = CLI_COMPLETE_FILE },
	{ .name = "progress",
		.kind = CLI_KIND_STRING,
		.metavar = "MODE",
		.offset = offsetof(struct image_globals, progress),
		.text = "how progress is shown",
		.choices = progress_modes },
	CLI_FLAG("insecure", 0, struct image_globals, insecure,
		"as the option of the commands that speak to registries"),
	CLI_FLAG("quiet", 'q', struct image_globals, quiet, "results and errors only"),
	CLI_FLAG("debug", 'D', struct image_globals, debug, "tell every step"),
	CLI_END,
};

static bool is_empty_or_absent(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *e;
	bool empty = true;

	if (!dir)
		return errno == ENOENT;
	while (empty && (e = readdir(dir)))
		empty = strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0;
	closedir(dir);
	return empty;
}

int cmd_image_choice(const char *const *list, const char *word)
{
	for (int i = 0; word && list[i]; i++)
		if (strcmp(list[i], word) == 0)
			return i + 1;
	return 0;
}

/* A store is made on first write, but not in the midst of somebody's files. */
static int setup_repo(const char *repo, struct err **err)
{
	if (!repo)
		return 0;
	if (!store_is_repository(repo) && !is_empty_or_absent(repo)) {
		err_make(err, ERR_NOT_FOUND, "'%s' is not a udocker repository", repo);
		return err_hint(err, "make one with 'udocker mkrepo DIR'");
	}
	return conf_set(CONF_TOPDIR, repo, err);
}

static int image_setup(void *global, struct err **err)
{
	const struct image_globals *g = global;

	if (setup_repo(g->repo, err) < 0 || conf_load(g->config, err) < 0)
		return -1;
	if (g->insecure && conf_set(CONF_HTTP_INSECURE, "true", err) < 0)
		return -1;
	log_set_level(g->debug   ? LOG_LEVEL_DEBUG
		      : g->quiet ? LOG_LEVEL_MSG
				 : (int)conf_int(CONF_VERBOSE_LEVEL));
	for (int i = 0; g->progress && progress_modes[i]; i++)
		if (strcmp(g->progress, progress_modes[i]) == 0)
			progress_set_mode((enum progress_mode)i);
	sig_catch_interrupts();
	return 0;
}

void cmd_image_report(struct err **err)
{
	const char *hint = err_hint_text(*err);

	log_error("%s%s%s", err_text(*err), hint ? "; " : "", hint ? hint : "");
	err_clear(err);
}

static const struct cli_command *const commands[] = { &cmd_image_pull, &cmd_image_push, &cmd_image_copy,
	&cmd_image_search, &cmd_image_tags, &cmd_image_manifest, &cmd_image_login, &cmd_image_logout,
	&cmd_image_load, &cmd_image_save, &cmd_image_import, &cmd_image_ls, &cmd_image_inspect,
	&cmd_image_history, &cmd_image_verify, &cmd_image_tag, &cmd_image_rm, &cmd_image_prune,
	&cmd_image_protect, &cmd_image_unprotect, &cmd_image_mkrepo, &cmd_image_fetch_engines, NULL };

const struct cli_program image_program = {
	.name = "udocker-image",
	.summary = "fetch, load, save, list, verify and remove container images",
	.about = "Keeps images in the store of udocker. It neither unpacks an image, which udocker-bundle "
		 "does, nor "
		 "starts a process.",
	.options = image_options,
	.size = sizeof(struct image_globals),
	.commands = commands,
	.setup = image_setup,
	.usage_status = 2,
	.failure_status = 1,
};
