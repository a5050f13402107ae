/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line, declared once: parsing, --help, man pages and the completions of bash, zsh and fish all come from the
 * rows below. A command is a struct beside its code; a program is a table of commands.
 */
#ifndef UDOCKER_CLI_H
#define UDOCKER_CLI_H

#include "pkg/base/base.h"
#include "pkg/base/strv.h"

struct err;

enum cli_kind {
	CLI_KIND_END,
	CLI_KIND_FLAG, /* bool */
	CLI_KIND_COUNT, /* int, once per occurrence */
	CLI_KIND_STRING, /* const char *, the last one wins (points into argv) */
	CLI_KIND_LIST, /* struct strv, every occurrence in order */
	CLI_KIND_INT, /* int */
	CLI_KIND_OPTBOOL, /* enum cli_tri by --opt, --opt=true, --opt=false: never takes the next word (a flag neither) */
	CLI_KIND_IGNORED_FLAG, /* accepted for the sake of other tools' users: no effect */
	CLI_KIND_IGNORED_VALUE,
	CLI_KIND_NOTED_FLAG, /* the same, and its spelling is added to a struct strv once, so that it can be said */
	CLI_KIND_NOTED_VALUE,
};
enum cli_tri { CLI_UNSET, CLI_NO, CLI_YES };

/* What a shell completes for an option's value or an operand. */
enum cli_complete {
	CLI_COMPLETE_NONE,
	CLI_COMPLETE_FILE,
	CLI_COMPLETE_DIR,
	CLI_COMPLETE_IMAGE,
	CLI_COMPLETE_CONTAINER,
	CLI_COMPLETE_IMAGE_OR_CONTAINER,
	CLI_COMPLETE_MODE,
	CLI_COMPLETE_RUNTIME_ID,
	CLI_COMPLETE_SIGNAL
};

struct cli_option {
	const char *name; /* long, without dashes; NULL if there is only a short one */
	const char *alias; /* a second long spelling, or NULL */
	const char *metavar; /* upper case, for kinds with a value */
	const char *text; /* lower case, no full stop */
	size_t offset; /* in the command's options struct */
	const char *const *choices; /* NULL-terminated list of allowed values, or NULL */
	enum cli_kind kind;
	enum cli_complete complete;
	char letter; /* 0 if there is none */
	bool hidden; /* neither in help nor in man pages */
};

#define CLI_FLAG(n, l, st, f, txt) \
	{ \
		.name = n, .letter = l, .kind = CLI_KIND_FLAG, .offset = offsetof(st, f), .text = txt \
	}
#define CLI_COUNT(n, l, st, f, txt) \
	{ \
		.name = n, .letter = l, .kind = CLI_KIND_COUNT, .offset = offsetof(st, f), .text = txt \
	}
#define CLI_STR(n, l, mv, st, f, txt) \
	{ \
		.name = n, .letter = l, .kind = CLI_KIND_STRING, .metavar = mv, .offset = offsetof(st, f), \
		.text = txt \
	}
#define CLI_LIST(n, l, mv, st, f, txt) \
	{ \
		.name = n, .letter = l, .kind = CLI_KIND_LIST, .metavar = mv, .offset = offsetof(st, f), \
		.text = txt \
	}
#define CLI_INT(n, l, mv, st, f, txt) \
	{ \
		.name = n, .letter = l, .kind = CLI_KIND_INT, .metavar = mv, .offset = offsetof(st, f), \
		.text = txt \
	}
#define CLI_TRI(n, l, st, f, txt) \
	{ \
		.name = n, .letter = l, .kind = CLI_KIND_OPTBOOL, .offset = offsetof(st, f), .text = txt \
	}
#define CLI_END \
	{ \
		.kind = CLI_KIND_END \
	}

struct cli_program;
struct cli_command;

/* What a command's function gets. Operands are argv after the options, unchanged. */
struct cli_call {
	const struct cli_program *program;
	const struct cli_command *command;
	void *options; /* zeroed, then filled; lists are freed by cli_main() */
	const void *global; /* the program's options struct */
	int argc; /* operands */
	char **argv; /* NULL-terminated */
};

