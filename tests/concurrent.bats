#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# bats: not under the sanitizers
# Several processes on one store: two of each command at once, on the same names; and many of everything (tools/storm says what is asked
# of them). `make check-long` lets those go on for minutes.

load helpers

setup() {
  common_setup
  mkimage -n same:1 image.tar "$(rootfs_tar)"
}

# both CMD...: two at once; their statuses in S1 and S2, their messages in err.1 and err.2.
both() {
  S1=0 S2=0
  "$@" >out.1 2>err.1 &
  local a=$!
  "$@" >out.2 2>err.2 &
  local b=$!
  wait $a || S1=$?
  wait $b || S2=$?
}

@test "two loads of the same image both succeed" {
  local _
  for _ in {1..10}; do
    both udocker-image load -q -i image.tar
    [ $S1 -eq 0 ] && [ $S2 -eq 0 ] || fail "$(cat err.1 err.2)"
    ok udocker-image verify same:1
    ok udocker-image rm same:1
    [ -z "$(ls -A "$STORE/layers")" ]
  done
  assert_store_clean
}

@test "two creates with the same name: one wins, the other says why, nothing is left (FIX-11)" {
  udocker-image load -q -i image.tar
  local _
  for _ in {1..10}; do
    both udocker-bundle create --name=c same:1
    [ $((S1 + S2)) -eq 1 ] || fail "$S1 $S2: $(cat err.1 err.2)"
    [ "$(cat err.1 err.2 | wc -l)" -eq 1 ]
    [ "$(udocker-bundle ls -q | wc -l)" -eq 1 ]
    ok udocker-bundle rm c
  done
  assert_store_clean
}

@test "two bundles at the same place: one wins and is whole, the other says why, nothing is left" {
  udocker-image load -q -i image.tar
  ok udocker-bundle create --bundle want same:1
  local _
  for _ in {1..10}; do
    both udocker-bundle create --bundle b same:1
    [ $((S1 + S2)) -eq 1 ] || fail "$S1 $S2: $(cat err.1 err.2)"
    [ "$(cat err.1 err.2 | wc -l)" -eq 1 ]
    diff -r --no-dereference want/rootfs b/rootfs
    rm -rf b
    [ -z "$(find . -maxdepth 1 -name '.*udocker-*')" ] || fail "staging is left"
  done
}

@test "two removals of the same container or image: gone, and at most one complains" {
  local _
  for _ in {1..10}; do
    udocker-image load -q -i image.tar
    udocker-bundle create --name=c same:1 >/dev/null
    both udocker-bundle rm c
    [ $((S1 + S2)) -le 1 ] || fail "$(cat err.1 err.2)"
    [ -z "$(ls -A "$STORE/containers")" ]
    both udocker-image rm same:1
    [ $((S1 + S2)) -le 1 ] || fail "$(cat err.1 err.2)"
    [ -z "$(ls -A "$STORE/layers")" ] && [ -z "$(ls -A "$STORE/repos")" ]
  done
  assert_store_clean
}

@test "loading while another removes: the image is whole or not there" {
  local _ status
  for _ in {1..15}; do
    udocker-image load -q -i image.tar >/dev/null
    udocker-image rm same:1 2>/dev/null &
    local a=$!
    status=0
    udocker-image load -q -i image.tar >/dev/null 2>err || status=$?
    wait $a || true
    [ $status -eq 0 ] || fail "$(cat err)"
    if udocker-image ls -q | grep -qx same:1; then ok udocker-image verify same:1; fi
  done
}

@test "two processes doing everything at once" { ok storm 2 3; }
@test "eight processes doing everything at once" { ok storm 8 3; }
@test "thirty-two processes doing everything at once" { ok storm 32 4; }
