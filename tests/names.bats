#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# bats: also in P1
# Names, ids and prefixes of containers; names that could do harm.

load helpers

setup() {
  common_setup
  busybox_container c1
}

@test "create prints the id alone, and the id has the form that 1.3.x expects" {
  ok udocker create bb:1
  assert_matches '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$'
  assert_no_stderr
}

@test "a name is a relative link beside the container, and there may be several" {
  [ "$(readlink "$STORE/containers/c1")" = "$ID" ]
  ok udocker name "$ID" second
  assert_output ""
  [ "$(readlink "$STORE/containers/second")" = "$ID" ]
  ok udocker ps
  assert_contains "['c1', 'second']"
  ok udocker run --nobanner second /bin/true
  ok udocker rmname second
  refute_file "$STORE/containers/second"
  ok udocker rename c1 renamed
  [ "$(readlink "$STORE/containers/renamed")" = "$ID" ]
  refute_file "$STORE/containers/c1"
}

@test "a name that is taken is refused and nothing changes" {
  local other
  other=$(udocker create bb:1)
  fails 1 udocker name "$other" c1
  assert_one_error_line
  [ "$(readlink "$STORE/containers/c1")" = "$ID" ]
  local before
  before=$(ls "$STORE/containers")
  fails 1 udocker create --name=c1 bb:1
  assert_output ""
  [ "$(ls "$STORE/containers")" = "$before" ]
}

@test "names that are no names are refused, each with one line, and leave nothing" {
  local before bad
  before=$(ls -A "$STORE/containers")
  for bad in '' . .. a/b /abs ../up 'a b' a.b '[x]' $'new\nline' $'bell\a' -dash "$ID" "$(printf 'x%.0s' {1..300})"; do
    fails 1 udocker name "$ID" "$bad"
    assert_one_error_line
    fails 1 udocker create "--name=$bad" bb:1
    assert_one_error_line
    assert_output ""
  done
  [ "$(ls -A "$STORE/containers")" = "$before" ]
  assert_store_clean
}

@test "a prefix of at least four characters names one container, an ambiguous one none" {
  ok udocker inspect -p "${ID:0:4}"
  assert_output "$STORE/containers/$ID/ROOT"
  fails 1 udocker inspect -p "${ID:0:3}"
  # A second container with the same beginning.
  local twin=${ID:0:8}-0000-0000-0000-000000000000
  cp -r "$STORE/containers/$ID" "$STORE/containers/$twin"
  fails 1 udocker rm "${ID:0:8}"
  assert_one_error_line
  assert_stderr_contains "$twin"
  ok udocker inspect -p "$twin"
}

@test "an image that is called as an id begins is the image, a container of that name is the container" {
  local other
  udocker tag bb:1 "${ID:0:8}:latest"
  fails 125 udocker run --nobanner --pull=never "${ID:0:5}:latest" /bin/true
  # The beginning of an id alone.
  ok udocker run --nobanner "${ID:0:7}" /bin/sh -c 'echo $container_uuid'
  assert_output "$ID"
  ok udocker run --nobanner --rm "${ID:0:8}" /bin/sh -c 'echo $container_uuid'
  assert_matches '^[0-9a-f-]{36}$'
  [ "$output" != "$ID" ] || fail "the image is shadowed"
  ok udocker inspect "${ID:0:8}"
  ok udocker protect "${ID:0:8}"
  refute_file "$STORE/containers/$ID/PROTECT"
  assert_file "$STORE/repos/${ID:0:8}/latest/PROTECT"
  ok udocker unprotect "${ID:0:8}"
  # Whole names and ids of containers win over images, as in 1.3.x.
  udocker tag bb:1 c1:latest
  ok udocker run --nobanner c1 /bin/sh -c 'echo $container_uuid'
  assert_output "$ID"
  # Nor does the beginning of an id stand for a name that is to be reused.
  ok udocker run --nobanner --pull=reuse --name="${ID:0:6}" bb:1 /bin/sh -c 'echo $container_uuid'
  [ "$output" != "$ID" ] || fail "the container is reused by the beginning of its id"
  ok udocker inspect -p "${ID:0:6}"
  other=$output
  ok udocker run --nobanner --pull=reuse --name="${ID:0:6}" bb:1 /bin/sh -c 'echo $container_root'
  assert_output "$other"
}

