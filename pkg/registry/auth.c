/* SPDX-License-Identifier: Apache-2.0 */
/* Challenges answered, tokens fetched and kept. */
#include "pkg/registry/auth.h"

#include "oci-spec/distribution.h"
#include "pkg/base/codec.h"
#include "pkg/base/err.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/base/str.h"
#include "pkg/base/time.h"
#include "pkg/registry/credentials.h"
#include "pkg/registry/http.h"
#include "pkg/registry/url.h"

#define NS_PER_S INT64_C(1000000000)
#define TOKEN_LIFE_S 60 /* where the server does not say (token authentication specification) */
#define TOKEN_LIFE_MAX_S 86400
#define TOKEN_REPLY_MAX ((size_t)256 << 10)

/* How one registry wants to be spoken to, from its last challenge. */
struct known {
	struct known *next;
	char *origin;
	bool basic;
	char *realm, *service; /* Bearer; the service may be NULL */
};

struct token {
	struct token *next;
	char *origin, *scope; /* the scope as we name it, "" for none */
	char *value;
	int64_t until_ns;
};

struct auth {
	struct http *http;
	struct known *known;
	struct token *tokens;
	const struct credentials *own; /* auth_use() */
};

struct auth *auth_new(struct http *h)
{
	struct auth *a = xcalloc(1, sizeof(*a));

	a->http = h;
	return a;
}

void auth_use(struct auth *a, const struct credentials *c)
{
	a->own = c;
}

static void known_free(struct known *k)
{
	free(k->origin);
	free(k->realm);
	free(k->service);
	free(k);
}

static void token_free(struct token *t)
{
	free(t->origin);
	free(t->scope);
	mem_wipe_free(t->value);
	free(t);
}

void auth_free(struct auth *a)
{
	if (!a)
		return;
	while (a->known) {
		struct known *k = a->known;

		a->known = k->next;
		known_free(k);
	}
	while (a->tokens) {
		struct token *t = a->tokens;

		a->tokens = t->next;
		token_free(t);
	}
	free(a);
}

/* ---- what is known ---- */

static struct known *find_known(const struct auth *a, const char *origin)
{
	struct known *k = a->known;

	while (k && !str_eq(k->origin, origin))
		k = k->next;
	return k;
}

static struct known *need_known(struct auth *a, const char *origin)
{
	struct known *k = find_known(a, origin);

	if (!k) {
		k = xcalloc(1, sizeof(*k));
		k->origin = xstrdup(origin);
		k->next = a->known;
		a->known = k;
	}
	return k;
}

static const char *scope_of(const struct auth_target *t)
{
	return t->scope ? t->scope : "";
}

/* A token that is still good, inside a; what has run out goes. */
static const char *find_token(struct auth *a, const struct auth_target *t)
{
	struct token **at = &a->tokens;

	while (*at) {
		struct token *k = *at;

		if (k->until_ns <= time_monotonic_ns()) {
			*at = k->next;
			token_free(k);
			continue;
		}
		if (str_eq(k->origin, t->origin) && str_eq(k->scope, scope_of(t)))
			return k->value;
		at = &k->next;
	}
	return NULL;
}

static void drop_token(struct auth *a, const struct auth_target *t)
{
	struct token **at = &a->tokens;

	while (*at) {
		struct token *k = *at;

		if (!str_eq(k->origin, t->origin) || !str_eq(k->scope, scope_of(t))) {
			at = &k->next;
			continue;
		}
		*at = k->next;
		token_free(k);
	}
}

static int find_credentials(
	const struct auth *a, const struct auth_target *t, struct credentials *ret, struct err **err)
{
	const struct credentials_query q = { .registry = t->registry,
		.authority = t->authority,
		.repository = t->repository,
		.is_hub = t->is_hub };

	if (!a->own)
		return credentials_find(&q, ret, err);
	ret->user = xstrdup(a->own->user);
	ret->secret = xstrdup(a->own->secret);
	ret->identity_token = a->own->identity_token;
	return 1;
}

/* ---- tokens ---- */

static void add_field(struct str *out, const char *key, const char *value)
{
	autofree char *text = value ? codec_url_encode(value, "") : NULL;

	if (text)
		(void)str_addf(out, "%s%s=%s", out->len ? "&" : "", key, text);
}

