#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# bats: under the sanitizers by hand
# bats: also as root
# shellcheck disable=SC2034,SC2010  # runtime.bash reads ENGINE and RUNTIME_ENV; names are ours
# Singularity and Apptainer, mode S1: with the real program when one is on PATH, else with tests/tools/singularity-double, which says what it stands for.

load helpers
load runtime

setup() {
  common_setup
  requires userns
  B=$T/bundle ROOT=$T/state ENGINE=singularity C=s$BATS_TEST_NUMBER-$$
  REAL=$(command -v apptainer || command -v singularity || true)
  [ -n "$REAL" ] || release 3.11.5
  [ "$(id -u)" != 0 ] || [ -z "$REAL" ] || [[ $("$REAL" --version) != 2.* ]] || release 3.11.5 # root is refused by it
}
teardown() {
  local id
  for id in $(rt list -q 2>/dev/null); do rt delete --force "$id" || true; done
}

# release NAME: from here on that release is what udocker finds, as far as the double stands for it.
release() {
  local dir=$T/release-${1// /-}
  mkdir -p "$dir"
  cp "$SUITE_TOOLS/singularity-double" "$dir/singularity"
  echo "$1" >"$dir/RELEASE"
  export UDOCKER_USE_SINGULARITY_EXECUTABLE=$dir/singularity
  REAL=
}

# A bundle to run; JQ-FILTER changes its configuration.
bundle() {
  mkdir -p "$B"
  [ -e "$B/rootfs" ] || mkrootfs "$B/rootfs"
  config "$1"
}
run_args() {
  local args
  args=$(jq -cn '$ARGS.positional' --args -- "$@")
  bundle ".process.args = $args${MORE:+ | $MORE}"
}
run_s() { rt --execmode S1 run -b "$B" "$C"; }
plan_of() { udocker-runtime --execmode S1 run --dry-run -b "$B" x1; }

@test "each release is known by its version and options, and called accordingly" {
  once
  local name version
  bundle '.process.user = {"uid": 0, "gid": 0} | .mounts = [] | del(.linux)'
  while IFS=: read -r name version; do
    release "$name"
    ok udocker-runtime engines --format json
    [ "$(jq -r '.[] | select(.name == "singularity") | "\(.modes[0]) \(.available) \(.version)"' <<<"$output")" = "S1 true $version" ] ||
      fail "$name"
    ok plan_of
    assert_contains "mode: S1"
    assert_contains " --quiet exec -w -u "
    case $name in
      2.6*) [[ $output != *--fakeroot* && $output != *--no-mount* ]] && assert_contains " -B $B/rootfs/tmp:/tmp " ;;
      3.5*) [[ $output != *--no-mount* ]] && assert_contains " -B $B/rootfs/tmp:/tmp " ;;
      3.8*) assert_contains " --no-mount home,tmp,cwd,hostfs --pwd / " ;;
      *) assert_contains " --no-mount home,tmp,cwd,hostfs,bind-paths --pwd / " ;;
    esac || fail "$name"
    [[ $name != apptainer* ]] || [ "$(id -u)" = 0 ] || assert_contains " --fakeroot --ignore-fakeroot-command "
  done <<<"2.6.1:2.6.1
3.5.3:3.5.3
3.8.0:3.8.0
3.11.5:3.11.5
4.1.0:4.1.0
apptainer 1.3.0:1.3.0"
}

@test "2.6 makes no user namespace for root, who is refused" {
  release 2.6.1
  run_args touch /etc/ran
  if [ "$(id -u)" = 0 ]; then
    fails 125 run_s
    assert_one_error_line
    assert_stderr_contains "singularity 2.6.1 makes no user namespace for root"
    refute_file "$B/rootfs/etc/ran"
  else
    ok run_s
    assert_file "$B/rootfs/etc/ran"
  fi
}

