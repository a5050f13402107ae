/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `udocker run`: find or make the container, have its config.json computed, become the runtime. The banner is 1.3.x's. With --rm the
 * wrapper stays to remove the container that this run made.
 */
#include "cmd/udocker/program.h"

#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/id.h"
#include "pkg/base/json.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/base/path.h"
#include "pkg/base/proc.h"
#include "pkg/base/str.h"
#include "pkg/bundle/config.h"
#include "pkg/bundle/options.h"
#include "pkg/cli/run_options.h"
#include "pkg/runtime/lifecycle.h"
#include "pkg/store/containers.h"
#include "pkg/store/images.h"
#include "pkg/store/store.h"

/* Status when nothing could be started; the runtime uses it as well (cli.md). */
enum { STATUS_NOT_STARTED = 125 };

struct run_opts {
	struct run_options config; /* first: the shared table's offsets */
	const char *name;
	const char *pull;
	struct udocker_fetch fetch;
	bool rm;
	bool nobanner;
	int status; /* of a run that failed, for the exit status */
};

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
	CLI_FLAG("nobanner", 0, struct run_opts, nobanner, "do not print the banner"),
	CLI_END,
};
static const struct cli_option *const run_more_options[] = { run_config_options, NULL };

/* The container of this run. */
struct target {
	struct store *store;
	char *id;
	char *dir;
	struct json *config;
	bool created;
};

static void target_free(struct target *t)
{
	store_close(t->store);
	json_free(t->config);
	free(t->id);
	free(t->dir);
}

/* The last line a sibling printed into an anonymous file: an id. */
static int read_id(int fd, char **ret, struct err **err)
{
	auto_str text = STR_INIT_MAX(4096);

	if (lseek(fd, 0, SEEK_SET) < 0)
		return err_sys(err, errno, "output of udocker-bundle");
	if (fd_read_text(fd, 4096, &text, "output of udocker-bundle", err) < 0)
		return -1;
	str_trim(&text);
	if (!id_is_container(str_text(&text)))
		return err_make(err, ERR_CORRUPT, "udocker-bundle create printed no container id");
	*ret = str_steal(&text);
	return 0;
}

/* Its messages go to fd_err; -1: our stderr. */
static int create_container(const struct cli_call *call, const char *image, int fd_err, struct target *ret,
	int *ret_status, struct err **err)
{
	const struct run_opts *o = call->options;
	auto_strv words = STRV_INIT;
	autoclose int out = fd_anon("udocker-id");

	if (out < 0)
		return err_sys(err, errno, "temporary file");
	if (udocker_sibling_words(call, "udocker-bundle", "create", &words, err) < 0)
		return -1;
	if (o->name)
		strv_addf(&words, "--name=%s", o->name);
	strv_add(&words, image);
	if (udocker_ask_sibling(&words, out, fd_err, ret_status, err) < 0)
		return -1;
	if (*ret_status != 0)
		return 0;
	ret->created = true;
	return read_id(out, &ret->id, err);
}

static int name_container(const struct cli_call *call, const char *id, int *ret_status, struct err **err)
{
	const struct run_opts *o = call->options;
	auto_strv words = STRV_INIT;

	if (udocker_sibling_words(call, "udocker-bundle", "name", &words, err) < 0)
		return -1;
	strv_add(&words, id);
	strv_add(&words, o->name);
	return udocker_run_sibling(&words, ret_status, err);
}

static int not_found(const char *what, struct err **err)
{
	(void)err_make(err, ERR_NOT_FOUND, "no such container or image: '%s'", what);
	return err_hint(err, "see 'udocker ps' and 'udocker images', or get it with 'udocker pull' or "
			     "'udocker load -i FILE'");
}

/* What must fail later fails before anything is fetched. */
static int may_fetch(const struct cli_call *call, struct store *s, struct err **err)
{
	const struct run_opts *o = call->options;
	const char *image = call->argv[0];

	if (str_eq(o->pull, "never") || !udocker_may_fetch(image))
		return not_found(image, err);
	if (o->name && container_is_exact(s, o->name))
		return err_make(err, ERR_EXISTS, "container name '%s' is taken", o->name);
	if (!image_exists(s, image))
		log_info("image %s is not in the store, pulling it", image);
	return 0;
}

