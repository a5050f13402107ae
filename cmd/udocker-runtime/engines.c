/* SPDX-License-Identifier: Apache-2.0 */
/* engines: what works here, and why not. */
#include "engines/doctor.h"
#include "engines/engine.h"

#include "cmd/udocker-runtime/program.h"
#include "engines/ability.h"
#include "engines/limits.h"
#include "pkg/base/json.h"
#include "pkg/base/mem.h"
#include "pkg/base/str.h"
#include "pkg/base/thread.h"
#include "pkg/cli/output.h"
#include "pkg/runtime/lifecycle.h"

struct engines_opts {
	const char *format;
};

static const struct cli_option engines_options[] = {
	{ .name = "format",
		.letter = 'f',
		.kind = CLI_KIND_STRING,
		.metavar = "FORMAT",
		.offset = offsetof(struct engines_opts, format),
		.text = "form of the list",
		.choices = output_formats },
	CLI_END,
};

/* Rows of one engine that say the same are one. */
static bool same_answer(const struct engine_report *a, const struct engine_report *b)
{
	return a->engine == b->engine && a->probe.available == b->probe.available &&
	       str_eq(a->probe.reason, b->probe.reason) && str_eq(a->probe.path, b->probe.path) &&
	       a->is_auto == b->is_auto;
}

static size_t run_length(const struct engine_report *r, size_t n)
{
	size_t i = 1;

	while (i < n && same_answer(&r[0], &r[i]))
		i++;
	return i;
}

/* How a direct engine's read-only things are kept; NULL for those of which the answers alone speak. */
static const char *readonly_way(const struct engine *e)
{
	bool guarded = false;

	for (const struct engine_condition *c = e->conditions; c && c->otherwise.property; c++)
		guarded |= c->needs == ENGINE_NEEDS_GUARD;
	if (!guarded)
		return NULL;
	switch (ability_guard()) {
	case ENGINE_GUARD_MOUNTS:
		return "mounts";
	case ENGINE_GUARD_LANDLOCK:
		return "landlock";
	case ENGINE_GUARD_NONE:
		break;
	}
	return "no";
}

static bool is_needed_by(const struct doctor_fact *f, const char *engine)
{
	auto_strv names = STRV_INIT;

	strv_split(&names, f->needed_by, " ");
	return strv_has(&names, engine);
}

/* What the engine needs of the machine. */
static struct json *requirements_of(const char *engine, const struct doctor_fact *f, size_t n)
{
	struct json *all = json_new_array();

	for (size_t i = 0; i < n; i++) {
		struct json *j;

		if (!is_needed_by(&f[i], engine))
			continue;
		j = json_new_object();
		json_set_str(j, "name", f[i].name);
		json_set_bool(j, "met", f[i].met);
		json_set_str(j, "found", f[i].found);
		json_set_str(j, "remedy", f[i].remedy);
		json_append(all, j);
	}
	return all;
}

/* What programs cannot do, in each of these modes. */
static struct json *limits_of(const struct engine_report *r, size_t n)
{
	struct json *all = json_new_array();

	for (size_t i = 0; i < n; i++) {
		for (const struct engine_limit *l = engine_limits; l->work; l++) {
			struct json *j;

			if (!engine_limit_holds(l, r[i].engine->name, r[i].mode, &r[i].probe))
				continue;
			j = json_new_object();
			json_set_str(j, "mode", r[i].mode);
			json_set_str(j, "work", l->work);
			json_set_str(j, "guests", l->guests);
			json_set_str(j, "note", l->note);
			json_append(all, j);
		}
	}
	return all;
}

static struct json *to_json(
	const struct engine_report *r, size_t n, const struct doctor_fact *facts, size_t n_facts)
{
	struct json *all = json_new_array();

	for (size_t i = 0, len; i < n; i += len) {
		struct json *j = json_new_object();
		struct json *modes = json_new_array();

		len = run_length(r + i, n - i);
		for (size_t k = 0; k < len; k++)
			json_append(modes, json_new_str(r[i + k].mode));
		json_set_str(j, "name", r[i].engine->name);
		json_set(j, "modes", modes);
		json_set_bool(j, "available", r[i].probe.available);
		json_set_str(j, "path", r[i].probe.path ? r[i].probe.path : "");
		json_set_str(j, "version", r[i].probe.version ? r[i].probe.version : "");
		json_set_str(j, "reason", r[i].probe.reason ? r[i].probe.reason : "");
		json_set_str(j, "remedy", r[i].probe.remedy);
		json_set_bool(j, "auto", r[i].is_auto);
		json_set(j, "requires", requirements_of(r[i].engine->name, facts, n_facts));
		json_set_str(j, "readonly", readonly_way(r[i].engine));
		json_set(j, "limits", limits_of(r + i, len));
		json_append(all, j);
	}
	return all;
}

