#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# bats: not under the sanitizers
# What we save skopeo, podman, buildah, umoci and udocker 1.3.x read; what they write we load; with several platforms too.

load helpers

setup() {
  common_setup
  unset UDOCKER_ALLOW_ROOT
  mkdir l1 l2 l3
  echo one >l1/file
  echo gone >l1/removed
  echo two >l2/file
  touch l2/.wh.removed
  ln -s file l2/link
  echo three >l3/three
  layer l1.tar l1
  layer l2.tar l2
  layer l3.tar l3
}

sha() { sha256sum "$1" | cut -d' ' -f1; }

# store_image REF ARGUMENT...: an image into our store, by mkimage.
store_image() {
  local ref=$1
  shift
  mkimage -n "$ref" "$@" in.tar l1.tar l2.tar
  udocker-image load -q -i in.tar >/dev/null
  rm in.tar
}

# The same image in every form that the store may have it in, as REF: docker or OCI manifest; plain, gzip, zstd.
forms() {
  store_image docker:plain -f docker
  store_image oci:plain -f oci
  store_image oci:gzip -f oci -z gzip
  store_image oci:zstd -f oci -z zstd
  echo docker:plain oci:plain oci:gzip oci:zstd
}

# is_rootfs DIR: the two layers, applied.
is_rootfs() {
  [ "$(cat "$1/file")" = two ] || fail "$1/file: $(cat "$1/file")"
  [ -L "$1/link" ] || fail "$1/link is no link"
  refute_file "$1/removed"
}

# is_stored REF: in our store, whole, and what a container of it holds.
is_stored() {
  ok udocker-image verify "$1"
  ok udocker-bundle create "$1"
  is_rootfs "$STORE/containers/$output/ROOT"
  ok udocker-bundle rm "$output"
}

# podman and buildah with a storage of their own; skips where they cannot work.
pod() { command "$1" --root "$POD/root" --runroot "$POD/run" --storage-driver vfs "${@:2}" 2>&1; }
needs_pod() {
  requires "$1"
  # podman wants a path of less than 50 characters.
  [ -n "${POD:-}" ] || POD=$(mktemp -d /tmp/udpod.XXXXXX)
  pod "$1" images >pod.out 2>&1 || skip "$1 does not work here: $(tail -1 pod.out)"
}
teardown() {
  [ -n "${POD:-}" ] || return 0
  # Files of mapped owners.
  [ "$(id -u)" = 0 ] || podman unshare rm -rf "$POD" 2>/dev/null || true
  rm -rf "$POD"
  # A process that podman leaves to keep a user's namespace.
  local file
  while read -r file; do kill "$(cat "$file")" || true; done < <(find "$T" -name pause.pid 2>/dev/null)
}

skopeo_copy() { ok skopeo copy -q --insecure-policy "$@"; }

