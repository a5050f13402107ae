/* SPDX-License-Identifier: Apache-2.0 */
/* One request: a try is begun, its header lines and body are taken, and its end is judged: done, again, elsewhere, or failed. */
#include <ctype.h>

#include "pkg/base/err.h"
#include "pkg/base/host.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/base/sig.h"
#include "pkg/base/time.h"
#include "pkg/registry/http_priv.h"

#define BUFFER_BYTES (256L << 10)
#define ERROR_BODY_MAX ((size_t)64 << 10) /* of a body that explains a failure; the rest is left out */
#define UPLOAD_BYTES (512L << 10)
#define PROGRESS_BYTES (UINT64_C(64) << 10) /* so much new content makes a failure the first one again */
#define NS_PER_S INT64_C(1000000000)

/* ---- callbacks of libcurl ---- */

/* What a callback returns to have libcurl give up; the error is set. */
static size_t refuse(int r)
{
	(void)r;
	return 0;
}

static void add_header(struct transfer *t, const char *line, size_t n)
{
	autofree char *text = NULL;
	char *colon;

	while (n && isspace((unsigned char)line[n - 1]))
		n--;
	text = xstrndup(line, n);
	colon = strchr(text, ':');
	if (!colon)
		return;
	for (char *p = text; p < colon; p++)
		*p = (char)tolower((unsigned char)*p);
	*colon++ = '\0';
	while (*colon == ' ' || *colon == '\t')
		colon++;
	strv_addf(&t->reply.headers, "%s: %s", text, colon);
}

static size_t on_header(char *p, size_t size, size_t count, void *arg)
{
	struct transfer *t = arg;
	size_t n = size * count;

	t->last_ns = time_monotonic_ns();
	t->header_bytes += n;
	if (t->header_bytes > HTTP_HEADERS_MAX)
		return refuse(
			err_make(&t->err, ERR_CORRUPT, "%s: the reply's header is longer than %zu bytes",
				t->url.authority, HTTP_HEADERS_MAX));
	if (n >= 5 && memcmp(p, "HTTP/", 5) == 0) /* an interim reply came before */
		strv_free(&t->reply.headers);
	else
		add_header(t, p, n);
	return n;
}

static bool is_content(int status)
{
	return status == 200 || status == 206;
}

/* The header is complete: where does the body go? */
static void begin_body(struct transfer *t)
{
	uint64_t first = 0, size;
	long status = 0;

	(void)t->http->c->curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
	t->reply.status = (int)status;
	t->body_begun = true;
	t->to_sink = t->sink && is_content(t->reply.status);
	if (!t->to_sink)
		return;
	if (status == 200)
		t->skip = t->at;
	else if (!retry_content_range(http_header(&t->reply, "content-range", 0), &first, &size) ||
		 first != t->at)
		t->wrong_range = true;
}

static size_t to_sink(struct transfer *t, const char *p, size_t n)
{
	size_t all = n;

	if (n <= t->skip) {
		t->skip -= n;
		return all;
	}
	p += t->skip;
	n -= (size_t)t->skip;
	t->skip = 0;
	if (t->size != UINT64_MAX && n > t->size - t->at)
		return refuse(
			err_make(&t->err, ERR_CORRUPT, "%s sends more than the %llu bytes it should have",
				t->url.authority, (unsigned long long)t->size));
	if (t->sink(t->sink_arg, p, n, &t->err) < 0)
		return 0;
	t->at += n;
	if (t->at - t->mark >= PROGRESS_BYTES) {
		t->mark = t->at;
		t->tries = 0;
	}
	return all;
}

static size_t to_memory(struct transfer *t, const char *p, size_t n)
{
	struct str *body = &t->reply.body;
	size_t room;

	if (t->reply.status < 300 && str_add_mem(body, p, n) < 0)
		return refuse(err_make(&t->err, ERR_CORRUPT, "%s: the reply is longer than %zu bytes",
			t->url.authority, t->max_body));
	if (t->reply.status < 300)
		return n;
	room = body->len < ERROR_BODY_MAX ? ERROR_BODY_MAX - body->len : 0;
	(void)str_add_mem(body, p, n < room ? n : room); /* below every ceiling */
	return n;
}

