/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One blob on its way into a registry (distribution-spec 1.1, pushing blobs): asked for, mounted from another repository, else sent in chunks. Each
 * step is one request; what comes back says which one is next.
 */
#include "oci-spec/distribution.h"
#include "pkg/base/codec.h"
#include "pkg/base/err.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/base/num.h"
#include "pkg/base/sha256.h"
#include "pkg/base/strv.h"
#include "pkg/registry/client_priv.h"
#include "pkg/registry/upload.h"

#define AUTH_ROUNDS 2
#define RESTARTS_MAX 5
#define WHOLE_MAX (UINT64_C(1) << 20) /* up to this in one request, which also closes the upload */
#define CHUNK_BYTES (UINT64_C(32) << 20) /* what a registry that forgets a broken chunk gets once more */
#define CHUNK_SMALL (UINT64_C(4) << 20) /* after a 413 */
#define PROGRESS_BYTES (UINT64_C(64) << 10) /* so much more there makes a failure the first one again */
#define CLOSE_PATIENCE 10 /* it may read all of a blob once more before it answers */

enum step {
	STEP_LOOK, /* HEAD: is it there? */
	STEP_OPEN, /* POST: mount it, or begin an upload */
	STEP_SEND, /* PATCH, or PUT of all of it */
	STEP_ASK, /* GET: how much is there? */
	STEP_CLOSE, /* PUT */
};

struct upload {
	struct registry *r;
	struct upload *next, **link; /* in r->uploads; what points at this one */
	struct registry_upload o;
	enum step step;
	const struct strv *from; /* or NULL */
	size_t n_from; /* the next one to mount from */
	bool mounting; /* the POST asks for it */
	bool begun, looked, closed;
	struct url place; /* where it is sent to */
	uint64_t at, end; /* the chunk */
	uint64_t chunk, mark;
	int tries, restarts, rounds;
	int64_t pause_ns;
	char *scope; /* while mounting */
	char *sent; /* Authorization of the running request */
	struct sha *sha;
	uint64_t hashed;
};

static void release(struct upload *u)
{
	url_free(&u->place);
	free(u->scope);
	mem_wipe_free(u->sent);
	sha_free(u->sha);
	free(u);
}

/* Those whose requests were cancelled have no end of their own. */
void client_drop_uploads(struct registry *r)
{
	struct upload *next;

	for (struct upload *u = r->uploads; u; u = next) {
		next = u->next;
		release(u);
	}
	r->uploads = NULL;
}

static int begin(struct upload *u, struct err **err);

static int end(struct upload *u, enum registry_uploaded how, struct err **failure, struct err **err)
{
	int r;

	*u->link = u->next;
	if (u->next)
		u->next->link = u->link;
	(void)err_add(failure, "%s, blob %s", registry_name(u->r), u->o.digest.text); /* if it is set */
	r = u->o.done(u->o.arg, how, failure, err);
	release(u);
	return r;
}

static int succeed(struct upload *u, enum registry_uploaded how, struct err **err)
{
	struct err *none = NULL;

	return end(u, how, &none, err);
}

static int next_step(struct upload *u, enum step step, struct err **err)
{
	u->step = step;
	u->rounds = 0;
	mem_wipe_free(steal_ptr(&u->sent));
	return begin(u, err);
}

/* The reply is the reason why it ends. */
static int refused(struct upload *u, const struct http_reply *reply, struct err **err)
{
	auto_err *failure = NULL;

	if (reply->status == 0)
		(void)err_make(&failure, ERR_NETWORK, "%s: %s", client_own(u->r)->url.authority,
			str_text(&reply->body));
	else
		(void)client_status(u->r, client_own(u->r), "upload", reply, &failure);
	if (distribution_error_has(str_text(&reply->body), reply->body.len, "DIGEST_INVALID"))
		(void)err_set_kind(&failure, ERR_CORRUPT);
	return end(u, 0, &failure, err);
}

