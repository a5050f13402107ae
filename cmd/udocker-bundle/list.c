/* SPDX-License-Identifier: Apache-2.0 */
/* udocker-bundle ls: a table for people, JSON for programs, ids alone with -q, and the very columns of 1.3.x for `udocker ps`. */
#include "cmd/udocker-bundle/program.h"
#include "pkg/base/err.h"
#include "pkg/base/json.h"
#include "pkg/base/mem.h"
#include "pkg/base/num.h"
#include "pkg/base/str.h"
#include "pkg/bundle/facts.h"
#include "pkg/bundle/setup.h"
#include "pkg/cli/output.h"
#include "pkg/store/containers.h"
#include "pkg/store/store.h"

struct ls_opts {
	bool mode, size, platform, quiet;
	const char *format;
};

static const struct cli_option ls_options[] = {
	CLI_FLAG("mode", 'm', struct ls_opts, mode, "show the execution mode"),
	CLI_FLAG("size", 's', struct ls_opts, size,
		"show the disk space that its files take (reads every folder)"),
	CLI_FLAG("platform", 'p', struct ls_opts, platform, "show the platform"),
	CLI_FLAG("quiet", 'q', struct ls_opts, quiet, "print ids alone"),
	{ .name = "format",
		.kind = CLI_KIND_STRING,
		.metavar = "FORMAT",
		.offset = offsetof(struct ls_opts, format),
		.text = "table or json",
		.choices = output_formats },
	CLI_END,
};

/* A row of the listing: what the store says and what had to be looked up for it. */
struct row {
	const struct container_info *info;
	const char *mode;
	char *root, *platform;
	int64_t size; /* bytes; -1 when unknown or not asked for */
};

static void row_fill(
	struct store *s, const struct container_info *info, const struct ls_opts *o, struct row *ret)
{
	*ret = (struct row){ .info = info, .size = -1 };
	ret->root = xasprintf("%s/%s/%s", s->containers, info->id, CONTAINER_ROOT);
	ret->mode = info->mode;
	if (!*info->mode && (o->mode || str_eq(o->format, "json")))
		ret->mode = bundle_default_mode(ret->root);
	if (o->size)
		ret->size = bundle_disk_usage(s, info->id);
	if (o->platform)
		ret->platform = bundle_platform(s, info->id);
}

static void row_free(struct row *r)
{
	free(r->root);
	free(r->platform);
}

/* ---- udocker 1.3.x ---- */

static void old_head(const struct ls_opts *o)
{
	printf("%-36.36s %c %c ", "CONTAINER ID", 'P', 'M');
	if (o->mode)
		printf("MOD ");
	if (o->size)
		printf("SIZE ");
	if (o->platform)
		printf("%-18s ", "PLATFORM");
	printf("%-18s %-20.20s\n", "NAMES", "IMAGE");
}

static void old_row(const struct row *r, const struct ls_opts *o)
{
	auto_str id = STR_INIT, names = STR_INIT, image = STR_INIT;
	char size[24] = "-1";

	str_add_char(&names, '[');
	for (size_t i = 0; i < r->info->names.n; i++) {
		str_add(&names, i ? ", '" : "'");
		str_add_escaped(&names, r->info->names.v[i]);
		str_add_char(&names, '\'');
	}
	str_add_char(&names, ']');
	str_add_escaped(&image, r->info->image);
	str_add_escaped(&id, r->info->id);
	if (r->size >= 0)
		snprintf(size, sizeof(size), "%lld", (long long)((r->size + (1 << 20) - 1) >> 20));
	printf("%-36.36s %c %c ", str_text(&id), r->info->protected ? 'P' : '.', r->info->access);
	if (o->mode)
		printf("%2.2s ", strlen(r->mode) == 2 ? r->mode : "--");
	if (o->size)
		printf("%5.5s ", size);
	if (o->platform)
		printf("%-18.18s ", r->platform);
	/* 1.3.x prints an empty string where there are no names. */
	printf("%-18.100s %-20.100s\n", r->info->names.n ? str_text(&names) : "", str_text(&image));
}

