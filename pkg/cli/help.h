/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Help as text, and what it shares with the emitters of man pages and completions: spellings, usage lines, wrapping.
 * Private to pkg/cli, cmd/gendocs and the tests; width is an argument, so nothing generated depends on a terminal.
 */
#ifndef UDOCKER_CLI_HELP_H
#define UDOCKER_CLI_HELP_H

#include "pkg/cli/cli.h"

struct str;

/* options and more_options of a command (or of none: c may be NULL) as cli_parse() takes them. The caller frees the array. */
const struct cli_option **help_tables(const struct cli_command *c);

/* "udocker-image pull [OPTIONS] REPO", "udocker images …" when called by the wrapper; without c the program's. Appended, no newline. */
void help_usage(struct str *out, const struct cli_program *p, const struct cli_command *c);

/* "udocker-image pull", to be typed in front of --help. */
void help_name(struct str *out, const struct cli_program *p, const struct cli_command *c);

/* "-v, --volume SRC:DST", the alias too. */
void help_spelling(struct str *out, const struct cli_option *o);

/* Append text wrapped at blanks to `width` columns, every line but the first indented; no newline at the end. `column` is where we are. */
void help_wrap(struct str *out, const char *text, int column, int indent, int width);

/* "Download an image." from "download an image". */
void help_sentence(struct str *out, const char *summary);

void help_program_text(struct str *out, const struct cli_program *p, int width);
void help_command_text(struct str *out, const struct cli_program *p, const struct cli_command *c, int width);

/* The rest of UDOCKER_AS behind "udocker ", NULL if there is none (main.c). */
const char *help_called_command(void);

#endif
