#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2317,SC2030,SC2031  # called through each_engine
# A state root that is full, dies or is read-only, and verbs killed in front of a call there: each ends with a clear error or well, never
# with a container half-made that `delete --force` would not clean, or a process that is left. `make check-long` tries all calls.

load helpers
load runtime
load state-root

setup() { faults_setup "$(as_often 3 2)"; }
teardown() { runtime_teardown; }

@test "no room: every verb ends with an error or well, and delete --force cleans" {
  each_engine faults space ENOSPC create start run exec kill delete
}

@test "a file system that dies" {
  each_engine faults any EIO create start run exec delete
}

@test "kill -9 in front of a call" {
  each_engine faults any KILL create start run exec delete
}

@test "a state root that is read-only or not ours is an error, and nothing is started" {
  requires user
  check() {
    args sleep "$MARK"
    chmod a-w "$ROOT"
    fails 1 rt --engine "$ENGINE" create -b "$B" "$C"
    assert_one_error_line
    assert_stderr_contains "$ROOT"
    fails 125 rt --engine "$ENGINE" run -b "$B" "$C"
    assert_one_error_line
    ok rt list -q
    assert_output ""
    chmod u+w "$ROOT"
    [ -z "$(procs_with "^sleep $MARK")" ]
    ROOT=/root/state fails 1 rt --engine "$ENGINE" create -b "$B" "$C"
    assert_one_error_line
  }
  each_engine check
}
