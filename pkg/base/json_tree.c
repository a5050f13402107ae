/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON tree: making, changing and asking. Recursion is as deep as the parser's limit or the code that builds. */
#include "pkg/base/json_tree.h"

#include <assert.h>
#include <stdarg.h>

#include "pkg/base/codec.h"
#include "pkg/base/err.h"
#include "pkg/base/id.h"
#include "pkg/base/mem.h"
#include "pkg/base/num.h"
#include "pkg/base/str.h"
#include "pkg/base/strv.h"

/* An object with fewer members is searched one by one, a larger one has an index. */
#define INDEX_MIN 32

/* A hash table of positions in json.m, open addressing, at most half full. */
struct json_index {
	uint64_t secret;
	size_t mask; /* slots - 1, slots being a power of two */
	uint32_t slot[]; /* position + 1, or 0 */
};

/* ---- members of objects ---- */

/* A prime: the hash is a polynomial in a secret number, so that nobody can prepare keys that collide. */
#define HASH_PRIME ((UINT64_C(1) << 31) - 1)

static uint64_t hash_key(uint64_t secret, const char *key)
{
	uint64_t h = 0;

	for (; *key; key++) {
		uint64_t x = (h + (unsigned char)*key + 1) * secret;

		h = (x & HASH_PRIME) + (x >> 31);
		h = (h & HASH_PRIME) + (h >> 31);
	}
	return h;
}

static void index_put(struct json_index *ix, const char *key, size_t i)
{
	size_t at = hash_key(ix->secret, key) & ix->mask;

	while (ix->slot[at])
		at = (at + 1) & ix->mask;
	ix->slot[at] = (uint32_t)i + 1;
}

static void index_drop(struct json *object)
{
	free(object->index);
	object->index = NULL;
}

static void index_build(struct json *object)
{
	size_t slots = 2 * INDEX_MIN;
	unsigned char secret[4];
	char hex[2 * sizeof(secret) + 1];
	struct json_index *ix;

	index_drop(object);
	if (object->n >= UINT32_MAX)
		return;
	while (slots < 4 * object->n)
		slots *= 2;
	ix = xcalloc(1, sizeof(*ix) + slots * sizeof(ix->slot[0]));
	ix->mask = slots - 1;
	id_random_hex(hex, 2 * sizeof(secret));
	(void)codec_hex_decode(hex, secret, sizeof(secret)); /* we have just made it */
	for (size_t i = 0; i < sizeof(secret); i++)
		ix->secret = ix->secret << 8 | secret[i];
	ix->secret = ix->secret % (HASH_PRIME - 1) + 1;
	for (size_t i = 0; i < object->n; i++)
		index_put(ix, object->m[i].key, i);
	object->index = ix;
}

/* The position of the key, or the number of members. */
static size_t find_member(const struct json *object, const char *key)
{
	const struct json_index *ix = object->index;
	size_t i;

	if (ix) {
		for (size_t at = hash_key(ix->secret, key) & ix->mask; ix->slot[at];
			at = (at + 1) & ix->mask) {
			i = ix->slot[at] - 1;
			if (strcmp(object->m[i].key, key) == 0)
				return i;
		}
		return object->n;
	}
	for (i = 0; i < object->n; i++)
		if (strcmp(object->m[i].key, key) == 0)
			break;
	return i;
}

void json_add_member(struct json *container, char *key, struct json *value)
{
	container->m = mem_grow(container->m, &container->cap, container->n + 1, sizeof(*container->m));
	container->m[container->n++] = (struct json_member){ key, value };
}

void json_put_member(struct json *object, char *key, struct json *value)
{
	size_t i = find_member(object, key);

	if (i < object->n) {
		free(key);
		json_free(object->m[i].value);
		object->m[i].value = value;
		return;
	}
	json_add_member(object, key, value);
	if (object->index && 2 * object->n <= object->index->mask)
		index_put(object->index, key, i);
	else if (object->n >= INDEX_MIN)
		index_build(object);
}

/* ---- building ---- */

struct json *json_new(enum json_type type)
{
	struct json *j = xcalloc(1, sizeof(*j));

	j->type = type;
	return j;
}

/* JSON has no way to say a byte that is no text. */
char *json_copy_utf8(const char *s)
{
	struct str out = STR_INIT_MAX(SIZE_MAX / 4);
	const char *p = s;
	size_t len;

	if (str_is_utf8(s))
		return xstrdup(s);
	for (; *p; p += len ? len : 1) {
		len = str_utf8_len(p);
		(void)(len ? str_add_mem(&out, p, len)
			   : str_add(&out, "\xef\xbf\xbd")); /* no ceiling to hit */
	}
	return str_steal(&out);
}

