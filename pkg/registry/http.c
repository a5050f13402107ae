/* SPDX-License-Identifier: Apache-2.0 */
/* The loop that drives all requests, and the calls of http.h. */
#include "pkg/registry/http.h"

#include <errno.h>

#include "pkg/base/err.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/base/sig.h"
#include "pkg/base/time.h"
#include "pkg/conf/conf.h"
#include "pkg/registry/credentials.h"
#include "pkg/registry/http_priv.h"

#define BODY_MAX ((size_t)4 << 20)
#define POLL_MS 200 /* signals and stalls are looked at so often */
#define NS_PER_S INT64_C(1000000000)
#define NS_PER_MS INT64_C(1000000)

/* ---- replies ---- */

void http_reply_free(struct http_reply *r)
{
	free(r->url);
	strv_free(&r->headers);
	str_free(&r->body);
	*r = HTTP_REPLY_INIT;
}

const char *http_header(const struct http_reply *r, const char *name, size_t n)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < r->headers.n; i++) {
		const char *line = r->headers.v[i];

		if (strncmp(line, name, len) != 0 || strncmp(line + len, ": ", 2) != 0)
			continue;
		if (n-- == 0)
			return line + len + 2;
	}
	return NULL;
}

/* ---- open and close ---- */

static long setting_s(enum conf_key key, long least)
{
	int64_t v = conf_int(key);

	return v < least ? least : v > 86400 ? 86400 : (long)v;
}

int http_open(const struct http_settings *settings, struct http **ret, struct err **err)
{
	const struct curl_api *c = curl_load(err);
	const char *proxy = settings->proxy ? settings->proxy : conf_str(CONF_HTTP_PROXY);
	const char *agent = conf_str(CONF_HTTP_AGENT);
	struct http *h;

	if (!c)
		return -1;
	h = xcalloc(1, sizeof(*h));
	h->c = c;
	h->multi = c->curl_multi_init();
	if (!h->multi) {
		free(h);
		return err_make(err, ERR_SYSTEM, "libcurl: out of memory");
	}
	(void)c->curl_multi_setopt(h->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
	h->insecure = settings->insecure || conf_bool(CONF_HTTP_INSECURE);
	h->proxy = *proxy ? xstrdup(proxy) : NULL;
	if (strchr(proxy, '@'))
		credentials_protect();
	h->agent = xstrdup(*agent ? agent : "udocker/" UDOCKER_VERSION);
	h->connect_timeout_s = setting_s(CONF_CTIMEOUT, 1);
	h->stall_ns = setting_s(CONF_TIMEOUT, 1) * NS_PER_S;
	h->retries = (int)setting_s(CONF_HTTP_RETRIES, 0);
	*ret = h;
	return 0;
}

void http_cancel(struct http *h)
{
	while (h->first) {
		struct transfer *t = h->first;

		h->first = t->next;
		transfer_free(t);
	}
}

void http_close(struct http *h)
{
	if (!h)
		return;
	http_cancel(h);
	(void)h->c->curl_multi_cleanup(h->multi); /* nothing is in it any more */
	mem_wipe_free(h->proxy);
	free(h->agent);
	strv_free(&h->answered);
	free(h);
}

bool http_is_insecure(const struct http *h)
{
	return h->insecure;
}

void http_wake(struct http *h)
{
	h->wake = true;
}

bool http_is_temporary(const struct http_reply *reply)
{
	return reply->status == 0 || retry_status(reply->status);
}

int64_t http_pause_ns(const struct http *h, const struct http_reply *reply, int tries)
{
	int64_t s = retry_after_s(h->c, http_header(reply, "retry-after", 0));
	int64_t pause = retry_backoff_ns(tries);

	if (tries >= h->retries || s > HTTP_RETRY_AFTER_MAX)
		return -1;
	return s * NS_PER_S > pause ? s * NS_PER_S : pause;
}

void http_on_tick(struct http *h, http_tick_fn *tick, void *arg, int wake_fd)
{
	h->tick = tick;
	h->tick_arg = arg;
	h->tick_fd = wake_fd;
}

size_t http_active(const struct http *h)
{
	size_t n = 0;

	for (const struct transfer *t = h->first; t; t = t->next)
		n++;
	return n;
}

/* ---- requests ---- */

static struct transfer *transfer_new(struct http *h, const struct http_request *req, struct err **err)
{
	struct transfer *t = xcalloc(1, sizeof(*t));

	t->http = h;
	if (url_parse(req->url, NULL, &t->url, err) < 0) {
		free(t);
		return NULL;
	}
	t->origin = xstrdup(t->url.origin);
	t->method = xstrdup_null(req->method);
	t->authorization = xstrdup_null(req->authorization);
	t->form = xstrdup_null(req->form);
	t->body = req->body ? xmemdup(req->body, req->body_n) : NULL;
	t->body_n = req->body_n;
	t->source = req->source;
	t->source_arg = req->source_arg;
	t->source_n = req->source_n;
	strv_add_all(&t->headers, req->headers);
	t->max_body = req->max_body ? req->max_body : BODY_MAX;
	t->sink = req->sink;
	t->sink_arg = req->sink_arg;
	t->at = t->mark = req->from;
	t->size = req->size;
	t->once = req->once;
	t->patience = req->patience ? req->patience : 1;
	t->wake_ns = req->delay_ns ? time_monotonic_ns() + req->delay_ns : 0;
	return t;
}

int http_start(
	struct http *h, const struct http_request *req, http_done_fn *done, void *arg, struct err **err)
{
	struct transfer *t = transfer_new(h, req, err), **end = &h->first;

	if (!t)
		return -1;
	t->done = done;
	t->done_arg = arg;
	while (*end)
		end = &(*end)->next;
	*end = t;
	return 0;
}

static void unlink_transfer(struct http *h, const struct transfer *t)
{
	struct transfer **at = &h->first;

	while (*at && *at != t)
		at = &(*at)->next;
	if (*at)
		*at = t->next;
}

/* A try has ended. `done` may run the loop again, so t is out of the list before. */
static int finish(struct transfer *t, CURLcode code, struct err **err)
{
	struct err *failure = NULL;
	enum transfer_verdict v = transfer_judge(t, code, &failure);
	int r;

	transfer_end_try(t);
	if (v == VERDICT_AGAIN)
		return 0;
	unlink_transfer(t->http, t);
	r = t->done(t->done_arg, v == VERDICT_DONE ? &t->reply : NULL, &failure, err);
	err_free(failure);
	transfer_free(t);
	return r;
}

/* What libcurl says has ended. One message at a time: `done` may come back here. */
static int take_messages(struct http *h, struct err **err)
{
	CURLMsg *m;
	int left;

	while ((m = h->c->curl_multi_info_read(h->multi, &left))) {
		struct transfer *t = NULL;

		if (m->msg != CURLMSG_DONE)
			continue;
		(void)h->c->curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&t);
		if (finish(t, m->data.result, err) < 0)
			return -1;
	}
	return 0;
}

