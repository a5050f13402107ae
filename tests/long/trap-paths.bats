#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# A million path calls, made up at random, in the trap engine and in a real chroot. The seed is printed; TRAP_PATHS_CALLS takes more.

load ../helpers
load ../trap

setup() {
  common_setup
  trap_image
  requires userns
  [ -w /dev/shm ] || skip "no /dev/shm"
}

@test "a million path calls answer as in a real chroot" {
  run python3 "$SUITE_SRC/tests/tools/trap-paths" -n "${TRAP_PATHS_CALLS:-1000000}" "$IMAGE" "$SUITE_TOOLS/pathcalls"
  echo "$output"
  [ "$status" -eq 0 ]
}
