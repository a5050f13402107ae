/* SPDX-License-Identifier: Apache-2.0 */
/* Manifests into a registry, and which other names are in the same one. */
#include "oci-spec/reference.h"
#include "pkg/base/err.h"
#include "pkg/base/mem.h"
#include "pkg/registry/client_priv.h"
#include "pkg/registry/upload.h"

static char *url_of(const struct registry *r, const struct endpoint *e, const struct registry_document *d)
{
	return xasprintf("%s/v2/%s/manifests/%s", e->url.text, r->repository, d->what);
}

bool registry_has_manifest(struct registry *r, const struct registry_document *d)
{
	autofree char *url = NULL, *accept = xasprintf("Accept: %s", d->media_type);
	const char *const headers[] = { accept, NULL };
	struct http_request req = HTTP_REQUEST_INIT;
	auto_http_reply reply = HTTP_REPLY_INIT;
	struct endpoint *e = client_own(r);

	if (client_probe(r, e, NULL) < 0)
		return false;
	url = url_of(r, e, d);
	req.url = url;
	req.method = "HEAD";
	req.once = true;
	req.headers = headers;
	return client_do(r, e, &req, &reply, NULL) == 0 && reply.status == 200 &&
	       str_eq(http_header(&reply, "docker-content-digest", 0), d->digest->text);
}

static int check_reply(struct registry *r, const struct registry_document *d, const struct http_reply *reply,
	struct err **err)
{
	autofree char *where = xasprintf("%s, manifest %s", r->name, d->what);
	const char *stated = http_header(reply, "docker-content-digest", 0);

	if (reply->status < 200 || reply->status > 299)
		return client_status(r, client_own(r), where, reply, err);
	if (!stated || !digest_is_valid(stated) || str_eq(stated, d->digest->text))
		return 0;
	return err_make(err, ERR_CORRUPT, "%s: the registry took %s for %s", where, d->digest->text, stated);
}

int registry_put_manifest(struct registry *r, const struct registry_document *d, struct err **err)
{
	autofree char *url = NULL, *type = xasprintf("Content-Type: %s", d->media_type);
	const char *const headers[] = { type, NULL };
	struct http_request req = HTTP_REQUEST_INIT;
	auto_http_reply reply = HTTP_REPLY_INIT;
	struct endpoint *e = client_own(r);

	if (client_probe(r, e, err) < 0)
		return -1;
	url = url_of(r, e, d);
	req.url = url;
	req.method = "PUT";
	req.headers = headers;
	req.body = d->bytes;
	req.body_n = d->n;
	if (client_do(r, e, &req, &reply, err) < 0)
		return err_add(err, "%s, manifest %s", r->name, d->what);
	return check_reply(r, d, &reply, err);
}

char *registry_neighbour(const struct registry *r, const struct reference *ref)
{
	struct reference_remote remote = REFERENCE_REMOTE_INIT;
	const struct endpoint *own = &r->endpoints[r->n_endpoints - 1];
	char *ret = NULL;
	bool same;

	reference_remote(ref, &remote);
	same = r->is_hub ? remote.is_hub : !remote.is_hub && strcasecmp(remote.host, own->url.authority) == 0;
	if (same && !str_eq(remote.repository, r->repository))
		ret = xstrdup(remote.repository);
	reference_remote_free(&remote);
	return ret;
}
