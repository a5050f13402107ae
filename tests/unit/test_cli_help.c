/* SPDX-License-Identifier: Apache-2.0 */
/* Help at given widths, usage lines, cli_main()'s statuses, and the layout of tables. */
#include <sys/mman.h>
#include <sys/wait.h>

#include "pkg/base/err.h"
#include "pkg/base/str.h"
#include "pkg/cli/cli.h"
#include "pkg/cli/help.h"
#include "pkg/cli/output.h"
#include "tests/unit/tap.h"

struct opts {
	bool all;
	const char *platform, *format;
};
struct globals {
	bool quiet;
	const char *repo;
};

static int setups;

static const struct cli_option pull_options[] = {
	CLI_FLAG("all-tags", 'a', struct opts, all,
		"pull every tag of the repository, which takes long where there are many of them"),
	{ .name = "platform",
		.kind = CLI_KIND_STRING,
		.metavar = "OS/ARCH[/VARIANT]",
		.offset = offsetof(struct opts, platform),
		.text = "choose from a multi-platform image",
		.alias = "arch" },
	{ .name = "format",
		.kind = CLI_KIND_STRING,
		.metavar = "F",
		.offset = offsetof(struct opts, format),
		.text = "how",
		.choices = output_formats },
	{ .name = "secret", .kind = CLI_KIND_IGNORED_FLAG, .text = "never seen", .hidden = true },
	CLI_END,
};

static int pull_run(const struct cli_call *call, struct err **err)
{
	const struct opts *o = call->options;
	const struct globals *g = call->global;

	if (strcmp(call->argv[0], "full") == 0) {
		printf("some text\n");
		return 0;
	}
	if (strcmp(call->argv[0], "usage") == 0)
		return err_make(err, ERR_USAGE, "'usage' is no name");
	if (strcmp(call->argv[0], "fail") == 0) {
		(void)err_make(err, ERR_NOT_FOUND, "no such image");
		return err_hint(err, "pull it");
	}
	printf("pulled %s%s%s%s\n", call->argv[0], o->all ? " all" : "", g->quiet ? " quiet" : "",
		g->repo ? g->repo : "");
	return setups == 1 ? 0 : 9;
}

static int raw_run(const struct cli_call *call, struct err **err UNUSED)
{
	for (int i = 0; i < call->argc; i++)
		printf("<%s>", call->argv[i]);
	return 42;
}

static const struct cli_command pull = {
	.name = "pull",
	.args = "REF",
	.min_args = 1,
	.max_args = 1,
	.summary = "download an image",
	.about = "One paragraph that is long enough to be broken somewhere.\n\n  kept as it is\n\nAnother "
		 "one.",
	.examples = "pull busybox\npull alpine",
	.options = pull_options,
	.run = pull_run,
	.size = sizeof(struct opts),
};
static const struct cli_command raw = { .name = "raw", .summary = "all words", .run = raw_run, .raw = true };
static const struct cli_command two = {
	.name = "manifest inspect", .args = "X", .max_args = 1, .summary = "two words", .run = raw_run
};
static const struct cli_command hidden = {
	.name = "hidden", .summary = "not shown", .run = raw_run, .hidden = true
};
static const struct cli_command *const commands[] = { &pull, &raw, &two, &hidden, NULL };

static const struct cli_option globals[] = {
	CLI_FLAG("quiet", 'q', struct globals, quiet, "results only"),
	CLI_STR("repo", 0, "DIR", struct globals, repo, "the store"),
	CLI_END,
};

static int setup(void *global, struct err **err)
{
	const struct globals *g = global;

	setups++;
	return g->repo && !*g->repo ? err_make(err, ERR_NOT_FOUND, "--repo is empty") : 0;
}

static const struct cli_program program = {
	.name = "prog",
	.summary = "do things",
	.options = globals,
	.size = sizeof(struct globals),
	.commands = commands,
	.setup = setup,
	.usage_status = 2,
	.failure_status = 1,
};

static void test_text(void)
{
	auto_str out = STR_INIT;

	help_command_text(&out, &program, &pull, 60);
	is_str(str_text(&out),
		"Usage: prog pull [OPTIONS] REF\n\nDownload an image.\n\n"
		"One paragraph that is long enough to be broken somewhere.\n\n  kept as it is\n\nAnother "
		"one.\n\nOptions:\n"
		"  -a, --all-tags    pull every tag of the repository, which\n"
		"                    takes long where there are many of them\n"
		"      --platform, --arch OS/ARCH[/VARIANT]\n"
		"                    choose from a multi-platform image\n"
		"      --format F    how (table|json)\n"
		"      --help        show this text\n\nExamples:\n  pull busybox\n  pull alpine\n",
		"help of a command");
	str_truncate(&out, 0);
	help_command_text(&out, &program, &pull, 40);
	for (const char *line = str_text(&out); *line; line += strcspn(line, "\n") + 1)
		ok(strcspn(line, "\n") <= 40 || strstr(line, "--platform") < line + 40, "not wider than 40");
	str_truncate(&out, 0);
	help_program_text(&out, &program, 80);
	is_str(str_text(&out),
		"Usage: prog [OPTIONS] COMMAND [ARG...]\n\nDo things.\n\nCommands:\n"
		"  pull              download an image\n  raw               all words\n  manifest inspect  "
		"two words\n\nOptions:\n"
		"  -q, --quiet       results only\n      --repo DIR    the store\n      --help        show "
		"this text\n"
		"  -V, --version     show the version\n\n'prog COMMAND --help' tells more of a command.\n",
		"help of the program");
}

