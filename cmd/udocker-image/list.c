/* SPDX-License-Identifier: Apache-2.0 */
/* udocker-image ls: a table for people, JSON for programs, the columns of 1.3.x under `udocker images` (udocker-compat 1.4). */
#include <stdio.h>
#include <string.h>

#include "cmd/udocker-image/program.h"
#include "pkg/base/err.h"
#include "pkg/base/json.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/base/num.h"
#include "pkg/base/str.h"
#include "pkg/base/time.h"
#include "pkg/cli/output.h"
#include "pkg/store/images.h"
#include "pkg/store/store.h"

#define SHORT_DIGEST 19 /* "sha256:" and twelve digits */

struct ls_opts {
	const char *format;
	bool extended, platform, quiet;
};

static const struct cli_option ls_options[] = {
	CLI_FLAG("long", 'l', struct ls_opts, extended, "show the folder and the files of each image"),
	CLI_FLAG("platform", 'p', struct ls_opts, platform, "show the platform"),
	CLI_FLAG("quiet", 'q', struct ls_opts, quiet, "names alone"),
	{ .name = "format",
		.kind = CLI_KIND_STRING,
		.metavar = "FORMAT",
		.offset = offsetof(struct ls_opts, format),
		.text = "table, or json",
		.choices = output_formats },
	{ .name = "no-trunc",
		.kind = CLI_KIND_IGNORED_FLAG,
		.text = "accepted for docker's sake: nothing is cut off" },
	{ .name = "all", .letter = 'a', .kind = CLI_KIND_IGNORED_FLAG, .text = "accepted for docker's sake" },
	CLI_END,
};

/* ---- JSON ---- */

static void set_or_null(struct json *j, const char *key, const char *value)
{
	json_set(j, key, value ? json_new_str(value) : json_new_null());
}

static void print_json(const struct image_list *l)
{
	auto_json *all = json_new_array();

	for (size_t i = 0; i < l->n; i++) {
		const struct image_info *info = &l->v[i];
		struct json *j = json_new_object();

		json_set_str(j, "name", info->repo);
		json_set_str(j, "tag", info->tag);
		set_or_null(j, "digest", info->digest);
		set_or_null(j, "created", info->created);
		json_set(j, "size", info->size >= 0 ? json_new_i64(info->size) : json_new_null());
		set_or_null(j, "architecture", info->architecture);
		set_or_null(j, "os", info->os);
		json_set_bool(j, "protected", info->protected);
		json_set_i64(j, "layers", (int64_t)info->n_layers);
		json_append(all, j);
	}
	output_json(all);
}

/* ---- the columns of 1.3.x ---- */

static void platform_of(const struct image_info *info, struct str *ret)
{
	if (!info->os && !info->architecture) {
		str_add(ret, "unknown/unknown");
		return;
	}
	str_addf(ret, "%s/%s", info->os ? info->os : "unknown",
		info->architecture ? info->architecture : "unknown");
	if (info->variant)
		str_addf(ret, "/%s", info->variant);
}

static int print_files(struct store *s, const struct image_info *info, struct err **err)
{
	struct image_link *links;
	size_t n = 0;

	if (image_links(s, info->dir, &links, &n, err) < 0)
		return -1;
	printf(" %s\n", info->dir);
	for (size_t i = 0; i < n; i++)
		printf("    /%s (%lld MB)\n", links[i].name,
			links[i].size < 0 ? 0 : (long long)(links[i].size >> 20));
	image_links_free(links, n);
	return 0;
}

