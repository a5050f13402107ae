/* SPDX-License-Identifier: Apache-2.0 */
/* delete: forget a container, or several. */
#include <regex.h>

#include "cmd/udocker-runtime/program.h"
#include "pkg/base/err.h"
#include "pkg/runtime/lifecycle.h"

#define ERROR_MAX 200 /* of regcomp's message */

struct delete_opts {
	bool force, regex;
};

static const struct cli_option delete_options[] = {
	CLI_FLAG("force", 'f', struct delete_opts, force,
		"kill what still runs; an unknown container is no error"),
	CLI_FLAG("regex", 0, struct delete_opts, regex,
		"ID is an extended regular expression: delete all containers with an id that it matches"),
	CLI_END,
};

/* All that match, whatever comes of one of them; the first error is what is told. */
static int delete_matching(const struct runtime_globals *g, const char *pattern, bool force, struct err **err)
{
	auto_err *first = NULL;
	struct runtime_states all = { 0 };
	char text[ERROR_MAX];
	regex_t regex;
	int r = regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB);

	if (r != 0) {
		(void)regerror(r, &regex, text, sizeof(text));
		return err_make(err, ERR_USAGE, "regular expression '%s': %s", pattern, text);
	}
	r = runtime_list(g, true, &all, err);
	for (size_t i = 0; r == 0 && i < all.n; i++)
		if (regexec(&regex, all.v[i].id, 0, NULL, 0) == 0)
			(void)runtime_delete(g, all.v[i].id, force, first ? NULL : &first);
	runtime_states_free(&all);
	regfree(&regex);
	return first ? err_move(err, &first) : r;
}

static int delete_run(const struct cli_call *call, struct err **err)
{
	const struct delete_opts *o = call->options;
	struct runtime_globals g = runtime_globals_of(call);

	if (o->regex)
		return delete_matching(&g, call->argv[0], o->force, err);
	return runtime_delete(&g, call->argv[0], o->force, err);
}

const struct cli_command cmd_runtime_delete = {
	.name = "delete",
	.args = "ID",
	.min_args = 1,
	.max_args = 1,
	.summary = "delete a stopped container",
	.options = delete_options,
	.complete = CLI_COMPLETE_RUNTIME_ID,
	.options_anywhere = true,
	.run = delete_run,
	.size = sizeof(struct delete_opts),
};
