#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016,SC2030,SC2031,SC2317  # scripts for other shells; functions are called through each_engine
# Bundles that were not made for an ordinary caller, with runc and crun: what needs more is replaced, or left out and told.

load helpers

setup_file() { "$SUITE_TOOLS/mkrootfs" "$BATS_FILE_TMPDIR/rootfs"; }

setup() {
  common_setup
  requires user userns jq
  ENGINES=$(udocker-runtime engines --format json | jq -r '.[] | select(.available and (.name == "crun" or .name == "runc")) | .name' | sort -u)
  [ -n "$ENGINES" ] || skip "neither runc nor crun works here"
  B=$T/bundle
  mkdir "$B"
  cp -a "$BATS_FILE_TMPDIR/rootfs" "$B/rootfs"
  udocker-runtime spec -b "$B" # root's
}

# inside JQ-FILTER SCRIPT [OPTION...]: the example that `spec` prints for root, in a root file system that may be written.
inside() {
  jq --arg script "$2" '.root.readonly = false | .process.terminal = false | .process.env = ["PATH=/usr/bin:/usr/sbin:/bin"]
    | .process.args = ["/bin/sh", "-c", $script] | '"$1" "$B/config.json" >"$T/config.json"
  "${OUTER[@]}" udocker-runtime --root "$T/state" --engine "$ENGINE" "${@:3}" run -b "$B" --config "$T/config.json" "c-$ENGINE-$BATS_TEST_NUMBER"
}

each_engine() {
  OUTER=()
  for ENGINE in $ENGINES; do
    "$@" || fail "with $ENGINE"
  done
}

maps() { jq -n --argjson id "$1" --argjson first "$2" '[{containerID: 0, hostID: $id, size: 1}, {containerID: 1, hostID: $first, size: 1000}]'; }

@test "the example for root runs" {
  check() {
    ok inside . 'id -u; id -g; cat /proc/self/uid_map; echo $$; ls -d /sys/fs/cgroup/*/ | wc -l'
    [ "${lines[0]} ${lines[1]}" = "0 0" ]
    [ "$(echo ${lines[2]})" = "0 $(id -u) 1" ]
    [ "${lines[3]}" -eq 1 ]
  }
  each_engine check
}

@test "namespaces of the host, limits, a group for terminals and more than is allowed" {
  local filter='.linux.namespaces = [{type: "mount"}] | .hostname = "elsewhere" | .process.user.additionalGids = [7]
    | .process.rlimits = [{type: "RLIMIT_NOFILE", soft: 2000000, hard: 2000000}] | .process.oomScoreAdj = -900
    | .linux.resources = {memory: {limit: 100000000}} | .linux.cgroupsPath = "/here"'
  check() {
    ok inside "$filter" 'test "$(cat /proc/self/oom_score_adj)" -ge 0; ls -d /dev/pts /dev/mqueue /proc/self /sys/kernel; ulimit -Hn; hostname'
    [ "${lines[5]}" != elsewhere ]
    [ "${lines[4]}" -le "$(ulimit -Hn)" ]
    fails 125 inside "$filter" true --strict
    assert_one_error_line
  }
  each_engine check
}

@test "a single id is mapped without the help of set-uid programs, and hooks have the caller's PATH" {
  mkdir "$T/path"
  printf '#!/bin/sh\n: >>%s/asked\nexit 1\n' "$T" | tee "$T/path/newuidmap" >"$T/path/newgidmap"
  chmod 755 "$T/path"/*
  OUTER=(env "PATH=$T/path:$PATH")
  for ENGINE in $ENGINES; do
    ok inside . 'id -u; echo $PATH; cat /proc/self/uid_map | tr -s " "'
    assert_output $'0\n/usr/bin:/usr/sbin:/bin\n 0 '"$(id -u)"' 1'
    refute_file "$T/asked"
    ok inside ".hooks.poststop = [{path: \"/bin/sh\", args: [\"sh\", \"-c\", \"command -v newuidmap >$T/found\"], env: [\"PATH=$T/path\"]}]" true
    [ "$(cat "$T/found")" = "$T/path/newuidmap" ]
    rm -f "$T/asked" "$T/found"
  done
}

@test "ranges that the bundle maps are those of /etc/subuid" {
  requires newuidmap
  local first filter
  first=$(awk -F: -v user="$(id -un)" '$1 == user { print $2; exit }' /etc/subuid)
  [ -n "$first" ] || skip "no range in /etc/subuid"
  filter=".linux.namespaces += [{type: \"user\"}] | .linux.uidMappings = $(maps "$(id -u)" "$first") | .linux.gidMappings = $(maps "$(id -g)" "$first")"
  check() {
    ok inside "$filter | .process.user = {uid: 5, gid: 6}" 'id -u; id -g; cat /proc/self/uid_map | tr -s " "'
    assert_output $'5\n6\n 0 '"$(id -u)"$' 1\n 1 '"$first"' 1000'
    # Real owners, not said ones; the group of terminals is mapped.
    ok inside "$filter | .process.capabilities = {bounding: [\"CAP_CHOWN\"], effective: [\"CAP_CHOWN\"], permitted: [\"CAP_CHOWN\"]}" \
      'touch /tmp/f && chown 33:44 /tmp/f && stat -c %u:%g /tmp/f /dev/pts/ptmx && rm /tmp/f; chown 5000 /bin || echo refused'
    [ "${lines[0]}" = 33:44 ]
    [ "${lines[2]}" = refused ]
  }
  each_engine check
}

@test "devices are those of the host" {
  local filter='.linux.devices = [{path: "/dev/mine", type: "c", major: 1, minor: 5}, {path: "/dev/full", type: "c", major: 1, minor: 7}, {path: "/dev/none", type: "b", major: 1000, minor: 3}]'
  [ -e /sys/dev/char/1:5 ] || skip "the kernel tells no names of devices"
  check() {
    ok inside "$filter" 'for f in full mine none; do test -e /dev/$f && echo $f; done; head -c 2 /dev/mine | od -An -tx1'
    assert_output $'full\nmine\n 00 00'
    fails 125 inside "$filter | del(.linux.resources)" true --strict
    assert_stderr_contains "/dev/none"
  }
  each_engine check
}

@test "root of a user namespace with a single id is an ordinary caller" {
  check() {
    OUTER=(unshare -r)
    ok inside '.linux.namespaces = [{type: "mount"}] | .process.user.additionalGids = [7]' 'id -u; chown 5 /tmp; echo $?; cat /proc/self/uid_map | tr -s " "'
    assert_output $'0\n0\n 0 '"$(id -u)"' 1'
  }
  each_engine check
}

@test "what a version does not know is told, and an error under --strict" {
  local filter='.process.scheduler = {policy: "SCHED_BATCH"}'
  check() {
    ok inside "$filter" true
    inside "$filter" true --debug 2>"$T/log" || fail "$(cat "$T/log")"
    # A newer one does know it.
    grep -q "does not know process.scheduler" "$T/log" || return 0
    fails 125 inside "$filter | del(.linux.resources)" true --strict
    assert_stderr_contains "does not know process.scheduler ("
  }
  each_engine check
}
