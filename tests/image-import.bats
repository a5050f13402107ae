#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# import: a root file system tar becomes an image of one layer.

load helpers

setup() {
  common_setup
  mkdir root
  echo content >root/file
  layer root.tar root
}

sha() { sha256sum "$1" | cut -d' ' -f1; }

@test "import in every compression, from a file and from a pipe" {
  gzip -k root.tar
  xz -k root.tar
  bzip2 -k root.tar
  zstd -q root.tar
  local f stored
  for f in root.tar root.tar.gz root.tar.xz root.tar.bz2 root.tar.zst; do
    ok udocker-image import $f imported:1
    assert_output imported:1
    ok udocker-image verify imported:1
    # The diff id is that of the plain tar; what has no media type is stored plain.
    ok udocker-image inspect imported:1
    [ "$(printf '%s' "$output" | jq -r '.rootfs.diff_ids[0]')" = "sha256:$(sha root.tar)" ]
    case $f in *.xz | *.bz2) stored=root.tar ;; *) stored=$f ;; esac
    [ "$(jq -r '.layers[0].digest' "$STORE/repos/imported/1/manifest")" = "sha256:$(sha $stored)" ]
    ok sh -c "cat $f | udocker-image import - piped"
    assert_output piped:latest
    ok udocker-image rm imported:1 piped
  done
  [ -z "$(ls -A "$STORE/layers")" ]
  assert_store_clean
}

@test "import records the platform and the time in UTC (FIX-58)" {
  SOURCE_DATE_EPOCH=1700000000 TZ=Asia/Tokyo ok udocker-image import --platform linux/arm64 root.tar a:1
  ok udocker-image inspect a:1
  printf '%s' "$output" | jq -e '.architecture == "arm64" and .os == "linux" and .created == "2023-11-14T22:13:20Z"'
  fails 2 udocker-image import --platform '?' root.tar b:1
}

@test "an imported image and a container have the metadata that 1.3.x writes" {
  tar -xJf "$SUITE_SRC/tests/fixtures/store-1.3.16.tar.xz" -O --wildcards '*/layers/e5b12294*.json' >theirs
  ok udocker import root.tar a:1
  ok udocker inspect a:1
  echo "$output" >ours
  [ "$(jq -cS .config ours)" = "$(jq -cS .config theirs)" ] || fail "config: $(jq -c .config ours)"
  [ "$(jq -cS 'del(.history, .variant) | keys' ours)" = "$(jq -cS 'del(.variant) | keys' theirs)" ]
  jq -e --arg id "$(sha root.tar)" --argjson size "$(stat -c %s root.tar)" '.config == .container_config and (.config | length) == 25
    and .comment == "created by udocker" and .id == $id and .size == $size' ours
  ok udocker import --tocontainer --name=c root.tar
  ok udocker inspect c
  [ "$(jq -cS '[.config, .container_config, .comment, .size]' <<<"$output")" = "$(jq -cS '[.config, .container_config, .comment, 0]' theirs)" ]
}

@test "import --mv moves the file: on the store's file system it becomes the layer itself" {
  local inode digest
  digest=sha256:$(sha root.tar)
  cp root.tar moved.tar
  inode=$(stat -c %i moved.tar)
  ok udocker-image import --mv moved.tar a:1
  assert_output a:1
  refute_file moved.tar
  [ "$(stat -c '%i %h' "$STORE/layers/$digest")" = "$inode 1" ]
  ok udocker-image verify a:1
  # The same once more: the blob is there, so the file only goes.
  cp root.tar moved.tar
  ok udocker-image import --mv moved.tar b:1
  refute_file moved.tar
  [ "$(stat -c %h "$STORE/layers/$digest")" -eq 1 ]
  ok udocker-image verify a:1 b:1
  # What is stored in another form is not moved, but goes as well.
  xz -k root.tar
  ok udocker-image import --mv root.tar.xz c:1
  refute_file root.tar.xz
  ok udocker-image verify c:1
  assert_store_clean
}

@test "import --mv copies what it cannot take over: links, files with other names or on another file system" {
  cp root.tar one.tar
  ln one.tar two.tar
  ok udocker-image import --mv one.tar a:1
  refute_file one.tar
  cmp two.tar root.tar
  [ "$(stat -c %h two.tar)" -eq 1 ]
  ln -s two.tar link.tar
  ok udocker-image import --mv link.tar b:1
  refute_file link.tar
  cmp two.tar root.tar
  ok sh -c 'udocker-image import --mv - c:1 <two.tar'
  assert_file two.tar
  if [ -w /dev/shm ] && [ "$(stat -c %d /dev/shm)" != "$(stat -c %d "$STORE")" ]; then
    cp root.tar /dev/shm/udocker-test.$$.tar
    ok udocker-image import --mv /dev/shm/udocker-test.$$.tar d:1
    refute_file /dev/shm/udocker-test.$$.tar
    ok udocker-image verify d:1
  fi
  ok udocker-image verify a:1 b:1 c:1
}

@test "import --mv that fails leaves the file where and as it was" {
  cp root.tar kept.tar
  ok udocker-image import root.tar a:1
  fails 1 udocker-image import --mv kept.tar a:1
  cmp kept.tar root.tar
  head -c 700 root.tar >cut.tar
  cp cut.tar before
  fails 1 udocker-image import --mv cut.tar b:1
  cmp cut.tar before
  ok udocker-image rm a:1
  [ -z "$(ls -A "$STORE/layers")" ]
  chmod 500 "$STORE/repos"
  [ "$(id -u)" = 0 ] || fails 1 udocker-image import --mv kept.tar c:1
  chmod 700 "$STORE/repos"
  cmp kept.tar root.tar
  [ "$(stat -c %h kept.tar)" -eq 1 ]
  [ -z "$(ls -A "$STORE/layers")" ]
}

@test "an image of that name is not replaced, as in 1.3.x" {
  ok udocker-image import root.tar a:1
  fails 1 udocker-image import root.tar a:1
  assert_one_error_line
  assert_stderr_contains exists
}

@test "what is no tar, truncated or empty is refused and leaves nothing" {
  head -c 5000 /dev/urandom >noise
  head -c 700 root.tar >cut.tar
  gzip -c root.tar | head -c 60 >cut.tar.gz
  : >empty
  local f
  for f in noise cut.tar cut.tar.gz empty /no/such/file "$T"; do
    fails 1 udocker-image import "$f" bad:1
    assert_one_error_line
  done
  fails 2 udocker-image import root.tar ../bad
  fails 2 udocker-image import root.tar
  [ -z "$(find "$STORE/layers" "$STORE/repos" -mindepth 1 2>/dev/null)" ]
  assert_store_clean
}

@test "a container is made of an imported image" {
  ok udocker-image import "$(rootfs_tar)" fs:1
  ok udocker-bundle create fs:1
  assert_file "$STORE/containers/$output/ROOT/bin/busybox"
}
