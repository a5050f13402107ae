#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2034,SC2317,SC2016,SC2086,SC2010,SC2030,SC2031,SC2094,SC2126,SC2143,SC2314  # called through each_engine; names and numbers are ours, and runtime.bash reads RUNTIME_ENV
# `udocker-runtime run` in the foreground, with every engine that works here: signals, the terminal, job control, hooks of
# direct engines, and nothing that piles up over many runs.

load helpers
load runtime
RUNTIME_ENV='["PATH=/bin", "TERM=dumb"]'

setup() { runtime_setup s; }
teardown() { runtime_teardown; }

@test "the program and its tracer have the processors of the caller" {
  check() {
    local outside
    args sh -c 't=$(sed -n "s/^TracerPid:.//p" /proc/self/status)
      for p in self $t; do [ $p = 0 ] || sed -n "s/^Cpus_allowed_list:.//p" /proc/$p/status; done | sort -u'
    outside=$("$@" sed -n 's/^Cpus_allowed_list:.//p' /proc/self/status)
    [ "$("$@" udocker-runtime --root "$ROOT" --engine "$ENGINE" run -b "$B" "$C")" = "$outside" ] || fail "$ENGINE: not $outside"
  }
  each_engine check
  each_engine check taskset -c "$(sed -n 's/^Cpus_allowed_list:.\([0-9]*\).*/\1/p' /proc/self/status)"
}

@test "signals sent to run reach the program, which decides" {
  check() {
    local sig name status
    for name in TERM INT HUP QUIT USR1 USR2 WINCH ALRM PIPE; do
      sig=$(kill -l $name)
      args sh -c "trap 'echo got; exit 33' $sig; echo ready; while :; do sleep 0.05; done"
      rm -f "$T/log"
      # bash makes background jobs ignore INT and QUIT, and so would we.
      python3 -c 'import os, signal, sys
for s in signal.SIGINT, signal.SIGQUIT: signal.signal(s, signal.SIG_DFL)
os.execvp(sys.argv[1], sys.argv[1:])' udocker-runtime --root "$ROOT" --engine "$ENGINE" run -b "$B" "$C" >"$T/log" 2>&1 </dev/null &
      wait_until 10 grep -q ready "$T/log"
      kill -s $name $!
      status=0
      wait $! || status=$?
      [ $status -eq 33 ] || fail "$ENGINE: $name gave $status"
      grep -q got "$T/log"
    done
  }
  each_engine check
}

@test "what the caller ignores, as nohup does, is not passed on" {
  check() {
    args sh -c 'trap "exit 9" HUP; echo ready; sleep 0.5; exit 4'
    rm -f "$T/log"
    nohup udocker-runtime --root "$ROOT" --engine "$ENGINE" run -b "$B" "$C" >"$T/log" 2>&1 </dev/null &
    wait_until 10 grep -q ready "$T/log"
    kill -HUP $!
    local status=0
    wait $! || status=$?
    [ $status -eq 4 ] || fail "status $status"
  }
  each_engine check
}

@test "the caller's terminal is the program's: Ctrl-C, Ctrl-Z, fg, and the shell has it back" {
  check() {
    args sh -c 'payload isatty; echo ready; read x; echo "got:$x"; exit 5'
    terminal <<END
wait PROMPT\$
type udocker-runtime --root $ROOT --engine $ENGINE run -b $B $C\n
wait 2\r\n
wait ready
pause 0.3
type \x03
wait PROMPT\$
type echo status=\$?\n
wait status=130
type udocker-runtime --root $ROOT --engine $ENGINE run -b $B $C\n
wait ready
pause 0.3
type \x1a
wait Stopped
wait PROMPT\$
type fg\n
pause 0.5
type word\n
wait got:word
wait PROMPT\$
type echo status=\$?\n
wait status=5
END
  }
  each_engine check
}