/* From the start, in a new upload: what was sent is lost there. */
static int restart(struct upload *u, const struct http_reply *reply, struct err **err)
{
	if (u->restarts++ >= RESTARTS_MAX)
		return refused(u, reply, err);
	log_verbose("%s, blob %s: the upload is unknown there now, beginning again", registry_name(u->r),
		u->o.digest.text);
	u->at = u->mark = 0;
	u->closed = false;
	return next_step(u, STEP_OPEN, err);
}

/* ---- the bytes ---- */

static int check_hash(struct upload *u, struct err **err)
{
	char hex[SHA_HEX_MAX + 1];

	sha_finish(u->sha, hex);
	sha_free(steal_ptr(&u->sha));
	if (strcmp(hex, digest_hex(&u->o.digest)) == 0)
		return 0;
	return err_make(err, ERR_CORRUPT, "digest mismatch (got %s:%s)",
		u->o.digest.kind == SHA_256 ? "sha256" : "sha512", hex);
}

/* Each byte is hashed when it passes for the first time; the last block stays here when the digest is wrong. */
static ssize_t take(void *arg, uint64_t at, void *p, size_t n, struct err **err)
{
	struct upload *u = arg;
	uint64_t from = u->at + at;
	ssize_t got = u->o.source(u->o.arg, from, p, n, err);

	if (got <= 0)
		return got ? got
			   : err_make(err, ERR_CORRUPT, "it ends after %llu of %llu bytes",
				     (unsigned long long)from, (unsigned long long)u->o.size);
	if (!u->sha || from + (uint64_t)got <= u->hashed)
		return got;
	sha_update(u->sha, (char *)p + (u->hashed - from), (size_t)(from + (uint64_t)got - u->hashed));
	u->hashed = from + (uint64_t)got;
	if (u->hashed == u->o.size && check_hash(u, err) < 0)
		return -1;
	return got;
}

/* ---- what came back ---- */

/* Where it goes on. Content and tokens do not leave TLS for it. */
static int take_place(struct upload *u, const struct http_reply *reply, struct err **err)
{
	const char *to = http_header(reply, "location", 0);
	auto_url url = URL_INIT;

	if (!to)
		return u->place.text ? 0
				     : err_make(err, ERR_CORRUPT, "%s begins an upload and says not where",
					       client_own(u->r)->url.authority);
	if (url_parse(to, reply->url, &url, err) < 0)
		return err_add(err, "place of the upload");
	if (client_own(u->r)->url.tls && !url.tls && !u->r->insecure) {
		err_make(err, ERR_NETWORK, "%s wants the upload over plain http, at %s",
			client_own(u->r)->url.authority, url.authority);
		return err_hint(err, "--insecure allows it");
	}
	url_free(&u->place);
	u->place = url;
	url = URL_INIT;
	return 0;
}

int64_t upload_range(const char *value)
{
	uint64_t last;

	if (!value)
		return -1;
	if (str_starts(value, "bytes="))
		value += strlen("bytes=");
	if (!str_starts(value, "0-") || num_parse_u64(value + 2, INT64_MAX - 1, &last) < 0)
		return -1;
	return (int64_t)last + 1;
}

static int send_on(struct upload *u, struct err **err)
{
	auto_err *failure = NULL;

	/* Against the most there ever was: a registry may say less each time. */
	if (u->at >= u->mark + PROGRESS_BYTES) {
		u->mark = u->at;
		u->tries = 0;
	}
	if (u->at == u->o.size && u->at)
		return next_step(u, STEP_CLOSE, err);
	if (!u->begun) {
		u->begun = true;
		if (u->o.begin && u->o.begin(u->o.arg, &failure) < 0)
			return end(u, 0, &failure, err);
	}
	u->end = u->o.size - u->at > u->chunk ? u->at + u->chunk : u->o.size;
	return next_step(u, STEP_SEND, err);
}

static int looked(struct upload *u, const struct http_reply *reply, struct err **err)
{
	auto_err *failure = NULL;

	if (reply->status == 200)
		return succeed(u, u->closed ? UPLOADED_SENT : UPLOADED_EXISTS, err);
	if (u->closed)
		return restart(u, reply, err);
	/* Whatever keeps it from answering, the upload will tell. */
	if (!u->looked && u->o.absent && u->o.absent(u->o.arg, &u->from, &failure) < 0)
		return end(u, 0, &failure, err);
	u->looked = true;
	return next_step(u, STEP_OPEN, err);
}

