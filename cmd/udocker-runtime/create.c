/* SPDX-License-Identifier: Apache-2.0 */
/* create, and what it shares with run: options and --dry-run. */
#include "cmd/udocker-runtime/program.h"
#include "oci-spec/runtime_config.h"
#include "pkg/base/err.h"
#include "pkg/base/json.h"
#include "pkg/base/mem.h"
#include "pkg/base/num.h"
#include "pkg/base/str.h"
#include "pkg/cli/output.h"
#include "pkg/runtime/lifecycle.h"

const struct cli_option create_options[] = {
	{ .name = "bundle",
		.letter = 'b',
		.kind = CLI_KIND_STRING,
		.metavar = "DIR",
		.offset = offsetof(struct create_opts, bundle),
		.text = "the bundle, by default the working directory",
		.complete = CLI_COMPLETE_DIR },
	{ .name = "config",
		.kind = CLI_KIND_STRING,
		.metavar = "FILE",
		.offset = offsetof(struct create_opts, config),
		.text = "read the configuration from here instead of the bundle's config.json",
		.complete = CLI_COMPLETE_FILE },
	CLI_STR("config-fd", 0, "N", struct create_opts, config_fd,
		"read the configuration from this open descriptor, and close it"),
	{ .name = "console-socket",
		.kind = CLI_KIND_STRING,
		.metavar = "SOCKET",
		.offset = offsetof(struct create_opts, console_socket),
		.text = "send the terminal's master end to this Unix socket",
		.complete = CLI_COMPLETE_FILE },
	{ .name = "pid-file",
		.kind = CLI_KIND_STRING,
		.metavar = "FILE",
		.offset = offsetof(struct create_opts, pid_file),
		.text = "write the container's process id here",
		.complete = CLI_COMPLETE_FILE },
	CLI_INT("preserve-fds", 0, "N", struct create_opts, preserve_fds,
		"pass N descriptors from 3 up on to the program"),
	CLI_FLAG("no-pivot", 0, struct create_opts, no_pivot, "for runc and crun: do not use pivot_root"),
	CLI_FLAG("no-new-keyring", 0, struct create_opts, no_new_keyring,
		"for runc and crun: keep the session keyring"),
	CLI_FLAG("dry-run", 0, struct create_opts, dry_run, "print what would be started, and start nothing"),
	CLI_END,
};

int create_options_of(const struct cli_call *call, struct runtime_create_options *ret, struct err **err)
{
	const struct create_opts *o = call->options;
	int fd = -1;

	if (o->config_fd && num_parse_int(o->config_fd, 0, INT32_MAX, &fd) < 0)
		return err_make(err, ERR_USAGE, "--config-fd '%s': not a descriptor", o->config_fd);
	*ret = (struct runtime_create_options){
		.id = call->argv[0],
		.bundle = { .dir = o->bundle, .config_file = o->config, .config_fd = fd },
		.console_socket = o->console_socket,
		.pid_file = o->pid_file,
		.preserve_fds = o->preserve_fds,
		.preserve_all = o->preserve_all_fds,
		.no_pivot = o->no_pivot,
		.no_new_keyring = o->no_new_keyring,
		.detach = o->detach,
		.keep = o->keep,
	};
	return 0;
}

/* ---- --dry-run ---- */

/* As a shell would take it, since that is what it is read as. */
static void add_word(struct str *s, const char *word)
{
	static const char plain[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=./:,@%";

	if (*word && strspn(word, plain) == strlen(word)) {
		(void)str_add(s, word);
		return;
	}
	(void)str_add_char(s, '\'');
	for (const char *p = word; *p; p++) {
		if (*p == '\'')
			(void)str_add(s, "'\\''");
		else
			(void)str_add_char(s, *p);
	}
	(void)str_add_char(s, '\'');
}

static void add_words(struct str *s, const char *title, const struct strv *words)
{
	(void)str_addf(s, "%s:", title);
	for (size_t i = 0; i < words->n; i++) {
		(void)str_add_char(s, ' ');
		add_word(s, words->v[i]);
	}
	(void)str_add_char(s, '\n');
}

static void add_lines(struct str *s, const char *title, const struct strv *lines)
{
	for (size_t i = 0; i < lines->n; i++) {
		(void)str_addf(s, "%s: ", title);
		(void)str_add_escaped(s, lines->v[i]);
		(void)str_add_char(s, '\n');
	}
}

static void plan_text(const struct prepared *p, struct str *s)
{
	(void)str_addf(s, "engine: %s\nmode: %s\nwhy: %s\nexecutable: %s%s%s\n", p->choice.engine->name,
		p->choice.mode, p->choice.why ? p->choice.why : "-",
		p->choice.probe.path ? p->choice.probe.path : "-",
		p->choice.probe.version ? ", version " : "",
		p->choice.probe.version ? p->choice.probe.version : "");
	(void)str_addf(s, "bundle: %s\nrootfs: %s\n", p->bundle.path, p->bundle.rootfs);
	add_lines(s, "not applied", &p->ignored);
	if (!p->has_plan)
		return;
	add_lines(s, "note", &p->plan.notes);
	if (p->choice.engine->kind == ENGINE_DELEGATE) {
		add_words(s, "command", &p->plan.prefix);
		(void)str_add(s, "config.json:\n");
		json_write(p->plan.config, JSON_PRETTY, s);
		return;
	}
	add_words(s, "command", &p->plan.argv);
	add_lines(s, "engine environment", &p->plan.env);
	add_words(s, "program", &p->process.args);
	add_lines(s, "environment", &p->process.env);
	(void)str_addf(s, "directory: %s\n", p->process.cwd);
}

int print_plan(const struct runtime_globals *g, const struct runtime_create_options *o, bool foreground,
	struct err **err)
{
	auto_prepared p = PREPARED_INIT;
	auto_str s = STR_INIT;

	if (runtime_dry_run(g, o, foreground, &p, err) < 0)
		return -1;
	plan_text(&p, &s);
	(void)fwrite(str_text(&s), 1, s.len, stdout); /* cli_main() looks at the stream's error */
	return 0;
}

static int create_run(const struct cli_call *call, struct err **err)
{
	const struct create_opts *o = call->options;
	struct runtime_globals g = runtime_globals_of(call);
	struct runtime_create_options c;

	if (create_options_of(call, &c, err) < 0 || runtime_load_conf(call, err) < 0)
		return -1;
	if (o->dry_run)
		return print_plan(&g, &c, false, err);
	return runtime_create(&g, &c, err);
}

const struct cli_command cmd_runtime_create = {
	.name = "create",
	.args = "ID",
	.min_args = 1,
	.max_args = 1,
	.summary = "create a container that waits for its start",
	.about = "Everything that can fail is tried here, also the search for the program. The process of "
		 "the pid file exists from now "
		 "on; its end is the container's end, and its status the program's.",
	.options = create_options,
	.options_anywhere = true,
	.run = create_run,
	.size = sizeof(struct create_opts),
};
