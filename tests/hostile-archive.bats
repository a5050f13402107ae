#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2034  # NAME is for hostile.bash
# Image archives and layouts that attack or are broken: each is given to load as an archive, from a file or a pipe, and as a directory, and must
# end as images that verify, or as one line and nothing.

load hostile

@test "layers that are not there or no files" {
  docker_tree
  rm d/$LAYER
  load_case "missing" fail "no '$LAYER'"
  mkdir d/$LAYER
  load_case "a directory" fail "'$LAYER' is a directory"
  rmdir d/$LAYER
  mkfifo d/$LAYER
  load_case "a FIFO" fail "'$LAYER' is something else"
  rm d/$LAYER
  : >d/$LAYER
  load_case "empty" fail "digest mismatch"
  docker_tree
  printf '[{"Config":"%s","RepoTags":["evil:1"],"Layers":["aaa/../aaa/layer.tar"]}]' "$CONFIG" >d/manifest.json
  load_case "a path that climbs" fail "not a path inside the archive"
  printf '[{"Config":"%s","RepoTags":["evil:1"],"Layers":["%s"]}]' "$CONFIG" "$T/outside/victim" >d/manifest.json
  load_case "an absolute path" fail "not a path inside the archive"
  printf '[{"Config":"%s","RepoTags":["evil:1"],"Layers":["aaa"]}]' "$CONFIG" >d/manifest.json
  load_case "the directory above" fail "'aaa' is a directory"
  printf '[{"Config":"%s","RepoTags":["evil:1"],"Layers":[""]}]' "$CONFIG" >d/manifest.json
  load_case "nothing" fail "manifest.json"
}

@test "layers that are links" {
  local to
  docker_tree
  mv d/$LAYER d/real.tar
  ln -s ../real.tar d/$LAYER
  load_case "to a file inside" ok
  for to in ../../outside/victim "$T/outside/victim" /etc/passwd ../../../../../../etc/passwd; do
    ln -sf "$to" d/$LAYER
    load_case "to $to" fail "$LAYER"
  done
  # What it leads to has the right content, and lies outside all the same.
  mv d/real.tar layer1.tar
  for to in ../../layer1.tar "$T/layer1.tar"; do
    ln -sf "$to" d/$LAYER
    load_case "to the layer, outside, as $to" fail "$LAYER"
  done
  for to in layer.tar ../aaa/layer.tar ../nowhere .. . ../aaa; do
    ln -sfn "$to" d/$LAYER
    load_case "to $to" fail "$LAYER"
  done
  docker_tree
  mv d/aaa moved && ln -s ../moved d/aaa
  load_case "their folder is a link that leads out" fail "aaa/layer.tar"
  rm -rf moved
}

@test "entries of an archive that lead out are passed over, twice the same name counts once" {
  docker_tree
  tar -C d -cf d.tar .
  # Entries before those of the archive; the names are no paths inside it.
  printf '%s\n' 'file ../../outside/victim 0644 evil' "file $T/outside/new 0644 evil" 'dir ..' "link out $T/outside" 'file out/evil 0644 x' \
    'hard h ../../outside/victim' 'fifo p' 'char c 1 3' 'file manifest.json 0644 [' 'file layers/sha256:0 0644 x' 'file repos/x/y/TAG 0644 x' \
    'file .stage/x 0644 x' 'file .tmp-1 0644 x' | mktar >front
  cat front d.tar >e.tar
  local before
  before=$(outside_now)
  NAME=front bounded_run udocker-image load -q -i e.tar
  [ "$status" -eq 0 ] || fail "exit status $status"
  assert_output evil:1
  ok udocker-image verify evil:1
  ok udocker-image rm evil:1
  store_empty
  [ "$(outside_now)" = "$before" ]
}

