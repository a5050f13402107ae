/* SPDX-License-Identifier: Apache-2.0 */
/* A message of two fields in the encoding of protocol buffers. */
#include "pkg/archive/owner.h"

#define FIELD_UID 0x08 /* field 1, varint */
#define FIELD_GID 0x10 /* field 2, varint */

static size_t add_field(unsigned char *p, unsigned char field, uint32_t value)
{
	size_t n = 0;

	/* A field of 0 would not be written at all. */
	if (!value)
		value = OWNER_NONE;
	p[n++] = field;
	for (; value >= 0x80; value >>= 7)
		p[n++] = (unsigned char)(value | 0x80);
	p[n++] = (unsigned char)value;
	return n;
}

size_t owner_text(uint32_t uid, uint32_t gid, unsigned char ret[OWNER_TEXT_MAX])
{
	size_t n = add_field(ret, FIELD_UID, uid);

	return n + add_field(ret + n, FIELD_GID, gid);
}

/* A number of 32 bits at *p, which moves on. */
static bool take_number(const unsigned char **p, const unsigned char *end, uint32_t *ret)
{
	uint64_t value = 0;

	for (unsigned shift = 0; *p < end && shift < 35; shift += 7) {
		unsigned char c = *(*p)++;

		value |= (uint64_t)(c & 0x7f) << shift;
		if (c & 0x80)
			continue;
		*ret = (uint32_t)value;
		return value <= UINT32_MAX;
	}
	return false;
}

bool owner_parse(const void *text, size_t n, int64_t *uid, int64_t *gid)
{
	const unsigned char *p = text, *end = p + n;
	uint32_t ids[2] = { 0, 0 };

	while (p < end) {
		unsigned char field = *p++;

		if ((field != FIELD_UID && field != FIELD_GID) ||
			!take_number(&p, end, &ids[field == FIELD_GID]))
			return false;
	}
	if (ids[0] != OWNER_NONE)
		*uid = ids[0];
	if (ids[1] != OWNER_NONE)
		*gid = ids[1];
	return true;
}
