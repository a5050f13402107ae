#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2034  # NAME, N and BOUND are for hostile.bash
# A few bytes that become many: what may be unpacked has a limit that can be set, memory does not grow, and nothing is left.

load hostile

BOMB="taken for a decompression bomb|unpack_max_size|--max-size"

# zeros MIB: layer.tar with a file of that many MiB of zeros.
zeros() { printf 'zeros z 0644 %s\nend\n' $(($1 << 20)) | mktar >layer.tar; }

# packed_image COMPRESSION LAYER...: an OCI image evil:1 with these layers.
packed_image() {
  rm -f image.tar
  mkimage -f oci -z "$1" -n evil:1 image.tar "${@:2}"
  ok udocker-image load -q -i image.tar
  rm image.tar
}

# create_refused WORDS OPTION...: neither a container nor a bundle is made.
create_refused() {
  local words=$1
  shift
  bounded_run udocker-bundle create --no-sync "$@" evil:1
  fails_clearly "$words"
  bounded_run udocker-bundle create --no-sync "$@" --bundle bundle evil:1
  fails_clearly "$words"
  refute_file bundle
  [ -z "$(ls -A "$STORE/containers")" ]
  assert_store_clean
}

@test "a layer of each compression that becomes too much" {
  local c
  zeros 24
  for c in gzip zstd xz; do
    NAME=$c
    packed_image $c layer.tar
    create_refused "$BOMB" --max-size=8M --max-ratio=10
    create_refused "unpacks to more than the 8.39 MB that are allowed" --max-size=8M --max-ratio=0
    # What it is allowed by its own size, by the other limit, or without one.
    for options in "--max-size=65M --max-ratio=0" "--max-size=1 --max-ratio=100000" "--max-size=0 --max-ratio=0" ""; do
      # shellcheck disable=SC2086 # words
      bounded_run udocker-bundle create --no-sync $options evil:1
      [ "$status" -eq 0 ] || fail "$c $options: exit status $status"
      ok udocker-bundle rm "$output"
    done
    ok udocker-image rm evil:1
  done
}

@test "an image whose layers together become too much" {
  local tars=() i
  for i in {1..12}; do
    printf 'zeros z%s 0644 %s\nend\n' "$i" $((4 << 20)) | mktar >"layer$i.tar"
    tars+=("layer$i.tar")
  done
  NAME="twelve layers"
  packed_image zstd "${tars[@]}"
  create_refused "evil:1: unpacks|$BOMB" --max-size=20M --max-ratio=100
  ok udocker-bundle create --no-sync --max-size=50M evil:1
  ok udocker-bundle rm "$output"
  # The same one twelve times comes in once. It is 4 MiB and packed to 400 bytes or less.
  NAME="twelve times the same layer"
  packed_image zstd layer1.tar layer1.tar layer1.tar layer1.tar layer1.tar layer1.tar layer1.tar layer1.tar layer1.tar layer1.tar
  create_refused "evil:1: unpacks|$BOMB" --max-size=6M --max-ratio=20000
}

@test "root file systems that become too much" {
  local f
  zeros 24
  gzip -k layer.tar && xz -k layer.tar && bzip2 -k layer.tar && zstd -q layer.tar
  for f in layer.tar.*; do
    refused "$BOMB" udocker-image import --max-size=8M --max-ratio=10 "$f" evil:1
    NAME="$f on a pipe"
    refused "$BOMB" sh -c "cat $f | udocker-image import --max-size=8M --max-ratio=10 - evil:1"
    bounded_run udocker-image import "$f" evil:1
    [ "$status" -eq 0 ]
    ok udocker-image rm evil:1
  done
  refused "that are allowed" udocker-image import --max-size=8M --max-ratio=0 layer.tar evil:1
  # A zip bomb of zip bombs: only the outermost is opened.
  zstd -q layer.tar.gz && zstd -q layer.tar.gz.zst -o twice.zst
  refused "twice.zst" udocker-image import twice.zst evil:1
}

@test "image archives that become too much, outside and inside" {
  zeros 24
  mkimage -n evil:1 image.tar layer.tar
  zstd -q image.tar && gzip -k image.tar && xz -k image.tar
  local f
  for f in image.tar.zst image.tar.gz image.tar.xz; do
    refused "$BOMB" udocker-image load --max-size=8M --max-ratio=10 -i $f
    refused "$BOMB" sh -c "cat $f | udocker-image load --max-size=8M --max-ratio=10"
  done
  docker_tree
  cp layer.tar d/$LAYER
  docker_config "{\"rootfs\":{\"diff_ids\":[\"sha256:$(sha layer.tar)\"]}}"
  for f in xz "bzip2 -c" "gzip -c" "zstd -qc"; do
    cp layer.tar d/$LAYER
    $f -c <layer.tar >d/$LAYER
    tar -C d -cf image.tar .
    refused "$BOMB" udocker-image load --max-size=8M --max-ratio=10 -i image.tar
    refused "$BOMB" udocker-image load --max-size=8M --max-ratio=10 -i d
    bounded_run udocker-image load -q -i image.tar
    [ "$status" -eq 0 ] || fail "$f: exit status $status"
    ok udocker-image rm evil:1
  done
}

