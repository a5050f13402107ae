/* SPDX-License-Identifier: Apache-2.0 */
/* Image configurations. */
#include "oci-spec/image_config.h"

#include <ctype.h>

#include "pkg/base/err.h"
#include "pkg/base/json.h"
#include "pkg/base/mem.h"

/* The process part of a document and its name in messages. */
struct section {
	const struct json *json;
	const char *where;
};

/* `Entrypoint`, else `entrypoint`; null counts as missing. *ret_key gets the spelling found. */
static struct json *member(const struct section *s, const char *key, char *ret_key, size_t n)
{
	struct json *v = json_get(s->json, key);

	snprintf(ret_key, n, "%s", key);
	if (v && !json_is(v, JSON_NULL))
		return v;
	for (char *c = ret_key; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	v = json_get(s->json, ret_key);
	return v && !json_is(v, JSON_NULL) ? v : NULL;
}

static int wrong(const struct section *s, const char *key, const char *want, struct err **err)
{
	return err_make(err, ERR_CORRUPT, "%s.%s: expected %s", s->where, key, want);
}

static int get_text(const struct section *s, const char *key, char **ret, struct err **err)
{
	char found[64];
	struct json *v = member(s, key, found, sizeof(found));

	if (!v)
		return 0;
	if (json_is(v, JSON_NUMBER)) /* a User of 1000 without quotes */
		*ret = xstrdup(json_number_text(v));
	else if (json_is(v, JSON_STRING))
		*ret = xstrdup(json_str(v));
	else
		return wrong(s, found, "a string", err);
	return 0;
}

/* A list of strings, or a string of blank-separated words. */
static int get_words(const struct section *s, const char *key, struct strv *ret, struct err **err)
{
	char found[64];
	struct json *v = member(s, key, found, sizeof(found));

	if (!v)
		return 0;
	if (json_is(v, JSON_STRING)) {
		strv_split(ret, json_str(v), " \t\n");
		return 0;
	}
	if (!json_is(v, JSON_ARRAY))
		return wrong(s, found, "an array of strings", err);
	return json_get_strv(s->json, s->where, found, ret, err);
}

/* The keys of an object of which only the keys matter (ExposedPorts, Volumes); some tools write a list. */
static int get_keys(const struct section *s, const char *key, struct strv *ret, struct err **err)
{
	char found[64];
	struct json *v = member(s, key, found, sizeof(found));

	if (!v)
		return 0;
	if (json_is(v, JSON_ARRAY))
		return json_get_strv(s->json, s->where, found, ret, err);
	if (!json_is(v, JSON_OBJECT))
		return wrong(s, found, "an object", err);
	for (size_t i = 0; i < json_len(v); i++)
		strv_add(ret, json_key_at(v, i));
	return 0;
}

static int get_labels(const struct section *s, struct strv *ret, struct err **err)
{
	char found[64];
	struct json *v = member(s, "Labels", found, sizeof(found));

	if (!v)
		return 0;
	if (!json_is(v, JSON_OBJECT))
		return wrong(s, found, "an object", err);
	for (size_t i = 0; i < json_len(v); i++) {
		const char *value = json_str(json_value_at(v, i));

		if (!value && !json_is(json_value_at(v, i), JSON_NULL))
			return err_make(err, ERR_CORRUPT, "%s.%s.%s: expected a string", s->where, found,
				json_key_at(v, i));
		strv_addf(ret, "%s=%s", json_key_at(v, i), value ? value : "");
	}
	return 0;
}

static int read_section(const struct section *s, struct image_config *c, struct err **err)
{
	if (get_text(s, "User", &c->user, err) < 0 || get_text(s, "WorkingDir", &c->working_dir, err) < 0 ||
		get_text(s, "StopSignal", &c->stop_signal, err) < 0 ||
		get_text(s, "Hostname", &c->hostname, err) < 0 ||
		get_text(s, "Domainname", &c->domainname, err) < 0 || get_words(s, "Env", &c->env, err) < 0 ||
		get_words(s, "Entrypoint", &c->entrypoint, err) < 0 ||
		get_words(s, "Cmd", &c->cmd, err) < 0 ||
		get_keys(s, "ExposedPorts", &c->exposed_ports, err) < 0 ||
		get_keys(s, "Volumes", &c->volumes, err) < 0 || get_labels(s, &c->labels, err) < 0)
		return -1;
	return 0;
}

static int read_rootfs(const struct json *j, const char *where, struct image_config *c, struct err **err)
{
	struct json *rootfs = NULL, *ids = NULL;
	autofree char *at = xasprintf("%s.rootfs", where);

	if (json_get_object(j, where, "rootfs", &rootfs, err) < 0 ||
		json_get_array(rootfs, at, "diff_ids", &ids, err) < 0)
		return -1;
	c->diff_ids = xcalloc(json_len(ids) + 1, sizeof(*c->diff_ids));
	for (size_t i = 0; i < json_len(ids); i++) {
		const char *s = json_str(json_at(ids, i));

		if (!s)
			return err_make(err, ERR_CORRUPT, "%s.diff_ids[%zu]: expected a string", at, i);
		if (digest_parse(s, &c->diff_ids[i], err) < 0)
			return err_add(err, "%s.diff_ids[%zu]", at, i);
		c->n_diff_ids++;
	}
	return 0;
}

static int read_history_item(const struct json *j, const char *at, struct image_history *h, struct err **err)
{
	const char *created = NULL, *author = NULL, *by = NULL, *comment = NULL;

	if (!json_is(j, JSON_OBJECT))
		return err_make(err, ERR_CORRUPT, "%s: expected an object", at);
	if (json_get_str(j, at, "created", &created, err) < 0 ||
		json_get_str(j, at, "author", &author, err) < 0 ||
		json_get_str(j, at, "created_by", &by, err) < 0 ||
		json_get_str(j, at, "comment", &comment, err) < 0 ||
		json_get_bool(j, at, "empty_layer", &h->empty_layer, err) < 0)
		return -1;
	h->created = xstrdup_null(created);
	h->author = xstrdup_null(author);
	h->created_by = xstrdup_null(by);
	h->comment = xstrdup_null(comment);
	return 0;
}

static int read_history(const struct json *j, const char *where, struct image_config *c, struct err **err)
{
	struct json *list = NULL;

	if (json_get_array(j, where, "history", &list, err) < 0)
		return -1;
	c->history = xcalloc(json_len(list) + 1, sizeof(*c->history));
	for (size_t i = 0; i < json_len(list); i++) {
		autofree char *at = xasprintf("%s.history[%zu]", where, i);

		if (read_history_item(json_at(list, i), at, &c->history[i], err) < 0)
			return -1;
		c->n_history++;
	}
	return 0;
}

static int read_all(const struct json *j, const char *where, struct image_config *c, struct err **err)
{
	const char *created = NULL, *author = NULL, *name = "config";
	struct json *section = NULL;

	if (!json_is(j, JSON_OBJECT))
		return err_make(err, ERR_CORRUPT, "%s: expected an object", where);
	if (json_get_str(j, where, "created", &created, err) < 0 ||
		json_get_str(j, where, "author", &author, err) < 0 ||
		platform_from_json(j, where, &c->platform, err) < 0 || read_rootfs(j, where, c, err) < 0 ||
		read_history(j, where, c, err) < 0 || json_get_object(j, where, name, &section, err) < 0)
		return -1;
	c->created = xstrdup_null(created);
	c->author = xstrdup_null(author);
	if (!section) {
		name = "container_config";
		if (json_get_object(j, where, name, &section, err) < 0)
			return -1;
	}
	if (section) {
		autofree char *at = xasprintf("%s.%s", where, name);
		struct section s = { section, at };

		return read_section(&s, c, err);
	}
	return 0;
}

int image_config_from_json(
	const struct json *j, const char *where, struct image_config **ret, struct err **err)
{
	auto_image_config *c = xcalloc(1, sizeof(*c));

	if (read_all(j, where, c, err) < 0)
		return -1;
	*ret = steal_ptr(&c);
	return 0;
}

int image_config_parse(
	const char *text, size_t n, const char *where, struct image_config **ret, struct err **err)
{
	static const struct json_limits limits = { .bytes = IMAGE_CONFIG_MAX_BYTES };
	auto_json *j = NULL;

	if (json_parse(text, n, where, &limits, &j, err) < 0)
		return -1;
	return image_config_from_json(j, where, ret, err);
}

int image_config_skim(
	const char *text, size_t n, const char *where, struct image_config **ret, struct err **err)
{
	static const struct json_limits limits = { .bytes = IMAGE_CONFIG_MAX_BYTES };
	static const char *const shown[] = { "created", "architecture", "os", "variant", NULL };
	auto_image_config *c = xcalloc(1, sizeof(*c));
	auto_json *j = NULL;
	const char *created = NULL;

	if (json_parse_members(text, n, where, &limits, shown, &j, err) < 0)
		return -1;
	if (!json_is(j, JSON_OBJECT))
		return err_make(err, ERR_CORRUPT, "%s: expected an object", where);
	if (json_get_str(j, where, "created", &created, err) < 0 ||
		platform_from_json(j, where, &c->platform, err) < 0)
		return -1;
	c->created = xstrdup_null(created);
	*ret = steal_ptr(&c);
	return 0;
}

void image_config_free(struct image_config *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->n_history; i++) {
		free(c->history[i].created);
		free(c->history[i].author);
		free(c->history[i].created_by);
		free(c->history[i].comment);
	}
	free(c->history);
	free(c->diff_ids);
	free(c->created);
	free(c->author);
	free(c->user);
	free(c->working_dir);
	free(c->stop_signal);
	free(c->hostname);
	free(c->domainname);
	strv_free(&c->env);
	strv_free(&c->entrypoint);
	strv_free(&c->cmd);
	strv_free(&c->exposed_ports);
	strv_free(&c->volumes);
	strv_free(&c->labels);
	free(c);
}

