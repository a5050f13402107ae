/* SPDX-License-Identifier: Apache-2.0 */
/* The nodes of a JSON tree, for json*.c alone. */
#ifndef UDOCKER_JSON_TREE_H
#define UDOCKER_JSON_TREE_H

#include "pkg/base/json.h"

struct json_index;

struct json_member {
	char *key; /* NULL in an array */
	struct json *value;
};

struct json {
	enum json_type type;
	bool truth;
	char *text; /* of a string, always valid UTF-8, or of a number */
	struct json_member *m;
	size_t n, cap;
	struct json_index *index; /* of the keys; NULL: they are searched one by one */
};

struct json *json_new(enum json_type type);

/* Append to an array (key NULL). Takes the value. */
void json_add_member(struct json *container, char *key, struct json *value);

/* Set a member of an object. Takes key and value; a former value of the key is freed. */
void json_put_member(struct json *object, char *key, struct json *value);

/* A copy with every byte that is not UTF-8 replaced by U+FFFD. */
char *json_copy_utf8(const char *s);

#endif
