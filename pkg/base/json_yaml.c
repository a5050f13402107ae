/* SPDX-License-Identifier: Apache-2.0 */
/* Reading YAML into the same tree: libyaml's events, without what JSON has no word for. The library is opened when the first text comes by. */
#include <pthread.h>
#include <yaml.h>

#include "pkg/base/dl.h"
#include "pkg/base/err.h"
#include "pkg/base/json_tree.h"
#include "pkg/base/mem.h"
#include "pkg/base/str.h"

#define DEFAULT_BYTES ((size_t)4 << 20)
#define DEFAULT_DEPTH 64
#define DEFAULT_NODES 200000

DL_SLOT(yaml_parser_initialize);
DL_SLOT(yaml_parser_set_input_string);
DL_SLOT(yaml_parser_parse);
DL_SLOT(yaml_parser_delete);
DL_SLOT(yaml_event_delete);
static const struct dl_symbol symbols[] = { DL_ENTRY(yaml_parser_initialize),
	DL_ENTRY(yaml_parser_set_input_string), DL_ENTRY(yaml_parser_parse), DL_ENTRY(yaml_parser_delete),
	DL_ENTRY(yaml_event_delete), DL_END };

static int need_library(struct err **err)
{
	static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
	static bool loaded;
	int r = 0;

	pthread_mutex_lock(&mutex);
	if (!loaded) {
		r = dl_load("libyaml-0.so.2", "libyaml-0-2", symbols, err);
		loaded = r >= 0;
	}
	pthread_mutex_unlock(&mutex);
	return r;
}

struct reader {
	const char *what;
	size_t max_depth, max_nodes, nodes;
	size_t documents;
	struct json *root;
	struct json **open; /* the containers that enclose the next value */
	size_t depth, cap;
	char *key; /* of the next value, in an object; NULL: a key comes next */
};

static int refuse(const struct reader *r, const yaml_event_t *e, const char *why, struct err **err)
{
	return err_make(err, ERR_CORRUPT, "%s: line %zu: %s", r->what, e->start_mark.line + 1, why);
}

static struct json *enclosing(const struct reader *r)
{
	return r->open && r->depth ? r->open[r->depth - 1] : NULL;
}

/* Takes the value. */
static int add_value(struct reader *r, const yaml_event_t *e, struct json *value, struct err **err)
{
	struct json *top = enclosing(r);

	if (r->nodes++ >= r->max_nodes) {
		json_free(value);
		return refuse(r, e, "too many values", err);
	}
	if (!top)
		r->root = value;
	else if (top->type == JSON_OBJECT)
		json_put_member(top, steal_ptr(&r->key), value);
	else
		json_add_member(top, NULL, value);
	return 0;
}

static bool wants_key(const struct reader *r)
{
	return json_is(enclosing(r), JSON_OBJECT) && !r->key;
}

/* ---- scalars ---- */

static const char *digits(const char *s)
{
	return s + strspn(s, "0123456789");
}

/* What JSON takes for a number. YAML's others, 0x1F or .inf, stay text. */
static bool is_number(const char *s)
{
	const char *end;

	s += *s == '-';
	end = digits(s);
	if (end == s || (*s == '0' && end != s + 1))
		return false;
	if (*end == '.') {
		s = end + 1;
		end = digits(s);
		if (end == s)
			return false;
	}
	if (*end == 'e' || *end == 'E') {
		s = end + 1 + (end[1] == '-' || end[1] == '+');
		end = digits(s);
		if (end == s)
			return false;
	}
	return *end == '\0';
}

static bool is_any(const char *s, const char *const *words)
{
	while (*words && strcmp(s, *words) != 0)
		words++;
	return *words != NULL;
}

/* By the core schema of YAML 1.2: "yes" and "off" are text. */
static struct json *plain(const char *s)
{
	static const char *const null[] = { "", "~", "null", "Null", "NULL", NULL };
	static const char *const yes[] = { "true", "True", "TRUE", NULL };
	static const char *const no[] = { "false", "False", "FALSE", NULL };
	struct json *j;

	if (is_any(s, null))
		return json_new_null();
	if (is_any(s, yes) || is_any(s, no))
		return json_new_bool(is_any(s, yes));
	if (!is_number(s))
		return json_new_str(s);
	j = json_new(JSON_NUMBER);
	j->text = xstrdup(s);
	return j;
}

/* Is it of the kind that its look says? A tag that names another is refused, but for "this is text". */
static int check_tag(
	const struct reader *r, const yaml_event_t *e, const yaml_char_t *tag, bool *text, struct err **err)
{
	static const char *const known[] = { "!", YAML_NULL_TAG, YAML_BOOL_TAG, YAML_INT_TAG, YAML_FLOAT_TAG,
		YAML_SEQ_TAG, YAML_MAP_TAG, NULL };

	if (!tag)
		return 0;
	*text = str_eq((const char *)tag, YAML_STR_TAG) || str_eq((const char *)tag, "!");
	if (*text || is_any((const char *)tag, known))
		return 0;
	return refuse(r, e, "a tag that JSON has no type for", err);
}

