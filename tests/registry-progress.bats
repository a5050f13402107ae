#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# bats: under the sanitizers by hand
# The progress of pull as a person sees it: on a terminal a line a layer, in the same place, with rate and time left, whatever the terminal's
# size; plain lines elsewhere. tests/tools/terminal draws the terminal.

load helpers
load registry

setup() {
  common_setup
  registry_setup
  export TERM=xterm
}

# slow_registry LAYERS [KIB]: an image of so many layers as app:1 behind nginx, which takes a second or two for each; sets N, the URL.
slow_registry() {
  requires nginx pyte
  test_image img "$1" "${2:-80}"
  docker_registry
  push img app:1
  nginx_registry '' '' '' 'limit_rate 45k;'
}
# seen SIZES CMD...: on that terminal; what is on it at the end is the output.
seen() {
  local sizes=$1
  shift
  ok /usr/bin/python3 "$SUITE_SRC/tests/tools/terminal" "$sizes" "$T/frames" "$@"
}
RUNNING='^(layer|configuration) [0-9a-f]+ +[0-9.]+ [kM]?B'
# Whatever was drawn is gone, and every layer has its line once.
assert_tidy() { # LAYERS
  ! grep -E "$RUNNING" <<<"$output" || fail "left on the screen"
  [ "$(grep -cE '^layer [0-9a-f]{12}: done \(8[0-9.]+ kB\)$' <<<"$output")" -eq "$1" ] || fail "not $1 lines"
  [[ $(tr -d '\n' <<<"$output") == *"app:1@$(manifest_of img)" ]] || fail "the name does not end it"
}
# The most lines of running layers on one screen.
most_running() {
  awk -v re="$RUNNING" '/^--------------------$/ { if (n > most) most = n; n = 0; next } $0 ~ re { n++ } END { print most + 0 }' "$T/frames"
}

@test "a line a layer with amount, rate and time left, in the same place; what has ended stays above" {
  slow_registry 5
  seen 24x80 udocker-image pull --jobs 3 --registry "$N" app:1
  assert_tidy 5
  grep -qE '^layer [0-9a-f]{12} +[0-9.]+ [kM]?B / 8[0-9.]+ kB, [0-9.]+ k?B/s, [0-9]+s left$' frames || fail "rate and time: $(cat frames)"
  [ "$(most_running)" -le 3 ] && [ "$(most_running)" -ge 2 ] || fail "$(most_running) lines at once"
  ! grep -q '\[=' frames || fail "a bar without room"
  ok udocker-image rm app:1
  seen 24x120 udocker pull --registry="$N" app:1
  assert_tidy 5
  grep -qE '^layer [0-9a-f]{12} +\[=*>? *\] [0-9.]+ k?B / 8' frames || fail "no bar"
}

@test "forty layers at once on 24 lines, on five lines, and on one" {
  slow_registry 40
  local size
  for size in 24x80 5x60 1x80; do
    seen "$size" udocker-image pull --jobs 20 --registry "$N" app:1
    assert_tidy 40
    [ "$(most_running)" -le "$((${size%x*} - 1 < 12 ? ${size%x*} - 1 : 12))" ] || fail "$size: $(most_running) lines at once"
    ok udocker-image rm app:1
  done
}

@test "narrow terminals: rate and time are still there; very narrow ones do not wrap" {
  slow_registry 3
  seen 24x44 udocker-image pull --registry "$N" app:1
  assert_tidy 3
  grep -qE '^layer [0-9a-f]{6} [0-9.]+ k?B, [0-9.]+ k?B/s, [0-9]+s left$' frames || fail "rate and time: $(cat frames)"
  ok udocker-image rm app:1
  seen 24x10 udocker-image pull --registry "$N" app:1
  # A screen line that begins with a number is the rest of another one.
  ! grep -qE '^ *[0-9.]+ [kM]?B[,/ ]' frames || fail "wrapped: $(cat frames)"
}

@test "the terminal changes its size meanwhile" {
  slow_registry 12
  seen 6x60,12x80,24x100,30x120 udocker-image pull --jobs 6 --registry "$N" app:1
  assert_tidy 12
  ok udocker-image rm app:1
  # What was drawn for the wider terminal may be left where it becomes narrower; nothing that was said is lost.
  seen 30x120,24x100,12x80,6x60 udocker-image pull --jobs 6 --registry "$N" app:1
  [ "$(grep -oE '^layer [0-9a-f]{12}: done' <<<"$output" | sort | uniq | wc -l)" -eq 12 ] || fail "a line is lost"
  [ -z "$(grep -oE '^layer [0-9a-f]{12}: done' <<<"$output" | sort | uniq -d)" ] || fail "a line twice"
  # It may have been there before the terminal became as narrow as that, which cuts what it shows.
  local shown name
  shown=$(tr -d '\n' <<<"$output")
  name=app:1@$(manifest_of img)
  [[ $shown == *"$name" || $shown == *"${name:0:60}" ]] || fail "the name does not end it"
}

@test "plain lines elsewhere, nothing with --quiet, no colours, no control characters for TERM=dumb" {
  slow_registry 2
  ok script -qec "stty cols 100; udocker-image pull --registry $N app:1" /dev/null
  [[ $output == *$'\033['* ]] || fail "nothing was drawn"
  ! grep -qP '\033\[[0-9;]*m' <<<"$output" || fail "colours"
  local with
  for with in TERM=dumb TERM= "-u TERM" "NO_COLOR=1 TERM=dumb"; do
    ok udocker-image rm app:1
    ok script -qec "env $with udocker-image pull --registry $N app:1" /dev/null
    [[ $output != *$'\033'* ]] || fail "$with: control characters"
    [ "$(grep -cE '^layer [0-9a-f]{12}: done \(' <<<"$output")" -eq 2 ] || fail "$with: no plain lines"
  done
  ok udocker-image rm app:1
  ok script -qec "udocker-image pull --quiet --registry $N app:1" /dev/null
  assert_output "app:1@$(manifest_of img)"$'\r'
  ok udocker-image rm app:1
  ok script -qec "udocker-image --progress=none pull --registry $N app:1" /dev/null
  assert_output "app:1@$(manifest_of img)"$'\r'
  ok udocker-image rm app:1
  ok script -qec "udocker-image pull --registry $N app:1 2>err" /dev/null
  assert_output "app:1@$(manifest_of img)"$'\r'
  [ "$(grep -cE '^layer [0-9a-f]{12}: done \(' err)" -eq 2 ] && ! grep -q $'\033' err || fail "$(cat err)"
}

@test "SIGINT leaves one line of error and no line of progress" {
  slow_registry 3 800
  background /usr/bin/python3 "$SUITE_SRC/tests/tools/terminal" 24x80 "$T/frames" udocker-image pull --registry "$N" app:1
  wait_until 30 grep -qE "$RUNNING" frames || fail "nothing was drawn"
  kill -INT "$(cat "/proc/$PID/task/$PID/children")"
  status=0
  wait "$PID" || status=$?
  output=$(cat background.out)
  [ "$status" -eq 130 ] || fail "status $status"
  ! grep -E "$RUNNING" <<<"$output" || fail "left on the screen"
  [ "$(grep -c 'udocker-image: error: ' <<<"$output")" -eq 1 ] || fail "not one error"
}