@test "a terminal of its own: sizes, window changes, Ctrl-C inside, restored at the end" {
  check() {
    MORE='.process.terminal = true' args sh -c 'stty size; tty; while read x; do [ "$x" != size ] || stty size; [ "$x" != end ] || exit 9; echo "had:$x"; done'
    terminal <<END
wait PROMPT\$
type udocker-runtime --root $ROOT --engine $ENGINE run -b $B $C\n
wait 33 99
wait /dev/
pause 0.2
size 40 120
pause 0.3
type size\n
wait 40 120
wait had:size
type end\n
wait PROMPT\$
type echo status=\$?; stty -a\n
wait status=9
wait  icanon
type udocker-runtime --root $ROOT --engine $ENGINE run -b $B $C\n
wait /dev/
pause 0.2
type \x03
wait PROMPT\$
type echo status=\$?; stty -a\n
wait status=130
wait  icanon
END
  }
  each_engine check
}

@test "an input that is no terminal, and a terminal in the configuration" {
  check() {
    MORE='.process.terminal = true' args sh -c 'read x; echo "got:$x"; exit 6'
    run --separate-stderr rt --engine "$ENGINE" run -b "$B" "$C" < <(echo word)
    [ "$status" -eq 6 ]
    assert_contains "got:word"
  }
  each_engine check
}

