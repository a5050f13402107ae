#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Containers of images that are still being pulled: layers are unpacked while they arrive, nothing is seen before all of it was checked, and whatever
# becomes of the pull or of the follower leaves nothing half-made. The registry holds a layer back until a test lets it go on: no time is asserted.

load helpers
load registry

setup() {
  common_setup
  registry_setup
  mkdir -p "$STORE"
}
teardown() {
  touch "$T/go"
  registry_teardown
}

# held_image COMPRESSION: two layers of two files each, file1 and file2 in the base, file3 and file4 above, behind the bad registry, which sends half of the upper
# one and then waits for $T/go. A file of the upper one has $BYTES, or 300,000. Sets L (its digest), BASE and SIZE.
held_image() {
  local i
  mkdir base upper
  for i in 1 2; do head -c 300000 /dev/urandom >"base/file$i"; done
  for i in 3 4; do head -c "${BYTES:-300000}" /dev/urandom >"upper/file$i"; done
  layer base.tar base
  layer upper.tar upper
  mkimage -f oci-dir -z "${1:-gzip}" -n img:1 img "$(rootfs_tar)" base.tar upper.tar
  BASE=$(layer_of img 2) L=$(layer_of img 3)
  SIZE=$(stat -c %s "$(blob_file img "$L")")
  bad_registry img
  rules "blobs/$L 1 hold $((SIZE / 2 + 20000)) $T/go ${2:-}"
  IMG=$B/x:1
}
# The half that is there can be seen in staging: file3 is complete, file4 is not there or not complete.
staged() { find "$STORE/.stage" -path "*/${1:-file3}" 2>/dev/null | grep -q .; }
half_unpacked() { wait_until 30 staged || fail "nothing is unpacked ahead: $(cat "$T"/*.err)"; }
has_begun() { wait_until 30 grep -q "blobs/$L" "$BLOG" || fail "no pull: $(cat "$T"/*.err)"; }
pull_is_held() { wait_until 30 sh -c "[ \$(stat -c %s '$STORE/layers/.partial-$L') -ge $((SIZE / 2 + 20000)) ]"; }
nothing_visible() {
  [ -z "$(find "$STORE/repos" -name TAG 2>/dev/null)" ] || fail "a tag is there"
  [ -z "$(find "$STORE/containers" -mindepth 1 -maxdepth 1 ! -name '.*' 2>/dev/null)" ] || fail "a container is there"
  [ ! -e "$STORE/layers/$L" ] || fail "the layer is there"
}
no_announcement() { [ -z "$(find "$STORE/layers" -name '.partial-image-*')" ] || fail "an announcement stayed"; }
assert_root() { # DIR
  local i
  for i in 1 2; do cmp "base/file$i" "$1/file$i"; done
  for i in 3 4; do cmp "upper/file$i" "$1/file$i"; done
  [ -x "$1/bin/busybox" ]
}
# job NAME CMD...: in the background with files of its own; sets JOB.
job() {
  local name=$1
  shift
  env --default-signal=INT "$@" >"$T/$name.out" 2>"$T/$name.err" 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&- &
  JOB=$!
  SERVERS+=("$JOB")
}
# ended PID STATUS NAME
ended() {
  local got=0
  wait "$1" || got=$?
  output=$(cat "$T/$3.out")
  # shellcheck disable=SC2034 # helpers.bash reads it
  stderr=$(cat "$T/$3.err")
  [ "$got" -eq "$2" ] || fail "$3: exit status $got, wanted $2"
}
start_pull() {
  : >"$BLOG"
  job pull udocker-image -q pull --insecure "$IMG"
  PULL=$JOB
  has_begun
}
start_create() { job create udocker-bundle -q create "$@" "$IMG" && CREATE=$JOB; }

