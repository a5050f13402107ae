#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# state-root.bats with every call of every verb.

load ../helpers
load ../runtime
load ../state-root

setup() { faults_setup 0; }
teardown() { runtime_teardown; }

@test "no room" { each_engine faults space ENOSPC create start run exec kill delete; }
@test "a file system that dies" { each_engine faults any EIO create start run exec kill delete; }
@test "kill -9 in front of a call" { each_engine faults any KILL create start run exec kill delete; }
