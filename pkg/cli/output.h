/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Results on stdout: tables for people, JSON for programs. Text from outside is escaped, so no name can draw on the terminal or
 * break a line. Write errors are not reported here: cli_main() checks stdout at the end.
 */
#ifndef UDOCKER_CLI_OUTPUT_H
#define UDOCKER_CLI_OUTPUT_H

#include "pkg/base/base.h"
#include "pkg/base/strv.h"

struct json;
struct str;

/* Columns as wide as their widest cell. A head that begins with '>' is set flush right, without that character. */
struct output_table {
	const char *const *heads; /* NULL-terminated, kept, not copied */
	size_t columns;
	struct strv cells; /* row after row, escaped */
};
void output_table_init(struct output_table *t, const char *const *heads);
/* One text per head, then NULL; what is left out is "-". */
void output_row(struct output_table *t, ...) __attribute__((sentinel));
/* `text` gets the table; print writes it to stdout, and the heads too unless `bare`. */
void output_table_text(const struct output_table *t, bool bare, struct str *ret);
void output_table_print(const struct output_table *t, bool bare);
void output_table_free(struct output_table *t);
#define auto_table CLEANUP(output_table_free) struct output_table

/* A document, indented, newline at the end. */
void output_json(const struct json *j);

/* One line: an id, a name. Escaped. */
void output_line(const char *text);

/* For .choices of --format: "table", "json". */
extern const char *const output_formats[];

#endif
