#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# verify: every damage is named, and nothing is changed. prune: what nobody uses goes, what is young stays.

load helpers

setup() {
  common_setup
  mkdir l1 l2
  echo one >l1/file
  echo two >l2/file
  layer l1.tar l1
  layer l2.tar l2
  mkimage -n v:1 v.tar l1.tar l2.tar
  udocker-image load -q -i v.tar
  L1=$STORE/layers/sha256:$(sha256sum l1.tar | cut -d' ' -f1)
  L2=$STORE/layers/sha256:$(sha256sum l2.tar | cut -d' ' -f1)
}

@test "a whole image is ok, several are a line each" {
  ok udocker-image tag v:1 w:2
  ok udocker-image verify v:1 w:2
  assert_output $'v:1: ok\nw:2: ok'
  fails 1 udocker-image verify v:1 unknown w:2
  assert_output $'v:1: ok\nw:2: ok'
  assert_one_error_line
}

@test "the wrapper tells the steps as 1.3.x does" {
  ok udocker verify v:1
  assert_contains "Info: verifying: v:1"
  assert_contains "Info: layer ok: sha256:"
  assert_contains "Info: image Ok"
}

@test "each damage is named" {
  printf X | dd of="$L1" bs=1 seek=600 conv=notrunc status=none
  rm "$L2"
  fails 1 udocker-image verify v:1
  assert_stderr_contains "${L1##*/}: digest mismatch"
  assert_stderr_contains "${L2##*/} is not in the store"
  assert_stderr_contains "v:1 is damaged"
  assert_output ""
}

@test "a truncated layer, a layer that is a folder, a missing link, a broken manifest" {
  cp "$L1" keep
  truncate -s 100 "$L1"
  fails 1 udocker-image verify v:1
  assert_stderr_contains "size is 100"
  rm "$L1"
  mkdir "$L1"
  fails 1 udocker-image verify v:1
  assert_stderr_contains "no regular file"
  rmdir "$L1"
  cp keep "$L1"
  ok udocker-image verify v:1
  rm "$STORE/repos/v/1/${L1##*/}"
  fails 1 udocker-image verify v:1
  assert_stderr_contains "not linked"
  echo '{' >"$STORE/repos/v/1/manifest"
  fails 1 udocker-image verify v:1
  assert_one_error_line
  ok udocker-image ls
  assert_contains damaged
  ok udocker-image rm v:1
}

@test "what 1.3.16 wrote is verified" {
  rm -rf "$STORE"
  tar -C "$HOME" -xJf "$SUITE_SRC/tests/fixtures/store-1.3.16.tar.xz"
  ok udocker-image verify lib/bb:1 mine/copy:2 oci/bb imported:v1
  fails 1 udocker-image verify docker.io/example/bb:1.0
}

@test "a layer goes with the last image that uses it" {
  ok udocker-image tag v:1 w:2
  ok udocker-image rm v:1
  assert_file "$L1"
  ok udocker-image verify w:2
  ok udocker-image rm w:2
  refute_file "$L1"
  [ -z "$(ls -A "$STORE/layers")" ]
  [ -z "$(ls -A "$STORE/repos")" ]
}

@test "rm -f does not mind what is not there" {
  fails 1 udocker-image rm unknown:1
  ok udocker-image rm -f unknown:1 v:1
  refute_file "$STORE/repos/v"
}

@test "prune takes away tags that were never finished, and leaves what is around them" {
  local half=$STORE/repos/half
  mkdir -p "$half/1/deeper/2" "$half/3"
  cp -a "$STORE/repos/v/1/"* "$half/1/deeper/2/"
  for f in manifest v1 v2 ancestry container.json; do
    echo x >"$half/1/$f"
    echo x >"$half/3/$f"
  done
  echo mine >"$half/1/notes"
  ln -s ../../../layers/nothing "$half/1/nothing"
  ok udocker-image prune --min-age=0
  [ "$(ls "$half/1")" = $'deeper\nnotes' ]
  refute_file "$half/3"
  ok udocker-image ls -q
  assert_output $'half/1/deeper:2\nv:1'
}

@test "prune removes what nobody uses, unless it is young" {
  touch "$STORE/layers/sha256:$(printf '0%.0s' {1..64})"
  ok udocker-image prune
  assert_output ""
  ok udocker-image ls -q
  assert_output v:1
  ok udocker-image verify v:1
}
