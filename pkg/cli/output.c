/* SPDX-License-Identifier: Apache-2.0 */
/* Tables, JSON and lines on stdout. */
#include "pkg/cli/output.h"

#include <stdarg.h>

#include "pkg/base/json.h"
#include "pkg/base/mem.h"
#include "pkg/base/str.h"

enum { GAP = 2 };

const char *const output_formats[] = { "table", "json", NULL };

void output_table_init(struct output_table *t, const char *const *heads)
{
	*t = (struct output_table){ .heads = heads };
	while (heads[t->columns])
		t->columns++;
}

static void add_cell(struct output_table *t, const char *text)
{
	auto_str cell = STR_INIT;

	(void)str_add_escaped(&cell, text); /* one cell is far below the ceiling */
	strv_add(&t->cells, str_text(&cell));
}

void output_row(struct output_table *t, ...)
{
	va_list ap;
	const char *text;
	size_t n = 0;

	va_start(ap, t);
	while ((text = va_arg(ap, const char *))) {
		if (n++ < t->columns)
			add_cell(t, text);
	}
	va_end(ap);
	for (; n < t->columns; n++)
		strv_add(&t->cells, "-");
}

/* Characters, not bytes: continuation bytes of UTF-8 take no room. */
static size_t width_of(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

static bool is_right(const struct output_table *t, size_t column)
{
	return t->heads[column][0] == '>';
}

static size_t column_width(const struct output_table *t, size_t column, bool bare)
{
	size_t width = bare ? 0 : strlen(t->heads[column]) - is_right(t, column);

	for (size_t i = column; i < t->cells.n; i += t->columns) {
		size_t w = width_of(t->cells.v[i]);

		width = w > width ? w : width;
	}
	return width;
}

static void add_text(
	const struct output_table *t, size_t column, size_t width, const char *text, struct str *ret)
{
	size_t pad = width - width_of(text);
	bool last = column + 1 == t->columns;

	if (is_right(t, column))
		(void)str_add_repeat(ret, ' ', pad);
	(void)str_add(ret, text);
	if (last)
		(void)str_add_char(ret, '\n');
	else
		(void)str_add_repeat(ret, ' ', GAP + (is_right(t, column) ? 0 : pad));
}

void output_table_text(const struct output_table *t, bool bare, struct str *ret)
{
	autofree size_t *widths = xcalloc(t->columns + 1, sizeof(*widths));

	for (size_t c = 0; c < t->columns; c++)
		widths[c] = column_width(t, c, bare);
	for (size_t c = 0; c < t->columns && !bare; c++)
		add_text(t, c, widths[c], t->heads[c] + is_right(t, c), ret);
	for (size_t i = 0; t->columns && i < t->cells.n; i++)
		add_text(t, i % t->columns, widths[i % t->columns], t->cells.v[i], ret);
}

void output_table_print(const struct output_table *t, bool bare)
{
	auto_str out = STR_INIT_MAX((size_t)1 << 30);

	output_table_text(t, bare, &out);
	(void)fwrite(str_text(&out), 1, out.len, stdout);
}

void output_table_free(struct output_table *t)
{
	strv_free(&t->cells);
}

void output_json(const struct json *j)
{
	auto_str out = STR_INIT_MAX((size_t)1 << 30);

	json_write(j, JSON_PRETTY, &out);
	(void)fwrite(str_text(&out), 1, out.len, stdout);
}

void output_line(const char *text)
{
	auto_str out = STR_INIT;

	(void)str_add_escaped(&out, text);
	(void)str_add_char(&out, '\n');
	(void)fwrite(str_text(&out), 1, out.len, stdout);
}
