/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON as a tree: yajl's event parser in front of it, our own writer behind it (yajl's generator has no \uXXXX,
 * and cannot write an empty object on one line when it indents). Recursion is bounded: a parsed tree is as deep
 * as its limit, a built one as deep as the code that builds it.
 */
#include "pkg/base/json.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <yajl/yajl_parse.h>

#include "pkg/base/codec.h"
#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/fs.h"
#include "pkg/base/id.h"
#include "pkg/base/mem.h"
#include "pkg/base/num.h"
#include "pkg/base/str.h"
#include "pkg/base/strv.h"

#define DEFAULT_BYTES ((size_t)4 << 20)
#define DEFAULT_DEPTH 64
#define DEFAULT_NODES 200000

/* An object with fewer members is searched one by one, a larger one has an index. */
#define INDEX_MIN 32

struct member {
	char *key; /* NULL in an array */
	struct json *value;
};

/* A hash table of positions in json.m, open addressing, at most half full. */
struct index {
	uint64_t secret;
	size_t mask; /* slots - 1, slots being a power of two */
	uint32_t slot[]; /* position + 1, or 0 */
};

struct json {
	enum json_type type;
	bool truth;
	char *text; /* of a string, always valid UTF-8, or of a number */
	struct member *m;
	size_t n, cap;
	struct index *index; /* NULL: search one by one */
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

static void index_put(struct index *ix, const char *key, size_t i)
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
	struct index *ix;

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
	const struct index *ix = object->index;
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

static void add_member(struct json *container, char *key, struct json *value)
{
	container->m = mem_grow(container->m, &container->cap, container->n + 1, sizeof(*container->m));
	container->m[container->n++] = (struct member){ key, value };
}

/* Takes key and value. */
static void put_member(struct json *object, char *key, struct json *value)
{
	size_t i = find_member(object, key);

	if (i < object->n) {
		free(key);
		json_free(object->m[i].value);
		object->m[i].value = value;
		return;
	}
	add_member(object, key, value);
	if (object->index && 2 * object->n <= object->index->mask)
		index_put(object->index, key, i);
	else if (object->n >= INDEX_MIN)
		index_build(object);
}

/* ---- building ---- */

static struct json *new_value(enum json_type type)
{
	struct json *j = xcalloc(1, sizeof(*j));

	j->type = type;
	return j;
}

/* A copy with every byte that is not UTF-8 replaced by U+FFFD, as JSON has no other way to say it. */
static char *copy_utf8(const char *s)
{
	struct str out = STR_INIT_MAX(SIZE_MAX / 4);
	const char *p = s;
	size_t len;

	while ((len = str_utf8_len(p)))
		p += len;
	if (!*p)
		return xmemdup(s, (size_t)(p - s));
	for (p = s; *p; p += len ? len : 1) {
		len = str_utf8_len(p);
		(void)(len ? str_add_mem(&out, p, len)
			   : str_add(&out, "\xef\xbf\xbd")); /* no ceiling to hit */
	}
	return str_steal(&out);
}

struct json *json_new_null(void)
{
	return new_value(JSON_NULL);
}

struct json *json_new_bool(bool v)
{
	struct json *j = new_value(JSON_BOOL);

	j->truth = v;
	return j;
}

struct json *json_new_i64(int64_t v)
{
	struct json *j = new_value(JSON_NUMBER);

	j->text = xasprintf("%lld", (long long)v);
	return j;
}

struct json *json_new_str(const char *s)
{
	struct json *j = new_value(JSON_STRING);