static int on_scalar(struct reader *r, const yaml_event_t *e, struct err **err)
{
	const char *s = (const char *)e->data.scalar.value;
	bool text = !e->data.scalar.plain_implicit;
	autofree char *clean = NULL;

	if (memchr(s, '\0', e->data.scalar.length))
		return refuse(r, e, "a NUL character in a string", err);
	if (check_tag(r, e, e->data.scalar.tag, &text, err) < 0)
		return -1;
	clean = json_copy_utf8(s);
	if (wants_key(r)) {
		r->key = steal_ptr(&clean);
		return 0;
	}
	return add_value(r, e, text ? json_new_str(clean) : plain(clean), err);
}

/* ---- containers ---- */

static int on_start(struct reader *r, const yaml_event_t *e, enum json_type type, const yaml_char_t *tag,
	struct err **err)
{
	struct json *j;
	bool text = false;

	if (wants_key(r))
		return refuse(r, e, "a key that is no text", err);
	if (check_tag(r, e, tag, &text, err) < 0)
		return -1;
	if (r->depth >= r->max_depth)
		return refuse(r, e, "nested too deeply", err);
	j = json_new(type);
	if (add_value(r, e, j, err) < 0)
		return -1;
	r->open = mem_grow(r->open, &r->cap, r->depth + 1, sizeof(struct json *));
	r->open[r->depth++] = j;
	return 0;
}

static int on_event(struct reader *r, const yaml_event_t *e, struct err **err)
{
	switch (e->type) {
	case YAML_DOCUMENT_START_EVENT:
		return r->documents++ ? refuse(r, e, "more than one document", err) : 0;
	case YAML_ALIAS_EVENT:
		/* A few lines of them can stand for any amount of data. */
		return refuse(r, e, "an alias: write out what it stands for", err);
	case YAML_SCALAR_EVENT:
		return on_scalar(r, e, err);
	case YAML_SEQUENCE_START_EVENT:
		return on_start(r, e, JSON_ARRAY, e->data.sequence_start.tag, err);
	case YAML_MAPPING_START_EVENT:
		return on_start(r, e, JSON_OBJECT, e->data.mapping_start.tag, err);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		r->depth--;
		return 0;
	default:
		return 0;
	}
}

/* ---- the text ---- */

static int parse_error(const struct reader *r, const yaml_parser_t *p, struct err **err)
{
	if (p->error == YAML_MEMORY_ERROR)
		return err_make(err, ERR_CORRUPT, "%s: not enough memory to read it", r->what);
	return err_make(err, ERR_CORRUPT, "%s: line %zu: not valid YAML: %s", r->what,
		p->problem_mark.line + 1, p->problem ? p->problem : "an error");
}

static int read_events(struct reader *r, yaml_parser_t *p, struct err **err)
{
	for (;;) {
		yaml_event_t e;
		bool last;
		int done;

		if (!dl_yaml_parser_parse(p, &e))
			return parse_error(r, p, err);
		last = e.type == YAML_STREAM_END_EVENT;
		done = on_event(r, &e, err);
		dl_yaml_event_delete(&e);
		if (done < 0 || last)
			return done;
	}
}

/* libyaml compares each with all before it. */
static bool has_directives(const char *text, size_t n)
{
	return (n > 0 && *text == '%') || memmem(text, n, "\n%", 2) || memmem(text, n, "\r%", 2);
}

int json_parse_yaml(const char *text, size_t n, const char *what, const struct json_limits *limits,
	struct json **ret, struct err **err)
{
	struct json_limits none = { 0 };
	const struct json_limits *l = limits ? limits : &none;
	struct reader r = { .what = what,
		.max_depth = l->depth ? l->depth : DEFAULT_DEPTH,
		.max_nodes = l->nodes ? l->nodes : DEFAULT_NODES };
	size_t max = l->bytes ? l->bytes : DEFAULT_BYTES;
	yaml_parser_t parser;
	int done;

	if (n > max)
		return err_make(err, ERR_CORRUPT, "%s: larger than %zu bytes", what, max);
	if (has_directives(text, n))
		return err_make(err, ERR_CORRUPT, "%s: a line that begins with %%", what);
	if (need_library(err) < 0)
		return -1;
	if (!dl_yaml_parser_initialize(&parser))
		return err_make(err, ERR_CORRUPT, "%s: not enough memory to read it", what);
	dl_yaml_parser_set_input_string(&parser, (const unsigned char *)text, n);
	done = read_events(&r, &parser, err);
	dl_yaml_parser_delete(&parser);
	free(r.open);
	free(r.key);
	if (done < 0) {
		json_free(r.root);
		return -1;
	}
	*ret = r.root ? r.root : json_new_null();
	return 0;
}
