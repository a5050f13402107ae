#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016,SC2030,SC2031,SC2153  # filters of jq, and scripts for the guest
# bats: also as root
# What is read-only under a direct engine: by mounts for root, by Landlock for others. Both sides are told: what cannot be written, and
# what still can.

load helpers

setup() {
  common_setup
  ENGINES=$(udocker-runtime engines --format json | jq -r '.[] | select(.available and .readonly != null) | .name' | sort -u)
  [ -n "$ENGINES" ] || skip "no direct engine works here"
  ROOT=$T/state
  B=$T/bundle
  mkdir "$B" "$T/ro" "$T/rw"
  mkrootfs "$B/rootfs"
  cp "$SUITE_TOOLS/payload" "$B/rootfs/bin/payload"
  echo old | tee "$T/ro/file" "$T/rw/file" "$T/file" >"$B/rootfs/etc/own"
  way=$(udocker-runtime engines --format json | jq -r '[.[] | select(.name == "proot")][0].readonly')
  SPEC=$(udocker-runtime spec -b "$B" && jq '.root.readonly = false | .process.terminal = false | .process.env = ["PATH=/bin"]
    | del(.process.rlimits) | .linux = {namespaces: []} | .mounts |= map(select(.type == "proc" or .destination == "/dev")) | del(.hostname)' "$B/config.json")
}

teardown() {
  local id
  for id in $(rt list -q 2>/dev/null); do rt delete --force "$id" || true; done
}

rt() { udocker-runtime --root "$ROOT" "$@"; }
needs_guard() { [ "$way" != no ] || skip "no mounts and no Landlock here"; }
# bundle FILTER CMD...
bundle() {
  local filter=$1
  shift
  jq ".process.args = \$ARGS.positional | $filter" --args -- "$@" <<<"$SPEC" >"$B/config.json"
}
# sees FILTER CMD...: run it; the output and the status are the test's.
sees() {
  bundle "$@"
  run --separate-stderr rt --engine "$ENGINE" run -b "$B" "c$BATS_TEST_NUMBER-$RANDOM"
}
binds() {
  printf '.mounts += [{destination: "/ro", source: "%s/ro", options: ["rbind", "ro"]}, {destination: "/rw", source: "%s/rw", options: ["rbind"]},
    {destination: "/f", source: "%s/file", options: ["bind", "ro"]}, {destination: "/tmp", type: "tmpfs"}]' "$T" "$T" "$T"
}
# Everything that changes content: each line that says "yes" is something that could be done. $1: a directory with a file in it.
TRY='try() { "$@" 2>/dev/null && echo "yes: $*"; }
  all() {
    try sh -c "echo new >>$1/file"; try sh -c ": >$1/file"; try truncate -s 0 $1/file; try rm $1/file
    try mv $1/file $1/other; try ln $1/file $1/link; try ln -s x $1/symlink; try mkdir $1/dir; try mkfifo $1/fifo; try touch $1/new
    try mv $1/file /tmp/moved; try ln $1/file /tmp/linked; try cp /tmp/own $1/own
  }; echo mine >/tmp/own; '

@test "read-only: nothing of a bind mount, a file or the root can be changed, all else can" {
  needs_guard
  for ENGINE in $ENGINES; do
    sees ".root.readonly = true | $(binds)" busybox sh -c "$TRY"'all /ro; all /etc; try sh -c "echo new >/f"; try touch /new
      mv /rw/file /tmp/file && mkdir /tmp/d /rw/d && mv /tmp/file /rw/d/f && ln /rw/d/f /rw/f && echo x >/dev/null && cat /rw/f /ro/file /f /etc/own'
    [ "$output" = $'old\nold\nold\nold' ] || fail "$ENGINE, by $way"
    [ "$status" -eq 0 ]
    [ "$(cat "$T/ro/file" "$T/file" "$B/rootfs/etc/own" "$T/rw/d/f")" = $'old\nold\nold\nold' ]
    [ "$(ls "$T/ro")" = file ]
    mv "$T/rw/d/f" "$T/rw/file"
    rm -r "$T/rw/d" "$T/rw/f"
    # Only the binds: the root is open.
    sees "$(binds)" busybox sh -c "$TRY"'all /ro; mv /etc/own /own && mv /own /etc/own && echo fine'
    [ "$output" = fine ] || fail "$ENGINE, by $way"
  done
  [ "$(grep -c "$T" /proc/self/mountinfo)" -eq 0 ] || fail "mounts were left"
}

