/* SPDX-License-Identifier: Apache-2.0 */
/* The one table of what all forms of `import` take. */
#include "pkg/cli/import_options.h"

const struct cli_option import_arg_options[] = {
	CLI_FLAG("mv", 0, struct import_args, move, "remove the file when it is imported"),
	CLI_STR("platform", 0, "OS/ARCH[/VARIANT]", struct import_args, platform,
		"what the programs in it are made for"),
	CLI_STR("max-size", 0, "SIZE", struct import_args, max_size,
		"what the archive may unpack to whatever its own size (unpack_max_size)"),
	CLI_STR("max-ratio", 0, "N", struct import_args, max_ratio,
		"and beyond that, how many times its own size (unpack_max_ratio)"),
	CLI_END,
};
