#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# bats: not under the sanitizers
# What programs can do in each execution mode, and that what they cannot is what udocker-engines(7) says.

load helpers
load battery
export BATTERY_SAMPLE=yes

setup() { battery_setup; }
teardown() { battery_teardown; }

@test "each row of the table of limits is work that the battery does" {
  local work
  for work in $(udocker-runtime engines --format json | jq -r '.[].limits[].work' | sort -u); do
    [ "$work" = start ] || [ -f "$BATTERY/$work" ] || fail "no such work: $work"
  done
}

@test "P1: statically linked programs" { battery static static P1; }
@test "P2: statically linked programs" { battery static static P2; }
@test "F1: statically linked programs" { battery static static F1; }
@test "F2: statically linked programs" { battery static static F2; }
@test "F3: statically linked programs" { battery static static F3; }
@test "F4: statically linked programs" { battery static static F4; }
@test "R1: statically linked programs" { battery static static R1; }
@test "R2: statically linked programs" { battery static static R2; }
@test "R3: statically linked programs" { battery static static R3; }
@test "S1: statically linked programs" { battery static static S1; }
@test "T1: statically linked programs" { battery static static T1; }
@test "T2: statically linked programs" { battery static static T2; }

@test "P1: programs of this machine" { battery glibc glibc P1; }
@test "P2: programs of this machine" { battery glibc glibc P2; }
@test "F1: programs of this machine" { battery glibc glibc F1; }
@test "F2: programs of this machine" { battery glibc glibc F2; }
@test "F3: programs of this machine" { battery glibc glibc F3; }
@test "F4: programs of this machine" { battery glibc glibc F4; }
@test "R1: programs of this machine" { battery glibc glibc R1; }
@test "R2: programs of this machine" { battery glibc glibc R2; }
@test "R3: programs of this machine" { battery glibc glibc R3; }
@test "S1: programs of this machine" { battery glibc glibc S1; }
@test "T1: programs of this machine" { battery glibc glibc T1; }
@test "T2: programs of this machine" { battery glibc glibc T2; }
