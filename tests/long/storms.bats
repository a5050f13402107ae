#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Many processes on one store, as in concurrent.bats, for STORM_SECONDS each.

load ../helpers

@test "two processes doing everything at once, for minutes" { ok storm 2 "${STORM_SECONDS:-120}" && echo "# $output" >&3; }
@test "eight processes doing everything at once, for minutes" { ok storm 8 "${STORM_SECONDS:-120}" && echo "# $output" >&3; }
@test "thirty-two processes doing everything at once, for minutes" { ok storm 32 "${STORM_SECONDS:-120}" && echo "# $output" >&3; }