@test "what is not Singularity is not taken, and mode S1 without one says what to do" {
  once
  bundle .
  printf '#!/bin/sh\necho 3.11\n' >"$T/other"
  chmod 755 "$T/other"
  UDOCKER_USE_SINGULARITY_EXECUTABLE=$T/other fails 125 run_s
  assert_stderr_contains "does not look like Singularity or Apptainer"
  UDOCKER_USE_SINGULARITY_EXECUTABLE=$T/none fails 125 run_s
  assert_one_error_line
  assert_stderr_contains UDOCKER_USE_SINGULARITY_EXECUTABLE
}

@test "arguments, environment, directory, standard input and exit status are the program's" {
  once
  RUNTIME_ENV='["PATH=/bin", "A=b  c"]' MORE='.process.cwd = "/etc"' run_args sh -c 'pwd; printf "%s|" "$0" "$@"; echo; cat; env | grep -v -e ^SHLVL -e ^PWD -e ^OLDPWD | sort; exit 7' zero "one two" '' three
  export APPTAINER_BIND=/etc:/mnt SINGULARITY_BIND=/etc:/mnt APPTAINERENV_X=1 SINGULARITYENV_X=1 SINGULARITY_PWD=/usr
  fails 7 run_s <<<input
  assert_output "/etc
zero|one two||three|
input
A=b  c
HOME=/root
PATH=/bin"
}

@test "what cannot be run is told as by every engine: 127, 126" {
  once
  run_args no-such-program
  fails 127 run_s
  assert_one_error_line
  run_args /etc/os-release
  fails 126 run_s
  MORE='.process.cwd = "/made/by/it"' run_args pwd
  ok run_s
  assert_output /made/by/it
  MORE='.process.cwd = "/etc/os-release"' run_args true
  fails 125 run_s
  assert_stderr_contains "working directory"
}

