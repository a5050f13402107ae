#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# save: archives of every format, several images in one, layers packed anew, layouts added to, and what cannot be saved.

load helpers

setup() {
  common_setup
  mkdir l1 l2 l3
  echo one >l1/file
  seq 20000 >l2/numbers
  echo three >l3/file
  layer l1.tar l1
  layer l2.tar l2
  layer l3.tar l3
}

sha() { sha256sum "$1" | cut -d' ' -f1; }
load_image() { # mkimage arguments
  mkimage "$@"
  udocker-image load -q -i in.tar >/dev/null
  rm in.tar
}

# Two images that share their base, one with its layers in gzip, one with an OCI manifest and annotations.
two_images() {
  load_image -f oci -z gzip -n a:1 in.tar l1.tar l2.tar
  load_image -f oci -z gzip -n b:2 in.tar l1.tar l3.tar
}

# members ARCHIVE: its names, each but folders.
members() { tar tf "$1" | grep -v '/$'; }

# has_image DIR REF CONFIG LAYER-SHA...: a store of its own, to load into and look.
loaded_is() { # ARCHIVE REF STORED-DIGEST...
  local archive=$1 ref=$2
  shift 2
  rm -rf other
  ok udocker-image --repo other load -q -i "$archive"
  assert_contains "$ref"
  ok udocker-image --repo other verify "$ref"
  [ "$(jq -r '.layers[].digest' "other/repos/${ref%:*}/${ref##*:}/manifest")" = "$(printf 'sha256:%s\n' "$@")" ] ||
    fail "layers: $(cat "other/repos/${ref%:*}/${ref##*:}/manifest")"
}

@test "a docker archive has plain layers, manifest.json, repositories and a folder for each layer" {
  two_images
  ok udocker-image save -o d.tar a:1
  assert_output ""
  tar -xf d.tar --one-top-level=x
  [ "$(jq -r '.[0].RepoTags[]' x/manifest.json)" = a:1 ]
  local layer chain="" parent=null
  for layer in $(jq -r '.[0].Layers[]' x/manifest.json); do
    [ "$(jq -r .parent "x/${layer%/*}/json")" = "$parent" ]
    [ "$(jq -r .id "x/${layer%/*}/json")" = "${layer%/*}" ]
    [ "$(cat "x/${layer%/*}/VERSION")" = 1.0 ]
    parent=${layer%/*} chain+=" $(sha "x/$layer")"
  done
  [ "$chain" = " $(sha l1.tar) $(sha l2.tar)" ]
  [ "$(jq -r '.a."1"' x/repositories)" = "$parent" ]
  local config
  config=$(jq -r '.[0].Config' x/manifest.json)
  [ "$(sha "x/$config").json" = "$config" ]
  [ "sha256:${config%.json}" = "$(jq -r .config.digest "$STORE/repos/a/1/manifest")" ]
  loaded_is d.tar a:1 "$(sha l1.tar)" "$(sha l2.tar)"
}

@test "an OCI archive keeps layers and manifest as they are stored" {
  two_images
  ok udocker-image save --format oci-archive -o o.tar a:1
  tar -xf o.tar --one-top-level=x
  local digest
  digest=$(jq -r '.manifests[0].digest' x/index.json)
  cmp "x/blobs/sha256/${digest#sha256:}" "$STORE/repos/a/1/manifest"
  [ "$(jq -r '.manifests[0].annotations."org.opencontainers.image.ref.name"' x/index.json)" = a:1 ]
  [ "$(jq -r '.manifests[0].annotations."io.containerd.image.name"' x/index.json)" = docker.io/library/a:1 ]
  local f
  for f in x/blobs/sha256/*; do [ "$(sha "$f")" = "${f##*/}" ]; done
  gzip -nk l1.tar l2.tar
  loaded_is o.tar a:1 "$(sha l1.tar.gz)" "$(sha l2.tar.gz)"
  cmp other/repos/a/1/manifest "$STORE/repos/a/1/manifest"
}

@test "several images in one archive: what they share is there once" {
  two_images
  ok udocker-image tag a:1 again/a:9
  local format
  for format in docker-archive oci-archive; do
    ok udocker-image save --format $format -o $format.tar a:1 b:2 again/a:9 a:1
    [ -z "$(members $format.tar | sort | uniq -d)" ]
    rm -rf other
    ok udocker-image --repo other load -i $format.tar
    [ "$(printf '%s\n' "$output" | sort | tr '\n' ' ')" = "a:1 again/a:9 b:2 " ] || fail names
    ok udocker-image --repo other verify a:1 b:2 again/a:9
  done
  [ "$(members docker-archive.tar | grep -c 'layer.tar$')" -eq 3 ]
  [ "$(members oci-archive.tar | grep -c blobs/)" -eq 7 ]
}

@test "one layer twice in an image, and on two chains" {
  load_image -n twice:1 in.tar l1.tar l2.tar l1.tar
  load_image -n top:1 in.tar l2.tar
  ok udocker-image save -o d.tar twice:1 top:1
  # The content once, hard links for its other places; manifest.json names the content.
  [ "$(tar tvf d.tar | grep -c '^-.*layer.tar')" -eq 2 ]
  [ "$(tar tvf d.tar | grep -c '^h.*layer.tar')" -eq 2 ]
  loaded_is d.tar twice:1 "$(sha l1.tar)" "$(sha l2.tar)" "$(sha l1.tar)"
  loaded_is d.tar top:1 "$(sha l2.tar)"
  ok udocker-image save --format oci-archive -o o.tar twice:1 top:1
  loaded_is o.tar twice:1 "$(sha l1.tar)" "$(sha l2.tar)" "$(sha l1.tar)"
}

@test "the same images make the same bytes, in file and pipe, whatever the store" {
  two_images
  local format
  for format in docker-archive oci-archive; do
    ok udocker-image save --format $format -o one.tar a:1 b:2
    sh -c "umask 077; udocker-image save -q --format $format a:1 b:2" | cmp - one.tar
    udocker-image save -q --format $format -o - a:1 b:2 >three.tar
    cmp one.tar three.tar
    ok udocker-image --repo other load -q -i one.tar
    ok udocker-image --repo other save --format $format -o four.tar a:1 b:2
    cmp one.tar four.tar
    tar --numeric-owner -tvf one.tar | grep -vE ' 0/0 .* 1970-01-01 ' && fail "times or owners of here"
    rm -rf ./*.tar other
    layer l1.tar l1
  done
}

@test "layers packed anew: digests, sizes and types follow, configuration and annotations stay" {
  mkimage -f oci-dir -z gzip -n a:1 dir l1.tar l2.tar
  # A manifest with annotations, and with what a tool of the future may have written.
  local m
  m=$(jq -r '.manifests[0].digest' dir/index.json)
  jq -c '.annotations = {"org.example": "kept"} | .future = [1] | .layers[0].annotations = {"x": "y", "io.github.containers.zstd-chunked.manifest-checksum": "z"}' \
    "dir/blobs/sha256/${m#sha256:}" >manifest
  cp manifest "dir/blobs/sha256/$(sha manifest)"
  jq -c --arg d "sha256:$(sha manifest)" --argjson s "$(stat -c %s manifest)" '.manifests[0].digest = $d | .manifests[0].size = $s' dir/index.json >index
  cp index dir/index.json
  ok udocker-image load -q -i dir
  local how type
  for how in none gzip zstd; do
    case $how in none) type=tar ;; *) type=tar+$how ;; esac
    ok udocker-image save --format oci --compress $how -o out.$how a:1
    m=out.$how/blobs/sha256/$(jq -r '.manifests[0].digest[7:]' out.$how/index.json)
    jq -e --arg t "application/vnd.oci.image.layer.v1.$type" '.annotations."org.example" == "kept" and .future == [1]
      and .layers[0].annotations.x == "y" and all(.layers[]; .mediaType == $t)' "$m"
    [ "$(jq -r .config.digest "$m")" = "$(jq -r .config.digest manifest)" ]
    local i
    for i in 0 1; do
      d=$(jq -r ".layers[$i].digest[7:]" "$m")
      [ "$(stat -c %s "out.$how/blobs/sha256/$d")" -eq "$(jq -r ".layers[$i].size" "$m")" ]
      case $how in none) cat "out.$how/blobs/sha256/$d" ;; gzip) gzip -dc "out.$how/blobs/sha256/$d" ;; zstd) zstd -dcq "out.$how/blobs/sha256/$d" ;; esac |
        cmp - l$((i + 1)).tar
    done
    ok udocker-image --repo other.$how load -q -i out.$how
    ok udocker-image --repo other.$how verify a:1
  done
  # What was not packed anew keeps its annotations, those of its bytes too.
  cmp "out.gzip/blobs/sha256/$(jq -r '.manifests[0].digest[7:]' out.gzip/index.json)" manifest
  ok udocker-image save --compress gzip -o d.tar a:1
  tar xf d.tar --wildcards '*/layer.tar'
  for i in */layer.tar; do gzip -t "$i"; done
  ok udocker-image --repo last load -i d.tar
  ok udocker-image --repo last verify a:1
}

@test "a large layer through both compressors, on one processor and on all" {
  head -c 9000000 /dev/urandom >l1/noise
  seq 1500000 >l1/numbers
  layer big.tar l1
  load_image -n big:1 in.tar big.tar
  local how
  for how in gzip zstd; do
    ok udocker-image save --compress $how -o $how.tar big:1
    taskset -c "$(taskset -cp $$ | sed 's/.*: \([0-9]*\).*/\1/')" udocker-image save -q --compress $how -o one.tar big:1
    cmp one.tar $how.tar
    rm one.tar
    tar -xOf $how.tar --wildcards '*/layer.tar' >layer.$how
  done
  gzip -dc layer.gzip | cmp - big.tar
  zstd -dcq layer.zstd | cmp - big.tar
  [ "$(stat -c %s layer.gzip)" -lt "$(($(gzip -c big.tar | wc -c) * 102 / 100))" ]
}

@test "a docker manifest becomes an OCI manifest, with the same configuration and layers" {
  load_image -n d:1 in.tar l1.tar l2.tar
  jq -e '.mediaType == "application/vnd.docker.distribution.manifest.v2+json"' "$STORE/repos/d/1/manifest"
  ok udocker-image save --format oci -o out d:1
  local m
  m=out/blobs/sha256/$(jq -r '.manifests[0].digest[7:]' out/index.json)
  jq -e '.mediaType == "application/vnd.oci.image.manifest.v1+json" and .config.mediaType == "application/vnd.oci.image.config.v1+json"
    and all(.layers[]; .mediaType == "application/vnd.oci.image.layer.v1.tar")' "$m"
  [ "$(jq -c '[.config.digest, .layers[].digest, .layers[].size]' "$m")" = "$(jq -c '[.config.digest, .layers[].digest, .layers[].size]' "$STORE/repos/d/1/manifest")" ]
}

@test "a layout that is there is added to: what is in it stays, an image of the same name is replaced" {
  two_images
  mkimage -f oci-dir -n theirs lay l3.tar
  jq -c '.annotations = {"who": "them"} | .manifests += [.manifests[0] | del(.annotations)]' lay/index.json >index
  cp index lay/index.json
  ok udocker-image save --format oci -o lay a:1
  ok udocker-image save --format oci -o lay b:2
  jq -e '.annotations.who == "them" and (.manifests | length) == 4 and .manifests[0].annotations."org.opencontainers.image.ref.name" == "theirs"' lay/index.json
  ok udocker-image rm a:1
  load_image -f oci -n a:1 in.tar l3.tar
  ok udocker-image save --format oci -o lay a:1
  [ "$(jq -r '[.manifests[].annotations."org.opencontainers.image.ref.name"] | map(. // "-") | sort | join(" ")' lay/index.json)" = "- a:1 b:2 theirs" ]
  loaded_is lay a:1 "$(sha l3.tar)"
  [ -z "$(find lay -name '.*')" ]
  # A damaged blob of theirs is written again.
  printf X | dd of="lay/blobs/sha256/$(sha l3.tar)" bs=1 seek=600 conv=notrunc status=none
  ok udocker-image save --format oci -o lay a:1
  [ "$(sha "lay/blobs/sha256/$(sha l3.tar)")" = "$(sha l3.tar)" ]
}

@test "only a layout, an empty directory or none is written into" {
  two_images
  mkdir full empty
  touch full/file
  fails 1 udocker-image save --format oci -o full a:1
  assert_one_error_line
  [ "$(ls -A full)" = file ]
  ok udocker-image save --format oci -o empty a:1
  ok udocker-image save --format oci -o new a:1
  diff -r empty new
  fails 1 udocker-image save --format oci -o no/such/dir a:1
  assert_one_error_line
  touch plain
  fails 1 udocker-image save --format oci -o plain a:1
  assert_one_error_line
  fails 2 udocker-image save --format oci a:1
  assert_one_error_line
  mkdir damaged
  echo '{"imageLayoutVersion":"1.0.0"}' >damaged/oci-layout
  echo '{"manifests":7}' >damaged/index.json
  fails 1 udocker-image save --format oci -o damaged a:1
  assert_one_error_line
  [ "$(ls damaged)" = "$(printf 'index.json\noci-layout')" ]
}

@test "a file that exists is not replaced, unless it is asked for; links are never followed" {
  two_images
  echo precious >d.tar
  fails 1 udocker-image save -o d.tar a:1
  assert_one_error_line
  assert_stderr_contains exists
  [ "$(cat d.tar)" = precious ]
  ln -s d.tar link
  fails 1 udocker-image save -o link a:1
  fails 1 udocker-image save -f -o link a:1
  [ "$(cat d.tar)" = precious ]
  ok udocker-image save -f -o d.tar a:1
  ok udocker-image save -o plain.tar a:1
  cmp d.tar plain.tar
  fails 1 udocker-image save -o "$T" a:1
  assert_one_error_line
  fails 1 udocker-image save -o "$T/no/such.tar" a:1
  assert_one_error_line
  mkfifo fifo
  cat fifo >from-fifo &
  ok udocker-image save -o fifo a:1
  wait $!
  cmp from-fifo plain.tar
  ok udocker-image save -o /dev/null a:1
  echo head >appended
  udocker-image save -q a:1 >>appended
  tail -c +6 appended | cmp - plain.tar
}

@test "what cannot be saved: no such image, a missing layer, a damaged one, a damaged configuration" {
  two_images
  load_image -n plain:1 in.tar l1.tar l2.tar
  fails 1 udocker-image save -o x.tar a:1 nosuch:1
  assert_stderr_contains "no such image: 'nosuch:1'"
  assert_one_error_line
  fails 2 udocker-image save -o x.tar
  local what file
  for what in plain:1 a:1; do
    file=$STORE/layers/$(jq -r '.layers[1].digest' "$STORE/repos/${what%:*}/1/manifest")
    cp "$file" keep
    printf X | dd of="$file" bs=1 seek="$(($(stat -c %s keep) / 2))" conv=notrunc status=none
    for format in docker-archive oci-archive oci; do
      fails 1 udocker-image save --format $format -o x.tar $what
      assert_one_error_line
      assert_stderr_contains "${file##*/}"
      refute_file x.tar
    done
    fails 1 udocker-image save --format oci-archive --compress zstd -o x.tar $what
    fails 1 udocker-image save --compress zstd -o x.tar $what
    fails 1 bash -c "set -o pipefail; udocker-image save $what | cat >broken.tar"
    fails 2 tar tf broken.tar
    rm "$file"
    fails 1 udocker-image save -o x.tar $what
    assert_one_error_line
    assert_stderr_contains "${file##*/} is not in the store"
    cp keep "$file"
  done
  file=$STORE/layers/$(jq -r .config.digest "$STORE/repos/a/1/manifest")
  echo ' ' >>"$file"
  fails 1 udocker-image save -o x.tar a:1
  assert_stderr_contains "digest mismatch"
  [ -z "$(find . -maxdepth 1 -name '.tmp-*')" ]
  refute_file x.tar
}

@test "a layout on the store's file system shares the blocks of the layers where that goes" {
  requires root mkfs.xfs losetup
  truncate -s 500M xfs.img
  mkfs.xfs -q -m reflink=1 xfs.img
  mkdir m
  mount -o loop xfs.img m 2>/dev/null || skip "no loop mounts here"
  head -c 40000000 /dev/urandom >l1/noise
  layer l1.tar l1
  mkimage -f oci -n big:1 in.tar l1.tar
  local before after r=0
  {
    udocker-image --repo m/store load -q -i in.tar &&
      before=$(df --output=used -B1000 m | tail -1) &&
      udocker-image --repo m/store save --format oci -o m/lay big:1 &&
      sync && after=$(df --output=used -B1000 m | tail -1) &&
      udocker-image --repo other load -q -i m/lay && udocker-image --repo other verify big:1 &&
      printf X | dd of="m/store/layers/sha256:$(sha l1.tar)" bs=1 seek=9000 conv=notrunc status=none
  } || r=1
  run udocker-image --repo m/store save --format oci -o m/damaged big:1
  local there=0
  [ ! -e m/damaged ] || there=1
  umount m
  [ $r -eq 0 ]
  [ $((after - before)) -lt 10000 ] || fail "$((after - before)) kB"
  [ "$status" -eq 1 ]
  assert_contains "digest mismatch"
  [ $there -eq 0 ]
}

@test "a failed save leaves a layout as it was" {
  two_images
  ok udocker-image save --format oci -o lay b:2
  cp -r lay before
  printf X | dd of="$STORE/layers/$(jq -r '.layers[1].digest' "$STORE/repos/a/1/manifest")" bs=1 seek=20 conv=notrunc status=none
  fails 1 udocker-image save --format oci -o lay a:1
  diff -r before lay
  fails 1 udocker-image save --format oci -o new a:1
  refute_file new
}

@test "a configuration with diff ids that are not its layers' is damage" {
  load_image -n d:1 in.tar l1.tar l2.tar
  local c m
  c=$(jq -r .config.digest "$STORE/repos/d/1/manifest")
  sed "s/$(sha l2.tar)/$(sha l1.tar)/" "$STORE/layers/$c" >config
  cp config "$STORE/layers/sha256:$(sha config)"
  ln -s "../../../layers/sha256:$(sha config)" "$STORE/repos/d/1/"
  sed -i "s/$c/sha256:$(sha config)/" "$STORE/repos/d/1/manifest"
  fails 1 udocker-image save -o x.tar d:1
  assert_one_error_line
  assert_stderr_contains "digest mismatch"
}

@test "images of 1.3.x: loaded and imported ones get a manifest, and the diff ids that their layers have" {
  tar -C "$HOME" -xJf "$SUITE_SRC/tests/fixtures/store-1.3.16.tar.xz"
  [ -d "$STORE/containers" ] || mv "$HOME"/*/ "$STORE"
  local image
  for image in lib/bb:1 oci/bb:latest imported:v1; do
    ok udocker-image save -o d.tar $image
    ok udocker-image save --format oci-archive -o o.tar $image
    local f
    for f in d.tar o.tar; do
      rm -rf other
      ok udocker-image --repo other load -i $f
      assert_output "$image"
      ok udocker-bundle --repo other create --name=c "$image"
      assert_file "other/containers/c/ROOT/bin"
    done
    rm ./*.tar
    layer l1.tar l1
  done
}

@test "names come back as they were typed" {
  mkimage -n x:1 in.tar l1.tar
  local name
  for name in x:1 docker.io/x:1 docker.io/library/x:1 quay.io/a/b:2 localhost:5000/c:3 host.example/d:latest; do
    ok udocker-image load -q -i in.tar "$name"
    ok udocker-image save -o d.tar "$name"
    ok udocker-image save --format oci-archive -o o.tar "$name"
    ok udocker-image --repo other load -q -i d.tar
    assert_output "$name"
    ok udocker-image --repo other load -q -i o.tar
    assert_output "$name"
    rm d.tar o.tar
  done
}

@test "an image that is kept under its digest" {
  two_images
  local d
  d=$(sha "$STORE/repos/a/1/manifest")
  cp -r "$STORE/repos/a/1" "$STORE/repos/a/sha256:$d"
  ok udocker-image rm a:1
  ok udocker-image save -o d.tar "a@sha256:$d"
  ok udocker-image --repo other load -i d.tar
  assert_matches '^loaded/'
  ok udocker-image save --format oci-archive -o o.tar "a@sha256:$d"
  ok udocker-image --repo other load -i o.tar
  cmp "other/repos/a/sha256:$d/manifest" "$STORE/repos/a/sha256:$d/manifest"
  ok udocker-image --repo other verify "a@sha256:$d"
}

@test "save fails when the disk is full or the pipe breaks, and leaves nothing" {
  two_images
  fails 1 udocker-image save -o /dev/full a:1
  assert_one_error_line
  assert_stderr_contains "No space left"
  fails 1 bash -c 'udocker-image save a:1 >/dev/full'
  assert_one_error_line
  # A file that may not grow.
  fails 1 bash -c 'ulimit -f 8; trap "" XFSZ; udocker-image save --format oci-archive -o x.tar a:1; r=$?; exit $r'
  refute_file x.tar
  [ -z "$(find . -maxdepth 1 -name '.tmp-*')" ]
  fails 1 bash -c 'ulimit -f 8; trap "" XFSZ; udocker-image save --format oci -o lay a:1; r=$?; exit $r'
  refute_file lay
  mkdir shut
  chmod 500 shut
  [ "$(id -u)" = 0 ] || fails 1 udocker-image save -o shut/x.tar a:1
  [ "$(id -u)" = 0 ] || assert_one_error_line
}

@test "a terminal gets no archive" {
  two_images
  requires script
  run script -qec 'udocker-image save a:1' /dev/null
  [ "$status" -eq 2 ]
  assert_contains "is a terminal"
}

@test "an interrupted save says so and leaves nothing" {
  two_images
  mkfifo fifo
  udocker-image save -q -o fifo a:1 &
  local pid=$!
  sleep 0.2
  kill -TERM $pid
  local status=0
  wait $pid || status=$?
  [ "$status" -eq 143 ] || fail "status $status"
}

@test "a store that cannot be written can be saved from" {
  two_images
  chmod -R a-w "$STORE"
  ok udocker-image save -o d.tar a:1
  ok udocker-image save --format oci-archive --compress zstd -o o.tar b:2
  chmod -R u+w "$STORE"
}

@test "udocker save has the options of 1.3.x" {
  two_images
  ok udocker save -o one.tar a:1
  ok udocker save --output=two.tar a:1
  cmp one.tar two.tar
  udocker -q save a:1 | cmp - one.tar
  udocker -q save - a:1 | cmp - one.tar
  fails 1 udocker save -o one.tar a:1
  assert_stderr_contains "Error: "
}

@test "history has docker's columns, the newest step first" {
  printf '{"Cmd":["x"]}' >c
  mkimage -f oci-dir -c c -n h:1 dir l1.tar l2.tar
  local m c
  m=$(jq -r '.manifests[0].digest[7:]' dir/index.json)
  c=$(jq -r '.config.digest[7:]' "dir/blobs/sha256/$m")
  jq -c '.history = [{"created":"2020-01-01T00:00:00Z","created_by":"/bin/sh -c #(nop) ADD file:0123456789012345678901234567890123456789 in / ","comment":"base"},
    {"created":"2021-01-01T00:00:00Z","created_by":"ENV A=b","empty_layer":true},{"created":"2022-01-01T00:00:00Z","created_by":"RUN x\ny"}]' \
    "dir/blobs/sha256/$c" >config
  cp config "dir/blobs/sha256/$(sha config)"
  jq -c --arg d "sha256:$(sha config)" --argjson s "$(stat -c %s config)" '.config.digest = $d | .config.size = $s' "dir/blobs/sha256/$m" >manifest
  cp manifest "dir/blobs/sha256/$(sha manifest)"
  jq -c --arg d "sha256:$(sha manifest)" --argjson s "$(stat -c %s manifest)" '.manifests[0].digest = $d | .manifests[0].size = $s' dir/index.json >i
  cp i dir/index.json
  ok udocker-image load -q -i dir
  ok udocker-image history h:1
  [[ ${lines[0]} =~ ^IMAGE\ +CREATED\ +CREATED\ BY\ +SIZE\ +COMMENT ]]
  [[ ${lines[1]} == "$(sha config | cut -c1-12)"*'RUN x\ny'* ]]
  [[ ${lines[2]} == '<missing>'*'ENV A=b'*'0 B'* ]]
  [[ ${lines[3]} == '<missing>'*'ADD file:'*'…'*base ]]
  ok udocker-image history --no-trunc h:1
  assert_contains "0123456789012345678901234567890123456789 in /"
  assert_contains "sha256:$(sha config)"
  ok udocker-image history --format json h:1
  printf '%s' "$output" | jq -e --arg id "sha256:$(sha config)" --arg l "sha256:$(sha l2.tar)" 'length == 3 and .[0].id == $id and .[0].layer == $l
    and .[0].created_by == "RUN x\ny" and .[1].size == 0 and .[1].layer == null and .[2].comment == "base"
    and (.[0] | keys) == ["author", "comment", "created", "created_by", "id", "layer", "size"]'
  ok udocker-image history -q h:1
  assert_output "$(sha config | cut -c1-12)"$'\n<missing>\n<missing>'
  ok udocker history h:1
  [[ ${lines[0]} == IMAGE* ]]
  fails 1 udocker-image history nosuch:1
}

# images N PADDING: N images of one small layer in the store, i:1 to i:N, with configurations of their own of that many bytes.
images() {
  python3 - "$STORE" "$1" "$2" <<'PY'
import hashlib, json, os, sys
store, n, padding = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
def blob(data):
    name = "sha256:" + hashlib.sha256(data).hexdigest()
    with open(f"{store}/layers/{name}", "wb") as f:
        f.write(data)
    return {"digest": name, "size": len(data)}
os.makedirs(f"{store}/layers", exist_ok=True)
layer = blob(bytes(10240))
for i in range(1, n + 1):
    config = blob(json.dumps({"architecture": "amd64", "os": "linux", "config": {"Labels": {"n": str(i), "x": "x" * padding}},
                              "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]}}).encode())
    tag = f"{store}/repos/i/{i}"
    os.makedirs(tag)
    kind = "application/vnd.oci.image."
    with open(f"{tag}/manifest", "w") as f:
        json.dump({"schemaVersion": 2, "mediaType": kind + "manifest.v1+json", "config": {"mediaType": kind + "config.v1+json", **config},
                   "layers": [{"mediaType": kind + "layer.v1.tar", **layer}]}, f)
    open(f"{tag}/TAG", "w").write(f"{i}\n")
    open(f"{tag}/v2", "w").close()
    for b in config, layer:
        os.symlink("../../../layers/" + b["digest"], f"{tag}/{b['digest']}")
PY
}

# too_much WORDS FORMAT REF...: refused in one line, and nothing is written.
too_much() {
  fails 1 udocker-image save --format "$2" -o out "${@:3}"
  assert_one_error_line
  assert_stderr_contains "$1"
  assert_stderr_contains "could not be loaded again"
  refute_file out
  assert_output ""
}

@test "an archive that load would refuse is not written" {
  once
  local refs f
  images 4097 0
  mapfile -t refs < <(seq -f 'i:%g' 4097)
  for f in oci-archive oci; do too_much "more than 4096 names" $f "${refs[@]}"; done
  too_much "more than 1024 images" docker-archive "${refs[@]:0:1025}"
  # As much as there may be is loaded again.
  ok udocker-image save -o full.tar "${refs[@]:0:1024}"
  export UDOCKER_DIR=$T/other
  ok udocker-image load -q -i full.tar
  [ "$(udocker-image ls -q | wc -l)" -eq 1024 ]
}

@test "documents that load would refuse are not saved" {
  once
  local f
  images 17 4000000
  for f in docker-archive oci-archive oci; do
    too_much "more than 64 MiB of manifests and configurations" $f i:{1..17}
  done
  ok udocker-image save --format oci-archive -o saved.tar i:{1..15}
  ok udocker-image --repo="$T/other" load -q -i saved.tar
  rm saved.tar
  rm -r "$STORE"
  images 1 5000000
  for f in docker-archive oci-archive oci; do too_much "more than 4 MiB" $f i:1; done
}

@test "a layout is not filled beyond what load takes" {
  images 2 0
  ok udocker-image save --format oci -o layout i:1
  python3 - layout/index.json <<'PY'
import copy, json, sys
index = json.load(open(sys.argv[1]))
entry = index["manifests"][0]
for i in range(4095):
    entry = copy.deepcopy(entry)
    for key in entry["annotations"]: entry["annotations"][key] = f"o:{i}"
    index["manifests"].append(entry)
json.dump(index, open(sys.argv[1], "w"))
PY
  cp -r layout before
  fails 1 udocker-image save --format oci -o layout i:2
  assert_one_error_line
  assert_stderr_contains "more than 4096 names in an archive could not be loaded again"
  diff -r before layout
  ok udocker-image save --format oci -o layout i:1
}