static int nobody_cares(void *arg UNUSED, struct http_reply *reply UNUSED, struct err **failure UNUSED,
	struct err **err UNUSED)
{
	return 0;
}

/* An upload that was begun in place of a mount is not wanted: another repository may have the blob. */
static void cancel(struct upload *u)
{
	struct http_request req = HTTP_REQUEST_INIT;

	req.url = u->place.text;
	req.method = "DELETE";
	req.once = true;
	if (str_eq(u->place.origin, client_own(u->r)->url.origin))
		req.authorization = u->sent;
	(void)http_start(u->r->http, &req, nobody_cares, NULL, NULL); /* the registry forgets it in time */
}

static int opened(struct upload *u, const struct http_reply *reply, struct err **err)
{
	auto_err *failure = NULL;
	const char *least;
	uint64_t n;

	if (reply->status == 201 && u->mounting)
		return succeed(u, UPLOADED_MOUNTED, err);
	if (reply->status != 202 && u->mounting)
		return next_step(u, STEP_OPEN, err);
	if (reply->status != 202)
		return refused(u, reply, err);
	if (take_place(u, reply, &failure) < 0)
		return end(u, 0, &failure, err);
	if (u->mounting && u->n_from < u->from->n) {
		cancel(u);
		return next_step(u, STEP_OPEN, err);
	}
	least = http_header(reply, "oci-chunk-min-length", 0);
	if (least && num_parse_u64(least, INT64_MAX, &n) == 0 && n > u->chunk)
		u->chunk = n;
	return send_on(u, err);
}

/* Small enough for one request. */
static bool is_whole(const struct upload *u)
{
	return u->at == 0 && u->end == u->o.size && u->end <= WHOLE_MAX;
}

/* It broke off: after a pause the registry is asked what it has. */
static int broke_off(struct upload *u, const struct http_reply *reply, struct err **err)
{
	int64_t pause = http_pause_ns(u->r->http, reply, u->tries);

	if (pause < 0)
		return refused(u, reply, err);
	log_verbose("%s, blob %s: the upload broke off, going on", registry_name(u->r), u->o.digest.text);
	u->tries++;
	u->pause_ns = pause;
	/* Where all went at once, the reply alone may have been lost. */
	u->closed = is_whole(u);
	return next_step(u, u->closed ? STEP_LOOK : STEP_ASK, err);
}

/* The upload itself is unknown, by its status or its code. */
static bool is_lost(const struct http_reply *reply)
{
	const char *body = str_text(&reply->body);

	return reply->status == 404 ||
	       (reply->status == 400 &&
		       (distribution_error_has(body, reply->body.len, "BLOB_UPLOAD_INVALID") ||
			       distribution_error_has(body, reply->body.len, "BLOB_UPLOAD_UNKNOWN")));
}

static int closed(struct upload *u, const struct http_reply *reply, struct err **err)
{
	const char *stated = http_header(reply, "docker-content-digest", 0);
	auto_err *failure = NULL;

	if (is_lost(reply)) { /* the reply to an earlier try may have been lost */
		u->closed = true;
		return next_step(u, STEP_LOOK, err);
	}
	if (reply->status < 200 || reply->status > 299)
		return refused(u, reply, err);
	if (!stated || !digest_is_valid(stated) || str_eq(stated, u->o.digest.text))
		return succeed(u, UPLOADED_SENT, err);
	(void)err_make(&failure, ERR_CORRUPT, "the registry took it for %s", stated);
	return end(u, 0, &failure, err);
}

/* How much it has behind a chunk. "0-0" is what some say whatever there is. */
static uint64_t taken(const struct upload *u, const struct http_reply *reply)
{
	int64_t there = upload_range(http_header(reply, "range", 0));

	return there > 1 ? (uint64_t)there : u->end;
}

