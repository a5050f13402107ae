#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# images, ps and inspect: the columns of 1.3.x under `udocker`, JSON on request, identifiers alone with -q.

load helpers

@test "images and ps have the columns of 1.3.x" {
  busybox_container c1
  ok udocker images
  assert_output "REPOSITORY
bb:1    ."
  ok udocker -q images
  assert_output "bb:1    ."
  ok udocker images -l
  assert_contains " $STORE/repos/bb/1"
  assert_contains " MB)"
  ok udocker ps
  assert_output "$(printf '%-36.36s %c %c %-18s %-20.20s\n%-36.36s %c %c %-18.100s %-20.100s' \
    'CONTAINER ID' P M NAMES IMAGE "$ID" . W "['c1']" bb:1)"
  ok udocker ps -m
  assert_contains " MOD "
}

@test "listings are JSON on request, with the keys of cli(7)" {
  busybox_container c1
  ok udocker-image ls --format json
  printf '%s' "$output" | jq -e '.[0] | .name == "bb" and .tag == "1" and .protected == false and .architecture != null
    and (.digest | startswith("sha256:")) and .size > 0 and has("created") and has("os") and has("layers")'
  ok udocker-bundle ls --format json
  printf '%s' "$output" | jq -e --arg id "$ID" '.[0] | .id == $id and .names == ["c1"] and .image == "bb:1"
    and .protected == false and has("mode") and has("writable") and has("size") and has("root")'
}

@test "-q prints identifiers alone" {
  busybox_container c1
  ok udocker-image ls -q
  assert_output bb:1
  ok udocker-bundle ls -q
  assert_output "$ID"
}

@test "inspect shows the image's configuration, sorted, for image and container alike" {
  busybox_container c1
  ok udocker inspect bb:1
  printf '%s' "$output" | jq -e '.config.Env | index("GREETING=hello") != null'
  [ "$(printf '%s' "$output" | jq -r 'keys_unsorted | join(" ")')" = "$(printf '%s' "$output" | jq -r 'keys | join(" ")')" ]
  ok udocker inspect c1
  printf '%s' "$output" | jq -e '.config.Cmd == ["/bin/sh"]'
  ok udocker inspect -p c1
  assert_output "$STORE/containers/$ID/ROOT"
  fails 1 udocker inspect unknown
  assert_one_error_line
}

@test "what others left in the store does not stop a listing" {
  busybox_container c1
  mkdir -p "$STORE/containers/not-a-container" "$STORE/repos/empty/dir" "$STORE/repos/half/1"
  touch "$STORE/repos/half/1/TAG"
  ln -s nowhere "$STORE/containers/dangling"
  ok udocker ps
  assert_contains "$ID"
  ok udocker images
  assert_contains bb:1
}

@test "control characters in metadata do not reach the terminal" {
  busybox_container c1
  printf 'evil\033[2J:1' >"$STORE/containers/c1/imagerepo.name"
  ok udocker ps
  refute_contains $'\033'
  ok udocker-bundle ls
  refute_contains $'\033'
}

# many_images N: that many images of one layer, written as any program may write them.
many_images() {
  local i
  busybox_image many/image0:1
  cp -a "$STORE/repos/many/image0" "$T/image0"
  for ((i = 1; i < $1; i++)); do echo "$STORE/repos/many/image$i"; done | xargs mkdir
  for ((i = 1; i < $1; i++)); do echo "$STORE/repos/many/image$i"; done | xargs -n 1 cp -a "$T/image0/1"
}

# What a listing says with what earlier ones have kept is what it says without.
assert_remembers_right() {
  local how with
  for how in '-q ls' 'ls -l' 'ls --format json'; do
    # shellcheck disable=SC2086
    with=$(udocker-image $how)
    mv "$STORE/.listing" "$T/kept"
    # shellcheck disable=SC2086
    [ "$with" = "$(udocker-image $how)" ] || fail "$1: $how differs"
    mv "$T/kept" "$STORE/.listing"
  done
}

