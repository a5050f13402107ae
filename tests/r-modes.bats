#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# bats: also as root
# bats: not under the sanitizers
# shellcheck disable=SC2016,SC2030,SC2031,SC2317  # scripts for other shells; functions are called through each_engine
# R2 and R3: PRoot in the container of runc and crun. What the verbs of udocker-runtime promise holds there as well; what PRoot adds are ids.

load helpers
load runtime

setup() {
  runtime_setup r
  ENGINES=$(udocker-runtime engines --format json |
    jq -r '.[] | select(.available and (.name == "runc" or .name == "crun") and (.modes | index("R3"))) | .name' | sort -u)
  [ -n "$ENGINES" ] || skip "R3 works with neither runc nor crun here"
  MODE=R2
}

teardown() { runtime_teardown; }

rt() { udocker-runtime --root "$ROOT" --engine "$ENGINE" --execmode "$MODE" "$@"; }
create() { rt create -b "$B" "$@" "$C" </dev/null >"$T/out" 2>"$T/err" || fail "create: $(cat "$T/err")"; }
in_it() { rt run -b "$B" "$C" </dev/null; }
sh_in_it() { args sh -c "$1" && in_it; }
# Everything in the root file system, with the times of nothing.
digest() { (cd "$B/rootfs" && find . -printf '%p %m %U %G %l %y %n\n' && find . -type f -exec sha256sum {} +) | sort | sha256sum; }
nothing_left() { # WORD
  none_with() { [ -z "$(procs_with "$1")" ]; }
  wait_until 5 none_with "$1" || fail "left: $(procs_with "$1" | xargs -rn 1 ps -ww -o pid=,args= -p)"
}

@test "status, signals and errors are the program's, and the root file system stays as it is" {
  check() {
    local before
    before=$(digest)
    for MODE in R2 R3; do
      fails 7 sh_in_it 'echo out; echo err >&2; exit 7'
      assert_output out
      assert_stderr err
      fails 137 sh_in_it 'kill -KILL $$'
      fails 143 sh_in_it 'kill -TERM $$'
      # A tracer's own status would be that of what ends last.
      fails 3 sh_in_it 'sleep 0.2 >/dev/null 2>&1 & exit 3'
    done
    args nothing-of-the-kind
    fails 127 in_it
    assert_stderr_contains nothing-of-the-kind
    args /etc/passwd
    fails 126 in_it
    [ "$(digest)" = "$before" ] || fail "the root file system has changed"
    [ -z "$(find "$ROOT" -mindepth 1 -maxdepth 1 ! -name '@*')" ] || fail "left: $(ls "$ROOT")"
  }
  each_engine check
}

@test "root is emulated, and remembers who it has become" {
  check() {
    ok sh_in_it 'id -u; touch /tmp/f && chown 33:44 /tmp/f && chgrp 50 /tmp/f && echo owned; rm /tmp/f
      su user -c "id -u"'
    assert_output "0
owned
1000"
  }
  [ "$(id -u)" != 0 ] || skip "root need not emulate it"
  each_engine check
}

@test "an ordinary user's ids are shown, also where runc can map root alone" {
  check() {
    MORE='.process.user = {uid: 1000, gid: 1000}' args sh -c 'id -u; id -g'
    ok in_it
    assert_output "1000
1000"
    assert_no_stderr
  }
  each_engine check
}

@test "a stop of the foreground stops the program, and it goes on" {
  check() {
    args sh -c 'while :; do date +%s%N >/tmp/beat; sleep 0.05; done'
    udocker-runtime --root "$ROOT" --engine "$ENGINE" --execmode "$MODE" run -b "$B" "$C" </dev/null >"$T/log" 2>&1 &
    local pid=$! beat
    wait_until 10 test -s "$B/rootfs/tmp/beat"
    kill -TSTP $pid
    wait_until 10 stands_still "$B/rootfs/tmp/beat" || fail "it goes on"
    beat=$(cat "$B/rootfs/tmp/beat")
    kill -CONT $pid
    beats() { [ -s "$B/rootfs/tmp/beat" ] && [ "$(cat "$B/rootfs/tmp/beat")" != "$beat" ]; }
    wait_until 5 beats
    kill -TERM $pid
    local status=0
    wait $pid || status=$?
    [ $status -eq 143 ] || fail "status $status"
    rm -f "$B/rootfs/tmp/beat"
  }
  each_engine check
}