static int sent(struct upload *u, const struct http_reply *reply, struct err **err)
{
	auto_err *failure = NULL;
	uint64_t at;

	if (http_is_temporary(reply))
		return broke_off(u, reply, err);
	if (reply->status == 413 && u->chunk > CHUNK_SMALL) {
		u->chunk = CHUNK_SMALL;
		return next_step(u, STEP_ASK, err);
	}
	if (reply->status == 416 && u->restarts++ < RESTARTS_MAX)
		return next_step(u, STEP_ASK, err);
	if (is_lost(reply) && is_whole(u) && !u->closed) {
		u->closed = true; /* it may be what an earlier try has done */
		return next_step(u, STEP_LOOK, err);
	}
	if (is_lost(reply))
		return restart(u, reply, err);
	if (reply->status < 200 || reply->status > 299)
		return refused(u, reply, err);
	if (is_whole(u))
		return closed(u, reply, err);
	if (take_place(u, reply, &failure) < 0)
		return end(u, 0, &failure, err);
	at = taken(u, reply);
	if (at < u->at || at > u->end || at > u->hashed)
		return restart(u, reply, err);
	if (at < u->end && at - u->at < PROGRESS_BYTES && u->restarts++ >= RESTARTS_MAX)
		return refused(u, reply, err);
	u->at = at;
	return send_on(u, err);
}

/* "0-0" is what most say of nothing: then it is begun again, which loses a byte at most. */
static int told(struct upload *u, const struct http_reply *reply, struct err **err)
{
	int64_t there = upload_range(http_header(reply, "range", 0));
	auto_err *failure = NULL;

	if (reply->status < 200 || reply->status > 299 || there <= 1 || (uint64_t)there > u->hashed)
		return restart(u, reply, err);
	if (take_place(u, reply, &failure) < 0)
		return end(u, 0, &failure, err);
	u->at = (uint64_t)there;
	return send_on(u, err);
}

/* ---- requests ---- */

static void target_of(const struct upload *u, struct auth_target *ret)
{
	client_target(u->r, client_own(u->r), ret);
	if (u->mounting)
		ret->scope = u->scope;
}

/* There was no reply, or no token for it. */
static int failed(struct upload *u, struct err **failure, struct err **err)
{
	if (u->step != STEP_OPEN || !u->mounting)
		return end(u, 0, failure, err);
	log_verbose("%s, blob %s: %s, sending it", registry_name(u->r), u->o.digest.text, err_text(*failure));
	err_clear(failure);
	return next_step(u, STEP_OPEN, err);
}

static int reply_to(struct upload *u, const struct http_reply *reply, struct err **err)
{
	static int (*const next[])(struct upload *, const struct http_reply *, struct err **) = {
		[STEP_LOOK] = looked,
		[STEP_OPEN] = opened,
		[STEP_SEND] = sent,
		[STEP_ASK] = told,
		[STEP_CLOSE] = closed,
	};

	return next[u->step](u, reply, err);
}

/* 401: once more with what the registry wants. */
static int answer(struct upload *u, const struct http_reply *reply, struct err **err)
{
	struct auth_target target;
	auto_err *failure = NULL;
	char *next = NULL;
	int more;

	target_of(u, &target);
	more = auth_answer(u->r->auth, &target, reply, u->sent, &next, &failure);
	if (more < 0)
		return failed(u, &failure, err);
	if (more == 0)
		return reply_to(u, reply, err);
	u->rounds++;
	mem_wipe_free(u->sent);
	u->sent = next;
	return begin(u, err);
}

static int ended(void *arg, struct http_reply *reply, struct err **failure, struct err **err)
{
	struct upload *u = arg;
	bool at_home = u->step == STEP_LOOK || u->step == STEP_OPEN ||
		       str_eq(u->place.origin, client_own(u->r)->url.origin);

	if (!reply)
		return failed(u, failure, err);
	if (reply->status == 401 && at_home && u->rounds < AUTH_ROUNDS)
		return answer(u, reply, err);
	return reply_to(u, reply, err);
}

