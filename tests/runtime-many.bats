#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2317  # called through each_engine
# bats: also as root
# Many containers at once, from create to delete: no process, descriptor, file or mount is left, and none of ours grows with their number.

load helpers
load drivers

setup() {
  common_setup
  drivers_setup
  B=$D/bundle
  mkdir "$B"
  mkrootfs "$B/rootfs"
  if [ "$(id -u)" = 0 ]; then udocker-runtime spec -b "$B"; else udocker-runtime spec --rootless -b "$B"; fi
  jq '.process.terminal = false | .process.args = ["sleep", "'"$MARK"'"] | .root.readonly = false | del(.process.rlimits)
    | .linux.namespaces |= map(select(.type == "user" or .type == "mount")) | .mounts |= map(select(.type != "cgroup"))' \
    "$B/config.json" >"$D/config.json"
  mv "$D/config.json" "$B/config.json"
}
teardown() {
  local id
  for id in $(rt list -q 2>/dev/null); do rt delete --force "$id" >/dev/null 2>&1 || true; done
  drivers_teardown
}

rt() { "${DRIVE[@]}" "$RT" --root "$D/state" "$@"; }
# Names below the state root and in the folders for temporary files, what is remembered for all containers aside.
files() { find "$D/state" "$TMPDIR" "$B" -mindepth 1 ! -path "$D/state/@*" | sort; }
statuses() { rt list -f json | jq -r '.[].status' | sort | uniq -c | xargs; }
# The open files and the memory in KiB of the process that waits for a container.
waiter() {
  local pid
  pid=$(rt state "$1" | jq .pid)
  echo "$(ls "/proc/$pid/fd" | wc -l) $(awk '/^VmRSS/ { print $2 }' "/proc/$pid/status")"
}

# many ENGINE N
many() {
  local n=$2 before i first last
  rt --engine "$1" create -b "$B" --pid-file "$D/pid" c0 </dev/null >/dev/null
  first=$(waiter c0)
  rt delete --force c0
  before=$(files)
  for ((i = 1; i <= n; i++)); do
    rt --engine "$1" create -b "$B" "c$i" </dev/null >/dev/null 2>"$D/err" || fail "create $i: $(cat "$D/err")"
  done
  [ "$(statuses)" = "$n created" ] || fail "$(statuses)"
  last=$(waiter "c$n")
  if [ "$1" = proot ]; then # one that waits knows nothing of the others
    [ "${last% *}" = "${first% *}" ] || fail "open files: $first, then $last"
    [ "${last#* }" -le $((${first#* } + 1024)) ] || fail "memory: $first, then $last"
  fi
  for ((i = 1; i <= n; i++)); do rt start "c$i" || fail "start $i"; done
  [ "$(statuses)" = "$n running" ] || fail "$(statuses)"
  [ "$(rt list -q | wc -l)" -eq "$n" ]
  for ((i = 1; i <= n; i++)); do rt kill "c$i" || fail "kill $i"; done
  wait_until 60 all_stopped "$n" || fail "$(statuses)"
  for ((i = 1; i <= n; i++)); do rt delete "c$i" || fail "delete $i"; done
  [ "$(rt list -f json)" = "[]" ]
  [ "$(files)" = "$before" ] || fail "left: $(diff <(echo "$before") <(files))"
  nothing_left --root "$D/state"
}
all_stopped() { [ "$(statuses)" = "$1 stopped" ]; }

@test "PRoot: 200 containers come and go" {
  requires proot
  many proot "$(as_often 200 20)"
}

@test "runc and crun: 8 containers come and go" {
  once
  for ENGINE in $ENGINES; do
    [ "$ENGINE" = proot ] || many "$ENGINE" 8
  done
}

@test "valgrind: what create, start, state, list, kill and delete take they give back" {
  once
  requires proot valgrind
  vg() { valgrind -q --leak-check=full --errors-for-leak-kinds=definite,indirect --error-exitcode=99 --trace-children=no --track-fds=no "$RT" --root "$D/state" "$@"; }
  # Not through `ok`: what waits for the start keeps create's output.
  vg --engine proot create -b "$B" --pid-file "$D/pid" c </dev/null >"$D/out" 2>&1 || fail "$(cat "$D/out")"
  ok vg start c
  ok vg state c
  ok vg list -f json
  ok vg kill c KILL
  wait_until 10 all_stopped 1
  ok vg delete c
  fails 1 vg --engine proot create -b "$T" c
  nothing_left --root "$D/state"
}
