# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034,SC2086,SC2154  # bats sets status, output, stderr; the tests use what is set here
# What the tests of udocker-runtime's verbs share: a bundle, a state root, and every engine of the list that works here.

RUNTIME_ENGINES=${RUNTIME_ENGINES:-proot runc crun fakechroot singularity trap} # a new engine is tested by adding its name

# runtime_setup PREFIX: ids of the test's containers begin with it; runc names its control groups after them.
runtime_setup() {
  local works
  common_setup
  works=$(udocker-runtime engines --format json | jq -r '.[] | select(.available) | .name' | sort -u)
  ENGINES=
  for ENGINE in $RUNTIME_ENGINES; do
    ! grep -qx "$ENGINE" <<<"$works" || ENGINES="$ENGINES $ENGINE"
  done
  [ -n "$ENGINES" ] || skip "no engine works here"
  ROOT=$T/state
  B=$T/bundle
  C=$1$BATS_TEST_NUMBER-$$
  mkdir "$B"
  mkrootfs "$B/rootfs"
  cp "$SUITE_TOOLS/payload" "$B/rootfs/bin/payload"
}

# dynamic_bundle DIR: the same for an engine that takes no static programs: those of this machine, gathered once per file.
dynamic_bundle() {
  local from=$BATS_FILE_TMPDIR/dynamic programs p
  exec 9>"$from.lock"
  flock 9
  if [ ! -e "$from" ]; then
    mkdir -p "$from.new"/usr/bin
    cp -a "$B"/rootfs/{dev,etc,home,proc,root,sys,tmp,var} "$from.new"
    ln -s usr/bin "$from.new/bin"
    programs=$(printf '/usr/bin/%s ' cat chmod chown date echo env grep head id kill ls mkdir mkfifo od pwd rm sed setsid sh sleep sort stat stty touch tr true tty uname wc)
    cp -L $programs "$from.new/usr/bin"
    cp "$SUITE_TOOLS/payload.dynamic" "$from.new/usr/bin/payload"
    for p in $(ldd $programs | sed -nE 's/^[^/]*(\/[^ ]+) \(0x[0-9a-f]+\)$/\1/p' | sort -u); do
      mkdir -p "$from.new${p%/*}"
      cp -L "$p" "$from.new$p"
    done
    mv "$from.new" "$from"
  fi
  exec 9>&-
  mkdir "$1"
  cp -a "$from" "$1/rootfs"
}

runtime_teardown() {
  local id
  for id in $(rt list -q 2>/dev/null); do rt delete --force "$id" || true; done
}

rt() { udocker-runtime --root "$ROOT" "$@"; }

# each_engine CMD...: run a test function with every engine; ENGINE is its name.
each_engine() {
  for ENGINE in $ENGINES; do
    use_bundle
    "$@"
  done
}
# The bundle that ENGINE can run.
use_bundle() {
  B=$T/bundle
  is_fakechroot || return 0
  [ -e "$T/dynamic" ] || dynamic_bundle "$T/dynamic"
  B=$T/dynamic
}
# Its host sees a sandbox in the place of the container's processes.
has_own_kernel() { [ "$ENGINE" = runsc ]; }
# For what udocker-engines(7) says that gVisor's does not; what it does otherwise is in runsc.bats.
but_runsc() { ENGINES=${ENGINES/runsc/}; }
is_direct() { [[ $ENGINE == @(proot|fakechroot|singularity|trap) ]]; }
# What the program sees beside its own variables under libfakechroot is a row of the limits ("variables").
without_library() { if is_fakechroot; then grep -vE '^(FAKECHROOT|LD_)'; else cat; fi; }
is_fakechroot() { [ "$ENGINE" = fakechroot ]; }

RUNTIME_ENV='["PATH=/bin", "A=b"]'

# config JQ-FILTER: the bundle's config.json, with a plain environment and no terminal.
config() {
  rm -f "$B/config.json"
  if [ "$(id -u)" = 0 ]; then udocker-runtime spec -b "$B"; else udocker-runtime spec --rootless -b "$B"; fi
  jq ".root.readonly = false | .process.terminal = false | .process.env = $RUNTIME_ENV | del(.process.rlimits)
    | .linux.namespaces |= map(select(.type == \"user\" or .type == \"mount\")) | .mounts |= map(select(.type != \"cgroup\"))
    | if \"$ENGINE\" == \"fakechroot\" then .annotations[\"org.udocker.prepare\"] = \"true\" else . end
    | $1" "$B/config.json" >"$B/config.new"
  mv "$B/config.new" "$B/config.json"
}
args() { config ".process.args = $(jq -cn '$ARGS.positional' --args -- "$@")${MORE:+ | $MORE}"; }

# create ID [OPTION...]: its output would stay open in the waiting process.
create() {
  local id=$1
  shift
  rt --engine "$ENGINE" create -b "$B" "$@" "$id" </dev/null >"$T/out" 2>"$T/err" || fail "create: $(cat "$T/err")"
}
# running ID [COMMAND...]: a container that runs, by default one that sleeps.
running() {
  local id=$1
  shift
  [ $# -gt 0 ] || set -- sleep 98700
  args "$@"
  create "$id"
  rt start "$id" || fail "start"
}
status_of() { rt state "$1" | jq -r .status; }
is_in_state() { [ "$(status_of "$1")" = "$2" ]; }

# Processes of ours that mention the word, the tests' own aside. '^sleep' is also one that the loader runs, as under Fakechroot.
procs_with() { pgrep -u "$(id -u)" -f -- "${1/#^sleep/(^|/)sleep}" | grep -v "^$$\$" || true; }