static size_t on_body(char *p, size_t size, size_t count, void *arg)
{
	struct transfer *t = arg;
	size_t n = size * count;

	t->last_ns = time_monotonic_ns();
	if (!t->body_begun)
		begin_body(t);
	if (t->wrong_range)
		return 0;
	return t->to_sink ? to_sink(t, p, n) : to_memory(t, p, n);
}

static size_t on_source(char *p, size_t size, size_t count, void *arg)
{
	struct transfer *t = arg;
	uint64_t left = t->source_n - t->sent;
	size_t n = size * count < left ? size * count : (size_t)left;
	ssize_t got = n ? t->source(t->source_arg, t->sent, p, n, &t->err) : 0;

	t->last_ns = time_monotonic_ns();
	if (got == HTTP_LATER) {
		t->paused = true;
		return CURL_READFUNC_PAUSE;
	}
	if (got < 0)
		return CURL_READFUNC_ABORT;
	t->sent += (uint64_t)got;
	return (size_t)got;
}

/* A connection that was kept turns out to be closed: libcurl takes another, and begins the body again. */
static int on_seek(void *arg, curl_off_t to, int origin)
{
	struct transfer *t = arg;

	if (origin != SEEK_SET || to < 0 || (uint64_t)to > t->source_n)
		return CURL_SEEKFUNC_FAIL;
	t->sent = (uint64_t)to;
	return CURL_SEEKFUNC_OK;
}

void transfer_wake(struct transfer *t)
{
	if (!t->paused)
		return;
	t->paused = false;
	(void)t->http->c->curl_easy_pause(t->easy, CURLPAUSE_CONT); /* what goes wrong ends the transfer */
}

/* ---- a try ---- */

static void add_line(struct transfer *t, const char *line)
{
	struct curl_slist *more = t->http->c->curl_slist_append(t->lines, line);

	if (more)
		t->lines = more;
}

static void set_lines(struct transfer *t)
{
	for (size_t i = 0; i < t->headers.n; i++)
		add_line(t, t->headers.v[i]);
	if (t->form || t->body || t->source)
		add_line(t, "Expect:");
	if (t->authorization && !t->left_origin) {
		char *line = xasprintf("Authorization: %s", t->authorization);

		add_line(t, line);
		mem_wipe_free(line);
	}
}

static void set_body(struct transfer *t)
{
	const struct curl_api *c = t->http->c;
	CURL *e = t->easy;

	if (t->body) {
		(void)c->curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)t->body_n);
		(void)c->curl_easy_setopt(e, CURLOPT_POSTFIELDS, t->body);
	} else {
		(void)c->curl_easy_setopt(e, CURLOPT_UPLOAD, 1L);
		(void)c->curl_easy_setopt(e, CURLOPT_INFILESIZE_LARGE, (curl_off_t)t->source_n);
		(void)c->curl_easy_setopt(e, CURLOPT_UPLOAD_BUFFERSIZE, UPLOAD_BYTES);
		(void)c->curl_easy_setopt(e, CURLOPT_READFUNCTION, on_source);
		(void)c->curl_easy_setopt(e, CURLOPT_READDATA, t);
		(void)c->curl_easy_setopt(e, CURLOPT_SEEKFUNCTION, on_seek);
		(void)c->curl_easy_setopt(e, CURLOPT_SEEKDATA, t);
	}
	(void)c->curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, t->method);
}