@test "the environment and the descriptors are exactly those that were asked for" {
  check() {
    MORE='.process.env = ["PATH=/bin", "A=b c", "HOME=/nowhere"]' args payload env
    ok in_it
    assert_output "PATH=/bin
A=b c
HOME=/nowhere"
    args payload fds
    ok in_it
    assert_output ""
    args sh -c 'cat <&3; payload fds'
    echo three >"$T/three"
    ok rt run --preserve-fds 1 -b "$B" "$C" 3<"$T/three"
    assert_contains "three
3 "
    [ "${#lines[@]}" -eq 2 ]
    # Nobody but the program holds its output: a reader sees the end when that has closed it.
    args sh -c 'sleep 30 >/dev/null 2>&1 & echo out'
    ok timeout 20 bash -c '"$@" </dev/null | cat' sh udocker-runtime --root "$ROOT" --engine "$ENGINE" --execmode "$MODE" run -b "$B" "$C"
    assert_output out
    nothing_left '^sleep 30$'
    args payload args "$(printf '%070000d' 7)" last
    ok in_it
    [ "$(tail -n 1 <<<"$output")" = "[last]" ]
  }
  each_engine check
}

@test "create, start, kill, pause of the program by signals, delete: nothing is left" {
  check() {
    local before
    before=$(digest)
    args sh -c 'trap "echo usr1 >/tmp/got" USR1; while :; do date +%s%N >/tmp/beat; sleep 0.05; done'
    create --pid-file "$T/pid"
    [ "$(status_of "$C")" = created ]
    ok rt start "$C"
    wait_until 10 test -s "$B/rootfs/tmp/beat"
    [ "$(rt state "$C" | jq .pid)" = "$(cat "$T/pid")" ]
    ok rt kill "$C" USR1
    wait_until 5 test -e "$B/rootfs/tmp/got"
    ok rt kill "$C" STOP
    wait_until 10 stands_still "$B/rootfs/tmp/beat" || fail "it goes on"
    local beat
    beat=$(cat "$B/rootfs/tmp/beat")
    ok rt kill "$C" CONT
    beats() { [ -s "$B/rootfs/tmp/beat" ] && [ "$(cat "$B/rootfs/tmp/beat")" != "$beat" ]; }
    wait_until 5 beats
    ok rt kill "$C" KILL
    wait_until 5 is_in_state "$C" stopped
    ok rt delete "$C"
    nothing_left "$ROOT/delegate"
    # Of this container: PRoot's first program is named alike in all.
    inside() { grep -lsF "${B#/tmp}/rootfs" /proc/[0-9]*/mountinfo || true; }
    none_inside() { [ -z "$(inside)" ]; }
    wait_until 5 none_inside || fail "inside: $(inside)"
    rm -f "$B/rootfs/tmp/beat" "$B/rootfs/tmp/got"
    [ "$(digest)" = "$before" ] || fail "the root file system has changed"

    args sleep 98711
    create
    ok rt start "$C"
    ok rt delete --force "$C"
    nothing_left 98711
  }
  each_engine check
}

@test "on one processor of the caller's choice PRoot is as well as the program" {
  local last
  last=$(awk '/^Cpus_allowed_list/ { sub(/.*[-,]/, "", $2); print $2 }' /proc/self/status)
  check() {
    MODE=R3
    MORE=".annotations[\"org.udocker.cpuset\"] = \"$last\"" args \
      sh -c 'for p in self $(sed -n "s/^TracerPid:.//p" /proc/self/status); do sed -n "s/^Cpus_allowed_list:.//p" /proc/$p/status; done'
    ok in_it
    assert_output "$last"$'\n'"$last"
  }
  each_engine check
}

@test "the program has all processors of the caller, though the start keeps to one" {
  check() {
    local all=$1
    shift
    args sh -c 'while read k v; do [ "$k" != Cpus_allowed_list: ] || echo "$v"; done </proc/self/status'
    ok "$@" udocker-runtime --root "$ROOT" --engine "$ENGINE" --execmode "$MODE" run -b "$B" "$C"
    assert_output "$all"
  }
  both() {
    local all
    all=$(awk '$1 == "Cpus_allowed_list:" { print $2 }' /proc/self/status)
    check "$all" env
    check "${all##*[-,]}" taskset -c "${all##*[-,]}"
    # PRoot, while the program runs.
    args sleep 98457
    rt run -d -b "$B" "$C" </dev/null >/dev/null 2>&1
    wait_until 5 pgrep -f '^sleep 98457'
    [ "$(awk '$1 == "Cpus_allowed_list:" { print $2 }' "/proc/$(awk '$1 == "TracerPid:" { print $2 }' "/proc/$(pgrep -n -f '^sleep 98457')/status")/status")" = "$all" ] ||
      fail "PRoot has not got its processors back"
    rt delete -f "$C"
  }
  each_engine both
}

