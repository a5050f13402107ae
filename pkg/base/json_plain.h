/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON of the plainest kind, as our own writer makes it: an object in one line of strings without escapes, whole numbers, booleans, and arrays
 * and objects of such strings. Its members are looked at where they lie, without a tree. Whatever else JSON may be json_parse() reads.
 */
#ifndef UDOCKER_JSON_PLAIN_H
#define UDOCKER_JSON_PLAIN_H

#include "pkg/base/json.h"

struct json_plain {
	const char *at, *end; /* what has not been read yet */
	bool begun;
};
#define JSON_PLAIN_INIT(text, n) ((struct json_plain){ .at = (text), .end = (text) + (n) })

/* A slice of the text: of a string what is between the quotes, of others the whole of it. */
struct json_plain_member {
	const char *key, *text;
	size_t key_len, len;
	enum json_type type;
};

/* 1: a member; 0: there are no more, and the text has been valid JSON; -1: it is not plain, or no JSON. */
int json_plain_next(struct json_plain *p, struct json_plain_member *ret);
/* Is it the member of that name? */
static inline bool json_plain_is(const struct json_plain_member *m, const char *key)
{
	return m->key_len == strlen(key) && memcmp(m->key, key, m->key_len) == 0;
}

#endif