/* A POST that mounts from the next repository, if there is one. */
static char *open_url(struct upload *u)
{
	const struct registry *r = u->r;
	const char *base = client_own(u->r)->url.text;
	autofree char *from = NULL, *digest = NULL, *extra = NULL;

	u->mounting = u->from && u->n_from < u->from->n;
	if (!u->mounting)
		return xasprintf("%s/v2/%s/blobs/uploads/", base, r->repository);
	extra = distribution_scope(u->from->v[u->n_from], "pull");
	free(u->scope);
	u->scope = xasprintf("%s %s", r->scope, extra);
	from = codec_url_encode(u->from->v[u->n_from++], "/");
	digest = codec_url_encode(u->o.digest.text, "");
	return xasprintf("%s/v2/%s/blobs/uploads/?mount=%s&from=%s", base, r->repository, digest, from);
}

static char *close_url(const struct upload *u)
{
	autofree char *digest = codec_url_encode(u->o.digest.text, "");

	return xasprintf("%s%sdigest=%s", u->place.text, strchr(u->place.text, '?') ? "&" : "?", digest);
}

static const char *const no_type[] = { "Content-Type:", NULL };

static char *make_request(struct upload *u, struct http_request *req, char *range, size_t n)
{
	switch (u->step) {
	case STEP_LOOK:
		req->method = "HEAD";
		return xasprintf(
			"%s/v2/%s/blobs/%s", client_own(u->r)->url.text, u->r->repository, u->o.digest.text);
	case STEP_OPEN:
		req->method = "POST";
		req->body = "";
		req->headers = no_type;
		return open_url(u);
	case STEP_ASK:
		return xstrdup(u->place.text);
	case STEP_CLOSE:
		req->method = "PUT";
		req->body = "";
		req->headers = no_type;
		req->patience = CLOSE_PATIENCE;
		return close_url(u);
	default:
		break;
	}
	req->method = is_whole(u) ? "PUT" : "PATCH";
	req->source = take;
	req->source_arg = u;
	req->source_n = u->end - u->at;
	req->once = true;
	(void)snprintf(range, n, "Content-Range: %llu-%llu", (unsigned long long)u->at,
		(unsigned long long)(u->end ? u->end - 1 : 0));
	return is_whole(u) ? close_url(u) : xstrdup(u->place.text);
}

static int begin(struct upload *u, struct err **err)
{
	struct http_request req = HTTP_REQUEST_INIT;
	struct endpoint *e = client_own(u->r);
	char range[64] = "Content-Range:";
	const char *const lines[] = { "Content-Type: application/octet-stream", range, NULL };
	struct auth_target target;
	autofree char *url = NULL;
	auto_err *failure = NULL;
	auto_url to = URL_INIT;
	int r = client_probe(u->r, e, &failure);

	/* Answered by a 401, a mount asks for the same repository once more. */
	if (u->step == STEP_OPEN && u->rounds && u->mounting)
		u->n_from--;
	url = make_request(u, &req, range, sizeof(range));
	if (u->step == STEP_SEND) {
		req.headers = lines;
		if (is_whole(u))
			range[strlen("Content-Range:")] = '\0'; /* libcurl leaves such a line out */
	}
	target_of(u, &target);
	if (r == 0)
		r = url_parse(url, NULL, &to, &failure);
	/* What has another place is written there with what its URL holds. */
	if (r == 0 && str_eq(to.origin, e->url.origin) && !u->sent)
		r = auth_header(u->r->auth, &target, &u->sent, &failure);
	req.url = url;
	req.authorization = u->sent;
	req.delay_ns = u->pause_ns;
	u->pause_ns = 0;
	if (r == 0)
		r = http_start(u->r->http, &req, ended, u, &failure);
	return r < 0 ? failed(u, &failure, err) : 0;
}

int registry_upload(struct registry *r, const struct registry_upload *o, struct err **err)
{
	struct upload *u = xcalloc(1, sizeof(*u));

	u->sha = sha_begin(o->digest.kind, err);
	if (!u->sha) {
		free(u);
		return -1;
	}
	u->r = r;
	u->o = *o;
	u->chunk = CHUNK_BYTES;
	u->next = r->uploads;
	u->link = &r->uploads;
	if (u->next)
		u->next->link = &u->next;
	r->uploads = u;
	return begin(u, err);
}
