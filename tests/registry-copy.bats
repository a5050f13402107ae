#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# copy between registries, layouts, archives and the store: what arrives, what other tools make of it, what never becomes visible.

load helpers
load registry

setup() {
  common_setup
  registry_setup
}

copy() { udocker-image copy -q --insecure "$@"; }
types="application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json, application/vnd.docker.distribution.manifest.list.v2+json"
remote() { curl -sf -H "Accept: $types" "http://$R/v2/${1%:*}/manifests/${1##*:}"; }
refute_store() { [ ! -e "$STORE/layers" ] || fail "the store was touched"; }
# The content of the one layer of an image that skopeo reads.
content() {
  rm -rf "$T/seen"
  skopeo --insecure-policy copy -q --src-tls-verify=false "$1" "dir:$T/seen" || fail "skopeo cannot read $1"
  tar -xOf "$T/seen/$(jq -r '.layers[0].digest' "$T/seen/manifest.json" | cut -d: -f2)" ./file
}
# An image with a file, in a layout called img; and the same pushed as app:1.
image() {
  mkdir -p root && printf 'made by us\n' >root/file
  layer l.tar root
  mkimage -f oci-dir -z gzip -n img:1 img l.tar
}
# multi: an index of two platforms under p:multi, by skopeo; layouts one and two.
multi() {
  mkdir -p la lb && echo amd >la/file && echo arm >lb/file
  layer la.tar la && layer lb.tar lb
  mkimage -f oci-dir -z gzip -n img:1 -a amd64 one la.tar
  mkimage -f oci-dir -z gzip -n img:1 -a arm64 two lb.tar
  udocker-image load -q -i one p:1-linux-amd64 >/dev/null
  udocker-image load -q -i two p:1-linux-arm64 >/dev/null
  udocker-image push -q --insecure --all p:1 "$R/p:multi" >/dev/null
  INDEX=sha256:$(remote p:multi | sha256sum | cut -d' ' -f1)
}

@test "from every transport to every other; skopeo reads each, and the store is left alone unless it is named" {
  requires skopeo
  image
  docker_registry
  push img app:1
  skopeo --insecure-policy copy -q oci:img oci-archive:sk.tar:1
  skopeo --insecure-policy copy -q oci:img docker-archive:sk-d.tar:app:1
  local src dst n=0
  for src in "docker://$R/app:1" oci:img oci-archive:sk.tar:1 docker-archive:sk-d.tar docker-archive:sk-d.tar:app:1; do
    for dst in docker oci oci-archive docker-archive; do
      n=$((n + 1))
      case $dst in
        docker) dst=docker://$R/to:$n ;;
        oci) dst=oci:to:$n ;;
        *) dst=$dst:to.$n:app:$n ;;
      esac
      ok copy "$src" "$dst"
      [ -z "$output$stderr" ] || fail "copy is silent: $src $dst"
      [ "$(content "$dst")" = "made by us" ] || fail "$src to $dst"
    done
  done
  refute_store
  ok copy oci:img store:in:1
  ok udocker-image verify in:1
  for dst in "docker://$R/from:1" oci:from:1 oci-archive:from.tar:1 docker-archive:from-d.tar:from:1; do
    ok copy store:in:1 "$dst"
    [ "$(content "$dst")" = "made by us" ] || fail "store to $dst"
  done
  n=0
  for src in "docker://$R/app:1" oci-archive:sk.tar:1 docker-archive:sk-d.tar store:in:1; do
    n=$((n + 1))
    ok copy "$src" "store:again:$n"
    ok udocker-image verify "again:$n"
  done
  assert_store_clean
  [ -z "$(find "$TMPDIR" -name '.udocker-scratch-*')" ] || fail "left: $(ls -A "$TMPDIR")"
}

@test "archives through pipes: from the standard input and to the standard output" {
  image
  local kind other
  for kind in oci docker; do
    for other in oci docker; do
      udocker-image copy -q oci:img "$kind-archive:-:app:1" | udocker-image copy -q "$kind-archive:-:app:1" "$other-archive:-:app:1" >"$kind.$other.tar"
      [ "$(content "$other-archive:$kind.$other.tar:app:1")" = "made by us" ] || fail "$kind to $other"
    done
  done
  ok sh -c 'gzip -c oci.oci.tar | udocker-image copy -q oci-archive:- oci:piped:1'
  [ "$(content oci:piped:1)" = "made by us" ]
  fails 1 sh -c 'head -c 3000 oci.oci.tar | udocker-image copy -q oci-archive:- oci:cut:1'
  assert_one_error_line
  assert_stderr_contains "standard input"
  [ ! -e cut ] || fail "something was made"
  fails 1 udocker-image copy -q docker-archive:- oci:cut:1 </dev/null
  assert_one_error_line
  assert_stderr_contains "standard input"
  refute_store
}

