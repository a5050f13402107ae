/* SPDX-License-Identifier: Apache-2.0 */
/* A registry opened: where it and its mirrors are; requests with authentication; manifests. */
#include "pkg/registry/client.h"

#include "oci-spec/distribution.h"
#include "oci-spec/manifest.h"
#include "oci-spec/media_types.h"
#include "oci-spec/reference.h"
#include "pkg/base/err.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/base/strv.h"
#include "pkg/conf/conf.h"
#include "pkg/registry/client_priv.h"
#include "pkg/registry/credentials.h"
#include "pkg/registry/schema1.h"

#define AUTH_ROUNDS 2 /* a token may run out on its way */

/* ---- opening ---- */

static void trim_slashes(char *s)
{
	size_t n = strlen(s);

	while (n && s[n - 1] == '/')
		s[--n] = '\0';
}

/* A URL, or a host for which https stands; without a slash at its end. ERR_USAGE. */
static int base_url(const char *text, struct url *ret, struct err **err)
{
	autofree char *full = strstr(text, "://") ? xstrdup(text) : xasprintf("https://%s", text);

	if (strchr(full, '@')) {
		err_make(err, ERR_USAGE, "the URL of a registry holds no user and password");
		return err_hint(err, "see 'udocker-image login'");
	}
	trim_slashes(full);
	if (url_parse(full, NULL, ret, err) < 0) {
		(void)err_add(err, "registry");
		return err_set_kind(err, ERR_USAGE);
	}
	trim_slashes(ret->text);
	return 0;
}

static int add_endpoint(struct registry *r, const char *url, struct err **err)
{
	if (r->n_endpoints >= ENDPOINTS_MAX)
		return err_make(err, ERR_USAGE, "%s: more than %d mirrors", r->name, ENDPOINTS_MAX - 1);
	if (base_url(url, &r->endpoints[r->n_endpoints].url, err) < 0)
		return -1;
	r->n_endpoints++;
	return 0;
}

/* registry_mirrors: HOST=URL. */
static int add_mirrors(struct registry *r, const char *host, struct err **err)
{
	const struct strv *all = conf_list(CONF_REGISTRY_MIRRORS);

	for (size_t i = 0; i < all->n; i++) {
		const char *equals = strchr(all->v[i], '=');
		size_t n = equals ? (size_t)(equals - all->v[i]) : 0;

		if (!equals)
			return err_make(err, ERR_USAGE, "registry_mirrors: '%s' is not HOST=URL", all->v[i]);
		if (strlen(host) == n && strncasecmp(all->v[i], host, n) == 0 &&
			add_endpoint(r, equals + 1, err) < 0)
			return err_add(err, "registry_mirrors");
	}
	return 0;
}

static int open_http(struct registry *r, const struct registry_settings *s, struct err **err)
{
	const struct http_settings settings = { .insecure = s->insecure, .proxy = s->proxy };

	r->actions = s->push ? "pull,push" : "pull";
	if (s->beside) {
		r->http = s->beside->http;
		r->auth = s->beside->auth;
		r->insecure = s->beside->insecure;
		r->borrowed = true;
		return 0;
	}
	if (http_open(&settings, &r->http, err) < 0)
		return -1;
	r->insecure = http_is_insecure(r->http);
	r->auth = auth_new(r->http);
	return 0;
}

/* The registry itself, asked last. */
static int add_registry(
	struct registry *r, const struct registry_settings *s, const char *host, struct err **err)
{
	const char *url = s->url && *s->url ? s->url
			  : r->is_hub       ? conf_str(CONF_DOCKERIO_REGISTRY_URL)
					    : host;

	if (add_endpoint(r, url, err) < 0)
		return -1;
	r->url = xstrdup(r->endpoints[r->n_endpoints - 1].url.text);
	return 0;
}

int registry_open(const struct reference *ref, const struct registry_settings *settings,
	struct registry **ret, struct err **err)
{
	struct reference_remote remote = REFERENCE_REMOTE_INIT;
	auto_registry *r = xcalloc(1, sizeof(*r));
	int status;

