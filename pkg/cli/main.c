/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli_main(): global options, the command, its options, its function; the one place that prints errors and decides the exit status.
 */
#include "pkg/cli/cli.h"

#include <errno.h>
#include <sys/stat.h>

#include "pkg/base/err.h"
#include "pkg/base/host.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/base/sig.h"
#include "pkg/base/str.h"
#include "pkg/cli/help.h"

struct session {
	const struct cli_program *program;
	struct cli_option version[3]; /* --version, behind the program's own options */
	const struct cli_option *globals[3];
	void *global; /* the program's struct and, behind it, the bool of --version */
	struct cli_call call;
	const struct cli_option **tables; /* of the command */
	struct strv words; /* a command line of our own making: `help X` becomes `X --help` */
};

/* ---- called by the wrapper ------------------------------------------------------------------------ */

/* Read once, because the variable is taken away so that no child sees it. */
static struct {
	bool known;
	const char *program;
	char *command;
} called;

static void read_called(void)
{
	const char *as = host_env("UDOCKER_AS");

	if (called.known)
		return;
	called.known = true;
	if (as && (str_eq(as, "udocker") || str_starts(as, "udocker "))) {
		called.program = "udocker";
		called.command = as[7] ? xstrdup(as + 8) : NULL;
	}
	(void)unsetenv("UDOCKER_AS"); /* fails for a malformed name only */
}

const char *cli_called_as(void)
{
	read_called();
	return called.program;
}

const char *help_called_command(void)
{
	read_called();
	return called.command;
}

/* ---- the end -------------------------------------------------------------------------------------- */

static int usage_status(const struct cli_program *p)
{
	return cli_called_as() ? 1 : p->usage_status;
}

static void print_error(const struct err *err)
{
	const char *hint = err_hint_text(err);

	if (hint)
		log_error("%s; %s", err_text(err), hint);
	else
		log_error("%s", err_text(err));
}

/* A wrong command line: without a better hint the user is sent to the help. Frees *err. */
static int usage_error(const struct session *s, struct err **err)
{
	auto_str name = STR_INIT;

	help_name(&name, s->program, s->call.command);
	if (!err_hint_text(*err))
		(void)err_hint(err, "see '%s --help'", str_text(&name));
	print_error(*err);
	err_clear(err);
	return usage_status(s->program);
}

static int failure(const struct session *s, struct err **err)
{
	const struct cli_program *p = s->program;
	int sig = sig_interrupted();
	int status;

	if (err_is(*err, ERR_USAGE) && !p->status_of)
		return usage_error(s, err);
	if (*err)
		print_error(*err);
	else
		log_error("%s", "failed, but no reason was given");
	if (sig)
		status = 128 + sig;
	else if (*err && p->status_of)
		status = p->status_of(&s->call, *err);
	else
		status = p->failure_status;
	err_clear(err);
	return status ? status : 1;
}

/* What was printed is a result only if it has arrived: a full disk or a closed descriptor is a failure. */
static int finish_stdout(int status)
{
	bool failed = ferror(stdout) != 0;

	int copy;

	errno = 0;
	if (fflush(stdout) != 0)
		failed = true;
	/* Network file systems report a failed write when a descriptor is closed. */
	copy = dup(STDOUT_FILENO);
	if (!failed && copy >= 0 && close(copy) < 0 && errno != EINTR)
		failed = true;
	if (!failed)
		return status;
	if (errno)
		log_error("standard output: %s", strerror(errno));
	else
		log_error("%s", "standard output: write failed");
	return status ? status : 1;
}

/* Descriptors 0 to 2 must be taken, or the first file we open would become the output. Writing to a lent one still fails. */
static void fill_standard_descriptors(void)
{
	struct stat st;

	for (int fd = 0; fd <= 2; fd++) {
		/* The lowest free number is this one, since those below are open. */
		if (fstat(fd, &st) < 0 && errno == EBADF &&
			open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) != fd)
			return;
	}
}

/* ---- commands ------------------------------------------------------------------------------------- */

