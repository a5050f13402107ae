/* SPDX-License-Identifier: Apache-2.0 */
#include "pkg/base/subid.h"

#include "pkg/base/mem.h"
#include "pkg/base/num.h"
#include "pkg/base/str.h"
#include "pkg/base/strv.h"

size_t subid_ranges(const char *text, const char *user, uid_t uid, struct subid_range *ret, size_t max)
{
	autofree char *number = xasprintf("%u", (unsigned)uid);
	auto_strv lines = STRV_INIT;
	size_t n = 0;

	strv_split(&lines, text, "\n");
	for (size_t i = 0; i < lines.n && n < max; i++) {
		auto_strv words = STRV_INIT;

		strv_split(&words, lines.v[i], ":");
		if (words.n != 3 || (!str_eq(words.v[0], user) && !str_eq(words.v[0], number)))
			continue;
		if (num_parse_u32(words.v[1], &ret[n].first) == 0 &&
			num_parse_u32(words.v[2], &ret[n].count) == 0 && ret[n].count > 0)
			n++;
	}
	return n;
}
