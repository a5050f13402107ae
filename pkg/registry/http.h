/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP requests on libcurl's multi interface: several at once, connections reused, HTTP/2 where offered. Time-outs are on stall, not on
 * length. What fails for a while (429, 5xx, resets, stalls) is tried again with back-off, and a body that broke off goes on where it stopped.
 * Redirects are followed here: http and https alone, Authorization never to another host. What a status means is the caller's affair.
 */
#ifndef UDOCKER_REGISTRY_HTTP_H
#define UDOCKER_REGISTRY_HTTP_H

#include <sys/types.h>

#include "pkg/base/base.h"
#include "pkg/base/str.h"
#include "pkg/base/strv.h"

struct err;
struct http; /* connections and settings; for one thread */

#define HTTP_REDIRECTS_MAX 10
#define HTTP_HEADERS_MAX ((size_t)128 << 10) /* bytes of all header lines of a reply */
#define HTTP_RETRY_AFTER_MAX 300 /* seconds; a server that wants a longer pause is not waited for */

struct http_settings {
	bool insecure; /* certificates are not verified */
	const char
		*proxy; /* --httpproxy; NULL: the setting http_proxy, else the usual environment variables */
};
/* Other settings come from conf (timeout, ctimeout, http_agent, http_retries …). Caller closes. */
int http_open(const struct http_settings *settings, struct http **ret, struct err **err);
void http_close(struct http *h);
DEFINE_CLEANUP(http_cleanup, struct http, http_close);
#define auto_http CLEANUP(http_cleanup) struct http
bool http_is_insecure(const struct http *h);

struct http_reply {
	int status;
	char *url; /* that gave this reply, behind all redirects */
	struct strv headers; /* "name: value", names in lower case, in order */
	struct str body; /* NUL-terminated; empty where a sink took it */
};
#define HTTP_REPLY_INIT ((struct http_reply){ 0 })
void http_reply_free(struct http_reply *r);
#define auto_http_reply CLEANUP(http_reply_free) struct http_reply
/* The value of the n-th header of that name (lower case), NULL when there are not so many. */
const char *http_header(const struct http_reply *r, const char *name, size_t n);

/* Bytes of a body in order; a failure ends the request with that error. */
typedef int http_sink_fn(void *arg, const void *p, size_t n, struct err **err);
/*
 * The other way: bytes of a body to send from offset `at` on, which goes back when a try is repeated. How many (1 to n), HTTP_LATER when there
 * are none yet (http_wake() when there are), or -1, which ends the request with that error.
 */
typedef ssize_t http_source_fn(void *arg, uint64_t at, void *p, size_t n, struct err **err);
#define HTTP_LATER (-2)

struct http_request {
	const char *url; /* http or https */
	const char *method; /* NULL: GET, or POST where there is a form */
	const char *const *headers; /* NULL-terminated lines, or NULL */
	const char *authorization; /* value of that header, or NULL: only sent to the origin of `url` */
	const char *
		form; /* an application/x-www-form-urlencoded body to send; secrets may be in it: never sent elsewhere */
	const void *body; /* or any body, of body_n bytes; NULL: none */
	size_t body_n;
	http_source_fn *source; /* or one of source_n bytes that is asked for while it is sent */
	void *source_arg;
	uint64_t source_n;
	size_t max_body; /* of a body kept in memory; more is ERR_CORRUPT. 0: 4 MiB */
	/*
	 * Where the body of a 200 goes. `from` bytes are there already and are not asked for again. With `size` (UINT64_MAX: unknown) a
	 * shorter body is taken for broken off, and a longer one is ERR_CORRUPT.
	 */
	http_sink_fn *sink;
	void *sink_arg;
	uint64_t from, size;
	/*
	 * What fails for a while is not tried again: the reply is the one that says so, or one of status 0 with the reason as its body. The caller
	 * asks http_pause_ns() and sets delay_ns, the pause before the first try.
	 */
	bool once;
	int64_t delay_ns;
	unsigned patience; /* the reply may take so many times the usual time without a byte; 0: once */
};
#define HTTP_REQUEST_INIT ((struct http_request){ .size = UINT64_MAX })

/*
 * Do one and wait. Any status is success; ERR_NETWORK when there was no reply, ERR_CORRUPT for one beyond the limits, the sink's error.
 * The reply of a request with a sink that succeeded has status 200, also when it was resumed.
 */
int http_do(struct http *h, const struct http_request *req, struct http_reply *ret, struct err **err);

/*
 * Several at once: http_start() takes a copy of the request, http_run() returns when all are done. `done` is called with the reply, or with
 * NULL and an error which it may take (err_move); it may start further requests and call http_do(). A negative result ends http_run() with *err.
 */
typedef int http_done_fn(void *arg, struct http_reply *reply, struct err **failure, struct err **err);
int http_start(
	struct http *h, const struct http_request *req, http_done_fn *done, void *arg, struct err **err);
int http_run(struct http *h, struct err **err);
/* Have http_run() call this every now and then (at least four times a second, and when wake_fd can be read; -1: none), NULL: no more. */
typedef int http_tick_fn(void *arg, struct err **err);
void http_on_tick(struct http *h, http_tick_fn *tick, void *arg, int wake_fd);
/* How many are under way. */
size_t http_active(const struct http *h);
/* How long to wait after so many tries (0: this was the first) that ended with this temporary failure; -1: no more tries. */
int64_t http_pause_ns(const struct http *h, const struct http_reply *reply, int tries);
/* Is it a failure that may pass: no reply, 408, 429, 5xx? */
bool http_is_temporary(const struct http_reply *reply);
/* Sources that said HTTP_LATER are to be asked again. */
void http_wake(struct http *h);
/* Drop all that are under way; their `done` is not called. */
void http_cancel(struct http *h);

#endif
