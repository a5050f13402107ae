/* SPDX-License-Identifier: Apache-2.0 */
/* time: RFC 3339 both ways against known instants and against the C library. */
#include "pkg/base/time.h"

#include "tests/unit/tap.h"

#define S INT64_C(1000000000)

static void formats(int64_t ns, const char *want)
{
	char buf[TIME_RFC3339_LEN];
	int64_t back = 0;

	is_str(time_format_rfc3339(ns, buf), want, "formatted");
	ok(time_parse_rfc3339(buf, &back) == 0 && back == ns, "  and back");
}

static void parses(const char *text, int64_t want)
{
	int64_t v = 1;

	is_int(time_parse_rfc3339(text, &v), 0, text);
	is_int(v, want, "  instant");
}

static void test_refused(void)
{
	static const char *const bad[] = { "", "2026", "2026-11-22", "2026-11-22T10:00:00",
		"2026-11-22T10:00:00.Z", "2026-13-22T10:00:00Z", "2026-00-22T10:00:00Z",
		"2026-02-29T10:00:00Z", "1900-02-29T00:00:00Z", "2026-04-31T10:00:00Z",
		"2026-11-00T10:00:00Z", "2026-11-22T24:00:00Z", "2026-11-22T10:60:00Z",
		"2026-11-22T10:00:61Z", "2026-11-22T10:00:00Zx", "2026-11-22T10:00:00+0100",
		"2026-11-22T10:00:00+24:00", "2026-11-22T10:00:00+01:60", "2026-11-22T10:00:00+01:00Z",
		" 2026-11-22T10:00:00Z", "2026-1-22T10:00:00Z",
		"0001-01-01T00:00:00Z" /* Go's zero time: no int64 of nanoseconds */,
		"9999-01-01T00:00:00Z" };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		int64_t v = 42;

		ok(time_parse_rfc3339(bad[i], &v) == -1 && v == 42, "refused: '%s'", bad[i]);
	}
}

/* Every 11 days and some seconds over the whole range: our calendar is the C library's. */
static void test_calendar(void)
{
	int wrong = 0;

	for (int64_t s = -9223372036; s < 9223372036; s += 11 * 86400 + 4001) {
		char ours[TIME_RFC3339_LEN], theirs[TIME_RFC3339_LEN];
		time_t t = (time_t)s;
		struct tm tm;

		gmtime_r(&t, &tm);
		strftime(theirs, sizeof(theirs), "%Y-%m-%dT%H:%M:%SZ", &tm);
		wrong += strcmp(time_format_rfc3339(s * S, ours), theirs) != 0;
	}
	is_int(wrong, 0, "the calendar from 1677 to 2262");
}

static void ago(int64_t seconds, const char *want)
{
	char buf[40];

	time_format_ago((INT64_C(1000000000) - seconds) * S, buf, sizeof(buf));
	is_str(buf, want, "ago");
}

static void test_ago(void)
{
	ago(0, "just now");
	ago(-500, "just now");
	ago(1, "1 second ago");
	ago(59, "59 seconds ago");
	ago(60, "1 minute ago");
	ago(7199, "1 hour ago");
	ago(3 * 86400, "3 days ago");
	ago(15 * 86400, "2 weeks ago");
	ago(61 * 86400, "2 months ago");
	ago(800 * 86400, "2 years ago");
}

int main(void)
{
	int64_t a = time_monotonic_ns(), b = time_monotonic_ns(), now;
	struct timespec ts;

	ok(a > 0 && b >= a, "the monotonic clock");
	unsetenv("SOURCE_DATE_EPOCH");
	now = time_now_ns();
	clock_gettime(CLOCK_REALTIME, &ts);
	ok(now / S <= ts.tv_sec && now / S >= ts.tv_sec - 5, "the wall clock");
	setenv("SOURCE_DATE_EPOCH", "1000000000", 1);
	is_int(time_now_ns(), 1000000000 * S, "SOURCE_DATE_EPOCH");
	test_ago();
	setenv("SOURCE_DATE_EPOCH", "nonsense", 1);
	ok(time_now_ns() > 1000000000 * S, "a SOURCE_DATE_EPOCH that is none");
	formats(0, "1970-01-01T00:00:00Z");
	formats(-1, "1969-12-31T23:59:59.999999999Z");
	formats(INT64_C(951782400) * S, "2000-02-29T00:00:00Z");
	formats(1795341600 * S + 123456789, "2026-11-22T10:00:00.123456789Z");
	formats(1795341600 * S + 5, "2026-11-22T10:00:00.000000005Z");
	formats(INT64_MAX, "2262-04-11T23:47:16.854775807Z");
	formats(INT64_MIN / S * S, "1677-09-21T00:12:44Z");
	parses("2026-11-22T10:00:00.5Z", 1795341600 * S + S / 2);
	parses("2026-11-22T10:00:00.1234567899Z", 1795341600 * S + 123456789);
	parses("2026-11-22T11:30:00+01:30", 1795341600 * S);
	parses("2026-11-21T23:00:00-11:00", 1795341600 * S);
	parses("2026-11-22t10:00:00z", 1795341600 * S);
	parses("2016-12-31T23:59:60Z", INT64_C(1483228800) * S);
	test_refused();
	test_calendar();
	return tap_done();
}