static int fetch_image(const struct cli_call *call, struct store *s, int *ret_status, struct err **err)
{
	const struct run_opts *o = call->options;

	return may_fetch(call, s, err) < 0 ? -1
					   : udocker_fetch(call, &o->fetch, call->argv[0], ret_status, err);
}

/* What a sibling has said meanwhile. */
static void show_messages(int fd)
{
	auto_str text = STR_INIT_MAX(65536);

	if (lseek(fd, 0, SEEK_SET) == 0 && fd_read_text(fd, 65536, &text, "messages", NULL) == 0)
		(void)fd_write_all(STDERR_FILENO, str_text(&text), text.len); /* nobody to tell it to */
}

/*
 * Of an image that is absent: its layers are unpacked while they arrive (store/coming.h). A pull that fails says why; that the container could not be
 * made is no news then.
 */
static int fetch_and_create(
	const struct cli_call *call, struct target *ret, int *ret_status, struct err **err)
{
	const struct run_opts *o = call->options;
	const char *image = call->argv[0];
	autoclose int messages = -1;
	int made = 0, pulled = 0, r;
	bool told = false;
	pid_t pid;

	if (may_fetch(call, ret->store, err) < 0 ||
		udocker_fetch_begin(call, &o->fetch, image, &pid, ret_status, err) < 0 || *ret_status != 0)
		return -1;
	if (!pid)
		return create_container(call, image, -1, ret, ret_status, err);
	messages = fd_anon("udocker-messages");
	r = create_container(call, image, messages, ret, &made, err);
	if (udocker_fetched(pid, &pulled, &told, r < 0 ? NULL : err) < 0)
		return -1;
	if (pulled == 0 || !told)
		show_messages(messages);
	/* A container that was made is of an image that was stored, whatever came then. */
	*ret_status = r < 0 || made == 0 || !pulled ? made : pulled;
	return r;
}

static int make_container(const struct cli_call *call, struct target *ret, int *ret_status, struct err **err)
{
	const struct run_opts *o = call->options;
	const char *image = call->argv[0];

	if (!image_exists(ret->store, image))
		return fetch_and_create(call, ret, ret_status, err);
	/* A container that is made meanwhile would be of the old one. */
	if (str_eq(o->pull, "always") &&
		(fetch_image(call, ret->store, ret_status, err) < 0 || *ret_status != 0))
		return -1;
	return create_container(call, image, -1, ret, ret_status, err);
}

/* Which container runs (udocker-compat 6.2). A status other than 0: a sibling has failed and said why. */
static int find_target(const struct cli_call *call, struct target *ret, int *ret_status, struct err **err)
{
	const struct run_opts *o = call->options;
	const char *what = call->argv[0];
	bool reuse = o->name && str_eq(o->pull, "reuse");
	struct store *s;

	*ret_status = 0;
	if (store_open(STORE_READ, &ret->store, err) < 0)
		return -1;
	s = ret->store;
	if (reuse && container_is_exact(s, o->name) && container_exists(s, o->name)) {
		if (container_resolve(s, o->name, &ret->id, err) < 0)
			return -1;
	} else if (udocker_means_container(s, what)) {
		if (container_resolve(s, what, &ret->id, err) < 0)
			return -1;
		if (o->name && (name_container(call, ret->id, ret_status, err) < 0 || *ret_status != 0))
			return -1;
	} else {
		if (make_container(call, ret, ret_status, err) < 0 || *ret_status != 0)
			return -1;
		/* It may have come into being with the container. */
		store_close(steal_ptr(&ret->store));
		return store_open(STORE_READ, &ret->store, err);
	}
	return 0;
}

/* A wrong value is a container that could not be started, not a wrong command line. */
static void not_usage(struct err **err)
{
	if (err_is(*err, ERR_USAGE))
		(void)err_set_kind(err, ERR_UNSUPPORTED);
}

