#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2317,SC2016,SC2030,SC2031  # called through each_engine; single quotes are for the shell inside
# bats: also as root
# bats: not under the sanitizers
# podman (and conmon) with udocker-runtime as its runtime, with every engine: what its users see, and what is left behind.

load helpers
load drivers

setup() {
  common_setup
  requires podman conmon
  drivers_setup
  podman_setup
}
teardown() {
  podman_teardown
  drivers_teardown
}

# pod_run ARG...: podman run with the engine, without a network of its own and without control groups, which PRoot cannot have.
shell_words() { printf '%q ' "$@"; }
pod_run() { pm --runtime-flag="engine=$ENGINE" run --network=none --cgroups=disabled "$@"; }
logs_have() { [[ "$(pm logs "$1" 2>&1)" == *"$2"* ]]; }
net_of() { readlink "/proc/$(pm inspect --format '{{.State.Pid}}' "$1")/ns/net"; }
state_is() { [ "$(pm inspect --format '{{.State.Status}}' "$1")" = "$2" ]; }

@test "podman run: output, status, environment, directory, user; 126 and 127" {
  check() {
    ok pod_run --rm -e A=b -w /tmp --user 1000:1001 bb /bin/sh -c 'echo "$A $PWD $(id -u):$(id -g)"; echo err >&2'
    assert_output "b /tmp 1000:1001"
    assert_stderr_contains err
    fails 7 pod_run --rm bb /bin/sh -c 'exit 7'
    if is_direct; then # the others' program is process 1 of its namespace, which no signal of its own ends
      fails 143 pod_run --rm bb /bin/sh -c 'kill -TERM $$; sleep 5'
    fi
    fails 127 pod_run --rm bb /nope
    assert_stderr_contains "no such file or directory"
    fails 127 pod_run --rm bb nope
    assert_stderr_contains "executable file not found in"
    fails 126 pod_run --rm bb /etc/passwd
    assert_stderr_contains "permission denied"
    nothing_left
  }
  each_engine check
}

@test "podman run: what strictness refuses is told" {
  fails 126 pm --runtime-flag=engine=proot --runtime-flag=strict run --rm --network=none --cgroups=disabled bb true
  assert_stderr_contains "OCI runtime error"
  assert_stderr_contains "proot"
  nothing_left
}

@test "podman run -d: logs, signals, stop, the status, start again, rm" {
  check() {
    ok pod_run -d --name c bb /bin/sh -c "$WAITER" "$MARK"
    wait_until 10 logs_have c up || fail "not up: $(pm logs c 2>&1)"
    ok pm kill -s USR1 c
    wait_until 10 logs_have c usr1 || fail "no signal: $(pm logs c 2>&1)"
    ok pm stop -t 10 c
    ok pm logs c
    [ "$(tail -1 <<<"$output")" = term ] || fail "not ended by TERM"
    [ "$(pm inspect --format '{{.State.Status}} {{.State.ExitCode}}' c)" = "exited 3" ]
    [ -z "$(known)" ] || fail "an ended container is kept: $(known)"
    ok pm start c
    wait_until 10 state_is c running
    ok pm kill c
    ok pm wait c
    assert_output 137
    ok pm rm c
    nothing_left
  }
  each_engine check
}

@test "podman rm -f: a container that hears nothing ends with all its processes" {
  check() {
    ok pod_run -d --name c bb /bin/sh -c "trap '' TERM INT HUP; (trap '' TERM; setsid sleep $MARK) & sleep $MARK; :"
    wait_until 10 state_is c running
    fails 2 pm rm c
    ok pm rm -f -t 0 c
    nothing_left
  }
  each_engine check
}

@test "podman run -i, --preserve-fds, --init, -v, --rootfs" {
  check() {
    ok pod_run --rm -i bb cat <<<piped
    assert_output piped
    echo kept >kept
    ok pod_run --rm --preserve-fds 1 bb /bin/sh -c 'cat <&3' 3<kept
    assert_output kept
    if [ -x /usr/libexec/podman/catatonit ]; then
      fails 4 pod_run --rm --init bb /bin/sh -c 'exit 4'
    fi
    mkdir -p "$D/vol"
    ok pod_run --rm -v "$D/vol:/vol/in" bb /bin/sh -c 'echo written >/vol/in/file'
    [ "$(cat "$D/vol/file")" = written ]
    rm -rf "$D/vol"
    tar -xf "$(rootfs_tar)" --one-top-level="$D/tree"
    ok pod_run --rm --rootfs "$D/tree" /bin/sh -c 'echo in the tree'
    assert_output "in the tree"
    nothing_left
  }
  each_engine check
}

