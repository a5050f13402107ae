/* SPDX-License-Identifier: Apache-2.0 */
/* How long is waited before another try, and where a body goes on. */
#include <time.h>

#include "pkg/base/err.h"
#include "pkg/registry/http_priv.h"
#include "tests/unit/tap.h"

#define MS INT64_C(1000000)
#define DRAWS 64

/* Of the whole pause a random part, but never less than half: who were refused together do not come back together. */
static void pause_is(int tries, int64_t whole_ms, const char *name)
{
	int64_t least = INT64_MAX, most = 0;

	for (int i = 0; i < DRAWS; i++) {
		int64_t ns = retry_backoff_ns(tries);

		least = ns < least ? ns : least;
		most = ns > most ? ns : most;
	}
	ok(least >= whole_ms * MS / 2 && most <= whole_ms * MS, "%s: from half of it to all", name);
	ok(least < most, "  and not always the same");
}

static void test_backoff(void)
{
	pause_is(0, 250, "a quarter of a second first");
	pause_is(1, 500, "twice that");
	pause_is(3, 2000, "and so on");
	pause_is(6, 10000, "up to ten seconds");
	pause_is(1000, 10000, "and no longer, however often it was tried");
}

static void test_retry_after(void)
{
	const struct curl_api *c = curl_load(NULL);
	time_t then = time(NULL) + 100;
	char date[64];
	struct tm tm;
	int64_t s;

	if (!ok(c != NULL, "libcurl is there"))
		return;
	is_int(retry_after_s(c, NULL), -1, "no header");
	is_int(retry_after_s(c, "7"), 7, "seconds");
	is_int(retry_after_s(c, "0"), 0, "at once");
	is_int(retry_after_s(c, "-7"), -1, "less than none");
	is_int(retry_after_s(c, "soon"), -1, "a word");
	is_int(retry_after_s(c, ""), -1, "nothing");
	is_int(retry_after_s(c, "Thu, 01 Jan 1970 00:00:10 GMT"), 0, "a date that is over");
	(void)gmtime_r(&then, &tm);
	(void)strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &tm);
	s = retry_after_s(c, date);
	ok(s > 90 && s <= 100, "a date to come: %lld s", (long long)s);
}

static void range_is(const char *value, uint64_t want_first, uint64_t want_size, const char *name)
{
	uint64_t first = 0, size = 0;

	ok(retry_content_range(value, &first, &size), "%s", name);
	is_int(first, want_first, "  where it begins");
	is_int(size, want_size, "  and the whole");
}

static void no_range(const char *value, const char *name)
{
	uint64_t first, size;

	ok(!retry_content_range(value, &first, &size), "%s", name);
}

static void test_content_range(void)
{
	range_is("bytes 5-9/10", 5, 10, "the rest of ten bytes");
	range_is("bytes 5-9/*", 5, UINT64_MAX, "of nobody knows how many");
	range_is("bytes 5-9/x", 5, UINT64_MAX, "of no number");
	no_range(NULL, "no header");
	no_range("5-9/10", "no unit");
	no_range("items 5-9/10", "another unit");
	no_range("bytes */10", "no range at all");
	no_range("bytes -9/10", "no beginning");
	no_range("bytes 5/9-10", "the slash before the dash");
	no_range("bytes 99999999999999999999-9/10", "a number that is too large");
}

int main(void)
{
	static const int temporary[] = { 408, 429, 500, 502, 503, 504 },
			 lasting[] = { 200, 400, 401, 404, 501 };

	test_backoff();
	test_retry_after();
	test_content_range();
	for (size_t i = 0; i < ARRAY_LEN(temporary); i++)
		ok(retry_status(temporary[i]), "%d may pass", temporary[i]);
	for (size_t i = 0; i < ARRAY_LEN(lasting); i++)
		ok(!retry_status(lasting[i]), "%d will not", lasting[i]);
	return tap_done();
}