@test "a listing of many images is kept for the next one and never believed where the store has changed" {
  many_images 300
  refute_file "$STORE/.listing"
  sleep 4 # what has changed within seconds is not kept
  ok udocker-image ls
  assert_file "$STORE/.listing"
  [ "$(stat -c %a "$STORE/.listing")" = 644 ] || [ "$(stat -c %a "$STORE/.listing")" = 600 ]
  assert_remembers_right 'unchanged'
  local tag=$STORE/repos/many/image7/1 config
  udocker-image protect many/image3:1
  udocker-image rm many/image4:1
  udocker-image tag many/image5:1 many/copy:2
  mkdir "$STORE/repos/many/image6/deeper"
  cp -a "$tag" "$STORE/repos/many/image6/deeper/"
  assert_remembers_right 'protect, rm, tag, a folder'
  [[ $(udocker-image ls) == *"many/image3:1 "*protected* ]]
  # In place, as 1.3.x writes: the directory stays what it was.
  jq -c '.added = 1' "$tag/manifest" >"$T/manifest"
  cat "$T/manifest" >"$tag/manifest"
  assert_remembers_right 'manifest rewritten'
  [ "$(udocker-image ls --format json | jq -r '.[] | select(.name == "many/image7") | .digest')" = \
    "sha256:$(sha256sum "$tag/manifest" | cut -d' ' -f1)" ]
  rm "$STORE/repos/many/image8/1/manifest"
  assert_remembers_right 'no manifest'
  config=$(jq -r .config.digest "$tag/manifest")
  mv "$STORE/layers/$config" "$T/config"
  assert_remembers_right 'no configuration'
  [[ $(udocker-image ls) == *"many/image9:1 "*damaged* ]]
  sed 's/amd64/arm64/' "$T/config" >"$STORE/layers/$config"
  assert_remembers_right 'another configuration'
  rm "$STORE/layers/$(jq -r '.layers[0].digest' "$tag/manifest")"
  assert_remembers_right 'no layer'
  ok udocker-image ls
  sleep 4
  ok udocker-image ls
  assert_remembers_right 'kept once more'
}

@test "who stores images does the reading for the first listing of a store that grows large" {
  many_images 300
  sleep 4
  udocker-image tag many/image0:1 many/tag0:1
  [ "$(stat -c %s "$STORE/.lock-repos")" = 2 ] || fail "two images are not counted as two"
  truncate -s 253 "$STORE/.lock-repos"
  udocker-image tag many/image0:1 many/tag1:1
  udocker-image tag many/image0:1 many/tag2:1
  refute_file "$STORE/.listing"
  udocker-image tag many/image0:1 many/tag3:1
  assert_file "$STORE/.listing"
  assert_remembers_right 'after tags alone'
  grep -q image299 "$STORE/.listing"
}

@test "a listing does without what it cannot keep" {
  requires user
  many_images 300
  sleep 4
  chmod 500 "$STORE"
  ok udocker-image ls -q
  assert_contains many/image299:1
  refute_file "$STORE/.listing"
  chmod 700 "$STORE"
  mkdir "$STORE/.listing"
  ok udocker-image ls -q
  assert_contains many/image299:1
}

@test "ps -m -s -p shows mode, size and platform between 1.3.x's columns" {
  busybox_image bb:1 '{"Cmd":["/bin/sh"],"Env":["PATH=/bin"]}'
  ID=$(udocker-bundle create --name=c1 bb:1)
  head -c 3500000 /dev/urandom >"$STORE/containers/$ID/ROOT/big"
  local mb platform
  mb=$(du -s -m -x "$STORE/containers/$ID" | cut -f1)
  platform=$(udocker-image ls --format json | jq -r '.[0] | .os + "/" + .architecture')
  ok udocker ps -m -s -p
  assert_output "$(printf '%-36.36s %c %c MOD SIZE %-18s %-18s %-20.20s\n%-36.36s %c %c %2.2s %5.5s %-18.18s %-18.100s %-20.100s' \
    'CONTAINER ID' P M PLATFORM NAMES IMAGE "$ID" . W "$(default_mode)" "$mb" "$platform" "['c1']" bb:1)"
  ok udocker-bundle setup --execmode=P2 c1
  ok udocker ps -m
  assert_contains "$ID . W P2 ['c1']"
  ok udocker-bundle ls -m -s -p
  assert_contains PLATFORM
  assert_matches "$ID +c1 +bb:1 +yes +no +P2 +[0-9.]+ [kMG]i?B +$platform"
  ok udocker-bundle ls -s -p --format json
  printf '%s' "$output" | jq -e --arg p "$platform" '.[0] | .platform == $p and .size > 3500000 and .mode == "P2"'
  rm -rf "$STORE/containers/$ID/ROOT"
  ok udocker ps -s -p
  assert_contains "$ID . N "
}
