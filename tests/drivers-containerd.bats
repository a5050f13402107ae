#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2317,SC2016,SC2030,SC2031  # called through each_engine; single quotes are for the shell inside
# bats: also as root
# bats: not under the sanitizers
# containerd and its shim with udocker-runtime as BinaryName, used by way of ctr, with every engine. Root's alone.

load helpers
load drivers

setup() {
  common_setup
  requires root containerd ctr
  drivers_setup
}
teardown() {
  [ ! -S "$D/sock" ] || ct_clean
  drivers_teardown
}

# A test that failed in the middle leaves shims, which outlive the daemon.
ct_clean() {
  local id
  for id in $(ct task ls -q 2>/dev/null); do ct task rm -f "$id" >/dev/null 2>&1 || true; done
}
run_it() { ct_run --annotation "org.udocker.execmode=$MODE" "$@"; }
task_is() { ct task ls | grep -qE "^$1 .*$2"; }
nothing_of_ctr() {
  wait_until 10 no_procs_with "containerd-shim.*$D/" || fail "a shim is left"
  nothing_left --root "$D/runtime/drv$MARK"
}

@test "ctr run: output, status, stdin, a terminal, and errors in words" {
  containerd_start
  check() {
    ok run_it --rm "$BB" c /bin/sh -c 'echo out; id -u; echo err >&2'
    assert_output $'out\n0'
    assert_stderr err
    fails 5 run_it --rm "$BB" c /bin/sh -c 'exit 5'
    fails 1 run_it --rm "$BB" c /nope
    assert_stderr_contains "OCI runtime create failed"
    assert_stderr_contains 'exec: "/nope": stat /nope: no such file or directory'
    fails 1 run_it --rm "$BB" c /etc/passwd
    assert_stderr_contains 'exec: "/etc/passwd": permission denied'
    ct container rm c 2>/dev/null || true # a failed run leaves it, with any runtime
    # ctr closes the input racily when its end comes before the task runs.
    [ "$( (echo piped; sleep 1) | run_it --rm "$BB" c cat)" = piped ] || fail "stdin"
    ok script -qec "$(printf '%q ' timeout --foreground 60 ctr --address "$D/sock" -n "drv$MARK" run --snapshotter native --runc-binary "$RT" --runc-root "$D/runtime" \
      --annotation "org.udocker.execmode=$MODE" --rm -t "$BB" c /bin/sh -c 'tty && exit 3'); echo status \$?" /dev/null </dev/null
    assert_contains /dev/
    assert_contains "status 3"
    nothing_of_ctr
  }
  each_engine check
}

@test "ctr run -d: signals, the status, delete, and rm -f" {
  containerd_start
  check() {
    ok run_it -d "$BB" c /bin/sh -c "trap 'exit 9' TERM; trap 'echo usr1 >/tmp/usr1' USR1; echo up >/tmp/up; while :; do sleep 0.05; done" "$MARK"
    task_is c RUNNING || fail "not running: $(ct task ls)"
    wait_until 10 container_file up || fail "not up"
    ok ct task kill -s SIGUSR1 c
    wait_until 10 container_file usr1 || fail "no signal"
    ok ct task kill c
    wait_until 10 task_is c STOPPED || fail "not stopped: $(ct task ls)"
    run ct task delete c
    assert_contains "exit code 9"
    ok ct container rm c
    ok run_it -d "$BB" d /bin/sh -c "trap '' TERM; (trap '' TERM; setsid sleep $MARK) & sleep $MARK; :"
    ok ct task rm -f d
    ok ct container rm d
    nothing_of_ctr
  }
  each_engine check
}
@test "ctr task exec: output, status, a terminal; it ends with its container" {
  containerd_start
  check() {
    ok run_it -d "$BB" c /bin/sh -c "trap 'exit 9' TERM; sleep $MARK & wait"
    fails 4 ct task exec --exec-id x c /bin/sh -c 'echo out; exit 4'
    assert_output out
    ok script -qec "$(printf '%q ' timeout --foreground 60 ctr --address "$D/sock" -n "drv$MARK" task exec -t --exec-id t c tty)" /dev/null </dev/null
    assert_contains /dev/
    fails 1 ct task exec --exec-id y c /nope
    assert_stderr_contains "no such file or directory"
    ok ct task exec -d --exec-id z c sleep "$MARK"
    ok ct task kill c
    wait_until 10 task_is c STOPPED || fail "not stopped: $(ct task ls)"
    run ct task delete c
    ok ct container rm c
    nothing_of_ctr
  }
  each_engine check
}
@test "ctr task ps, pause and resume" {
  containerd_start
  check() {
    ok run_it -d "$BB" c /bin/sh -c "sleep $MARK & wait"
    wait_until 10 pgrep -f "^sleep $MARK" || fail "not started"
    ok ct task ps c
    assert_contains "$(pgrep -f "^sleep $MARK")"
    # Without a freezer of control groups a delegate cannot.
    if ct task pause c 2>err; then
      task_is c PAUSED || fail "not paused: $(ct task ls)"
      ok ct task resume c
    elif is_direct; then
      fail "$(cat err)"
    fi
    task_is c RUNNING || fail "not running: $(ct task ls)"
    ok ct task rm -f c
    ok ct container rm c
    nothing_of_ctr
  }
  each_engine check
}
container_file() { find "$D/root" -path "*/tmp/$1" | grep -q .; }

@test "containerd: without an annotation the daemon's environment chooses the engine" {
  containerd_start UDOCKER_DEFAULT_EXECUTION_MODE=P1
  ok ct_run -d "$BB" c sleep "$MARK"
  pgrep -f "proot .*$D/" >/dev/null || fail "no PRoot: $(ps -ef | grep "$MARK")"
  ok ct task rm -f c
  ok ct container rm c
  nothing_of_ctr
}
