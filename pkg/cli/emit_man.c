/* SPDX-License-Identifier: Apache-2.0 */
/* Options and commands as sections of a manual page, in mdoc(7). The pages around them are written by hand. */
#include "pkg/base/mem.h"
#include "pkg/base/str.h"
#include "pkg/cli/emit.h"
#include "pkg/cli/help.h"

/* One character of UTF-8 as \[uXXXX]; returns how many bytes it took. */
static size_t add_unicode(const unsigned char *s, struct str *out)
{
	size_t n = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
	unsigned code = s[0] & (0xffu >> (n + 1));

	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 1; /* our own tables are UTF-8 */
		code = code << 6 | (s[i] & 0x3fu);
	}
	(void)str_addf(out, "\\[u%04X]", code);
	return n;
}

static void add_escaped(const char *text, size_t len, struct str *out)
{
	for (size_t i = 0; i < len;) {
		unsigned char c = (unsigned char)text[i];

		if (c >= 0x80) {
			i += add_unicode((const unsigned char *)text + i, out);
			continue;
		}
		if (c == '\\')
			(void)str_add(out, "\\e");
		else if (c == '-')
			(void)str_add(out, "\\-");
		else if (c == '`')
			(void)str_add(out, "\\(ga");
		else if (c == '\'')
			(void)str_add(out, "\\(aq");
		else if (c == '"')
			(void)str_add(out, "\\(dq");
		else
			(void)str_add_char(out, (char)c);
		i++;
	}
}

void emit_man_word(const char *word, struct str *out)
{
	(void)str_add(out, "\"\\&"); /* so that a word like No or Ar is no macro, and "|" no delimiter */
	add_escaped(word, strlen(word), out);
	(void)str_add(out, "\"");
}

/* A line of text; one that begins with a dot is no macro. */
static void add_line(const char *text, size_t len, struct str *out)
{
	if (len && (*text == '.' || *text == ' '))
		(void)str_add(out, "\\&");
	add_escaped(text, len, out);
	(void)str_add_char(out, '\n');
}

/* Sentences begin on lines of their own, as mdoc wants it. */
static void add_sentences(const char *text, size_t len, struct str *out)
{
	size_t start = 0;

	for (size_t i = 0; i + 1 < len; i++) {
		bool end = (text[i] == '.' || text[i] == ':') && text[i + 1] == ' ' && text[i] == '.';

		if (end || text[i] == '\n') {
			add_line(text + start, i - start + end, out);
			start = i + 1 + end;
		}
	}
	if (start < len)
		add_line(text + start, len - start, out);
}

/* Lines that begin with a blank, as they are. Returns what follows. */
static const char *add_literal(const char *text, struct str *out)
{
	(void)str_add(out, ".Bd -literal -offset indent\n");
	while (*text == ' ') {
		size_t blanks = strspn(text, " "), len = strcspn(text, "\n");

		add_line(text + (blanks < len ? blanks : len), blanks < len ? len - blanks : 0, out);
		text += len;
		text += *text == '\n';
	}
	(void)str_add(out, ".Ed\n");
	return text;
}

void emit_man_text(const char *text, struct str *out)
{
	bool first = true;

	while (*text) {
		const char *end;

		text += strspn(text, "\n");
		if (!*text)
			break;
		if (*text == ' ') {
			text = add_literal(text, out);
			continue;
		}
		if (!first)
			(void)str_add(out, ".Pp\n");
		first = false;
		end = strstr(text, "\n\n");
		if (!end)
			end = text + strlen(text);
		add_sentences(text, (size_t)(end - text), out);
		text = end;
	}
}

/* The spellings of an option as arguments of .It. */
static void add_flags(const struct cli_option *o, struct str *out)
{
	const char *comma = "";

	if (o->letter) {
		(void)str_addf(out, " Fl %c", o->letter);
		comma = " ,";
	}
	if (o->name) {
		(void)str_addf(out, "%s Fl Fl ", comma);
		add_escaped(o->name, strlen(o->name), out);
		comma = " ,";
	}
	if (o->alias) {
		(void)str_addf(out, "%s Fl Fl ", comma);
		add_escaped(o->alias, strlen(o->alias), out);
	}
}

static void add_option(const struct cli_option *o, void *arg)
{
	struct str *out = arg;

	(void)str_add(out, ".It");
	add_flags(o, out);
	if (emit_takes_value(o)) {
		(void)str_add(out, " Ar ");
		emit_man_word(o->metavar ? o->metavar : "VALUE", out);
	} else if (o->kind == CLI_KIND_OPTBOOL) {
		(void)str_add(out, " Op = Ns Ar true Ns | Ns Ar false");
	}
	(void)str_add_char(out, '\n');
	if (o->text && *o->text) {
		auto_str text = STR_INIT;

		help_sentence(&text, o->text);
		emit_man_text(str_text(&text), out);
	}
	for (const char *const *c = o->choices; c && *c; c++)
		(void)str_addf(
			out, "%s.Cm %s%s\n", c == o->choices ? "One of\n" : "", *c, c[1] ? " ," : " .");
}

void emit_man_options(const struct cli_program *p, struct str *out)
{
	const struct cli_option *const tables[] = { p->options, NULL };

	(void)str_add(out, ".Bl -tag -width Ds\n");
	emit_each_option(tables, add_option, out);
	(void)str_add(out, ".It Fl Fl help\nShow help.\n.It Fl V , Fl Fl version\nShow the version.\n.El\n");
}

static void has_one(const struct cli_option *o UNUSED, void *arg)
{
	*(bool *)arg = true;
}

static void add_examples(const char *examples, struct str *out)
{
	(void)str_add(out, ".Pp\nExamples:\n.Bd -literal -offset indent\n");
	while (*examples) {
		size_t len = strcspn(examples, "\n"), blanks = strspn(examples, " ");

		if (len > blanks)
			add_line(examples + blanks, len - blanks, out);
		examples += len;
		examples += *examples == '\n';
	}
	(void)str_add(out, ".Ed\n");
}

static void add_command(const struct emit_context *ctx, const struct cli_command *c, struct str *out)
{
	const struct cli_command *d = emit_documented(ctx, c);
	autofree const struct cli_option **tables = help_tables(d);
	const char *args = c->args ? c->args : d->args;
	auto_str summary = STR_INIT;
	bool options = false;

	emit_each_option((const struct cli_option *const *)tables, has_one, &options);
	(void)str_addf(out, ".Ss %s\n.Bd -ragged\n.Nm\n.Cm %s\n", c->name, c->name);
	if (options)
		(void)str_add(out, ".Op Ar options\n");
	if (args && *args) {
		(void)str_add(out, ".Ar ");
		emit_man_word(args, out);
		(void)str_add_char(out, '\n');
	}
	(void)str_add(out, ".Ed\n.Pp\n");
	help_sentence(&summary, c->summary);
	emit_man_text(str_text(&summary), out);
	if (d->about) {
		(void)str_add(out, ".Pp\n");
		emit_man_text(d->about, out);
	}
	if (options) {
		(void)str_add(out, ".Bl -tag -width Ds\n");
		emit_each_option((const struct cli_option *const *)tables, add_option, out);
		(void)str_add(out, ".El\n");
	}
	/* The sibling's examples name the sibling. */
	if (c->examples)
		add_examples(c->examples, out);
}

void emit_man_commands(const struct emit_context *ctx, const struct cli_program *p, struct str *out)
{
	for (const struct cli_command *const *c = p->commands; *c; c++) {
		if (!(*c)->hidden)
			add_command(ctx, *c, out);
	}
}