@test "a protected container is not removed until it is unprotected" {
  ok udocker protect c1
  assert_file "$STORE/containers/$ID/PROTECT"
  fails 1 udocker rm c1
  assert_one_error_line
  fails 1 udocker rm -f c1
  fails 1 udocker setup --execmode=P2 c1
  ok udocker unprotect c1
  ok udocker rm c1
  refute_file "$STORE/containers/$ID"
  refute_file "$STORE/containers/c1"
}

@test "what is protected while rm is at work stays, with its names" {
  requires preload
  local rm status
  ok udocker-bundle name c1 c2
  # rm stands still where it has looked and not yet taken the container away.
  FAULTS=rename:1:STOP FAULTS_DIR=$STORE LD_PRELOAD=$SUITE_TOOLS/faults.so ASAN_OPTIONS="${ASAN_OPTIONS:-}:verify_asan_link_order=0" \
    udocker-bundle rm c1 >rm.out 2>rm.err 3>&- &
  rm=$!
  wait_until 20 grep -q '^State:.T' "/proc/$rm/status" || fail "rm does not stop: $(cat rm.err)"
  ok udocker-bundle protect "$ID"
  kill -CONT "$rm"
  status=0
  wait "$rm" || status=$?
  [ "$status" -eq 1 ] || fail "rm: $status: $(cat rm.err)"
  [ "$(wc -l <rm.err)" -eq 1 ]
  grep -q "container $ID is protected" rm.err || fail "$(cat rm.err)"
  ok udocker-bundle ls --format json
  printf '%s' "$output" | jq -e '.[0] | .protected and .names == ["c1", "c2"]' || fail "$output"
  ok udocker-bundle verify c2
  ok udocker-bundle unprotect c1
  ok udocker-bundle rm c2
  [ -z "$(ls -A "$STORE/containers")" ]
}

@test "a protected image likewise" {
  ok udocker protect bb:1
  fails 1 udocker rmi bb:1
  assert_one_error_line
  ok udocker images
  assert_contains "bb:1    P"
  ok udocker unprotect bb:1
  ok udocker rmi bb:1
  [ -z "$(ls -A "$STORE/layers")" ]
  [ -z "$(ls -A "$STORE/repos")" ]
}

@test "rm of several goes on after one that is unknown and ends with 1" {
  local other
  other=$(udocker create bb:1)
  fails 1 udocker rm c1 unknown-name "$other"
  [ "$(grep -v '^Info: ' <<<"$stderr")" = "Error: no such container: 'unknown-name'" ] || fail "not one error"
  assert_stderr_contains "Info: deleting container: $ID"
  assert_stderr_contains "Info: deleting container: $other"
  refute_file "$STORE/containers/$ID"
  refute_file "$STORE/containers/$other"
}

@test "rm removes a tree with folders nobody may enter, and files hard-linked from outside keep their mode (FIX-63)" {
  mkdir -p "$STORE/containers/c1/ROOT/locked/inside"
  echo keep >"$T/keep"
  chmod 444 "$T/keep"
  ln "$T/keep" "$STORE/containers/c1/ROOT/locked/link"
  chmod 000 "$STORE/containers/c1/ROOT/locked"
  ok udocker rm -f c1
  refute_file "$STORE/containers/$ID"
  [ "$(stat -c %a "$T/keep")" = 444 ]
}

@test "image names with .., blanks, control characters or options are refused" {
  local bad
  for bad in ../x a/../b 'a b' $'a\nb' /abs a//b -x a: :tag 'a:b:c/d' "$(printf 'x%.0s' {1..300})"; do
    fails 1 udocker rmi "$bad"
    assert_one_error_line
    fails 2 udocker-image load -i "$(rootfs_tar)" "$bad"
    assert_one_error_line
  done
  assert_store_clean
}