struct json *json_new_null(void)
{
	return json_new(JSON_NULL);
}

struct json *json_new_bool(bool v)
{
	struct json *j = json_new(JSON_BOOL);

	j->truth = v;
	return j;
}

struct json *json_new_i64(int64_t v)
{
	struct json *j = json_new(JSON_NUMBER);

	j->text = xasprintf("%lld", (long long)v);
	return j;
}

struct json *json_new_u64(uint64_t v)
{
	struct json *j = json_new(JSON_NUMBER);

	j->text = xasprintf("%llu", (unsigned long long)v);
	return j;
}

struct json *json_new_str(const char *s)
{
	struct json *j = json_new(JSON_STRING);

	j->text = json_copy_utf8(s);
	return j;
}

struct json *json_new_array(void)
{
	return json_new(JSON_ARRAY);
}

struct json *json_new_object(void)
{
	return json_new(JSON_OBJECT);
}

struct json *json_new_strv(const struct strv *v)
{
	struct json *array = json_new_array();

	for (size_t i = 0; i < v->n; i++)
		json_append(array, json_new_str(v->v[i]));
	return array;
}

struct json *json_clone(const struct json *j)
{
	struct json *copy;

	if (!j)
		return NULL;
	copy = json_new(j->type);
	copy->truth = j->truth;
	copy->text = xstrdup_null(j->text);
	for (size_t i = 0; i < j->n; i++)
		json_add_member(copy, xstrdup_null(j->m[i].key), json_clone(j->m[i].value));
	if (j->index)
		index_build(copy);
	return copy;
}

void json_free(struct json *j)
{
	if (!j)
		return;
	for (size_t i = 0; i < j->n; i++) {
		free(j->m[i].key);
		json_free(j->m[i].value);
	}
	free(j->m);
	free(j->index);
	free(j->text);
	free(j);
}

void json_append(struct json *array, struct json *value)
{
	assert(json_is(array, JSON_ARRAY) && value);
	json_add_member(array, NULL, value);
}

void json_insert(struct json *array, size_t at, struct json *value)
{
	assert(at <= json_len(array));
	json_append(array, value);
	memmove(array->m + at + 1, array->m + at, (array->n - 1 - at) * sizeof(*array->m));
	array->m[at] = (struct json_member){ NULL, value };
}

void json_remove_at(struct json *container, size_t i)
{
	assert(i < json_len(container));
	free(container->m[i].key);
	json_free(container->m[i].value);
	container->n--;
	memmove(container->m + i, container->m + i + 1, (container->n - i) * sizeof(*container->m));
	index_drop(container); /* every position behind i has changed */
}

void json_set(struct json *object, const char *key, struct json *value)
{
	assert(json_is(object, JSON_OBJECT) && value);
	json_put_member(object, json_copy_utf8(key), value);
}

void json_set_str(struct json *object, const char *key, const char *value)
{
	if (value)
		json_set(object, key, json_new_str(value));
	else
		json_remove(object, key);
}

void json_set_i64(struct json *object, const char *key, int64_t value)
{
	json_set(object, key, json_new_i64(value));
}

void json_set_bool(struct json *object, const char *key, bool value)
{
	json_set(object, key, json_new_bool(value));
}

void json_remove(struct json *object, const char *key)
{
	size_t i;

	assert(json_is(object, JSON_OBJECT));
	i = find_member(object, key);
	if (i < object->n)
		json_remove_at(object, i);
}

static struct json *need_member(struct json *object, const char *key, enum json_type type)
{
	struct json *j = json_get(object, key);

	if (!json_is(j, type)) {
		j = json_new(type);
		json_set(object, key, j);
	}
	return j;
}

struct json *json_need_object(struct json *object, const char *key)
{
	return need_member(object, key, JSON_OBJECT);
}

struct json *json_need_array(struct json *object, const char *key)
{
	return need_member(object, key, JSON_ARRAY);
}

/* ---- looking ---- */

enum json_type json_type(const struct json *j)
{
	return j ? j->type : JSON_NULL;
}

bool json_is(const struct json *j, enum json_type type)
{
	return j && j->type == type;
}

size_t json_len(const struct json *j)
{
	return j ? j->n : 0; /* only arrays and objects have members */
}

struct json *json_at(const struct json *array, size_t i)
{
	return json_is(array, JSON_ARRAY) && i < array->n ? array->m[i].value : NULL;
}

struct json *json_get(const struct json *object, const char *key)
{
	size_t i;

