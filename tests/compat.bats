#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# bats: also in P1
# bats: under the sanitizers by hand
# The store of udocker 1.3.x: what it wrote is read here (tests/fixtures), and what is written here has its form.

load helpers

setup() {
  common_setup
  F=$SUITE_SRC/tests/fixtures
}

fixture_store() {
  tar -C "$HOME" -xJf "$F/store-1.3.16.tar.xz"
  [ -d "$STORE/containers" ] || mv "$HOME"/*/ "$STORE"
}

@test "images and containers of 1.3.16 are listed" {
  fixture_store
  ok udocker images
  assert_contains "lib/bb:1    ."
  assert_contains "mine/copy:2    ."
  assert_contains "imported:v1    P"
  assert_contains "oci/bb:latest"
  ok udocker ps -m
  assert_contains "'alias1'"
  assert_contains "'c3'"
  assert_contains " P2 "
  [ "$(printf '%s\n' "$output" | wc -l)" -eq 4 ]
}

@test "images that 1.3.16 pulled, tagged, imported and loaded become containers" {
  fixture_store
  local image
  for image in lib/bb:1 mine/copy:2 imported:v1 oci/bb:latest; do
    ok udocker create "$image"
    assert_file "$STORE/containers/$output/ROOT/bin"
  done
  ok udocker create lib/bb:1
  local root=$STORE/containers/$output/ROOT
  [ "$(cat "$root/etc/layer")" = two ]
  refute_file "$root/etc/removed"
  assert_file "$root/opt/é/f"
}

@test "containers that 1.3.16 made run here, and it finds what it wrote untouched" {
  requires proot
  fixture_store
  ok udocker inspect c1
  ok udocker run --nobanner c1 /bin/true
  ok udocker setup c3
  assert_contains "execmode: P2"
  ok udocker run --nobanner c3 /bin/true 0
  fails 1 udocker rm c3
  assert_stderr_contains protected
}

@test "what is loaded here has the files that 1.3.x reads" {
  busybox_container c1
  local tag=$STORE/repos/bb/1
  assert_file "$tag/TAG"
  assert_file "$tag/v2"
  refute_file "$tag/v1"
  [ "$(cat "$tag/TAG")" = "$STORE/repos/bb:1" ]
  local link name
  for link in "$tag"/sha256:*; do
    name=$(basename "$link")
    [[ $(readlink "$link") == ../../../layers/$name ]] || fail "$(readlink "$link")"
    [ "sha256:$(sha256sum "$link" | cut -d' ' -f1)" = "$name" ]
  done
  # Nothing else: 1.3.x warns about names it does not know.
  [ -z "$(find "$tag" -mindepth 1 ! -name TAG ! -name v2 ! -name manifest ! -name 'sha256:*')" ]
  jq -e '.config.digest and (.layers | length > 0)' "$tag/manifest"
  [ "$(cat "$BUNDLE/imagerepo.name")" = bb:1 ]
  jq -e '.config.Env' "$BUNDLE/container.json"
  [ -z "$(find "$BUNDLE" -mindepth 1 -maxdepth 1 ! -name ROOT ! -name imagerepo.name ! -name container.json ! -name config.json)" ]
}

@test "archives that skopeo wrote are loaded, links among the layers included" {
  xz -dkc "$F/bb-docker.tar.xz" >docker.tar
  ok udocker load -i docker.tar
  ok udocker create "$output"
  [ "$(cat "$STORE/containers/$output/ROOT/etc/layer")" = two ]
  ok udocker load -i "$F/bb-oci.tar.xz" mine/oci:3
  assert_output mine/oci:3
  ok udocker create mine/oci:3
  [ "$(cat "$STORE/containers/$output/ROOT/etc/layer")" = two ]
}

@test "skopeo reads its own archive the way we do" {
  requires skopeo
  mkimage -f oci -z gzip -n bb:1 oci.tar "$(rootfs_tar)"
  ok skopeo copy -q --insecure-policy oci-archive:oci.tar docker-archive:docker.tar:docker.io/some/bb:1
  ok udocker load -i docker.tar
  assert_output docker.io/some/bb:1
  ok udocker create docker.io/some/bb:1
  cmp "$STORE/containers/$output/ROOT/bin/busybox" "$(command -v busybox)"
}

@test "files that R modes of 1.3.x have put aside are seen by runs in every mode" {
  busybox_container c1
  mkdir "$BUNDLE/.bind_orig_files" "$BUNDLE/ROOT/.bind_host_files"
  local name mode
  for name in passwd os-release; do
    mv "$BUNDLE/ROOT/etc/$name" "$BUNDLE/.bind_orig_files/#etc#$name"
    ln -s "/.bind_host_files/#etc#$name" "$BUNDLE/ROOT/etc/$name"
  done
  for mode in $(working_modes); do
    printf %s "$mode" >"$BUNDLE/execmode"
    ok udocker run --nobanner c1 /bin/cat /etc/passwd /etc/os-release
    assert_contains "user:x:1000:1000:User"
    assert_contains "ID=demo"
  done
  # A volume of the run's own wins.
  echo mine >own
  ok udocker run --nobanner -v "$T/own:/etc/os-release" c1 /bin/cat /etc/os-release
  assert_output mine
}
