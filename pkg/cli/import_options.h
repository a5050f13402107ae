/* SPDX-License-Identifier: Apache-2.0 */
/* The options that `import` has wherever it stands: `udocker import` passes them on to `udocker-image import` or `udocker-bundle import`. */
#ifndef UDOCKER_IMPORT_OPTIONS_H
#define UDOCKER_IMPORT_OPTIONS_H

#include "pkg/cli/cli.h"

struct import_args {
	const char *platform; /* NULL: the machine's */
	const char *max_size, *max_ratio; /* NULL: as the settings say */
	bool move;
};

/* Rows for struct import_args; a command whose own options struct is larger has struct import_args as its first member. */
extern const struct cli_option import_arg_options[];

#endif
