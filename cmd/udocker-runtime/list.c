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

enum { COLUMNS = 6, WIDTH = 12, GAP = 3 };

/* The cells of a container, in the order of the table's heads; `pid` is room for one of them. */
static void cells_of(const struct runtime_state *r, char pid[16], const char *ret[COLUMNS])
{
	(void)snprintf(pid, 16, "%d", (int)r->pid);
	ret[0] = r->id;
	ret[1] = pid;
	ret[2] = runtime_status_name(r->status);
	ret[3] = r->bundle;
	ret[4] = r->created ? r->created : "-";
	ret[5] = r->owner ? r->owner : "-";
}

static void print_row(const char *const cells[COLUMNS], const size_t width[COLUMNS])
{
	auto_str row = STR_INIT;

	for (size_t i = 0; i < COLUMNS; i++) {
		size_t end = row.len + width[i];

		(void)str_add_escaped(&row, cells[i]);
		while (i < COLUMNS - 1 && row.len < end)
			(void)str_add_mem(&row, " ", 1);
	}
	(void)puts(str_text(&row)); /* cli_main() looks at the stream's error */
}

/* Scripts cut runc's table by its columns: at least 12 wide, three blanks between. */
static void print_table(const struct runtime_states *s)
{
	static const char *const heads[COLUMNS] = { "ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER" };
	size_t width[COLUMNS] = { WIDTH, WIDTH, WIDTH, WIDTH, WIDTH, WIDTH };
	const char *cells[COLUMNS];
	char pid[16];

	for (size_t i = 0; i < s->n; i++) {
		cells_of(&s->v[i], pid, cells);
		for (size_t k = 0; k < COLUMNS; k++)
			if (strlen(cells[k]) + GAP > width[k])
				width[k] = strlen(cells[k]) + GAP;
	}
	print_row(heads, width);
	for (size_t i = 0; i < s->n; i++) {
		cells_of(&s->v[i], pid, cells);
		print_row(cells, width);
	}
}

static int list_run(const struct cli_call *call, struct err **err)
{
	const struct list_opts *o = call->options;
	struct runtime_globals g = runtime_globals_of(call);
	struct runtime_states s;

	if (runtime_list(&g, !str_eq(o->format, "json"), &s, err) < 0)
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
