/* SPDX-License-Identifier: Apache-2.0 */
/* The config command. */
#ifndef UDOCKER_CMD_BUNDLE_CONFIG_H
#define UDOCKER_CMD_BUNDLE_CONFIG_H

#include "pkg/cli/cli.h"

extern const struct cli_command cmd_bundle_config;

#endif