static void print_old(struct store *s, const struct container_list *l, const struct ls_opts *o)
{
	old_head(o);
	for (size_t i = 0; i < l->n; i++) {
		struct row r;

		row_fill(s, &l->v[i], o, &r);
		old_row(&r, o);
		row_free(&r);
	}
}

/* ---- ours ---- */

static const char *access_text(char access)
{
	switch (access) {
	case 'W':
		return "yes";
	case 'R':
		return "no";
	default:
		return "no root";
	}
}

static void add_json(struct json *array, const struct row *r, const struct ls_opts *o)
{
	struct json *j = json_new_object();

	json_set_str(j, "id", r->info->id);
	json_set(j, "names", json_new_strv(&r->info->names));
	json_set_str(j, "image", r->info->image);
	json_set_str(j, "mode", r->mode);
	json_set_bool(j, "protected", r->info->protected);
	json_set_bool(j, "writable", r->info->access == 'W');
	json_set(j, "size", r->size < 0 ? json_new_null() : json_new_i64(r->size));
	json_set_str(j, "root", r->root);
	if (o->platform)
		json_set_str(j, "platform", r->platform);
	json_append(array, j);
}

static void print_json(struct store *s, const struct container_list *l, const struct ls_opts *o)
{
	auto_json *array = json_new_array();

	for (size_t i = 0; i < l->n; i++) {
		struct row r;

		row_fill(s, &l->v[i], o, &r);
		add_json(array, &r, o);
		row_free(&r);
	}
	output_json(array);
}

static void add_cells(struct output_table *t, const struct row *r, const struct ls_opts *o)
{
	autofree char *names = strv_join(&r->info->names, " ");
	char size[NUM_SIZE_LEN] = "-";
	const char *extra[3];
	size_t n = 0;

	if (r->size >= 0)
		num_format_size((uint64_t)r->size, size);
	if (o->mode)
		extra[n++] = r->mode;
	if (o->size)
		extra[n++] = size;
	if (o->platform)
		extra[n++] = r->platform;
	output_row(t, r->info->id, *names ? names : "-", *r->info->image ? r->info->image : "-",
		access_text(r->info->access), r->info->protected ? "yes" : "no", n > 0 ? extra[0] : NULL,
		n > 1 ? extra[1] : NULL, n > 2 ? extra[2] : NULL, NULL);
}

static void print_table(struct store *s, const struct container_list *l, const struct ls_opts *o)
{
	const char *heads[9] = { "ID", "NAMES", "IMAGE", "WRITABLE", "PROTECTED" };
	size_t n = 5;
	auto_table t;

	if (o->mode)
		heads[n++] = "MODE";
	if (o->size)
		heads[n++] = ">SIZE";
	if (o->platform)
		heads[n++] = "PLATFORM";
	output_table_init(&t, heads);
	for (size_t i = 0; i < l->n; i++) {
		struct row r;

		row_fill(s, &l->v[i], o, &r);
		add_cells(&t, &r, o);
		row_free(&r);
	}
	output_table_print(&t, false);
}

static int ls_run(const struct cli_call *call, struct err **err)
{
	const struct ls_opts *o = call->options;
	const struct bundle_globals *g = call->global;
	/* `udocker -q ps` is quieter, but still the table, as in 1.3.x. */
	bool ids = o->quiet || (g->quiet && !cli_called_as());
	bool json = str_eq(o->format, "json");
	auto_container_list l = { .n = 0 };
	auto_store *s = NULL;

	if (store_open(STORE_READ, &s, err) < 0 ||
		container_list(s, ids && !json ? 0 : CONTAINER_LIST_DETAILS, &l, err) < 0)
		return -1;
	if (json)
		print_json(s, &l, o);
	else if (ids)
		for (size_t i = 0; i < l.n; i++)
			output_line(l.v[i].id);
	else if (cli_called_as())
		print_old(s, &l, o);
	else
		print_table(s, &l, o);
	return 0;
}

const struct cli_command cmd_bundle_ls = {
	.name = "ls",
	.summary = "list the containers",
	.options = ls_options,
	.run = ls_run,
	.size = sizeof(struct ls_opts),
};
