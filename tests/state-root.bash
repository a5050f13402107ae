# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2153,SC2154  # bats and runtime.bash set what is used here
# Verbs of udocker-runtime whose calls below the state root fail, or that are killed in front of one (tools/faults.so).

# faults_setup CALLS: how many calls of each verb are tried, 0: all.
faults_setup() {
  runtime_setup s
  # One engine of each kind: what is direct and what delegates. runc's own files are written without libc, so nothing happens to them.
  ENGINES=$(tr ' ' '\n' <<<"$ENGINES" | grep -xE "proot|$(grep -qw runc <<<"$ENGINES" && echo runc || echo crun)" | tr '\n' ' ')
  CALLS=$1
  MARK=7$((RANDOM % 900 + 100))$((BASHPID % 100000))
  mkdir -p "$ROOT"
  chmod 700 "$ROOT"
}

# What a verb starts from, and the verb: `faulty ENV... ` before the program.
before() {
  rt delete --force "$C" >/dev/null 2>&1 || true
  case $1 in
    create | run) ;;
    start) create "$C" ;;
    *) create "$C" && rt start "$C" ;;
  esac
}
verb() {
  local env=(env "${@:2}")
  case $1 in
    create) "${env[@]}" udocker-runtime --root "$ROOT" --engine "$ENGINE" create -b "$B" "$C" ;;
    run) "${env[@]}" udocker-runtime --root "$ROOT" --engine "$ENGINE" run -d -b "$B" "$C" ;;
    start) "${env[@]}" udocker-runtime --root "$ROOT" start "$C" ;;
    kill) "${env[@]}" udocker-runtime --root "$ROOT" kill "$C" KILL ;;
    exec) "${env[@]}" udocker-runtime --root "$ROOT" exec "$C" true ;;
    delete) "${env[@]}" udocker-runtime --root "$ROOT" delete --force "$C" ;;
  esac </dev/null >"$T/out" 2>"$T/err"
}
# The status of a failure that is the runtime's, as its callers know it.
failure() { case $1 in run) echo 125 ;; exec) echo 255 ;; *) echo 1 ;; esac; }
trouble() { fail "$ENGINE: $VERB, $FAULT: $1; its error: $(cat "$T/err")"; }

# What must hold whatever has happened.
check_root() {
  local left
  rt list >/dev/null 2>"$T/list.err" || trouble "list: $(cat "$T/list.err")"
  rt delete --force "$C" 2>"$T/delete.err" || trouble "delete --force: $(cat "$T/delete.err")"
  left=$(find "$ROOT" -mindepth 1 -maxdepth 1 ! -name @probes ! -name @ended)
  [ -z "$left" ] || trouble "left: $left"
  gone || { sleep 1 && gone; } || { sleep 4 && gone; } || trouble "left running: $(left_running)"
}
# The program, and whoever of ours waits for it.
left_running() {
  procs_with "^sleep $MARK"
  procs_with "^udocker-runtime --root $ROOT "
}
gone() { [ -z "$(left_running)" ]; }

# count_calls VERB KIND: TOTAL is how many such calls it makes below the state root.
count_calls() {
  FAULT=none
  before "$1"
  rm -f "$T/count"
  verb "$1" FAULTS="$2:1000000:EIO" FAULTS_DIR="$ROOT" FAULTS_COUNT="$T/count" LD_PRELOAD="$SUITE_TOOLS/faults.so" || trouble "fails without a fault"
  TOTAL=$(od -An -tu8 "$T/count" | tr -d ' ')
  [ -n "$TOTAL" ] || trouble "its calls were not counted"
  check_root
}

# faults KIND WHAT VERB...: of each verb's calls of the kind some fail, or have the process killed in front of them.
faults() {
  requires preload
  local kind=$1 what=$2 n step status
  TRIED=0
  shift 2
  args sleep "$MARK"
  for VERB in "$@"; do
    count_calls "$VERB" "$kind"
    step=$((CALLS == 0 || TOTAL <= CALLS ? 1 : (TOTAL + CALLS - 1) / CALLS))
    # Never the same ones for long.
    for ((n = 1 + (step > 1 ? RANDOM % step : 0); n <= TOTAL; n += step)); do
      TRIED=$((TRIED + 1))
      FAULT="$what in front of call $n of $TOTAL ($kind)"
      before "$VERB"
      status=0
      verb "$VERB" FAULTS="$kind:$n:$what" FAULTS_DIR="$ROOT" LD_PRELOAD="$SUITE_TOOLS/faults.so" || status=$?
      if [ "$what" != KILL ] && [ $status -ne 0 ]; then
        [ $status -eq "$(failure "$VERB")" ] || trouble "status $status"
        [ "$(grep -c . "$T/err")" -ge 1 ] || trouble "fails without an error"
      fi
      check_root
    done
  done
  echo "# $ENGINE, $kind: $TRIED calls" >&3
  # And it is as good as new.
  FAULT="after all" VERB=run
  args true
  rt --engine "$ENGINE" run -b "$B" "$C" 2>"$T/err" || trouble "a new container does not run"
}