	if (!json_is(object, JSON_OBJECT))
		return NULL;
	i = find_member(object, key);
	return i < object->n ? object->m[i].value : NULL;
}

struct json *json_path(const struct json *object, ...)
{
	struct json *j = NULL;
	const char *key;
	va_list ap;

	va_start(ap, object);
	while ((key = va_arg(ap, const char *))) {
		j = json_get(object, key);
		object = j;
	}
	va_end(ap);
	return j;
}

const char *json_key_at(const struct json *object, size_t i)
{
	return json_is(object, JSON_OBJECT) && i < object->n ? object->m[i].key : NULL;
}

struct json *json_value_at(const struct json *object, size_t i)
{
	return json_is(object, JSON_OBJECT) && i < object->n ? object->m[i].value : NULL;
}

const char *json_str(const struct json *j)
{
	return json_is(j, JSON_STRING) ? j->text : NULL;
}

const char *json_number_text(const struct json *j)
{
	return json_is(j, JSON_NUMBER) ? j->text : NULL;
}

int json_to_i64(const struct json *j, int64_t *ret)
{
	return json_is(j, JSON_NUMBER) ? num_parse_i64(j->text, INT64_MIN, INT64_MAX, ret) : -1;
}

bool json_true(const struct json *j)
{
	return json_is(j, JSON_BOOL) && j->truth;
}

static int wrong(const char *where, const char *key, const char *expected, struct err **err)
{
	bool top = !where || !*where;

	return err_make(
		err, ERR_CORRUPT, "%s%s%s: expected %s", top ? "" : where, top ? "" : ".", key, expected);
}

/* The member if it is there, not null and of this type; *ret_wrong tells a wrong type from none. */
static struct json *get_typed(
	const struct json *object, const char *key, enum json_type type, bool *ret_wrong)
{
	struct json *j = json_get(object, key);

	*ret_wrong = false;
	if (json_type(j) == JSON_NULL)
		return NULL;
	if (j->type == type)
		return j;
	*ret_wrong = true;
	return NULL;
}

int json_get_str(
	const struct json *object, const char *where, const char *key, const char **ret, struct err **err)
{
	bool bad;
	struct json *j = get_typed(object, key, JSON_STRING, &bad);

	if (!j)
		return bad ? wrong(where, key, "a string", err) : 0;
	*ret = j->text;
	return 1;
}

int json_get_bool(const struct json *object, const char *where, const char *key, bool *ret, struct err **err)
{
	bool bad;
	struct json *j = get_typed(object, key, JSON_BOOL, &bad);

	if (!j)
		return bad ? wrong(where, key, "true or false", err) : 0;
	*ret = j->truth;
	return 1;
}

/* The signature is the header's: two bounds more than the house's five parameters. */
int json_get_i64(const struct json *object, const char *where, const char *key, int64_t min, int64_t max,
	int64_t *ret, struct err **err)
{
	bool bad;
	struct json *j = get_typed(object, key, JSON_NUMBER, &bad);
	char expected[80];
	int64_t v;

	if (!j && !bad)
		return 0;
	if (j && json_to_i64(j, &v) == 0 && v >= min && v <= max) {
		*ret = v;
		return 1;
	}
	(void)snprintf(
		expected, sizeof(expected), "an integer from %lld to %lld", (long long)min, (long long)max);
	return wrong(where, key, expected, err);
}

int json_get_object(
	const struct json *object, const char *where, const char *key, struct json **ret, struct err **err)
{
	bool bad;
	struct json *j = get_typed(object, key, JSON_OBJECT, &bad);

	if (!j)
		return bad ? wrong(where, key, "an object", err) : 0;
	*ret = j;
	return 1;
}

int json_get_array(
	const struct json *object, const char *where, const char *key, struct json **ret, struct err **err)
{
	bool bad;
	struct json *j = get_typed(object, key, JSON_ARRAY, &bad);

	if (!j)
		return bad ? wrong(where, key, "an array", err) : 0;
	*ret = j;
	return 1;
}

int json_get_strv(
	const struct json *object, const char *where, const char *key, struct strv *ret, struct err **err)
{
	bool bad;
	struct json *array = get_typed(object, key, JSON_ARRAY, &bad);

	if (!array)
		return bad ? wrong(where, key, "an array", err) : 0;
	assert(ret->n == 0);
	for (size_t i = 0; i < array->n; i++) {
		if (!json_is(array->m[i].value, JSON_STRING)) {
			autofree char *element = xasprintf("%s[%zu]", key, i);

			return wrong(where, element, "a string", err);
		}
	}
	for (size_t i = 0; i < array->n; i++)
		strv_add(ret, array->m[i].value->text);
	return 1;
}