static const struct cli_command *find_command(const struct cli_program *p, const char *name)
{
	for (const struct cli_command *const *c = p->commands; *c; c++) {
		if (str_eq((*c)->name, name))
			return *c;
	}
	return NULL;
}

/* The command at argv[0], of two words if there is such a one. *ret_words says how many words it took. */
static const struct cli_command *match_command(
	const struct cli_program *p, int argc, char **argv, int *ret_words)
{
	if (argc > 1) {
		autofree char *two = xasprintf("%s %s", argv[0], argv[1]);
		const struct cli_command *c = strchr(argv[0], ' ') ? NULL : find_command(p, two);

		if (c) {
			*ret_words = 2;
			return c;
		}
	}
	*ret_words = 1;
	return strchr(argv[0], ' ') ? NULL : find_command(p, argv[0]);
}

static int unknown_command(const struct session *s, const char *word, struct err **err)
{
	autofree const char **names = NULL;
	size_t n = 0, cap = 0, len = strlen(word);
	auto_str second = STR_INIT;
	const char *near;

	for (const struct cli_command *const *c = s->program->commands; *c; c++) {
		if ((*c)->hidden)
			continue;
		names = mem_grow(names, &cap, n + 1, sizeof(*names));
		names[n++] = (*c)->name;
		if (str_starts((*c)->name, word) && (*c)->name[len] == ' ')
			(void)str_addf(&second, "%s%s", second.len ? ", " : "", (*c)->name + len + 1);
	}
	names = mem_grow(names, &cap, n + 1, sizeof(*names));
	names[n] = NULL;
	if (second.len)
		return err_make(err, ERR_USAGE, "'%s' needs one of: %s", word, str_text(&second));
	near = cli_nearest(word, names);
	/* The wrapper's words are those of 1.3.x. */
	if (s->program->wrapper_style)
		(void)err_make(err, ERR_USAGE, "invalid command: %s", word);
	else
		(void)err_make(err, ERR_USAGE, "unknown command '%s'", word);
	return near ? err_hint(err, "did you mean '%s'?", near) : -1;
}

static int check_operands(const struct session *s, struct err **err)
{
	const struct cli_command *c = s->call.command;
	auto_str usage = STR_INIT;

	if (s->call.argc >= c->min_args && (c->max_args < 0 || s->call.argc <= c->max_args))
		return 0;
	help_usage(&usage, s->program, c);
	if (s->call.argc < c->min_args)
		(void)err_make(err, ERR_USAGE, "'%s' needs %s",
			help_called_command() ? help_called_command() : c->name,
			c->args ? c->args : "an argument");
	else
		(void)err_make(err, ERR_USAGE, "unexpected argument '%s'", s->call.argv[c->max_args]);
	return err_hint(err, "usage: %s", str_text(&usage));
}

/* CLI_HELP, 0 or -1. Raw commands get all words, --help too. */
static int parse_command(struct session *s, int argc, char **argv, struct err **err)
{
	const struct cli_command *c = s->call.command;
	int first = 0, r;

	s->call.options = xcalloc(1, c->size + 1);
	s->tables = help_tables(c);
	if (!c->raw && !c->forward_to) {
		r = cli_parse(s->tables, s->call.options, argc, argv, c->options_anywhere, &first, err);
		if (r != 0)
			return r;
	}
	s->call.argc = argc - first;
	s->call.argv = argv + first;
	return c->raw || c->forward_to ? 0 : check_operands(s, err);
}

/* Help of a forwarded command is the sibling's; like our own it needs no store and no permission. */
static bool asks_sibling_for_help(const struct cli_call *call)
{
	return call->command->forward_to && call->argc > 0 &&
	       (str_eq(call->argv[0], "--help") || str_eq(call->argv[0], "-h"));
}

static int run_command(struct session *s, struct err **err)
{
	const struct cli_program *p = s->program;
	int r;

	if (p->setup && !asks_sibling_for_help(&s->call) && p->setup(s->global, err) < 0)
		return failure(s, err);
	r = s->call.command->run(&s->call, err);
	return r < 0 ? failure(s, err) : r;
}

