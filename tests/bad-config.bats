#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016,SC2030,SC2031,SC2317,SC2314  # filters of jq; functions are called by name
# bats: also as root
# Bundles whose config.json is broken or hostile, and hooks that misbehave: one clear line before anything starts, and nothing stays behind.

load helpers

setup() {
  common_setup
  ENGINES=$(udocker-runtime engines --format json | jq -r '.[] | select(.available and (.name | IN("fakechroot", "runsc") | not)) | .name' | sort -u)
  [ -n "$ENGINES" ] || skip "no engine works here"
  ROOT=$T/state
  B=$T/bundle
  mkdir "$B"
  mkrootfs "$B/rootfs"
  cp "$SUITE_TOOLS/payload" "$B/rootfs/bin/payload"
  if [ "$(id -u)" = 0 ]; then udocker-runtime spec -b "$B"; else udocker-runtime spec --rootless -b "$B"; fi
  jq '.root.readonly = false | .process.terminal = false | .process.env = ["PATH=/bin"] | del(.process.rlimits) | .process.args = ["payload", "true"]
    | .linux.namespaces |= map(select(.type == "user" or .type == "mount")) | .mounts |= map(select(.type == "proc" or .type == "tmpfs"))' \
    "$B/config.json" >"$T/good.json"
  rm "$B/config.json"
}

teardown() {
  local id
  for id in $(rt list -q 2>/dev/null); do rt delete --force "$id" || true; done
}

rt() { udocker-runtime --root "$ROOT" "$@"; }
config() { jq "$1" "$T/good.json" >"$B/config.json"; }

# No container, no half-made directory, no process that knows of the bundle.
nothing_left() {
  ok rt list -q
  assert_output ""
  [ -z "$(find "$ROOT" -mindepth 1 -maxdepth 1 ! -name @probes ! -name @ended 2>/dev/null)" ] || fail "left: $(ls -A "$ROOT")"
  wait_until 20 eval '! pgrep -u "$(id -u)" -f -- "$B" >/dev/null' || fail "running: $(pgrep -u "$(id -u)" -af -- "$B")"
}
refused() { # WHAT: create says no in one line that has WHAT
  fails 1 rt create -b "$B" c1 </dev/null
  assert_one_error_line
  assert_stderr_contains "$1"
}