@test "a further program runs under PRoot too, as who it is to be" {
  check() {
    MORE='.process.user = {uid: 0, gid: 0}' args sleep 98712
    create
    ok rt start "$C"
    fails 4 rt exec "$C" sh -c 'id -u; su user -c "id -u"; exit 4'
    assert_output "0
1000"
    fails 143 rt exec "$C" sh -c 'kill -TERM $$'
    fails 255 rt exec "$C" /nothing-of-the-kind
    assert_stderr_contains "stat /nothing-of-the-kind: no such file or directory"
    ok rt exec -e X=y --cwd /etc "$C" sh -c 'pwd; echo $X; env | grep -c PROOT_ || true'
    assert_output "/etc
y
0"
    rt exec -d --pid-file "$T/pid" "$C" sleep 98713 </dev/null >/dev/null 2>&1
    kill -0 "$(cat "$T/pid")"
    ok rt delete --force "$C"
    nothing_left '^sleep 9871[23]'
  }
  each_engine check
}

@test "newer system calls are hidden from PRoot, beside a profile of the bundle's own" {
  check() {
    # Debian's PRoot cancels calls by a number that libseccomp takes for another architecture's.
    MORE='.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", architectures: ["SCMP_ARCH_X86_64"], syscalls: [{names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 28}]}' \
      args sh -c 'mkdir /tmp/d 2>&1; ls / >/dev/null && cd /etc && pwd'
    ok in_it
    assert_contains "No space left on device"
    assert_contains /etc
    ok rt run --dry-run -b "$B" "$C"
    sed -n '/^{/,$p' <<<"$output" >"$T/plan.json"
    jq -e '.linux.seccomp.syscalls[] | select(.errnoRet == 38) | .names | index("clone3") and index("execveat") and index("openat2")' "$T/plan.json"
    jq -e '.linux.seccomp.architectures | index("SCMP_ARCH_X32")' "$T/plan.json"
  }
  [ "$(uname -m)" = x86_64 ] || skip "the profile is for x86-64"
  each_engine check
}

@test "newer system calls are hidden from PRoot, of further programs too, without work for the runtime where the program can gain nothing" {
  check() {
    local nnp
    for nnp in true false; do
      # openat2, clone3 and landlock_create_ruleset have these numbers everywhere.
      MORE=".process.noNewPrivileges = $nnp" args sh -c 'for n in 437 435 444; do payload call $n; done; payload nnp; exec sleep 98458'
      create
      ok rt start "$C"
      wait_until 10 grep -q '^[01]$' "$T/out" || true
      [ "$(tr '\n' ' ' <"$T/out")" = "38 38 38 $([ $nnp = false ] && echo 0 || echo 1) " ] || fail "$ENGINE, $nnp: $(cat "$T/out")"
      ok rt exec "$C" sh -c 'payload call 437; sed -n "s/^Seccomp:.//p" /proc/self/status'
      assert_output "38"$'\n'"2"
      ok rt delete --force "$C"
    done
    args true
    ok rt run --dry-run -b "$B" "$C"
    sed -n '/^{/,$p' <<<"$output" >"$T/plan.json"
    [ "$(jq '.linux.seccomp, .annotations["run.oci.seccomp_bpf_data"]' "$T/plan.json" | sort -u)" = null ]
  }
  [ "$(uname -m)" = x86_64 ] || skip "elsewhere the runtime has it to do"
  each_engine check
}

@test "PRoot holds none of the program's descriptors, also where the kernel's list of them is not to be seen" {
  echo three >"$T/three"
  echo five >"$T/five"
  check() {
    local tracer held
    rt run -d --preserve-fds 3 -b "$B" "$C" </dev/null >/dev/null 2>&1 3<"$T/three" 4</dev/null 5<"$T/five"
    wait_until 5 pgrep -f '^sleep 98459'
    tracer=$(awk '$1 == "TracerPid:" { print $2 }' "/proc/$(pgrep -n -f '^sleep 98459')/status")
    held=$(find "/proc/$tracer/fd" -lname "$T/*")
    [ -z "$held" ] || fail "$(ls -l "/proc/$tracer/fd")"
    rt delete --force "$C"
    nothing_left '^sleep 98459'
  }
  all() {
    args sleep 98459
    check
    [ "$ENGINE" = crun ] || return 0 # runc needs the list itself
    MORE='.mounts |= map(select(.destination != "/proc"))' args sleep 98459
    check
    # Something else of that name.
    mkdir -p "$B/rootfs/proc/self/fd"
    touch "$B/rootfs/proc/self/fd/0"
    check
    rm -r "$B/rootfs/proc/self"
  }
  each_engine all
}

