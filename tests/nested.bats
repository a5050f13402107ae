#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# bats: under the sanitizers by hand
# bats: also as root
# shellcheck disable=SC2016,SC2031  # scripts for other shells; each test is a process
# Where something is missing: udocker inside containers, its own among them, without ptrace, user namespaces, /proc, a home, or a store of
# one's own. What still works is listed, taken by auto, and named by the error of what does not.

load helpers
load fakechroot.bash

setup() { common_setup; }

# What works in its first mode: "proot crun" …
working() { jq -r '[.[] | select(.available) | .name] | unique | join(" ")' <<<"$output"; }
reason() { jq -r --arg n "$1" '[.[] | select(.name == $n)][0].reason' <<<"$output"; }
# What auto takes where no R mode works: there is a trap engine for some machines.
direct() { if [[ " $(working) " == *" trap "* ]]; then echo trap; else echo proot; fi; }
auto() { jq -r '[.[] | select(.auto)][0].name' <<<"$output"; }
works_here() { udocker-runtime engines --format json | jq -e --arg m "$1" '.[] | select(.available and (.modes | index($m)))' >/dev/null; }

# A container "out" whose programs are the host's, in mode $1; the tests' folders lie in it at their places.
outer() {
  mkdir -p host/{usr,etc,proc,sys,dev,tmp,var,root,run}
  local d
  for d in bin lib lib64 sbin; do
    if [ -L "/$d" ]; then ln -s "usr/$d" "host/$d"; else mkdir -p "host/$d"; fi
  done
  tar -C host -cf host.tar .
  udocker-image import host.tar host:1 >/dev/null
  udocker-bundle create --name=out --execmode="$1" host:1 >/dev/null
  INTO=(-v /usr -v /etc -v "$SUITE_SRC" -v "$T" -w "$T")
  for d in bin lib lib64 sbin; do [ -L "/$d" ] || INTO+=(-v "/$d"); done
}
inside() {
  udocker run --nobanner "${INTO[@]}" -e HOME="$HOME" -e PATH="$PATH" -e XDG_RUNTIME_DIR="$XDG_RUNTIME_DIR" -e UDOCKER_DIR="$UDOCKER_DIR" \
    -e TMPDIR="$TMPDIR" -e UDOCKER_ALLOW_ROOT=1 -e LC_ALL=C.UTF-8 out "$@"
}
HI='head -n1 /etc/os-release; exit 7'

@test "inside P1: P1 works, R1 says why it does not, auto takes P1" {
  ! is_asan || skip "the leak sanitizer needs ptrace"
  requires proot
  busybox_container c
  udocker-bundle create --name=r --execmode=R1 bb:1
  outer P1
  # What was found outside does not count inside: both have one home.
  udocker-runtime engines >/dev/null
  ok inside udocker-runtime engines --format json
  [[ " $(working) " == *" proot "* ]] && [[ $(working) != *run* ]] || fail "works: $(working)"
  [ "$(auto)" = proot ]
  [[ $(reason trap) == "inside PRoot"* ]] || [ "$(uname -m)" != x86_64 ] || fail "$(reason trap)"
  [[ $(reason runc) == "user namespaces "* ]] || fail "$(reason runc)"
  fails 7 inside udocker run --nobanner c /bin/sh -c "$HI"
  assert_output 'NAME="udocker demo"'
  fails 7 inside env UDOCKER_DEFAULT_EXECUTION_MODE=auto udocker run --nobanner c /bin/sh -c "$HI"
  fails 125 inside udocker run --nobanner r /bin/true
  assert_one_error_line
  assert_stderr_contains "user namespaces give no power here"
  [[ $stderr =~ here\ works\ (T1,\ )?P1 ]] || fail "$stderr"
  # And the other way round: outside it is as before.
  ok udocker-runtime engines --format json
  [[ " $(working) " == *" proot "* ]]
}

@test "inside R1: P1 and R1 work" {
  once
  works_here R1 || skip "R1 does not work here"
  requires proot
  busybox_container c
  udocker-bundle create --name=r --execmode=R1 bb:1
  outer R1
  ok inside udocker-runtime engines --format json
  local works
  works=$(working)
  [[ $works == *proot* ]] || fail "works: $works"
  fails 7 inside udocker run --nobanner c /bin/sh -c "$HI"
  assert_output 'NAME="udocker demo"'
  fails 7 inside env UDOCKER_DEFAULT_EXECUTION_MODE=auto udocker run --nobanner c /bin/sh -c "$HI"
  if [[ $works == *run* ]]; then
    fails 7 inside udocker run --nobanner r /bin/sh -c "$HI"
    assert_output 'NAME="udocker demo"'
  else
    fails 125 inside udocker run --nobanner r /bin/true
    assert_one_error_line
    assert_stderr_contains "here works P1"
  fi
}

@test "F1 inside P1" {
  once
  requires proot
  needs_fakechroot
  container F1
  outer P1
  fails 7 inside udocker run --nobanner c sh -c 'cat /etc/relative; exit 7'
  assert_contains "udocker demo"
}

