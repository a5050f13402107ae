/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `udocker run`: find or make the container, have its config.json computed, become the runtime. The banner is 1.3.x's. With --rm the
 * wrapper stays to remove the container that this run made.
 */
#include "cmd/udocker/run.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>

#include "oci-spec/platform.h"
#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/id.h"
#include "pkg/base/json.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/base/path.h"
#include "pkg/bundle/config.h"
#include "pkg/bundle/facts.h"
#include "pkg/bundle/mounts.h"
#include "pkg/bundle/options.h"
#include "pkg/bundle/setup.h"
#include "pkg/conf/conf.h"
#include "pkg/runtime/lifecycle.h"
#include "pkg/store/containers.h"
#include "pkg/store/store.h"

static const char *const pull_choices[] = { "missing", "never", "always", "reuse", NULL };

static const struct cli_option run_select_options[] = {
	CLI_STR("name", 0, "NAME", struct run_opts, name, "give the container this name"),
	CLI_FLAG("rm", 0, struct run_opts, rm, "remove the container afterwards, if this run made it"),
	{ .name = "pull",
		.kind = CLI_KIND_STRING,
		.metavar = "WHEN",
		.offset = offsetof(struct run_opts, pull),
		.text = "when to fetch the image from its registry: missing (the default), never, always; "
			"reuse: as "
			"missing, but an existing container of the given --name is taken",
		.choices = pull_choices },
	CLI_STR("platform", 0, "OS/ARCH[/VARIANT]", struct run_opts, fetch.platform,
		"of an image that is fetched and is for several platforms"),
	CLI_STR("registry", 0, "URL", struct run_opts, fetch.registry,
		"fetch from this registry, whatever the name says; http:// means without TLS"),
	CLI_STR("httpproxy", 0, "URL", struct run_opts, fetch.proxy, "fetch through this proxy"),
	{ .name = "index",
		.kind = CLI_KIND_IGNORED_VALUE,
		.metavar = "URL",
		.text = "accepted as in udocker 1.3.x: an index is for search alone" },
	{ .name = "location",
		.kind = CLI_KIND_STRING,
		.metavar = "DIR",
		.offset = offsetof(struct run_opts, location),
		.text = "run in this root directory, which is no container's; the first operand is then a "
			"word "
			"that "
			"means nothing, such as -",
		.complete = CLI_COMPLETE_DIR },
	CLI_FLAG("detach", 'd', struct run_opts, detach,
		"run in the background and print the container's id; the program's output goes on to files, "
		"else to nobody"),
	{ .name = "cidfile",
		.kind = CLI_KIND_STRING,
		.metavar = "FILE",
		.offset = offsetof(struct run_opts, cidfile),
		.text = "write the container's id to this new file",
		.complete = CLI_COMPLETE_FILE },
	CLI_FLAG("nobanner", 0, struct run_opts, nobanner, "do not print the banner"),
	CLI_END,
};
static const struct cli_option *const run_more_options[] = { run_config_options, run_docker_options, NULL };

/* A wrong value is a container that could not be started, not a wrong command line. */
static void not_usage(struct err **err)
{
	if (err_is(*err, ERR_USAGE))
		(void)err_set_kind(err, ERR_UNSUPPORTED);
}

/*
 * A terminal of its own has a program only where there is one, whatever -t says: 1.3.x took the option for nothing, and scripts
 * give it in batch jobs.
 */
static void options_of(const struct cli_call *call, struct bundle_options *ret)
{
	const struct run_opts *o = call->options;

	bundle_options_from_run(&o->config, ret);
	ret->tty = ret->tty && !o->detach && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
}

/* Before anything is fetched or made: what can be judged without a container (FIX-36). */
static int check_options(const struct cli_call *call, struct err **err)
{
	const struct run_opts *o = call->options;
	struct bundle_volumes volumes = { .quiet = true };
	struct bundle_options options;
	struct platform platform;

	options_of(call, &options);
	if (bundle_options_check(&options, err) < 0 || bundle_volumes_asked(&options, &volumes, err) < 0) {
		not_usage(err);
		return -1;
	}
	bundle_volumes_free(&volumes);
	if (o->fetch.platform && platform_parse(o->fetch.platform, &platform, err) < 0) {
		not_usage(err);
		return err_add(err, "--platform");
	}
	return 0;
}

