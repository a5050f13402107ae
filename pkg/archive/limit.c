/* SPDX-License-Identifier: Apache-2.0 */
/* The arithmetic of decompression bombs. */
#include "pkg/archive/limit.h"

#include "pkg/base/err.h"
#include "pkg/base/num.h"

bool limit_allows(const struct limit *l, uint64_t plain, uint64_t packed)
{
	if (!l->size || plain <= l->size)
		return true;
	return l->ratio && plain / l->ratio <= packed;
}

int limit_check(const struct limit *l, uint64_t plain, uint64_t packed, const char *what, struct err **err)
{
	char size[NUM_SIZE_LEN];

	if (limit_allows(l, plain, packed))
		return 0;
	num_format_size(l->size, size);
	if (l->ratio)
		err_make(err, ERR_CORRUPT,
			"%s: unpacks to more than %s and %u times its size: taken for a decompression bomb",
			what, size, l->ratio);
	else
		err_make(err, ERR_CORRUPT, "%s: unpacks to more than the %s that are allowed", what, size);
	return err_hint(err, "if it is meant to, raise unpack_max_size (--max-size)");
}