@test "without ptrace: P1 names what works, the default takes it" {
  requires proot
  busybox_container c
  # What looks for leaks is a tracer too.
  export ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0
  ok deny ptrace:EPERM -- udocker-runtime engines --format json
  local works
  works=$(working)
  [[ $works != *proot* ]]
  fails 125 deny ptrace:EPERM -- env UDOCKER_DEFAULT_EXECUTION_MODE=P1 udocker run --nobanner c /bin/true
  assert_one_error_line
  assert_stderr_contains "ptrace seems to be forbidden"
  if [[ $works == *run* ]]; then
    assert_stderr_contains "here works R1"
    assert_stderr_contains "udocker setup --execmode=R1"
  fi
  [[ $works == *trap* ]] || return 0
  fails 7 deny ptrace:EPERM -- udocker run --nobanner c /bin/sh -c "$HI"
  ok deny ptrace:EPERM -- udocker setup c
  assert_contains "execmode: T1"
}

@test "the default is T1; P1 without the trap engine and for programs of 32 bits; without ptrace what works" {
  requires proot
  export ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0
  busybox_container c
  ok udocker-runtime engines --format json
  local works default
  works=$(working)
  default=$(default_mode)
  ok udocker setup c
  assert_contains "execmode: $default"
  ok udocker run --nobanner c /bin/sh -c 'echo $container_execmode'
  assert_output "$default"
  ok udocker run --nobanner --rm bb:1 /bin/sh -c 'echo $container_execmode'
  assert_output "$default"
  UDOCKER_DEFAULT_EXECUTION_MODE=Auto ok udocker run --nobanner --rm bb:1 /bin/sh -c 'echo $container_execmode'
  assert_output "$default"
  ok udocker ps -m
  assert_contains " $default ['c']"

  mkdir part
  cp -a "${SUITE_BIN%/bin}/bin" "${SUITE_BIN%/bin}/libexec" part
  rm part/libexec/udocker/udocker-trap
  ok part/bin/udocker run --nobanner c /bin/sh -c 'echo $container_execmode'
  assert_output P1
  ok part/bin/udocker run --nobanner --rm bb:1 /bin/sh -c 'echo $container_execmode'
  assert_output P1
  if [[ $works == *run* ]]; then
    ok deny ptrace:EPERM -- part/bin/udocker run --nobanner c /bin/sh -c 'echo $container_execmode'
    assert_output R1
  fi

  # Its own mode, and again none.
  ok udocker setup --execmode=P1 c
  ok udocker run --nobanner c /bin/sh -c 'echo $container_execmode'
  assert_output P1
  ok udocker setup --execmode=auto c
  refute_file "$STORE/containers/$ID/execmode"
  ok udocker run --nobanner c /bin/sh -c 'echo $container_execmode'
  assert_output "$default"

  # The class of an ELF file, which says that its programs are of 32 bits.
  printf '\001' | dd of="$STORE/containers/$ID/ROOT/bin/busybox" bs=1 seek=4 conv=notrunc status=none
  printf '\003\000' | dd of="$STORE/containers/$ID/ROOT/bin/busybox" bs=1 seek=18 conv=notrunc status=none
  ok udocker setup c
  assert_contains "execmode: P1"
}

@test "without ptrace and user namespaces: what was found under another filter does not count" {
  requires user proot
  needs_fakechroot
  export ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0
  container F1
  udocker-bundle create --name=p g:1
  UDOCKER_DEFAULT_EXECUTION_MODE=auto deny ptrace:EPERM -- udocker run --nobanner p cat /etc/relative || true
  deny unshare:EPERM -- udocker run --nobanner p cat /etc/relative
  UDOCKER_DEFAULT_EXECUTION_MODE=auto fails 125 deny ptrace:EPERM unshare:EPERM seccomp:EINVAL prctl:EINVAL -- udocker run --nobanner p cat /etc/relative
  assert_one_error_line
  assert_stderr_contains "no engine works here"
  assert_stderr_contains "user namespaces are forbidden here"
  assert_stderr_contains "here works F1"
  ok deny ptrace:EPERM unshare:EPERM -- udocker run --nobanner c cat /etc/relative
  assert_contains "udocker demo"
}

@test "without user namespaces: a limit of none, as administrators set it" {
  requires user userns proot
  busybox_container c
  cat >limit <<'SH'
echo 0 >/proc/sys/user/max_user_namespaces || exit 77
export UDOCKER_ALLOW_ROOT=1
udocker-runtime engines --format json >engines
UDOCKER_DEFAULT_EXECUTION_MODE=auto udocker run --nobanner c /bin/true && UDOCKER_DEFAULT_EXECUTION_MODE=R1 udocker run --nobanner c /bin/true
SH
  run --separate-stderr unshare -Ur sh limit
  [ "$status" -ne 77 ] || skip "the limit cannot be set here"
  [ "$status" -eq 125 ] || fail "status $status"
  assert_one_error_line
  assert_stderr_contains "user.max_user_namespaces is 0"
  [[ $stderr =~ here\ works\ (T1,\ )?P1 ]] || fail "$stderr"
  output=$(cat engines)
  [ "$(auto)" = "$(direct)" ]
}