/* What is here already stays as it is, also where --platform asks for another one: that is not to go unnoticed. */
static void check_platform(const struct run_opts *o, const struct run_target *t)
{
	autofree char *text = NULL;
	struct platform want, have;

	if (!o->fetch.platform)
		return;
	text = bundle_platform(t->store, t->id);
	if (str_starts(text, "unknown/") || platform_parse(o->fetch.platform, &want, NULL) < 0 ||
		platform_parse(text, &have, NULL) < 0 || platform_rank(&want, &have, false) >= 0)
		return;
	log_warning("container %s is for %s, not for %s: --platform is for images that are fetched", t->id,
		text, o->fetch.platform);
}

/* config.json of this run, as `udocker-bundle config` prints it; no process of its own, which would cost as much as the runtime. */
static int make_config(const struct cli_call *call, struct run_target *t, struct err **err)
{
	const struct run_opts *o = call->options;
	auto_container *c = NULL;
	auto_strv command = STRV_INIT;
	struct bundle_options options;

	options_of(call, &options);
	for (int i = 1; i < call->argc; i++)
		strv_add(&command, call->argv[i]);
	options.command = &command;
	runtime_remember_probes(&(struct runtime_globals){ .root = NULL });
	if (o->location)
		return run_location_config(o->location, &options, t, err);
	if (container_open(t->store, t->id, &c, err) < 0)
		return -1;
	check_platform(o, t);
	t->dir = xstrdup(c->dir);
	t->mode = bundle_mode(c->fd, c->root);
	if (bundle_config_of_container(t->store, c, &options, &t->config, err) == 0)
		return 0;
	not_usage(err);
	return err_add(err, "container %s", t->id);
}

static void banner_line(char frame, const char *text)
{
	int blanks = 74 - (int)strlen(text);

	printf(" %c %*s%s%*s %c \n", frame, blanks / 2, "", text, blanks - blanks / 2, "", frame);
}

static void banner_rule(char frame)
{
	(void)putchar(' ');
	for (int i = 0; i < 78; i++)
		(void)putchar(frame);
	printf(" \n");
}

/* The banner's frame tells the kind of the mode. */
static char frame_of(const struct run_target *t)
{
	static const char kinds[] = "PFRS", frames[] = "*#%/";
	const char *kind = strchr(kinds, *t->mode);

	return kind ? frames[kind - kinds] : '*';
}

/* The seven lines of 1.3.x (udocker-compat 6.10), flushed before the program prints anything. */
static void print_banner(const struct cli_call *call, const struct run_target *t)
{
	const struct run_opts *o = call->options;
	autofree char *starting = xasprintf("STARTING %s", t->id);
	const char *command;
	char frame;

	if (o->nobanner || o->config.mpi || log_level() < LOG_LEVEL_INFO)
		return;
	command = json_str(json_at(json_path(t->config, "process", "args", NULL), 0));
	frame = frame_of(t);
	printf(" \n");
	banner_rule(frame);
	banner_line(frame, "");
	banner_line(frame, starting);
	banner_line(frame, "");
	banner_rule(frame);
	printf(" executing: %s\n", command ? path_base(command) : "");
	(void)fflush(stdout); /* a failure shows when the program writes */
}

void run_id_make(const struct run_target *t, char run_id[RUN_ID_LEN + 1])
{
	(void)snprintf(run_id, RUN_ID_LEN + 1, "%.12s-", t->id);
	id_random_hex(run_id + strlen(run_id), 6);
}

/*
 * What `udocker-runtime --default-execmode=MODE run --preserve-all-fds` does, here: a program of its own costs a fifth of what a run
 * costs us.
 */
