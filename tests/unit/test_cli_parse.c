/* SPDX-License-Identifier: Apache-2.0 */
/* The grammar of options, what is said of wrong ones, and options written back as words. */
#include "pkg/base/err.h"
#include "pkg/base/str.h"
#include "pkg/cli/cli.h"
#include "tests/unit/tap.h"

struct opts {
	bool rm, tty;
	int verbose, jobs;
	const char *name, *entrypoint, *format, *only_letter;
	struct strv volume;
	enum cli_tri pull;
};

static const char *const formats[] = { "table", "json", NULL };

static const struct cli_option table[] = {
	CLI_FLAG("rm", 0, struct opts, rm, "remove it at the end"),
	CLI_FLAG("tty", 't', struct opts, tty, "a terminal"),
	CLI_COUNT("verbose", 'V', struct opts, verbose, "tell more"),
	CLI_INT("jobs", 'j', "N", struct opts, jobs, "at once"),
	CLI_STR("name", 'n', "NAME", struct opts, name, "its name"),
	CLI_STR("entrypoint", 0, "CMD", struct opts, entrypoint, "run this"),
	{ .name = "format",
		.kind = CLI_KIND_STRING,
		.metavar = "F",
		.offset = offsetof(struct opts, format),
		.text = "how",
		.choices = formats },
	CLI_STR(NULL, 'x', "X", struct opts, only_letter, "no long name"),
	{ .name = "volume",
		.letter = 'v',
		.kind = CLI_KIND_LIST,
		.metavar = "A:B",
		.offset = offsetof(struct opts, volume),
		.text = "bind",
		.alias = "vol" },
	CLI_END,
};
static const struct cli_option more[] = {
	CLI_TRI("pull", 'p', struct opts, pull, "first"),
	{ .name = "interactive", .letter = 'i', .kind = CLI_KIND_IGNORED_FLAG, .text = "no effect" },
	{ .name = "memory", .letter = 'm', .kind = CLI_KIND_IGNORED_VALUE, .text = "no effect" },
	{ .name = "volume",
		.kind = CLI_KIND_LIST,
		.metavar = "V",
		.offset = offsetof(struct opts, volume),
		.text = "again" },
	CLI_END,
};
static const struct cli_option *const tables[] = { table, more, NULL };

static char *words[32];
static int first;
static char message[512];

/* Parse words separated by '|'; the message of an error is kept. */
static int parse(struct opts *o, bool anywhere, const char *text)
{
	static char buf[512];
	struct err *err = NULL;
	int n = 0, r;
	char *s = buf;

	(void)snprintf(buf, sizeof(buf), "%s", text);
	while (*text && s) {
		words[n++] = s;
		s = strchr(s, '|');
		if (s)
			*s++ = '\0';
	}
	words[n] = NULL;
	*o = (struct opts){ 0 };
	first = -1;
	r = cli_parse(tables, o, n, words, anywhere, &first, &err);
	message[0] = '\0';
	if (err)
		(void)snprintf(message, sizeof(message), "%s%s%s", err_text(err),
			err_hint_text(err) ? "; " : "", err_hint_text(err) ? err_hint_text(err) : "");
	if (err)
		ok(err_kind(err) == ERR_USAGE, "kind of: %s", message);
	err_free(err);
	return r;
}

static void test_values(void)
{
	static const char *const forms[] = { "-v=/a:/b", "-v|/a:/b", "-v/a:/b", "--volume=/a:/b",
		"--volume|/a:/b", "--vol=/a:/b" };
	struct opts o;

	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		is_int(parse(&o, false, forms[i]), 0, forms[i]);
		is_int(o.volume.n, 1, "one value");
		is_str(o.volume.n ? o.volume.v[0] : NULL, "/a:/b", "the value");
		cli_free_options(tables, &o);
	}
	is_int(parse(&o, false, "-e"), -1, "unknown letter");
	is_int(parse(&o, false, "-v|a|--vol|b|--volume=c=d"), 0, "a list in three spellings");
	is_int(o.volume.n, 3, "all are kept");
	is_str(o.volume.v[2], "c=d", "in order, with its =");
	cli_free_options(tables, &o);
	is_int(parse(&o, false, "--name=a|--name|b|--name=c"), 0, "repeated");
	is_str(o.name, "c", "the last one wins");
	is_int(parse(&o, false, "--entrypoint=|img"), 0, "an empty value by =");
	is_str(o.entrypoint, "", "is empty");
	is_int(first, 1, "and takes no word");
	is_int(parse(&o, false, "--entrypoint||img"), 0, "an empty word");
	is_str(o.entrypoint, "", "is a value");
	is_int(first, 2, "and the operand follows");
	is_int(parse(&o, false, "--name|--rm"), 0, "a value that looks like an option");
	is_str(o.name, "--rm", "is a value");
	ok(!o.rm, "and no option");
	is_int(parse(&o, false, "--jobs=12"), 0, "a number");
	is_int(o.jobs, 12, "is read");
}

