# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034,SC2154  # bats sets status, output, stderr; the tests use what is set here
# What the tests of udocker-runtime's verbs share: a bundle, a state root, and every engine of the list that works here.

RUNTIME_ENGINES=${RUNTIME_ENGINES:-proot runc crun singularity} # a new engine is tested by adding its name

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

runtime_teardown() {
  local id
  for id in $(rt list -q 2>/dev/null); do rt delete --force "$id" || true; done
}

rt() { udocker-runtime --root "$ROOT" "$@"; }

# each_engine CMD...: run a test function with every engine; ENGINE is its name.
each_engine() {
  for ENGINE in $ENGINES; do
    "$@"
  done
}
# Its host sees a sandbox in the place of the container's processes.
has_own_kernel() { [ "$ENGINE" = runsc ]; }
is_direct() { [[ $ENGINE == @(proot|singularity) ]]; }

RUNTIME_ENV='["PATH=/bin", "A=b"]'

# config JQ-FILTER: the bundle's config.json, with a plain environment and no terminal.
config() {
  rm -f "$B/config.json"
  if [ "$(id -u)" = 0 ]; then udocker-runtime spec -b "$B"; else udocker-runtime spec --rootless -b "$B"; fi
  jq ".root.readonly = false | .process.terminal = false | .process.env = $RUNTIME_ENV | del(.process.rlimits)
    | .linux.namespaces |= map(select(.type == \"user\" or .type == \"mount\")) | .mounts |= map(select(.type != \"cgroup\"))
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

# Processes of ours that mention the word, the tests' own aside.
procs_with() { pgrep -u "$(id -u)" -f -- "$1" | grep -v "^$$\$" || true; }