/* Run cli_main in a child; its output (both descriptors) is kept. Words are separated by '|'. */
static char output[8192];
static int run(const char *text, const char *as, const char *out_path)
{
	char buf[512], *argv[16] = { buf };
	int n = 0, fd = memfd_create("captured", MFD_CLOEXEC), status;
	ssize_t got;
	pid_t pid;

	if (fd < 0)
		abort();
	(void)snprintf(buf, sizeof(buf), "prog|%s", text);
	for (char *s = buf; s && n < 15;) {
		argv[n++] = s;
		s = strchr(s, '|');
		if (s)
			*s++ = '\0';
	}
	if (!*text)
		n = 1;
	argv[n] = NULL;
	(void)fflush(stdout);
	pid = fork();
	if (pid == 0) {
		int out = out_path ? open(out_path, O_WRONLY) : fd;

		if (as)
			(void)setenv("UDOCKER_AS", as, 1);
		(void)dup2(out, 1);
		(void)dup2(fd, 2);
		exit(cli_main(&program, n, argv));
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		abort();
	got = pread(fd, output, sizeof(output) - 1, 0);
	output[got > 0 ? got : 0] = '\0';
	close(fd);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void check(const char *words, int status, const char *want)
{
	is_int(run(words, NULL, NULL), status, words);
	is_str(output, want, "its output");
}

static void test_main(void)
{
	check("pull|x", 0, "pulled x\n");
	check("-q|pull|-a|x", 0, "pulled x all quiet\n");
	check("pull", 2, "prog: error: 'pull' needs REF; usage: prog pull [OPTIONS] REF\n");
	check("pull|a|b", 2, "prog: error: unexpected argument 'b'; usage: prog pull [OPTIONS] REF\n");
	check("pull|--al|x", 2, "prog: error: unknown option '--al'; see 'prog pull --help'\n");
	check("pull|--all|x", 2, "prog: error: unknown option '--all'; did you mean '--all-tags'?\n");
	check("pul|x", 2, "prog: error: unknown command 'pul'; did you mean 'pull'?\n");
	check("frob", 2, "prog: error: unknown command 'frob'; see 'prog --help'\n");
	check("hiden", 2, "prog: error: unknown command 'hiden'; see 'prog --help'\n");
	check("", 2, "prog: error: no command given; see 'prog --help'\n");
	check("--quit|pull", 2, "prog: error: unknown option '--quit'; did you mean '--quiet'?\n");
	check("pull|fail", 1, "prog: error: no such image; pull it\n");
	check("pull|usage", 2, "prog: error: 'usage' is no name; see 'prog pull --help'\n");
	check("--repo=|pull|x", 1, "prog: error: --repo is empty\n");
	check("raw|--help|-x||--", 42, "<--help><-x><><-->");
	check("help|raw", 42, "<--help>");
	check("manifest|inspect|x", 42, "<x>");
	check("manifest", 2, "prog: error: 'manifest' needs one of: inspect; see 'prog --help'\n");
	check("hidden", 42, "");
	check("--version", 0, "prog " UDOCKER_VERSION "\n");
	check("-v", 0, "prog " UDOCKER_VERSION "\n");
	is_int(run("--repo=|pull|--help", NULL, NULL), 0, "help needs no setup");
	ok(strncmp(output, "Usage: prog pull", 16) == 0, "and is the command's");
	is_int(run("help|pull", NULL, NULL), 0, "help pull");
	ok(strncmp(output, "Usage: prog pull", 16) == 0, "is pull --help");
	is_int(run("--help", NULL, NULL), 0, "--help");
	ok(strncmp(output, "Usage: prog [OPTIONS]", 21) == 0, "is the program's");
	is_int(run("pull|full", NULL, "/dev/full"), 1, "a full disk");
	is_str(output, "prog: error: standard output: No space left on device\n", "is an error");
	is_int(run("--help", NULL, "/dev/full"), 1, "also for help");
}

static void test_called_as(void)
{
	is_int(run("pull", "udocker", NULL), 1, "usage error under the wrapper");
	is_str(output, "Error: 'pull' needs REF; usage: udocker pull [OPTIONS] REF\n", "in its style");
	is_int(run("pull|--nonsense", "udocker fetch", NULL), 1, "another command's name");
	is_str(output, "Error: unknown option '--nonsense'; see 'udocker fetch --help'\n", "is shown");
	is_int(run("pull|fail", "udocker", NULL), 1, "failure under the wrapper");
	is_str(output, "Error: no such image; pull it\n", "in its style");
	is_int(run("pull", "docker", NULL), 2, "nobody else is the wrapper");
	is_int(run("pull", "udockerx", NULL), 2, "nor one with a longer name");
}

static void test_table(void)
{
	static const char *const heads[] = { "NAME", ">SIZE", "ID", NULL };
	struct output_table t;
	auto_str out = STR_INIT;

	output_table_init(&t, heads);
	output_row(&t, "b\303\274sybox", "12 MB", "1\n2", NULL);
	output_row(&t, "a", "1 B", NULL);
	output_table_text(&t, false, &out);
	is_str(str_text(&out), "NAME      SIZE  ID\nb\303\274sybox  12 MB  1\\n2\na          1 B  -\n",
		"columns");
	str_truncate(&out, 0);
	output_table_text(&t, true, &out);
	is_str(str_text(&out), "b\303\274sybox  12 MB  1\\n2\na          1 B  -\n", "without heads");
	output_table_free(&t);
}

int main(void)
{
	(void)unsetenv("UDOCKER_AS");
	/* The children first: UDOCKER_AS is read once per process. */
	test_main();
	test_called_as();
	test_text();
	test_table();
	return tap_done();
}