	reference_remote(ref, &remote);
	r->name = xstrdup(ref->name);
	r->repository = xstrdup(remote.repository);
	/* A registry of one's own has no library/ of its own; what it is told is taken. */
	if (settings->push && settings->url && *settings->url && !strchr(ref->name, '/')) {
		free(r->repository);
		r->repository = xstrdup(ref->name);
	}
	r->scope = distribution_scope(r->repository, settings->push ? "pull,push" : "pull");
	/* 1.3.x asks a registry of one's own for library/NAME too; there NAME alone is as likely. */
	if (settings->url && *settings->url && !strchr(ref->name, '/') && !str_eq(ref->name, r->repository))
		r->other = xstrdup(ref->name);
	r->is_hub = remote.is_hub && !(settings->url && *settings->url);
	status = open_http(r, settings, err);
	/* --registry says exactly who is to be asked. */
	if (status == 0 && !settings->push && !(settings->url && *settings->url))
		status = add_mirrors(r, remote.is_hub ? "docker.io" : remote.host, err);
	if (status == 0)
		status = add_registry(r, settings, remote.host, err);
	reference_remote_free(&remote);
	if (status < 0)
		return -1;
	*ret = steal_ptr(&r);
	return 0;
}

int registry_open_host(const struct registry_settings *settings, struct registry **ret, struct err **err)
{
	auto_registry *r = xcalloc(1, sizeof(*r));

	r->is_hub = !(settings->url && *settings->url);
	if (open_http(r, settings, err) < 0 || add_registry(r, settings, "", err) < 0)
		return -1;
	r->name = xstrdup(r->endpoints[0].url.authority);
	*ret = steal_ptr(&r);
	return 0;
}

void registry_close(struct registry *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->n_endpoints; i++)
		url_free(&r->endpoints[i].url);
	if (!r->borrowed) {
		auth_free(r->auth);
		http_close(r->http);
	}
	client_drop_blobs(r);
	client_drop_uploads(r);
	free(r->repository);
	free(r->other);
	free(r->scope);
	free(r->url);
	free(r->name);
	free(r);
}

const char *registry_url(const struct registry *r)
{
	return r->url;
}

const char *registry_name(const struct registry *r)
{
	return r->name;
}

struct http *registry_http(const struct registry *r)
{
	return r->http;
}

bool client_rename(struct registry *r)
{
	if (!r->other)
		return false;
	free(r->repository);
	free(r->scope);
	r->repository = steal_ptr(&r->other);
	r->scope = distribution_scope(r->repository, r->actions);
	return true;
}

/* ---- requests ---- */

void client_target(const struct registry *r, const struct endpoint *e, struct auth_target *ret)
{
	bool own = e == &r->endpoints[r->n_endpoints - 1];

	*ret = (struct auth_target){ .registry = e->url.text,
		.origin = e->url.origin,
		.authority = e->url.authority,
		.repository = r->repository,
		.scope = r->scope,
		.is_hub = own && r->is_hub };
}

int client_probe(struct registry *r, struct endpoint *e, struct err **err)
{
	struct http_request req = HTTP_REQUEST_INIT;
	auto_http_reply reply = HTTP_REPLY_INIT;
	autofree char *ping = NULL, *plain = NULL;
	auto_url url = URL_INIT;
	auto_err *e1 = NULL;

	if (e->probed || !r->insecure || !e->url.tls)
		return 0;
	e->probed = true;
	ping = xasprintf("%s/v2/", e->url.text);
	req.url = ping;
	if (http_do(r->http, &req, &reply, &e1) == 0)
		return 0;
	if (!err_is(e1, ERR_NETWORK))
		return err_move(err, &e1);
	log_verbose("%s: no TLS there (%s), trying plain http", e->url.authority, err_text(e1));
	plain = xasprintf("http://%s", e->url.text + strlen("https://"));
	free(ping);
	ping = xasprintf("%s/v2/", plain);
	req.url = ping;
	if (http_do(r->http, &req, &reply, NULL) < 0) /* then the first error is the one to tell */
		return err_move(err, &e1);
	if (url_parse(plain, NULL, &url, err) < 0)
		return -1;
	trim_slashes(url.text);
	url_free(&e->url);
	e->url = url;
	url = URL_INIT;
	return 0;
}

