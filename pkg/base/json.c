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
	const char *const *wanted; /* the members of the outermost object that are kept; NULL: all */
	bool skipping; /* the next value, or one that it is within, is not kept */
	size_t skipped; /* containers of it that are open */
	char refusal[80]; /* why a callback stopped the parser */
};

static int count_value(struct parser *p)
{
	if (p->nodes++ < p->limits.nodes)
		return 1;
	(void)snprintf(p->refusal, sizeof(p->refusal), "more than %zu values", p->limits.nodes);
	return 0;
}

static int check_depth(struct parser *p)
{
	if (p->depth + p->skipped < p->limits.depth)
		return 1;
	(void)snprintf(p->refusal, sizeof(p->refusal), "nested deeper than %zu levels", p->limits.depth);
	return 0;
}

/* A value that is not kept; it ends with its last container. */
static int skip_value(struct parser *p)
{
	p->skipping = p->skipped > 0;
	return count_value(p);
}

/* Takes the value. */
static int add_value(struct parser *p, struct json *value)
{
	struct json *top = p->depth ? p->open[p->depth - 1] : NULL;

	if (!count_value(p)) {
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

	if (!check_depth(p))
		return 0;
	if (p->skipping) {
		p->skipped++;
		return count_value(p);
	}
	j = json_new(type);
	if (!add_value(p, j))
		return 0;
	p->open = mem_grow(p->open, &p->cap, p->depth + 1, sizeof(struct json *));
	p->open[p->depth++] = j;
	return 1;
}

static int check_text(struct parser *p, const unsigned char *s, size_t n)
{
	if (!memchr(s, '\0', n))
		return 1;
	(void)snprintf(p->refusal, sizeof(p->refusal), "a NUL character in a string");
	return 0;
}

/*
 * Text as a string of ours, or NULL. yajl checks the shape of UTF-8 but lets through what RFC 3629 forbids; it
 * hands on a lone \uDC00 as such bytes, which Python writes for file names: json_copy_utf8() replaces it.
 */
static char *take_text(struct parser *p, const unsigned char *s, size_t n)
{
	autofree char *text = NULL;

	if (!check_text(p, s, n))
		return NULL;
	text = xmemdup(s, n);
	return str_is_utf8(text) ? steal_ptr(&text) : json_copy_utf8(text);
}

static int on_null(void *ctx)
{
	struct parser *p = ctx;

	return p->skipping ? skip_value(p) : add_value(p, json_new_null());
}

static int on_bool(void *ctx, int v)
{
	struct parser *p = ctx;

	return p->skipping ? skip_value(p) : add_value(p, json_new_bool(v));
}

static int on_number(void *ctx, const char *s, size_t n)
{
	struct parser *p = ctx;
	struct json *j;

	if (p->skipping)
		return skip_value(p);
	j = json_new(JSON_NUMBER);
	j->text = xmemdup(s, n);
	return add_value(p, j);
}

static int on_string(void *ctx, const unsigned char *s, size_t n)
{
	struct parser *p = ctx;
	struct json *j;
	char *text;

	if (p->skipping)
		return check_text(p, s, n) && skip_value(p);
	text = take_text(p, s, n);
	if (!text)
		return 0;
	j = json_new(JSON_STRING);
	j->text = text;
	return add_value(p, j);
}

static bool is_wanted(const struct parser *p)
{
	const char *const *name = p->wanted;

	while (name && *name && strcmp(*name, p->key) != 0)
		name++;
	return !name || *name;
}

static int on_key(void *ctx, const unsigned char *s, size_t n)
{
	struct parser *p = ctx;

	if (p->skipping)
		return check_text(p, s, n);
	p->key = take_text(p, s, n);
	if (p->key && p->depth == 1 && !is_wanted(p)) {
		p->skipping = true;
		free(steal_ptr(&p->key));
		return 1;
	}
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

	if (p->skipping)
		p->skipping = --p->skipped > 0;
	else
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

static int parse(const char *text, size_t n, const char *what, struct parser *p, struct err **err)
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
	yajl_handle handle;
	int r = 0;

	if (n > p->limits.bytes)
		return err_make(err, ERR_CORRUPT, "%s: larger than %zu bytes", what, p->limits.bytes);
	handle = yajl_alloc(&callbacks, &memory, p);
	if (yajl_parse(handle, (const unsigned char *)text, n) != yajl_status_ok)
		r = parse_error(handle, p, what, yajl_get_bytes_consumed(handle), err);
	else if (yajl_complete_parse(handle) != yajl_status_ok)
		r = parse_error(handle, p, what, n, err);
	yajl_free(handle);
	free(p->open);
	free(p->key);
	if (r < 0)
		json_free(p->root);
	return r;
}

int json_parse(const char *text, size_t n, const char *what, const struct json_limits *limits,
	struct json **ret, struct err **err)
{
	return json_parse_members(text, n, what, limits, NULL, ret, err);
}

int json_parse_members(const char *text, size_t n, const char *what, const struct json_limits *limits,
	const char *const *names, struct json **ret, struct err **err)
{
	struct parser p = { .limits = effective(limits), .wanted = names };

	if (parse(text, n, what, &p, err) < 0)
		return -1;
	*ret = p.root;
	return 0;
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
