/* SPDX-License-Identifier: Apache-2.0 */
/* The reader of the INI form, as Python's configparser reads it for udocker 1.3.x. The section header is optional here. */
#include "pkg/conf/ini.h"

#include <ctype.h>

#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/base/str.h"

struct reader {
	const char *name;
	conf_ini_fn *fn;
	void *arg;
	int line;
	bool skip; /* in a section that is not ours */
	/* The setting that further lines may continue. */
	char *key;
	size_t indent;
	int key_line;
	struct str value;
};

static void flush(struct reader *r)
{
	if (!r->key)
		return;
	str_trim(&r->value);
	r->fn(r->name, r->key_line, r->key, str_text(&r->value), r->arg);
	free(r->key);
	r->key = NULL;
	str_truncate(&r->value, 0);
}

static void read_section(struct reader *r, const char *line)
{
	flush(r);
	r->skip = strcmp(line, "[DEFAULT]") != 0;
	if (r->skip)
		log_warning("%s:%d: section '%s' is unknown, skipping it", r->name, r->line, line);
}

static void read_setting(struct reader *r, const char *line, size_t indent)
{
	size_t len = strcspn(line, "=:");
	auto_str key = STR_INIT;

	flush(r);
	if (r->skip)
		return;
	(void)str_add_mem(&key, line, len);
	str_trim(&key);
	if (!line[len] || !key.len) {
		log_warning("%s:%d: '%s' is not KEY = VALUE, skipping it", r->name, r->line, line);
		return;
	}
	for (size_t i = 0; i < key.len; i++)
		key.data[i] = (char)tolower((unsigned char)key.data[i]);
	r->key = str_steal(&key);
	r->indent = indent;
	r->key_line = r->line;
	(void)str_add(&r->value, line + len + 1);
}

static void read_line(struct reader *r, const char *text, size_t len)
{
	auto_str line = STR_INIT;
	size_t indent = 0;

	while (indent < len && (text[indent] == ' ' || text[indent] == '\t'))
		indent++;
	(void)str_add_mem(&line, text + indent, len - indent);
	str_trim(&line);
	if (!line.len || line.data[0] == '#' || line.data[0] == ';')
		return;
	if (r->key && indent > r->indent)
		(void)str_addf(&r->value, " %s", line.data);
	else if (line.data[0] == '[')
		read_section(r, line.data);
	else
		read_setting(r, line.data, indent);
}

void conf_ini_read(const char *name, const char *text, conf_ini_fn *fn, void *arg)
{
	struct reader r = { .name = name, .fn = fn, .arg = arg };

	while (*text) {
		size_t len = strcspn(text, "\n");

		r.line++;
		read_line(&r, text, len);
		text += len;
		text += *text == '\n';
	}
	flush(&r);
	str_free(&r.value);
}