@test "documents that are none" {
  once
  refused config.json
  while IFS='|' read -r text what; do
    printf '%b' "$text" >"$B/config.json"
    refused "$what"
  done <<'EOT'
|config.json
{|config.json
[]|expected an object
null|expected an object
"x"|expected an object
{"ociVersion": "1.0.2"}|root: missing
{"ociVersion": "1.0.2", "root": {"path": "rootfs"}} {}|config.json
{"ociVersion": "1.0.2", "root": {"path": "root\\u0000fs"}}|config.json
{"ociVersion": "1.0.2", "root": {"path": "root\0000fs"}}|config.json
{"ociVersion": "1.0.2", "root": {"path": "\0377"}}|config.json
EOT
  printf '\xef\xbb\xbf%s' "$(cat "$T/good.json")" >"$B/config.json"
  run --separate-stderr rt create -b "$B" c1 # with a byte order mark: either, but said
  [ "$status" -eq 0 ] || assert_one_error_line
  rt delete --force c1 2>/dev/null || true
  # Deep, and large: refused by the limits, not by the memory that is left.
  { printf '{"ociVersion":"1.0.2","root":{"path":"rootfs"},"x":' && head -c 200000 /dev/zero | tr '\0' '['; } >"$B/config.json"
  refused config.json
  { printf '{"ociVersion":"1.0.2","x":"' && head -c 20000000 /dev/zero | tr '\0' 'x' && printf '"}'; } >"$B/config.json"
  refused config.json
  { printf '{"ociVersion":"1.0.2","root":{"path":"rootfs"},"x":[0' && head -c 7000000 /dev/zero | sed 's/\x0/,0/g' && printf ']}'; } >"$B/config.json"
  refused config.json
  rm "$B/config.json" && mkdir "$B/config.json"
  refused config.json
  rmdir "$B/config.json" && mkfifo "$B/config.json"
  refused config.json
  rm "$B/config.json" && ln -s /dev/zero "$B/config.json"
  refused config.json
  rm "$B/config.json" && ln -s config.json "$B/config.json"
  refused config.json
  rm "$B/config.json"
  nothing_left
}

@test "members of the wrong type, out of range, or missing, are named" {
  once
  local document
  cat <<'EOT' >"$T/rows"
.ociVersion = 1|ociVersion
.ociVersion = "2.0.0"|ociVersion
.ociVersion = ""|ociVersion
.root = "rootfs"|root
.root.path = ["rootfs"]|root.path
.root.readonly = "yes"|root.readonly
.process = "sh"|process
.process.args = "sh"|process.args
.process.args = []|process.args
.process.args = ["sh", 5]|process.args[1]
.process.args = [""]|process.args
.process.env = {"A": "b"}|process.env
.process.env = [null]|process.env[0]
.process.cwd = "tmp"|process.cwd
.process.cwd = ""|process.cwd
.process.cwd = 7|process.cwd
.process.terminal = "true"|process.terminal
.process.consoleSize = {height: -1, width: 80}|process.consoleSize.height
.process.user.uid = -1|process.user.uid
.process.user.uid = 4294967296|process.user.uid
.process.user.gid = 1.5|process.user.gid
.process.user.gid = "0"|process.user.gid
.process.user.umask = 512|process.user.umask
.process.user.additionalGids = [-5]|process.user.additionalGids[0]
.process.user.additionalGids = [range(70000)]|process.user.additionalGids
.process.oomScoreAdj = 1001|process.oomScoreAdj
.process.rlimits = [{type: "RLIMIT_NOFILE", soft: -1, hard: 5}]|process.rlimits[0].soft
.process.rlimits = [{type: "NOFILE", soft: 1, hard: 5}]|process.rlimits[0].type
.process.rlimits = [{type: "RLIMIT_NOFILE", soft: 1, hard: 5}, {type: "RLIMIT_NOFILE", soft: 1, hard: 5}]|twice
.process.capabilities = ["CAP_KILL"]|process.capabilities
.process.capabilities.bounding = "CAP_KILL"|process.capabilities.bounding
.process.noNewPrivileges = 1|process.noNewPrivileges
.process.scheduler = {policy: 1}|process.scheduler.policy
.process.scheduler = {policy: "SCHED_OTHER", nice: 20}|process.scheduler.nice
.process.ioPriority = {class: "IOPRIO_CLASS_BE", priority: 8}|process.ioPriority.priority
.mounts = {}|mounts
.mounts[0].destination = "proc"|mounts[0].destination
.mounts[0].destination = null|mounts[0].destination
.mounts[0].options = "ro"|mounts[0].options
.mounts = [limit(5000; repeat({destination: "/m", type: "tmpfs"}))]|more than 4096
.hostname = 5|hostname
.annotations = []|annotations
.annotations = {a: 1}|annotations.a
.hooks = []|hooks
.hooks.prestart = [{path: "bin/true"}]|hooks.prestart[0].path
.hooks.poststop = [{}]|hooks.poststop[0].path
.hooks.poststart = [{path: "/bin/true", timeout: 0}]|hooks.poststart[0].timeout
.hooks.poststart = [{path: "/bin/true", timeout: -1}]|hooks.poststart[0].timeout
.hooks.createRuntime = [{path: "/bin/true", env: "A=b"}]|hooks.createRuntime[0].env
.linux = []|linux
.linux.namespaces = [{type: "pet"}]|linux.namespaces[0].type
.linux.namespaces = [{type: "uts"}, {type: "uts"}]|twice
.linux.namespaces = [{type: "uts", path: "ns"}]|linux.namespaces[0].path
.linux.uidMappings = [{containerID: 0, hostID: 0}]|linux.uidMappings[0].size
.linux.uidMappings = [{containerID: 0, hostID: -4, size: 1}]|linux.uidMappings[0].hostID
.linux.devices = [{type: "c"}]|linux.devices[0].path
.linux.maskedPaths = ["proc"]|linux.maskedPaths[0]
.linux.readonlyPaths = "/proc"|linux.readonlyPaths
.linux.sysctl = {a: 5}|linux.sysctl.a
.linux.rootfsPropagation = "loud"|linux.rootfsPropagation
.linux.seccomp = {}|linux.seccomp.defaultAction
EOT
  # All documents from one start of jq.
  jq -c "$(cut -d'|' -f1 "$T/rows" | sed 's/.*/(&)/' | paste -sd,)" "$T/good.json" >"$T/documents"
  while IFS='|' read -r _ what && read -r document <&3; do
    printf '%s' "$document" >"$B/config.json"
    refused "$what"
  done <"$T/rows" 3<"$T/documents"
  [ "$(wc -l <"$T/rows")" = "$(wc -l <"$T/documents")" ]
  nothing_left
}

@test "a root file system that is none" {
  for ENGINE in $ENGINES; do
    printf x >"$B/file"
    ln -sfn loop "$B/loop"
    for path in nowhere file loop rootfs/etc/passwd ""; do
      config ".root.path = \"$path\""
      fails 1 rt --engine "$ENGINE" create -b "$B" c1
      assert_one_error_line
    done
    # A path of the host is allowed by the specification; what is not there is not.
    config '.root.path = "/nonexistent/rootfs"'
    fails 1 rt --engine "$ENGINE" create -b "$B" c1
    assert_one_error_line
    nothing_left
  done
}

@test "mount targets through links stay inside the root" {
  mkdir "$T/outside" "$T/source"
  echo inside >"$T/source/f"
  for ENGINE in $ENGINES; do
    rm -rf "$B/rootfs/out" "$B/rootfs/up"
    ln -s "$T/outside" "$B/rootfs/out"
    ln -s ../../../../../../../../../.."$T/outside" "$B/rootfs/up"
    for target in /out/dir /up/dir /out /up "/../../..$T/outside/dots" "/etc/../../../..$T/outside/dots"; do
      config ".mounts += [{destination: \"$target\", type: \"bind\", source: \"$T/source\", options: [\"rbind\"]}]"
      run --separate-stderr rt --engine "$ENGINE" run -b "$B" c1
      [ -z "$(ls -A "$T/outside")" ] || fail "$ENGINE: $target was made outside"
      [ "$(ls -A "$T/source")" = f ] || fail "$ENGINE: $target: made in the source"
    done
    config ".mounts += [{destination: \"/x\", type: \"bind\", source: \"$T/not-there\", options: [\"bind\"]}]"
    run --separate-stderr rt --engine "$ENGINE" run -b "$B" c1
    [ "$status" -ne 0 ] || fail "$ENGINE: a source that is missing"
    assert_stderr_contains not-there
    nothing_left
  done
}

@test "hooks of all six kinds run when they should, with the state on standard input" {
  for ENGINE in $ENGINES; do
    rm -f "$T/log"
    mkdir -p "$B/rootfs/log"
    config "[\"prestart\", \"createRuntime\", \"poststart\", \"poststop\"] as \$outside
      | reduce \$outside[] as \$k (.; .hooks[\$k] = [{path: \"/bin/sh\", args: [\"sh\", \"-c\", \"echo \(\$k) \$(cat | jq -r .status) \$A >>$T/log\"], env: [\"A=b\", \"PATH=$PATH\"], timeout: 60}])
      | .hooks.startContainer = [{path: \"/bin/busybox\", args: [\"sh\", \"-c\", \"echo startContainer >/log/inside\"], env: [\"PATH=/bin\"]}]
      | .process.args = [\"busybox\", \"cat\", \"/log/inside\"]"
    ok rt --engine "$ENGINE" run -b "$B" c1
    assert_output startContainer
    [ "$(cut -d' ' -f1,3 "$T/log" | paste -sd,)" = "prestart b,createRuntime b,poststart b,poststop b" ] || fail "$ENGINE: $(cat "$T/log")"
    # crun says "created" here.
    [ "$ENGINE" = crun ] || [ "$(sed -n 2p "$T/log")" = "createRuntime creating b" ] || fail "$ENGINE: $(cat "$T/log")"
    [ "$(sed -n 4p "$T/log")" = "poststop stopped b" ] || fail "$ENGINE: $(cat "$T/log")"
    rm -rf "$B/rootfs/log"
    nothing_left
  done
}

@test "hooks that fail, hang, are missing or do not read end create or start with one line and leave nothing" {
  # What a hook is told may be larger than a pipe: one that closes its input early must not matter.
  head -c 200000 /dev/zero | tr '\0' x >"$T/big"
  printf '#!/bin/sh\nexec <&-\nexit 0\n' >"$T/deaf" && chmod 755 "$T/deaf"
  printf '#!/bin/sh\nsleep 1000 &\nsleep 1000\n' >"$T/hangs" && chmod 755 "$T/hangs"
  printf '#!/bin/sh\necho because of this\nexit 3\n' >"$T/fails" && chmod 755 "$T/fails"
  printf 'no program' >"$T/text"
  for ENGINE in $(grep -vE '^(runc|crun)$' <<<"$ENGINES"); do
    for kind in prestart createRuntime createContainer poststart; do
      while IFS='|' read -r hook text; do
        config ".hooks.$kind = [$hook]"
        fails 125 rt --engine "$ENGINE" run -b "$B" c1
        assert_stderr_contains "$kind hook #1"
        assert_stderr_contains "$text"
        assert_one_error_line
      done <<EOT
{path: "$T/fails"}|exit status 3, it said: because of this
{path: "$T/hangs", timeout: 1}|timeout
{path: "$T/nowhere"}|nowhere
{path: "$T/text"}|text
EOT
      jq --rawfile big "$T/big" ".hooks.$kind = [{path: \"$T/deaf\"}] | .annotations.big = \$big" "$T/good.json" >"$B/config.json"
      ok rt --engine "$ENGINE" run -b "$B" c1
    done
    config ".hooks.poststop = [{path: \"$T/fails\"}, {path: \"/bin/sh\", args: [\"sh\", \"-c\", \"echo ran >$T/second\"]}]"
    ok rt --engine "$ENGINE" run -b "$B" c1
    assert_stderr_contains "because of this"
    [ "$(cat "$T/second")" = ran ]
    config '.hooks.startContainer = [{path: "/bin/none", args: ["busybox", "true"]}]'
    fails 125 rt --engine "$ENGINE" run -b "$B" c1
    assert_stderr_contains "/bin/none"
    config '.hooks.startContainer = [{path: "/bin/busybox", args: ["busybox", "sleep", "1000"], timeout: 1}]'
    fails 125 rt --engine "$ENGINE" run -b "$B" c1
    assert_stderr_contains "startContainer hook #1"
    nothing_left
    ! pgrep -u "$(id -u)" -f "$T/hangs" || fail "a hook runs on"
  done
}