static int run_here(struct run_target *t, bool mpi, int *ret_status, struct err **err)
{
	char run_id[RUN_ID_LEN + 1];
	const struct runtime_globals g = { .engine.auto_mode = t->mode };
	const struct runtime_create_options o = {
		.id = run_id,
		.bundle = { .dir = t->dir, .config_fd = -1, .config = &t->config },
		.preserve_all = true,
		.ends_with_us = mpi, /* as a rank that was started without us */
	};

	run_id_make(t, run_id);
	store_close(steal_ptr(&t->store));
	(void)fflush(stdout); /* a failure shows when the program writes */
	(void)signal(SIGPIPE, SIG_IGN); /* a reader that goes away is an error where we write */
	if (runtime_run(&g, &o, ret_status, err) >= 0)
		return 0;
	not_usage(err);
	return -1;
}

static bool is_to_be_removed(const struct cli_call *call, const struct run_target *t)
{
	const struct run_opts *o = call->options;

	return o->rm && t->created;
}

/* --cidfile, as docker has it: a file of that name is an error. */
static int write_id(const struct cli_call *call, const struct run_target *t, struct err **err)
{
	const struct run_opts *o = call->options;
	autoclose int fd = -1;

	if (!o->cidfile)
		return 0;
	fd = open(o->cidfile, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0 || fd_write_all(fd, t->id, strlen(t->id)) < 0)
		return err_sys(err, errno, "container id file '%s'", o->cidfile);
	return 0;
}

static int run_found(const struct cli_call *call, struct run_target *t, int *ret_status, struct err **err)
{
	const struct run_opts *o = call->options;

	if (make_config(call, t, err) < 0)
		return -1;
	if (write_id(call, t, err) < 0)
		return -1;
	if (o->detach)
		return run_detached(call, t, is_to_be_removed(call, t), ret_status, err);
	print_banner(call, t);
	if (!is_to_be_removed(call, t))
		return run_here(t, ((const struct run_opts *)call->options)->config.mpi, ret_status, err);
	return run_child(call, t, ret_status, err);
}

static int run_run(const struct cli_call *call, struct err **err)
{
	auto_run_target t = { 0 };
	struct run_opts *o = call->options;
	int status = 0, removed = 0;
	int r = udocker_hide_proxy(&o->fetch, err);

	if (!o->location && *conf_str(CONF_LOCATION))
		o->location = conf_str(CONF_LOCATION);
	if (r == 0 && !o->location && call->argc == 0)
		r = err_make(err, ERR_USAGE, "'run' needs CONTAINER|REPO[:TAG]");
	if (r == 0)
		r = check_options(call, err);
	if (r == 0 && !o->location)
		r = run_target_find(call, &t, &status, err);
	udocker_forget_proxy(&o->fetch);
	if (r < 0)
		status = STATUS_NOT_STARTED;
	else
		r = run_found(call, &t, &status, err);
	o->status = status;
	if (is_to_be_removed(call, &t) &&
		run_remove(call, &t, &removed, r < 0 || status != 0 ? NULL : err) < 0 && status == 0)
		r = -1;
	/* A sibling that failed has printed why; an error of our own cli_main() prints. */
	if (r < 0 && *err)
		return -1;
	return status ? status : removed;
}

int udocker_run_status(const struct cli_call *call)
{
	const struct run_opts *o = call->options;

	return o->status ? o->status : STATUS_NOT_STARTED;
}

const struct cli_command cmd_udocker_run = {
	.name = "run",
	.args = "CONTAINER|REPO[:TAG] [COMMAND [ARG…]]",
	.max_args = -1,
	.summary = "run a command in a container",
	.about = "The operand is a container's name or id, or else an image, "
		 "of which a "
		 "container is made first (and which is pulled if it is not in the store), or else the "
		 "unique beginning of a container's id. Without a "
		 "command the image's own is run.\n\n"
		 "The exit status is the command's own; 128+N when signal N ended it; 125 when nothing could "
		 "be "
		 "started, 126 when the command is not executable, 127 when it was not found.",
	.options = run_select_options,
	.more_options = run_more_options,
	.complete = CLI_COMPLETE_IMAGE_OR_CONTAINER,
	.run = run_run,
	.size = sizeof(struct run_opts),
};