static int command_main(struct session *s, int argc, char **argv)
{
	struct err *err = NULL;
	int words, r;

	s->call.command = match_command(s->program, argc, argv, &words);
	if (!s->call.command) {
		(void)unknown_command(s, argv[0], &err); /* always fails */
		return usage_error(s, &err);
	}
	r = parse_command(s, argc - words, argv + words, &err);
	if (r < 0)
		return usage_error(s, &err);
	if (r == CLI_HELP) {
		cli_help_command(s->program, s->call.command);
		return 0;
	}
	return run_command(s, &err);
}

/* `help COMMAND…` is `COMMAND… --help`. */
static int help_main(struct session *s, int argc, char **argv)
{
	const struct cli_command *c;
	int n;

	if (argc == 0) {
		cli_help_program(s->program);
		return 0;
	}
	c = match_command(s->program, argc, argv, &n);
	if (c && !c->raw && !c->forward_to) {
		cli_help_command(s->program, c);
		return 0;
	}
	for (int i = 0; i < (c ? n : 1); i++)
		strv_add(&s->words, argv[i]);
	strv_add(&s->words, "--help");
	return command_main(s, (int)s->words.n, s->words.v);
}

static int version_main(struct session *s)
{
	const struct cli_program *p = s->program;

	if (find_command(p, "version")) {
		strv_add(&s->words, "version");
		return command_main(s, 1, s->words.v);
	}
	printf("%s %s\n", p->name, UDOCKER_VERSION);
	if (p->version_extra)
		printf("%s\n", p->version_extra);
	return 0;
}

/* ---- the program ---------------------------------------------------------------------------------- */

static void session_init(struct session *s, const struct cli_program *p)
{
	size_t n = 0;

	s->program = p;
	s->global = xcalloc(1, p->size + sizeof(bool));
	s->version[0] = (struct cli_option){
		.name = "version", .letter = 'V', .kind = CLI_KIND_FLAG, .offset = p->size
	};
	s->version[1] = (struct cli_option){
		.letter = 'v', .kind = CLI_KIND_FLAG, .offset = p->size, .hidden = true
	};
	s->version[2] = (struct cli_option){ .kind = CLI_KIND_END };
	if (p->options)
		s->globals[n++] = p->options;
	s->globals[n] = s->version;
	s->call.program = p;
	s->call.global = s->global;
}

static void session_free(struct session *s)
{
	if (s->tables)
		cli_free_options(s->tables, s->call.options);
	cli_free_options(s->globals, s->global);
	strv_free(&s->words);
	free(s->tables);
	free(s->call.options);
	free(s->global);
	free(called.command);
	called.command = NULL;
}

static int session_run(struct session *s, int argc, char **argv)
{
	struct err *err = NULL;
	int first = 0;
	int r = cli_parse(s->globals, s->global, argc, argv, false, &first, &err);

	if (r < 0)
		return usage_error(s, &err);
	if (r == CLI_HELP)
		return help_main(s, 0, NULL);
	argc -= first;
	argv += first;
	if (((const char *)s->global)[s->program->size])
		return version_main(s);
	if (argc > 0 && str_eq(argv[0], "help") && !find_command(s->program, "help"))
		return help_main(s, argc - 1, argv + 1);
	if (argc > 0)
		return command_main(s, argc, argv);
	if (s->program->wrapper_style)
		return help_main(s, 0, NULL);
	(void)err_make(&err, ERR_USAGE, "no command given"); /* always fails */
	return usage_error(s, &err);
}

int cli_main(const struct cli_program *program, int argc, char **argv)
{
	struct session s = { 0 };
	bool wrapper = program->wrapper_style || cli_called_as();
	int status;

	fill_standard_descriptors();
	log_set_style(wrapper ? LOG_STYLE_WRAPPER : LOG_STYLE_PROGRAM, program->name);
	session_init(&s, program);
	status = session_run(&s, argc > 0 ? argc - 1 : 0, argc > 0 ? argv + 1 : argv);
	status = finish_stdout(status);
	session_free(&s);
	return status;
}
