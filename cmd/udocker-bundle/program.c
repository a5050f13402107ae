/* SPDX-License-Identifier: Apache-2.0 */
/* The options before the command, what they set up, and the commands in the order of help. */
#include "cmd/udocker-bundle/program.h"

#include <errno.h>

#include "cmd/udocker-bundle/config.h"
#include "pkg/base/err.h"
#include "pkg/base/fs.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/base/progress.h"
#include "pkg/base/sig.h"
#include "pkg/base/term.h"
#include "pkg/conf/conf.h"
#include "pkg/store/store.h"

/* In the order of enum progress_mode. */
static const char *const progress_modes[] = { "auto", "tty", "plain", "none", NULL };

static const struct cli_option bundle_options[] = {
	{ .name = "repo",
		.kind = CLI_KIND_STRING,
		.metavar = "DIR",
		.offset = offsetof(struct bundle_globals, repo),
		.text = "use the store in this directory",
		.complete = CLI_COMPLETE_DIR },
	{ .name = "config",
		.kind = CLI_KIND_STRING,
		.metavar = "FILE",
		.offset = offsetof(struct bundle_globals, config),
		.text = "read this configuration file last",
		.complete = CLI_COMPLETE_FILE },
	CLI_FLAG("quiet", 'q', struct bundle_globals, quiet, "results and errors only"),
	CLI_FLAG("debug", 'D', struct bundle_globals, debug, "tell every step"),
	{ .name = "progress",
		.kind = CLI_KIND_STRING,
		.metavar = "MODE",
		.offset = offsetof(struct bundle_globals, progress),
		.text = "how progress is shown",
		.choices = progress_modes },
	CLI_END,
};

static bool is_empty_or_absent(const char *path)
{
	autoclose int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_strv names = STRV_INIT;

	if (fd < 0)
		return errno == ENOENT;
	return fs_list(fd, ".", &names) == 0 && names.n == 0;
}

/* A store is made on first write, but not in the midst of somebody's files. */
static int setup_repo(const char *repo, struct err **err)
{
	if (!repo)
		return 0;
	if (!store_is_repository(repo) && !is_empty_or_absent(repo)) {
		(void)err_make(err, ERR_NOT_FOUND, "'%s' is not a udocker repository", repo);
		return err_hint(err, "make one with 'udocker mkrepo DIR'");
	}
	return conf_set(CONF_TOPDIR, repo, err);
}

static int bundle_setup_program(void *global, struct err **err)
{
	const struct bundle_globals *g = global;

	if (setup_repo(g->repo, err) < 0 || conf_load(g->config, err) < 0)
		return -1;
	log_set_level(g->debug   ? LOG_LEVEL_DEBUG
		      : g->quiet ? LOG_LEVEL_MSG
				 : (int)conf_int(CONF_VERBOSE_LEVEL));
	for (int i = 0; g->progress && progress_modes[i]; i++)
		if (str_eq(g->progress, progress_modes[i]))
			progress_set_mode((enum progress_mode)i);
	sig_catch_interrupts();
	return 0;
}

bool bundle_wants_progress(const struct bundle_globals *g)
{
	if (g->quiet)
		return false;
	return g->progress && !str_eq(g->progress, "auto") ? true : term_is_tty(STDERR_FILENO);
}

void bundle_report(const struct err *e)
{
	const char *hint = err_hint_text(e);

	log_error("%s%s%s", err_text(e), hint ? "; " : "", hint ? hint : "");
}

static const struct cli_command *const commands[] = {
	&cmd_bundle_create,
	&cmd_bundle_config,
	&cmd_bundle_ls,
	&cmd_bundle_inspect,
	&cmd_bundle_verify,
	&cmd_bundle_name,
	&cmd_bundle_rmname,
	&cmd_bundle_rename,
	&cmd_bundle_clone,
	&cmd_bundle_export,
	&cmd_bundle_import,
	&cmd_bundle_rm,
	&cmd_bundle_protect,
	&cmd_bundle_unprotect,
	&cmd_bundle_setup,
	NULL,
};

const struct cli_program bundle_program = {
	.name = "udocker-bundle",
	.summary = "containers, each one an OCI bundle",
	.about = "Makes containers of stored images and looks after them. A container is a folder of the "
		 "store with a file "
		 "config.json and a root directory: a bundle that any OCI runtime can run as it lies.\n"
		 "\n"
		 "A CONTAINER is given by its id, a prefix of at least four characters of one id, or one of "
		 "its names.",
	.options = bundle_options,
	.size = sizeof(struct bundle_globals),
	.commands = commands,
	.setup = bundle_setup_program,
	.usage_status = 2,
	.failure_status = 1,
};