static void test_flags(void)
{
	struct opts o;

	is_int(parse(&o, false, "-ti|--rm|x|--tty"), 0, "bundled flags");
	ok(o.tty && o.rm, "both set");
	is_int(first, 2, "stops at the operand");
	is_int(parse(&o, false, "-tn|NAME|x"), 0, "a bundle that ends in a value option");
	is_str(o.name, "NAME", "takes the next word");
	is_int(parse(&o, false, "-VVtnNAME"), 0, "a bundle with a glued value");
	is_int(o.verbose, 2, "counted");
	is_str(o.name, "NAME", "glued");
	is_int(parse(&o, false, "--rm|--rm=false"), 0, "--rm=false");
	ok(!o.rm, "switches off");
	is_int(parse(&o, false, "--rm=true|-t=1"), 0, "--rm=true -t=1");
	ok(o.rm && o.tty, "switches on");
	is_int(parse(&o, false, "--rm=perhaps"), -1, "--rm=perhaps");
	is_str(message, "option '--rm': 'perhaps' is neither true nor false", "says so");
	is_int(parse(&o, false, "--pull|always"), 0, "a three-state flag");
	is_int(o.pull, CLI_YES, "is on");
	is_int(first, 1, "and takes no word");
	is_int(parse(&o, false, "--pull=false"), 0, "and =false");
	is_int(o.pull, CLI_NO, "is no");
	is_int(parse(&o, false, "-it|-m|1g|--memory=2g|--interactive=true|x"), 0, "ignored options");
	is_int(first, 5, "are read");
}

static void test_ends(void)
{
	struct opts o;

	is_int(parse(&o, false, "--rm|--|--tty"), 0, "--");
	ok(o.rm && !o.tty, "ends the options");
	is_int(first, 2, "the operand is behind it");
	is_int(parse(&o, false, "-|--rm"), 0, "a lone dash");
	is_int(first, 0, "is an operand");
	is_int(parse(&o, false, ""), 0, "nothing");
	is_int(first, 0, "is fine");
	is_int(parse(&o, true, "a|--rm|b|-n|N|c|--|-t|--"), 0, "options among operands");
	ok(o.rm && !o.tty, "only those before --");
	is_str(o.name, "N", "with values");
	is_int(first, 4, "operands are moved behind");
	is_str(words[first], "a", "first operand");
	is_str(words[first + 1], "b", "second operand");
	is_str(words[first + 2], "c", "third operand");
	is_str(words[first + 3], "-t", "and what follows --");
	is_str(words[first + 4], "--", "a second -- too");
	is_int(parse(&o, false, "--rm|--help|--nonsense"), CLI_HELP, "--help at once");
	is_int(parse(&o, false, "-h"), CLI_HELP, "-h");
	is_int(parse(&o, false, "x|--help"), 0, "behind an operand it is not ours");
	is_int(parse(&o, true, "x|--help"), CLI_HELP, "but among operands it is");
}

