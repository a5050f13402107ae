#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# udocker setup from each mode to each other one, and killed at CRASH_INSTANTS instants of each change that touches ROOT.

load ../helpers
load ../fakechroot

setup() {
  common_setup
  transitions_setup
}
teardown() { transitions_teardown; }

@test "every pair of modes" {
  local from to way=()
  for from in $(setup_modes); do
    for to in $(setup_modes); do
      way+=("$from" "$to")
    done
  done
  walk "${way[@]}" P1
}

@test "killed at any instant of any change, and then on the way to a third mode" {
  local pair instants=${CRASH_INSTANTS:-12} nth us from to modes pairs=0
  modes=" $(setup_modes | tr '\n' ' ')"
  for pair in P1:F1 F1:P1 P1:F2 F2:R1 P1:F3 F3:P1 F3:F1 F1:F3 F2:F4 F4:F2 F4:P2 F1:T1 T1:F3 F4:T2 T2:P1 S1:F2 F3:S1; do
    [[ $modes == *" ${pair%:*} "* && $modes == *" ${pair#*:} "* ]] || continue # S1 without a Singularity
    pairs=$((pairs + 1))
    from=${pair%:*} to=${pair#*:}
    for ((nth = 1; nth <= instants; nth++)); do
      kill_between "$from" "$to" "$nth" $((instants + 1))
      us=$((20000 * nth / instants))
      killat "$us" udocker setup --execmode=F2 c || true
      case $((nth % 3)) in
        0) walk P1 ;;
        1) walk "$to" P1 ;;
        2) walk "$from" P1 ;;
      esac
    done
  done
  ((pairs >= 5))
}