/* GET realm?service=…&scope=… with Basic, or the OAuth 2 form where the credentials are a refresh token. */
static void token_fields(
	const struct known *k, const struct auth_target *t, const struct credentials *c, struct str *out)
{
	auto_strv scopes = STRV_INIT;

	add_field(out, "service", k->service);
	/* One after the other in the form of OAuth 2, each for itself in a query (token authentication specification). */
	if (c->identity_token)
		add_field(out, "scope", t->scope);
	else if (t->scope)
		strv_split(&scopes, t->scope, " ");
	for (size_t i = 0; i < scopes.n; i++)
		add_field(out, "scope", scopes.v[i]);
	if (c->identity_token) {
		add_field(out, "grant_type", "refresh_token");
		add_field(out, "client_id", "udocker");
		add_field(out, "refresh_token", c->secret);
	} else if (c->secret) {
		add_field(out, "account", c->user);
	}
}

/* A password goes over TLS, or to where the registry itself is spoken to without. */
static int check_realm(const struct auth *a, const struct known *k, const struct auth_target *t,
	const struct credentials *c, struct err **err)
{
	auto_url realm = URL_INIT;

	if (url_parse(k->realm, NULL, &realm, err) < 0)
		return err_add(err, "%s: token server", t->authority);
	if (c->secret && !realm.tls && str_starts(t->origin, "https:") && !http_is_insecure(a->http))
		return err_make(err, ERR_AUTH,
			"%s: its token server %s would get the password over plain http", t->authority,
			realm.authority);
	return 0;
}

static int ask_token_server(struct auth *a, const struct known *k, const struct auth_target *t,
	const struct credentials *c, struct http_reply *ret, struct err **err)
{
	struct http_request req = HTTP_REQUEST_INIT;
	auto_str fields = STR_INIT;
	autofree char *url = NULL;
	char *pair = NULL, *basic = NULL;
	int r;

	token_fields(k, t, c, &fields);
	if (c->identity_token) {
		req.form = str_text(&fields);
		req.url = k->realm;
	} else {
		url = xasprintf("%s%s%s", k->realm, strchr(k->realm, '?') ? "&" : "?", str_text(&fields));
		req.url = url;
		pair = c->secret ? credentials_encode(c->user, c->secret) : NULL;
		basic = pair ? xasprintf("Basic %s", pair) : NULL;
		req.authorization = basic;
	}
	req.max_body = TOKEN_REPLY_MAX;
	r = http_do(a->http, &req, ret, err);
	mem_wipe_free(pair);
	mem_wipe_free(basic);
	if (fields.data)
		explicit_bzero(fields.data, fields.cap);
	return r < 0 ? err_add(err, "token server of %s", t->authority) : 0;
}

static int refused_token(
	const struct auth_target *t, const struct http_reply *reply, bool with_secret, struct err **err)
{
	autofree char *why = distribution_error_text(str_text(&reply->body), reply->body.len);
	bool denied = reply->status == 401 || reply->status == 403 || reply->status == 400;

	err_make(err, denied ? ERR_AUTH : ERR_NETWORK, "%s: the token server %s (status %d%s%s)",
		t->authority, denied && with_secret ? "refuses the credentials" : "gives no token",
		reply->status, why ? ": " : "", why ? why : "");
	if (denied)
		err_hint(err, "see 'udocker-image login'");
	return -1;
}

static int keep_token(
	struct auth *a, const struct auth_target *t, const struct http_reply *reply, struct err **err)
{
	int64_t life = TOKEN_LIFE_S;
	char *value = distribution_token(str_text(&reply->body), reply->body.len, &life);
	struct token *token;

	if (!value)
		return err_make(err, ERR_AUTH, "%s: the token server's reply holds no token", t->authority);
	if (life < 1 || life > TOKEN_LIFE_MAX_S)
		life = life < 1 ? TOKEN_LIFE_S : TOKEN_LIFE_MAX_S;
	token = xcalloc(1, sizeof(*token));
	token->origin = xstrdup(t->origin);
	token->scope = xstrdup(scope_of(t));
	token->value = value;
	token->until_ns = time_monotonic_ns() + life * NS_PER_S * 9 / 10; /* not at the last moment */
	token->next = a->tokens;
	a->tokens = token;
	return 0;
}

