/* SPDX-License-Identifier: Apache-2.0 */
/* udocker-image search: repositories of Docker Hub, of another index, of a registry's catalogue; the pages of 1.3.x under `udocker search`. */
#include "pkg/registry/search.h"

#include <stdio.h>

#include "cmd/udocker-image/network.h"
#include "pkg/base/err.h"
#include "pkg/base/json.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/base/sig.h"
#include "pkg/base/str.h"
#include "pkg/base/strv.h"
#include "pkg/base/term.h"
#include "pkg/cli/output.h"

#define DEFAULT_LIMIT 25
#define SHOWN_DESCRIPTION 60 /* characters, of our own table */

struct search_opts {
	struct network_opts network;
	const char *index, *format;
	int limit;
	bool all, no_trunc, list_tags, quiet;
};

static const struct cli_option search_options[] = {
	CLI_FLAG("all", 'a', struct search_opts, all, "show all results, without a pause"),
	CLI_INT("limit", 0, "N", struct search_opts, limit,
		"show at most so many results; 0, as in docker, is as without it"),
	CLI_FLAG("no-trunc", 0, struct search_opts, no_trunc, "do not cut off descriptions"),
	CLI_FLAG("list-tags", 0, struct search_opts, list_tags,
		"list the tags of the repository that the expression names"),
	CLI_STR("index", 0, "URL", struct search_opts, index,
		"ask this index; without the option the setting dockerio_index_url"),
	CLI_FLAG("quiet", 'q', struct search_opts, quiet, "names alone"),
	{ .name = "format",
		.kind = CLI_KIND_STRING,
		.metavar = "FORMAT",
		.offset = offsetof(struct search_opts, format),
		.text = "table, or json",
		.choices = output_formats },
	CLI_END,
};

/* What has come, and how it is shown. */
struct shown {
	const struct search_opts *o;
	struct json *json; /* for --format json */
	struct output_table table; /* for our own table */
	bool columns; /* the table of 1.3.x, page by page */
	bool names, more, any;
};

/* ---- the columns of 1.3.x (udocker-compat 1.4) ---- */

/* Padded to `width` characters and, unless all is wanted, cut to `max`. */
static void add_column(struct str *out, const char *text, size_t width, size_t max, bool right)
{
	size_t n = 0, bytes = 0, len;

	for (; n < max && (len = str_utf8_len(text + bytes)); n++)
		bytes += len;
	if (right && n < width)
		(void)str_add_repeat(out, ' ', width - n);
	(void)str_add_mem(out, text, bytes);
	if (!right && n < width)
		(void)str_add_repeat(out, ' ', width - n);
}

static void print_columns(
	const char *name, const char *official, const char *description, const char *stars, bool whole)
{
	auto_str out = STR_INIT;

	add_column(&out, name, 55, whole ? SIZE_MAX : 80, false);
	(void)str_add_char(&out, ' ');
	add_column(&out, official, 8, 8, true);
	(void)str_add_char(&out, ' ');
	add_column(&out, description, 70, whole ? SIZE_MAX : 70, false);
	(void)str_add_char(&out, ' ');
	add_column(&out, stars, 5, whole ? SIZE_MAX : 5, true);
	puts(str_text(&out));
}

static void stars_of(const struct search_row *row, const char *none, char *ret, size_t size)
{
	if (row->stars < 0)
		snprintf(ret, size, "%s", none);
	else
		snprintf(ret, size, "%lld", (long long)row->stars);
}

static void print_page(const struct search_page *page, bool whole)
{
	if (log_level() >= LOG_LEVEL_INFO)
		print_columns("NAME", "OFFICIAL", "DESCRIPTION", "STARS", whole);
	for (size_t i = 0; i < page->n; i++) {
		const struct search_row *row = &page->v[i];
		char stars[24];

		stars_of(row, "", stars, sizeof(stars));
		print_columns(row->name, row->official ? "[OK]" : "----", row->description, stars, whole);
	}
}

/* After a page: does the user want the next one? The end of the input is no. */
static bool wants_more(void)
{
	char line[64];
	size_t n;

	(void)fflush(stdout); /* a failed write is told at the end */
	if (term_is_tty(STDIN_FILENO)) {
		fputs("[return or q to quit]", stderr);
		(void)fflush(stderr); /* as above */
	}
	if (!fgets(line, sizeof(line), stdin))
		return false;
	n = strcspn(line, "\n");
	return !(n == 1 && strchr("qQeE", line[0]));
}

/* ---- our own ---- */

static void add_json(struct json *all, const struct search_row *row)
{
	struct json *j = json_new_object();

	json_set_str(j, "name", row->name);
	json_set_str(j, "description", row->description);
	json_set(j, "stars", row->stars < 0 ? json_new_null() : json_new_i64(row->stars));
	json_set_bool(j, "official", row->official);
	json_append(all, j);
}

