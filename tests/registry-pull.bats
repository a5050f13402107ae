#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# pull from a real registry: names, digests, platforms, what is there already, several at once, killed and gone on with, 1.3.x reading it.

load helpers
load registry

setup() {
  common_setup
  registry_setup
}

@test "pull stores the registry's bytes, prints NAME:TAG@DIGEST and pulls nothing twice" {
  test_image img 3
  docker_registry
  push img a/app:1
  ok udocker-image pull --insecure "$R/a/app:1"
  assert_output "$R/a/app:1@$(manifest_of img)"
  assert_pulled img "$R/a/app/1"
  ok udocker-image verify "$R/a/app:1"
  assert_store_clean
  : >"$RLOG"
  ok udocker-image pull -q --insecure "$R/a/app:1"
  assert_no_stderr
  [ "$(grep -c /blobs/ "$RLOG")" -eq 0 ] || fail "blobs were fetched again: $(cat "$RLOG")"
}

@test "progress is a plain line a layer elsewhere than on a terminal, and silent with --quiet" {
  test_image img 2
  docker_registry
  push img app:1
  ok udocker-image pull --insecure "$R/app:1"
  [ "$(grep -cE '^(layer|configuration) [0-9a-f]{12}: done \(' <<<"$stderr")" -eq 3 ] || fail "progress"
  ok udocker-image pull --insecure "$R/app:1"
  [ "$(grep -cE '^(layer|configuration) [0-9a-f]{12}: exists' <<<"$stderr")" -eq 3 ] || fail "progress of what is there"
}

@test "--registry asks another host for a name, http:// speaks plainly by itself, and it needs no --insecure" {
  test_image img 1
  docker_registry
  push img app:1
  ok udocker-image pull --registry "http://$R/" app:1
  assert_output "app:1@$(manifest_of img)"
  fails 1 udocker-image pull "$R/app:1"
  assert_one_error_line
  assert_stderr_contains "--insecure speaks plain HTTP"
  fails 2 udocker-image pull --registry "http://me:pw@$R" app:1
  refute_stderr_contains pw
  fails 2 udocker-image pull --registry "ftp://$R" app:1
}

@test "references by digest are verified and kept under the digest (FIX-13)" {
  test_image img 1
  docker_registry
  push img app:1
  local d
  d=$(manifest_of img)
  ok udocker-image pull --insecure "$R/app@$d"
  assert_output "$R/app@$d"
  assert_pulled img "$R/app/$d"
  fails 1 udocker-image pull --insecure "$R/app@sha256:$(printf '0%.0s' {1..64})"
  assert_one_error_line
  ok udocker-image ls -q
  assert_output "$R/app:$d"
}

@test "NAME:TAG@DIGEST is the image of that digest wherever the tag points today, and is kept under the tag" {
  test_image img 1
  cp -r img first
  docker_registry
  push first app:1
  test_image second 1
  push second app:1
  ok udocker-image pull --insecure "$R/app:1@$(manifest_of first)"
  assert_pulled first "$R/app/1"
  ok udocker-image ls -q
  assert_output "$R/app:1"
  fails 1 udocker-image pull -q --insecure "$R/app:1@sha256:$(printf '0%.0s' {1..64})"
  assert_one_error_line
  assert_pulled first "$R/app/1"
}

@test "Docker Hub's names: library/ is on the wire alone, and each name is kept as it was given" {
  test_image img 1
  bad_registry img
  export UDOCKER_REGISTRY=http://$B
  local name
  for name in app library/app docker.io/app docker.io/library/app; do
    : >"$BLOG"
    ok udocker-image pull -q "$name:1"
    assert_output "$name:1@$(manifest_of img)"
    assert_pulled img "$name/1"
    [ "$(asked 'GET /v2/')" -eq "$(asked 'GET /v2/library/app/')" ] && [ "$(asked 'GET /v2/library/app/manifests/1 ')" -eq 1 ] || fail "$(cat "$BLOG")"
  done
  : >"$BLOG"
  ok udocker-image pull -q org/app:1
  assert_pulled img org/app/1
  [ "$(asked 'GET /v2/org/app/manifests/1 ')" -eq 1 ] || fail "$(cat "$BLOG")"
}