struct endpoint *client_own(struct registry *r)
{
	return &r->endpoints[r->n_endpoints - 1];
}

static int request(struct registry *r, const struct http_request *from, const char *authorization,
	struct http_reply *ret, struct err **err)
{
	struct http_request req = *from;

	req.authorization = authorization;
	return http_do(r->http, &req, ret, err);
}

int client_do(struct registry *r, const struct endpoint *e, const struct http_request *req,
	struct http_reply *ret, struct err **err)
{
	struct auth_target target;
	char *sent = NULL;
	int status;

	client_target(r, e, &target);
	if (auth_header(r->auth, &target, &sent, err) < 0)
		return -1;
	status = request(r, req, sent, ret, err);
	for (int i = 0; status == 0 && ret->status == 401 && i < AUTH_ROUNDS; i++) {
		char *next = NULL;
		int more = auth_answer(r->auth, &target, ret, sent, &next, err);

		mem_wipe_free(sent);
		sent = next;
		if (more < 0)
			http_reply_free(ret);
		if (more <= 0) {
			status = more;
			break;
		}
		http_reply_free(ret);
		status = request(r, req, sent, ret, err);
	}
	mem_wipe_free(sent);
	return status;
}

int client_get(struct registry *r, const struct endpoint *e, const char *url, const char *const *headers,
	size_t max_body, struct http_reply *ret, struct err **err)
{
	struct http_request req = HTTP_REQUEST_INIT;

	req.url = url;
	req.headers = headers;
	req.max_body = max_body;
	return client_do(r, e, &req, ret, err);
}

/* A success that is given up all the same is one of which nothing came. */
static const char *what_it_does(int status)
{
	if (status == 404)
		return "does not have it";
	return status < 400 ? "agrees and does not do it" : "gives an error";
}

int client_status(const struct registry *r, const struct endpoint *e, const char *what,
	const struct http_reply *reply, struct err **err)
{
	autofree char *why = distribution_error_text(str_text(&reply->body), reply->body.len);
	struct auth_target target;

	if (reply->status == 401 || reply->status == 403) {
		client_target(r, e, &target);
		(void)auth_refused(&target, reply, err);
		if (strchr(r->actions, ','))
			(void)err_hint(err, "may this user write there? see 'udocker-image login'");
		return err_add(err, "%s", what);
	}
	err_make(err, reply->status == 404 ? ERR_NOT_FOUND : ERR_NETWORK, "%s: %s %s (status %d%s%s)", what,
		e->url.authority, what_it_does(reply->status), reply->status, why ? ", " : "",
		why ? why : "");
	if (reply->status == 429)
		return err_hint(err, "it limits how often it may be asked: wait, or log in");
	return -1;
}

/* ---- manifests ---- */

static const char *const accept_manifests[] = {
	"Accept: " MEDIA_OCI_INDEX ", " MEDIA_OCI_MANIFEST ", " MEDIA_DOCKER_LIST ", " MEDIA_DOCKER_MANIFEST
	", application/vnd.docker.distribution.manifest.v1+prettyjws"
	", application/vnd.docker.distribution.manifest.v1+json, application/json;q=0.5, */*;q=0.1",
	NULL,
};

void registry_manifest_free(struct registry_manifest *m)
{
	str_free(&m->bytes);
	free(m->media_type);
	*m = REGISTRY_MANIFEST_INIT;
}

