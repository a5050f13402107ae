/* SPDX-License-Identifier: Apache-2.0 */
/* Help for programs and commands, as text of a given width, from the tables of cli.h. */
#include "pkg/cli/help.h"

#include <ctype.h>

#include "pkg/base/mem.h"
#include "pkg/base/str.h"
#include "pkg/base/term.h"

enum { INDENT = 2, GAP = 2, COLUMN_MAX = 32, WIDTH_MIN = 40, WIDTH_MAX = 110 };

const struct cli_option **help_tables(const struct cli_command *c)
{
	const struct cli_option **ret;
	size_t n = 0, more = 0;

	while (c && c->more_options && c->more_options[more])
		more++;
	ret = xcalloc(more + 2, sizeof(void *));
	if (c && c->options)
		ret[n++] = c->options;
	for (size_t i = 0; i < more; i++)
		ret[n++] = c->more_options[i];
	return ret;
}

/* The string functions below cannot fail: what is declared in tables is far from the ceiling of struct str. */

void help_name(struct str *out, const struct cli_program *p, const struct cli_command *c)
{
	const char *as = cli_called_as();

	(void)str_add(out, as ? as : p->name);
	if (c)
		(void)str_addf(out, " %s", help_called_command() ? help_called_command() : c->name);
}

static bool has_options(const struct cli_option *const *tables)
{
	for (; *tables; tables++) {
		for (const struct cli_option *o = *tables; o->kind != CLI_KIND_END; o++) {
			if (!o->hidden)
				return true;
		}
	}
	return false;
}

void help_usage(struct str *out, const struct cli_program *p, const struct cli_command *c)
{
	autofree const struct cli_option **tables = help_tables(c);

	help_name(out, p, c);
	if (!c)
		(void)str_add(out, " [OPTIONS] COMMAND [ARG...]");
	else if (has_options(tables))
		(void)str_add(out, " [OPTIONS]");
	if (c && c->args && c->args[0])
		(void)str_addf(out, " %s", c->args);
}

static void add_value(struct str *out, const struct cli_option *o, bool is_long)
{
	switch (o->kind) {
	case CLI_KIND_STRING:
	case CLI_KIND_LIST:
	case CLI_KIND_INT:
	case CLI_KIND_IGNORED_VALUE:
	case CLI_KIND_NOTED_VALUE:
		(void)str_addf(out, " %s", o->metavar ? o->metavar : "VALUE");
		break;
	case CLI_KIND_OPTBOOL:
		(void)str_add(out, is_long ? "[=true|false]" : "");
		break;
	default:
		break;
	}
}

void help_spelling(struct str *out, const struct cli_option *o)
{
	const char *comma = "";

	if (o->letter) {
		(void)str_addf(out, "-%c", o->letter);
		comma = ", ";
	}
	if (o->name) {
		(void)str_addf(out, "%s--%s", comma, o->name);
		comma = ", ";
	}
	if (o->alias)
		(void)str_addf(out, "%s--%s", comma, o->alias);
	add_value(out, o, o->name != NULL);
}

void help_wrap(struct str *out, const char *text, int column, int indent, int width)
{
	bool first = true;

	while (*text) {
		size_t len;

		text += strspn(text, " \n\t");
		len = strcspn(text, " \n\t");
		if (!len)
			break;
		if (!first && column + 1 + (int)len > width) {
			(void)str_add_char(out, '\n');
			(void)str_add_repeat(out, ' ', (size_t)indent);
			column = indent;
		} else if (!first) {
			(void)str_add_char(out, ' ');
			column++;
		}
		(void)str_add_mem(out, text, len);
		column += (int)len;
		text += len;
		first = false;
	}
}

void help_sentence(struct str *out, const char *summary)
{
	size_t at = out->len;

	(void)str_add(out, summary);
	if (out->len > at)
		out->data[at] = (char)toupper((unsigned char)out->data[at]);
	(void)str_add(out, ".");
}

/* Paragraphs are wrapped, lines that begin with a blank stay as they are. */
static void add_about(struct str *out, const char *about, int width)
{
	while (about && *about) {
		size_t len = strcspn(about, "\n");

		if (*about == '\n') {
			(void)str_add_char(out, '\n');
			about++;
			continue;
		}
		if (*about != ' ') {
			autofree char *text = NULL;
			const char *end = strstr(about, "\n\n");

			text = end ? xstrndup(about, (size_t)(end - about)) : xstrdup(about);
			len = strlen(text);
			help_wrap(out, text, 0, 0, width);
		} else {
			(void)str_add_mem(out, about, len);
		}
		(void)str_add_char(out, '\n');
		about += len;
		about += *about == '\n';
	}
}

/* One row of two columns; the second begins on a line of its own when the first is too wide. */
static void add_row(struct str *out, const char *left, const char *right, int column, int width)
{
	int used = INDENT + (int)strlen(left);

	(void)str_add_repeat(out, ' ', INDENT);
	(void)str_add(out, left);
	if (used + GAP > column) {
		(void)str_add_char(out, '\n');
		used = 0;
	}
	(void)str_add_repeat(out, ' ', (size_t)(column - used));
	help_wrap(out, right, column, column, width);
	(void)str_add_char(out, '\n');
}

static void option_left(struct str *out, const struct cli_option *o, bool letters)
{
	if (letters && !o->letter)
		(void)str_add(out, "    ");
	help_spelling(out, o);
}