/* config.json of this run, as `udocker-bundle config` prints it; no process of its own, which would cost as much as the runtime. */
static int make_config(const struct cli_call *call, struct target *t, struct err **err)
{
	const struct run_opts *o = call->options;
	auto_container *c = NULL;
	auto_strv command = STRV_INIT;
	struct bundle_options options;

	bundle_options_from_run(&o->config, &options);
	for (int i = 1; i < call->argc; i++)
		strv_add(&command, call->argv[i]);
	options.command = &command;
	if (container_open(t->store, t->id, &c, err) < 0)
		return -1;
	t->dir = xstrdup(c->dir);
	if (bundle_config_of_container(t->store, c, &options, &t->config, err) == 0)
		return 0;
	not_usage(err);
	return err_add(err, "container %s", t->id);
}

/* On an anonymous file, which the runtime inherits. Returns its descriptor. */
static int config_file(const struct target *t, struct err **err)
{
	autofree char *text = json_text(t->config, 0);
	autoclose int fd = fd_anon("udocker-config");

	if (fd < 0 || fd_write_all(fd, text, strlen(text)) < 0 || lseek(fd, 0, SEEK_SET) < 0 ||
		fd_set_cloexec(fd, false) < 0)
		return err_sys(err, errno, "temporary file");
	return steal_fd(&fd);
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

/* The seven lines of 1.3.x (udocker-compat 6.10), flushed before the program prints anything. */
static void print_banner(const struct cli_call *call, const struct target *t)
{
	const struct run_opts *o = call->options;
	autofree char *starting = xasprintf("STARTING %s", t->id);
	const char *command;

	if (o->nobanner || log_level() < LOG_LEVEL_INFO)
		return;
	command = json_str(json_at(json_path(t->config, "process", "args", NULL), 0));
	printf(" \n");
	banner_rule('*');
	banner_line('*', "");
	banner_line('*', starting);
	banner_line('*', "");
	banner_rule('*');
	printf(" executing: %s\n", command ? path_base(command) : "");
	(void)fflush(stdout); /* a failure shows when the program writes */
}

#define RUN_ID_LEN (12 + 1 + 6)
static void make_run_id(const struct target *t, char run_id[RUN_ID_LEN + 1])
{
	(void)snprintf(run_id, RUN_ID_LEN + 1, "%.12s-", t->id);
	id_random_hex(run_id + strlen(run_id), 6);
}

/*
 * What `udocker-runtime --default-execmode=P1 run --preserve-all-fds` does, here: a program of its own costs a fifth of what a run
 * costs us.
 */
static int run_here(struct target *t, int *ret_status, struct err **err)
{
	char run_id[RUN_ID_LEN + 1];
	const struct runtime_globals g = { .engine.fallback_mode = "P1" };
	const struct runtime_create_options o = {
		.id = run_id,
		.bundle = { .dir = t->dir, .config_fd = -1, .config = &t->config },
		.preserve_all = true,
	};

	make_run_id(t, run_id);
	store_close(steal_ptr(&t->store));
	(void)fflush(stdout); /* a failure shows when the program writes */
	(void)signal(SIGPIPE, SIG_IGN); /* a reader that goes away is an error where we write */
	if (runtime_run(&g, &o, ret_status, err) >= 0)
		return 0;
	not_usage(err);
	return -1;
}

static int runtime_words(const struct cli_call *call, const struct target *t, int config_fd,
	struct strv *words, struct err **err)
{
	const struct udocker_globals *g = call->global;
	char run_id[RUN_ID_LEN + 1];

	make_run_id(t, run_id);
	if (udocker_sibling_words(call, "udocker-runtime", NULL, words, err) < 0)
		return -1;
	/* The runtime has runc's options only; verbosity and configuration reach it by their variables. */
	if (g->quiet && setenv("UDOCKER_LOGLEVEL", "1", 1) < 0)
		return err_sys(err, errno, "environment");
	strv_add(words, "--default-execmode=P1");
	strv_add(words, "run");
	strv_addf(words, "--bundle=%s", t->dir);
	strv_addf(words, "--config-fd=%d", config_fd);
	strv_add(words, "--preserve-all-fds");
	strv_add(words, run_id);
	return 0;
}

/* ---- --rm ---------------------------------------------------------------------------------------- */

static void block_forwarded(sigset_t *set)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGCHLD };

	(void)sigemptyset(set);
	for (size_t i = 0; i < ARRAY_LEN(signals); i++)
		(void)sigaddset(set, signals[i]);
	(void)sigprocmask(SIG_BLOCK, set, NULL);
}

