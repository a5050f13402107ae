/* SPDX-License-Identifier: Apache-2.0 */
/* The config command, and the translation of run options that it shares. */
#ifndef UDOCKER_CMD_BUNDLE_CONFIG_H
#define UDOCKER_CMD_BUNDLE_CONFIG_H

#include "pkg/cli/cli.h"

struct bundle_options;
struct run_options;

extern const struct cli_command cmd_bundle_config;

/* Borrows from r. `command` is left NULL. */
void bundle_options_from_run(const struct run_options *r, struct bundle_options *ret);

#endif
