/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is generated from the tables: completions and the option and command sections of man pages. Only `make docs` uses it. The
 * output depends on the tables alone: no date, no version, no terminal.
 */
#ifndef UDOCKER_CLI_EMIT_H
#define UDOCKER_CLI_EMIT_H

#include "pkg/cli/cli.h"

struct str;

struct emit_context {
	const struct cli_program *const *programs; /* all of the suite, NULL-terminated */
	const char *modes; /* execution modes, separated by blanks */
};

/* The row that documents a command: the sibling's for a forwarded one, else c itself. */
const struct cli_command *emit_documented(const struct emit_context *ctx, const struct cli_command *c);

void emit_bash(const struct emit_context *ctx, const struct cli_program *p, struct str *out);
void emit_zsh(const struct emit_context *ctx, const struct cli_program *p, struct str *out);
void emit_fish(const struct emit_context *ctx, const struct cli_program *p, struct str *out);

/* Sections of a manual page in mdoc(7): the program's global options, its commands. */
void emit_man_options(const struct cli_program *p, struct str *out);
void emit_man_commands(const struct emit_context *ctx, const struct cli_program *p, struct str *out);
/* Running text and one word of a macro line, escaped. */
void emit_man_text(const char *text, struct str *out);
void emit_man_word(const char *word, struct str *out);

/* ---- shared by the emitters ---- */

/* Append `text` with every @F@ replaced by `name`. */
void emit_template(const char *text, const char *name, struct str *out);

/* "udocker_image" of "udocker-image". The caller frees. */
char *emit_identifier(const struct cli_program *p);

/* Does the option take a value from the next word? */
bool emit_takes_value(const struct cli_option *o);

/* Do the operands behind the first belong to a program of the container, as in `run IMAGE CMD ARG`? */
bool emit_only_first(const struct cli_command *c);

/* Call fn for every option that is shown, in the order of help. */
typedef void emit_option_fn(const struct cli_option *o, void *arg);
void emit_each_option(const struct cli_option *const *tables, emit_option_fn *fn, void *arg);

#endif
