/* SPDX-License-Identifier: Apache-2.0 */
/* What is generated from tables: quoting for three shells and mdoc, forwarded commands, hidden rows. */
#include "pkg/base/mem.h"
#include "pkg/base/str.h"
#include "pkg/cli/emit.h"
#include "tests/unit/tap.h"

struct opts {
	bool flag;
	const char *text;
};

static const char *const choices[] = { "a", "b", NULL };
static const struct cli_option options[] = {
	CLI_FLAG("all", 'a', struct opts, flag, "it's [all]: of\\it"),
	{ .name = "mode",
		.kind = CLI_KIND_STRING,
		.metavar = "XY",
		.text = "the mode",
		.complete = CLI_COMPLETE_MODE },
	{ .name = "from",
		.kind = CLI_KIND_STRING,
		.metavar = "No",
		.text = ".dot and -dash",
		.choices = choices },
	{ .name = "secret", .kind = CLI_KIND_IGNORED_FLAG, .text = "hidden row", .hidden = true },
	CLI_END,
};
static const struct cli_command rm = {
	.name = "rm",
	.args = "REF\342\200\246",
	.summary = "remove images",
	.about = "First. Second \"x\".\n\n  rm -f x\n\nLast.",
	.options = options,
	.complete = CLI_COMPLETE_IMAGE,
};
static const struct cli_command ghost = { .name = "ghost", .summary = "not shown", .hidden = true };
static const struct cli_command *const sibling_commands[] = { &rm, &ghost, NULL };
static const struct cli_program sibling = {
	.name = "suite-image", .summary = "images", .commands = sibling_commands
};

static const struct cli_command rmi = {
	.name = "rmi", .summary = "remove", .forward_to = "suite-image", .forward_as = "rm"
};
static const struct cli_command lost = {
	.name = "lost", .summary = "lost", .forward_to = "suite-image", .forward_as = "gone"
};
static const struct cli_command run = {
	.name = "run", .args = "IMAGE [CMD]", .summary = "run", .complete = CLI_COMPLETE_IMAGE
};
static const struct cli_command *const wrapper_commands[] = { &rmi, &lost, &run, NULL };
static const struct cli_program wrapper = { .name = "suite", .summary = "all", .commands = wrapper_commands };

static const struct cli_program *const programs[] = { &wrapper, &sibling, NULL };
static const struct emit_context ctx = { .programs = programs, .modes = "P1 R1" };

static void has(const struct str *s, const char *part)
{
	if (!ok(strstr(str_text(s), part), "has: %s", part))
		printf("# %s\n", str_text(s));
}

static void lacks(const struct str *s, const char *part)
{
	ok(!strstr(str_text(s), part), "lacks: %s", part);
}

static void test_documented(void)
{
	ok(emit_documented(&ctx, &rmi) == &rm, "a forwarded command is documented by the sibling's");
	ok(emit_documented(&ctx, &lost) == &lost, "one that leads nowhere by itself");
	ok(emit_documented(&ctx, &run) == &run, "one of our own by itself");
	ok(emit_only_first(&run) && !emit_only_first(&rm), "a command line ends the operands");
}

static void test_bash(void)
{
	auto_str out = STR_INIT;

	emit_bash(&ctx, &wrapper, &out);
	has(&out, "\toperands='words rmi lost run'\n");
	has(&out, "\trmi)\n\t\toptions='-a --all --mode --from --help'\n\t\tvalued=' --mode --from "
		  "'\n\t\toperands='image'\n");
	has(&out, "'rmi --mode') value='words P1 R1' ;;\n");
	has(&out, "'rmi --from') value='words a b' ;;\n");
	has(&out, "complete -F _suite suite\n");
	lacks(&out, "secret");
	str_truncate(&out, 0);
	emit_bash(&ctx, &sibling, &out);
	has(&out, "complete -F _suite_image suite-image\n");
	lacks(&out, "ghost");
	lacks(&out, "@F@");
}

static void test_zsh(void)
{
	auto_str out = STR_INIT;

	emit_zsh(&ctx, &wrapper, &out);
	ok(str_starts(str_text(&out), "#compdef suite\n"), "begins with #compdef");
	has(&out, "'--all[it'\\''s \\[all\\]: of\\\\it]'");
	has(&out, "'--mode=[the mode]:XY:(P1 R1)'");
	has(&out, "'--from=[.dot and -dash]:No:(a b)'");
	has(&out, "'*: :_suite__image'");
	has(&out, "'1: :_suite__image'");
	lacks(&out, "secret");
	lacks(&out, "@F@");
}

static void test_fish(void)
{
	auto_str out = STR_INIT;

	emit_fish(&ctx, &wrapper, &out);
	has(&out, "complete -c suite -n '__suite_before rmi' -s a -l all -d 'it\\'s [all]: of\\\\it'\n");
	has(&out, "complete -c suite -n '__suite_before rmi' -l from -x -a 'a b' -d '.dot and -dash'\n");
	has(&out, "set -g __suite_valued 'rmi --mode' 'rmi --from'\n");
	has(&out, "complete -c suite -n '__suite_behind run' -F\n");
	lacks(&out, "secret");
	lacks(&out, "@F@");
}

static void test_man(void)
{
	auto_str out = STR_INIT;

	emit_man_commands(&ctx, &sibling, &out);
	has(&out, ".Ss rm\n");
	has(&out, ".Ar \"\\&REF\\[u2026]\"\n");
	has(&out, "First.\nSecond \\(dqx\\(dq.\n.Bd -literal -offset indent\nrm \\-f x\n.Ed\n");
	has(&out, ".It Fl a , Fl Fl all\nIt\\(aqs [all]: of\\eit.\n");
	has(&out, ".It Fl Fl from Ar \"\\&No\"\n\\&.dot and \\-dash.\nOne of\n.Cm a ,\n.Cm b .\n");
	lacks(&out, "ghost");
	lacks(&out, "secret");
}

int main(void)
{
	test_documented();
	test_bash();
	test_zsh();
	test_fish();
	test_man();
	return tap_done();
}