@test "create during a pull unpacks a layer while it arrives, and shows nothing before the pull is done" {
  local kind
  for kind in gzip zstd none; do
    rm -rf base upper img go "$STORE"/{layers,repos,containers}/*
    held_image "$kind"
    start_pull
    start_create
    half_unpacked
    nothing_visible
    [ ! -s "$T/create.out" ] || fail "an id was printed"
    touch go
    ended "$PULL" 0 pull
    ended "$CREATE" 0 create
    assert_root "$STORE/containers/$output/ROOT"
    [ "$(cat "$STORE/containers/$output/imagerepo.name")" = "$IMG" ]
    ok udocker-bundle verify "$output"
    ok udocker-image verify "$IMG"
    assert_store_clean
    no_announcement
    [ "$(asked "GET .*blobs/$L")" -eq 1 ] || fail "fetched more than once"
    registry_teardown
  done
}

@test "run of an absent image unpacks while it pulls, and prints the program's output alone" {
  held_image
  job run udocker --insecure run --nobanner --name=c "$IMG" /bin/sh -c 'echo out; exit 3'
  half_unpacked
  nothing_visible
  touch go
  ended "$JOB" 3 run
  assert_output out
  assert_stderr_contains "Info: image $IMG is not in the store, pulling it"
  assert_root "$STORE/containers/c/ROOT"
  assert_store_clean
  no_announcement
  ok udocker --insecure -q run --rm "$IMG" /bin/true
  [ "$(asked "GET .*blobs/$L")" -eq 1 ] || fail "fetched again"
}

@test "run --quiet of an absent image says nothing of its own, with --rm it leaves the image alone" {
  held_image
  job run udocker -q --insecure run --rm "$IMG" /bin/cat /file3
  half_unpacked
  touch go
  wait "$JOB" || fail "failed: $(cat "$T/run.err")"
  cmp run.out upper/file3
  [ ! -s run.err ] || fail "messages: $(cat run.err)"
  [ -z "$(ls -A "$STORE/containers")" ]
  ok udocker-image verify "$IMG"
}

@test "a free-standing bundle is made during a pull too, by who only reads the store" {
  held_image
  start_pull
  start_create --bundle "$T/bundle"
  wait_until 30 sh -c "ls -A '$T'/.bundle.udocker-*/rootfs/file3" || fail "nothing is unpacked ahead"
  [ ! -e bundle ] || fail "it is there already"
  touch go
  ended "$PULL" 0 pull
  ended "$CREATE" 0 create
  assert_root bundle/rootfs
  [ -z "$(find . -maxdepth 1 -name '.bundle*')" ]
}

@test "a pull that is killed ends its follower with one line; nothing is left but what the next pull goes on with" {
  held_image
  start_pull
  start_create
  half_unpacked
  pull_is_held
  kill -9 "$PULL"
  ended "$CREATE" 1 create
  assert_one_error_line
  assert_stderr_contains "$IMG: its pull ended before it was complete; nothing was made; pull it again"
  nothing_visible
  assert_store_clean
  fails 1 udocker-bundle create "$IMG"
  assert_one_error_line
  assert_stderr_contains "no such image"
  touch go
  start_create
  ended "$CREATE" 1 create
  ok udocker-image -q pull --insecure "$IMG"
  [ "$(asked "GET .*blobs/$L bytes=[1-9]")" -eq 1 ] || fail "not gone on with: $(cat "$BLOG")"
  no_announcement
  ok udocker-bundle -q create "$IMG"
  assert_root "$STORE/containers/$output/ROOT"
}

@test "a pull that goes on where a killed one stopped is followed from the beginning" {
  held_image
  start_pull
  pull_is_held
  kill -9 "$PULL"
  wait "$PULL" || true
  rm -f go
  rules "blobs/$L 1 hold 10000 $T/go"
  start_pull
  start_create
  half_unpacked
  nothing_visible
  touch go
  ended "$PULL" 0 pull
  ended "$CREATE" 0 create
  assert_root "$STORE/containers/$output/ROOT"
  [ "$(asked "GET .*blobs/$L bytes=[1-9]")" -eq 1 ] || fail "not gone on with: $(cat "$BLOG")"
  assert_store_clean
}