@test "configurations that are wrong" {
  local good json
  docker_tree
  good=$(cat "d/$CONFIG")
  docker_config "${good/sha256:????/sha256:0000}"
  load_case "a wrong diff id" fail "digest mismatch"
  docker_config "${good/\"sha256:/\"sha257:}"
  load_case "a diff id of no algorithm" fail "$CONFIG|diff_ids[0]"
  docker_config "$(jq -c '.rootfs.diff_ids += ["sha256:" + ("0" * 64)]' <<<"$good")"
  load_case "too many diff ids" fail "1 layers|says 2"
  docker_config "$(jq -c '.rootfs.diff_ids = [7]' <<<"$good")"
  load_case "a number as diff id" fail "diff_ids[0]"
  for json in '' '[' '[]' 'null' '{"rootfs":[]}' '{"config":"x"}' '{"config":{"Env":[1]}}' '{"config":{"Labels":[]}}' $'\xff\xfe' '{"a":"\u0000"}'; do
    docker_config "$json"
    load_case "configuration $json" fail "$CONFIG"
  done
  docker_config "$(head -c 5000000 /dev/zero | tr '\0' ' ')$good"
  load_case "5 MB of blanks" fail "$CONFIG"
  docker_tree
  rm "d/$CONFIG" && mkdir "d/$CONFIG"
  load_case "a directory" fail "is a directory"
  docker_tree
  ln -sf ../outside/victim "d/$CONFIG"
  load_case "a link that leads out" fail "$CONFIG"
}

@test "manifest.json that is none" {
  local text
  docker_tree
  for text in '' '[' ']' 'null' '7' '{}' '[{}]' '[null]' '[{"Config":7}]' '[{"Config":"x","Layers":"y"}]' $'\xff\xfe' \
    '[{"Config":"x","Layers":[{}]}]' '[{"Config":"manifest.json","RepoTags":["a:1"],"Layers":[]}]'; do
    printf '%s' "$text" >d/manifest.json
    load_case "manifest.json $text" fail "manifest.json"
  done
  printf '[]' >d/manifest.json
  load_case "no images" fail "there is no image in it"
  head -c 2000000 /dev/zero | tr '\0' '[' >d/manifest.json
  load_case "2 MB of [" fail "manifest.json"
  { printf '[{"x":' && head -c 2000000 /dev/zero | tr '\0' '{' ; } >d/manifest.json
  load_case "2 MB of {" fail "manifest.json"
  { printf '[' && yes '{},' | head -c 3000000 && printf '{}]'; } >d/manifest.json
  load_case "a million objects" fail "manifest.json"
  head -c 20000000 /dev/zero >d/manifest.json
  load_case "20 MB of zeros" fail "manifest.json"
  rm d/manifest.json && mkdir d/manifest.json
  load_case "a directory" fail "manifest.json"
  rmdir d/manifest.json && ln -s manifest.json d/manifest.json
  load_case "a link to itself" fail "manifest.json"
  rm d/manifest.json && mkfifo d/manifest.json
  load_case "a FIFO" fail "manifest.json"
}

@test "names that images must not have" {
  local name config
  docker_tree
  config=$(cat "d/$CONFIG")
  for name in '../../x:1' '/abs:1' 'a/../../b:1' 'x y:1' '' '.:1' '..:1' 'x:../../y' 'x:..' '.stage/x:1' 'a//b:1' '-x:1' 'x:1@sha256:0' \
    'a:b:c:d' '\u001b[31mred:1' 'x\n:1' '\u202egnp.exe:1' "$(printf 'n%.0s' {1..300}):1" "x:$(printf 't%.0s' {1..300})"; do
    docker_config "$config" "[\"$name\"]"
    load_case "RepoTags $name" fail "RepoTags"
  done
  docker_config "$config" '[7]'
  load_case "a number" fail "RepoTags"
  docker_config "$config" '"evil:1"'
  load_case "no list" fail "RepoTags"
  docker_config "$config" '["evil:1","evil:1"]'
  load_case "twice the same" ok
  oci_tree
  for name in '../../x' 'a/../b' '\u001b[31m'; do
    oci_index "$(jq -c --arg n "$(printf "%b" "$name")" '[. + {annotations: {"org.opencontainers.image.ref.name": $n}}]' <<<"$MANIFEST")"
    tar -C d -cf d.tar .
    bounded_run udocker-image load -q -i d.tar
    assert_shown_safely
    [ "$status" -eq 1 ] || ok udocker-image rm "$output"
    store_empty
  done
}