@test "skopeo reads what we save: every format, compression and form in the store" {
  requires skopeo umoci
  local ref how to
  forms >/dev/null
  for ref in docker:plain docker:plain=gzip oci:plain oci:plain=zstd oci:gzip oci:gzip=none oci:zstd oci:zstd=gzip; do
    how=${ref#*=} ref=${ref%=*}
    [ "$how" != "$ref" ] || how=
    ok udocker-image save ${how:+--compress $how} -o d.tar "$ref"
    ok udocker-image save ${how:+--compress $how} --format oci-archive -o o.tar "$ref"
    ok udocker-image save ${how:+--compress $how} --format oci -o lay "$ref"
    to=docker-archive:s3:x:1
    [[ ${how:-$ref} != *zstd ]] || to=oci-archive:s3:x:1 # docker archives of skopeo have none
    skopeo_copy docker-archive:d.tar oci:s1:x
    skopeo_copy "oci-archive:o.tar:$ref" oci:s2:x
    skopeo_copy "oci:lay:$ref" $to
    ok umoci unpack --rootless --image s1:x b1
    is_rootfs b1/rootfs
    ok skopeo inspect --config oci:s2:x
    [ "$(printf '%s' "$output" | jq -r '.rootfs.diff_ids | join(" ")')" = "sha256:$(sha l1.tar) sha256:$(sha l2.tar)" ]
    ok udocker-image load -i s3
    is_stored "$output"
    rm -rf d.tar o.tar lay s1 s2 s3 b1
  done
}

@test "several images of one archive are found by name in skopeo" {
  requires skopeo
  forms
  mkimage -n third:3 in.tar l1.tar l3.tar
  ok udocker-image load -q -i in.tar
  ok udocker-image save -o d.tar docker:plain third:3
  ok udocker-image save --format oci-archive -o o.tar oci:gzip third:3 oci:zstd
  ok skopeo list-tags docker-archive:d.tar
  [ "$(printf '%s' "$output" | jq -r '.Tags | sort | join(" ")')" = "docker:plain third:3" ]
  skopeo_copy docker-archive:d.tar:third:3 oci:s1:x
  skopeo_copy oci-archive:o.tar:third:3 oci:s2:x
  skopeo_copy oci-archive:o.tar:oci:zstd oci:s3:x
  ok skopeo inspect --config oci:s1:x
  [ "$(printf '%s' "$output" | jq -r '.rootfs.diff_ids[1]')" = "sha256:$(sha l3.tar)" ]
  ok skopeo inspect --config oci:s2:x
  [ "$(printf '%s' "$output" | jq -r '.rootfs.diff_ids[1]')" = "sha256:$(sha l3.tar)" ]
}

@test "umoci reads what we save, and its own work on it comes back" {
  requires umoci
  local ref
  for ref in $(forms); do
    [ "$ref" != oci:zstd ] || continue # umoci 0.4 knows no zstd
    ok udocker-image save --format oci -o lay "$ref"
    ok umoci unpack --rootless --image "lay:$ref" bundle
    is_rootfs bundle/rootfs
    echo new >bundle/rootfs/new
    rm bundle/rootfs/link
    ok umoci repack --image lay:new bundle
    ok udocker-image load -i lay mine
    assert_contains mine:new
    is_stored "$ref"
    ok udocker-bundle create mine:new
    [ "$(cat "$STORE/containers/$output/ROOT/new")" = new ]
    refute_file "$STORE/containers/$output/ROOT/link"
    rm -rf lay bundle
  done
}

@test "skopeo writes, we load: docker archives, OCI archives and layouts, dir" {
  requires skopeo
  mkimage -f oci -z gzip -n a:1 in.tar l1.tar l2.tar
  local z
  for z in gzip zstd; do
    skopeo_copy --dest-compress-format $z --dest-compress oci-archive:in.tar:a:1 dir:d.$z
    ok udocker-image load -i d.$z from/dir:$z
    is_stored from/dir:$z
    skopeo_copy --dest-compress-format $z --dest-compress dir:d.$z oci:lay.$z:1
    ok udocker-image load -i lay.$z from/layout
    is_stored from/layout:1
    tar -cf dir.tar -C d.$z .
    ok sh -c "udocker-image load from/dir:tar <dir.tar"
    is_stored from/dir:tar
  done
  skopeo_copy oci-archive:in.tar:a:1 docker-archive:d.tar:some/name:7
  ok udocker-image load -i d.tar
  assert_output docker.io/some/name:7
  is_stored docker.io/some/name:7
  skopeo_copy oci-archive:in.tar:a:1 oci-archive:o.tar:some/name:8
  ok udocker-image load -i o.tar
  assert_output some/name:8
  is_stored some/name:8
  skopeo_copy --format v2s2 oci-archive:in.tar:a:1 dir:v2s2
  ok udocker-image load -i v2s2
  assert_matches '^loaded/'
  is_stored "$output"
}

@test "podman reads what we save" {
  needs_pod podman
  local ref
  for ref in $(forms); do
    ok udocker-image save -o d.tar "$ref"
    ok pod podman load -q -i d.tar
    assert_contains "Loaded image: localhost/$ref"
    ok udocker-image save --format oci-archive -o o.tar "$ref"
    ok pod podman load -q -i o.tar
    assert_contains "$ref"
    ok sh -c "udocker-image save -q --compress gzip $ref >pipe.tar"
    ok pod podman load -q -i pipe.tar
    rm ./d.tar o.tar
  done
  ok udocker-image save -o both.tar docker:plain oci:gzip
  ok pod podman rmi -fa
  ok pod podman load -q -i both.tar
  ok pod podman image inspect localhost/docker:plain localhost/oci:gzip
  [ "$(printf '%s' "$output" | jq -r '.[1].RootFS.Layers | join(" ")')" = "sha256:$(sha l1.tar) sha256:$(sha l2.tar)" ]
}

@test "podman and buildah write, we load" {
  needs_pod podman
  store_image oci:gzip -f oci -z gzip
  ok udocker-image save -o d.tar oci:gzip
  ok pod podman load -q -i d.tar
  ok pod podman tag localhost/oci:gzip localhost/second:2
  local format
  for format in docker-archive oci-archive; do
    ok pod podman save -q --format $format -o p.tar localhost/oci:gzip
    ok udocker-image load -i p.tar
    assert_output localhost/oci:gzip
    is_stored localhost/oci:gzip
    ok udocker-image rm localhost/oci:gzip
    rm p.tar
  done
  for format in docker-dir oci-dir; do
    ok pod podman save -q --format $format -o p.$format localhost/oci:gzip
    ok udocker-image load -i p.$format from/podman:$format
    is_stored from/podman:$format
  done
  ok pod podman save -q -m -o many.tar localhost/oci:gzip localhost/second:2
  ok udocker-image load -i many.tar
  assert_contains localhost/oci:gzip
  assert_contains localhost/second:2
  needs_pod buildah
  ok pod buildah push -q localhost/oci:gzip "docker-archive:$T/b.tar:from/buildah:1"
  ok udocker-image load -i b.tar
  assert_contains docker.io/from/buildah:1
  is_stored docker.io/from/buildah:1
}

# index_layout ARCH...: the layout `idx` with an image for each under the name many:1, as buildah and podman push it.
index_layout() {
  local a items=
  for a; do
    mkimage -f oci-dir -z gzip -a "$a" -n one "lay.$a" l1.tar l2.tar
    mkdir -p idx/blobs/sha256
    cp "lay.$a"/blobs/sha256/* idx/blobs/sha256/
    items+="${items:+,}$(jq -c --arg a "$a" '.manifests[0] | del(.annotations) | .platform = {architecture: $a, os: "linux"}' "lay.$a/index.json")"
  done
  cp "lay.$1/oci-layout" idx/
  printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[%s]}' "$items" >list
  cp list "idx/blobs/sha256/$(sha list)"
  printf '{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.index.v1+json","digest":"sha256:%s","size":%s,"annotations":{"org.opencontainers.image.ref.name":"many:1"}}]}' \
    "$(sha list)" "$(stat -c %s list)" >idx/index.json
}

@test "several platforms: skopeo copy --all reads ours and we read its" {
  requires skopeo
  index_layout amd64 arm64 s390x
  local to
  for to in oci-archive:all.tar:many:1 oci:all:many:1 dir:all-dir; do
    skopeo_copy --all oci:idx:many:1 $to
  done
  for to in all.tar all all-dir; do
    rm -rf "$STORE"
    ok udocker-image load --all -i $to many:1
    [ "$(udocker-image ls -q | grep -c '^many:1-linux-')" -eq 3 ]
    ok udocker-image verify --all many:1
    is_stored many:1-linux-s390x
  done
  ok udocker-image save --all --format oci-archive -o ours.tar many:1
  ok udocker-image save --all --format oci -o ours many:1
  for to in oci-archive:ours.tar:many:1 oci:ours:many:1; do
    rm -rf back
    skopeo_copy --all $to dir:back
    [ "$(jq -r '[.manifests[].platform.architecture] | sort | join(" ")' back/manifest.json)" = "amd64 arm64 s390x" ]
    [ "$(jq -r '[.manifests[].digest] | sort | join(" ")' back/manifest.json)" = "$(jq -r '[.manifests[].digest] | sort | join(" ")' list)" ]
    ok skopeo inspect --override-arch arm64 --config $to
    [ "$(printf '%s' "$output" | jq -r .architecture)" = arm64 ]
  done
}

@test "several platforms: podman and buildah manifest lists both ways" {
  needs_pod buildah
  index_layout amd64 arm64
  ok udocker-image load --all -i idx many:1
  ok udocker-image save --all --format oci -o ours many:1
  ok pod buildah manifest create list
  ok pod buildah manifest add --all list oci:ours:many:1
  ok pod buildah manifest push -q --all list oci:pushed:again
  ok udocker-image load --all -i pushed again:1
  [ "$(printf '%s\n' "$output" | sort | tr '\n' ' ')" = "again:1 again:1-linux-amd64 again:1-linux-arm64 " ]
  ok udocker-image verify --all again:1
  is_stored again:1-linux-arm64
}

@test "udocker 1.3.x reads what we save, and we what it saves" {
  requires python-udocker
  [ "$(id -u)" != 0 ] || skip "1.3.x needs an ordinary user"
  export UDOCKER_TARBALL=
  local ref
  for ref in $(forms); do
    [ "$ref" != oci:zstd ] || continue
    for how in none gzip; do
      ok udocker-image save --compress $how -o d.tar "$ref"
      ok env UDOCKER_DIR="$T/py" udocker.py load -i d.tar
      assert_contains "$ref"
      ok env UDOCKER_DIR="$T/py" udocker.py verify "$ref"
      ok env UDOCKER_DIR="$T/py" udocker.py create "$ref"
      is_rootfs "$T/py/containers/${lines[-1]}/ROOT"
      ok env UDOCKER_DIR="$T/py" udocker.py inspect "$ref"
      printf '%s' "$output" | jq -e '.rootfs.diff_ids | length == 2'
      rm -rf d.tar "$T/py"
    done
    ok udocker.py save -o p.tar "$ref"
    ok udocker-image load -i p.tar back
    is_stored "back:${ref#*:}"
    rm p.tar
  done
  # Two with a common base: 1.3.x lists what they share for the first alone.
  mkimage -f oci -z gzip -n third:3 in.tar l1.tar l3.tar
  ok udocker-image load -q -i in.tar
  ok udocker.py save -o p.tar oci:gzip third:3
  ok udocker-image load -i p.tar again
  ok udocker-image verify again:gzip again:3
  ok udocker-bundle create again:3
  [ "$(cat "$STORE/containers/$output/ROOT/file")" = one ]
  [ "$(cat "$STORE/containers/$output/ROOT/three")" = three ]
}
