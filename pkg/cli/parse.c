/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Words to structs and back, by the tables of cli.h. The grammar is GNU's, with -o=V besides (udocker 1.3.x, docker). Nothing here prints.
 */
#include "pkg/cli/cli.h"

#include <limits.h>

#include "pkg/base/err.h"
#include "pkg/base/mem.h"
#include "pkg/base/num.h"
#include "pkg/base/str.h"

struct parser {
	const struct cli_option *const *tables;
	char *out;
	int argc;
	char **argv;
	int at; /* the word being read; behind its value when an option has taken one */
	struct err **err;
};

static void *field(char *out, const struct cli_option *o)
{
	return out + o->offset;
}

static bool takes_value(const struct cli_option *o)
{
	switch (o->kind) {
	case CLI_KIND_STRING:
	case CLI_KIND_LIST:
	case CLI_KIND_INT:
	case CLI_KIND_IGNORED_VALUE:
	case CLI_KIND_NOTED_VALUE:
		return true;
	default:
		return false;
	}
}

static bool name_is(const char *name, const char *word, size_t len)
{
	return name && strlen(name) == len && memcmp(name, word, len) == 0;
}

static const struct cli_option *find_long(const struct parser *p, const char *word, size_t len)
{
	for (const struct cli_option *const *t = p->tables; *t; t++) {
		for (const struct cli_option *o = *t; o->kind != CLI_KIND_END; o++) {
			if (name_is(o->name, word, len) || name_is(o->alias, word, len))
				return o;
		}
	}
	return NULL;
}

static const struct cli_option *find_letter(const struct parser *p, char letter)
{
	for (const struct cli_option *const *t = p->tables; *t; t++) {
		for (const struct cli_option *o = *t; o->kind != CLI_KIND_END; o++) {
			if (o->letter && o->letter == letter)
				return o;
		}
	}
	return NULL;
}

/* ---- unknown words -------------------------------------------------------------------------------- */

enum { NEAREST_MAX = 48 };

/* Edit distance in which swapping two neighbours is one edit. Both words are at most NEAREST_MAX long. */
static int distance(const char *a, const char *b)
{
	int row[3][NEAREST_MAX + 1];
	int la = (int)strlen(a), lb = (int)strlen(b);

	for (int j = 0; j <= lb; j++)
		row[0][j] = j;
	for (int i = 1; i <= la; i++) {
		int *now = row[i % 3], *before = row[(i + 2) % 3], *older = row[(i + 1) % 3];

		now[0] = i;
		for (int j = 1; j <= lb; j++) {
			int d = before[j - 1] + (a[i - 1] != b[j - 1]);

			if (before[j] + 1 < d)
				d = before[j] + 1;
			if (now[j - 1] + 1 < d)
				d = now[j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
				older[j - 2] + 1 < d)
				d = older[j - 2] + 1;
			now[j] = d;
		}
	}
	return row[la % 3][lb];
}

const char *cli_nearest(const char *word, const char *const *candidates)
{
	size_t len = strlen(word);
	const char *best = NULL;
	int best_d = ((int)len + 2) / 3;

	if (len < 2 || len > NEAREST_MAX)
		return NULL;
	for (; *candidates; candidates++) {
		int d;

		if (strlen(*candidates) > NEAREST_MAX)
			continue;
		/* A word cut short is as good as one letter wrong. */
		d = len >= 3 && str_starts(*candidates, word) ? 1 : distance(word, *candidates);
		if (d < best_d || (d == best_d && !best)) {
			best_d = d;
			best = *candidates;
		}
	}
	return best;
}

static int unknown_long(const struct parser *p, const char *word, size_t len)
{
	autofree char *given = xstrndup(word, len);
	autofree const char **names = NULL;
	size_t n = 0, cap = 0;
	const char *near;

	for (const struct cli_option *const *t = p->tables; *t; t++) {
		for (const struct cli_option *o = *t; o->kind != CLI_KIND_END; o++) {
			if (!o->name || o->hidden)
				continue;
			names = mem_grow(names, &cap, n + 3, sizeof(*names));
			names[n++] = o->name;
			if (o->alias)
				names[n++] = o->alias;
		}
	}
	names = mem_grow(names, &cap, n + 2, sizeof(*names));
	names[n++] = "help";
	names[n] = NULL;
	near = cli_nearest(given, names);
	(void)err_make(p->err, ERR_USAGE, "unknown option '--%s'", given);
	return near ? err_hint(p->err, "did you mean '--%s'?", near) : -1;
}

