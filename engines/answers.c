/* SPDX-License-Identifier: Apache-2.0 */
/* From the properties that a config.json asks for to what an engine does with them. */
#include "engines/ability.h"
#include "engines/common.h"
#include "oci-spec/runtime_config.h"
#include "pkg/base/err.h"
#include "pkg/base/json.h"
#include "pkg/base/mem.h"
#include "pkg/base/str.h"

/* For what no table knows: a property of a later specification. */
static const struct engine_answer unknown = { "", ENGINE_IGNORES, "unknown to this version" };

const struct engine_answer *engine_answer_for(const struct engine *e, const char *property)
{
	const struct engine_answer *best = &unknown;
	size_t best_len = 0;

	for (const struct engine_answer *a = e->answers; a->property; a++) {
		size_t n;

		if (a->property[0] != property[0])
			continue;
		n = strlen(a->property);
		if (n > best_len && strncmp(property, a->property, n) == 0 &&
			(property[n] == '\0' || property[n] == '.')) {
			best = a;
			best_len = n;
		}
	}
	return best;
}

static bool is_met(enum engine_needs needs)
{
	if (needs == ENGINE_NEEDS_NAMESPACES)
		return ability_namespaces();
	return needs == ENGINE_NEEDS_MOUNTS ? ability_guard() == ENGINE_GUARD_MOUNTS
					    : ability_guard() != ENGINE_GUARD_NONE;
}

const struct engine_answer *engine_answer_here(const struct engine *e, const char *property)
{
	const struct engine_answer *a = engine_answer_for(e, property);

	for (const struct engine_condition *c = e->conditions; c && c->otherwise.property; c++)
		if (str_eq(c->otherwise.property, a->property) && !is_met(c->needs))
			return &c->otherwise;
	return a;
}

struct unmet {
	const struct engine *engine;
	struct strv *ignored, *refused;
};

static void add_property(struct unmet *u, const char *property)
{
	const struct engine_answer *a = engine_answer_here(u->engine, property);
	const char *name = *a->property ? a->property : property;
	struct strv *list = a->how == ENGINE_IGNORES   ? u->ignored
			    : a->how == ENGINE_REFUSES ? u->refused
						       : NULL;
	autofree char *line = NULL;

	if (!list)
		return;
	line = xasprintf("%s: %s", name, a->note ? a->note : "not applied");
	if (!strv_has(list, line))
		strv_add(list, line);
}

/* Does this value ask for anything? False, null and empty things are what a document without the member means. */
static bool asks(const struct json *j)
{
	switch (json_type(j)) {
	case JSON_NULL:
		return false;
	case JSON_BOOL:
		return json_true(j);
	case JSON_STRING:
		return *json_str(j) != '\0';
	case JSON_ARRAY:
		return json_len(j) > 0;
	case JSON_OBJECT:
		for (size_t i = 0; i < json_len(j); i++)
			if (asks(json_value_at(j, i)))
				return true;
		return false;
	case JSON_NUMBER:
		break;
	}
	return true;
}

/* Namespaces answer by type; one with a path as that says, where the engine has a row for it ("linux.namespaces.network.path"). */
static void add_namespaces(struct unmet *u, const struct json *list)
{
	for (size_t i = 0; i < json_len(list); i++) {
		const char *type = json_str(json_get(json_at(list, i), "type"));
		const char *path = json_str(json_get(json_at(list, i), "path"));
		autofree char *made = type ? xasprintf("linux.namespaces.%s", type) : NULL;
		autofree char *joined = type ? xasprintf("%s.path", made) : NULL;
		bool joins = path && *path && u->engine->kind == ENGINE_DIRECT;

		if (!type)
			continue;
		if (joins && str_eq(engine_answer_for(u->engine, joined)->property, joined)) {
			add_property(u, joined);
			continue;
		}
		add_property(u, made);
		if (joins)
			add_property(u, "linux.namespaces.path");
	}
}

/* Mounts answer by type of file system, and bind mounts also by being read-only. */
static void add_mounts(struct unmet *u, const struct json *config)
{
	auto_runtime_mounts mounts = RUNTIME_MOUNTS_INIT;

	/* Checked before by runtime_config_check(); what cannot be read asks for nothing. */
	if (runtime_mounts_read(config, &mounts, NULL) < 0)
		return;
	for (size_t i = 0; i < mounts.n; i++) {
		const struct runtime_mount *m = &mounts.items[i];
		autofree char *property = xjoin3("mounts.", *m->type ? m->type : "bind", "");

		add_property(u, property);
		if (m->bind && m->readonly)
			add_property(u, "mounts.readonly");
	}
}

static void walk(struct unmet *u, const struct json *object, const char *prefix)
{
	for (size_t i = 0; i < json_len(object); i++) {
		const struct json *value = json_value_at(object, i);
		autofree char *property = xjoin3(prefix, *prefix ? "." : "", json_key_at(object, i));

		if (str_eq(property, "mounts") || str_eq(property, "annotations") || !asks(value))
			continue;
		if (str_eq(property, "linux.namespaces"))
			add_namespaces(u, value);
		else if (json_is(value, JSON_OBJECT))
			walk(u, value, property);
		else
			add_property(u, property);
	}
}

bool engine_maps_ports(const char *list)
{
	auto_strv ports = STRV_INIT;
	bool maps = false;

	strv_split(&ports, list, ",");
	for (size_t i = 0; i < ports.n && !maps; i++) {
		const char *colon = strchr(ports.v[i], ':');

		maps = colon && (strncmp(ports.v[i], colon + 1, (size_t)(colon - ports.v[i])) != 0 ||
					strlen(colon + 1) != (size_t)(colon - ports.v[i]));
	}
	return maps;
}

/* What `udocker run` asks for that a config.json has no words for. */
static void add_own(struct unmet *u, const struct json *config)
{
	const char *ports = runtime_annotation(config, ANNOTATION_PUBLISH);
	const char *release = runtime_annotation(config, ANNOTATION_KERNEL);

	if (ports && engine_maps_ports(ports))
		add_property(u, ENGINE_PUBLISH);
	if (release && *release)
		add_property(u, ENGINE_KERNEL);
}

bool engine_unmet(
	const struct engine *e, const struct json *config, struct strv *ret_ignored, struct strv *ret_refused)
{
	auto_strv ignored = STRV_INIT, refused = STRV_INIT;
	struct unmet u = { e, ret_ignored ? ret_ignored : &ignored, ret_refused ? ret_refused : &refused };

	walk(&u, config, "");
	add_mounts(&u, config);
	add_own(&u, config);
	return u.refused->n > 0;
}

int engine_check_answers(
	const struct engine *e, const struct engine_ctx *ctx, struct engine_plan *plan, struct err **err)
{
	auto_strv ignored = STRV_INIT, refused = STRV_INIT;

	if (ctx->checked)
		return 0;
	if (engine_unmet(e, ctx->config, &ignored, &refused))
		return err_make(err, ERR_UNSUPPORTED, "%s cannot do what the bundle needs: %s", e->name,
			refused.v[0]);
	if (ctx->strict && ignored.n > 0) {
		err_make(err, ERR_UNSUPPORTED, "%s would ignore %s", e->name, ignored.v[0]);
		return err_hint(err, "choose another engine, or leave --strict (org.udocker.strict) out");
	}
	for (size_t i = 0; i < ignored.n; i++)
		strv_addf(&plan->notes, "%s ignores %s", e->name, ignored.v[i]);
	return 0;
}
