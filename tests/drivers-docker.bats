#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2317,SC2016,SC2030,SC2031  # called through each_engine; single quotes are for the shell inside
# bats: also as root
# bats: not under the sanitizers
# Docker's daemon with udocker-runtime among its runtimes, by the daemon.json that is shipped, with PRoot and the first delegate that works:
# its shim is containerd's, of which drivers-containerd.bats shows all engines. Root's alone.

load helpers
load drivers

setup() {
  common_setup
  requires root dockerd docker
  drivers_setup
  ENGINES=$(grep -x -e proot -e trap <<<"$ENGINES"; grep -vx proot <<<"$ENGINES" | grep -x -m1 -e crun -e runc)
  docker_start
}
teardown() {
  local left
  if [ -S "${D:-/nowhere}/sock" ]; then
    left=$(dk ps -aq 2>/dev/null || true)
    # shellcheck disable=SC2086  # a list of ids
    [ -z "$left" ] || dk rm -f $left >/dev/null 2>&1 || true
  fi
  drivers_teardown
}

nothing_of_docker() { nothing_left --root "$D/exec/runtime-runc/moby"; }
logs_have() { dk logs "$1" 2>&1 | grep -qx "$2"; }
is_state() { [ "$(dk inspect -f '{{.State.Status}}' "$1")" = "$2" ]; }

@test "the runtimes of the file that is shipped are known, and run" {
  local name
  for name in udocker udocker-runc; do
    ok dk run --rm --network none --runtime $name bb:1 echo hello
    assert_output hello
  done
}

@test "docker run: output, status, stdin, environment, directory, user, volumes; 126 and 127" {
  check() {
    ok dk_run --rm bb:1 /bin/sh -c 'echo out; id -u; echo err >&2'
    assert_output $'out\n0'
    assert_stderr err
    fails 5 dk_run --rm bb:1 /bin/sh -c 'exit 5'
    [ "$(echo piped | dk_run --rm -i bb:1 cat)" = piped ] || fail "stdin"
    ok dk_run --rm -e "A=b c" -w /etc bb:1 /bin/sh -c 'echo "$A $PWD"'
    assert_output "b c /etc"
    ok dk_run --rm --user 12:34 bb:1 /bin/sh -c 'id -u; id -g'
    assert_output $'12\n34'
    mkdir "$D/vol"
    ok dk_run --rm -v "$D/vol:/vol" --tmpfs /t --init --hostname other bb:1 /bin/sh -c 'echo in >/vol/f; echo x >/t/f; cat /t/f'
    assert_output x
    [ "$(cat "$D/vol/f")" = in ]
    rm -r "$D/vol"
    fails 127 dk_run --rm bb:1 /nope
    fails 126 dk_run --rm bb:1 /etc/passwd
    nothing_of_docker
  }
  each_engine check
}

@test "docker run -t: a terminal" {
  check() {
    ok script -qec "$(printf '%q ' timeout --foreground 60 docker -H "unix://$D/sock" run --rm -it --network none --runtime "e-$ENGINE" bb:1 /bin/sh -c 'tty && exit 3'); echo status \$?" \
      /dev/null </dev/null
    assert_contains /dev/
    assert_contains "status 3"
    nothing_of_docker
  }
  each_engine check
}

@test "docker run -d: logs, exec, top, signals, stop, start again, rm -f" {
  check() {
    ok dk_run -d --name cc bb:1 /bin/sh -c "$WAITER # $MARK"
    wait_until 10 logs_have cc up || fail "not up: $(dk logs cc 2>&1)"
    ok dk exec cc /bin/sh -c 'echo in; echo err >&2'
    assert_output in
    assert_stderr err
    fails 4 dk exec -e X=4 cc /bin/sh -c 'exit $X'
    fails 126 dk exec cc /etc/passwd
    ok dk top cc
    assert_contains "$MARK"
    ok dk kill -s USR1 cc
    wait_until 10 logs_have cc usr1 || fail "no signal"
    ok dk stop -t 10 cc
    [ "$(dk inspect -f '{{.State.Status}} {{.State.ExitCode}}' cc)" = "exited 3" ] || fail "$(dk inspect -f '{{.State}}' cc)"
    ok dk start cc
    is_state cc running
    ok dk rm -f cc
    nothing_of_docker
  }
  each_engine check
}

@test "docker pause and unpause, and what ends by itself" {
  check() {
    ok dk_run -d --name cc bb:1 /bin/sh -c "sleep $MARK"
    # Without a freezer of control groups a delegate cannot.
    if dk pause cc 2>"$T/err" >/dev/null; then
      is_state cc paused
      ok dk unpause cc
    elif is_direct; then
      fail "$(cat "$T/err")"
    fi
    is_state cc running
    ok dk rm -f cc
    ok dk_run -d --name cc bb:1 /bin/sh -c "exit 6"
    ok dk wait cc
    assert_output 6
    ok dk rm cc
    nothing_of_docker
  }
  each_engine check
}
