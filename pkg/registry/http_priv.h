/* SPDX-License-Identifier: Apache-2.0 */
/* What http.c, http_transfer.c, http_retry.c and http_tls.c share. */
#ifndef UDOCKER_REGISTRY_HTTP_PRIV_H
#define UDOCKER_REGISTRY_HTTP_PRIV_H

#include "pkg/registry/curl.h"
#include "pkg/registry/http.h"
#include "pkg/registry/url.h"

struct transfer;

struct http {
	const struct curl_api *c;
	CURLM *multi;
	struct transfer *first;
	bool insecure;
	char *proxy; /* or NULL */
	char *agent;
	long connect_timeout_s;
	int64_t stall_ns;
	int retries;
	struct strv answered; /* origins that have given a reply: their failures are temporary */
	http_tick_fn *tick;
	void *tick_arg;
	int tick_fd; /* or -1 */
	bool wake; /* http_wake() */
};

enum transfer_state { TRANSFER_WAITING, TRANSFER_RUNNING, TRANSFER_DONE };

struct transfer {
	struct transfer *next;
	struct http *http;
	/* The request, copied. */
	char *method, *authorization, *form;
	struct strv headers;
	char *body; /* or NULL */
	size_t body_n;
	http_source_fn *source;
	void *source_arg;
	uint64_t source_n;
	size_t max_body;
	http_sink_fn *sink;
	void *sink_arg;
	uint64_t size;
	http_done_fn *done;
	void *done_arg;
	/* Where it stands. */
	enum transfer_state state;
	struct url url; /* asked now */
	char *origin; /* of the request's URL */
	unsigned patience;
	int redirects, tries;
	bool fresh; /* on a connection of its own: the one that was used may hold what belongs to the last reply */
	bool once;
	bool left_origin; /* once elsewhere, credentials stay at home */
	bool no_range; /* the server does not understand Range: what is there already is passed over */
	uint64_t at; /* bytes the sink has */
	uint64_t mark; /* `at` when tries was last set back */
	int64_t wake_ns; /* when the next try begins */
	/* One try. */
	CURL *easy;
	struct curl_slist *lines;
	char error[CURL_ERROR_SIZE];
	int64_t last_ns; /* when the last byte came */
	size_t header_bytes;
	bool body_begun, to_sink, wrong_range, stalled;
	uint64_t skip; /* bytes of this body that the sink has already */
	uint64_t sent; /* of the source */
	bool paused; /* the source said HTTP_LATER */
	struct http_reply reply;
	struct err *err; /* from a callback */
};

/* http_transfer.c: one try is begun; what came of it is judged. */
int transfer_begin(struct transfer *t, struct err **err);
void transfer_end_try(struct transfer *t); /* the easy handle goes */
enum transfer_verdict { VERDICT_DONE, VERDICT_AGAIN, VERDICT_FAILED };
/* AGAIN: wake_ns says when. FAILED: *err says why. */
enum transfer_verdict transfer_judge(struct transfer *t, CURLcode code, struct err **err);
void transfer_free(struct transfer *t);
void transfer_wake(struct transfer *t); /* its source is asked again */

/* http_retry.c: how long to wait. */
int64_t retry_backoff_ns(
	int tries); /* 0.25 s doubled each time, at most 10 s, of which a random half to all */
/* Seconds of a Retry-After header (a number or a date), -1 when there is none or it is malformed. */
int64_t retry_after_s(const struct curl_api *c, const char *value);
bool retry_status(int status); /* 408, 429, 500, 502, 503, 504 */
/* First byte and, where it is said, the whole size (else UINT64_MAX) of "bytes 5-9/10". */
bool retry_content_range(const char *value, uint64_t *ret_first, uint64_t *ret_size);

/* http_tls.c: certificates for one host. */
int tls_setup(struct http *h, CURL *easy, const struct url *u, struct err **err);

#endif
