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
  TAG=$STORE/repos/v/1
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
  assert_stderr_contains "${L2##*/}: is not in the store"
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

# damaged LINE…: exactly these damages are named, and nothing else is.
damaged() {
  fails 1 udocker-image verify v:1
  assert_output ""
  local want
  want=$(printf 'udocker-image: error: %s\n' "$@" "image v:1 is damaged; load or pull it again")
  [ "$stderr" = "$want" ] || fail "stderr is not: $want"
}

# put_blob FILE: into the store and the image's folder, as what its digest says; prints that.
put_blob() {
  local d
  d=sha256:$(sha256sum "$1" | cut -d' ' -f1)
  cp "$1" "$STORE/layers/$d"
  ln -sf "../../../layers/$d" "$TAG/$d"
  echo "$d"
}

# forge FILTER: the image's configuration is changed, and its manifest names what came of it.
forge() {
  local config d
  config=$(jq -r .config.digest "$TAG/manifest")
  jq -c "$1" "$STORE/layers/$config" >forged
  d=$(put_blob forged)
  jq -c --arg d "$d" --argjson n "$(stat -c %s forged)" '.config.digest = $d | .config.size = $n' "$TAG/manifest" >m
  cp m "$TAG/manifest"
}

@test "links: missing, no links, to another layer, out of the store, the configuration's too" {
  local a=${L1##*/} b=${L2##*/} config
  config=$(jq -r .config.digest "$TAG/manifest")
  rm "$TAG/$a" "$TAG/$config"
  ln -sf "../../../layers/$a" "$TAG/$b"
  damaged "configuration $config: is not linked in the image's folder" \
    "layer $a: is not linked in the image's folder" "layer $b: is linked to another file"
  mkdir outside
  cp "$L1" "$L2" "$STORE/layers/$config" outside
  ln -s "$T/outside/$a" "$TAG/$a"
  rm "$TAG/$b"
  cp "$L2" "$TAG/$b"
  ln -s "../../layers/$config" "$TAG/$config"
  damaged "configuration $config: is linked to a file outside of the store's layers" \
    "layer $a: is linked to a file outside of the store's layers" \
    "layer $b: has something other than a link in the image's folder"
  # Where a link leads counts, not how it is written.
  ln -sf "$L1" "$TAG/$a"
  ln -sf "../../../repos/../layers/$b" "$TAG/$b"
  ln -sf "../../../layers/$config" "$TAG/$config"
  ok udocker-image verify v:1
}

@test "what does not belong in an image's folder" {
  echo x >"$TAG/notes"
  ln -s ../nowhere "$TAG/sha256:$(printf '1%.0s' {1..64})"
  mkfifo "$TAG/pipe"
  rm "$TAG/v2"
  damaged "file v2: is missing in the image's folder" "file notes: does not belong in the image's folder" \
    "file pipe: does not belong in the image's folder" \
    "file sha256:$(printf '1%.0s' {1..64}): is a link that leads to no layer of the store"
  rm "$TAG/notes" "$TAG/pipe" "$TAG/sha256:1"*
  touch "$TAG/v2"
  ok udocker-image verify v:1
}

@test "layers that the image does not use, deeper repositories and a writer's files are no damage" {
  local unused
  mkdir l3
  echo three >l3/file
  layer l3.tar l3
  unused=$(put_blob l3.tar)
  ok udocker-image verify v:1
  rm "$TAG/$unused"
  ok udocker-image tag v:1 v/1/deeper:2
  touch "$TAG/.tmp-1-0123456789abcdef"
  ok udocker-image verify v:1 v/1/deeper:2
  assert_no_stderr
}

@test "the configuration: gone, changed, no JSON, with the wrong number of layers" {
  local config file
  config=$(jq -r .config.digest "$TAG/manifest")
  file=$STORE/layers/$config
  cp "$file" keep
  sed -i s/amd64/arm64/\;s/2024/1984/ "$file"
  damaged "configuration $config: digest mismatch (got sha256:$(sha256sum "$file" | cut -d' ' -f1))"
  echo >>"$file"
  damaged "configuration $config: size is $(stat -c %s "$file"), the manifest says $(stat -c %s keep)"
  rm "$file"
  damaged "configuration $config: is not in the store"
  cp keep "$file"
  ok udocker-image verify v:1
  forge '.rootfs.diff_ids |= .[:1]'
  damaged "configuration $(jq -r .config.digest "$TAG/manifest"): the configuration names 1 layers, the image has 2"
  echo '{"rootfs":' >broken
  config=$(put_blob broken)
  jq -c --arg d "$config" --argjson n 11 '.config.digest = $d | .config.size = $n' "$TAG/manifest" >m
  cp m "$TAG/manifest"
  fails 1 udocker-image verify v:1
  assert_stderr_contains "configuration $config: image configuration:"
}

@test "layers are unpacked and compared with their diff ids, packed or not" {
  local other packed
  other=sha256:$(printf '2%.0s' {1..64})
  forge ".rootfs.diff_ids[1] = \"$other\""
  damaged "layer ${L2##*/}: diff id mismatch (wanted $other, got ${L2##*/})"
  ok udocker-image rm v:1
  for z in gzip zstd; do
    mkimage -f oci -z $z -n v:1 v.tar l1.tar l2.tar
    ok udocker-image load -q -i v.tar
    ok udocker-image verify v:1
    packed=$(jq -r '.layers[0].digest' "$TAG/manifest")
    forge ".rootfs.diff_ids[0] = \"$other\""
    damaged "layer $packed: diff id mismatch (wanted $other, got ${L1##*/})"
    ok udocker-image rm v:1
  done
}

@test "a layer whose digest is right though its data ends too early" {
  local short
  gzip -n <l1.tar | head -c 60 >short
  short=$(put_blob short)
  jq -c --arg d "$short" '.layers[0].digest = $d | .layers[0].size = 60' "$TAG/manifest" >m
  cp m "$TAG/manifest"
  fails 1 udocker-image verify v:1
  assert_stderr_contains "error: layer $short: "
  assert_stderr_contains "v:1 is damaged"
}

@test "manifests: gone, no JSON, of another kind, a folder, a link" {
  cp "$TAG/manifest" keep
  for text in '{' '[]' '{"schemaVersion":7}' '' "$(printf '[%.0s' {1..5000})"; do
    printf %s "$text" >"$TAG/manifest"
    fails 1 udocker-image verify v:1
    assert_one_error_line
    assert_stderr_contains "image v:1 is damaged: "
  done
  rm "$TAG/manifest"
  fails 1 udocker-image verify v:1
  assert_one_error_line
  assert_stderr_contains "neither manifest nor ancestry"
  mkdir "$TAG/manifest"
  fails 1 udocker-image verify v:1
  assert_one_error_line
  rmdir "$TAG/manifest"
  ln -s "$T/keep" "$TAG/manifest"
  fails 1 udocker-image verify v:1
  assert_one_error_line
  rm "$TAG/manifest"
  cp keep "$TAG/manifest"
  ok udocker-image verify v:1
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