@test "a layer that an image lists twice is fetched and sent once" {
  docker_registry
  mkdir -p one two && echo one >one/f && echo two >two/f
  layer one.tar one && layer two.tar two
  mkimage -f oci-dir -z gzip -n img:1 img one.tar two.tar one.tar
  [ "$(layers_of img | wc -l)" -eq 3 ]
  push img app:1
  : >"$RLOG"
  ok udocker-image pull -q --insecure "$R/app:1"
  assert_pulled img "$R/app/1"
  [ "$(grep -c "GET /v2/app/blobs/$(layer_of img 1)" "$RLOG")" -eq 1 ] || fail "$(cat "$RLOG")"
  ok udocker-bundle -q create "$R/app:1"
  [ "$(cat "$STORE/containers/$output/ROOT/f")" = one ]
  ok udocker-image push -q --insecure "$R/app:1" "$R/pushed:1"
  ok udocker-image copy -q --insecure oci:img "docker://$R/copied:1"
  local name
  for name in pushed copied; do
    curl -sf -H 'Accept: application/vnd.oci.image.manifest.v1+json' "http://$R/v2/$name/manifests/1" | cmp - "$(blob_file img "$(manifest_of img)")"
    [ "$(grep -c "PUT /v2/$name/blobs/.*$(layer_of img 1 | cut -d: -f2)" "$RLOG")" -le 1 ] || fail "$name: sent twice"
  done
}

@test "four layers come at once, or as many as --jobs says" {
  test_image img 9 1
  bad_registry img
  local n option
  for n in 4 2; do
    option="--jobs $n"
    [ $n -ne 4 ] || option=''
    rm -f go
    : >"$BLOG"
    rules "blobs 99 hold 0 $T/go" "$n"
    background udocker-image pull -q --insecure $option "$B/x:1"
    wait_until 20 sh -c "[ \$(grep -c blobs '$BLOG') -ge $n ]" || fail "fewer than $n: $(cat "$BLOG")"
    ! wait_until 1 sh -c "[ \$(grep -c blobs '$BLOG') -gt $n ]" || fail "more than $n: $(cat "$BLOG")"
    touch go
    wait "$PID" || fail "$(cat background.err)"
    assert_pulled img "$B/x/1"
    ok udocker-image rm "$B/x:1"
  done
  fails 2 udocker-image pull --jobs -1 "$B/x:1"
  fails 2 udocker-image pull --jobs 1000 "$B/x:1"
}

@test "a pull has enough with 24 MiB, whatever the layers' size" {
  once
  test_image img 4 9000
  docker_registry
  push img app:1
  ok usage "$T/peak" udocker-image pull -q --insecure "$R/app:1"
  assert_pulled img "$R/app/1"
  local kib
  kib=$(cut -d' ' -f1 peak)
  [ "$kib" -le $((24 * 1024)) ] || fail "$kib KiB"
  [ "$kib" -gt 1024 ] || fail "that cannot be: $kib KiB"
}

@test "a missing name or tag is one error line and leaves nothing" {
  docker_registry
  fails 1 udocker-image pull --insecure "$R/no/such:1"
  assert_one_error_line
  assert_stderr_contains "does not have it"
  refute_pulled
  fails 2 udocker-image pull "$R/-bad-"
  fails 1 udocker-image pull --insecure localhost:1/x
  assert_one_error_line
}

@test "the machine's platform is chosen from an index, or the one that was asked for (FIX-22)" {
  docker_registry
  mkdir la lb && echo amd >la/f && echo arm >lb/f
  layer la.tar la && layer lb.tar lb
  mkimage -f oci-dir -z gzip -n img:1 -a amd64 one la.tar
  mkimage -f oci-dir -z gzip -n img:1 -a arm64 two lb.tar
  push one p:amd
  push two p:arm
  python3 - "$R" one two <<'PY'
import json, sys, urllib.request
r, one, two = sys.argv[1:]
entries = []
for d, arch in ((one, "amd64"), (two, "arm64")):
    m = json.load(open(d + "/index.json"))["manifests"][0]
    entries.append({"mediaType": m["mediaType"], "digest": m["digest"], "size": m["size"], "platform": {"os": "linux", "architecture": arch}})
data = json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": entries}).encode()
urllib.request.urlopen(urllib.request.Request(f"http://{r}/v2/p/manifests/multi", data, {"Content-Type": "application/vnd.oci.image.index.v1+json"}, method="PUT"))
PY
  ok udocker-image pull --insecure --platform linux/arm64 "$R/p:multi"
  assert_output "$R/p:multi@$(manifest_of two)"
  ok udocker-image pull --insecure --platform amd64 "$R/p:multi"
  assert_output "$R/p:multi@$(manifest_of one)"
  [ ! -e "$STORE/layers/$(layer_of two 1)" ] || fail "the other platform's layer stayed"
  fails 1 udocker-image pull --insecure --platform linux/s390x "$R/p:multi"
  assert_one_error_line
  assert_stderr_contains "s390x"
  ok udocker-image manifest --insecure --platform arm64 "$R/p:multi"
  [ "$(jq -r '.layers[0].digest' <<<"$output")" = "$(layer_of two 1)" ]
  ok sh -c "udocker-image manifest --insecure --raw $R/p:multi | sha256sum"
  local index="sha256:${output%% *}"
  ok udocker-image pull --insecure --platform amd64 "$R/p@$index"
  assert_output "$R/p@$index"
  ok udocker-image verify "$R/p@$index"
}

