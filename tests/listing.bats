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