static int unknown_letter(const struct parser *p, const char *word, char letter)
{
	if (word[1] == letter && find_long(p, word + 1, strcspn(word + 1, "=")) && word[2]) {
		(void)err_make(p->err, ERR_USAGE, "unknown option '%s'", word);
		return err_hint(p->err, "did you mean '-%s'?", word);
	}
	if (word[2])
		return err_make(p->err, ERR_USAGE, "unknown option '-%c' in '%s'", letter, word);
	return err_make(p->err, ERR_USAGE, "unknown option '%s'", word);
}

/* ---- values --------------------------------------------------------------------------------------- */

static char *spelling(const struct cli_option *o)
{
	return o->name ? xasprintf("--%s", o->name) : xasprintf("-%c", o->letter);
}

static int check_choice(const struct parser *p, const struct cli_option *o, const char *value)
{
	autofree char *name = spelling(o);
	auto_str list = STR_INIT;

	if (!o->choices)
		return 0;
	for (const char *const *c = o->choices; *c; c++) {
		if (str_eq(*c, value))
			return 0;
		(void)str_addf(&list, "%s%s", list.len ? ", " : "", *c);
	}
	(void)err_make(p->err, ERR_USAGE, "option '%s': '%s' is not known", name, value);
	return err_hint(p->err, "use one of: %s", str_text(&list));
}

static void note(const struct parser *p, const struct cli_option *o, const char *name)
{
	if (!strv_has(field(p->out, o), name))
		strv_add(field(p->out, o), name);
}

static int set_value(const struct parser *p, const struct cli_option *o, char *value)
{
	autofree char *name = spelling(o);

	if (check_choice(p, o, value) < 0)
		return -1;
	switch (o->kind) {
	case CLI_KIND_STRING:
		*(const char **)field(p->out, o) = value;
		return 0;
	case CLI_KIND_LIST:
		strv_add(field(p->out, o), value);
		return 0;
	case CLI_KIND_INT:
		if (num_parse_int(value, INT_MIN, INT_MAX, field(p->out, o)) < 0)
			return err_make(p->err, ERR_USAGE, "option '%s': '%s' is not a number", name, value);
		return 0;
	case CLI_KIND_NOTED_VALUE:
		note(p, o, name);
		return 0;
	default:
		return 0;
	}
}

/* A flag, with `value` behind "=" or NULL. */
static int set_flag(const struct parser *p, const struct cli_option *o, const char *value)
{
	autofree char *name = spelling(o);
	bool on = true;

	if (o->kind == CLI_KIND_IGNORED_FLAG)
		return 0;
	if (o->kind == CLI_KIND_NOTED_FLAG) {
		note(p, o, name);
		return 0;
	}
	if (value && o->kind == CLI_KIND_COUNT)
		return err_make(p->err, ERR_USAGE, "option '%s' takes no value", name);
	if (value && num_parse_bool(value, &on) < 0)
		return err_make(
			p->err, ERR_USAGE, "option '%s': '%s' is neither true nor false", name, value);
	if (o->kind == CLI_KIND_COUNT)
		++*(int *)field(p->out, o);
	else if (o->kind == CLI_KIND_OPTBOOL)
		*(enum cli_tri *)field(p->out, o) = on ? CLI_YES : CLI_NO;
	else
		*(bool *)field(p->out, o) = on;
	return 0;
}

static int set_next_word(struct parser *p, const struct cli_option *o)
{
	autofree char *name = spelling(o);

	if (p->at + 1 >= p->argc)
		return err_make(p->err, ERR_USAGE, "option '%s' needs a value (%s)", name,
			o->metavar ? o->metavar : "VALUE");
	return set_value(p, o, p->argv[++p->at]);
}

/* ---- words ---------------------------------------------------------------------------------------- */

static int parse_long(struct parser *p, char *word)
{
	char *value = strchr(word, '=');
	size_t len = value ? (size_t)(value - word) : strlen(word);
	const struct cli_option *o = find_long(p, word, len);

	if (value)
		value++;
	if (!o && !value && name_is("help", word, len))
		return CLI_HELP;
	if (!o)
		return unknown_long(p, word, len);
	if (!takes_value(o))
		return set_flag(p, o, value);
	return value ? set_value(p, o, value) : set_next_word(p, o);
}

static int parse_letters(struct parser *p, char *word)
{
	for (char *s = word + 1; *s; s++) {
		const struct cli_option *o = find_letter(p, *s);
		bool equals = s[1] == '=';

		if (!o && *s == 'h')
			return CLI_HELP;
		if (!o)
			return unknown_letter(p, word, *s);
		if (takes_value(o) && s[1])
			return set_value(p, o, s + 1 + equals);
		if (takes_value(o))
			return set_next_word(p, o);
		if (set_flag(p, o, equals ? s + 2 : NULL) < 0)
			return -1;
		if (equals)
			return 0;
	}
	return 0;
}