@test "a follower that is killed or interrupted leaves the pull alone, and its staging goes with the next command" {
  held_image
  start_pull
  start_create
  half_unpacked
  local dead
  dead=$(find "$STORE/.stage" -path "*/file3")
  kill -9 "$CREATE"
  wait "$CREATE" || true
  start_create
  wait_until 30 sh -c "find '$STORE/.stage' -path '*/file3' | grep -qvF '$dead'" || fail "nothing is unpacked ahead"
  kill -INT "$CREATE"
  ended "$CREATE" 130 create
  assert_one_error_line
  assert_stderr_contains "interrupted: nothing was made"
  touch go
  ended "$PULL" 0 pull
  ok udocker-bundle -q create "$IMG"
  assert_root "$STORE/containers/$output/ROOT"
  assert_store_clean
}

@test "a wrong digest at the end: the pull's error alone is told, and nothing was made" {
  held_image gzip flip
  job run udocker -q --insecure run "$IMG" /bin/true
  half_unpacked
  touch go
  ended "$JOB" 125 run
  assert_one_error_line
  assert_stderr_contains "$L: digest mismatch"
  nothing_visible
  assert_store_clean
  no_announcement
  rm -f go
  rules "blobs/$L 1 hold 10000 $T/go flip"
  start_pull
  start_create
  wait_until 30 staged file2 || fail "nothing is unpacked ahead"
  touch go
  ended "$PULL" 1 pull
  assert_stderr_contains "$L: digest mismatch"
  ended "$CREATE" 1 create
  assert_one_error_line
  assert_stderr_contains "its pull ended before it was complete"
  nothing_visible
  assert_store_clean
}

@test "a wrong diff id: nothing is made of an image whose blobs are right" {
  held_image
  python3 - <<'PY'
import hashlib, json, os
def blob(data):
    d = hashlib.sha256(data).hexdigest()
    open("img/blobs/sha256/" + d, "wb").write(data)
    return {"digest": "sha256:" + d, "size": len(data)}
index = json.load(open("img/index.json"))
m = json.load(open("img/blobs/" + index["manifests"][0]["digest"].replace(":", "/")))
c = json.load(open("img/blobs/" + m["config"]["digest"].replace(":", "/")))
c["rootfs"]["diff_ids"][2] = "sha256:" + "0" * 64
m["config"].update(blob(json.dumps(c).encode()))
index["manifests"][0].update(blob(json.dumps(m).encode()))
json.dump(index, open("img/index.json", "w"))
PY
  start_pull
  start_create
  half_unpacked
  touch go
  ended "$PULL" 0 pull
  ended "$CREATE" 1 create
  assert_one_error_line
  assert_stderr_contains "$L of $IMG: diff id mismatch"
  [ -z "$(ls -A "$STORE/containers")" ]
  assert_store_clean
}

@test "a pull that has to begin a layer anew: the follower begins anew as well" {
  held_image
  mkdir -p "$STORE/layers"
  # What a former pull seems to have left is not the beginning of this layer; at the end the pull notices.
  head -c 200000 /dev/urandom >"$STORE/layers/.partial-$L"
  rules "blobs/$L 1 hold 1000 $T/go"
  start_pull
  start_create
  wait_until 30 staged file2 || fail "nothing is unpacked ahead"
  touch go
  ended "$PULL" 0 pull
  ended "$CREATE" 0 create
  [ "$(asked "GET .*blobs/$L")" -eq 2 ] || fail "not begun anew: $(cat "$BLOG")"
  assert_root "$STORE/containers/$output/ROOT"
  ok udocker-bundle verify "$output"
  assert_store_clean
  no_announcement
}

@test "connections that break off, and layers that are there already, change nothing for the follower" {
  held_image
  ok udocker-image load -q -i img
  ok udocker-image tag img:1 other:1
  ok udocker-image rm img:1
  rm "$STORE/layers/$L"
  rules "blobs/$L 1 truncate 100000" "blobs/$L 1 reset 50000" "blobs/$L 1 hold 200000 $T/go"
  start_pull
  start_create
  half_unpacked
  touch go
  ended "$PULL" 0 pull
  ended "$CREATE" 0 create
  assert_root "$STORE/containers/$output/ROOT"
  [ "$(asked "GET .*blobs/$BASE")" -eq 0 ] || fail "what was there was fetched"
  [ "$(asked "GET .*blobs/$L")" -eq 3 ] || fail "not broken off: $(cat "$BLOG")"
}