	j->text = copy_utf8(s);
	return j;
}

struct json *json_new_array(void)
{
	return new_value(JSON_ARRAY);
}

struct json *json_new_object(void)
{
	return new_value(JSON_OBJECT);
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
	copy = new_value(j->type);
	copy->truth = j->truth;
	copy->text = xstrdup_null(j->text);
	for (size_t i = 0; i < j->n; i++)
		add_member(copy, xstrdup_null(j->m[i].key), json_clone(j->m[i].value));
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
	add_member(array, NULL, value);
}

void json_insert(struct json *array, size_t at, struct json *value)
{
	assert(at <= json_len(array));
	json_append(array, value);
	memmove(array->m + at + 1, array->m + at, (array->n - 1 - at) * sizeof(*array->m));
	array->m[at] = (struct member){ NULL, value };
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
	put_member(object, copy_utf8(key), value);
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
		j = new_value(type);
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
	struct json *array;
	int r = json_get_array(object, where, key, &array, err);

	if (r <= 0)
		return r;
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

/* ---- reading ---- */

struct parser {
	struct json_limits limits;
	size_t nodes;
	struct json *root;
	struct json **open; /* the containers that enclose the next value */
	size_t depth, cap;
	char *key; /* of the next value, in an object */
	char refusal[80]; /* why a callback stopped the parser */
};

/* Takes the value. */
static int add_value(struct parser *p, struct json *value)
{
	struct json *top = p->depth ? p->open[p->depth - 1] : NULL;

	if (p->nodes++ >= p->limits.nodes) {
		(void)snprintf(p->refusal, sizeof(p->refusal), "more than %zu values", p->limits.nodes);
		json_free(value);
		return 0;
	}
	if (!top)
		p->root = value;
	else if (top->type == JSON_OBJECT)
		put_member(top, steal_ptr(&p->key), value);
	else
		add_member(top, NULL, value);
	return 1;
}

static int add_container(struct parser *p, enum json_type type)
{
	struct json *j;

	if (p->depth >= p->limits.depth) {
		(void)snprintf(
			p->refusal, sizeof(p->refusal), "nested deeper than %zu levels", p->limits.depth);
		return 0;
	}
	j = new_value(type);
	if (!add_value(p, j))
		return 0;
	p->open = mem_grow(p->open, &p->cap, p->depth + 1, sizeof(struct json *));
	p->open[p->depth++] = j;
	return 1;
}

/*
 * Text as a string of ours, or NULL. yajl checks the shape of UTF-8 but lets through what RFC 3629 forbids; it
 * hands on a lone \uDC00 as such bytes, which Python writes for file names: copy_utf8() replaces it.
 */
static char *take_text(struct parser *p, const unsigned char *s, size_t n)
{
	autofree char *text = xmemdup(s, n);

	if (memchr(text, '\0', n)) {
		(void)snprintf(p->refusal, sizeof(p->refusal), "a NUL character in a string");
		return NULL;
	}
	return copy_utf8(text);
}

static int on_null(void *ctx)
{
	return add_value(ctx, json_new_null());
}

static int on_bool(void *ctx, int v)
{
	return add_value(ctx, json_new_bool(v));
}

static int on_number(void *ctx, const char *s, size_t n)
{
	struct json *j = new_value(JSON_NUMBER);

	j->text = xmemdup(s, n);
	return add_value(ctx, j);
}

static int on_string(void *ctx, const unsigned char *s, size_t n)
{
	char *text = take_text(ctx, s, n);
	struct json *j;

	if (!text)
		return 0;
	j = new_value(JSON_STRING);
	j->text = text;
	return add_value(ctx, j);
}

static int on_key(void *ctx, const unsigned char *s, size_t n)
{
	struct parser *p = ctx;

	p->key = take_text(p, s, n);
	return p->key != NULL;
}

static int on_start_object(void *ctx)
{
	return add_container(ctx, JSON_OBJECT);
}

static int on_start_array(void *ctx)
{
	return add_container(ctx, JSON_ARRAY);
}

static int on_end(void *ctx)
{
	struct parser *p = ctx;

	p->depth--;
	return 1;
}

/* yajl does not look whether it got memory; ours always does. */
static void *parser_malloc(void *ctx UNUSED, size_t n)
{
	return xmalloc(n);
}

static void *parser_realloc(void *ctx UNUSED, void *p, size_t n)
{
	return xrealloc(p, n);
}

static void parser_free(void *ctx UNUSED, void *p)
{
	free(p);
}

static int parse_error(
	yajl_handle handle, const struct parser *p, const char *what, size_t at, struct err **err)
{
	unsigned char *text;

	if (p->refusal[0])
		return err_make(err, ERR_CORRUPT, "%s: %s, at byte %zu", what, p->refusal, at);
	text = yajl_get_error(handle, 0, NULL, 0);
	err_make(err, ERR_CORRUPT, "%s: not valid JSON at byte %zu: %.*s", what, at,
		(int)strcspn((char *)text, "\n"), (char *)text);
	yajl_free_error(handle, text);
	return -1;
}

static size_t limit(size_t asked, size_t normal)
{
	return asked ? asked : normal;
}

static struct json_limits effective(const struct json_limits *limits)
{
	struct json_limits none = { 0 };

	limits = limits ? limits : &none;
	return (struct json_limits){ .bytes = limit(limits->bytes, DEFAULT_BYTES),
		.depth = limit(limits->depth, DEFAULT_DEPTH),
		.nodes = limit(limits->nodes, DEFAULT_NODES) };
}

int json_parse(const char *text, size_t n, const char *what, const struct json_limits *limits,
	struct json **ret, struct err **err)
{
	static const yajl_callbacks callbacks = { .yajl_null = on_null,
		.yajl_boolean = on_bool,
		.yajl_number = on_number,
		.yajl_string = on_string,
		.yajl_start_map = on_start_object,
		.yajl_map_key = on_key,
		.yajl_end_map = on_end,
		.yajl_start_array = on_start_array,
		.yajl_end_array = on_end };
	yajl_alloc_funcs memory = { parser_malloc, parser_realloc, parser_free, NULL };
	struct parser p = { .limits = effective(limits) };
	yajl_handle handle;
	int r = 0;

	if (n > p.limits.bytes)
		return err_make(err, ERR_CORRUPT, "%s: larger than %zu bytes", what, p.limits.bytes);
	handle = yajl_alloc(&callbacks, &memory, &p);
	if (yajl_parse(handle, (const unsigned char *)text, n) != yajl_status_ok)
		r = parse_error(handle, &p, what, yajl_get_bytes_consumed(handle), err);
	else if (yajl_complete_parse(handle) != yajl_status_ok)
		r = parse_error(handle, &p, what, n, err);
	yajl_free(handle);
	free(p.open);
	free(p.key);
	if (r < 0)
		json_free(p.root);
	else
		*ret = p.root;
	return r;
}

int json_read_fd(
	int fd, const char *what, const struct json_limits *limits, struct json **ret, struct err **err)
{
	size_t max = effective(limits).bytes;
	auto_str text = STR_INIT_MAX(max);

	if (fd_read_text(fd, max, &text, what, err) < 0)
		return -1;
	return json_parse(str_text(&text), text.len, what, limits, ret, err);
}

int json_read(
	int dirfd, const char *path, const struct json_limits *limits, struct json **ret, struct err **err)
{
	size_t max = effective(limits).bytes;
	auto_str text = STR_INIT_MAX(max);

	if (fs_read(dirfd, path, max, &text, FS_BENEATH) < 0) {
		if (errno == EFBIG)
			return err_make(err, ERR_CORRUPT, "%s: larger than %zu bytes", path, max);
		if (errno == EINVAL)
			return err_make(err, ERR_CORRUPT, "%s: not a regular file", path);
		return err_sys(err, errno, "read %s", path);
	}
	return json_parse(str_text(&text), text.len, path, limits, ret, err);
}

/* ---- writing: the target's ceiling is the caller's affair, so results of appends are not looked at ---- */

struct writer {
	unsigned flags;
	struct str *out;
};

static void write_new_line(const struct writer *w, size_t depth)
{
	if (!(w->flags & JSON_PRETTY))
		return;
	(void)str_add_char(w->out, '\n');
	(void)str_add_repeat(w->out, ' ', depth * (w->flags & JSON_INDENT4 ? 4 : 2));
}

/* The code point of a valid sequence of n bytes. */
static uint32_t decode(const char *s, size_t n)
{
	const unsigned char *u = (const unsigned char *)s;
	uint32_t c = u[0];

	if (n > 1)
		c &= 0x7fU >> n;
	for (size_t i = 1; i < n; i++)
		c = c << 6 | (u[i] & 0x3f);
	return c;
}

static void write_escape(const struct writer *w, uint32_t c)
{
	static const char letters[] = "\"\"\\\\\bb\ff\nn\rr\tt";

	for (size_t i = 0; i < sizeof(letters) - 1; i += 2) {
		if (c == (unsigned char)letters[i]) {
			(void)str_addf(w->out, "\\%c", letters[i + 1]);
			return;
		}
	}
	if (c < 0x10000)
		(void)str_addf(w->out, "\\u%04x", c);
	else
		(void)str_addf(
			w->out, "\\u%04x\\u%04x", 0xd800 + ((c - 0x10000) >> 10), 0xdc00 + (c & 0x3ff));
}

static void write_string(const struct writer *w, const char *s)
{
	const char *done = s;
	size_t len;

	(void)str_add_char(w->out, '"');
	for (; *s; s += len) {
		len = str_utf8_len(s);
		if ((unsigned char)*s >= 0x20 && *s != '"' && *s != '\\' &&
			(len == 1 || !(w->flags & JSON_ASCII)))
			continue;
		(void)str_add_mem(w->out, done, (size_t)(s - done));
		write_escape(w, decode(s, len));
		done = s + len;
	}
	(void)str_add(w->out, done);
	(void)str_add_char(w->out, '"');
}

static int compare_keys(const void *a, const void *b)
{
	return strcmp(((const struct member *)a)->key, ((const struct member *)b)->key);
}

static void write_value(const struct writer *w, const struct json *j, size_t depth);

static void write_container(const struct writer *w, const struct json *j, size_t depth)
{
	bool object = j->type == JSON_OBJECT, spaced = w->flags & JSON_SPACED,
	     pretty = w->flags & JSON_PRETTY;
	autofree struct member *sorted = NULL;
	const struct member *m = j->m;

	if (object && j->n > 1 && w->flags & JSON_SORT) {
		m = sorted = xmemdup(j->m, j->n * sizeof(*j->m));
		qsort(sorted, j->n, sizeof(*sorted), compare_keys);
	}
	(void)str_add_char(w->out, object ? '{' : '[');
	for (size_t i = 0; i < j->n; i++) {
		if (i)
			(void)str_add(w->out, spaced && !pretty ? ", " : ",");
		write_new_line(w, depth + 1);
		if (object) {
			write_string(w, m[i].key);
			(void)str_add(w->out, spaced || pretty ? ": " : ":");
		}
		write_value(w, m[i].value, depth + 1);
	}
	if (j->n)
		write_new_line(w, depth);
	(void)str_add_char(w->out, object ? '}' : ']');
}

static void write_value(const struct writer *w, const struct json *j, size_t depth)
{
	switch (json_type(j)) {
	case JSON_NULL:
		(void)str_add(w->out, "null");
		break;
	case JSON_BOOL:
		(void)str_add(w->out, j->truth ? "true" : "false");
		break;
	case JSON_NUMBER:
		(void)str_add(w->out, j->text);
		break;
	case JSON_STRING:
		write_string(w, j->text);
		break;
	case JSON_ARRAY:
	case JSON_OBJECT:
		write_container(w, j, depth);
		break;
	}
}

void json_write(const struct json *j, unsigned flags, struct str *ret)
{
	struct writer w = { flags, ret };

	write_value(&w, j, 0);
	if (flags & JSON_PRETTY)
		(void)str_add_char(ret, '\n');
}

char *json_text(const struct json *j, unsigned flags)
{
	/* Bounded by the limits of the trees it is made of, not by a second ceiling. */
	struct str out = STR_INIT_MAX(SIZE_MAX / 4);

	json_write(j, flags, &out);
	return str_steal(&out);
}
