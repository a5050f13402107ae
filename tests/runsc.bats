#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# bats: not under the sanitizers
# bats: also as root
# gVisor's runsc in mode R1: what it does otherwise than runc and crun, and what keeps it from working. What all engines promise is in lifecycle.bats.
# shellcheck disable=SC2034  # runtime.bash reads RUNTIME_ENGINES and ENGINE

load helpers
RUNTIME_ENGINES=runsc
load runtime

setup() { runtime_setup g; }
teardown() { runtime_teardown; }

@test "exec, ps, pause and kill reach programs that the host does not see" {
  ENGINE=runsc
  running "$C" sh -c 'sleep 98877 & wait'
  [ -z "$(procs_with '^sleep 98877')" ] || fail "the host sees it"
  fails 7 rt exec "$C" sh -c 'echo out; echo err >&2; exit 7'
  assert_output out
  assert_stderr err
  fails 143 rt exec "$C" payload signal 15
  ok rt ps -f json "$C"
  [ "$(jq length <<<"$output")" = 2 ] || fail "$output"
  ok rt pause "$C"
  is_in_state "$C" paused
  ok rt resume "$C"
  is_in_state "$C" running
  ok rt kill --all "$C" KILL
  wait_until 5 is_in_state "$C" stopped
  ok rt delete "$C"
}

@test "the program is any user, and its files are the caller's" {
  MORE='.process.user = {uid: 1000, gid: 50, additionalGids: [60]}' args sh -c 'id -u; id -g; id -G'
  ok rt --engine runsc run -b "$B" "$C"
  assert_output $'1000\n50\n50 60'
  args sh -c 'echo made >/tmp/made'
  ok rt --engine runsc run -b "$B" "$C"
  [ "$(stat -c %u "$B/rootfs/tmp/made")" = "$(id -u)" ]
}

@test "root's container with a network of its own has loopback alone; an ordinary user is told that it is the host's" {
  MORE='.linux.namespaces += [{type: "network"}]' args cat /proc/net/dev
  if [ "$(id -u)" != 0 ]; then
    fails 125 rt --engine runsc --strict run -b "$B" "$C"
    assert_stderr_contains "runsc has the host's network for an ordinary caller"
    return
  fi
  ok rt --engine runsc run -b "$B" "$C"
  [ "$(grep -c : <<<"$output")" = 1 ] && [[ $output == *lo:* ]] || fail "$output"
}

@test "what it cannot do is refused by name" {
  ENGINE=runsc
  args true
  fails 125 rt --engine runsc run -b "$B" --preserve-fds 1 "$C" 3</dev/null
  assert_stderr_contains "runsc hands no descriptors on but 0, 1 and 2"
  MORE='.hooks.createRuntime = [{path: "/bin/true"}]' args true
  fails 125 rt --engine runsc run -b "$B" "$C"
  assert_stderr_contains "hooks.createRuntime"
  [ -z "$(rt list -q)" ]
}

@test "a setting names it for R1; auto takes it after crun and runc alone" {
  args true
  ok env UDOCKER_USE_RUNC_EXECUTABLE="$(command -v runsc)" udocker-runtime --root "$ROOT" --execmode R1 run -b "$B" --dry-run "$C"
  [[ $output$stderr == *runsc* ]] || fail "$output $stderr"
  ok udocker-runtime engines --format json
  [ "$(jq -r '[.[].name] | unique_by(.) | length' <<<"$output")" -ge 5 ]
  [ "$(jq -r '[.[] | select(.modes | index("R1")) | .name] | join(" ")' <<<"$output")" = "crun runc runsc" ]
}

@test "without user namespaces an ordinary user is told so" {
  [ "$(id -u)" != 0 ] || skip "root needs none"
  ok deny unshare:EPERM -- udocker-runtime engines --format json
  [[ $(jq -r '.[] | select(.name == "runsc") | "\(.available) \(.reason)"' <<<"$output") == "false user namespaces are forbidden here" ]] || fail "$output"
}