@test "hooks of all six kinds are told the state, in time" {
  [[ $ENGINES == *proot* ]] || skip "no direct engine works here"
  ENGINE=proot
  mkdir "$T/hooks"
  local hook='[{path: "/bin/sh", args: ["sh", "-c", ("cat >\($dir)/\(.).json; pwd >\($dir)/\(.).cwd")]}]'
  args sh -c 'cat /tmp/inside; exit 2'
  jq --arg dir "$T/hooks" "reduce (\"prestart\", \"createRuntime\", \"createContainer\", \"poststart\", \"poststop\") as \$kind (.;
      .hooks[\$kind] = (\$kind | $hook)) | .hooks.startContainer = [{path: \"/bin/sh\", args: [\"sh\", \"-c\", \"cat >/tmp/inside\"]}]" \
    "$B/config.json" >"$T/new" && mv "$T/new" "$B/config.json"
  fails 2 rt --engine proot run -b "$B" "$C"
  [ "$(jq -r .status <<<"$output")" = created ]
  local kind
  for kind in prestart:creating createRuntime:creating createContainer:creating poststart:running poststop:stopped; do
    [ "$(jq -r .status "$T/hooks/${kind%:*}.json")" = "${kind#*:}" ] || fail "$kind"
    [ "$(jq -r .id "$T/hooks/${kind%:*}.json")" = "$C" ]
    [ "$(cat "$T/hooks/${kind%:*}.cwd")" = "$B" ]
  done
}

@test "a hook that fails, hangs or is missing is said, and nothing is left" {
  [[ $ENGINES == *proot* ]] || skip "no direct engine works here"
  local kind
  for kind in prestart createRuntime createContainer startContainer poststart; do
    MORE=".hooks.$kind = [{path: \"/bin/sh\", args: [\"sh\", \"-c\", \"echo because; exit 3\"]}]" args sleep 1000
    fails 125 rt --engine proot run -b "$B" "$C"
    assert_stderr_contains "error running $kind hook #1: exit status 3, it said: because"
    ok rt list -q
    assert_output ""
  done
  MORE='.hooks.createRuntime = [{path: "/bin/sh", args: ["sh", "-c", "sleep 1000"], timeout: 1}]' args true
  fails 125 rt --engine proot run -b "$B" "$C"
  assert_stderr_contains "timeout"
  MORE='.hooks.createRuntime = [{path: "/nope"}]' args true
  fails 125 rt --engine proot run -b "$B" "$C"
  MORE='.hooks.poststop = [{path: "/bin/sh", args: ["sh", "-c", "exit 3"]}, {path: "/bin/sh", args: ["sh", "-c", "cat >'"$T"'/after"]}]' args true
  ok rt --engine proot run -b "$B" "$C"
  assert_stderr_contains "warning: error running poststop hook #1"
  [ "$(jq -r .status "$T/after")" = stopped ]
}

@test "many runs leave no process, no file and no state behind" {
  check() {
    args true
    local before after n
    before=$(ls -a /tmp "$TMPDIR" "$XDG_RUNTIME_DIR" "$B/rootfs" | grep -v udocker-check | wc -l)
    for ((n = 0; n < ${RUNS:-40}; n++)); do
      rt --engine "$ENGINE" run -b "$B" "$C" || fail "run $n"
    done
    [ -z "$(rt list -q)" ]
    [ -z "$(ls "$ROOT" | grep -vE '^@(probes|ended)$')" ]
    [ -z "$(pgrep -u "$(id -u)" -f -- "$ROOT")" ] || fail "processes: $(pgrep -a -u "$(id -u)" -f -- "$ROOT")"
    after=$(ls -a /tmp "$TMPDIR" "$XDG_RUNTIME_DIR" "$B/rootfs" | grep -v udocker-check | wc -l)
    [ "$after" -le $((before + 20)) ] || fail "files: $before, then $after"
  }
  each_engine check
}

@test "what a run that is killed while it starts leaves behind is found by delete" {
  [[ $ENGINES == *proot* ]] || skip "no direct engine works here"
  args true
  ok rt --engine proot run -b "$B" "$C" # probed
  # Also what a tracer that died with us has left, stopped for ever, before its container was in any list.
  remains() { ps -C proot -o stat=,args= | grep -v "^Z" | grep -F -- "$B/rootfs" || true; }
  local n id
  for ((n = 0; n < ${RUNS:-60}; n++)); do
    "$SUITE_TOOLS/killat" $((500 + n * 100)) udocker-runtime --root "$ROOT" --engine proot run -b "$B" "$C-$n" >/dev/null 2>&1 </dev/null || true
  done
  for id in $(rt list -q); do ok rt delete --force "$id"; done
  ok rt delete --force "$C" # there is none; each delete also clears up after others, 64 at a time
  gone() { [ -z "$(remains)" ]; }
  wait_until 5 gone || fail "$(remains)"
  [ -z "$(ls "$ROOT" | grep -vE '^@(probes|ended)$')" ] || fail "$(ls "$ROOT")"
}

# Stands for a create or pull that takes long.
@test "what udocker run waits for while a container is made ends with it" {
  mkdir bin
  printf '#!/bin/sh\necho $$ >%s/started\nexec sleep 300\n' "$T" | tee bin/udocker-bundle >bin/udocker-image
  chmod 755 bin/*
  busybox_image bb:1
  local image sig pid status
  for image in bb:1 localhost:1/absent:1; do
    for sig in TERM KILL; do
      rm -f started
      UDOCKER_EXEC_DIR=$T/bin udocker run --rm "$image" /bin/true 2>/dev/null &
      pid=$! status=0
      wait_until 20 test -s started
      kill -$sig $pid
      wait $pid 2>/dev/null || status=$?
      [ $status -eq $((128 + $(kill -l $sig))) ] || fail "$image, $sig: status $status"
      wait_until 20 sh -c "! kill -0 $(cat started)" || fail "$image, $sig: it goes on"
    done
  done
}

@test "what bears the mark of a directory whose maker was killed ends with it" {
  mkdir -m 700 "$ROOT" "$ROOT/@new-0123456789ab-8000000000123"
  local mark=$((0x8000000000123)) pid status=0
  prlimit --rttime="$mark:$mark" sleep 20 3>&- &
  pid=$!
  wait_until 5 grep -q "^Max realtime timeout *$mark " "/proc/$pid/limits" || fail "$(cat "/proc/$pid/limits")"
  ok rt delete --force "$C"
  wait "$pid" || status=$?
  [ "$status" -eq 137 ] || fail "it ended with $status"
  [ ! -e "$ROOT/@new-0123456789ab-8000000000123" ]
}
