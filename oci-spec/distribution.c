/* SPDX-License-Identifier: Apache-2.0 */
/* Headers and error bodies of registries. */
#include "oci-spec/distribution.h"

#include <ctype.h>

#include "pkg/base/json.h"
#include "pkg/base/mem.h"
#include "pkg/base/str.h"

#define ERRORS_MAX 8

/* ---- WWW-Authenticate ---- */

static bool is_token_char(char c)
{
	return isalnum((unsigned char)c) || (c && strchr("!#$%&'*+-.^_`|~", c));
}

static const char *skip_blanks(const char *p)
{
	while (*p == ' ' || *p == '\t')
		p++;
	return p;
}

/* RFC 9110 allows empty members: ", ,Basic". */
static const char *skip_commas(const char *p)
{
	while (*p == ' ' || *p == '\t' || *p == ',')
		p++;
	return p;
}

static char *take_token(const char **at)
{
	const char *p = *at;
	char *text;

	while (is_token_char(*p))
		p++;
	text = xstrndup(*at, (size_t)(p - *at));
	for (char *c = text; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	*at = p;
	return text;
}

/* Quoted, with backslashes, or a bare word as far as the next comma or blank. NULL when a quote is not closed. */
static char *take_value(const char **at)
{
	auto_str value = STR_INIT;
	const char *p = *at;

	if (*p != '"') {
		while (*p && *p != ',' && *p != ' ' && *p != '\t')
			p++;
		(void)str_add_mem(&value, *at, (size_t)(p - *at));
		*at = p;
		return str_steal(&value);
	}
	for (p++; *p && *p != '"'; p++) {
		if (*p == '\\' && p[1])
			p++;
		(void)str_add_char(&value, *p);
	}
	if (*p != '"')
		return NULL;
	*at = p + 1;
	return str_steal(&value);
}

/* Behind a word: "=" and then a value, but not the padding of a token68 ("Negotiate YII="). */
static bool is_param(const char *p)
{
	p = skip_blanks(p);
	if (*p != '=')
		return false;
	p = skip_blanks(p + 1);
	return *p && *p != ',' && *p != '=';
}

static bool take_param(struct challenge *c, const char *key, const char **at)
{
	const char *p = skip_blanks(*at);
	autofree char *value = NULL;

	p = skip_blanks(p + 1);
	value = take_value(&p);
	if (!value || c->params.n >= CHALLENGE_PARAMS_MAX)
		return false;
	if (!strv_env_get(&c->params, key))
		strv_addf(&c->params, "%s=%s", key, value);
	*at = p;
	return true;
}

void challenges_parse(const char *header, struct challenges *ret)
{
	struct challenge *now = NULL;
	const char *p = skip_commas(header);

	for (; is_token_char(*p); p = skip_commas(p)) {
		autofree char *word = take_token(&p);

		if (now && is_param(p)) {
			if (!take_param(now, word, &p))
				return;
			continue;
		}
		if (ret->n >= CHALLENGES_MAX || (*p && !strchr(" \t,", *p)))
			return;
		now = &ret->v[ret->n++];
		now->scheme = steal_ptr(&word);
		now->params = STRV_INIT;
		p = skip_blanks(p);
		/* A token68 says nothing to us. */
		if (is_token_char(*p)) {
			const char *end = p;

			while (is_token_char(*end) || *end == '/')
				end++;
			if (!is_param(end)) {
				while (*end == '=' || is_token_char(*end) || *end == '/')
					end++;
				if (*skip_blanks(end) == ',' || !*skip_blanks(end))
					p = end;
			}
		}
	}
}

void challenges_free(struct challenges *c)
{
	for (size_t i = 0; i < c->n; i++) {
		free(c->v[i].scheme);
		strv_free(&c->v[i].params);
	}
	c->n = 0;
}

const struct challenge *challenges_find(const struct challenges *c, const char *scheme)
{
	for (size_t i = 0; i < c->n; i++)
		if (strcmp(c->v[i].scheme, scheme) == 0)
			return &c->v[i];
	return NULL;
}

const char *challenge_param(const struct challenge *c, const char *key)
{
	return strv_env_get(&c->params, key);
}

/* ---- error bodies ---- */

static struct json *parse_body(const char *body, size_t n)
{
	static const struct json_limits limits = { .bytes = (size_t)64 << 10, .depth = 16, .nodes = 4096 };
	struct json *j = NULL;

	if (!body || json_parse(body, n, "error", &limits, &j, NULL) < 0)
		return NULL;
	return j;
}

/* Text from a stranger in one line: what could move a terminal's cursor becomes a blank. */
static void add_clean(struct str *out, const char *text)
{
	for (; *text; text++)
		(void)str_add_char(out, (unsigned char)*text < 0x20 || *text == 0x7f ? ' ' : *text);
}

static void add_reason(struct str *out, const char *code, const char *message)
{
	if (!code && !message)
		return;
	if (out->len)
		(void)str_add(out, "; ");
	if (code)
		add_clean(out, code);
	if (code && message)
		(void)str_add(out, ": ");
	if (message)
		add_clean(out, message);
}

char *distribution_error_text(const char *body, size_t n)
{
	auto_json *j = parse_body(body, n);
	const struct json *errors = json_get(j, "errors");
	auto_str out = STR_INIT;

	for (size_t i = 0; i < json_len(errors) && i < ERRORS_MAX; i++) {
		const struct json *e = json_at(errors, i);

		add_reason(&out, json_str(json_get(e, "code")), json_str(json_get(e, "message")));
	}
	if (!out.len)
		add_reason(&out, json_str(json_get(j, "error")), json_str(json_get(j, "error_description")));
	if (!out.len)
		add_reason(&out, NULL, json_str(json_get(j, "details")));
	if (!out.len)
		add_reason(&out, NULL, json_str(json_get(j, "message")));
	if (!out.len)
		return NULL;
	if (out.len > DISTRIBUTION_TEXT_MAX) {
		str_truncate(&out, DISTRIBUTION_TEXT_MAX);
		(void)str_add(&out, "...");
	}
	return str_steal(&out);
}

bool distribution_error_has(const char *body, size_t n, const char *code)
{
	auto_json *j = parse_body(body, n);
	const struct json *errors = json_get(j, "errors");

	for (size_t i = 0; i < json_len(errors); i++)
		if (str_eq(json_str(json_get(json_at(errors, i), "code")), code))
			return true;
	return false;
}

/* ---- tokens ---- */

static bool is_token(const char *text)
{
	if (!text || !*text || strlen(text) > DISTRIBUTION_TOKEN_MAX)
		return false;
	for (; *text; text++)
		if (*text <= ' ' || *text >= 0x7f)
			return false;
	return true;
}

char *distribution_token(const char *body, size_t n, int64_t *ret_life_s)
{
	static const struct json_limits limits = { .bytes = (size_t)256 << 10, .depth = 16, .nodes = 4096 };
	auto_json *j = NULL;
	const char *value;

	if (!body || json_parse(body, n, "token", &limits, &j, NULL) < 0)
		return NULL;
	value = json_str(json_get(j, "token"));
	if (!value || !*value)
		value = json_str(json_get(j, "access_token"));
	if (!is_token(value))
		return NULL;
	(void)json_to_i64(json_get(j, "expires_in"), ret_life_s); /* stays as it is if it is no number */
	return xstrdup(value);
}

/* ---- Link ---- */

/* The parameters of one link, as far as the comma behind it: is rel one of "next"? */
static bool is_next(const char **at)
{
	const char *p = *at;
	bool next = false;

	for (;;) {
		autofree char *key = NULL, *value = NULL;

		p = skip_blanks(p);
		if (*p != ';')
			break;
		p = skip_blanks(p + 1);
		key = take_token(&p);
		p = skip_blanks(p);
		if (*p != '=')
			continue;
		p = skip_blanks(p + 1);
		if (*p != '"') { /* a bare value ends at a semicolon too */
			const char *end = p + strcspn(p, ";, \t");

			value = xstrndup(p, (size_t)(end - p));
			p = end;
		} else {
			value = take_value(&p);
		}
		if (!value)
			break;
		next = next || (str_eq(key, "rel") && strcasecmp(value, "next") == 0);
	}
	*at = p;
	return next;
}

char *distribution_next_link(const char *header)
{
	const char *p = header ? skip_commas(header) : "";

	while (*p == '<') {
		const char *end = strchr(p, '>'), *target = p + 1;

		if (!end)
			return NULL;
		p = end + 1;
		if (is_next(&p) && end > target)
			return xstrndup(target, (size_t)(end - target));
		p = skip_commas(p);
	}
	return NULL;
}

/* ---- names ---- */

char *distribution_scope(const char *repository, const char *actions)
{
	return xasprintf("repository:%s:%s", repository, actions);
}

bool distribution_repository_is_valid(const char *name)
{
	bool start = true;

	if (!*name || strlen(name) > 255)
		return false;
	for (const char *p = name; *p; p++) {
		bool word = (*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9');

		if (!word && (start || !strchr("._-/", *p)))
			return false;
		start = *p == '/';
	}
	return !start;
}
