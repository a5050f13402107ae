/* SPDX-License-Identifier: Apache-2.0 */
/* udocker-image history: what made each layer of an image, the newest first, in docker's columns. */
#include <stdio.h>
#include <string.h>

#include "cmd/udocker-image/program.h"
#include "oci-spec/image_config.h"
#include "pkg/base/err.h"
#include "pkg/base/json.h"
#include "pkg/base/mem.h"
#include "pkg/base/num.h"
#include "pkg/base/str.h"
#include "pkg/base/time.h"
#include "pkg/cli/output.h"
#include "pkg/store/images.h"
#include "pkg/store/layers.h"
#include "pkg/store/store.h"

#define SHORT_ID 12
#define SHORT_TEXT 45 /* docker's CREATED BY */

struct history_opts {
	const char *format;
	bool no_trunc, quiet;
};

static const struct cli_option history_options[] = {
	{ .name = "format",
		.kind = CLI_KIND_STRING,
		.metavar = "FORMAT",
		.offset = offsetof(struct history_opts, format),
		.text = "table, or json",
		.choices = output_formats },
	CLI_FLAG("no-trunc", 0, struct history_opts, no_trunc, "show everything in full"),
	CLI_FLAG("quiet", 'q', struct history_opts, quiet, "identifiers alone"),
	{ .name = "human",
		.letter = 'H',
		.kind = CLI_KIND_IGNORED_FLAG,
		.text = "accepted for docker's sake: sizes are for people" },
	CLI_END,
};

/* One step: its history entry, or a layer that no entry tells of; and its layer, unless it made none. */
struct step {
	const struct image_history *history; /* or NULL */
	const struct image_layer *layer; /* or NULL */
	int64_t size; /* of the layer as stored, 0 without one, -1 where it is missing */
	char *id; /* the image's, for the newest step; NULL: missing, as docker has it */
};
struct steps {
	struct step *v; /* oldest first */
	size_t n;
};

static void steps_free(struct steps *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->v[i].id);
	free(s->v);
}
#define auto_steps CLEANUP(steps_free) struct steps

static int64_t size_of(struct store *s, const struct image_layer *l)
{
	uint64_t size;

	return layer_exists(s, l->file, &size) ? (int64_t)size : -1;
}

/* Entries and layers go side by side from the base up; layers beyond the last entry stand alone. */
static void pair(struct store *s, const struct image *img, const struct image_config *c, struct steps *ret)
{
	size_t layer = 0;

	ret->v = xcalloc(c->n_history + img->n_layers + 1, sizeof(*ret->v));
	for (size_t i = 0; i < c->n_history; i++) {
		struct step *step = &ret->v[ret->n++];

		step->history = &c->history[i];
		if (!c->history[i].empty_layer && layer < img->n_layers)
			step->layer = &img->layers[layer++];
	}
	while (layer < img->n_layers)
		ret->v[ret->n++].layer = &img->layers[layer++];
	for (size_t i = 0; i < ret->n; i++)
		if (ret->v[i].layer)
			ret->v[i].size = size_of(s, ret->v[i].layer);
	if (ret->n && img->config_digest)
		ret->v[ret->n - 1].id = xstrdup(img->config_digest);
	else if (ret->n && img->config_file)
		ret->v[ret->n - 1].id = xstrdup(img->config_file);
}

static const char *text_or(const char *text, const char *otherwise)
{
	return text ? text : otherwise;
}

static const char *short_id(const char *id)
{
	return str_starts(id, "sha256:") ? id + 7 : id;
}

/* ---- output ---- */

static void set_or_null(struct json *j, const char *key, const char *value)
{
	json_set(j, key, value ? json_new_str(value) : json_new_null());
}

static void print_json(const struct steps *s)
{
	auto_json *all = json_new_array();

	for (size_t i = s->n; i > 0; i--) {
		const struct step *step = &s->v[i - 1];
		const struct image_history *h = step->history;
		struct json *j = json_new_object();

		set_or_null(j, "id", step->id);
		set_or_null(j, "created", h ? h->created : NULL);
		set_or_null(j, "created_by", h ? h->created_by : NULL);
		json_set(j, "size", step->size >= 0 ? json_new_i64(step->size) : json_new_null());
		set_or_null(j, "comment", h ? h->comment : NULL);
		set_or_null(j, "author", h ? h->author : NULL);
		set_or_null(j, "layer", step->layer ? step->layer->file : NULL);
		json_append(all, j);
	}
	output_json(all);
}