static void set_request(struct transfer *t)
{
	const struct curl_api *c = t->http->c;
	CURL *e = t->easy;

	(void)c->curl_easy_setopt(e, CURLOPT_URL, t->url.text);
	(void)c->curl_easy_setopt(e, CURLOPT_FRESH_CONNECT, t->fresh ? 1L : 0L);
	if (t->form) {
		(void)c->curl_easy_setopt(e, CURLOPT_POST, 1L);
		(void)c->curl_easy_setopt(e, CURLOPT_POSTFIELDS, t->form);
	} else if (t->body || t->source) {
		set_body(t);
	} else if (str_eq(t->method, "HEAD")) {
		(void)c->curl_easy_setopt(e, CURLOPT_NOBODY, 1L);
	} else if (t->method) {
		(void)c->curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, t->method);
	}
	set_lines(t);
	(void)c->curl_easy_setopt(e, CURLOPT_HTTPHEADER, t->lines);
	if (t->sink && t->at && !t->no_range) {
		char range[32];

		(void)snprintf(range, sizeof(range), "%llu-", (unsigned long long)t->at);
		(void)c->curl_easy_setopt(e, CURLOPT_RANGE, range);
	}
}

/*
 * A proxy of ours wins over the environment, no_proxy included. libcurl reads the environment by itself but for HTTP_PROXY in upper case, which a
 * client could set in a CGI program.
 */
static void set_proxy(struct transfer *t)
{
	const struct curl_api *c = t->http->c;
	const char *upper = host_env("HTTP_PROXY");

	if (t->http->proxy) {
		(void)c->curl_easy_setopt(t->easy, CURLOPT_PROXY, t->http->proxy);
		(void)c->curl_easy_setopt(t->easy, CURLOPT_NOPROXY, "");
	} else if (upper && !t->url.tls && !host_env("http_proxy") && !host_env("REQUEST_METHOD")) {
		(void)c->curl_easy_setopt(t->easy, CURLOPT_PROXY, upper);
	}
}

static void set_transport(struct transfer *t)
{
	const struct curl_api *c = t->http->c;
	CURL *e = t->easy;

	(void)c->curl_easy_setopt(e, CURLOPT_PRIVATE, t);
	(void)c->curl_easy_setopt(e, CURLOPT_ERRORBUFFER, t->error);
	(void)c->curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	(void)c->curl_easy_setopt(e, CURLOPT_NOPROGRESS, 1L);
#if LIBCURL_VERSION_NUM >= 0x075500
	/* An older library does not know the option; the scheme was looked at by url_parse() in any case. */
	(void)c->curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
#endif
	(void)c->curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
	(void)c->curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
	(void)c->curl_easy_setopt(e, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	(void)c->curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT, t->http->connect_timeout_s);
	(void)c->curl_easy_setopt(e, CURLOPT_BUFFERSIZE, BUFFER_BYTES);
	(void)c->curl_easy_setopt(e, CURLOPT_USERAGENT, t->http->agent);
	(void)c->curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
	(void)c->curl_easy_setopt(e, CURLOPT_HEADERDATA, t);
	(void)c->curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
	(void)c->curl_easy_setopt(e, CURLOPT_WRITEDATA, t);
}

static void reset_try(struct transfer *t)
{
	http_reply_free(&t->reply);
	t->reply.body = STR_INIT_MAX(t->max_body);
	t->error[0] = '\0';
	t->header_bytes = 0;
	t->body_begun = t->to_sink = t->wrong_range = t->stalled = false;
	t->skip = t->sent = 0;
	t->paused = false;
	t->last_ns = time_monotonic_ns();
}

int transfer_begin(struct transfer *t, struct err **err)
{
	struct http *h = t->http;
	CURLMcode r;

	reset_try(t);
	t->easy = h->c->curl_easy_init();
	if (!t->easy)
		return err_make(err, ERR_SYSTEM, "libcurl: out of memory");
	set_transport(t);
	set_request(t);
	set_proxy(t);
	if (tls_setup(h, t->easy, &t->url, err) < 0)
		return -1;
	log_debug("%s %s%s",
		t->form     ? "POST"
		: t->method ? t->method
			    : "GET",
		t->url.shown, t->sink && t->at ? " (the rest)" : "");
	r = h->c->curl_multi_add_handle(h->multi, t->easy);
	if (r != CURLM_OK)
		return err_make(err, ERR_SYSTEM, "libcurl: %s", h->c->curl_multi_strerror(r));
	t->state = TRANSFER_RUNNING;
	return 0;
}