/* The members of a container's configuration in docker 1.x, and in 1.3.x with its spelling of NetworkDisable. */
static struct json *empty_config(void)
{
	static const struct {
		const char *name, *kind;
	} members[] = { { "Hostname", "" }, { "Domainname", "" }, { "User", "" }, { "Memory", "0" },
		{ "MemorySwap", "0" }, { "CpusShares", "0" }, { "Cpuset", "" }, { "AttachStdin", "false" },
		{ "AttachStdout", "false" }, { "AttachStderr", "false" }, { "PortSpecs", NULL },
		{ "ExposedPorts", NULL }, { "Tty", "false" }, { "OpenStdin", "false" },
		{ "StdinOnce", "false" }, { "Env", NULL }, { "Cmd", NULL }, { "Image", "" },
		{ "Volumes", NULL }, { "WorkingDir", "" }, { "Entrypoint", NULL },
		{ "NetworkDisable", "false" }, { "MacAddress", "" }, { "OnBuild", NULL },
		{ "Labels", NULL } };
	struct json *j = json_new_object();

	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		const char *kind = members[i].kind;

		if (!kind)
			json_set(j, members[i].name, json_new_null());
		else if (str_eq(kind, "0"))
			json_set_i64(j, members[i].name, 0);
		else if (str_eq(kind, "false"))
			json_set_bool(j, members[i].name, false);
		else
			json_set_str(j, members[i].name, "");
	}
	return j;
}

struct json *image_config_build(const struct image_config_facts *facts)
{
	static const char comment[] = "created by udocker";
	struct json *j = json_new_object(), *ids, *history = json_new_array(), *entry = json_new_object();

	json_set_str(j, "id", facts->id); /* NULL: none */
	json_set_str(j, "comment", comment);
	json_set_str(j, "created", facts->created);
	platform_to_json(facts->platform, j);
	json_set_i64(j, "size", facts->size);
	json_set(j, "container_config", empty_config());
	json_set(j, "config", empty_config());
	ids = json_need_object(j, "rootfs");
	json_set_str(ids, "type", "layers");
	ids = json_need_array(ids, "diff_ids");
	if (facts->diff_id)
		json_append(ids, json_new_str(facts->diff_id->text));
	json_set_str(entry, "created", facts->created);
	json_set_str(entry, "comment", comment);
	json_append(history, entry);
	json_set(j, "history", history);
	return j;
}
