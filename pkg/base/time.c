/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Times. The calendar is computed here: gmtime() and timegm() of the C library read the time zone file first,
 * which UTC does not need.
 */
#include "pkg/base/time.h"

#include "pkg/base/host.h"
#include "pkg/base/num.h"

#define NS_PER_S INT64_C(1000000000)
#define DAY_S INT64_C(86400)

static int64_t clock_ns(clockid_t id)
{
	struct timespec ts;

	if (clock_gettime(id, &ts) < 0)
		return 0; /* cannot fail: both clocks are older than our oldest kernel */
	return (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

int64_t time_now_ns(void)
{
	const char *epoch = host_env("SOURCE_DATE_EPOCH");
	int64_t s;

	if (epoch && num_parse_i64(epoch, 0, INT64_MAX / NS_PER_S, &s) == 0)
		return s * NS_PER_S;
	return clock_ns(CLOCK_REALTIME);
}

int64_t time_monotonic_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

static bool is_leap(int year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int days_in_month(int year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	return days[month - 1] + (month == 2 && is_leap(year));
}

/* Days from 1970-01-01 to the first day of the year, which is 1 or later. */
static int64_t days_before_year(int year)
{
	int64_t y = year - 1;

	return 365 * y + y / 4 - y / 100 + y / 400 - 719162; /* 719162: the same sum for 1970 */
}

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

const char *time_format_rfc3339(int64_t ns, char buf[TIME_RFC3339_LEN])
{
	int64_t s = floor_div(ns, NS_PER_S), day = floor_div(s, DAY_S);
	unsigned fraction = (unsigned)(ns - s * NS_PER_S), in_day = (unsigned)(s - day * DAY_S);
	int year = 1970 + (int)floor_div(day, 366) - 1, month = 1, n;

	/* The guess is too early by some years: a few rounds, as 64 bits of nanoseconds end in 1677 and 2262. */
	while (days_before_year(year + 1) <= day)
		year++;
	day -= days_before_year(year);
	for (; day >= days_in_month(year, month); month++)
		day -= days_in_month(year, month);
	n = snprintf(buf, TIME_RFC3339_LEN, "%04d-%02d-%02dT%02u:%02u:%02u", year, month, (int)day + 1,
		in_day / 3600, in_day / 60 % 60, in_day % 60);
	if (fraction)
		(void)snprintf(buf + n, TIME_RFC3339_LEN - (size_t)n, ".%09uZ", fraction);
	else
		(void)snprintf(buf + n, TIME_RFC3339_LEN - (size_t)n, "Z");
	return buf;
}

/* Exactly n digits in min..max, then the byte `end` unless that is 0. Moves *p behind them. */
struct field {
	int digits, min, max;
	char end;
};

static int parse_field(const char **p, const struct field *f, int *ret)
{
	int v = 0;

	for (int i = 0; i < f->digits; i++, (*p)++) {
		if (**p < '0' || **p > '9')
			return -1;
		v = v * 10 + (**p - '0');
	}
	if (v < f->min || v > f->max)
		return -1;
	if (f->end && *(*p)++ != f->end)
		return -1;
	*ret = v;
	return 0;
}

/* An optional fraction; what is finer than a nanosecond is dropped. */
static int parse_fraction(const char **p, int64_t *ret)
{
	int64_t unit = NS_PER_S / 10;

	*ret = 0;
	if (**p != '.')
		return 0;
	if (*++*p < '0' || **p > '9')
		return -1;
	for (; **p >= '0' && **p <= '9'; (*p)++, unit /= 10)
		*ret += (**p - '0') * unit;
	return 0;
}

/* "Z" or "+hh:mm" at the end of the text, in seconds. */
static int parse_offset(const char *p, int64_t *ret)
{
	static const struct field hour = { 2, 0, 23, ':' }, minute = { 2, 0, 59, 0 };
	int sign = *p == '-' ? -1 : 1, h, m;

	*ret = 0;
	if ((*p == 'Z' || *p == 'z') && !p[1])
		return 0;
	if (*p != '+' && *p != '-')
		return -1;
	p++;
	if (parse_field(&p, &hour, &h) < 0 || parse_field(&p, &minute, &m) < 0 || *p)
		return -1;
	*ret = (int64_t)sign * (h * 3600 + m * 60);
	return 0;
}

int time_parse_rfc3339(const char *text, int64_t *ret_ns)
{
	/* 60 is a leap second. */
	static const struct field fields[] = { { 4, 1, 9999, '-' }, { 2, 1, 12, '-' }, { 2, 1, 31, 0 },
		{ 2, 0, 23, ':' }, { 2, 0, 59, ':' }, { 2, 0, 60, 0 } };
	const char *p = text;
	int64_t s, fraction, offset, ns;
	int v[6];

	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		if (i == 3 && *p != 'T' && *p != 't' && *p != ' ')
			return -1;
		p += i == 3;
		if (parse_field(&p, &fields[i], &v[i]) < 0)
			return -1;
	}
	if (v[2] > days_in_month(v[0], v[1]) || parse_fraction(&p, &fraction) < 0 ||
		parse_offset(p, &offset) < 0)
		return -1;
	s = days_before_year(v[0]) + v[2] - 1;
	for (int month = 1; month < v[1]; month++)
		s += days_in_month(v[0], month);
	s = s * DAY_S + v[3] * 3600 + v[4] * 60 + v[5] - offset;
	if (__builtin_mul_overflow(s, NS_PER_S, &ns) || __builtin_add_overflow(ns, fraction, &ns))
		return -1;
	*ret_ns = ns;
	return 0;
}

void time_format_ago(int64_t ns, char *buf, size_t n)
{
	static const struct {
		int64_t seconds;
		const char *name;
	} units[] = { { 365 * DAY_S, "year" }, { 30 * DAY_S, "month" }, { 7 * DAY_S, "week" },
		{ DAY_S, "day" }, { 3600, "hour" }, { 60, "minute" }, { 1, "second" } };
	int64_t now = time_now_ns(), age = ns < now ? (now / NS_PER_S) - floor_div(ns, NS_PER_S) : 0;

	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		int64_t count = age / units[i].seconds;

		if (count) {
			(void)snprintf(buf, n, "%lld %s%s ago", (long long)count, units[i].name,
				count > 1 ? "s" : "");
			return;
		}
	}
	(void)snprintf(buf, n, "just now");
}
