#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# bats: under the sanitizers by hand
# udocker setup from mode to mode: ROOT is the original whenever no F mode has it, however the change before ended. All pairs and more
# instants are in tests/long.

load helpers
load fakechroot

setup() {
  common_setup
  transitions_setup
}
teardown() { transitions_teardown; }

@test "each mode after another one, there and back" {
  local mode last=F1 way=()
  for mode in $(setup_modes); do
    way+=("$mode" "$last")
    last=$mode
  done
  walk "${way[@]}" P1
}

@test "killed on the way, twice, then on the way to another mode" {
  once
  local modes
  modes=$(setup_modes)
  kill_between P1 F1 1 2
  walk R1
  if grep -qx F3 <<<"$modes"; then
    kill_between F1 F3 2 3
    killat 15000 udocker setup --execmode=F2 c || true
    walk F4 P1
    kill_between F3 R1 1 2
    killat 15000 udocker setup --execmode=F3 c || true
  else
    kill_between F1 F2 2 3
  fi
  walk P2
}