@test "dry-run shows what is put before the program, and a container without a tmpfs is refused" {
  check() {
    args true
    ok rt run --dry-run -b "$B" "$C"
    assert_contains "mode: R2"
    assert_contains /dev/.udocker/proot
    MODE=R3 ok rt run --dry-run -b "$B" "$C"
    assert_contains PROOT_NO_SECCOMP=1
    MORE='.mounts |= map(select(.type != "tmpfs" and (.destination | startswith("/dev/") | not)))' args true
    fails 125 in_it
    assert_stderr_contains "needs a tmpfs"
    assert_one_error_line
  }
  each_engine check
}

@test "a PRoot with seccomp acceleration has it in R2, and not in R3, and answers the same" {
  export UDOCKER_USE_PROOT_EXECUTABLE=$SUITE_TOOLS/proot-5.4.0
  [ -x "$UDOCKER_USE_PROOT_EXECUTABLE" ] || skip "$(cat "$SUITE_TOOLS/proot-5.4.0.why" 2>/dev/null || echo "no PRoot 5.4.0")"
  local filters=()
  check() {
    for MODE in R2 R3; do
      fails 139 sh_in_it 'sed -n "s/^Seccomp_filters:[[:space:]]*//p" /proc/self/status; id -u; su user -c "id -u"
        touch /tmp/f && chown 33:44 /tmp/f && echo owned; rm /tmp/f; kill -SEGV $$'
      [ "$(tail -n +2 <<<"$output" | tr '\n' ' ')" = "0 1000 owned " ] || fail "$ENGINE $MODE"
      filters+=("${lines[0]}")
    done
    [ "${filters[0]}" -eq $((filters[1] + 1)) ] || fail "$ENGINE: filters ${filters[*]}"
    filters=()
  }
  each_engine check
  ok udocker-runtime engines --format json
  [ "$(jq -r '.[] | select(.name == "runc" and (.modes | index("R2"))) | .reason' <<<"$output")" = "" ]
}

@test "PRoot that is not there is the reason why the modes do not work" {
  UDOCKER_USE_PROOT_EXECUTABLE=/nonexistent/proot ok udocker-runtime engines --format json
  [ "$(jq -r '[.[] | select((.name == "runc" or .name == "crun") and (.modes | index("R3")))] | map(.available) | any' <<<"$output")" = false ]
  jq -r '.[] | select(.modes | index("R3")) | .reason' <<<"$output" | grep -q "PRoot, which runs inside"
  args true
  ENGINE=runc
  UDOCKER_USE_PROOT_EXECUTABLE=/nonexistent/proot fails 125 in_it
  assert_stderr_contains "mode R2"
}

@test "a container of the store: setup, user, volumes, files below /etc, and back" {
  [ "$(id -u)" != 0 ] || skip "for users"
  busybox_container c1
  B=$BUNDLE
  local before
  rootfs_digest() { (cd "$B/ROOT" && find . -printf '%p %m %l %y\n' && find . -type f -exec sha256sum {} +) | sort | sha256sum; }
  before=$(rootfs_digest)
  mkdir "$T/vol"
  echo hosts >"$T/hosts"
  for MODE in R2 R3; do
    ok udocker setup --execmode="$MODE" c1
    ok udocker setup c1
    assert_contains "execmode: $MODE"
    ok udocker run --nobanner -v "$T/vol:/tmp" -v "$T/hosts:/etc/hosts" -e X=y c1 sh -c 'cat /etc/hosts; echo $X; id -un; touch /tmp/f && chown 1:1 /tmp/f && echo owned'
    assert_output "hosts
y
root
owned"
    fails 9 udocker run --nobanner --user=user c1 sh -c 'id -u; exit 9'
    assert_output "$([ "$(id -u)" = 1000 ] && echo 1000 || udocker run --nobanner --user=user c1 id -u)"
  done
  ok udocker setup --purge c1
  ok udocker setup --execmode=P1 c1
  [ "$(rootfs_digest)" = "$before" ] || fail "ROOT has changed: $(cd "$B/ROOT" && find . -newer "$T/hosts")"
}
