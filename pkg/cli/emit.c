/* SPDX-License-Identifier: Apache-2.0 */
/* What the emitters of completions and man pages share. */
#include "pkg/cli/emit.h"

#include "pkg/base/mem.h"
#include "pkg/base/str.h"

const struct cli_command *emit_documented(const struct emit_context *ctx, const struct cli_command *c)
{
	const char *name = c->forward_as ? c->forward_as : c->name;

	if (!c->forward_to)
		return c;
	for (const struct cli_program *const *p = ctx->programs; *p; p++) {
		if (!str_eq((*p)->name, c->forward_to))
			continue;
		for (const struct cli_command *const *s = (*p)->commands; *s; s++) {
			if (str_eq((*s)->name, name))
				return *s;
		}
	}
	return c;
}

void emit_template(const char *text, const char *name, struct str *out)
{
	for (;;) {
		const char *mark = strstr(text, "@F@");

		if (!mark)
			break;
		(void)str_add_mem(out, text, (size_t)(mark - text));
		(void)str_add(out, name);
		text = mark + 3;
	}
	(void)str_add(out, text);
}

char *emit_identifier(const struct cli_program *p)
{
	char *name = xstrdup(p->name);

	for (char *s = name; *s; s++) {
		if (*s == '-')
			*s = '_';
	}
	return name;
}

bool emit_takes_value(const struct cli_option *o)
{
	return o->kind == CLI_KIND_STRING || o->kind == CLI_KIND_LIST || o->kind == CLI_KIND_INT ||
	       o->kind == CLI_KIND_IGNORED_VALUE || o->kind == CLI_KIND_NOTED_VALUE;
}

bool emit_only_first(const struct cli_command *c)
{
	return !c->options_anywhere && c->args && (strstr(c->args, "CMD") || strstr(c->args, "COMMAND"));
}

void emit_each_option(const struct cli_option *const *tables, emit_option_fn *fn, void *arg)
{
	for (; *tables; tables++) {
		for (const struct cli_option *o = *tables; o->kind != CLI_KIND_END; o++) {
			if (!o->hidden)
				fn(o, arg);
		}
	}
}