static void print_table(const struct engine_report *r, size_t n)
{
	static const char *const heads[] = { "ENGINE", "MODES", "WORKS", "VERSION", "PATH", "REMARK", NULL };
	auto_table t;

	output_table_init(&t, heads);
	for (size_t i = 0, len; i < n; i += len) {
		const struct engine_probe *p = &r[i].probe;
		auto_strv modes = STRV_INIT;
		autofree char *list = NULL;
		auto_str remark = STR_INIT;

		len = run_length(r + i, n - i);
		for (size_t k = 0; k < len; k++)
			strv_add(&modes, r[i + k].mode);
		list = strv_join(&modes, " ");
		if (r[i].is_auto)
			(void)str_add(&remark, "taken by auto");
		if (p->reason)
			(void)str_addf(&remark, "%s%s", remark.len ? "; " : "", p->reason);
		if (!p->available && p->remedy)
			(void)str_addf(&remark, "%s%s", remark.len ? "; " : "", p->remedy);
		output_row(&t, r[i].engine->name, list, p->available ? "yes" : "no",
			p->version ? p->version : "-", p->path ? p->path : "-",
			remark.len ? str_text(&remark) : "-", NULL);
	}
	output_table_print(&t, false);
}

static void print_facts(const struct doctor_fact *f, size_t n)
{
	static const char *const heads[] = { "REQUIREMENT", "MET", "NEEDED BY", "FOUND", "REMARK", NULL };
	auto_table t;

	output_table_init(&t, heads);
	for (size_t i = 0; i < n; i++)
		output_row(&t, f[i].name, f[i].met ? "yes" : "no", *f[i].needed_by ? f[i].needed_by : "-",
			f[i].found, f[i].remedy ? f[i].remedy : "-", NULL);
	output_line("");
	output_table_print(&t, false);
}

/* What the machine says for itself is asked while the engines' programs run. */
struct machine {
	pthread_t thread;
	bool started;
	struct doctor_fact *facts;
	size_t n;
};

static void *ask_machine(void *arg)
{
	struct machine *m = arg;

	doctor_facts(&m->facts, &m->n);
	return NULL;
}

static void machine_start(struct machine *m)
{
	autofree char *tracer = doctor_tracer();

	/* PRoot feigns ptrace() for its programs, and may wait for ever when several threads make processes meanwhile. */
	m->started = !tracer && thread_start(&m->thread, ask_machine, m, NULL) == 0;
	if (!m->started)
		(void)ask_machine(m); /* what was found is in m */
}

static void machine_join(struct machine *m)
{
	if (m->started)
		(void)pthread_join(m->thread, NULL); /* it is ours and was not joined yet */
}

static int engines_run(const struct cli_call *call, struct err **err)
{
	const struct engines_opts *o = call->options;
	struct machine m = { .started = false };
	struct engine_report *r;
	size_t n;
	int asked;

	/* Nothing that was remembered is asked: a machine that has changed since is what this is for. */
	if (runtime_load_conf(call, err) < 0)
		return -1;
	machine_start(&m);
	asked = engine_report_all(&r, &n, err);
	machine_join(&m);
	if (asked < 0) {
		doctor_facts_free(m.facts, m.n);
		return -1;
	}
	if (str_eq(o->format, "json")) {
		auto_json *j = to_json(r, n, m.facts, m.n);

		output_json(j);
	} else {
		print_table(r, n);
		print_facts(m.facts, m.n);
	}
	doctor_facts_free(m.facts, m.n);
	engine_report_free(r, n);
	return 0;
}

const struct cli_command cmd_runtime_engines = {
	.name = "engines",
	.max_args = 0,
	.summary = "say which engines work here, and why others do not",
	.options = engines_options,
	.run = engines_run,
	.size = sizeof(struct engines_opts),
};
