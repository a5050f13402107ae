#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# bats: also in P1
# bats: also as root
# `udocker run`: which container runs, what its program gets, what comes back; in every mode that works here.

load helpers

setup() {
  common_setup
  busybox_container c1
  MODES=$(working_modes)
}

# each CMD...: run a test function in every mode that works here.
each_mode() {
  [ -n "$MODES" ] || skip "no engine works here"
  local mode
  for mode in $MODES; do
    ok udocker setup --execmode="$mode" c1
    "$@" "$mode"
  done
}

@test "a command's output and exit status come back, in every mode (FIX-09)" {
  check() {
    ok udocker run --nobanner c1 /bin/echo "in $1"
    assert_output "in $1"
    assert_no_stderr
    fails 7 udocker run --nobanner c1 /bin/sh -c 'echo out; echo err >&2; exit 7'
    assert_output out
    assert_stderr err
  }
  each_mode check
}

@test "a program that dies of a signal gives 128 + its number, in every mode" {
  check() {
    fails 143 udocker run --nobanner c1 /bin/sh -c 'kill -TERM $$'
    fails 137 udocker run --nobanner c1 /bin/sh -c 'kill -KILL $$'
  }
  each_mode check
}

@test "arguments arrive exactly, the empty ones too (FIX-01)" {
  cp "$SUITE_TOOLS/payload" "$STORE/containers/c1/ROOT/bin/payload"
  check() {
    ok udocker run --nobanner c1 payload args '' 'a b' '' '-x' '--' '*' $'tab\there'
    assert_output "$(printf '[]\n[a b]\n[]\n[-x]\n[--]\n[*]\n[tab\there]')"
  }
  each_mode check
}

@test "standard input is passed through to its end" {
  check() {
    run --separate-stderr udocker run --nobanner c1 /bin/sh -c 'wc -c; exit 3' < <(head -c 100000 /dev/zero)
    [ "$status" -eq 3 ]
    assert_output 100000
  }
  each_mode check
}

@test "the program sees the container's files and not the host's" {
  echo guest >"$STORE/containers/c1/ROOT/etc/only-here"
  check() {
    ok udocker run --nobanner c1 /bin/cat /etc/only-here
    assert_output guest
    fails 1 udocker run --nobanner c1 /bin/cat "$STORE/containers/c1/ROOT/etc/only-here"
    ok udocker run --nobanner c1 /bin/sh -c 'echo new >/root/made; cat /root/made'
    assert_output new
    [ "$(cat "$STORE/containers/c1/ROOT/root/made")" = new ]
    rm "$STORE/containers/c1/ROOT/root/made"
  }
  each_mode check
}

@test "a command that is not there is 127, one that is not executable 126" {
  check() {
    fails 127 udocker run --nobanner c1 no-such-command
    assert_stderr_contains no-such-command
    assert_one_error_line
    fails 126 udocker run --nobanner c1 /etc/passwd
    assert_stderr_contains /etc/passwd
    assert_one_error_line
  }
  each_mode check
}

@test "an image without passwd and group has them inside, in every mode" {
  local root=$STORE/containers/c1/ROOT
  rm -f "$root/etc/passwd" "$root/etc/group"
  check() {
    ok udocker run --nobanner c1 /bin/sh -c 'id -un; [ -f /etc/passwd ] && [ -f /etc/group ] && grep -c "^root:" /etc/passwd'
    assert_output $'root\n1'
    [ ! -d "$root/etc/passwd" ] && [ ! -d "$root/etc/group" ]
  }
  each_mode check
}

@test "without a command the image's own is run" {
  busybox_image own:1 '{"Entrypoint":["/bin/echo","from"],"Cmd":["image"],"Env":["PATH=/bin"]}'
  ok udocker run --nobanner own:1
  assert_output "from image"
  ok udocker run --nobanner own:1 typed words
  assert_output "from typed words"
  ok udocker run --nobanner --entrypoint=/bin/basename own:1 /a/b
  assert_output b
}