@test "read-only: it holds for create and start, for exec, and for hooks inside; nothing is left" {
  needs_guard
  for ENGINE in $ENGINES; do
    bundle ".root.readonly = true | $(binds)" busybox sleep 60
    rt --engine "$ENGINE" create -b "$B" c1 </dev/null >"$T/out" 2>&1
    ok rt start c1
    ok rt exec c1 busybox sh -c "$TRY"'all /ro; try touch /new; echo shared >/tmp/s'
    assert_output ""
    ok rt exec c1 busybox cat /tmp/s
    assert_output shared
    ok rt delete --force c1
    bundle ".root.readonly = true | .hooks.startContainer = [{path: \"/bin/busybox\", args: [\"busybox\", \"touch\", \"/by-hook\"]}]" busybox true
    fails 125 rt --engine "$ENGINE" run -b "$B" c1
    refute_file "$B/rootfs/by-hook"
  done
  [ -z "$(find "$ROOT" -mindepth 1 -maxdepth 1 ! -name @probes ! -name @ended)" ] || fail "left: $(ls "$ROOT")"
}

@test "read-only: a file given as standard output can be opened again, one given as input cannot be written" {
  needs_guard
  for ENGINE in $ENGINES; do
    bundle ".root.readonly = true" busybox sh -c 'echo again >/dev/stdout; echo no 2>/dev/null >/dev/stdin; true'
    rt --engine "$ENGINE" run -b "$B" c1 <"$T/file" >"$T/out" 2>"$T/err"
    [ "$(cat "$T/out")" = again ]
    [ "$way" = mounts ] || [ "$(cat "$T/file")" = old ]
  done
}

@test "read-only: the same folder shown writable elsewhere" {
  needs_guard
  local filter
  filter=".mounts += [{destination: \"/a\", source: \"$T/rw\", options: [\"rbind\"]}, {destination: \"/b\", source: \"$T/rw\", options: [\"rbind\", \"ro\"]}]"
  for ENGINE in $ENGINES; do
    sees "$filter" busybox sh -c "$TRY"'try touch /b/new; echo changed >/a/file; cat /b/file'
    [ "${lines[-1]}" = changed ]
    if [ "$way" = mounts ]; then
      [ "$output" = changed ] || fail "$ENGINE: the read-only side is not"
    else
      fails 125 rt --engine "$ENGINE" --strict run -b "$B" c1
      assert_one_error_line
      assert_stderr_contains "mounts.readonly: $T/rw stays writable"
    fi
  done
}

@test "read-only: what holds the root and all that a run writes in can be shown, and both go on as they are" {
  needs_guard
  for ENGINE in $ENGINES; do
    sees ".mounts += [{destination: \"/all\", source: \"$T\", options: [\"rbind\", \"ro\"]}, {destination: \"/run\", type: \"tmpfs\"}]" \
      busybox sh -c "$TRY"'all /all/rw; try touch /all/new; touch /root-is-open /run/own && cat /all/rw/file'
    [ "$output" = old ] || fail "$ENGINE, by $way"
    rm "$B/rootfs/root-is-open"
  done
}