@test "two pulls and two runs at once share the work and all succeed" {
  held_image
  start_pull
  job second udocker-image -q pull --insecure "$IMG"
  local second=$JOB run1 run2
  job run1 udocker -q --insecure run "$IMG" /bin/cat /file4
  run1=$JOB
  job run2 udocker -q --insecure run "$IMG" /bin/cat /file4
  run2=$JOB
  wait_until 30 sh -c "[ \$(find '$STORE/.stage' -name file3 | wc -l) -eq 2 ]" || fail "nothing is unpacked ahead"
  touch go
  ended "$PULL" 0 pull
  ended "$second" 0 second
  wait "$run1" || fail "run 1: $(cat run1.err)"
  wait "$run2" || fail "run 2: $(cat run2.err)"
  cmp run1.out upper/file4
  cmp run2.out upper/file4
  [ "$(asked "GET .*blobs/$L")" -eq 1 ] || fail "fetched more than once: $(cat "$BLOG")"
  assert_store_clean
  no_announcement
}

@test "a follower has enough with 64 MiB, whatever the size of layers and whatever packed them" {
  once
  local kind kib
  for kind in gzip none; do
    rm -rf base upper img go "$STORE"/{layers,repos,containers}/*
    BYTES=35000000 held_image "$kind"
    start_pull
    job create usage "$T/peak" udocker-bundle -q create "$IMG"
    CREATE=$JOB
    half_unpacked
    touch go
    ended "$PULL" 0 pull
    ended "$CREATE" 0 create
    assert_root "$STORE/containers/$output/ROOT"
    kib=$(cut -d' ' -f1 peak)
    [ "$kib" -le $((64 * 1024)) ] || fail "$kind: $kib KiB"
    [ "$kib" -gt 1024 ] || fail "that cannot be: $kib KiB"
    registry_teardown
  done
}

@test "of two pulls that are followed either may be killed" {
  local killed second
  for killed in first second; do
    rm -rf base upper img go "$STORE"/{layers,repos,containers}/*
    held_image
    start_pull
    wait_until 30 sh -c "ls '$STORE/layers' -A | grep -q '^.partial-image-'" || fail "no announcement"
    job second udocker-image -q pull --insecure "$IMG"
    second=$JOB
    wait_until 30 sh -c "[ \$(ls -A '$STORE/layers' | grep -c '^.partial-image-') -eq 2 ]" || fail "one of them is not announced"
    start_create
    half_unpacked
    if [ "$killed" = first ]; then
      kill -9 "$PULL"
      ended "$second" 0 second
    else
      kill -9 "$second"
      wait "$second" || true
      touch go
      ended "$PULL" 0 pull
    fi
    ended "$CREATE" 0 create
    assert_root "$STORE/containers/$output/ROOT"
    ok udocker-image -q pull --insecure "$IMG" # takes away what a dead one left
    assert_store_clean
    registry_teardown
  done
}

@test "--pull=never does not follow what others pull, nor does create of an image that is stored" {
  held_image
  start_pull
  fails 125 udocker run --pull=never "$IMG" /bin/true
  assert_one_error_line
  assert_stderr_contains "no such container or image"
  touch go
  ended "$PULL" 0 pull
  rm go
  rules "blobs/$L 1 hold 10000 $T/go"
  ok udocker-image rm "$IMG"
  busybox_image "$IMG"
  start_pull
  ok udocker-bundle -q create "$IMG"
  refute_file "$STORE/containers/$output/ROOT/file1"
  touch go
  ended "$PULL" 0 pull
}

@test "a store that cannot be written is an error of the pull, told once" {
  requires user
  held_image
  touch go
  mkdir -p "$STORE"/{repos,layers,containers,bin,lib,doc}
  chmod 500 "$STORE" "$STORE/layers"
  fails 125 udocker -q --insecure run "$IMG" /bin/true
  chmod 700 "$STORE" "$STORE/layers"
  assert_one_error_line
  nothing_visible
}
