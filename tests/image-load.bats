#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# load: archives of every kind and age, compressed or not, from files and pipes; what images are called; replacing.

load helpers

setup() {
  common_setup
  F=$SUITE_SRC/tests/fixtures
  mkdir l1 l2
  echo one >l1/file
  echo two >l2/file
  layer l1.tar l1
  layer l2.tar l2
}

sha() { sha256sum "$1" | cut -d' ' -f1; }

# docker_dir DIR [REPOTAGS]: an unpacked docker archive of l1 and l2 as docker 1.10 to 24 write it.
docker_dir() {
  local c
  mkdir -p "$1/aaa" "$1/bbb"
  cp l1.tar "$1/aaa/layer.tar"
  cp l2.tar "$1/bbb/layer.tar"
  printf '{"architecture":"amd64","os":"linux","config":{"Cmd":["x"]},"rootfs":{"type":"layers","diff_ids":["sha256:%s","sha256:%s"]}}' \
    "$(sha l1.tar)" "$(sha l2.tar)" >"$1/c"
  c=$(sha "$1/c")
  mv "$1/c" "$1/$c.json"
  printf '[{"Config":"%s.json","RepoTags":%s,"Layers":["aaa/layer.tar","bbb/layer.tar"]}]' "$c" "${2:-[\"d:1\"]}" >"$1/manifest.json"
}

# The configuration's file in an archive that docker_dir made.
config_of() { find "$1" -name '*.json' ! -name manifest.json -printf '%P'; }

