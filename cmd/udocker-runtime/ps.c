/* SPDX-License-Identifier: Apache-2.0 */
/* ps: the processes of a container. */
#include "cmd/udocker-runtime/program.h"
#include "pkg/base/json.h"
#include "pkg/base/mem.h"
#include "pkg/base/str.h"
#include "pkg/cli/output.h"
#include "pkg/runtime/pausing.h"

struct ps_opts {
	const char *format;
};

static const struct cli_option ps_options[] = {
	{ .name = "format",
		.letter = 'f',
		.kind = CLI_KIND_STRING,
		.metavar = "FORMAT",
		.offset = offsetof(struct ps_opts, format),
		.text = "form of the list",
		.choices = output_formats },
	CLI_END,
};

static void print_json(const pid_t *pids, size_t n)
{
	auto_json *all = json_new_array();
	autofree char *text = NULL;

	for (size_t i = 0; i < n; i++)
		json_append(all, json_new_i64(pids[i]));
	text = json_text(all, 0);
	(void)puts(text); /* cli_main() looks at the stream's error */
}

static int ps_run(const struct cli_call *call, struct err **err)
{
	const struct ps_opts *o = call->options;
	struct runtime_globals g = runtime_globals_of(call);
	autofree pid_t *pids = NULL;
	auto_strv args = STRV_INIT;
	auto_str table = STR_INIT;
	size_t n = 0;
	int r;

	for (int i = 1; i < call->argc; i++)
		strv_add(&args, call->argv[i]);
	r = runtime_ps(&g, call->argv[0], o->format, &args, &pids, &n, err);
	if (r != 0 || !pids)
		return r;
	if (str_eq(o->format, "json")) {
		print_json(pids, n);
		return 0;
	}
	if (runtime_ps_table(pids, n, &args, &table, err) < 0)
		return -1;
	(void)fputs(str_text(&table), stdout);
	return 0;
}

const struct cli_command cmd_runtime_ps = {
	.name = "ps",
	.args = "ID [PS-OPTION...]",
	.min_args = 1,
	.max_args = -1,
	.summary = "list the processes of a container",
	.about = "A table of ps(1) with its options, by default -ef, or the process ids as a JSON array. "
		 "Numbers are the host's.",
	.options = ps_options,
	.complete = CLI_COMPLETE_RUNTIME_ID,
	.run = ps_run,
	.size = sizeof(struct ps_opts),
};