@test "signals reach the program, its end by one is the run's, and nothing of it stays" {
  run_args sh -c 'trap "echo got; exit 9" USR1; echo ready; while :; do sleep 0.1; done'
  udocker-runtime --root "$ROOT" --execmode S1 run -b "$B" "$C" >"$T/out" &
  timeout 20 sh -c "until grep -q ready '$T/out'; do sleep 0.05; done" || fail "not started"
  kill -USR1 $!
  wait $! && status=0 || status=$?
  [ "$status" = 9 ] || fail "status $status"
  [ "$(cat "$T/out")" = "ready
got" ]
  run_args sh -c 'sleep 98731 & kill -TERM $$'
  fails 143 run_s
  [ -z "$(procs_with "sleep 98731")" ]
}

@test "create, start, state, exec, kill, delete" {
  run_args sleep 98732
  create "$C"
  is_in_state "$C" created
  ok rt start "$C"
  is_in_state "$C" running
  ok rt exec "$C" sh -c 'cat /etc/os-release; ls /bin/busybox'
  assert_contains "ID=demo"
  fails 5 rt exec "$C" sh -c 'exit 5'
  ok rt ps "$C"
  assert_contains "sleep 98732"
  ok rt pause "$C"
  ok rt resume "$C"
  ok rt kill "$C" KILL
  timeout 10 sh -c "until [ \"\$(udocker-runtime --root '$ROOT' state '$C' | jq -r .status)\" = stopped ]; do sleep 0.05; done"
  ok rt delete "$C"
  [ -z "$(procs_with "sleep 98732")" ]
  [ -z "$(ls "$ROOT" | grep -v '^@' || true)" ]
}

@test "a terminal is the program's" {
  once
  MORE='.process.terminal = true' run_args sh -c 'test -t 0 && test -t 1 && tty; stty size; exit 4'
  fails 4 script -qec "stty rows 31 cols 77; udocker-runtime --root $ROOT --execmode S1 run -b $B $C" /dev/null </dev/null
  assert_contains "31 77"
}

@test "volumes, read-only ones, tmpfs, masked paths; a name with a colon and a comma" {
  mkdir "$T/vol" "$T/ro" "$T/a:b,c"
  echo in >"$T/vol/file"
  echo odd >"$T/a:b,c/file"
  echo one >"$T/single"
  bundle .
  mkdir -p "$B/rootfs"/{vol,ro,scratch,odd}
  echo masked >"$B/rootfs/etc/masked"
  touch "$B/rootfs/etc/single"
  (cd "$B/rootfs" && find . | sort) >"$T/before"
  MORE=".mounts += [{destination: \"/vol\", type: \"bind\", source: \"$T/vol\", options: [\"rbind\"]},
    {destination: \"/ro\", type: \"bind\", source: \"$T/ro\", options: [\"rbind\", \"ro\"]},
    {destination: \"/odd\", type: \"bind\", source: \"$T/a:b,c\", options: [\"rbind\"]},
    {destination: \"/etc/single\", type: \"bind\", source: \"$T/single\", options: [\"bind\"]},
    {destination: \"/scratch\", type: \"tmpfs\", source: \"tmpfs\"}] | .linux.maskedPaths = [\"/etc/masked\"]" \
    run_args sh -c 'cat /vol/file /odd/file /etc/single /etc/masked; echo new >/vol/new; echo x >/scratch/x; echo x >/tmp/here; touch /ro/x 2>/dev/null || echo read-only'
  ok run_s
  [[ $output$REAL == *read-only* || $("$REAL" --version) == 2.* ]] || fail "/ro is writable"
  assert_contains "in
odd
one"
  refute_contains masked
  [ "$(cat "$T/vol/new")" = new ]
  rm "$B/rootfs/tmp/here" # in the container, not the host's /tmp
  (cd "$B/rootfs" && find . | sort) >"$T/after"
  diff "$T/before" "$T/after" || fail "files left in ROOT"
}

@test "a read-only root" {
  MORE='.root.readonly = true' run_args sh -c 'echo x >/etc/x && echo writable'
  if [ -n "$REAL" ] && [[ $("$REAL" --version) == 2.* ]]; then
    ok plan_of
    assert_contains "leaves it writable"
  else
    fails 1 run_s
    refute_file "$B/rootfs/etc/x"
  fi
}

@test "the program may gain no privileges, and an ordinary user's root is one by --fakeroot" {
  MORE='.process.noNewPrivileges = true | .process.user = {"uid": 0, "gid": 0}' run_args sh -c 'grep NoNewPrivs /proc/self/status; id -u'
  ok plan_of
  want=$(id -u)
  [[ $output != *--fakeroot* ]] || want=0
  ok run_s
  [[ $output =~ ^NoNewPrivs:[[:space:]]1$'\n'$want$ ]] || fail "not $want"
}

@test "an engine that fails says why, nothing runs, and nothing stays" {
  once
  run_args touch /etc/ran
  printf '#!/bin/sh\ncase "$*" in --version) echo 3.11.5 ;; *--help) echo --pwd ;; *) echo "FATAL: no luck" >&2; exit 255 ;; esac\n' >"$T/broken"
  chmod 755 "$T/broken"
  UDOCKER_USE_SINGULARITY_EXECUTABLE=$T/broken fails 125 run_s
  assert_one_error_line
  assert_stderr_contains "FATAL: no luck"
  refute_file "$B/rootfs/etc/ran"
  [ -z "$(rt list -q)" ]
}

@test "a container of the store: set up, run, its mount points purged, and back" {
  busybox_container c1
  ok udocker setup --execmode=S1 c1
  ok udocker setup c1
  assert_contains "execmode: S1"
  mkdir "$T/vol"
  echo volume >"$T/vol/file"
  ok udocker run --nobanner -v "$T/vol:/deep/er/vol" -e A=1 c1 sh -c 'cat /deep/er/vol/file; echo $A $container_execmode'
  assert_output "volume
1 S1"
  ok udocker setup --purge c1
  refute_file "$BUNDLE/ROOT/deep"
  fails 3 udocker run --nobanner --user="$(id -u):$(id -g)" c1 sh -c 'exit 3'
  ok udocker setup --execmode=P1 c1
  ok udocker rm c1
}

@test "options of the setting singularity_options are passed on" {
  once
  bundle .
  printf '[DEFAULT]\nsingularity_options = ["-w", "--nv"]\n' >"$T/udocker.conf"
  mkdir -p "$UDOCKER_DIR"
  mv "$T/udocker.conf" "$UDOCKER_DIR/udocker.conf"
  ok plan_of
  assert_contains " --nv "
}