/* Cut at a character's border, and told so. */
static void add_cut(struct str *ret, const char *text, size_t max)
{
	size_t used = 0, n;

	while (used < max && (n = str_utf8_len(text)) > 0) {
		str_add_mem(ret, text, n);
		text += n;
		used++;
	}
	if (*text) {
		str_truncate(ret, ret->len ? ret->len - 1 : 0);
		str_add(ret, "…");
	}
}

static void add_row(struct output_table *t, const struct step *step, bool full)
{
	const struct image_history *h = step->history;
	auto_str escaped = STR_INIT, by = STR_INIT, id = STR_INIT;
	char size[NUM_SIZE_LEN] = "-", ago[64] = "-";
	int64_t created;

	str_add_escaped(&escaped, text_or(h ? h->created_by : NULL, ""));
	if (full)
		str_add(&by, str_text(&escaped));
	else
		add_cut(&by, str_text(&escaped), SHORT_TEXT);
	if (!step->id)
		str_add(&id, "<missing>");
	else if (full)
		str_add(&id, step->id);
	else
		str_addf(&id, "%.*s", SHORT_ID, short_id(step->id));
	if (step->size >= 0)
		num_format_size((uint64_t)step->size, size);
	if (h && h->created && time_parse_rfc3339(h->created, &created) == 0)
		time_format_ago(created, ago, sizeof(ago));
	if (full && h && h->created)
		snprintf(ago, sizeof(ago), "%.40s", h->created);
	output_row(t, str_text(&id), ago, str_text(&by), size, text_or(h ? h->comment : NULL, ""), NULL);
}

static void print_table(const struct steps *s, const struct history_opts *o)
{
	static const char *const heads[] = { "IMAGE", "CREATED", "CREATED BY", ">SIZE", "COMMENT", NULL };
	auto_table t;

	output_table_init(&t, heads);
	for (size_t i = s->n; i > 0; i--)
		add_row(&t, &s->v[i - 1], o->no_trunc);
	output_table_print(&t, false);
}

static void print_ids(const struct steps *s, bool full)
{
	for (size_t i = s->n; i > 0; i--) {
		const char *id = s->v[i - 1].id;
		auto_str text = STR_INIT;

		if (id)
			str_addf(&text, "%.*s", full ? 256 : SHORT_ID, full ? id : short_id(id));
		output_line(id ? str_text(&text) : "<missing>");
	}
}

static int history_run(const struct cli_call *call, struct err **err)
{
	const struct history_opts *o = call->options;
	auto_image_config *c = NULL;
	auto_steps steps = { 0 };
	auto_str text = STR_INIT;
	auto_image *img = NULL;
	auto_store *s = NULL;

	if (store_open(STORE_READ, &s, err) < 0 || image_open(s, call->argv[0], &img, err) < 0 ||
		image_read_config(s, img, &text, err) < 0 ||
		image_config_parse(str_text(&text), text.len, "image configuration", &c, err) < 0)
		return -1;
	pair(s, img, c, &steps);
	if (str_eq(o->format, "json"))
		print_json(&steps);
	else if (o->quiet)
		print_ids(&steps, o->no_trunc);
	else
		print_table(&steps, o);
	return 0;
}

const struct cli_command cmd_image_history = {
	.name = "history",
	.args = "NAME[:TAG|@DIGEST]",
	.min_args = 1,
	.max_args = 1,
	.summary = "show how an image was made",
	.about = "One line a step, the newest first, with docker's columns; sizes are those of the layers as "
		 "stored. JSON has an object a step with the keys id, created, created_by, size, comment, "
		 "author and layer.",
	.options = history_options,
	.complete = CLI_COMPLETE_IMAGE,
	.run = history_run,
	.size = sizeof(struct history_opts),
	.options_anywhere = true,
};
