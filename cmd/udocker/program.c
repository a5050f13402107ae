/* SPDX-License-Identifier: Apache-2.0 */
/* The wrapper's options before the command, its commands in the order of help, and what happens before each of them. */
#include "cmd/udocker/program.h"

#include "pkg/base/err.h"
#include "pkg/base/host.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/base/path.h"
#include "pkg/conf/conf.h"
#include "pkg/store/store.h"

static const struct cli_option udocker_options[] = {
	{ .name = "repo",
		.kind = CLI_KIND_STRING,
		.metavar = "DIR",
		.offset = offsetof(struct udocker_globals, repo),
		.text = "use the repository in this directory",
		.complete = CLI_COMPLETE_DIR },
	{ .name = "config",
		.kind = CLI_KIND_STRING,
		.metavar = "FILE",
		.offset = offsetof(struct udocker_globals, config),
		.text = "read this configuration file last",
		.complete = CLI_COMPLETE_FILE },
	CLI_FLAG("quiet", 'q', struct udocker_globals, quiet, "results and errors only"),
	CLI_FLAG("debug", 'D', struct udocker_globals, debug, "tell every step"),
	CLI_FLAG("allow-root", 0, struct udocker_globals, allow_root, "let root do this"),
	CLI_FLAG("insecure", 0, struct udocker_globals, insecure,
		"do not verify TLS certificates, and speak plain HTTP where TLS is not answered"),
	CLI_END,
};

/* udocker is made for people without root: containers that root makes by accident are a nuisance to their owner. */
static int refuse_root(const struct udocker_globals *g, struct err **err)
{
	const char *allow = host_env("UDOCKER_ALLOW_ROOT");

	if (geteuid() != 0 || g->allow_root || str_eq(allow, "1"))
		return 0;
	(void)err_make(err, ERR_DENIED, "do not run udocker as root");
	return err_hint(err, "use an ordinary user, or --allow-root");
}

static int setup_repo(const struct udocker_globals *g, struct err **err)
{
	if (!g->repo)
		return 0;
	if (!store_is_repository(g->repo)) {
		(void)err_make(err, ERR_NOT_FOUND, "'%s' is not a udocker repository", g->repo);
		return err_hint(err, "make one with 'udocker mkrepo DIR'");
	}
	return conf_set(CONF_TOPDIR, g->repo, err);
}

static int udocker_setup(void *global, struct err **err)
{
	const struct udocker_globals *g = global;

	/* A repository may have a udocker.conf of its own. */
	if (refuse_root(g, err) < 0 || setup_repo(g, err) < 0 || conf_load(g->config, err) < 0)
		return -1;
	log_set_level(g->debug   ? LOG_LEVEL_DEBUG
		      : g->quiet ? LOG_LEVEL_MSG
				 : (int)conf_int(CONF_VERBOSE_LEVEL));
	return 0;
}

static int version_run(const struct cli_call *call UNUSED, struct err **err UNUSED)
{
	autofree char *tarballs = strv_join(conf_list(CONF_TARBALL), " ");

	printf("version: %s\ntarball: %s\ntarball_release: %s\n", UDOCKER_VERSION, tarballs,
		conf_str(CONF_TARBALL_RELEASE));
	return 0;
}

const struct cli_command cmd_udocker_version = {
	.name = "version",
	.summary = "show the version",
	.run = version_run,
};

static void print_rule(void)
{
	for (int i = 0; i < 80; i++)
		(void)putchar('-');
	(void)putchar('\n');
}

/* The output of 1.3.x: a title between two rules, a line for each setting. */
static int showconf_run(const struct cli_call *call UNUSED, struct err **err UNUSED)
{
	print_rule();
	printf("\t\tConfiguration options\n");
	for (const struct conf_row *row = conf_table(); row < conf_table() + CONF_N; row++) {
		autofree char *value = conf_show(row->key);

		printf("%s = %s\n", row->name, value);
	}
	print_rule();
	return 0;
}

const struct cli_command cmd_udocker_showconf = {
	.name = "showconf",
	.summary = "show all settings and their values",
	.run = showconf_run,
};

static const struct cli_command *const commands[] = {
	&cmd_udocker_run,
	&cmd_udocker_pull,
	&cmd_udocker_search,
	&cmd_udocker_load,
	&cmd_udocker_save,
	&cmd_udocker_import,
	&cmd_udocker_images,
	&cmd_udocker_history,
	&cmd_udocker_verify,
	&cmd_udocker_tag,
	&cmd_udocker_rmi,
	&cmd_udocker_create,
	&cmd_udocker_ps,
	&cmd_udocker_inspect,
	&cmd_udocker_name,
	&cmd_udocker_rmname,
	&cmd_udocker_rename,
	&cmd_udocker_clone,
	&cmd_udocker_export,
	&cmd_udocker_protect,
	&cmd_udocker_unprotect,
	&cmd_udocker_manifest,
	&cmd_udocker_login,
	&cmd_udocker_logout,
	&cmd_udocker_setup,
	&cmd_udocker_rm,
	&cmd_udocker_mkrepo,
	&cmd_udocker_install,
	&cmd_udocker_showconf,
	&cmd_udocker_version,
	NULL,
};

/* `run` tells a failure of its own from one of the program that it runs. */
static int status_of(const struct cli_call *call, const struct err *err)
{
	return call->command == &cmd_udocker_run && !err_is(err, ERR_USAGE) ? udocker_run_status(call) : 1;
}

const struct cli_program udocker_program = {
	.name = "udocker",
	.summary = "run containers without privileges",
	.about = "Runs containers as an ordinary user, with the command line and on the directories of "
		 "udocker 1.3.x.\n\n"
		 "An image is fetched or loaded (pull, load, import), a container is made of it (create), "
		 "and a command is "
		 "run in it "
		 "(run). `run` with the name of an image fetches it if it is not there, and makes the "
		 "container first.",
	.options = udocker_options,
	.size = sizeof(struct udocker_globals),
	.commands = commands,
	.setup = udocker_setup,
	.usage_status = 1,
	.failure_status = 1,
	.status_of = status_of,
	.wrapper_style = true,
};