static bool any_letter(const struct cli_option *const *tables)
{
	for (; *tables; tables++) {
		for (const struct cli_option *o = *tables; o->kind != CLI_KIND_END; o++) {
			if (o->letter && !o->hidden)
				return true;
		}
	}
	return false;
}

static int option_column(const struct cli_option *const *tables, bool letters, int least)
{
	int column = least;

	for (; *tables; tables++) {
		for (const struct cli_option *o = *tables; o->kind != CLI_KIND_END; o++) {
			auto_str left = STR_INIT;

			option_left(&left, o, letters);
			if (!o->hidden && INDENT + (int)left.len + GAP > column &&
				INDENT + (int)left.len + GAP <= COLUMN_MAX)
				column = INDENT + (int)left.len + GAP;
		}
	}
	return column;
}

static void option_right(struct str *out, const struct cli_option *o)
{
	(void)str_add(out, o->text ? o->text : "");
	for (const char *const *c = o->choices; c && *c; c++)
		(void)str_addf(out, "%s%s", c == o->choices ? " (" : "|", *c);
	(void)str_add(out, o->choices && *o->choices ? ")" : "");
}

static void add_options(struct str *out, const struct cli_option *const *tables, bool version, int width)
{
	bool letters = any_letter(tables) || version;
	int column = option_column(tables, letters, letters ? 20 : 16);

	(void)str_add(out, "\nOptions:\n");
	for (const struct cli_option *const *t = tables; *t; t++) {
		for (const struct cli_option *o = *t; o->kind != CLI_KIND_END; o++) {
			auto_str left = STR_INIT, right = STR_INIT;

			if (o->hidden)
				continue;
			option_left(&left, o, letters);
			option_right(&right, o);
			add_row(out, str_text(&left), str_text(&right), column, width);
		}
	}
	add_row(out, letters ? "    --help" : "--help", "show this text", column, width);
	if (version)
		add_row(out, "-V, --version", "show the version", column, width);
}

static int command_column(const struct cli_program *p)
{
	int column = 14;

	for (const struct cli_command *const *c = p->commands; *c; c++) {
		int need = INDENT + (int)strlen((*c)->name) + GAP;

		if (!(*c)->hidden && need > column && need <= COLUMN_MAX)
			column = need;
	}
	return column;
}

void help_program_text(struct str *out, const struct cli_program *p, int width)
{
	static const struct cli_option none[] = { CLI_END };
	const struct cli_option *const tables[] = { p->options ? p->options : none, NULL };
	int column = command_column(p);

	(void)str_add(out, "Usage: ");
	help_usage(out, p, NULL);
	(void)str_add(out, "\n\n");
	help_sentence(out, p->summary);
	(void)str_add(out, "\n");
	if (p->about) {
		(void)str_add(out, "\n");
		add_about(out, p->about, width);
	}
	(void)str_add(out, "\nCommands:\n");
	for (const struct cli_command *const *c = p->commands; *c; c++) {
		if (!(*c)->hidden)
			add_row(out, (*c)->name, (*c)->summary, column, width);
	}
	add_options(out, tables, true, width);
	(void)str_add(out, "\n'");
	help_name(out, p, NULL);
	(void)str_add(out, " COMMAND --help' tells more of a command.\n");
}

/* Called by the wrapper, what begins with the program and its command begins with the wrapper's. */
static void add_example(struct str *out, const struct cli_program *p, const struct cli_command *c,
	const char *line, size_t len)
{
	autofree char *ours = xasprintf("%s %s ", p->name, c->name);
	const char *command = cli_called_as() ? help_called_command() : NULL;

	if (command && str_starts(line, ours)) {
		(void)str_addf(out, "%s %s ", cli_called_as(), command);
		line += strlen(ours);
		len -= strlen(ours);
	}
	(void)str_add_mem(out, line, len);
}

void help_command_text(struct str *out, const struct cli_program *p, const struct cli_command *c, int width)
{
	autofree const struct cli_option **tables = help_tables(c);

	(void)str_add(out, "Usage: ");
	help_usage(out, p, c);
	(void)str_add(out, "\n\n");
	help_sentence(out, c->summary);
	(void)str_add(out, "\n");
	if (c->about) {
		(void)str_add(out, "\n");
		add_about(out, c->about, width);
	}
	add_options(out, (const struct cli_option *const *)tables, false, width);
	if (c->examples) {
		(void)str_add(out, "\nExamples:\n");
		for (const char *line = c->examples; *line; line += strspn(line, "\n")) {
			size_t len = strcspn(line, "\n");

			(void)str_add(out, "  ");
			add_example(out, p, c, line, len);
			(void)str_add(out, "\n");
			line += len;
		}
	}
}

static int stdout_width(void)
{
	int width = term_width(STDOUT_FILENO);

	return width < WIDTH_MIN ? WIDTH_MIN : width > WIDTH_MAX ? WIDTH_MAX : width;
}

/* A failed write is seen by cli_main(), which checks stdout at the end. */
void cli_help_program(const struct cli_program *p)
{
	auto_str out = STR_INIT;

	help_program_text(&out, p, stdout_width());
	(void)fputs(str_text(&out), stdout);
}

void cli_help_command(const struct cli_program *p, const struct cli_command *c)
{
	auto_str out = STR_INIT;

	help_command_text(&out, p, c, stdout_width());
	(void)fputs(str_text(&out), stdout);
}
