/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of settings and of the engines' answers in mdoc(7). */
#include "cmd/gendocs/sections.h"

#include "engines/engine.h"
#include "engines/limits.h"
#include "pkg/base/mem.h"
#include "pkg/base/str.h"
#include "pkg/base/strv.h"
#include "pkg/cli/emit.h"
#include "pkg/conf/conf.h"

static const char *type_name(enum conf_type type)
{
	switch (type) {
	case CONF_PATH:
		return "path";
	case CONF_INT:
		return "number";
	case CONF_SIZE:
		return "size";
	case CONF_BOOL:
		return "true or false";
	case CONF_LIST:
		return "list";
	case CONF_MODE:
		return "mode";
	default:
		return "text";
	}
}

void sections_settings(struct str *out)
{
	const struct conf_row *rows = conf_table();

	(void)str_add(out, ".Bl -tag -width Ds\n");
	for (int i = 0; i < CONF_N; i++) {
		const struct conf_row *row = &rows[i];

		(void)str_addf(out, ".It Cm %s Pq %s\n", row->name, type_name(row->type));
		emit_man_text(row->text, out);
		(void)str_add(out, ".Pp\n");
		if (*row->value) {
			(void)str_add(out, "Default:\n.Li ");
			emit_man_word(row->value, out);
			(void)str_add(out, row->env ? "\n" : " .\n");
		} else {
			(void)str_add(out, "Unset by default.\n");
		}
		if (row->env)
			(void)str_addf(out, ".Pq variable Ev %s\n", row->env);
	}
	(void)str_add(out, ".El\n");
}

void sections_variables(struct str *out)
{
	const struct conf_row *rows = conf_table();

	(void)str_add(out, ".Bl -tag -width Ds -compact\n");
	for (int i = 0; i < CONF_N; i++) {
		if (rows[i].env)
			(void)str_addf(out, ".It Ev %s\n.Cm %s\n", rows[i].env, rows[i].name);
	}
	(void)str_add(out, ".El\n");
}

char *sections_mode_words(void)
{
	auto_str out = STR_INIT;

	for (const struct engine *const *e = engine_table; *e; e++) {
		for (const char *const *m = (*e)->modes; *m; m++) {
			if (!strstr(str_text(&out), *m))
				(void)str_addf(&out, "%s%s", out.len ? " " : "", *m);
		}
	}
	(void)str_add(&out, " auto");
	return str_steal(&out);
}

void sections_modes(struct str *out)
{
	(void)str_add(
		out, ".Bl -column \"engine\" \"modes\" \"kind\"\n.It Sy engine Ta Sy modes Ta Sy kind\n");
	for (const struct engine *const *e = engine_table; *e; e++) {
		(void)str_addf(out, ".It %s Ta", (*e)->name);
		for (const char *const *m = (*e)->modes; *m; m++)
			(void)str_addf(out, " %s", *m);
		(void)str_addf(out, " Ta %s\n", (*e)->kind == ENGINE_DIRECT ? "direct" : "OCI runtime");
	}
	(void)str_add(out, ".El\n");
}

/* Every property that some engine has an answer for, sorted. */
static void all_properties(struct strv *ret)
{
	for (const struct engine *const *e = engine_table; *e; e++) {
		for (const struct engine_answer *a = (*e)->answers; a->property; a++) {
			if (!strv_has(ret, a->property))
				strv_add(ret, a->property);
		}
	}
	strv_sort(ret);
}

static const char *how_name(const struct engine_answer *a)
{
	static const char *const names[] = {
		[ENGINE_APPLIES] = "applied",
		[ENGINE_EMULATES] = "emulated",
		[ENGINE_IGNORES] = "ignored",
		[ENGINE_REFUSES] = "refused",
	};

	return a ? names[a->how] : "ignored";
}

static bool same_answer(const struct engine *a, const struct engine *b, const char *property)
{
	const struct engine_answer *x = engine_answer_for(a, property), *y = engine_answer_for(b, property);

	return str_eq(how_name(x), how_name(y)) && str_eq(x ? x->note : NULL, y ? y->note : NULL);
}

/* The names of e and of those behind it that answer the same; "" if one before e has done so. */
static void engines_alike(const struct engine *const *e, const char *property, struct str *ret)
{
	for (const struct engine *const *f = engine_table; f != e; f++) {
		if (same_answer(*f, *e, property))
			return;
	}
	(void)str_add(ret, (*e)->name);
	for (const struct engine *const *f = e + 1; *f; f++) {
		if (same_answer(*f, *e, property))
			(void)str_addf(ret, ", %s", (*f)->name);
	}
}

static void add_answer(const char *property, struct str *out)
{
	(void)str_add(out, ".It Li ");
	emit_man_word(property, out);
	(void)str_add_char(out, '\n');
	for (const struct engine *const *e = engine_table; *e; e++) {
		const struct engine_answer *a = engine_answer_for(*e, property);
		auto_str names = STR_INIT;

		engines_alike(e, property, &names);
		if (!names.len)
			continue;
		if (e != engine_table)
			(void)str_add(out, ".br\n");
		(void)str_addf(out, "%s: %s", str_text(&names), how_name(a));
		if (a && a->note && *a->note) {
			(void)str_add(out, ":\n");
			emit_man_text(a->note, out);
		} else {
			(void)str_add_char(out, '\n');
		}
	}
}

void sections_answers(struct str *out)
{
	auto_strv properties = STRV_INIT;

	all_properties(&properties);
	(void)str_add(out, ".Bl -tag -width Ds\n");
	for (size_t i = 0; i < properties.n; i++)
		add_answer(properties.v[i], out);
	(void)str_add(out, ".El\n");
}

/* The rows of one work, one a line. */
static void add_limit(const struct engine_limit *l, struct str *out)
{
	(void)str_addf(out, "%s", l->modes);
	if (l->engine)
		(void)str_addf(out, " with %s", l->engine);
	if (*l->guests)
		(void)str_addf(out, " (guests: %s)", l->guests);
	(void)str_add(out, ":\n");
	emit_man_text(l->note, out);
}

void sections_limits(struct str *out)
{
	(void)str_add(out, ".Bl -tag -width Ds\n");
	for (const struct engine_limit *l = engine_limits; l->work; l++) {
		if (l == engine_limits || !str_eq(l->work, l[-1].work))
			(void)str_addf(out, ".It Li %s\n", l->work);
		else
			(void)str_add(out, ".br\n");
		add_limit(l, out);
	}
	(void)str_add(out, ".El\n");
}