static void add_row(struct output_table *t, const struct search_row *row, bool whole)
{
	auto_str description = STR_INIT;
	char stars[24];

	add_column(&description, row->description, 0, whole ? SIZE_MAX : SHOWN_DESCRIPTION, false);
	if (description.len < strlen(row->description))
		(void)str_add(&description, "...");
	stars_of(row, "-", stars, sizeof(stars));
	output_row(t, row->name, stars, row->official ? "yes" : "", str_text(&description), NULL);
}

static int take_page(void *arg, struct search_page *page, bool more, struct err **err)
{
	struct shown *s = arg;

	s->any = true;
	s->more = more;
	for (size_t i = 0; i < page->n; i++) {
		if (s->json)
			add_json(s->json, &page->v[i]);
		else if (s->names)
			output_line(page->v[i].name);
		else if (!s->columns)
			add_row(&s->table, &page->v[i], s->o->no_trunc);
	}
	if (s->columns)
		print_page(page, s->o->no_trunc);
	if (!s->columns || s->o->all || !more)
		return 0;
	if (!wants_more()) {
		if (sig_interrupted())
			return err_make(err, ERR_SYSTEM, "interrupted");
		s->more = false;
		return 1;
	}
	return 0;
}

/* ---- the command ---- */

/* As many at once as fit below the heads and above the question, as in 1.3.x. */
static size_t page_size(const struct shown *s)
{
	int lines = term_height(STDOUT_FILENO) - 2;

	if (!s->columns || s->o->all)
		return SEARCH_PAGE_MAX;
	return lines < 1 ? 1 : lines > SEARCH_PAGE_MAX ? SEARCH_PAGE_MAX : (size_t)lines;
}

static int show(struct shown *s, const char *expression, struct err **err)
{
	const struct search_opts *o = s->o;
	const struct search_page none = SEARCH_PAGE_INIT;
	struct search search = { .expression = expression, .index = o->index };

	if (network_settings(&o->network, &search.registry, err) < 0)
		return -1;
	search.max = o->limit ? (size_t)o->limit : o->all || s->columns ? SEARCH_MAX : DEFAULT_LIMIT;
	search.page = page_size(s);
	if (search.page > search.max)
		search.page = search.max;
	if (search_run(&search, take_page, s, err) < 0)
		return -1;
	if (s->json)
		output_json(s->json);
	else if (s->columns && !s->any)
		print_page(&none, false); /* the header alone */
	else if (!s->names && !s->columns)
		output_table_print(&s->table, false);
	if (s->more && !o->limit)
		log_info("there are more than %zu results%s", search.max,
			o->all ? "" : ": see --limit and -a");
	return 0;
}

static int search_run_command(const struct cli_call *call, struct err **err)
{
	static const char *const heads[] = { "NAME", ">STARS", "OFFICIAL", "DESCRIPTION", NULL };
	const struct image_globals *g = call->global;
	const struct search_opts *o = call->options;
	struct shown s = { .o = o };
	int r;

	if (o->limit < 0 || o->limit > SEARCH_MAX)
		return err_make(err, ERR_USAGE, "--limit is a number from 0 to %d", SEARCH_MAX);
	if (o->list_tags && !call->argc)
		return err_make(err, ERR_USAGE, "--list-tags takes the name of a repository");
	if (o->list_tags)
		return tags_print(&o->network, call->argv[0], str_eq(o->format, "json"), err);
	s.json = str_eq(o->format, "json") ? json_new_array() : NULL;
	s.names = !s.json && (o->quiet || (g->quiet && !cli_called_as()));
	s.columns = !s.json && !s.names && cli_called_as();
	output_table_init(&s.table, heads);
	r = show(&s, call->argc ? call->argv[0] : "", err);
	output_table_free(&s.table);
	json_free(s.json);
	return r;
}

const struct cli_command cmd_image_search = {
	.name = "search",
	.args = "[EXPRESSION]",
	.max_args = 1,
	.summary = "search for repositories in Docker Hub, another index, or a registry",
	.about = "A host in front of the expression (quay.io/podman) is asked in place of Docker Hub: its "
		 "search, or else its catalogue for the names that hold the expression. 25 results are shown "
		 "unless --limit or -a says otherwise. `udocker search` shows a page, as long as the "
		 "terminal, "
		 "and waits for the return key, unless -a is given.\n\n"
		 "JSON has an object per repository with the keys name, description, stars (null where the "
		 "registry does not say) and official.",
	.examples = "udocker-image search --limit 5 mysql\n"
		    "udocker-image search --registry http://localhost:5000 app\n",
	.options = search_options,
	.more_options = network_more_options,
	.run = search_run_command,
	.size = sizeof(struct search_opts),
	.options_anywhere = true,
};
