/* SPDX-License-Identifier: Apache-2.0 */
/* What client.c, client_blob.c and client_list.c share. */
#ifndef UDOCKER_REGISTRY_CLIENT_PRIV_H
#define UDOCKER_REGISTRY_CLIENT_PRIV_H

#include "pkg/registry/auth.h"
#include "pkg/registry/client.h"
#include "pkg/registry/url.h"

#define ENDPOINTS_MAX 16

/* Where a repository can be had: a mirror, or the registry itself, which is the last. */
struct endpoint {
	struct url url; /* the base: "https://quay.io" */
	bool probed; /* --insecure: whether TLS is answered was looked at */
};

struct registry {
	struct http *http;
	struct auth *auth;
	struct endpoint endpoints[ENDPOINTS_MAX];
	size_t n_endpoints;
	char *repository; /* "library/ubuntu"; NULL for the registry alone */
	char *other; /* with --registry: "ubuntu", tried when there is no such thing in library/; or NULL */
	char *scope; /* "repository:…:pull", or NULL */
	const char *actions; /* "pull" or "pull,push" */
	bool borrowed; /* http and auth are another registry's */
	char *url, *name;
	bool is_hub, insecure;
	struct blob *blobs; /* under way */
	struct upload *uploads;
};

/* client_blob.c: forget those that are under way. */
void client_drop_blobs(struct registry *r);
/* client_upload.c: the same. */
void client_drop_uploads(struct registry *r);

/* There is nothing under that name: go on with the other one. False if there is none. */
bool client_rename(struct registry *r);

/* What authentication is about at one endpoint; valid as long as both. */
void client_target(const struct registry *r, const struct endpoint *e, struct auth_target *ret);
/* https as it is configured, or http where --insecure and TLS is not answered. */
int client_probe(struct registry *r, struct endpoint *e, struct err **err);

/* The registry itself. */
struct endpoint *client_own(struct registry *r);
/*
 * A request to an endpoint with authentication: answered with a 401 it is made again with what the registry wants. Any other status is success.
 */
int client_do(struct registry *r, const struct endpoint *e, const struct http_request *req,
	struct http_reply *ret, struct err **err);
/*
 * GET with authentication: `url` at an endpoint, answered once with a 401 it is asked again with what the registry wants. Any other status is success.
 */
int client_get(struct registry *r, const struct endpoint *e, const char *url, const char *const *headers,
	size_t max_body, struct http_reply *ret, struct err **err);
/* The error for a status that is no success; `what` is "manifest 1.0 of quay.io/a". */
int client_status(const struct registry *r, const struct endpoint *e, const char *what,
	const struct http_reply *reply, struct err **err);

#endif