@test "pull -a fetches every tag, and tags lists them" {
  docker_registry
  test_image img 1
  local t
  for t in 1 2 latest; do push img "many:$t"; done
  ok udocker-image tags --insecure "$R/many"
  [ "$(sort <<<"$output")" = $'1\n2\nlatest' ] || fail "other tags"
  ok udocker-image tags --insecure --format json "$R/many"
  [ "$(jq -c sort <<<"$output")" = '["1","2","latest"]' ]
  ok udocker-image pull --insecure -a "$R/many"
  [ "$(wc -l <<<"$output")" -eq 3 ]
  ok udocker-image ls -q
  [ "$(wc -l <<<"$output")" -eq 3 ]
  fails 2 udocker-image pull --insecure -a "$R/many:1"
}

@test "two pulls of one image at once both succeed, and each layer is fetched once" {
  test_image img 4 2000
  docker_registry
  push img app:1
  background udocker-image pull -q --insecure "$R/app:1"
  ok udocker-image pull -q --insecure "$R/app:1"
  wait "$PID"
  assert_output "$(cat background.out)"
  assert_pulled img "$R/app/1"
  local d
  for d in $(layers_of img); do
    [ "$(grep -c "GET /v2/app/blobs/$d" "$RLOG")" -eq 1 ] || fail "fetched more than once: $d"
  done
  assert_store_clean
}

@test "a pull over a loaded image replaces it; a protected one is refused before anything is fetched" {
  test_image img 1
  docker_registry
  push img app:1
  busybox_image "$R/app:1"
  ok udocker-image protect "$R/app:1"
  : >"$RLOG"
  fails 1 udocker-image pull --insecure "$R/app:1"
  assert_stderr_contains protected
  [ ! -s "$RLOG" ]
  ok udocker-image unprotect "$R/app:1"
  ok udocker-image pull --insecure "$R/app:1"
  assert_pulled img "$R/app/1"
  [ "$(find "$STORE/layers" -type f | wc -l)" -eq 2 ] || fail "the old image's layers stayed"
}

@test "Docker's schema 2 and zstd layers are stored as they are" {
  docker_registry
  mkdir l && echo x >l/f && layer l.tar l
  mkimage -f oci-dir -z zstd -n img:1 z l.tar
  push z z:1
  ok udocker-image pull --insecure "$R/z:1"
  assert_pulled z "$R/z/1"
  ok udocker-bundle create "$R/z:1"
  skopeo --insecure-policy copy -q --dest-tls-verify=false --format v2s2 "oci:$(mkimage -f oci-dir -z gzip -n img:1 g l.tar >&2; echo g)" "docker://$R/d:1"
  ok udocker-image pull --insecure "$R/d:1"
  [ "$(jq -r .mediaType "$STORE/repos/$R/d/1/manifest")" = application/vnd.docker.distribution.manifest.v2+json ]
  ok udocker-image verify "$R/d:1"
}

@test "udocker 1.3.x reads what was pulled" {
  requires python-udocker
  local python=(udocker.py)
  [ "$(id -u)" != 0 ] || python+=(--allow-root)
  mkdir -p root/bin && printf 'made by us\n' >root/file && cp /bin/busybox root/bin/sh
  layer l.tar root
  mkimage -f oci-dir -z gzip -n img:1 img l.tar
  docker_registry
  push img app:1
  push img org/team/app:2
  ok udocker-image pull --registry "http://$R" app:1
  ok udocker-image pull --registry "http://$R" org/team/app:2
  ok udocker-image pull --registry "http://$R" "app@$(manifest_of img)"
  export UDOCKER_TARBALL=
  local name
  for name in app:1 org/team/app:2 "app:$(manifest_of img)"; do
    ok "${python[@]}" images
    assert_contains "$name "
    ok "${python[@]}" verify "$name"
    ok "${python[@]}" create "$name"
    [ "$(cat "$STORE/containers/${lines[-1]}/ROOT/file")" = "made by us" ] || fail "$name"
  done
}