@test "podman exec: output, status, user, a terminal, in the background, beside its container, in one that has ended" {
  check() {
    ok pod_run -d --name c bb /bin/sh -c "$WAITER" "$MARK"
    wait_until 10 logs_have c up || fail "not up: $(pm logs c 2>&1)"
    fails 4 pm exec -e A=b -w /tmp c /bin/sh -c 'echo "$A $PWD"; echo err >&2; exit 4'
    assert_output "b /tmp"
    assert_stderr_contains err
    ok pm exec --user 1000:1001 c /bin/sh -c 'echo "$(id -u):$(id -g)"'
    assert_output 1000:1001
    ok pm exec -i c cat <<<piped
    assert_output piped
    ok script -qec "$(shell_words "${PM[@]}") exec -it c /bin/sh -c 'tty; exit 6'; echo status \$?" /dev/null </dev/null
    assert_contains /dev/
    assert_contains "status 6"
    fails 127 pm exec c /nope
    fails 126 pm exec c /etc/passwd
    ok pm exec -d c /bin/sh -c "echo done >/tmp/done; exec sleep $MARK"
    wait_until 10 pm exec c test -e /tmp/done || fail "nothing in the background"
    ok pm stop -t 10 c
    fails 255 pm exec c true
    ok pm rm c
    nothing_left
  }
  each_engine check
}

@test "podman exec -it: Ctrl-Z, fg and Ctrl-C are the shell's inside" {
  once
  check() {
    ok pod_run -d --name c bb sleep "$MARK"
    terminal <<END
wait PROMPT\$
type $(shell_words "${PM[@]}") exec -it c /bin/sh -i\n
wait #
type sleep ${MARK}\n
pause 0.5
type \x1a
wait Stopped
wait #
type fg\n
pause 0.5
type \x03
wait #
type exit 6\n
wait PROMPT\$
type echo status=\$?\n
wait status=6
END
    ok pm rm -f -t 0 c
    nothing_left
  }
  each_engine check
}

@test "podman top with ps's options, stats, update, cp" {
  check() {
    local group
    if is_direct || [ "$(id -u)" != 0 ] || [ ! -w /sys/fs/cgroup/memory/cgroup.procs ]; then
      ok pod_run -d --name c bb sleep "$MARK"
    else # control groups as well, without which podman refuses these
      ok pm --runtime-flag="engine=$ENGINE" run --network=none -d --name c bb sleep "$MARK"
      ok pm stats --no-stream --format '{{.Name}} {{.PIDs}} {{.MemUsage}}' c
      assert_matches '^c 1 [0-9.]+.?B / '
      ok pm update --memory 64m c
      group=$(sed -n 's/^[0-9]*:memory://p' "/proc/$(pm inspect --format '{{.State.Pid}}' c)/cgroup")
      [ "$(cat "/sys/fs/cgroup/memory$group/memory.limit_in_bytes")" = $((64 << 20)) ] || fail "no limit in $group"
      ok pm top c -o pid,args
      assert_contains "sleep $MARK"
    fi
    ok pm stop -t 0 c
    echo "to and fro" >"$T/in"
    ok pm cp "$T/in" c:/tmp/in
    ok pm cp c:/tmp/in "$T/out"
    cmp "$T/in" "$T/out"
    ok pm rm c
    nothing_left
  }
  each_engine check
}

@test "podman run -it: a terminal, its size, and attach to it" {
  check() {
    ok script -qec "stty rows 40 cols 120; $(shell_words "${PM[@]}") --runtime-flag=engine=$ENGINE run --network=none --cgroups=disabled -it --rm bb /bin/sh -c 'tty; sleep 0.2; stty size; exit 6'; echo status \$?" /dev/null </dev/null
    assert_contains /dev/
    assert_contains "40 120"
    assert_contains "status 6"
    ok pod_run -dt --name c bb /bin/sh -c 'read line; echo "got $line"; test -t 0 && exit 5' "$MARK"
    wait_until 10 state_is c running
    ok script -qec "(sleep 1; echo words) | $(shell_words "${PM[@]}") attach c" /dev/null </dev/null
    [ "$(pm wait c)" = 5 ] || fail "no terminal"
    logs_have c "got words" || fail "did not hear: $(pm logs c)"
    ok pm rm c
    nothing_left
  }
  each_engine check
}