/* The digest that was asked for, or that the registry states, is that of the bytes. */
static int check_digest(
	const char *what, const struct http_reply *reply, struct digest *ret, struct err **err)
{
	const char *stated = http_header(reply, "docker-content-digest", 0);
	struct digest want = { 0 }, header = { 0 };

	if (digest_parse(what, &want, NULL) < 0 && stated && digest_parse(stated, &header, NULL) == 0)
		want = header;
	if (schema1_digest(digest_is_set(&want) ? want.kind : SHA_256, str_text(&reply->body),
		    reply->body.len, ret, err) < 0)
		return -1;
	if (digest_is_set(&want) && !digest_eq(&want, ret))
		return err_make(err, ERR_CORRUPT, "digest mismatch: wanted %s, got %s", want.text, ret->text);
	return 0;
}

static int take_manifest(
	const char *what, struct http_reply *reply, struct registry_manifest *ret, struct err **err)
{
	const char *type = http_header(reply, "content-type", 0);

	if (check_digest(what, reply, &ret->digest, err) < 0)
		return -1;
	ret->media_type = type ? xstrndup(type, strcspn(type, "; ")) : xstrdup("");
	ret->bytes = reply->body;
	reply->body = STR_INIT;
	return 0;
}

static int manifest_at(struct registry *r, struct endpoint *e, const char *what,
	struct registry_manifest *ret, struct err **err)
{
	auto_http_reply reply = HTTP_REPLY_INIT;
	autofree char *url = NULL, *where = xasprintf("%s, manifest %s", r->name, what);

	if (client_probe(r, e, err) < 0)
		return -1;
	url = xasprintf("%s/v2/%s/manifests/%s", e->url.text, r->repository, what);
	if (client_get(r, e, url, accept_manifests, MANIFEST_MAX_BYTES, &reply, err) < 0)
		return err_add(err, "%s", where);
	if (reply.status != 200)
		return client_status(r, e, where, &reply, err);
	return take_manifest(what, &reply, ret, err) < 0 ? err_add(err, "%s", where) : 0;
}

static int manifest_anywhere(
	struct registry *r, const char *what, struct registry_manifest *ret, struct err **err)
{
	for (size_t i = 0; i + 1 < r->n_endpoints; i++) {
		auto_err *e = NULL;

		if (manifest_at(r, &r->endpoints[i], what, ret, &e) == 0)
			return 0;
		log_verbose("mirror: %s, going on", err_text(e));
	}
	return manifest_at(r, &r->endpoints[r->n_endpoints - 1], what, ret, err);
}

int registry_manifest(struct registry *r, const char *what, struct registry_manifest *ret, struct err **err)
{
	auto_err *e = NULL;

	if (manifest_anywhere(r, what, ret, &e) == 0)
		return 0;
	if ((err_is(e, ERR_NOT_FOUND) || err_is(e, ERR_AUTH)) && client_rename(r))
		return manifest_anywhere(r, what, ret, err);
	return err_move(err, &e);
}

/* ---- login ---- */

int registry_login(struct registry *r, const struct credentials *c, bool *ret_asked, struct err **err)
{
	struct endpoint *e = &r->endpoints[r->n_endpoints - 1];
	auto_http_reply reply = HTTP_REPLY_INIT, first = HTTP_REPLY_INIT;
	struct http_request req = HTTP_REQUEST_INIT;
	autofree char *url = NULL;
	struct auth_target target;

	if (client_probe(r, e, err) < 0)
		return -1;
	url = xasprintf("%s/v2/", e->url.text);
	req.url = url;
	if (request(r, &req, NULL, &first, err) < 0)
		return -1;
	*ret_asked = first.status == 401;
	if (first.status != 401)
		return first.status == 200 ? 0 : client_status(r, e, r->name, &first, err);
	auth_use(r->auth, c);
	if (client_get(r, e, url, NULL, 0, &reply, err) < 0)
		return -1;
	client_target(r, e, &target);
	if (reply.status == 401 || reply.status == 403)
		return err_make(err, ERR_AUTH, "%s refuses the credentials", e->url.authority);
	return reply.status == 200 ? 0 : client_status(r, e, r->name, &reply, err);
}
