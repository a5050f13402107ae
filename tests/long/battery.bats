#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# All the work of the battery in each execution mode: Debian 12, what is linked with musl, and the guests of tests/battery.bats without
# leaving anything out. Debian comes from the network once, and is kept: see guest_debian.

load ../helpers
load ../battery

setup() { battery_setup; }
teardown() { battery_teardown; }

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

@test "P1: programs linked with musl" { battery musl musl P1; }
@test "P2: programs linked with musl" { battery musl musl P2; }
@test "F1: programs linked with musl" { battery musl musl F1; }
@test "F2: programs linked with musl" { battery musl musl F2; }
@test "F3: programs linked with musl" { battery musl musl F3; }
@test "F4: programs linked with musl" { battery musl musl F4; }
@test "R1: programs linked with musl" { battery musl musl R1; }
@test "R2: programs linked with musl" { battery musl musl R2; }
@test "R3: programs linked with musl" { battery musl musl R3; }
@test "S1: programs linked with musl" { battery musl musl S1; }
@test "T1: programs linked with musl" { battery musl musl T1; }
@test "T2: programs linked with musl" { battery musl musl T2; }

@test "P1: Debian 12" { battery debian glibc P1; }
@test "P2: Debian 12" { battery debian glibc P2; }
@test "F1: Debian 12" { battery debian glibc F1; }
@test "F2: Debian 12" { battery debian glibc F2; }
@test "F3: Debian 12" { battery debian glibc F3; }
@test "F4: Debian 12" { battery debian glibc F4; }
@test "R1: Debian 12" { battery debian glibc R1; }
@test "R2: Debian 12" { battery debian glibc R2; }
@test "R3: Debian 12" { battery debian glibc R3; }
@test "S1: Debian 12" { battery debian glibc S1; }
@test "T1: Debian 12" { battery debian glibc T1; }
@test "T2: Debian 12" { battery debian glibc T2; }
