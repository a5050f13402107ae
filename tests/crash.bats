#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# bats: not under the sanitizers
# Every command that writes, stopped by kill -9 or by a disk that is full or dying (the table is in tools/crash): the store is whole, the
# command repeated succeeds, nothing is left behind, and 1.3.x still reads the store. `make check-long` tries all calls, and more instants.

load helpers

setup() { common_setup; }
INSTANTS=2
preloaded() { requires preload && ok "$@"; }

@test "image commands killed at any instant" { ok crash image instants "$INSTANTS"; }
@test "container commands killed at any instant" { ok crash container instants "$INSTANTS"; }
@test "archive commands killed at any instant" { ok crash archive instants "$INSTANTS"; }
@test "the installation of engines killed at any instant" { ok crash engines instants "$INSTANTS"; }
@test "image commands killed between two system calls" { preloaded crash image calls 3; }
@test "container commands killed between two system calls" { preloaded crash container calls 3; }
@test "archive commands killed between two system calls" { preloaded crash archive calls 3; }
@test "the installation of engines killed between two system calls" { preloaded crash engines calls 5; }
@test "image commands on a disk that is full or fails" { preloaded crash image faults 2; }
@test "container commands on a disk that is full or fails" { preloaded crash container faults 2; }
@test "archive commands on a disk that is full or fails" { preloaded crash archive faults 2; }
@test "the installation of engines on a disk that is full or fails" { preloaded crash engines faults 2; }

# Every line of these stands for two commands without locks, one of which runs while the other stands still in front of a call.
@test "two commands at once, without locks" { preloaded crash pairs 3; }

@test "an interrupt ends load with 128 + its number and leaves nothing" {
  mkimage -n i:1 image.tar "$(rootfs_tar)"
  mkfifo pipe
  udocker-image load -i pipe &
  local pid=$! status=0
  exec 8>pipe
  head -c 200000 image.tar >&8
  sleep 0.3
  kill -TERM $pid
  exec 8>&-
  wait $pid || status=$?
  [ $status -eq 143 ]
  ok udocker-image ls -q
  assert_output ""
  assert_store_clean
}