static int fetch_token(struct auth *a, const struct known *k, const struct auth_target *t, struct err **err)
{
	auto_http_reply reply = HTTP_REPLY_INIT;
	auto_credentials c = CREDENTIALS_INIT;

	credentials_protect();
	if (find_credentials(a, t, &c, err) < 0 || check_realm(a, k, t, &c, err) < 0)
		return -1;
	log_debug("%s: token for '%s'%s", t->authority, scope_of(t), c.secret ? " with credentials" : "");
	if (ask_token_server(a, k, t, &c, &reply, err) < 0)
		return -1;
	if (reply.status != 200)
		return refused_token(t, &reply, c.secret != NULL, err);
	drop_token(a, t);
	return keep_token(a, t, &reply, err);
}

/* ---- headers ---- */

static int basic_header(struct auth *a, const struct auth_target *t, char **ret, struct err **err)
{
	auto_credentials c = CREDENTIALS_INIT;
	int r = find_credentials(a, t, &c, err);
	char *pair;

	if (r <= 0 || c.identity_token)
		return r < 0 ? -1 : 0;
	pair = credentials_encode(c.user, c.secret);
	*ret = xasprintf("Basic %s", pair);
	mem_wipe_free(pair);
	return 1;
}

static int bearer_header(
	struct auth *a, const struct known *k, const struct auth_target *t, char **ret, struct err **err)
{
	const char *token = find_token(a, t);

	if (!token) {
		if (fetch_token(a, k, t, err) < 0)
			return -1;
		token = find_token(a, t);
	}
	if (!token) /* it ran out while it came */
		return 0;
	*ret = xasprintf("Bearer %s", token);
	return 1;
}

static int make_header(
	struct auth *a, const struct known *k, const struct auth_target *t, char **ret, struct err **err)
{
	*ret = NULL;
	return k->basic ? basic_header(a, t, ret, err) : bearer_header(a, k, t, ret, err);
}

int auth_header(struct auth *a, const struct auth_target *t, char **ret, struct err **err)
{
	const struct known *k = find_known(a, t->origin);

	*ret = NULL;
	return k && make_header(a, k, t, ret, err) < 0 ? -1 : 0;
}

/* The strongest challenge we can answer: Bearer with a realm, else Basic. */
static bool learn(struct auth *a, const char *origin, const struct http_reply *reply)
{
	auto_challenges all = { .n = 0 };
	const struct challenge *bearer;
	const char *line, *realm;
	struct known *k;

	for (size_t i = 0; (line = http_header(reply, "www-authenticate", i)); i++)
		challenges_parse(line, &all);
	bearer = challenges_find(&all, "bearer");
	realm = bearer ? challenge_param(bearer, "realm") : NULL;
	if (!realm && !challenges_find(&all, "basic"))
		return false;
	k = need_known(a, origin);
	k->basic = !realm;
	free(k->realm);
	free(k->service);
	k->realm = xstrdup_null(realm);
	k->service = realm ? xstrdup_null(challenge_param(bearer, "service")) : NULL;
	return true;
}

int auth_answer(struct auth *a, const struct auth_target *t, const struct http_reply *reply, const char *sent,
	char **ret, struct err **err)
{
	const char *token = find_token(a, t);
	int r;

	*ret = NULL;
	credentials_protect();
	if (!learn(a, t->origin, reply))
		return 0;
	/* Refused although it looked good: another may help, once. A newer one may be there already. */
	if (sent && token && str_starts(sent, "Bearer ") && str_eq(sent + strlen("Bearer "), token))
		drop_token(a, t);
	r = make_header(a, find_known(a, t->origin), t, ret, err);
	if (r > 0 && sent && str_eq(*ret, sent)) {
		mem_wipe_free(steal_ptr(ret));
		return 0;
	}
	return r;
}

int auth_refused(const struct auth_target *t, const struct http_reply *reply, struct err **err)
{
	autofree char *why = distribution_error_text(str_text(&reply->body), reply->body.len);

	err_make(err, ERR_AUTH, "%s: access %s%s%s%s", t->authority,
		reply->status == 403 ? "denied" : "needs credentials, or others", why ? " (" : "",
		why ? why : "", why ? ")" : "");
	return t->is_hub ? err_hint(err, "is the name right? a private image needs 'udocker login'")
			 : err_hint(err,
				   "is the name right? a private image needs 'udocker login --registry=%s'",
				   t->registry);
}
