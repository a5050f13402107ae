#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Every command that writes, as in crash.bats: CRASH_INSTANTS instants of each, all calls, all faults, all pairs.

load ../helpers

# campaign WORD...: its last line has the figures.
campaign() { ok crash "$@" && echo "# $output" >&3; }

@test "image commands killed at hundreds of instants" { campaign image instants "${CRASH_INSTANTS:-200}"; }
@test "container commands killed at hundreds of instants" { campaign container instants "${CRASH_INSTANTS:-200}"; }
@test "archive commands killed at hundreds of instants" { campaign archive instants "${CRASH_INSTANTS:-200}"; }
@test "the installation of engines killed at hundreds of instants" { campaign engines instants "${CRASH_INSTANTS:-200}"; }
@test "image commands killed before each system call" { campaign image calls; }
@test "container commands killed before each system call" { campaign container calls; }
@test "archive commands killed before each system call" { campaign archive calls; }
@test "the installation of engines killed before each system call" { campaign engines calls; }
@test "image commands, each write and rename failing" { campaign image faults; }
@test "container commands, each write and rename failing" { campaign container faults; }
@test "archive commands, each write and rename failing" { campaign archive faults; }
@test "the installation of engines, each write and rename failing" { campaign engines faults; }
@test "two commands at once, one stopped before each of its calls" { campaign pairs; }