static void test_errors(void)
{
	struct opts o;

	is_int(parse(&o, false, "--name"), -1, "a missing value");
	is_str(message, "option '--name' needs a value (NAME)", "says what is missing");
	is_int(parse(&o, false, "-tx"), -1, "a missing value of a letter");
	is_str(message, "option '-x' needs a value (X)", "says what is missing");
	is_int(parse(&o, false, "--entripoint=x"), -1, "a mistyped name");
	is_str(message, "unknown option '--entripoint'; did you mean '--entrypoint'?", "is corrected");
	is_int(parse(&o, false, "--nmae"), -1, "two letters swapped");
	is_str(message, "unknown option '--nmae'; did you mean '--name'?", "is corrected");
	is_int(parse(&o, false, "--inter"), -1, "a word cut short");
	is_str(message, "unknown option '--inter'; did you mean '--interactive'?", "is completed");
	is_int(parse(&o, false, "--quux"), -1, "a word like no other");
	is_str(message, "unknown option '--quux'", "gets no proposal");
	is_int(parse(&o, false, "-name"), 0, "-name is -n with a glued value");
	is_str(o.name, "ame", "which it is");
	is_int(parse(&o, false, "-rm"), -1, "one dash for two");
	is_str(message, "unknown option '-rm'; did you mean '--rm'?", "is corrected");
	is_int(parse(&o, false, "-tq"), -1, "unknown in a bundle");
	is_str(message, "unknown option '-q' in '-tq'", "is named");
	is_int(parse(&o, false, "--jobs=12x"), -1, "not a number");
	is_str(message, "option '--jobs': '12x' is not a number", "says so");
	is_int(parse(&o, false, "--jobs=99999999999"), -1, "a number too large");
	is_int(parse(&o, false, "--format=xml"), -1, "none of the choices");
	is_str(message, "option '--format': 'xml' is not known; use one of: table, json", "lists them");
	is_int(parse(&o, false, "--verbose=3"), -1, "a value where none is taken");
	is_int(parse(&o, false, "--=x"), -1, "an empty name");
	is_int(parse(&o, false, "--help=x"), -1, "--help takes no value");
	is_int(parse(&o, false, "--a\033[2J"), -1, "control characters");
	ok(!strchr(message, '\033'), "do not reach the terminal: %s", message[0] ? "escaped" : "no message");
}

static void emitted(const struct opts *o, const char *want, const char *name)
{
	auto_strv out = STRV_INIT;
	autofree char *text = NULL;

	cli_emit(table, o, &out);
	cli_emit(more, o, &out);
	text = strv_join(&out, "|");
	is_str(text, want, name);
}

static void test_emit(void)
{
	struct opts o, again;
	auto_strv out = STRV_INIT;
	autofree char *text = NULL;

	is_int(parse(&o, false, ""), 0, "no options");
	emitted(&o, "", "no words");
	is_int(parse(&o, false, "-v|a:b|--entrypoint=|-VV|-j|3|--vol=c|-x||--pull=0|-t|-i"), 0,
		"many options");
	cli_emit(table, &o, &out);
	text = strv_join(&out, "|");
	is_str(text, "--tty|--verbose|--verbose|--jobs=3|--entrypoint=|-x=|--volume=a:b|--volume=c",
		"as words");
	strv_free(&o.volume);
	is_int(parse(&again, false, text), 0, "are parsed again");
	is_str(again.entrypoint, "", "the empty value came through");
	is_str(again.only_letter, "", "also behind a letter");
	is_int(again.verbose, 2, "the count too");
	is_int(again.volume.n, 2, "and the list");
	cli_free_options(tables, &again);
	is_int(parse(&o, false, "--pull=false"), 0, "three-state");
	emitted(&o, "--pull=false", "as a word");
}

static void test_nearest(void)
{
	static const char *const names[] = { "images", "inspect", "import", "rm", "rmi", "run", "ps", NULL };
	char longest[4096];

	is_str(cli_nearest("image", names), "images", "image");
	is_str(cli_nearest("ispect", names), "inspect", "ispect");
	is_str(cli_nearest("rnu", names), "run", "rnu");
	is_str(cli_nearest("docker", names), NULL, "docker");
	is_str(cli_nearest("", names), NULL, "nothing");
	is_str(cli_nearest("x", names), NULL, "one letter");
	memset(longest, 'i', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	is_str(cli_nearest(longest, names), NULL, "a very long word");
}

int main(void)
{
	test_values();
	test_flags();
	test_ends();
	test_errors();
	test_emit();
	test_nearest();
	return tap_done();
}