void transfer_end_try(struct transfer *t)
{
	const struct curl_api *c = t->http->c;

	if (t->easy) {
		(void)c->curl_multi_remove_handle(t->http->multi, t->easy); /* fine if it was never added */
		c->curl_easy_cleanup(t->easy);
		t->easy = NULL;
	}
	c->curl_slist_free_all(t->lines);
	t->lines = NULL;
}

void transfer_free(struct transfer *t)
{
	transfer_end_try(t);
	free(t->method);
	mem_wipe_free(t->authorization);
	mem_wipe_free(t->form);
	free(t->body);
	strv_free(&t->headers);
	url_free(&t->url);
	free(t->origin);
	http_reply_free(&t->reply);
	err_free(t->err);
	free(t);
}

/* ---- its end ---- */

static enum transfer_verdict again(struct transfer *t, int64_t pause_ns)
{
	t->wake_ns = time_monotonic_ns() + pause_ns;
	t->state = TRANSFER_WAITING;
	return VERDICT_AGAIN;
}

static enum transfer_verdict retry_or_fail(struct transfer *t, const char *why, struct err **err)
{
	if (t->once) {
		http_reply_free(&t->reply);
		(void)str_add(&t->reply.body, why);
		return VERDICT_DONE;
	}
	if (t->tries >= t->http->retries) {
		err_make(err, ERR_NETWORK, "%s: %s", t->url.authority, why);
		return VERDICT_FAILED;
	}
	log_verbose("%s: %s, trying again", t->url.authority, why);
	return again(t, retry_backoff_ns(t->tries++));
}

static bool has_answered(const struct transfer *t)
{
	return strv_has(&t->http->answered, t->url.origin);
}

/* An HTTP proxy said no to CONNECT, and will say so again. */
static bool is_refused_by_proxy(const struct transfer *t, long *ret_status)
{
	*ret_status = 0;
	(void)t->http->c->curl_easy_getinfo(t->easy, CURLINFO_HTTP_CONNECTCODE, ret_status); /* else 0 */
	return *ret_status >= 400 && !retry_status((int)*ret_status);
}

/* A host that has answered before will again; one that never did is most likely a wrong name. */
static bool is_temporary(const struct transfer *t, CURLcode code)
{
	long status;

	if (is_refused_by_proxy(t, &status))
		return false;
	switch (code) {
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
	case CURLE_COULDNT_CONNECT:
	case CURLE_OPERATION_TIMEDOUT:
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_UNSUPPORTED_PROTOCOL: /* no HTTP: the rest of something else, if it was HTTP before */
	case CURLE_WEIRD_SERVER_REPLY:
		return has_answered(t);
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
	case CURLE_GOT_NOTHING:
	case CURLE_PARTIAL_FILE:
	case CURLE_HTTP2:
	case CURLE_HTTP2_STREAM:
		return true;
	default:
		return false;
	}
}

static enum transfer_verdict broken(struct transfer *t, CURLcode code, struct err **err)
{
	/* Of a proxy's URL that libcurl does not understand it shows all, the password too. */
	bool shows_url = strchr(t->error, '@') != NULL;
	const char *why = *t->error && !shows_url ? t->error : t->http->c->curl_easy_strerror(code);
	long status;

	if (is_temporary(t, code))
		return retry_or_fail(t, why, err);
	err_make(err, ERR_NETWORK, "%s: %s", t->url.authority, why);
	if (is_refused_by_proxy(t, &status))
		err_hint(err, status == 401 || status == 407 ? "a proxy's user and password stand in its URL"
							     : "the proxy does not let us through to there");
	else if (shows_url)
		err_hint(err, "is the URL of the proxy right? blanks and the like stand in it as %%20");
	else if (code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE)
		err_hint(err,
			"if it has a CA of its own, put that into ~/.config/containers/certs.d/%s/ca.crt; "
			"--insecure does without verification",
			t->url.authority);
	else if (code == CURLE_SSL_CONNECT_ERROR && t->url.tls)
		err_hint(err, "--insecure speaks plain HTTP where TLS is not answered");
	return VERDICT_FAILED;
}