static int print_as_udocker(
	struct store *s, const struct image_list *l, const struct ls_opts *o, struct err **err)
{
	if (log_level() >= LOG_LEVEL_INFO)
		printf("REPOSITORY\n");
	for (size_t i = 0; i < l->n; i++) {
		const struct image_info *info = &l->v[i];
		char flag = info->protected ? 'P' : '.';
		auto_str name = STR_INIT, platform = STR_INIT, shown = STR_INIT;

		str_add_escaped(&name, info->name);
		platform_of(info, &platform);
		str_add_escaped(&shown, str_text(&platform));
		if (o->platform)
			printf("%-18.18s %c %s\n", str_text(&shown), flag, str_text(&name));
		else
			printf("%s    %c\n", str_text(&name), flag);
		if (o->extended && print_files(s, info, err) < 0)
			return -1;
	}
	return 0;
}

/* ---- our own table ---- */

static void add_row(struct output_table *t, const struct image_info *info, const struct ls_opts *o)
{
	auto_str platform = STR_INIT;
	char size[NUM_SIZE_LEN] = "-", ago[64] = "-", digest[SHORT_DIGEST + 1] = "-", layers[24];
	const char *flag = info->broken ? "damaged" : info->protected ? "protected" : "";
	int64_t created;

	platform_of(info, &platform);
	if (info->size >= 0)
		num_format_size((uint64_t)info->size, size);
	if (info->digest)
		snprintf(digest, sizeof(digest), "%s", info->digest);
	if (info->created && time_parse_rfc3339(info->created, &created) == 0)
		time_format_ago(created, ago, sizeof(ago));
	snprintf(layers, sizeof(layers), "%zu", info->n_layers);
	if (o->extended)
		output_row(
			t, info->name, digest, str_text(&platform), ago, size, layers, info->dir, flag, NULL);
	else if (o->platform)
		output_row(t, info->name, digest, str_text(&platform), ago, size, flag, NULL);
	else
		output_row(t, info->name, digest, ago, size, flag, NULL);
}

static void print_table(const struct image_list *l, const struct ls_opts *o)
{
	static const char *const plain[] = { "IMAGE", "DIGEST", "CREATED", ">SIZE", "STATE", NULL };
	static const char *const platform[] = { "IMAGE", "DIGEST", "PLATFORM", "CREATED", ">SIZE", "STATE",
		NULL };
	static const char *const extended[] = { "IMAGE", "DIGEST", "PLATFORM", "CREATED", ">SIZE", ">LAYERS",
		"DIRECTORY", "STATE", NULL };
	auto_table t;

	output_table_init(&t, o->extended ? extended : o->platform ? platform : plain);
	for (size_t i = 0; i < l->n; i++)
		add_row(&t, &l->v[i], o);
	output_table_print(&t, false);
}

static int ls_run(const struct cli_call *call, struct err **err)
{
	const struct image_globals *g = call->global;
	const struct ls_opts *o = call->options;
	bool as_udocker = cli_called_as() != NULL, json = str_eq(o->format, "json");
	bool names_alone = !json && (o->quiet || (g->quiet && !as_udocker));
	/* Metadata is read only for what shows it: a thousand images are to be listed at once. */
	bool details = json || (!names_alone && (!as_udocker || o->platform));
	auto_image_list l = { 0 };
	auto_store *s = NULL;

	if (store_open(STORE_READ, &s, err) < 0 ||
		image_list(s, IMAGE_LIST_REMEMBER | (details ? IMAGE_LIST_DETAILS : 0), &l, err) < 0)
		return -1;
	if (json)
		print_json(&l);
	else if (names_alone)
		for (size_t i = 0; i < l.n; i++)
			output_line(l.v[i].name);
	else if (as_udocker)
		return print_as_udocker(s, &l, o, err);
	else
		print_table(&l, o);
	return 0;
}

const struct cli_command cmd_image_ls = {
	.name = "ls",
	.summary = "list the images",
	.about = "JSON has an object per image with the keys name, tag, digest, created, size, architecture, "
		 "os, protected and "
		 "layers (their number). Sizes are those of the layers as stored. STATE is empty, protected, "
		 "or damaged "
		 "where metadata or a layer is missing.",
	.options = ls_options,
	.run = ls_run,
	.size = sizeof(struct ls_opts),
};
