#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016,SC2030,SC2031,SC2153  # filters of jq, and scripts for the guest
# bats: also as root
# linux.namespaces under direct engines: joined by path, made by who may, one for all programs of a container.

load helpers

setup() {
  common_setup
  ENGINES=$(udocker-runtime engines --format json | jq -r '.[] | select(.available and .readonly != null) | .name' | sort -u)
  [ -n "$ENGINES" ] || skip "no direct engine works here"
  export ROOT=$T/state B=$T/bundle
  mkdir "$B"
  mkrootfs "$B/rootfs"
  SPEC=$(udocker-runtime spec -b "$B" && jq '.root.readonly = false | .process.terminal = false | .process.env = ["PATH=/bin"]
    | del(.process.rlimits, .hostname) | .linux = {namespaces: []} | .mounts |= map(select(.type == "proc" or .destination == "/dev"))' "$B/config.json")
}

teardown() {
  local id
  for id in $(rt list -q 2>/dev/null); do rt delete --force "$id" || true; done
  [ -z "${OTHER:-}" ] || kill "$OTHER" 2>/dev/null || true
}

rt() { udocker-runtime --root "$ROOT" "$@"; }
# bundle FILTER CMD...
bundle() {
  local filter=$1
  shift
  jq ".process.args = \$ARGS.positional | $filter" --args -- "$@" <<<"$SPEC" >"$B/config.json"
}
# other OPTION...: a process in namespaces of its own; its pid is OTHER.
other() {
  unshare "$@" sh -c 'echo >there; exec sleep 100' 3>&- &
  OTHER=$!
  wait_until 10 test -e there
}
LINKS='for i in net ipc uts cgroup; do readlink /proc/self/ns/$i; done'
MADE='.hostname = "inner" | .domainname = "outer" | .linux.namespaces = [{type: "network"}, {type: "ipc"}, {type: "uts"}, {type: "cgroup"}]'

# What a caller sees who may make namespaces: root, or a user as root of a user namespace.
@test "namespaces: made for who may, one for the waiting process, the program, exec and hooks inside; --strict has nothing to say" {
  [ "$(id -u)" = 0 ] || requires userns
  cat >"$T/check" <<'EOT'
set -e
rt() { udocker-runtime --root "$ROOT" "$@"; }
rm -f "$B/rootfs/tmp/apart"
rt --strict --engine "$ENGINE" create --pid-file pid -b "$B" c1 </dev/null >out 2>&1 || { cat out; exit 1; }
for i in net ipc uts cgroup; do readlink /proc/$(cat pid)/ns/$i; done >waiting
rt start c1
rt exec c1 busybox sh -c "$LINKS" >exec
rt exec c1 busybox hostname
rt exec -d c1 busybox sh -c "($LINKS) >/tmp/detached; mv /tmp/detached /tmp/apart" </dev/null >out2 2>&1 || { cat out2; exit 1; }
while [ ! -e "$B/rootfs/tmp/apart" ]; do sleep 0.05; done
rt delete -f c1
cmp waiting exec
cmp waiting "$B/rootfs/tmp/apart"
cmp waiting out
rt --strict --engine "$ENGINE" run -b "$B" --config run.json c1 >ran </dev/null
for i in net ipc uts cgroup; do readlink /proc/self/ns/$i; done >own
EOT
  export ENGINE LINKS
  for ENGINE in $ENGINES; do
    bundle "$MADE | .hooks.startContainer = [{path: \"/bin/busybox\", args: [\"busybox\", \"sh\", \"-c\", \"$LINKS >/tmp/hook\"]}]" \
      busybox sh -c "$LINKS; exec sleep 100"
    jq '.process.args[-1] |= sub("; exec .*"; "")' "$B/config.json" >run.json
    if [ "$(id -u)" = 0 ]; then ok sh "$T/check"; else ok unshare -Ur sh "$T/check"; fi
    assert_output inner
    cmp ran "$B/rootfs/tmp/hook" || fail "$ENGINE: a hook inside has others"
    [ "$(sort -u own ran | wc -l)" -eq 8 ] && [ "$(sort -u own waiting | wc -l)" -eq 8 ] || fail "$ENGINE: the caller's: $(cat ran waiting)"
  done
}

@test "namespaces: a network of one's own has a loopback and nothing else" {
  [ "$(id -u)" = 0 ] || requires userns
  local as=""
  [ "$(id -u)" = 0 ] || as="unshare -Ur"
  for ENGINE in $ENGINES; do
    bundle "$MADE" busybox sh -c 'sed "1,2d;s/:.*//" /proc/self/net/dev; ip -o addr show up; hostname; cat /proc/sys/kernel/domainname'
    # shellcheck disable=SC2086  # two words or none
    ok $as udocker-runtime --root "$ROOT" --engine "$ENGINE" run -b "$B" c1
    [ "$(xargs <<<"${lines[0]}")" = lo ] || fail "$ENGINE"
    [[ ${lines[1]} == *127.0.0.1* && ${lines[-2]} = inner && ${lines[-1]} = outer ]] || fail "$ENGINE"
  done
}

@test "namespaces: joined by path, by create, run and exec" {
  [ "$(id -u)" = 0 ] || requires userns
  cat >"$T/check" <<'EOT'
set -e
rt() { udocker-runtime --root "$ROOT" "$@"; }
rt --strict --engine "$ENGINE" run -b "$B" c1 </dev/null
rt --strict --engine "$ENGINE" create --pid-file pid -b "$B" c1 </dev/null >out 2>&1 || { cat out; exit 1; }
for i in net ipc uts cgroup; do readlink /proc/$(cat pid)/ns/$i; done
rt delete -f c1
EOT
  export ENGINE
  if [ "$(id -u)" = 0 ]; then other -niuC; else other -UrniuC; fi
  for ENGINE in $ENGINES; do
    bundle ".linux.namespaces = [(\"network net\", \"ipc ipc\", \"uts uts\", \"cgroup cgroup\") | split(\" \") | {type: .[0], path: \"/proc/$OTHER/ns/\(.[1])\"}]" \
      busybox sh -c "$LINKS"
    if [ "$(id -u)" = 0 ]; then ok sh "$T/check"; else ok nsenter --preserve-credentials -U -t "$OTHER" sh "$T/check"; fi
    want=$(for i in net ipc uts cgroup; do readlink "/proc/$OTHER/ns/$i"; done)
    [ "$output" = "$want"$'\n'"$want" ] || fail "$ENGINE: not $want"
  done
}

@test "namespaces: a user namespace is joined first, and gives its own" {
  requires user userns
  other -Urn
  for ENGINE in $ENGINES; do
    bundle ".linux.namespaces = [{type: \"network\", path: \"/proc/$OTHER/ns/net\"}, {type: \"user\", path: \"/proc/$OTHER/ns/user\"}]" \
      busybox sh -c 'readlink /proc/self/ns/user; readlink /proc/self/ns/net; exec sleep 100'
    rt --strict --engine "$ENGINE" create -b "$B" c1 </dev/null >"$T/out" 2>&1
    ok rt start c1
    wait_until 10 grep -q net "$T/out"
    [ "$(cat "$T/out")" = "$(readlink "/proc/$OTHER/ns/user" "/proc/$OTHER/ns/net")" ] || fail "$ENGINE: $(cat "$T/out")"
    ok rt exec c1 busybox readlink /proc/self/ns/net
    assert_output "$(readlink "/proc/$OTHER/ns/net")"
    ok rt delete -f c1
  done
}

@test "namespaces: one that cannot be joined fails create, says why and leaves nothing" {
  for ENGINE in $ENGINES; do
    while IFS='|' read -r type path text; do
      bundle ".linux.namespaces = [{type: \"$type\", path: \"$path\"}]" busybox true
      fails 1 rt --engine "$ENGINE" create -b "$B" c1
      assert_one_error_line
      assert_stderr_contains "$text"
      fails 125 rt --engine "$ENGINE" run -b "$B" c1
      [ -z "$(rt list -q)" ]
    done <<EOT
network|$T/none|network namespace '$T/none': No such file or directory
network|/proc/self/ns/uts|is a namespace of another type
ipc|$T/bundle/config.json|is no namespace
ipc|$T|is no namespace
mount|/proc/self/ns/mnt|linux.namespaces.mount.path
EOT
  done
  [ "$(id -u)" != 0 ] || return 0
  requires userns
  other -Urn
  for ENGINE in $ENGINES; do
    bundle ".linux.namespaces = [{type: \"network\", path: \"/proc/$OTHER/ns/net\"}]" busybox true
    fails 1 rt --engine "$ENGINE" create -b "$B" c1
    assert_one_error_line
    assert_stderr_contains "join network namespace: Operation not permitted"
    [ -z "$(rt list -q)" ]
  done
}

@test "namespaces: the clocks of a time namespace are joined by path" {
  requires root
  unshare -T --boottime 100000 true 2>/dev/null || skip "no time namespaces here"
  other -T --boottime 100000
  for ENGINE in $ENGINES; do
    bundle ".linux.namespaces = [{type: \"time\", path: \"/proc/$OTHER/ns/time_for_children\"}]" busybox cat /proc/uptime
    ok rt --strict --engine "$ENGINE" run -b "$B" c1
    [ "${output%%.*}" -ge 100000 ] && [ "$(cut -d. -f1 /proc/uptime)" -lt "${output%%.*}" ] || fail "$ENGINE"
  done
}