/* Those whose pause is over begin; those that stand still are ended. */
static int look_at_clocks(struct http *h, struct err **err)
{
	int64_t now = time_monotonic_ns();
	struct transfer *next;

	for (struct transfer *t = h->first; t; t = next) {
		next = t->next;
		if (t->state == TRANSFER_WAITING && t->wake_ns <= now) {
			struct err *failure = NULL;

			if (transfer_begin(t, &failure) < 0) {
				t->err = failure;
				return finish(t, CURLE_FAILED_INIT, err);
			}
		} else if (t->state == TRANSFER_RUNNING && !t->paused &&
			   now - t->last_ns > h->stall_ns * t->patience) {
			t->stalled = true;
			return finish(t, CURLE_OPERATION_TIMEDOUT, err);
		}
	}
	return 0;
}

/* Milliseconds until one is to begin, or until signals and stalls are looked at. One that was started a moment ago is not waited with. */
static int until_next(const struct http *h)
{
	int64_t now = time_monotonic_ns(), wait = POLL_MS * NS_PER_MS;

	for (const struct transfer *t = h->first; t; t = t->next) {
		if (t->state != TRANSFER_WAITING)
			continue;
		if (t->wake_ns <= now)
			return 0;
		wait = t->wake_ns - now < wait ? t->wake_ns - now : wait;
	}
	return (int)(wait / NS_PER_MS) + 1;
}

static void wake(struct http *h)
{
	if (!h->wake)
		return;
	h->wake = false;
	for (struct transfer *t = h->first; t; t = t->next)
		transfer_wake(t);
}

static CURLMcode wait_for_events(struct http *h)
{
	struct curl_waitfd fd = { .fd = h->tick_fd, .events = CURL_WAIT_POLLIN };

	return h->c->curl_multi_poll(
		h->multi, &fd, h->tick && fd.fd >= 0 ? 1 : 0, h->wake ? 0 : until_next(h), NULL);
}

/* Until *stop, or until nothing is under way. */
static int drive(struct http *h, const bool *stop, struct err **err)
{
	while (!*stop && h->first) {
		int running;
		CURLMcode r;

		if (sig_interrupted())
			return err_sys(err, EINTR, "transfer");
		if (look_at_clocks(h, err) < 0)
			return -1;
		wake(h);
		r = h->c->curl_multi_perform(h->multi, &running);
		if (r == CURLM_OK && take_messages(h, err) < 0)
			return -1;
		if (h->tick && h->tick(h->tick_arg, err) < 0)
			return -1;
		if (r == CURLM_OK && !*stop && h->first)
			r = wait_for_events(h);
		if (r != CURLM_OK)
			return err_make(err, ERR_SYSTEM, "libcurl: %s", h->c->curl_multi_strerror(r));
	}
	return 0;
}

int http_run(struct http *h, struct err **err)
{
	static const bool never;
	int r = drive(h, &never, err);

	if (r < 0)
		http_cancel(h);
	return r;
}

struct one {
	bool done;
	struct http_reply reply;
	struct err *err;
};

static int one_done(void *arg, struct http_reply *reply, struct err **failure, struct err **err UNUSED)
{
	struct one *o = arg;

	o->done = true;
	if (reply) {
		o->reply = *reply;
		*reply = HTTP_REPLY_INIT;
	} else {
		o->err = steal_ptr(failure);
	}
	return 0;
}

/* One that was started by http_do() and has no end, because the loop failed. */
static void drop_one(struct http *h, const struct one *o)
{
	struct transfer *next;

	for (struct transfer *t = h->first; t; t = next) {
		next = t->next;
		if (t->done_arg == o) {
			unlink_transfer(h, t);
			transfer_free(t);
		}
	}
}

int http_do(struct http *h, const struct http_request *req, struct http_reply *ret, struct err **err)
{
	struct one o = { 0 };

	if (http_start(h, req, one_done, &o, err) < 0)
		return -1;
	if (drive(h, &o.done, err) < 0) {
		drop_one(h, &o);
		http_reply_free(&o.reply);
		err_free(o.err);
		return -1;
	}
	if (o.err)
		return err_move(err, &o.err);
	*ret = o.reply;
	return 0;
}