static bool is_redirect(int status)
{
	return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* The reply's Location, asked next; credentials stay at the first origin. */
static enum transfer_verdict redirect(struct transfer *t, struct err **err)
{
	const char *to = http_header(&t->reply, "location", 0);
	auto_url next = URL_INIT;

	if (!to || t->redirects >= HTTP_REDIRECTS_MAX) {
		err_make(err, ERR_CORRUPT,
			to ? "%s: redirected more than %d times" : "%s: a redirect that says not where to",
			t->url.authority, HTTP_REDIRECTS_MAX);
		return VERDICT_FAILED;
	}
	if (url_parse(to, t->url.text, &next, err) < 0) {
		err_add(err, "%s: redirect", t->url.authority);
		return VERDICT_FAILED;
	}
	if (t->url.tls && !next.tls && !t->http->insecure) {
		err_make(err, ERR_NETWORK, "%s: redirected from https to plain http at %s", t->url.authority,
			next.authority);
		err_hint(err, "--insecure allows it");
		return VERDICT_FAILED;
	}
	if (t->form && !str_eq(next.origin, t->origin)) {
		err_make(err, ERR_AUTH, "%s: redirected to %s, which would get the credentials",
			t->url.authority, next.authority);
		return VERDICT_FAILED;
	}
	t->redirects++;
	t->left_origin = t->left_origin || !str_eq(next.origin, t->origin);
	url_free(&t->url);
	t->url = next;
	next = URL_INIT;
	return again(t, 0);
}

/* 429, 5xx: again after the pause that the server or our back-off wants, the longer of the two. */
static enum transfer_verdict pause_status(struct transfer *t)
{
	int64_t pause = t->once ? -1 : http_pause_ns(t->http, &t->reply, t->tries);

	if (pause < 0)
		return VERDICT_DONE; /* the caller tells what the reply says */
	t->tries++;
	if (pause >= 2 * NS_PER_S)
		log_info("%s: status %d, next try in %lld s", t->url.authority, t->reply.status,
			(long long)(pause / NS_PER_S));
	return again(t, pause);
}

static enum transfer_verdict judge_content(struct transfer *t, struct err **err)
{
	char why[96];

	if (t->skip > 0) {
		err_make(err, ERR_CORRUPT, "%s: sends less than it did before", t->url.authority);
		return VERDICT_FAILED;
	}
	if (t->size != UINT64_MAX && t->at < t->size) {
		(void)snprintf(why, sizeof(why), "the connection ended after %llu of %llu bytes",
			(unsigned long long)t->at, (unsigned long long)t->size);
		/* Where the length was a lie the rest waits on the kept connection for the next request. */
		t->fresh = true;
		return retry_or_fail(t, why, err);
	}
	t->reply.status = 200;
	return VERDICT_DONE;
}

static enum transfer_verdict judge_reply(struct transfer *t, struct err **err)
{
	long status = 0;

	(void)t->http->c->curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
	t->reply.status = (int)status;
	t->reply.url = xstrdup(t->url.text);
	log_debug("%s: status %ld", t->url.shown, status);
	if (!has_answered(t))
		strv_add(&t->http->answered, t->url.origin);
	if (is_redirect(t->reply.status))
		return redirect(t, err);
	if (retry_status(t->reply.status))
		return pause_status(t);
	if (status == 416 && t->at && !t->no_range) {
		t->no_range = true;
		return again(t, 0);
	}
	return t->sink && is_content(t->reply.status) ? judge_content(t, err) : VERDICT_DONE;
}

enum transfer_verdict transfer_judge(struct transfer *t, CURLcode code, struct err **err)
{
	char why[64];

	if (t->err) {
		err_move(err, &t->err);
		return VERDICT_FAILED;
	}
	if (t->wrong_range) {
		t->no_range = true;
		return retry_or_fail(t, "sends another part than was asked for", err);
	}
	if (t->stalled) {
		(void)snprintf(why, sizeof(why), "nothing came for %lld s",
			(long long)(t->http->stall_ns / NS_PER_S));
		return retry_or_fail(t, why, err);
	}
	return code == CURLE_OK ? judge_reply(t, err) : broken(t, code, err);
}