@test "one small archive, endless work" {
  local i items diff_id
  # A layer that grows a thousandfold, named 2000 times by one image and by each of 200 images; what it unpacks to is counted once.
  export UDOCKER_UNPACK_MAX_SIZE=20M UDOCKER_UNPACK_MAX_RATIO=10
  docker_tree
  printf 'zeros big 0644 6000000\nend\n' | mktar >l
  gzip -9c l >d/$LAYER
  diff_id=$(sha l)
  rm l
  docker_config "{\"rootfs\":{\"diff_ids\":[$(yes "\"sha256:$diff_id\"," | head -1999)\"sha256:$diff_id\"]}}" '["evil:1"]' "[$(yes "\"$LAYER\"," | head -1999)\"$LAYER\"]"
  load_case "2000 times the same layer" ok
  docker_config "{\"rootfs\":{\"diff_ids\":[\"sha256:$diff_id\"]}}"
  items=
  for i in {1..200}; do items+="${items:+,}{\"Config\":\"$CONFIG\",\"RepoTags\":[\"evil:$i\"],\"Layers\":[\"$LAYER\"]}"; done
  printf '[%s]' "$items" >d/manifest.json
  tar -C d -cf d.tar .
  bounded_run udocker-image load -q -i d.tar
  [ "$status" -eq 0 ] || fail "exit status $status"
  [ "$(printf '%s\n' "$output" | wc -l)" -eq 200 ]
  printf '%s\n' "$output" | xargs udocker-image rm
  store_empty
}

@test "a hundred thousand names" {
  docker_tree
  docker_config "$(cat "d/$CONFIG")" "$(seq 100000 | jq -sc 'map("evil:\(.)")')"
  load_case "in manifest.json" fail "more than"
  printf '{"evil":%s}' "$(seq 100000 | jq -sc 'map({key: "\(.)", value: "aaa"}) | from_entries')" >d/repositories
  rm d/manifest.json
  load_case "in repositories" fail "more than"
}

@test "layouts: blobs that are something else" {
  local blob to
  oci_tree
  blob=$(path_of "$LAYER")
  rm "$blob"
  load_case "missing" fail "$(jq -r '.digest[7:]' <<<"$LAYER")"
  mkdir "$blob"
  load_case "a directory" fail "is a directory"
  rmdir "$blob" && mkfifo "$blob"
  load_case "a FIFO" fail "something else"
  rm "$blob"
  for to in ../../../outside/victim "$T/outside/victim" "$(basename "$blob")" ../../nowhere ..; do
    ln -sfn "$to" "$blob"
    load_case "a link to $to" fail "$(basename "$blob")"
  done
  oci_tree
  blob=$(path_of "$LAYER")
  mv "$blob" layer1.tar
  ln -s ../../../layer1.tar "$blob"
  load_case "a link to the right content outside" fail "$(basename "$blob")"
  mv layer1.tar d/elsewhere
  ln -sf ../../elsewhere "$blob"
  load_case "a link to the right content inside" ok
  ln -sf "$(jq -r '.digest[7:]' <<<"$MANIFEST")" "$blob"
  load_case "a link to another blob" fail "digest mismatch"
  oci_tree
  printf X >>"$(path_of "$LAYER")"
  load_case "a byte too many" fail "digest mismatch"
  oci_tree
  mv d/blobs moved && ln -s ../moved d/blobs
  load_case "blobs is a link that leads out" fail "blobs/sha256"
  rm -rf moved
  oci_tree
  ln -s /dev/zero "$(path_of "$LAYER")x"
  ln -sf /dev/zero "$(path_of "$LAYER")"
  load_case "a link to a device" fail "$(jq -r '.digest[7:]' <<<"$LAYER")"
}