# Members that are nearly all hole: a few bytes say that terabytes of zeros follow.
@test "sparse members without end" {
  docker_tree
  rm d/$LAYER
  truncate -s 4T d/$LAYER || skip "this file system has no files of 4 TB"
  for f in gnu posix; do
    tar -C d -S --format=$f -cf image.tar .
    refused "$BOMB" udocker-image load -i image.tar
  done
  refused "$BOMB" udocker-image load -i d
  # In a layer they stay holes and take no room.
  mkdir tree && truncate -s 10G tree/sparse && printf end >>tree/sparse
  tar -C tree -S -cf layer1.tar .
  N=1
  NAME="ten gigabytes of hole"
  stored
  creates ok "" '[ "$(stat -c %s "$ROOT/sparse")" -eq 10737418243 ] && [ "$(stat -c %b "$ROOT/sparse")" -lt 2048 ]'
  ok udocker-image rm evil:1
}

@test "the limits come from udocker.conf, the environment and options, in this order" {
  zeros 32
  packed_image zstd layer.tar
  printf 'unpack_max_size = 8M\nunpack_max_ratio = 10\n' >"$STORE/udocker.conf"
  NAME="udocker.conf"
  create_refused "$BOMB"
  ok env UDOCKER_UNPACK_MAX_SIZE=64M udocker-bundle create --no-sync evil:1
  ok udocker-bundle rm "$output"
  NAME="the option over the variable"
  UDOCKER_UNPACK_MAX_SIZE=64M create_refused "$BOMB" --max-size=1M
  ok udocker create --max-size=64M evil:1
  ok udocker-bundle rm "$output"
  rm "$STORE/udocker.conf"
  local wrong
  for wrong in --max-size= --max-size=x --max-size=-1 --max-size=99999999P --max-ratio=x --max-ratio=-1 --max-ratio=1.5; do
    fails 2 udocker-bundle create "$wrong" evil:1
    assert_one_error_line
    assert_stderr_contains "${wrong%%=*}"
    fails 2 udocker-image load "$wrong" -i image.tar
    fails 2 udocker-image import "$wrong" layer.tar other:1
  done
  fails 2 env UDOCKER_UNPACK_MAX_SIZE=x udocker-bundle create evil:1
  assert_one_error_line
  [ -z "$(ls -A "$STORE/containers")" ]
}

@test "compressed data that asks for memory" {
  zeros 4
  # A frame that asks for a window of 2 GiB, of one block that is not compressed.
  printf 'file file 0644 content\nend\n' | mktar >small.tar
  local n=$(($(stat -c %s small.tar) << 3 | 1))
  # shellcheck disable=SC2059 # the bytes of the block's header
  { printf '\x28\xb5\x2f\xfd\0\xa8' && printf "\\x$(printf %x $((n & 255)))\\x$(printf %x $((n >> 8 & 255)))\\x$(printf %x $((n >> 16)))" &&
    cat small.tar; } >long.zst
  zstd -q -dc --long=31 long.zst | cmp - small.tar
  refused "memory" udocker-image import long.zst evil:1
  xz -k --lzma2=dict=1536MiB,mode=fast,nice=2,mf=hc3,depth=1 layer.tar
  refused "memory" udocker-image import layer.tar.xz evil:1
  # What tools write when they are asked for their best is taken.
  rm layer.tar.xz && xz -k9e layer.tar
  zstd -q --ultra -22 layer.tar -o best.zst
  BOUND=(bounded -t 300)
  for f in layer.tar.xz best.zst; do
    bounded_run udocker-image import "$f" evil:1
    [ "$status" -eq 0 ] || fail "$f: exit status $status"
    ok udocker-image rm evil:1
  done
}

# Each is a whole member, frame or stream, and nothing of it is content.
@test "compressed nothing without end" {
  local gzip zstd frame xz bzip2 kind command
  gzip=$(gzip -nc </dev/null | base64 -w0)
  zstd=$(zstd -qc </dev/null | base64 -w0)
  frame=$(printf '\x50\x2a\x4d\x18\x04\0\0\0skip' | base64 -w0)
  xz=$(xz -c </dev/null | base64 -w0)
  bzip2=$(bzip2 -c </dev/null | base64 -w0)
  # libbz2 asks for memory for each stream, a million times, which takes minutes under the sanitizers.
  for kind in gzip zstd frame xz $([ -n "${SANITIZE:-}" ] || echo bzip2); do
    for command in "load -q" "import - evil:1"; do
      refused "taken for data without end|; " sh -c "python3 -c '
import base64, os
block = base64.b64decode(\"${!kind}\") * 5000
try:
    while os.write(1, block): pass
except BrokenPipeError: pass' | udocker-image $command"
    done
  done
  UDOCKER_TEST_NO_ISAL=1 refused "taken for data without end" sh -c "yes '$gzip' | base64 -d | udocker-image load -q"
  # Some of it in between is nothing to be refused for.
  printf 'file file 0644 content\nend\n' | mktar | gzip -n >content.gz
  { cat content.gz && yes "$gzip" | head -2000 | base64 -d; } >padded.tar.gz
  ok udocker-image import padded.tar.gz good:1
}
