/* SPDX-License-Identifier: Apache-2.0 */
/* Reading JSON: yajl's event parser builds the tree, within limits. The tree itself is in json_tree.c. */
#include "pkg/base/json.h"

#include <errno.h>
#include <yajl/yajl_parse.h>

#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/fs.h"
#include "pkg/base/json_tree.h"
#include "pkg/base/mem.h"
#include "pkg/base/str.h"

#define DEFAULT_BYTES ((size_t)4 << 20)
#define DEFAULT_DEPTH 64
#define DEFAULT_NODES 200000

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
		json_put_member(top, steal_ptr(&p->key), value);
	else
		json_add_member(top, NULL, value);
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
	j = json_new(type);
	if (!add_value(p, j))
		return 0;
	p->open = mem_grow(p->open, &p->cap, p->depth + 1, sizeof(struct json *));
	p->open[p->depth++] = j;
	return 1;
}

/*
 * Text as a string of ours, or NULL. yajl checks the shape of UTF-8 but lets through what RFC 3629 forbids; it
 * hands on a lone \uDC00 as such bytes, which Python writes for file names: json_copy_utf8() replaces it.
 */
static char *take_text(struct parser *p, const unsigned char *s, size_t n)
{
	autofree char *text = xmemdup(s, n);

	if (memchr(text, '\0', n)) {
		(void)snprintf(p->refusal, sizeof(p->refusal), "a NUL character in a string");
		return NULL;
	}
	return json_copy_utf8(text);
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
	struct json *j = json_new(JSON_NUMBER);

	j->text = xmemdup(s, n);
	return add_value(ctx, j);
}

static int on_string(void *ctx, const unsigned char *s, size_t n)
{
	char *text = take_text(ctx, s, n);
	struct json *j;

	if (!text)
		return 0;
	j = json_new(JSON_STRING);
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
