/* SPDX-License-Identifier: Apache-2.0 */
/* list: the containers of the state root, in runc's table or as one line of JSON. */
#include "cmd/udocker-runtime/program.h"
#include "pkg/base/json.h"
#include "pkg/base/mem.h"
#include "pkg/base/str.h"
#include "pkg/cli/output.h"
#include "pkg/runtime/lifecycle.h"

struct list_opts {
	bool quiet;
	const char *format;
};

static const struct cli_option list_options[] = {
	CLI_FLAG("quiet", 'q', struct list_opts, quiet, "ids only"),
	{ .name = "format",
		.letter = 'f',
		.kind = CLI_KIND_STRING,
		.metavar = "FORMAT",
		.offset = offsetof(struct list_opts, format),
		.text = "form of the list",
		.choices = output_formats },
	CLI_END,
};

static void print_json(const struct runtime_states *s)
{
	auto_json *all = json_new_array();
	autofree char *text = NULL;

	for (size_t i = 0; i < s->n; i++)
		json_append(all, runtime_state_to_json(&s->v[i]));
	text = json_text(all, 0);
	(void)puts(text); /* cli_main() looks at the stream's error */
}

/* Scripts cut runc's table by its columns: at least 12 wide, three blanks between. */
static void print_table(const struct runtime_states *s)
{
	static const char *const heads[] = { "ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER" };
	enum { COLUMNS = 6, WIDTH = 12, GAP = 3 };
	auto_strv cells = STRV_INIT;
	size_t width[COLUMNS];

	for (size_t i = 0; i < COLUMNS; i++)
		strv_add(&cells, heads[i]);
	for (size_t i = 0; i < s->n; i++) {
		const struct runtime_state *r = &s->v[i];

		strv_add(&cells, r->id);
		strv_addf(&cells, "%d", (int)r->pid);
		strv_add(&cells, runtime_status_name(r->status));
		strv_add(&cells, r->bundle);
		strv_add(&cells, r->created ? r->created : "-");
		strv_add(&cells, r->owner ? r->owner : "-");
	}
	for (size_t i = 0; i < COLUMNS; i++)
		width[i] = WIDTH;
	for (size_t i = 0; i < cells.n; i++)
		if (strlen(cells.v[i]) + GAP > width[i % COLUMNS])
			width[i % COLUMNS] = strlen(cells.v[i]) + GAP;
	for (size_t i = 0; i < cells.n; i++) {
		auto_str cell = STR_INIT;

		(void)str_add_escaped(&cell, cells.v[i]);
		if (i % COLUMNS == COLUMNS - 1)
			(void)puts(str_text(&cell));
		else
			(void)printf("%-*s", (int)width[i % COLUMNS], str_text(&cell));
	}
}

static int list_run(const struct cli_call *call, struct err **err)
{
	const struct list_opts *o = call->options;
	struct runtime_globals g = runtime_globals_of(call);
	struct runtime_states s;

	if (runtime_list(&g, &s, err) < 0)
		return -1;
	if (o->quiet)
		for (size_t i = 0; i < s.n; i++)
			output_line(s.v[i].id);
	else if (str_eq(o->format, "json"))
		print_json(&s);
	else
		print_table(&s);
	runtime_states_free(&s);
	return 0;
}

const struct cli_command cmd_runtime_list = {
	.name = "list",
	.max_args = 0,
	.summary = "list containers and their states",
	.options = list_options,
	.options_anywhere = true,
	.run = list_run,
	.size = sizeof(struct list_opts),
};