@test "podman pause and unpause, with PRoot and the trap engine" {
  requires root # podman lets nobody else pause without control groups v2
  check() {
    is_direct || return 0
    ok pm --runtime-flag=engine="$ENGINE" run -d --name c --network=none bb /bin/sh -c "$WAITER" "$MARK"
    wait_until 10 logs_have c up || fail "not up: $(pm logs c 2>&1)"
    ok pm pause c
    state_is c paused || fail "not paused"
    ok pm unpause c
    state_is c running || fail "not running"
    ok pm stop -t 10 c
    [ "$(pm inspect --format '{{.State.ExitCode}}' c)" = 3 ]
    ok pm rm c
    nothing_left
  }
  each_engine check
}

@test "podman pod: members beside an infra container" {
  requires /usr/libexec/podman/catatonit
  check() {
    ok pod_run -d --pod new:p --name c bb /bin/sh -c "$WAITER" "$MARK"
    wait_until 10 logs_have c up || fail "not up: $(pm logs c 2>&1)"
    ok pm pod inspect p --format '{{.State}} {{.NumContainers}}'
    assert_output "Running 2"
    # One network for the pod, which is not the host's.
    [ "$(net_of c)" = "$(net_of "$(pm pod inspect p --format '{{.InfraContainerID}}')")" ] || fail "$ENGINE: a network of its own"
    [ "$(net_of c)" != "$(readlink /proc/self/ns/net)" ] || fail "$ENGINE: the host's network"
    # podman stops members and infra container side by side, and cannot unmount the /dev/shm of the pod that a member of the trap engine still has open.
    if [ "$ENGINE" = trap ]; then ok pm stop -t 5 c; fi
    ok pm pod stop -t 5 p
    [ "$(pm inspect --format '{{.State.ExitCode}}' c)" = 3 ]
    ok pm pod rm -f -t 0 p
    nothing_left
  }
  each_engine check
}

@test "podman: the annotation chooses the engine, a failed create leaves nothing" {
  ok pm run -d --name c --annotation org.udocker.execmode=P1 --network=none --cgroups=disabled bb sleep "$MARK"
  [ "$("${DRIVE[@]}" "$RT" state "$(pm inspect --format '{{.Id}}' c)" | jq -r '.annotations["org.udocker.execmode"]')" = P1 ]
  pgrep -f "proot .*$D/" >/dev/null || fail "no PRoot"
  ok pm rm -f -t 0 c
  ok pm create --name d --annotation org.udocker.execmode=X9 --network=none --cgroups=disabled bb true
  fails 125 pm start d
  assert_stderr_contains "not an execution mode"
  ok pm rm d
  nothing_left
}

@test "podman with R2 and R3: PRoot is inside, chosen by a flag or an annotation" {
  local tracer='grep -c "^TracerPid:.[1-9]" /proc/self/status'
  in_mode() { pm --runtime-flag="engine=$ENGINE" "$@"; }
  check() {
    is_r3 || return 0
    for MODE in R2 R3; do
      fails 7 in_mode --runtime-flag="execmode=$MODE" run --rm --network=none --cgroups=disabled -e A=b -w /tmp bb /bin/sh -c "$tracer"'; echo "$A $PWD $(id -u)"; exit 7'
      assert_output $'1\nb /tmp 0'
    done
    ok in_mode run -d --name c --annotation=org.udocker.execmode=R3 --network=none --cgroups=disabled bb /bin/sh -c "$tracer; $WAITER" "$MARK"
    wait_until 10 logs_have c up || fail "not up: $(pm logs c 2>&1)"
    [ "$(pm logs c | head -n 1)" = 1 ] || fail "$ENGINE: no PRoot"
    fails 4 pm exec c /bin/sh -c "$tracer; exit 4"
    assert_output 1
    ok pm kill -s USR1 c
    wait_until 10 logs_have c usr1 || fail "no signal: $(pm logs c 2>&1)"
    ok pm stop -t 10 c
    [ "$(pm inspect --format '{{.State.ExitCode}}' c)" = 3 ] || fail "$ENGINE: the program was killed"
    ok pm rm c
    nothing_left
  }
  is_r3() { "${DRIVE[@]}" "$RT" engines --format json | jq -e --arg e "$ENGINE" 'any(.[]; .available and .name == $e and (.modes | index("R3")))' >/dev/null; }
  each_engine check
}