@test "read-only: linux.readonlyPaths, of the root, of binds and of /proc, for root; --strict refuses them to others" {
  needs_guard
  local filter
  filter=".linux.readonlyPaths = [\"/etc\", \"/rw/sub\", \"/proc/sys\", \"/not/there\"] | .linux.maskedPaths = [\"/etc/own\"] | $(binds)"
  mkdir "$T/rw/sub"
  echo old >"$T/rw/sub/file"
  for ENGINE in $ENGINES; do
    sees "$filter" busybox sh -c "$TRY"'all /rw/sub; try touch /etc/new; try sh -c "cat /proc/sys/kernel/printk >/proc/sys/kernel/printk"
      try touch /open; cat /etc/own; try touch /rw/fine'
    if [ "$way" = mounts ]; then
      [ "$output" = $'yes: touch /open\nyes: touch /rw/fine' ] || fail "$ENGINE"
    else
      [ "$status" -eq 0 ]
      fails 125 rt --engine "$ENGINE" --strict run -b "$B" c1
      assert_stderr_contains "linux.readonlyPaths"
    fi
  done
}

@test "read-only: mounts below a read-only one are read-only too, on older kernels as well" {
  requires root
  needs_guard
  for ENGINE in $ENGINES; do
    bundle "$(binds)" busybox sh -c "$TRY"'all /ro/"a b"; cat "/ro/a b/file"; try touch /rw/new'
    for old in "" "deny 442 --"; do
      # shellcheck disable=SC2086  # two words or none
      ok unshare -m --propagation private sh -c 'mkdir -p "$1/ro/a b" && mount -t tmpfs -o nosuid,nodev none "$1/ro/a b" && echo inner >"$1/ro/a b/file"
        shift; exec "$@"' sh "$T" $old udocker-runtime --root "$ROOT" --engine "$ENGINE" run -b "$B" c1
      [ "$output" = $'inner\nyes: touch /rw/new' ] || fail "$ENGINE: $old"
    done
  done
}

@test "read-only: where the kernel has no Landlock it is ignored, and --strict says so" {
  requires user
  once
  for ENGINE in $ENGINES; do
    while IFS='|' read -r filter name; do
      bundle "${filter/@/$T/ro}" busybox sh -c 'echo runs'
      ok deny 444 -- udocker-runtime --root "$ROOT" --engine "$ENGINE" run -b "$B" c1
      assert_output runs
      fails 125 deny 444 -- udocker-runtime --root "$ROOT" --strict --engine "$ENGINE" run -b "$B" c1
      assert_one_error_line
      assert_stderr_contains "$name"
    done <<'EOT'
.root.readonly = true|root.readonly
.mounts += [{destination: "/x", source: "@", options: ["bind", "ro"]}]|mounts.readonly
EOT
    ok deny 444 -- udocker-runtime engines --format json
    [ "$(jq -r ".[] | select(.name == \"$ENGINE\") | .readonly" <<<"$output" | sort -u)" = no ]
    ok deny 444 -- udocker-runtime --engine "$ENGINE" features
    [ "$(jq '.mountOptions | index("ro")' <<<"$output")" = null ]
  done
}

@test "read-only: udocker run -v DIR:/x:ro and --read-only in P modes" {
  needs_guard
  busybox_container c1
  for mode in $(working_modes | grep '^P'); do
    udocker setup --execmode="$mode" c1 >/dev/null
    fails 1 udocker run --nobanner -v "$T/ro:/ro:ro" -v "$T/rw:/rw" c1 /bin/sh -c 'echo x >/rw/new; cat /ro/file; echo x >/ro/file'
    [ "${lines[-1]}" = old ] || fail "$mode"
    assert_file "$T/rw/new"
    [ "$(cat "$T/ro/file")" = old ]
    fails 1 udocker run --nobanner --read-only -v "$T/rw:/rw" c1 /bin/sh -c 'echo x >/rw/more; echo x >/more'
    assert_file "$T/rw/more"
    refute_file "$UDOCKER_DIR/containers/c1/ROOT/more"
    rm "$T/rw/new" "$T/rw/more"
  done
}