layers_are() { # REF SHA...
  local ref=$1 dir
  shift
  dir=$STORE/repos/${ref%:*}/${ref##*:}
  [ "$(jq -r '.layers[].digest' "$dir/manifest")" = "$(printf 'sha256:%s\n' "$@")" ] || fail "layers of $ref: $(cat "$dir/manifest")"
  ok udocker-image verify "$ref"
}

@test "a docker archive in every compression, from a file and from a pipe (FIX-62)" {
  mkimage -n z:1 z.tar l1.tar l2.tar
  gzip -k z.tar
  xz -k z.tar
  bzip2 -k z.tar
  zstd -q z.tar
  local f
  for f in z.tar z.tar.gz z.tar.xz z.tar.bz2 z.tar.zst; do
    ok udocker-image load -i "$f"
    assert_output z:1
    layers_are z:1 "$(sha l1.tar)" "$(sha l2.tar)"
    ok udocker-image rm z:1
    ok sh -c "cat $f | udocker-image load"
    assert_output z:1
    ok udocker-image rm z:1
    ok sh -c "cat $f | udocker-image load -i -"
    ok udocker-image rm z:1
    ok sh -c "udocker-image load - other:2 <$f"
    assert_output other:2
    ok udocker-image rm other:2
    [ -z "$(ls -A "$STORE/layers")" ]
  done
  assert_store_clean
}

@test "an OCI archive and an OCI layout directory, layers in gzip, zstd and plain (FIX-07)" {
  local z
  for z in none gzip zstd; do
    mkimage -f oci -z $z -n o:1 o.tar l1.tar l2.tar
    ok udocker-image load -i o.tar
    assert_output o:1
    ok udocker-image verify o:1
    ok udocker load -i o.tar
    assert_output o:1
    mkimage -f oci-dir -z $z -n o:2 "dir.$z" l1.tar
    ok udocker-image load -i "dir.$z"
    assert_output o:2
  done
}

@test "the manifest of an OCI image is stored with its own bytes" {
  mkimage -f oci-dir -z gzip -n o:1 dir l1.tar
  local d
  d=$(jq -r '.manifests[0].digest' dir/index.json)
  ok udocker-image load -i dir
  cmp "dir/blobs/sha256/${d#sha256:}" "$STORE/repos/o/1/manifest"
  ok udocker-image verify "o@$d"
}

@test "members in any order" {
  docker_dir d
  tar -cf order.tar -C d bbb manifest.json aaa "$(config_of d)"
  ok udocker-image load -i order.tar
  layers_are d:1 "$(sha l1.tar)" "$(sha l2.tar)"
  mkimage -f oci-dir -n o:1 dir l1.tar
  tar -cf order.tar -C dir blobs index.json oci-layout
  ok udocker-image load -i order.tar
  tar -cf order.tar -C dir oci-layout index.json blobs
  ok udocker-image load -i order.tar
}

@test "layers that are links inside the archive, symbolic and hard (FIX-26)" {
  docker_dir d
  mv d/aaa/layer.tar d/real.tar
  ln -s ../real.tar d/aaa/layer.tar
  ln d/bbb/layer.tar d/bbb/other.tar
  tar -cf links.tar -C d .
  ok udocker-image load -i links.tar
  layers_are d:1 "$(sha l1.tar)" "$(sha l2.tar)"
  xz -dc "$F/bb-docker.tar.xz" >bb.tar
  ok udocker-image load -i bb.tar
  assert_output docker.io/example/bb:1.0
  ok udocker-image verify docker.io/example/bb:1.0
}

@test "links that lead out, in circles or nowhere are refused" {
  local target
  for target in ../../../../etc/passwd /etc/passwd layer.tar ../nowhere ..; do
    rm -rf d
    docker_dir d
    rm d/aaa/layer.tar
    ln -s $target d/aaa/layer.tar
    tar -cf bad.tar -C d .
    fails 1 udocker-image load -i bad.tar
    assert_one_error_line
    fails 1 udocker-image load -i d
    assert_one_error_line
  done
  [ -z "$(ls -A "$STORE/layers")" ]
  assert_store_clean
}

@test "RepoTags null: a name from the digest; a config that is not called by its digest (FIX-28)" {
  docker_dir d null
  tar -cf d.tar -C d .
  ok udocker-image load -i d.tar
  assert_matches '^loaded/[0-9a-f]{12}:latest$'
  ok udocker-image verify "$output"
  ok udocker-image load -i d.tar mine
  assert_output mine:latest
  mv "d/$(config_of d)" d/config
  sed -i 's/"Config":"[^"]*"/"Config":"config"/' d/manifest.json
  tar -cf d.tar -C d .
  ok udocker-image load -i d.tar mine:2
  assert_output mine:2
}

@test "a docker archive older than manifest.json" {
  mkdir -p d/top d/base
  cp l1.tar d/base/layer.tar
  cp l2.tar d/top/layer.tar
  echo -n 1.0 | tee d/top/VERSION >d/base/VERSION
  echo '{"id":"base","created":"2014-01-01T00:00:00Z"}' >d/base/json
  echo '{"id":"top","parent":"base","created":"2014-01-01T00:00:00Z","architecture":"amd64","config":{"Cmd":["old"],"Env":["A=b"]}}' >d/top/json
  echo '{"old/one":{"0.9":"top"}}' >d/repositories
  tar -cf old.tar -C d .
  ok udocker-image load -i old.tar
  assert_output old/one:0.9
  layers_are old/one:0.9 "$(sha l1.tar)" "$(sha l2.tar)"
  ok udocker-image inspect old/one:0.9
  printf '%s' "$output" | jq -e '.config.Cmd == ["old"] and (.rootfs.diff_ids | length) == 2 and (has("id") | not)'
  # A chain in a circle.
  echo '{"id":"base","parent":"top"}' >d/base/json
  tar -cf old.tar -C d .
  fails 1 udocker-image load -i old.tar
  assert_one_error_line
}

@test "compressed layers inside a docker archive, as 1.3.x saves them" {
  docker_dir d
  gzip d/aaa/layer.tar && mv d/aaa/layer.tar.gz d/aaa/layer.tar
  xz d/bbb/layer.tar && mv d/bbb/layer.tar.xz d/bbb/layer.tar
  tar -cf d.tar -C d .
  ok udocker-image load -i d.tar
  layers_are d:1 "$(sha d/aaa/layer.tar)" "$(sha l2.tar)"
  [ "$(jq -r '.layers[0].mediaType' "$STORE/repos/d/1/manifest")" = application/vnd.docker.image.rootfs.diff.tar.gzip ]
}

@test "docker 25 and newer: both kinds in one archive, names from manifest.json (FIX-29)" {
  mkimage -f oci-dir -n latest dir l1.tar l2.tar
  local m c
  m=$(jq -r '.manifests[0].digest' dir/index.json)
  c=$(jq -r .config.digest "dir/blobs/sha256/${m#sha256:}")
  printf '[{"Config":"blobs/sha256/%s","RepoTags":["team/app:5","team/app:latest"],"Layers":["blobs/sha256/%s","blobs/sha256/%s"]}]' \
    "${c#sha256:}" "$(sha l1.tar)" "$(sha l2.tar)" >dir/manifest.json
  tar -cf both.tar -C dir .
  ok udocker-image load -i both.tar
  assert_output $'team/app:5\nteam/app:latest'
  cmp "dir/blobs/sha256/${m#sha256:}" "$STORE/repos/team/app/5/manifest"
  rm dir/manifest.json
  sed -i 's|"org.opencontainers.image.ref.name":"latest"|"io.containerd.image.name":"docker.io/library/app:6","org.opencontainers.image.ref.name":"6"|' dir/index.json
  ok udocker-image load -i dir
  assert_output app:6
}

@test "one layer listed twice (FIX-27)" {
  mkimage -f oci -n twice:1 o.tar l1.tar l1.tar
  ok udocker-image load -i o.tar
  layers_are twice:1 "$(sha l1.tar)" "$(sha l1.tar)"
  mkimage -n twice:2 d.tar l1.tar l1.tar
  ok udocker-image load -i d.tar
  layers_are twice:2 "$(sha l1.tar)" "$(sha l1.tar)"
}

@test "several images in one archive, and what NAME does to them" {
  docker_dir d '["a:1","b:2"]'
  tar -cf two.tar -C d .
  ok udocker-image load -i two.tar
  assert_output $'a:1\nb:2'
  ok udocker-image load -i two.tar new/name
  assert_output $'new/name:1\nnew/name:2'
  ok udocker-image load -i two.tar new/name:9
  assert_output new/name:9
  jq -c '. + [.[0] | .RepoTags = ["c:1"] | .Layers = [.Layers[0]]]' d/manifest.json >m
  # The second needs a configuration of one layer.
  jq -c '.rootfs.diff_ids |= .[:1]' "d/$(config_of d)" >cfg
  cp cfg "d/$(sha cfg).json"
  jq -c --arg c "$(sha cfg).json" '.[1].Config = $c' m >d/manifest.json
  tar -cf two.tar -C d .
  ok udocker-image load -i two.tar
  assert_output $'a:1\nb:2\nc:1'
  fails 2 udocker-image load -i two.tar x:1
  assert_one_error_line
  fails 2 udocker-image load -i two.tar x
  assert_one_error_line
  fails 2 udocker-image load -i two.tar "x@sha256:$(sha cfg)"
}

# index_image ARCH...: dir/ with an index of images for these architectures.
index_image() {
  local a m items=
  mkdir -p dir/blobs/sha256
  for a; do
    rm -rf one
    mkimage -f oci-dir -a "$a" -n x:1 one l1.tar
    cp one/blobs/sha256/* dir/blobs/sha256/
    m=$(jq -c --arg a "$a" '.manifests[0] | del(.annotations) | .platform = {os: "linux", architecture: $a}' one/index.json)
    items+="${items:+,}$m"
  done
  printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[%s]}' "$items" >index
  cp one/oci-layout dir/
  cp index "dir/blobs/sha256/$(sha index)"
  printf '{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.index.v1+json","digest":"sha256:%s","size":%s,"annotations":{"org.opencontainers.image.ref.name":"multi:1"}}]}' \
    "$(sha index)" "$(stat -c %s index)" >dir/index.json
}

@test "an index of several platforms: the machine's, or that of --platform" {
  index_image s390x amd64 arm64
  local host
  case $(uname -m) in x86_64) host=amd64 ;; aarch64) host=arm64 ;; *) skip "no image for $(uname -m) here" ;; esac
  ok udocker-image load -i dir
  assert_output multi:1
  [ "$(udocker-image inspect multi:1 | jq -r .architecture)" = "$host" ]
  ok udocker-image load --platform linux/s390x -i dir
  [ "$(udocker-image inspect multi:1 | jq -r .architecture)" = s390x ]
  fails 1 udocker-image load --platform linux/riscv64 -i dir
  assert_one_error_line
  assert_stderr_contains s390x
  fails 2 udocker-image load --platform 'li nux' -i dir
}

@test "load --all: every platform is to be had under a tag of its own" {
  index_image s390x amd64 arm64
  local host
  case $(uname -m) in x86_64) host=amd64 ;; aarch64) host=arm64 ;; *) skip "no image for $(uname -m) here" ;; esac
  ok udocker-image load --all -i dir
  assert_output $'multi:1\nmulti:1-linux-s390x\nmulti:1-linux-amd64\nmulti:1-linux-arm64'
  local a
  for a in s390x amd64 arm64; do
    [ "$(udocker-image inspect multi:1-linux-$a | jq -r .architecture)" = $a ]
  done
  [ "$(udocker-image inspect multi:1 | jq -r .architecture)" = $host ]
  ok udocker-image verify --all multi:1
  [ "${#lines[@]}" -eq 4 ]
  ok udocker-image load --all --platform s390x -i dir other/name
  [ "$(udocker-image inspect other/name:1 | jq -r .architecture)" = s390x ]
  [ "$(udocker-image inspect other/name:1-linux-arm64 | jq -r .architecture)" = arm64 ]
  # None for this machine: no NAME:TAG, but all the others.
  rm -rf dir
  index_image s390x riscv64
  ok udocker-image load --all -i dir new:7
  assert_output $'new:7-linux-s390x\nnew:7-linux-riscv64'
  fails 1 udocker-image inspect new:7
  ok udocker-image verify --all new:7
  # A damaged one is named, and the others are looked at all the same.
  printf X | dd of="$STORE/layers/$(jq -r .config.digest "$STORE/repos/new/7-linux-s390x/manifest")" bs=1 seek=5 conv=notrunc status=none
  fails 1 udocker-image verify --all new:7
  assert_output "new:7-linux-riscv64: ok"
  assert_stderr_contains new:7-linux-s390x
  fails 1 udocker-image verify --all nosuch:1
  # Of an image for one platform there is nothing else to load.
  mkimage -n single:1 s.tar l1.tar
  ok udocker-image load --all -i s.tar
  assert_output single:1
}

@test "variants that only the index knows, and two images for one platform" {
  index_image arm
  local m
  m=$(jq -c '.manifests[0]' index)
  mkimage -f oci-dir -a arm -n x:1 two l2.tar
  mkimage -f oci-dir -a arm -n x:1 three l1.tar l2.tar
  cp two/blobs/sha256/* dir/blobs/sha256/
  cp three/blobs/sha256/* dir/blobs/sha256/
  printf '{"schemaVersion":2,"manifests":[%s,%s,%s]}' "$(jq -c '.platform.variant = "v7"' <<<"$m")" \
    "$(jq -c '.manifests[0] | del(.annotations) | .platform = {os: "linux", architecture: "arm", variant: "v6"}' two/index.json)" \
    "$(jq -c '.manifests[0] | del(.annotations) | .platform = {os: "linux", architecture: "arm", variant: "v7"}' three/index.json)" >index
  cp index "dir/blobs/sha256/$(sha index)"
  jq -c --arg d "sha256:$(sha index)" --argjson s "$(stat -c %s index)" '.manifests[0].digest = $d | .manifests[0].size = $s' dir/index.json >i
  cp i dir/index.json
  ok udocker-image load --all -i dir v:1
  assert_output $'v:1-linux-arm-v7\nv:1-linux-arm-v6'
  assert_stderr_contains "two images for the platform of v:1-linux-arm-v7"
  ok udocker-image save --all --format oci -o out v:1
  m=$(jq -r '.manifests[0].digest[7:]' out/index.json)
  [ "$(jq -r '[.manifests[].platform.variant] | sort | join(" ")' "out/blobs/sha256/$m")" = "v6 v7" ]
}

@test "save --all and load --all: the index comes back as it was" {
  index_image amd64 arm64 s390x
  ok udocker-image load --all -i dir
  local format
  for format in oci oci-archive; do
    ok udocker-image save --all --format $format -o out.$format multi:1
    ok udocker-image --repo other.$format load --all -i out.$format
    [ "${#lines[@]}" -ge 3 ]
    ok udocker-image --repo other.$format verify --all multi:1
  done
  local m
  m=$(jq -r '.manifests[0].digest[7:]' out.oci/index.json)
  [ "$(jq -r '[.manifests[] | .platform.architecture + " " + .digest] | sort | join(",")' "out.oci/blobs/sha256/$m")" = \
    "$(jq -r '[.manifests[] | .platform.architecture + " " + .digest] | sort | join(",")' index)" ]
  # One platform alone is no index; a docker archive cannot hold one.
  ok udocker-image save --all --format oci -o single multi:1-linux-arm64
  jq -e '.manifests[0].mediaType == "application/vnd.oci.image.manifest.v1+json"' single/index.json
  fails 2 udocker-image save --all -o d.tar multi:1
  assert_one_error_line
  # Tags that only look like platforms are none.
  mkimage -a arm64 -n multi:1-linux-arm64-debug in.tar l1.tar
  ok udocker-image load -q -i in.tar
  ok udocker-image tag multi:1-linux-s390x multi:1-linux-ppc64le
  ok udocker-image save --all --format oci -o again multi:1
  cmp again/index.json out.oci/index.json
}

@test "what 1.3.x saves of several images: layers it lists for the first one alone are found (FIX-30)" {
  mkdir l3
  echo three >l3/file
  layer l3.tar l3
  mkimage -f oci -z gzip -n one:1 in.tar l1.tar l2.tar
  ok udocker-image load -q -i in.tar
  mkimage -f oci -z gzip -n two:1 in.tar l1.tar l3.tar
  ok udocker-image load -q -i in.tar
  mkimage -f oci -z gzip -n same:1 -a s390x in.tar l1.tar l2.tar
  ok udocker-image load -q -i in.tar
  ok udocker-image save --compress gzip -o d.tar one:1 two:1 same:1
  mkdir d
  tar -xf d.tar -C d
  jq -c '.[1].Layers |= .[1:] | .[2].Layers = []' d/manifest.json >m
  cp m d/manifest.json
  tar -cf bad.tar -C d .
  rm -rf "$STORE"
  ok udocker-image load -i bad.tar
  assert_output $'one:1\ntwo:1\nsame:1'
  gzip -nk l1.tar l2.tar l3.tar
  layers_are two:1 "$(sha l1.tar.gz)" "$(sha l3.tar.gz)"
  layers_are same:1 "$(sha l1.tar.gz)" "$(sha l2.tar.gz)"
  # Without the layer nothing can be done.
  jq -c '.[1:2]' d/manifest.json >m
  cp m d/manifest.json
  tar -cf bad.tar -C d .
  fails 1 udocker-image load -i bad.tar
  assert_one_error_line
}

@test "xz layers that are named by the digest of the plain tar are refused" {
  mkimage -f oci-dir -n x:1 dir l1.tar
  xz l1.tar
  cp l1.tar.xz "dir/blobs/sha256/$(xz -dc l1.tar.xz | sha256sum | cut -d' ' -f1)"
  fails 1 udocker-image load -i dir
  assert_one_error_line
  assert_stderr_contains "digest mismatch"
  tar -cf o.tar -C dir .
  fails 1 udocker-image load -i o.tar
  assert_one_error_line
  assert_store_clean
}

@test "diff ids of an OCI image are checked when a container is made" {
  mkimage -f oci-dir -n x:1 dir l1.tar
  local m c
  m=$(jq -r '.manifests[0].digest[7:]' dir/index.json)
  c=$(jq -r '.config.digest[7:]' "dir/blobs/sha256/$m")
  sed "s/$(sha l1.tar)/$(sha l2.tar)/" "dir/blobs/sha256/$c" >config
  cp config "dir/blobs/sha256/$(sha config)"
  sed "s/$c/$(sha config)/" "dir/blobs/sha256/$m" >manifest
  cp manifest "dir/blobs/sha256/$(sha manifest)"
  sed -i "s/$m/$(sha manifest)/" dir/index.json
  ok udocker-image load -i dir
  fails 1 udocker-bundle create x:1
  assert_one_error_line
  assert_stderr_contains "diff"
}

@test "indexes within indexes end somewhere" {
  index_image amd64
  local i
  for i in 1 2 3 4 5 6 7; do
    printf '{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.index.v1+json","digest":"sha256:%s","size":%s}]}' \
      "$(sha index)" "$(stat -c %s index)" >index.next
    mv index.next index
    cp index "dir/blobs/sha256/$(sha index)"
    cp index dir/index.json
    [ $i -gt 1 ] || {
      ok udocker-image load -i dir
      ok udocker-image rm "$output"
    }
  done
  fails 1 udocker-image load -i dir
  assert_one_error_line
  assert_stderr_contains nested
  assert_store_clean
}

@test "an image that is there is replaced, and its old layers go (FIX-67)" {
  mkimage -n r:1 one.tar l1.tar
  mkimage -n r:1 two.tar l2.tar
  ok udocker-image load -i one.tar
  ok udocker-image load -i two.tar
  layers_are r:1 "$(sha l2.tar)"
  refute_file "$STORE/layers/sha256:$(sha l1.tar)"
  [ "$(find "$STORE/repos/r/1" -name 'sha256:*' | wc -l)" -eq 2 ]
  ok udocker-image protect r:1
  fails 1 udocker-image load -i one.tar
  assert_stderr_contains protected
  layers_are r:1 "$(sha l2.tar)"
  [ "$(find "$STORE/layers" -name 'sha256:*' | wc -l)" -eq 2 ]
}

@test "an image that 1.3.x loaded is replaced: one marker is left" {
  tar -C "$HOME" -xJf "$F/store-1.3.16.tar.xz"
  assert_file "$STORE/repos/oci/bb/latest/v1"
  ok udocker-image load -i "$F/bb-oci.tar.xz" oci/bb
  assert_output oci/bb:latest
  refute_file "$STORE/repos/oci/bb/latest/v1"
  refute_file "$STORE/repos/oci/bb/latest/ancestry"
  refute_file "$STORE/repos/oci/bb/latest/container.json"
  ok udocker-image verify oci/bb
}

@test "a configuration and layers that do not belong together are refused" {
  docker_dir d
  sed -i 's/,"bbb\/layer.tar"//' d/manifest.json
  tar -cf bad.tar -C d .
  fails 1 udocker-image load -i bad.tar
  assert_one_error_line
  rm -rf d
  docker_dir d
  cp l1.tar d/bbb/layer.tar
  tar -cf bad.tar -C d .
  fails 1 udocker-image load -i bad.tar
  assert_stderr_contains "digest mismatch"
  rm -rf d
  docker_dir d
  echo ' ' >>"d/$(config_of d)"
  tar -cf bad.tar -C d .
  fails 1 udocker-image load -i bad.tar
  assert_stderr_contains "digest mismatch"
  [ -z "$(ls -A "$STORE/layers")" ]
}

@test "names in archives that lead out of the store are refused" {
  local name
  for name in ../../x:1 /abs:1 'a/../../b:1' 'x y:1' ''; do
    rm -rf d
    docker_dir d "[\"$name\"]"
    tar -cf bad.tar -C d .
    fails 1 udocker-image load -i bad.tar
    assert_one_error_line
  done
  [ -z "$(ls -A "$STORE/repos")" ]
}

@test "a root file system is no image archive, and the message says what to do" {
  fails 1 udocker-image load -i l1.tar
  assert_one_error_line
  assert_stderr_contains import
  fails 1 udocker-image load -i /no/such/file
  assert_one_error_line
}

@test "a blob stored and damaged is mended by loading the image again" {
  mkimage -n m:1 m.tar l1.tar
  ok udocker-image load -i m.tar
  printf X | dd of="$STORE/layers/sha256:$(sha l1.tar)" bs=1 seek=600 conv=notrunc status=none
  fails 1 udocker-image verify m:1
  ok udocker-image load -i m.tar
  ok udocker-image verify m:1
}
