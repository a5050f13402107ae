/* SPDX-License-Identifier: Apache-2.0 */
/* One blob: asked of the mirrors, the registry and the places a foreign layer names, in turn, going on where the last one stopped. */
#include "oci-spec/descriptor.h"
#include "oci-spec/media_types.h"
#include "pkg/base/err.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/base/strv.h"
#include "pkg/conf/conf.h"
#include "pkg/registry/client_priv.h"

#define AUTH_ROUNDS 2
#define FOREIGN_URLS_MAX 8

struct blob {
	struct registry *r;
	struct blob *next, **link; /* in r->blobs; what points at this one */
	char digest[DIGEST_TEXT_MAX + 1];
	struct strv urls; /* of a foreign layer */
	uint64_t at, size;
	uint64_t max; /* of a blob whose size is not known; 0: any */
	http_sink_fn *sink;
	registry_done_fn *done;
	void *arg;
	size_t place; /* endpoints, then urls */
	int rounds; /* of authentication, at this place */
	char *sent; /* Authorization of the running request */
	bool sink_failed; /* no other place will help */
};

static void release(struct blob *b)
{
	strv_free(&b->urls);
	mem_wipe_free(b->sent);
	free(b);
}

static void blob_free(struct blob *b)
{
	*b->link = b->next;
	if (b->next)
		b->next->link = b->link;
	release(b);
}

/* Those whose requests were cancelled have no end of their own. */
void client_drop_blobs(struct registry *r)
{
	struct blob *next;

	for (struct blob *b = r->blobs; b; b = next) {
		next = b->next;
		release(b);
	}
	r->blobs = NULL;
}

static int begin(struct blob *b, struct err **err);

static int take(void *arg, const void *p, size_t n, struct err **err)
{
	struct blob *b = arg;

	/* Schema 1 states no sizes: what is longer than all that it may unpack to has no end. */
	if (b->size == UINT64_MAX && b->max && (n > b->max || b->at > b->max - n)) {
		b->sink_failed = true;
		err_make(err, ERR_CORRUPT, "it is longer than %llu bytes", (unsigned long long)b->max);
		return err_hint(err, "see the setting unpack_max_size");
	}
	if (b->sink(b->arg, p, n, err) < 0) {
		b->sink_failed = true;
		return -1;
	}
	b->at += n;
	return 0;
}

static struct endpoint *endpoint_of(const struct blob *b)
{
	return b->place < b->r->n_endpoints ? &b->r->endpoints[b->place] : NULL;
}

static int end(struct blob *b, struct err **failure, struct err **err)
{
	int r = b->done(b->arg, failure, err);

	blob_free(b);
	return r;
}

/* This place has failed: the next one, or that is the end. */
static int next_place(struct blob *b, struct err **failure, struct err **err)
{
	if (b->sink_failed || b->place + 1 >= b->r->n_endpoints + b->urls.n) {
		(void)err_add(failure, "layer %s", b->digest);
		return end(b, failure, err);
	}
	log_verbose("layer %s: %s, going on elsewhere", b->digest, err_text(*failure));
	err_clear(failure);
	b->place++;
	b->rounds = 0;
	mem_wipe_free(steal_ptr(&b->sent));
	return begin(b, err);
}

static int refused(struct blob *b, const struct http_reply *reply, struct err **err)
{
	const struct endpoint *e = endpoint_of(b);
	auto_err *failure = NULL;

	if (e)
		(void)client_status(b->r, e, b->r->name, reply, &failure);
	else
		(void)err_make(&failure, ERR_NETWORK, "%s gives status %d",
			b->urls.v[b->place - b->r->n_endpoints], reply->status);
	return next_place(b, &failure, err);
}

/* 401: once more with what the registry wants. */
static int answer(struct blob *b, const struct http_reply *reply, struct err **err)
{
	struct auth_target target;
	auto_err *failure = NULL;
	char *next = NULL;
	int more;

	client_target(b->r, endpoint_of(b), &target);
	more = auth_answer(b->r->auth, &target, reply, b->sent, &next, &failure);
	if (more < 0)
		return next_place(b, &failure, err);
	if (more == 0)
		return refused(b, reply, err);
	b->rounds++;
	mem_wipe_free(b->sent);
	b->sent = next;
	return begin(b, err);
}

static int ended(void *arg, struct http_reply *reply, struct err **failure, struct err **err)
{
	struct blob *b = arg;
	struct err *none = NULL;

	if (!reply)
		return next_place(b, failure, err);
	if (reply->status == 200)
		return end(b, &none, err);
	if (reply->status == 401 && endpoint_of(b) && b->rounds < AUTH_ROUNDS)
		return answer(b, reply, err);
	return refused(b, reply, err);
}

static int begin(struct blob *b, struct err **err)
{
	struct http_request req = HTTP_REQUEST_INIT;
	struct endpoint *e = endpoint_of(b);
	autofree char *url = NULL;
	auto_err *failure = NULL;
	int r = 0;

	if (e) {
		struct auth_target target;

		r = client_probe(b->r, e, &failure);
		client_target(b->r, e, &target);
		if (r == 0 && !b->sent)
			r = auth_header(b->r->auth, &target, &b->sent, &failure);
		url = xasprintf("%s/v2/%s/blobs/%s", e->url.text, b->r->repository, b->digest);
	} else {
		url = xstrdup(b->urls.v[b->place - b->r->n_endpoints]);
	}
	req.url = url;
	req.authorization = b->sent;
	req.sink = take;
	req.sink_arg = b;
	req.from = b->at;
	req.size = b->size;
	if (r == 0)
		r = http_start(b->r->http, &req, ended, b, &failure);
	return r < 0 ? next_place(b, &failure, err) : 0;
}

int registry_blob(struct registry *r, const struct descriptor *d, uint64_t from, http_sink_fn *sink,
	registry_done_fn *done, void *arg, struct err **err)
{
	struct blob *b = xcalloc(1, sizeof(*b));

	b->r = r;
	b->next = r->blobs;
	b->link = &r->blobs;
	if (b->next)
		b->next->link = &b->next;
	r->blobs = b;
	(void)snprintf(b->digest, sizeof(b->digest), "%s", d->digest.text);
	for (size_t i = 0; media_type_find(d->media_type)->foreign && i < d->urls.n && i < FOREIGN_URLS_MAX;
		i++)
		strv_add(&b->urls, d->urls.v[i]);
	b->at = from;
	b->size = d->size < 0 ? UINT64_MAX : (uint64_t)d->size;
	b->max = conf_size(CONF_UNPACK_MAX_SIZE);
	b->sink = sink;
	b->done = done;
	b->arg = arg;
	return begin(b, err);
}