/* Read options until an operand or the end, p->at behind them. With `ended`, tells whether -- was met. */
static int parse_run(struct parser *p, bool *ended)
{
	for (; p->at < p->argc; p->at++) {
		char *word = p->argv[p->at];
		int r;

		if (word[0] != '-' || !word[1])
			return 0;
		if (str_eq(word, "--")) {
			p->at++;
			*ended = true;
			return 0;
		}
		r = word[1] == '-' ? parse_long(p, word + 2) : parse_letters(p, word);
		if (r != 0)
			return r;
	}
	return 0;
}

/* Options among the operands: both kinds are collected, then laid back into argv, operands last. */
static int parse_anywhere(struct parser *p, int *ret_first)
{
	autofree char **options = xcalloc((size_t)p->argc + 1, sizeof(*options));
	autofree char **operands = xcalloc((size_t)p->argc + 1, sizeof(*operands));
	size_t n_options = 0, n_operands = 0;
	bool ended = false;

	while (p->at < p->argc) {
		int from = p->at;
		int r = ended ? 0 : parse_run(p, &ended);

		if (r != 0)
			return r;
		for (; from < p->at; from++)
			options[n_options++] = p->argv[from];
		if (p->at < p->argc)
			operands[n_operands++] = p->argv[p->at++];
	}
	for (size_t i = 0; i < n_options; i++)
		p->argv[i] = options[i];
	for (size_t i = 0; i < n_operands; i++)
		p->argv[n_options + i] = operands[i];
	*ret_first = (int)n_options;
	return 0;
}

int cli_parse(const struct cli_option *const *tables, void *out, int argc, char **argv, bool anywhere,
	int *ret_first, struct err **err)
{
	struct parser p = { .tables = tables, .out = out, .argc = argc, .argv = argv, .err = err };
	bool ended = false;
	int r;

	if (anywhere)
		return parse_anywhere(&p, ret_first);
	r = parse_run(&p, &ended);
	if (r == 0)
		*ret_first = p.at;
	return r;
}

void cli_free_options(const struct cli_option *const *tables, void *out)
{
	for (const struct cli_option *const *t = tables; *t; t++) {
		for (const struct cli_option *o = *t; o->kind != CLI_KIND_END; o++) {
			if (o->kind == CLI_KIND_LIST || o->kind == CLI_KIND_NOTED_FLAG ||
				o->kind == CLI_KIND_NOTED_VALUE)
				strv_free(field(out, o));
		}
	}
}

/* ---- and back ------------------------------------------------------------------------------------- */

static void emit_word(const struct cli_option *o, const char *value, struct strv *ret)
{
	if (o->name && value)
		strv_addf(ret, "--%s=%s", o->name, value);
	else if (o->name)
		strv_addf(ret, "--%s", o->name);
	else if (value)
		strv_addf(ret, "-%c=%s", o->letter, value);
	else
		strv_addf(ret, "-%c", o->letter);
}

static void emit_option(const struct cli_option *o, const void *at, struct strv *ret)
{
	const struct strv *list = at;
	char number[16];

	switch (o->kind) {
	case CLI_KIND_FLAG:
		if (*(const bool *)at)
			emit_word(o, NULL, ret);
		break;
	case CLI_KIND_COUNT:
		for (int i = 0; i < *(const int *)at; i++)
			emit_word(o, NULL, ret);
		break;
	case CLI_KIND_STRING:
		if (*(const char *const *)at)
			emit_word(o, *(const char *const *)at, ret);
		break;
	case CLI_KIND_LIST:
		for (size_t i = 0; i < list->n; i++)
			emit_word(o, list->v[i], ret);
		break;
	case CLI_KIND_INT:
		if (*(const int *)at) {
			(void)snprintf(number, sizeof(number), "%d", *(const int *)at); /* fits */
			emit_word(o, number, ret);
		}
		break;
	case CLI_KIND_OPTBOOL:
		if (*(const enum cli_tri *)at != CLI_UNSET)
			emit_word(o, *(const enum cli_tri *)at == CLI_YES ? "true" : "false", ret);
		break;
	default:
		break;
	}
}

/* Two rows for one field are two spellings of it: the first one speaks. */
static bool is_repeated(const struct cli_option *table, const struct cli_option *o)
{
	for (const struct cli_option *e = table; e != o; e++) {
		if (e->kind == o->kind && e->offset == o->offset)
			return true;
	}
	return false;
}

void cli_emit(const struct cli_option *table, const void *opts, struct strv *ret)
{
	for (const struct cli_option *o = table; o->kind != CLI_KIND_END; o++) {
		if (!is_repeated(table, o))
			emit_option(o, (const char *)opts + o->offset, ret);
	}
}