@test "without /proc: it is named, and what is of the store goes on" {
  ! is_asan || skip "the sanitizers need /proc"
  requires user userns proot
  busybox_container c
  cat >noproc <<'SH'
mount -t tmpfs none /proc || exit 77
export UDOCKER_ALLOW_ROOT=1
udocker-runtime engines --format json >engines && udocker ps >listed && udocker-bundle create --name=made bb:1 >id && udocker run --nobanner c /bin/true || exit
UDOCKER_DEFAULT_EXECUTION_MODE=P1 udocker run --nobanner c /bin/true
SH
  run --separate-stderr unshare -Urm sh noproc
  [ "$status" -ne 77 ] || skip "/proc cannot be covered here"
  [ "$status" -eq 125 ] || fail "status $status"
  assert_one_error_line
  assert_stderr_contains "proot: /proc is not mounted"
  grep -q "$ID" listed
  assert_file "$STORE/containers/$(cat id)/ROOT/bin/busybox"
  output=$(cat engines)
  [[ $(working) != *proot* && $(working) != *run* ]] || fail "works: $(working)"
  [ "$(jq -r '[.[].requires[] | select(.name == "/proc")][0].met' engines)" = false ]
}

@test "a home that is not there, or cannot be written: what only reads works, and the rest says where to" {
  requires user
  local home
  mkdir ro
  chmod 555 ro
  for home in "$T/ro/none" "$T/ro"; do
    for command in ps images version; do ok env -u UDOCKER_DIR HOME="$home" udocker "$command"; done
    fails 1 env -u UDOCKER_DIR HOME="$home" udocker import "$(rootfs_tar)" a:1
    assert_one_error_line
    assert_stderr_contains "$home/.udocker"
    assert_stderr_contains "--repo DIR or UDOCKER_DIR"
  done
  fails 1 env -u UDOCKER_DIR -u HOME HOME= XDG_RUNTIME_DIR= udocker --repo "$T/nowhere" ps
  assert_one_error_line
}

@test "a store elsewhere needs no home" {
  requires proot
  mkdir ro
  chmod 555 ro
  busybox_container c
  local home
  for home in "$T/ro" "$T/none"; do
    fails 7 env HOME="$home" udocker run --nobanner c /bin/sh -c "$HI"
    assert_output 'NAME="udocker demo"'
    assert_no_stderr
    ok env HOME="$home" UDOCKER_DIR="$T/own${home##*/}" udocker-image import "$(rootfs_tar)" a:1
    ok env HOME="$home" UDOCKER_DIR="$T/own${home##*/}" udocker run --nobanner --rm a:1 /bin/true
  done
  refute_file "$T/none"
}

@test "two users and one store: its owner writes, others read and run" {
  requires root proot setpriv
  local top shared path
  # Others may go here, which they may not where tests have their own folders.
  top=$(mktemp -d "$SUITE_SRC/two.XXXXXX")
  shared=$top/shared
  chmod 755 "$top"
  mkdir -m 755 "$top"/12001 "$top"/12002 "$shared"
  chown 12001:12000 "$top/12001" "$shared"
  chown 12002:12000 "$top/12002"
  as() {
    local user=$1
    shift
    (cd "$top/$user" && env HOME="$top/$user" TMPDIR=/tmp XDG_RUNTIME_DIR= UDOCKER_DIR="$shared/store" setpriv --reuid="$user" --regid=12000 --clear-groups "$@")
  }
  path=$top
  while [ "$path" != / ]; do
    setpriv --reuid=12002 --regid=12000 --clear-groups test -x "$path" || skip "other users cannot come here"
    path=$(dirname "$path")
  done
  cp "$(rootfs_tar)" "$top/rootfs.tar"
  chmod 644 "$top/rootfs.tar"
  ok as 12001 udocker import "$top/rootfs.tar" bb:1
  ok as 12001 udocker create --name=a bb:1
  # It is the owner's alone until he opens it.
  fails 1 as 12002 udocker ps
  assert_one_error_line
  assert_stderr_contains "have its owner let others read it"
  chmod -R a+rX "$shared/store"
  ok as 12002 udocker ps
  assert_contains " R ['a']"
  fails 7 as 12002 udocker run --nobanner a /bin/sh -c "$HI"
  assert_output 'NAME="udocker demo"'
  local command
  for command in "create bb:1" "rm a" "setup --execmode=P2 a" "rmi bb:1"; do
    # shellcheck disable=SC2086
    fails 1 as 12002 udocker $command
    assert_one_error_line
    assert_stderr_contains "belongs to another user (uid 12001); choose a store of your own"
  done
  fails 125 as 12002 env UDOCKER_DEFAULT_EXECUTION_MODE=R1 udocker run --nobanner a /bin/true
  # Root runs it as well, and leaves nothing that its owner could not remove.
  UDOCKER_DIR=$shared/store ok udocker run --nobanner a /bin/true
  UDOCKER_DIR=$shared/store fails 1 udocker create bb:1
  ok as 12001 udocker run --nobanner a /bin/true
  [ -z "$(find "$shared/store" ! -user 12001)" ] || fail "$(find "$shared/store" ! -user 12001)"
  ok as 12001 udocker rm a
}