/*
 * Wait for the runtime and pass on what reaches us alone. What the terminal sends (SI_KERNEL) goes to the whole group, the runtime
 * included, already.
 */
static int wait_and_forward(pid_t pid, const sigset_t *set, int *ret_status, struct err **err)
{
	for (;;) {
		siginfo_t info;
		int status;
		int sig = sigwaitinfo(set, &info);

		if (sig == SIGCHLD) {
			pid_t got = waitpid(pid, &status, WNOHANG);

			if (got == pid) {
				*ret_status =
					WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
				return 0;
			}
			if (got < 0 && errno != EINTR)
				return err_sys(err, errno, "wait for udocker-runtime");
		} else if (sig > 0 && info.si_code != SI_KERNEL) {
			(void)kill(pid, sig); /* gone: SIGCHLD is on its way */
		}
	}
}

/* The runtime as a child, since the container is to be removed behind it. */
static int run_child(const struct strv *runtime, int *ret_status, struct err **err)
{
	struct proc_spawn spawn = PROC_SPAWN_INIT;
	sigset_t set;
	pid_t pid;

	block_forwarded(&set);
	spawn.path = runtime->v[0];
	spawn.argv = strv_argv(runtime);
	spawn.keep_all = true;
	(void)fflush(stdout); /* a failure shows when the program writes */
	if (proc_spawn(&spawn, &pid, err) < 0)
		return -1;
	return wait_and_forward(pid, &set, ret_status, err);
}

static int remove_container(
	const struct cli_call *call, const struct target *t, int *ret_status, struct err **err)
{
	auto_strv words = STRV_INIT;

	if (udocker_sibling_words(call, "udocker-bundle", "rm", &words, err) < 0)
		return -1;
	strv_add(&words, "--force");
	strv_add(&words, t->id);
	strv_insert(&words, 1, "--quiet");
	return udocker_run_sibling(&words, ret_status, err);
}

static bool is_to_be_removed(const struct cli_call *call, const struct target *t)
{
	const struct run_opts *o = call->options;

	return o->rm && t->created;
}

static int run_target(const struct cli_call *call, struct target *t, int *ret_status, struct err **err)
{
	auto_strv words = STRV_INIT;
	autoclose int config_fd = -1;

	if (make_config(call, t, err) < 0)
		return -1;
	print_banner(call, t);
	if (!is_to_be_removed(call, t))
		return run_here(t, ret_status, err);
	config_fd = config_file(t, err);
	if (config_fd < 0 || runtime_words(call, t, config_fd, &words, err) < 0)
		return -1;
	return run_child(&words, ret_status, err);
}

static int run_run(const struct cli_call *call, struct err **err)
{
	CLEANUP(target_free) struct target t = { 0 };
	struct run_opts *o = call->options;
	int status = 0, removed = 0;
	int r = udocker_hide_proxy(&o->fetch, err);

	if (r == 0)
		r = find_target(call, &t, &status, err);
	udocker_forget_proxy(&o->fetch);
	if (r < 0)
		status = STATUS_NOT_STARTED;
	else
		r = run_target(call, &t, &status, err);
	o->status = status;
	if (is_to_be_removed(call, &t) &&
		remove_container(call, &t, &removed, r < 0 || status != 0 ? NULL : err) < 0 && status == 0)
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
	.min_args = 1,
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