@test "layouts: descriptors that lie" {
  local d
  oci_tree
  for d in 'del(.digest)' '.digest = 7' '.digest = "sha256:../../../../etc/passwd"' '.digest = "md5:0"' '.digest = ""' \
    'del(.size)' '.size = -1' '.size = 1' '.size = 9e18' '.size = 1e999' '.size = "1"' '.size = 9223372036854775807' '.mediaType = 7'; do
    oci_index "[$(jq -c "$d" <<<"$MANIFEST")]"
    load_case "$d" fail "d"
  done
  oci_index "[$MANIFEST,$MANIFEST]"
  load_case "twice the same image" ok
  oci_index '[]'
  load_case "no images" fail "no image"
  printf '{"imageLayoutVersion":"9.9"}' >d/oci-layout
  load_case "another version" fail "9.9"
  oci_tree
  printf '{"config":{"Cmd":["x"]},"rootfs":{"diff_ids":[]}}' >c
  oci_manifest "$(oci_blob c $OCI.config.v1+json)" "[$LAYER,$LAYER,$LAYER]"
  load_case "three times the same layer" ok
  printf '{"rootfs":{"diff_ids":["sha256:%064d"]}}' 0 >c
  oci_manifest "$(oci_blob c $OCI.config.v1+json)" "[$LAYER]"
  ok udocker-image load -q -i d evil:1
  NAME="a wrong diff id"
  bounded_run udocker-bundle create evil:1
  fails_clearly "diff id"
  ok udocker-image rm evil:1
  store_empty
}

@test "layouts: indexes in indexes" {
  local i deep
  oci_tree
  deep=$MANIFEST
  for i in {1..20}; do
    printf '{"schemaVersion":2,"manifests":[%s]}' "$deep" >x
    deep=$(oci_blob x $OCI.index.v1+json)
  done
  oci_index "[$deep]"
  load_case "twenty below each other" fail "nested too deeply"
  # An index cannot name itself, but it can say so.
  oci_index "[{\"mediaType\":\"$OCI.index.v1+json\",\"digest\":\"sha256:$(sha d/index.json)\",\"size\":$(stat -c %s d/index.json)}]"
  cp d/index.json "d/blobs/sha256/$(jq -r '.manifests[0].digest[7:]' d/index.json)"
  load_case "a circle" fail "digest mismatch"
}

@test "layouts: indexes without end" {
  once
  local i wide
  # Each of 4000 entries leads through four indexes of 4000 entries.
  oci_tree
  wide=$MANIFEST
  for i in {1..4}; do
    yes "$(jq -c '.platform = {os: "linux", architecture: "s390x"}' <<<"$wide")," | head -3999 >y
    printf '{"schemaVersion":2,"manifests":[%s%s]}' "$(cat y)" "$wide" >x
    wide=$(oci_blob x $OCI.index.v1+json)
  done
  rm y
  printf '{"schemaVersion":2,"manifests":[%s%s]}' "$(yes "$wide," | head -3999)" "$wide" >d/index.json
  load_case "4000 at each level" fail "d"
}

@test "archives in archives, and what is none" {
  docker_tree
  tar -C d -cf inner.tar .
  gzip -c inner.tar >inner.tar.gz
  refused "no image archive" udocker-image load -i <(tar -cf - inner.tar)
  rm -rf d && mkdir d && mv inner.tar.gz inner.tar d/
  load_case "archives alone in an archive" fail "no image archive"
  # An image archive as a layer is a layer like any other.
  docker_tree
  tar -C d -cf inner.tar .
  mkimage -n evil:1 image.tar inner.tar
  ok udocker-image load -q -i image.tar
  ok udocker-bundle create --no-sync evil:1
  assert_file "$STORE/containers/$output/ROOT/manifest.json"
  ok udocker-bundle rm "$output"
  ok udocker-image rm evil:1
  : >empty.tar
  refused "empty.tar" udocker-image load -i empty.tar
  printf x >one.tar
  refused "one.tar" udocker-image load -i one.tar
  head -c 10240 /dev/zero >zeros.tar
  refused "zeros.tar" udocker-image load -i zeros.tar
  printf 'PK\3\4\24\0\0\0\0\0' >zip.tar && head -c 3000 /dev/urandom >>zip.tar
  refused "zip.tar" udocker-image load -i zip.tar
  refused "zip.tar" udocker-image import zip.tar evil:1
  mkdir d/none
  refused "no image archive" udocker-image load -i d/none
  printf 'PK\5\6' | gzip >gz.tar
  refused "gz.tar" udocker-image load -i gz.tar
}
