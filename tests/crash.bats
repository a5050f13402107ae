#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# kill -9 in the middle of load, create and rm: the old or the new state is there, and the command repeated succeeds.

load helpers

INSTANTS=${CRASH_INSTANTS:-20}

setup() {
  common_setup
  # Enough files and bytes that an instant hits the middle.
  local i
  mkdir -p tree
  for i in {1..300}; do mkdir -p "tree/d$i" && head -c 20000 /dev/urandom >"tree/d$i/f"; done
  layer layer.tar tree
  mkimage -f oci -z gzip -n crash:1 image.tar layer.tar "$(rootfs_tar)"
}

# kill_at SECONDS CMD...: start it, kill it there.
kill_at() {
  local delay=$1 pid
  shift
  "$@" >/dev/null 2>&1 &
  pid=$!
  sleep "$delay"
  kill -9 "$pid" 2>/dev/null || true
  wait "$pid" 2>/dev/null || true
}

# duration CMD...: seconds of one undisturbed run.
duration() {
  local start=$EPOCHREALTIME
  "$@" >/dev/null
  echo "$EPOCHREALTIME $start" | awk '{print $1 - $2}'
}

instant() { awk -v d="$1" -v i="$2" -v n="$INSTANTS" 'BEGIN { printf "%.4f", d * (i + 0.5) / n * 1.1 }'; }

@test "load killed at any instant" {
  local d nth
  d=$(duration udocker-image load -q -i image.tar)
  for ((nth = 0; nth < INSTANTS; nth++)); do
    chmod -R u+w "$STORE" && rm -rf "$STORE"
    kill_at "$(instant "$d" "$nth")" udocker-image load -q -i image.tar
    # Whole or not there.
    if udocker-image ls -q 2>/dev/null | grep -qx crash:1; then ok udocker-image verify crash:1; fi
    ok udocker-image load -q -i image.tar
    ok udocker-image verify crash:1
    ok udocker-image rm crash:1
    assert_store_clean
    [ -z "$(ls -A "$STORE/layers")" ]
  done
}

@test "replacing an image, killed at any instant, leaves the old or the new one" {
  mkimage -f oci -n crash:1 other.tar "$(rootfs_tar)"
  local d old new now nth
  udocker-image load -q -i other.tar
  old=$(udocker-image ls --format json | jq -r '.[0].digest')
  d=$(duration udocker-image load -q -i image.tar)
  new=$(udocker-image ls --format json | jq -r '.[0].digest')
  for ((nth = 0; nth < INSTANTS; nth++)); do
    udocker-image load -q -i other.tar
    kill_at "$(instant "$d" "$nth")" udocker-image load -q -i image.tar
    now=$(udocker-image ls --format json | jq -r '.[0].digest')
    [ "$now" = "$old" ] || [ "$now" = "$new" ] || fail "neither old nor new: $now"
    ok udocker-image verify crash:1
  done
}

@test "create killed at any instant" {
  udocker-image load -q -i image.tar
  local d id nth
  d=$(duration udocker-bundle create crash:1)
  udocker-bundle rm "$(udocker-bundle ls -q)"
  for ((nth = 0; nth < INSTANTS; nth++)); do
    kill_at "$(instant "$d" "$nth")" udocker-bundle create --name=c crash:1
    # A container that is listed is whole.
    for id in $(udocker-bundle ls -q); do
      assert_file "$STORE/containers/$id/config.json"
      assert_file "$STORE/containers/$id/ROOT/d300/f"
      ok udocker-bundle rm "$id"
    done
    ok udocker-bundle create --name=c crash:1
    ok udocker-bundle rm c
    assert_store_clean
    [ -z "$(ls -A "$STORE/containers")" ]
  done
}

@test "rm and rmi killed at any instant" {
  udocker-image load -q -i image.tar
  local d id nth
  id=$(udocker-bundle create --name=c crash:1)
  d=$(duration udocker-bundle rm c)
  for ((nth = 0; nth < INSTANTS; nth++)); do
    id=$(udocker-bundle create --name=c crash:1)
    kill_at "$(instant "$d" "$nth")" udocker-bundle rm c
    # What is still listed is whole enough to be removed, under its id.
    for id in $(udocker-bundle ls -q); do ok udocker-bundle rm "$id"; done
    ok udocker-bundle create --name=c crash:1
    ok udocker-bundle rm c
    assert_store_clean
  done
  d=$(duration udocker-image rm crash:1)
  for ((nth = 0; nth < INSTANTS; nth++)); do
    udocker-image load -q -i image.tar
    kill_at "$(instant "$d" "$nth")" udocker-image rm crash:1
    ok udocker-image load -q -i image.tar
    ok udocker-image verify crash:1
    ok udocker-image rm crash:1
    [ -z "$(ls -A "$STORE/layers")" ]
  done
}

@test "an interrupt ends load and create with 128 + its number and leaves nothing" {
  mkfifo pipe
  udocker-image load -i pipe &
  local pid=$! status=0
  exec 8>pipe
  head -c 200000 image.tar >&8
  sleep 0.3
  kill -TERM $pid
  exec 8>&-
  wait $pid || status=$?
  [ $status -eq 143 ]
  ok udocker-image ls -q
  assert_output ""
  assert_store_clean
}
