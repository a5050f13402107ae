#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# udocker-runtime engines: what engines need of the machine, told as it is now, with what would change a no; and that auto follows.

load helpers

setup() { common_setup; }

# need NAME: met, what was found and the remark of a requirement, as the last list of engines has them.
need() { jq -r --arg n "$1" '[.[].requires[] | select(.name == $n)][0] | "\(.met) \(.found): \(.remedy)"' <<<"$output"; }
# works ENGINE: can it be used, and else why not.
works() { jq -r --arg n "$1" '[.[] | select(.name == $n)][0] | "\(.available) \(.reason)"' <<<"$output"; }
engines() { ok "$@" udocker-runtime engines --format json; }

@test "a list for people: engines, an empty line, requirements" {
  ok udocker-runtime engines
  [[ ${output%%$'\n'*} =~ ^ENGINE\ +MODES\ +WORKS\ +VERSION\ +PATH\ +REMARK$ ]]
  [[ ${output#*$'\n\n'} =~ ^REQUIREMENT\ +MET\ +NEEDED\ BY\ +FOUND\ +REMARK$'\n' ]]
  local what
  for what in kernel ptrace yama seccomp "user namespaces" "subordinate ids" "control groups" /dev/fuse nesting "store executable" \
    "tmp executable"; do
    grep -qE "^$what  +(yes|no)  " <<<"$output" || fail "no $what"
  done
  assert_contains "Linux $(uname -r)"
}

@test "ptrace that is forbidden: said at once, although it worked before, and P modes with it (FIX-54)" {
  requires proot
  engines
  [[ $(need ptrace) == "true allowed:"* ]]
  [[ $(works proot) == true* ]]
  # What looks for leaks is a tracer too.
  ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0 engines deny ptrace:EPERM --
  [[ $(need ptrace) == "false forbidden"*SYS_PTRACE* ]] || fail "$(need ptrace)"
  [[ $(works proot) == "false cannot run a program here"* ]] || fail "$(works proot)"
  engines
  [[ $(works proot) == true* ]]
}

@test "user namespaces that are forbidden: R1 does not work, and auto takes what does" {
  requires user proot
  engines deny unshare:EPERM --
  [[ $(need "user namespaces") == "false user namespaces are "*P1* ]] || fail "$(need "user namespaces")"
  [[ $(works runc) == "false "* ]]
  local direct
  direct=$(jq -r '[.[] | select(.available and (.name | IN("trap", "proot")))][0].name' <<<"$output")
  [ "$(jq -r '[.[] | select(.auto)][0].name' <<<"$output")" = "$direct" ]
  busybox_container c1
  ok deny unshare:EPERM -- udocker-runtime --execmode auto run --dry-run -b "$BUNDLE" x1
  assert_contains "engine: $direct"
  assert_contains "user namespaces are"
}

@test "seccomp filters that are forbidden" {
  engines deny seccomp:EINVAL prctl:EINVAL --
  [[ $(need seccomp) == "false filters cannot be installed:"*P2* ]] || fail "$(need seccomp)"
}

@test "directories that nothing can be executed from, or written to" {
  requires userns
  mkdir "$T/fs" "$T/ro"
  chmod a-w "$T/ro"
  # shellcheck disable=SC2016  # for the inner shell
  engines unshare -Urm sh -c 'mount -t tmpfs -o noexec none "$0" && exec "$@"' "$T/fs" \
    env UDOCKER_CONTAINERS="$T/fs/deep/c" PROOT_TMP_DIR="$T/fs"
  [[ $(need "store executable") == "false $T/fs/deep/c is mounted noexec: "*UDOCKER_CONTAINERS* ]] || fail "$(need "store executable")"
  [[ $(need "tmp executable") == "false $T/fs is mounted noexec: "*PROOT_TMP_DIR* ]] || fail "$(need "tmp executable")"
  [ "$(id -u)" != 0 ] || return 0
  engines env PROOT_TMP_DIR="$T/ro"
  [[ $(need "tmp executable") == "false $T/ro cannot be written: "* ]] || fail "$(need "tmp executable")"
}

@test "inside PRoot, and inside other containers" {
  requires proot
  ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0 ok proot -r / udocker-runtime engines
  assert_matches "nesting +no +- +inside PRoot"
  ok env container=lxc udocker-runtime engines
  assert_matches "nesting +no +- +inside "
}

@test "auto is the same each time, and says why" {
  busybox_container c1
  local first
  for _ in 1 2 3; do
    ok udocker-runtime --execmode auto run --dry-run -b "$BUNDLE" x1
    first=${first:-$output}
    assert_contains "auto"
    [ "$(grep -E '^(engine|mode|why|chosen)' <<<"$output")" = "$(grep -E '^(engine|mode|why|chosen)' <<<"$first")" ]
  done
}
