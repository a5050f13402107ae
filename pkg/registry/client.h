/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A registry as the distribution specification 1.1 has it: manifests, blobs, tags of one repository, asked with whatever authentication it wants, its
 * mirrors first. What comes is checked against the digest that was asked for; what is done with it is the caller's affair.
 */
#ifndef UDOCKER_REGISTRY_CLIENT_H
#define UDOCKER_REGISTRY_CLIENT_H

#include "oci-spec/digest.h"
#include "pkg/base/base.h"
#include "pkg/base/str.h"
#include "pkg/registry/http.h"

struct credentials;
struct descriptor;
struct err;
struct reference;
struct strv;

#define REGISTRY_NAMES_MAX 200000 /* of a list of tags or repositories */

struct registry;
struct registry_settings {
	const char *url; /* --registry: asked instead of the name's own host; NULL: none */
	bool insecure; /* no verification of certificates, and plain HTTP where TLS is not answered */
	const char *proxy; /* --httpproxy, or NULL */
	bool push; /* to write there: no mirrors, and access for pull and push is asked for */
	struct registry *
		beside; /* opened before, closed later: connections and tokens are shared, http_run() drives both */
};
/* The registry and repository of a reference. No connection is made yet. ERR_USAGE for a wrong URL. Caller closes. */
int registry_open(const struct reference *ref, const struct registry_settings *settings,
	struct registry **ret, struct err **err);
/* The registry alone, for login and the catalogue: of --registry, else Docker Hub's. */
int registry_open_host(const struct registry_settings *settings, struct registry **ret, struct err **err);
void registry_close(struct registry *r);
DEFINE_CLEANUP(registry_cleanup, struct registry, registry_close);
#define auto_registry CLEANUP(registry_cleanup) struct registry

const char *registry_url(
	const struct registry *r); /* under which credentials are stored; no slash at its end */
const char *registry_name(const struct registry *r); /* "quay.io/org/app", for messages */
struct http *registry_http(const struct registry *r);

struct registry_manifest {
	struct str bytes; /* exactly as they came */
	char *media_type; /* Content-Type, without parameters; "" if there was none */
	struct digest digest; /* of the bytes; of a signed schema 1 manifest, of its payload */
};
#define REGISTRY_MANIFEST_INIT ((struct registry_manifest){ 0 })
void registry_manifest_free(struct registry_manifest *m);
#define auto_registry_manifest CLEANUP(registry_manifest_free) struct registry_manifest

/*
 * A manifest or index by tag or digest. ERR_NOT_FOUND; ERR_AUTH; ERR_CORRUPT when the bytes are not those of the digest (asked for, or stated by the
 * registry) or more than MANIFEST_MAX_BYTES; ERR_NETWORK.
 */
int registry_manifest(struct registry *r, const char *what, struct registry_manifest *ret, struct err **err);

/*
 * Begin a blob, whose bytes from `from` on go to the sink: from mirrors, the registry, then (d->urls) the places a foreign layer names. The
 * caller runs registry_http() with http_run(). `done` gets an unset *failure when all of it came; whether the bytes are the right ones only the sink knows.
 * `from` of a further try is what the sink got.
 */
typedef int registry_done_fn(void *arg, struct err **failure, struct err **err);
int registry_blob(struct registry *r, const struct descriptor *d, uint64_t from, http_sink_fn *sink,
	registry_done_fn *done, void *arg, struct err **err);

/* Every tag, page by page, appended in the registry's order; names that are no tags are left out. ERR_CORRUPT for a list without end. */
int registry_tags(struct registry *r, struct strv *ret, struct err **err);

/*
 * The repositories of registry_open_host() whose name has `match` in it, whatever the case, page by page until ret holds `max` (at most REGISTRY_NAMES_MAX).
 * *ret_more: there are further ones. ERR_NOT_FOUND or ERR_UNSUPPORTED for a registry without a catalogue.
 */
int registry_catalogue(struct registry *r, const char *match, size_t max, struct strv *ret, bool *ret_more,
	struct err **err);

/*
 * Would these credentials be taken? ERR_AUTH when not. *ret_asked is false for a registry that asks for none, which proves nothing.
 */
int registry_login(struct registry *r, const struct credentials *c, bool *ret_asked, struct err **err);

#endif