@test "an image's name makes a container that stays; --rm removes it" {
  ok udocker run --nobanner --name=made bb:1 /bin/true
  ok udocker run --nobanner made /bin/echo again
  assert_output again
  before=$(ls "$STORE/containers")
  ok udocker run --nobanner --rm bb:1 /bin/echo gone
  assert_output gone
  [ "$(ls "$STORE/containers")" = "$before" ]
  fails 9 udocker run --nobanner --rm bb:1 /bin/sh -c 'exit 9'
  [ "$(ls "$STORE/containers")" = "$before" ]
}

@test "--rm leaves a container alone that was there before (FIX-10)" {
  ok udocker run --nobanner --rm c1 /bin/true
  ok udocker run --nobanner c1 /bin/true
}

@test "--rm removes its container also when nothing could be started" {
  before=$(ls "$STORE/containers")
  fails 127 udocker run --nobanner --rm bb:1 no-such-command
  [ "$(ls "$STORE/containers")" = "$before" ]
  fails 125 udocker run --nobanner --rm -v /no/such/path:/x bb:1 /bin/true
  [ "$(ls "$STORE/containers")" = "$before" ]
}

@test "--name of a new container must be free, and --pull=reuse takes the old one" {
  fails 125 udocker run --nobanner --name=c1 bb:1 /bin/true
  assert_stderr_contains c1
  ok udocker run --nobanner --name=c1 --pull=reuse bb:1 /bin/echo reused
  assert_output reused
  [ "$(find "$STORE/containers" -mindepth 1 -maxdepth 1 -type d | wc -l)" -eq 1 ]
}

@test "an unknown image or container is said in one line, status 125" {
  fails 125 udocker run --pull=never no/such:image /bin/true
  assert_one_error_line
  assert_stderr_contains no/such:image
}

@test "a unique beginning of the id will do" {
  ok udocker run --nobanner "${ID:0:8}" /bin/echo yes
  assert_output yes
}

@test "the banner is that of udocker 1.3.x" {
  ok udocker run c1 /bin/true
  assert_contains " * $(printf '%*s' 14 '')STARTING $ID$(printf '%*s' 15 '') * "
  assert_contains " executing: true"
  [ "$(printf '%s\n' "$output" | wc -l)" -eq 7 ]
  ok udocker -q run c1 /bin/true
  assert_output ""
  # The frame tells the kind of the mode.
  echo -n R1 >"$BUNDLE/execmode"
  run udocker run c1 /bin/true
  assert_contains " % $(printf '%*s' 14 '')STARTING $ID$(printf '%*s' 15 '') % "
  rm "$BUNDLE/execmode"
  for mode in F1 f1; do
    UDOCKER_DEFAULT_EXECUTION_MODE=$mode run udocker run c1 /bin/true
    assert_contains " # $(printf '%*s' 14 '')STARTING $ID$(printf '%*s' 15 '') # "
  done
}

@test "the same container runs many times at once" {
  check() {
    local i pids=()
    for i in 1 2 3 4 5 6 7 8; do
      udocker run --nobanner c1 /bin/sh -c "sleep 0.2; echo $i" >"$T/out.$i" &
      pids+=($!)
    done
    for i in "${pids[@]}"; do wait "$i"; done
    for i in 1 2 3 4 5 6 7 8; do [ "$(cat "$T/out.$i")" = "$i" ] || fail "run $i"; done
  }
  each_mode check
}