@test "registry to registry: the same digest, streamed; a second copy sends nothing" {
  test_image img 3 3000
  docker_registry
  push img app:1
  local first=$R
  docker_registry
  ok udocker-image copy --insecure "docker://$first/app:1" "docker://$R/b/app:1"
  [ "$(grep -cE '^(layer|configuration) [0-9a-f]{12}: done \(' <<<"$stderr")" -eq 4 ] || fail "progress"
  remote b/app:1 | cmp - "$(blob_file img "$(manifest_of img)")"
  local d
  for d in $(layers_of img); do
    curl -sf "http://$R/v2/b/app/blobs/$d" | cmp - "$(blob_file img "$d")" || fail "another layer"
  done
  : >"$RLOG"
  ok copy "docker://$first/app:1" "docker://$R/b/app:1"
  [ "$(grep -acE '"(POST|PATCH|PUT) ' "$RLOG")" -eq 0 ] || fail "sent again: $(cat "$RLOG")"
  refute_store
}

@test "within a registry layers are mounted" {
  test_image img 2
  docker_registry
  push img one:1
  : >"$RLOG"
  ok udocker-image copy --insecure "docker://$R/one:1" "docker://$R/two:2"
  [ "$(grep -c ': mounted' <<<"$stderr")" -eq 3 ] || fail "not mounted"
  [ "$(grep -acE 'GET [^ ]*/blobs/|PATCH ' "$RLOG")" -eq 0 ] || fail "fetched or sent: $(cat "$RLOG")"
  remote two:2 | cmp - "$(blob_file img "$(manifest_of img)")"
}

@test "one platform of an index, or --all of it" {
  docker_registry
  multi
  ok copy --platform linux/arm64 "docker://$R/p:multi" oci:l:arm
  [ "$(jq -r '.manifests[0].digest' l/index.json)" = "$(manifest_of two)" ]
  ok copy --platform linux/amd64 "docker://$R/p:multi" "docker://$R/q:amd"
  [ "sha256:$(remote q:amd | sha256sum | cut -d' ' -f1)" = "$(manifest_of one)" ]
  local dst
  for dst in "docker://$R/q:all" oci:l:all oci-archive:all.tar:all; do
    ok copy --all "docker://$R/p:multi" "$dst"
    ok skopeo --insecure-policy copy -q --all --src-tls-verify=false "$dst" oci:back:1
    [ "$(manifest_of back)" = "$INDEX" ] || fail "$dst has another index"
    rm -rf back
  done
  ok copy --all oci:l:all "docker://$R/r:all"
  [ "sha256:$(remote r:all | sha256sum | cut -d' ' -f1)" = "$INDEX" ]
  ok copy --all oci-archive:all.tar "docker://$R/s:all"
  [ "sha256:$(remote s:all | sha256sum | cut -d' ' -f1)" = "$INDEX" ]
  ok udocker-image load -q --all -i l x
  fails 2 copy --all "docker://$R/p:multi" store:x:1
  assert_one_error_line
  fails 2 copy --all --platform amd64 "docker://$R/p:multi" oci:l:x
  fails 1 copy --platform linux/s390x "docker://$R/p:multi" oci:new:x
  assert_one_error_line
  refute_file new
}

@test "docker's manifests become OCI's in layouts, and --format converts between registries" {
  requires umoci
  image
  docker_registry
  skopeo --insecure-policy copy -q --dest-tls-verify=false --format v2s2 oci:img "docker://$R/d:1"
  local first
  first=$(remote d:1 | sha256sum)
  ok copy "docker://$R/d:1" "docker://$R/same:1"
  [ "$(remote same:1 | sha256sum)" = "$first" ] || fail "another digest"
  ok copy "docker://$R/d:1" oci:l:1
  [ "$(jq -r '.manifests[0].mediaType' l/index.json)" = application/vnd.oci.image.manifest.v1+json ]
  ok umoci unpack --rootless --image l:1 bundle
  [ "$(cat bundle/rootfs/file)" = "made by us" ]
  ok copy --format oci "docker://$R/d:1" "docker://$R/o:1"
  [ "$(remote o:1 | jq -r '[.mediaType, .config.mediaType, .layers[].mediaType] | join(" ")')" = "application/vnd.oci.image.manifest.v1+json application/vnd.oci.image.config.v1+json application/vnd.oci.image.layer.v1.tar+gzip" ]
  ok copy --format docker "docker://$R/o:1" "docker://$R/d:2"
  [ "$(content "docker://$R/d:2")" = "made by us" ]
  multi
  ok copy --all --format docker "docker://$R/p:multi" "docker://$R/p:list"
  [ "$(remote p:list | jq -r '.mediaType, .manifests[].mediaType' | sort -u | paste -sd' ')" = "application/vnd.docker.distribution.manifest.list.v2+json application/vnd.docker.distribution.manifest.v2+json" ]
  ok skopeo --insecure-policy copy -q --all --src-tls-verify=false "docker://$R/p:list" oci:back:1
  fails 2 copy --format docker "docker://$R/o:1" oci:l:2
  udocker-image load -q -i img z:1
  ok udocker-image push -q --insecure --compress zstd z:1 "$R/z:1"
  fails 1 copy --format docker "docker://$R/z:1" "docker://$R/z:2"
  assert_one_error_line
}

@test "a layout is added to, names in it are found, archives are not overwritten unless --force" {
  image
  test_image img2 1
  docker_registry
  ok copy oci:img oci:l:one
  ok copy oci:img2 oci:l:repo/two:2
  ok copy oci:img2 oci:l
  ok copy oci:img2 oci:l
  [ "$(jq -r '.manifests | length' l/index.json)" -eq 3 ] || fail "$(cat l/index.json)"
  ok copy oci:l:one "docker://$R/one:1"
  ok copy oci:l:repo/two:2 "docker://$R/two:1"
  remote two:1 | cmp - "$(blob_file img2 "$(manifest_of img2)")"
  fails 2 copy oci:l "docker://$R/x:1"
  assert_one_error_line
  assert_stderr_contains "several images"
  fails 1 copy oci:l:none "docker://$R/x:1"
  assert_one_error_line
  assert_stderr_contains "no images are called 'none'; there are: one, repo/two:2"
  echo mine >a.tar
  fails 1 copy oci:img oci-archive:a.tar
  assert_one_error_line
  fails 1 copy oci:img docker-archive:a.tar:x:1
  [ "$(cat a.tar)" = mine ]
  ok copy --force oci:img docker-archive:a.tar:x:1
  ok udocker-image load -i a.tar
  assert_output x:1
  mkdir other && echo x >other/x
  fails 1 copy oci:img oci:other
  assert_one_error_line
}

@test "wrong words: transports, names, options" {
  local what
  for what in img oci: oci:l: docker://-x dir:x oci-archive::1 "oci:l:a b" docker-archive:f:-x store:; do
    fails 2 copy "$what" oci:l
    assert_one_error_line
    fails 2 copy oci:l "$what"
  done
  fails 2 copy oci:l
  fails 1 copy oci:absent oci:l
  assert_one_error_line
  fails 1 copy store:none:1 oci:l
  assert_one_error_line
  refute_file l
}

@test "htpasswd and tokens on both sides, and no secret is shown" {
  own_ca
  TLOG=$T/srv/token.requests
  serve "$T/srv/token.port" python3 "$SUITE_SRC/tests/tools/tokend" "$T/tls.crt" "$T/tls.key" 300 "$TLOG" "$T/srv/token.port"
  docker_registry "auth: {token: {realm: \"http://127.0.0.1:$(cat "$T/srv/token.port")/token\", service: reg, issuer: test, rootcertbundle: $T/ca.crt}}"
  test_image img 2
  push img private/app:1 me:s3cret
  local first=$R
  printf 'me:%s\n' "$(python3 -W ignore -c 'import crypt; print(crypt.crypt("s3cret", crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=16)))' | sed "s/^[$]2b/\$2y/")" >"$T/srv/htpasswd"
  docker_registry "auth: {htpasswd: {realm: r, path: $T/srv/htpasswd}}"
  fails 1 copy "docker://$first/private/app:1" "docker://$R/app:1"
  assert_one_error_line
  printf s3cret | udocker-image login --insecure -u me --password-stdin "$first"
  fails 1 copy "docker://$first/private/app:1" "docker://$R/app:1"
  assert_one_error_line
  printf s3cret | udocker-image login --insecure -u me --password-stdin "$R"
  ok udocker-image -D copy --insecure "docker://$first/private/app:1" "docker://$R/app:1"
  refute_stderr_contains s3cret
  refute_stderr_contains "$(printf 'me:s3cret' | base64)"
  ok udocker-image -D copy --insecure "docker://$first/private/app:1" "docker://$first/private/two:1"
  grep -qx "me repository:private/two:pull,push repository:private/app:pull" "$TLOG" || fail "$(cat "$TLOG")"
}

@test "copies into one new layout at once: it has all of them" {
  test_image img 1
  local round i pids
  for round in $(seq 15); do
    pids=()
    for i in 1 2 3 4; do
      udocker-image copy -q oci:img "oci:l$round:t$i" &
      pids+=($!)
    done
    for i in "${pids[@]}"; do wait "$i" || fail "a copy failed"; done
    [ "$(jq -r '.manifests[].annotations["org.opencontainers.image.ref.name"]' "l$round/index.json" | sort | xargs)" = "t1 t2 t3 t4" ] ||
      fail "round $round: $(cat "l$round/index.json")"
  done
}

@test "a full disk ends copy with one line, and what was there before stays" {
  requires userns
  test_image img 1
  test_image big 1 4000
  docker_registry
  push big big:1
  export R T
  run --separate-stderr unshare -Urm sh -c 'mkdir m && mount -t tmpfs -o size=3m none m || exit 77
    udocker-image copy -q oci:img oci:m/l:old && cp m/l/index.json before || exit 1
    for src in oci:big "docker://$R/big:1"; do
      for dst in oci:m/l:new oci:m/fresh:new oci-archive:m/a.tar docker-archive:m/d.tar store:s:1; do
        UDOCKER_DIR=$T/m/store udocker-image copy -q --insecure "$src" "$dst" && { echo "$src $dst: no error"; exit 1; }
      done
      TMPDIR=$T/m udocker-image copy -q --insecure "$src" docker-archive:d.tar && { echo "$src: no error"; exit 1; }
    done
    cmp m/l/index.json before || exit 1
    rm -rf m/store
    find m -type f ! -path "m/l/*" | grep . && { echo "left"; exit 1; }
    udocker-image copy -q oci:m/l:old oci:again || exit 1
    [ "$(find m/l/blobs -type f | wc -l)" -eq 3 ]'
  [ "$status" -ne 77 ] || skip "no tmpfs in a user namespace here"
  [ "$status" -eq 0 ] || fail "$output $stderr"
  [ "$(grep -c "No space left" <<<"$stderr")" -eq 12 ] || fail "$stderr"
  [ "$(wc -l <<<"$stderr")" -eq 12 ] || fail "$stderr"
}

# docker_registry with a disk of its own, of 32 MiB, of which 29 are taken by the file data/filler.
small_registry() {
  mkdir -p bin
  cat >bin/docker-registry <<'SH'
#!/bin/sh
exec unshare -Urm sh -c 'd=${2%/*}/data; mkdir -p "$d"; mount -t tmpfs -o size=32m none "$d"; head -c 29M /dev/zero >"$d/filler"; PATH=${PATH#*:}; exec docker-registry "$@"' sh "$@"
SH
  chmod +x bin/docker-registry
  PATH=$T/bin:$PATH docker_registry
}

@test "the registry's disk is full: one line, nothing to be seen there, and the next copy sends what is missing" {
  requires userns
  unshare -Urm mount -t tmpfs none "$T" || skip "no tmpfs in a user namespace here"
  test_image big 2 2000
  docker_registry
  push big big:1
  local source=$R kind
  small_registry
  mkdir -p "$HOME/.udocker"
  echo http_retries=1 >"$HOME/.udocker/udocker.conf"
  udocker-image load -q -i big big:1 >/dev/null
  for kind in "copy -q --insecure docker://$source/big:1 docker://$R/x:1" "copy -q --insecure oci:big:img:1 docker://$R/x:1" \
    "push -q --insecure big:1 $R/x:1"; do
    # shellcheck disable=SC2086 # words
    fails 1 timeout 120 udocker-image $kind
    assert_one_error_line
    assert_stderr_contains "$R"
    [ "$(curl -s -o /dev/null -w '%{http_code}' "http://$R/v2/x/manifests/1")" = 404 ] || fail "there is a manifest"
  done
  rm "/proc/$RPID/root${RLOG%/*}/data/filler"
  ok udocker-image copy -q --insecure "docker://$source/big:1" "docker://$R/x:1"
  curl -sf "http://$R/v2/x/manifests/1" -H 'Accept: application/vnd.oci.image.manifest.v1+json' | cmp - "$(blob_file big "$(manifest_of big)")"
}

@test "between registries a copy needs no disk of ours, neither the store's nor a temporary one" {
  requires userns
  test_image big 2 2000
  docker_registry
  push big big:1
  export R T
  run --separate-stderr unshare -Urm sh -c 'mkdir m && mount -t tmpfs -o size=64k none m || exit 77
    dd if=/dev/zero of=m/full bs=1k 2>dd; [ -s m/full ] || exit 1
    TMPDIR=$T/m UDOCKER_DIR=$T/m/store udocker-image copy -q --insecure "docker://$R/big:1" "docker://$R/copied:1"'
  [ "$status" -ne 77 ] || skip "no tmpfs in a user namespace here"
  [ "$status" -eq 0 ] || fail "$output $stderr"
  curl -sf "http://$R/v2/copied/manifests/1" -H 'Accept: application/vnd.oci.image.manifest.v1+json' | cmp - "$(blob_file big "$(manifest_of big)")"
}
