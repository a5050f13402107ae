/* SPDX-License-Identifier: Apache-2.0 */
/* Requests that are started while others run, against a server of a thread. */
#include "pkg/registry/http.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pkg/base/err.h"
#include "pkg/base/mem.h"
#include "pkg/base/time.h"
#include "tests/unit/tap.h"

#define REPLY "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define REQUESTS 20
/* The clock is looked at five times a second: with a wait for each they would take four seconds. */
#define SOON_MS 1500

struct chain {
	struct http *http;
	char *url;
	int left, running;
	bool by_tick;
	struct err *err;
};

/* A connection, which is kept as long as its client likes. */
static void *answer(void *arg)
{
	int fd = *(int *)arg;
	char last[4] = "", c;

	free(arg);
	while (read(fd, &c, 1) == 1) {
		memmove(last, last + 1, 3);
		last[3] = c;
		if (memcmp(last, "\r\n\r\n", 4) == 0 && write(fd, REPLY, strlen(REPLY)) < 0)
			break;
	}
	close(fd);
	return NULL;
}

static void *serve(void *arg)
{
	const int *listener = arg;
	pthread_t threads[REQUESTS];
	size_t n = 0;
	int fd;

	while (n < REQUESTS && (fd = accept(*listener, NULL, NULL)) >= 0)
		if (pthread_create(&threads[n], NULL, answer, xmemdup(&fd, sizeof(fd))) == 0)
			n++;
	while (n)
		pthread_join(threads[--n], NULL);
	return NULL;
}

static int start(struct chain *c, struct err **err);

static int on_done(void *arg, struct http_reply *reply, struct err **failure, struct err **err)
{
	struct chain *c = arg;

	c->running--;
	if (!reply)
		return err_move(err, failure);
	return c->by_tick ? 0 : start(c, err);
}

static int start(struct chain *c, struct err **err)
{
	struct http_request req = HTTP_REQUEST_INIT;

	if (c->left == 0)
		return 0;
	c->left--;
	c->running++;
	req.url = c->url;
	return http_start(c->http, &req, on_done, c, err);
}

/* As a pull does it: two at once, and the next one when a former one is seen to be done. */
static int on_tick(void *arg, struct err **err)
{
	struct chain *c = arg;

	while (c->left && c->running < 2)
		if (start(c, err) < 0)
			return -1;
	return 0;
}

static void run_chain(struct chain *c, bool by_tick, const char *what)
{
	int64_t began = time_monotonic_ns();
	auto_err *e = NULL;
	long long ms;

	c->left = REQUESTS;
	c->by_tick = by_tick;
	http_on_tick(c->http, by_tick ? on_tick : NULL, c, -1);
	ok(start(c, &e) == 0 && http_run(c->http, &e) == 0, "%s: all are answered", what);
	if (e)
		printf("# %s\n", err_text(e));
	ms = (time_monotonic_ns() - began) / 1000000;
	is_int(c->left + c->running, 0, "and none is left");
	ok(ms < SOON_MS, "each begins at once and not at the next look at the clock");
	printf("# %d requests in %lld ms\n", REQUESTS, ms);
}

int main(void)
{
	struct http_settings settings = { .insecure = true };
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t n = sizeof(at);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct chain c = { 0 };
	pthread_t thread;

	(void)signal(SIGPIPE, SIG_IGN);
	unsetenv("http_proxy");
	if (!ok(bind(listener, (struct sockaddr *)&at, n) == 0 && listen(listener, 8) == 0 &&
			    getsockname(listener, (struct sockaddr *)&at, &n) == 0 &&
			    pthread_create(&thread, NULL, serve, &listener) == 0 &&
			    http_open(&settings, &c.http, &c.err) == 0,
		    "a server"))
		return tap_done();
	c.url = xasprintf("http://127.0.0.1:%d/", ntohs(at.sin_port));
	run_chain(&c, false, "started when another one ends");
	run_chain(&c, true, "started by the tick");
	http_close(c.http);
	(void)shutdown(listener, SHUT_RDWR); /* accept() ends */
	pthread_join(thread, NULL);
	close(listener);
	free(c.url);
	err_free(c.err);
	return tap_done();
}