@test "a volume stays when another run of the container ends, also where the image has no folder for it" {
  check() {
    local i
    mkdir -p "$T/data"
    echo here >"$T/data/file"
    udocker run --nobanner -v "$T/data:/absent/deep/data" -v "$T/data/file:/lone/folder/file" c1 /bin/sh -c \
      ": >/absent/deep/data/up; while [ -e /absent/deep/data/up ]; do sleep 0.05; done; cat /absent/deep/data/file /lone/folder/file" >"$T/out" 2>&1 &
    wait_until 10 test -e "$T/data/up" || fail "$1: not started: $(cat "$T/out")"
    ok udocker run --nobanner -v "$T/data:/absent/deep/data" -v "$T/data/file:/lone/folder/file" c1 cat /lone/folder/file
    rm "$T/data/up"
    wait $! || fail "$1: $(cat "$T/out")"
    [ "$(cat "$T/out")" = "here
here" ] || fail "$1: $(cat "$T/out")"
    ok udocker setup --purge c1
    refute_file "$STORE/containers/c1/ROOT/absent"
    refute_file "$STORE/containers/c1/ROOT/lone"
  }
  each_mode check
}

@test "a run leaves no state, no process and nothing in the container's folder behind (FIX-64)" {
  check() {
    ls -A "$STORE/containers/c1/" >"$T/before"
    ok udocker run --nobanner c1 /bin/sh -c '(sleep 300 &) ; exit 0'
    ls -A "$STORE/containers/c1/" >"$T/after"
    diff <(grep -vx .mountpoints "$T/before") <(grep -vx .mountpoints "$T/after")
    ok udocker-runtime list -q # root's state root is the machine's
    refute_contains "${ID:0:12}"
    wait_until 5 sh -c '! pgrep -u "$(id -u)" -f "^sleep 300$"' || fail "a process is left in mode $1"
  }
  each_mode check
}

@test "runs that fail while the engine starts leave no process behind" {
  check() {
    local n left
    for ((n = 0; n < 25; n++)); do
      fails 127 udocker run --nobanner c1 /no/such/program
    done
    left=$(pgrep -u "$(id -u)" -a -f -- "$STORE/containers/$ID/ROOT" || true)
    [ -z "$left" ] || fail "processes in mode $1: $left"
  }
  each_mode check
}

@test "PRoot's loader is kept: it is written to the temporary directory again only when it has gone" {
  [[ $MODES == *P1* ]] || skip "no PRoot works here"
  # Debian's goes by P_tmpdir alone.
  rt() { PROOT_TMP_DIR=/tmp udocker-runtime --root "$T/state" --execmode=P1 run -b "$STORE/containers/c1" --config "$T/config.json" x; }
  # A PRoot that was killed leaves its file for ever, and process numbers come again: only what is newer than the test counts.
  touch -d "2 seconds ago" "$STORE/containers/c1/ROOT/mark" # busybox compares whole seconds
  jq --arg script 'readlink /proc/self/exe
      pid=$(sed -n "s/^TracerPid:.//p" /proc/self/status)
      written=$(find /tmp -maxdepth 1 -name "prooted-$pid-*" -newer /mark 2>/dev/null)
      echo "${written:-kept}"' \
    '.process.args = ["/bin/sh", "-c", $script] | .process.terminal = false
    | .mounts = [{destination: "/proc", type: "proc", source: "proc"},
      {destination: "/tmp", type: "bind", source: "/tmp", options: ["rbind"]}]' \
    "$STORE/containers/c1/config.json" >"$T/config.json"
  for _ in 1 2; do
    ok rt
    [ "$output" = $'/bin/busybox\nkept' ] || fail "$output; the cache: $(ls -l "$T/state/@probes"; cat "$T/state/@probes/proot")"
  done
  rm "$T"/state/@probes/proot-loader-*
  ok rt
  assert_matches '^/bin/busybox./tmp/prooted-[0-9]+-[^ ]*$'
}

@test "inherited descriptors reach the program" {
  cp "$SUITE_TOOLS/payload" "$STORE/containers/c1/ROOT/bin/payload"
  echo through >"$T/file"
  check() {
    exec 7<"$T/file"
    ok udocker run --nobanner c1 /bin/sh -c 'cat <&7'
    exec 7<&-
    assert_output through
  }
  each_mode check
}
