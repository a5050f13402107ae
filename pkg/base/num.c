/* SPDX-License-Identifier: Apache-2.0 */
/* Strict numbers. The digits are read here, so that no locale and no blank or sign of strtoull gets in. */
#include "pkg/base/num.h"

#include <limits.h>

#include "pkg/base/mem.h"

/* Digits of `base` (8 or 10) at s; *end is the first byte that is none. -1 without a digit or above max. */
static int parse_digits(const char *s, unsigned base, uint64_t max, uint64_t *ret, const char **end)
{
	uint64_t v = 0;
	const char *p = s;

	for (; *p >= '0' && *p < (char)('0' + base); p++) {
		unsigned d = (unsigned)(*p - '0');

		if (__builtin_mul_overflow(v, base, &v) || __builtin_add_overflow(v, d, &v) || v > max)
			return -1;
	}
	if (p == s)
		return -1;
	*ret = v;
	*end = p;
	return 0;
}

int num_parse_u64(const char *s, uint64_t max, uint64_t *ret)
{
	const char *end;
	uint64_t v;

	if (parse_digits(s, 10, max, &v, &end) < 0 || *end)
		return -1;
	*ret = v;
	return 0;
}

int num_parse_i64(const char *s, int64_t min, int64_t max, int64_t *ret)
{
	bool minus = *s == '-';
	uint64_t u;
	int64_t v;

	if (num_parse_u64(s + minus, (uint64_t)INT64_MAX + minus, &u) < 0)
		return -1;
	v = minus ? (int64_t)(0 - u) : (int64_t)u;
	if (v < min || v > max)
		return -1;
	*ret = v;
	return 0;
}

int num_parse_u32(const char *s, uint32_t *ret)
{
	uint64_t v;

	if (num_parse_u64(s, UINT32_MAX, &v) < 0)
		return -1;
	*ret = (uint32_t)v;
	return 0;
}

int num_parse_int(const char *s, int min, int max, int *ret)
{
	int64_t v;

	if (num_parse_i64(s, min, max, &v) < 0)
		return -1;
	*ret = (int)v;
	return 0;
}

int num_parse_octal(const char *s, unsigned max, unsigned *ret)
{
	const char *end;
	uint64_t v;

	if (parse_digits(s, 8, max, &v, &end) < 0 || *end)
		return -1;
	*ret = (unsigned)v;
	return 0;
}

int num_parse_bool(const char *s, bool *ret)
{
	static const char *const words[2][4] = { { "false", "no", "off", "0" },
		{ "true", "yes", "on", "1" } };

	for (size_t v = 0; v < 2; v++) {
		for (size_t i = 0; i < ARRAY_LEN(words[v]); i++) {
			if (strcasecmp(s, words[v][i]) == 0) {
				*ret = v;
				return 0;
			}
		}
	}
	return -1;
}

int num_parse_size(const char *s, uint64_t *ret)
{
	static const char units[] = "kmgtp";
	unsigned shift = 0;
	const char *end, *unit;
	uint64_t v;

	if (parse_digits(s, 10, UINT64_MAX, &v, &end) < 0)
		return -1;
	unit = *end ? strchr(units, *end | 0x20) : NULL;
	if (unit) {
		shift = 10 * (unsigned)(unit - units + 1);
		end++;
		if (*end == 'i')
			end++;
	}
	if (*end == 'b' || *end == 'B')
		end++;
	if (*end || v > UINT64_MAX >> shift)
		return -1;
	*ret = v << shift;
	return 0;
}

const char *num_format_size(uint64_t n, char buf[NUM_SIZE_LEN])
{
	static const char units[] = "kMGTPE";
	double v = (double)n;
	size_t unit = 0;

	if (n < 1000) {
		(void)snprintf(buf, NUM_SIZE_LEN, "%u B", (unsigned)n);
		return buf;
	}
	/* 999.5 and more would print as 1000, so the next unit takes it; E is never passed: 2^64 is 18.4 EB. */
	v /= 1000;
	while (v >= 999.5) {
		v /= 1000;
		unit++;
	}
	(void)snprintf(buf, NUM_SIZE_LEN, "%.3g %cB", v, units[unit]);
	return buf;
}
