/* SPDX-License-Identifier: Apache-2.0 */
/* When to try again, and where a body goes on. */
#include <sys/random.h>
#include <time.h>

#include "pkg/base/mem.h"
#include "pkg/base/num.h"
#include "pkg/registry/http_priv.h"

#define BACKOFF_NS INT64_C(250000000)
#define BACKOFF_MAX_NS INT64_C(10000000000)

int64_t retry_backoff_ns(int tries)
{
	int64_t whole = tries < 6 ? BACKOFF_NS << tries : BACKOFF_MAX_NS;
	int64_t half;
	uint32_t dice = 0;

	if (whole > BACKOFF_MAX_NS)
		whole = BACKOFF_MAX_NS;
	half = whole / 2;
	if (getrandom(&dice, sizeof(dice), GRND_NONBLOCK) < 0)
		dice = 0; /* the shortest pause */
	return half + (int64_t)dice % (half + 1);
}

int64_t retry_after_s(const struct curl_api *c, const char *value)
{
	uint64_t s;
	time_t then;

	if (!value)
		return -1;
	if (num_parse_u64(value, INT32_MAX, &s) == 0)
		return (int64_t)s;
	then = c->curl_getdate(value, NULL);
	if (then < 0)
		return -1;
	return then > time(NULL) ? (int64_t)(then - time(NULL)) : 0;
}

bool retry_status(int status)
{
	static const int temporary[] = { 408, 429, 500, 502, 503, 504 };

	for (size_t i = 0; i < ARRAY_LEN(temporary); i++)
		if (status == temporary[i])
			return true;
	return false;
}

bool retry_content_range(const char *value, uint64_t *ret_first, uint64_t *ret_size)
{
	const char *dash, *slash;
	autofree char *first = NULL;

	if (!value || !str_starts(value, "bytes "))
		return false;
	value += strlen("bytes ");
	dash = strchr(value, '-');
	slash = strchr(value, '/');
	if (!dash || !slash || slash < dash)
		return false;
	first = xstrndup(value, (size_t)(dash - value));
	if (num_parse_u64(first, INT64_MAX, ret_first) < 0)
		return false;
	if (num_parse_u64(slash + 1, INT64_MAX, ret_size) < 0)
		*ret_size = UINT64_MAX;
	return true;
}