/* Returns the exit status (0 …), or -1 with *err set: cli_main() prints it and picks the status. */
typedef int cli_run_fn(const struct cli_call *call, struct err **err);

struct cli_command {
	const char *name; /* "pull"; "manifest inspect" is a command of two words */
	const char *args; /* usage of the operands: "REPO[:TAG|@DIGEST]" */
	int min_args, max_args; /* max_args -1: any number */
	const char *summary; /* one line, lower case, no full stop */
	const char *about; /* paragraphs for help and man page, or NULL */
	const char *examples; /* lines for the man page, or NULL */
	const struct cli_option *options;
	const struct cli_option *const
		*more_options; /* NULL-terminated list of further tables on the same struct, or NULL */
	enum cli_complete complete; /* for operands */
	cli_run_fn *run;
	size_t size; /* of the options struct */
	bool hidden;
	/*
	 * Parsing is left to a sibling: `run` gets all words behind the command's name as operands. `forward_to` names the
	 * sibling whose table documents it ("udocker-image"), `forward_as` its command there.
	 */
	const char *forward_to, *forward_as;
	bool options_anywhere; /* options may follow operands (never for run and exec) */
	bool raw; /* `run` gets every word behind the name as operands, as with forward_to */
};

struct cli_program {
	const char *name; /* "udocker-image" */
	const char *summary;
	const char *about;
	const struct cli_option *options; /* global, before the command */
	size_t size; /* of the global struct */
	const struct cli_command *const *commands; /* NULL-terminated, in the order of help */
	/* Called after the global options and before the command: store, log level. May be NULL. */
	int (*setup)(void *global, struct err **err);
	int usage_status; /* 2, or 1 in udocker and udocker-runtime */
	int failure_status; /* of a command that returned -1: usually 1 */
	int (*status_of)(const struct cli_call *call,
		const struct err *err); /* overrides failure_status if not NULL */
	bool wrapper_style; /* "Error: …" as 1.3.x */
	const char *version_extra; /* lines after "name version", or NULL */
};

/* Parse, call, print errors, return the exit status. Flushes stdout and reports a failed write (full disk) as an error. */
int cli_main(const struct cli_program *program, int argc, char **argv);

/*
 * "udocker" if the wrapper started us (UDOCKER_AS; no other value counts), else NULL. Messages are then in the style of udocker 1.3.x,
 * usage lines name the wrapper's command, listings have the columns of 1.3.x, and a wrong command line ends with 1. The variable may be
 * "udocker COMMAND": the name of the wrapper's command for usage lines, where it differs from ours (`udocker images` is `udocker-image ls`).
 * It is taken out of the environment when first read, so nothing that we start sees it.
 */
const char *cli_called_as(void);

/*
 * Parse words by tables into `out` (zeroed by the caller, `tables` NULL-terminated; an earlier table wins). argv has no program name in it.
 * Accepts --opt=V, --opt V, -oV, -o V, -o=V, bundled flags, --flag=true, --flag=false; -- ends the options. The word behind a value option
 * is its value, whatever it looks like, also the empty one. Stops at the first operand unless `anywhere`; *ret_first is the index of the
 * first operand; with `anywhere` operands are moved behind the options. --help and, where no table has that letter, -h: CLI_HELP (1).
 * ERR_USAGE otherwise, with the nearest known option as the hint.
 */
enum { CLI_HELP = 1 };
int cli_parse(const struct cli_option *const *tables, void *out, int argc, char **argv, bool anywhere,
	int *ret_first, struct err **err);
/* Frees what lists hold; strings point into argv. */
void cli_free_options(const struct cli_option *const *tables, void *out);

/*
 * The inverse: append every option of `table` that is set in `opts` to ret, as one word each: --name=value, or -x=value where there is no
 * long name. A number of 0 counts as unset. Parsing these words again gives the same struct.
 */
void cli_emit(const struct cli_option *table, const void *opts, struct strv *ret);

/* The nearest of the candidates (NULL-terminated) to a mistyped word, or NULL if none is near. */
const char *cli_nearest(const char *word, const char *const *candidates);

/* Text for people to stdout, as wide as the terminal. */
void cli_help_program(const struct cli_program *p);
void cli_help_command(const struct cli_program *p, const struct cli_command *c);

#endif
