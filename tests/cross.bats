#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The release for another processor (make check-cross), by qemu-user. It starts none of the other programs, so each is called itself.

load helpers

setup() {
  common_setup
  [ -e "$SUITE_SRC/cross.tar.gz" ] || skip "there is no archive (make check-cross makes it)"
  tar -xzf "$SUITE_SRC/cross.tar.gz"
  RELEASE=$(echo "$T"/udocker-*)
  ARCH=${RELEASE##*-}
  case $ARCH in armhf) ARCH=arm ;; esac
  requires "qemu-$ARCH-static"
}

foreign() { "qemu-$ARCH-static" "$RELEASE/bin/$1" "${@:2}"; }

@test "programs for another processor load, list, inspect, verify, create, export and save" {
  local id
  readelf -h "$RELEASE/bin/udocker" >header
  run grep -c X86-64 header
  assert_output 0
  busybox_image bb:1
  ok udocker-image save -o image.tar bb:1
  ok udocker-image save --compress zstd -o zstd.tar bb:1
  export UDOCKER_DIR=$T/foreign
  ok foreign udocker version
  assert_contains version
  ok foreign udocker-image load -i image.tar
  assert_output bb:1
  ok foreign udocker-image --repo "$T/second" load -i zstd.tar
  ok foreign udocker-image ls
  assert_contains bb:1
  ok foreign udocker-image inspect bb:1
  jq -e '.architecture' <<<"$output"
  ok foreign udocker-image verify bb:1
  ok foreign udocker-bundle create --name=box bb:1
  id=$output
  ok foreign udocker-bundle verify box
  ok foreign udocker-bundle export -o tree.tar box
  ok tar -tf tree.tar
  assert_contains bin/busybox
  ok foreign udocker-image save -o back.tar bb:1
  # What it has written, the machine's own programs read.
  ok udocker-image verify bb:1
  ok udocker-bundle ls
  assert_contains "${id:0:8}"
  ok udocker ps
  assert_contains box
}

@test "they say what works on the machine, and of every error one line" {
  ok foreign udocker-runtime engines
  assert_contains "ENGINE"
  fails 1 foreign udocker-image inspect no-such:1
  assert_one_error_line
  fails 1 foreign udocker-bundle verify no-such
  assert_one_error_line
}

# Those of 32 bits run here without qemu-user, beside this machine's engines.
@test "programs for i386 start containers of an x86-64 machine" {
  [ "$ARCH" = i386 ] || skip "these are not for i386"
  [ "$(uname -m)" = x86_64 ] || skip "this machine is no x86-64"
  requires proot
  busybox_container box
  local mode modes=P1
  ! crun_host_ok || ! command -v crun >/dev/null || modes="P1 R1"
  for mode in $modes; do
    ok udocker setup --execmode=$mode box
    fails 5 "$RELEASE/bin/udocker" run --nobanner box /bin/sh -c 'echo inside; exit 5'
    assert_output inside
    refute_stderr_contains --platform
  done
}
