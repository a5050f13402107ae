#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# bats: also as root
# bats: not under the sanitizers
# Path calls in the trap engine answer as in a real chroot with real bind mounts: the same ones each time. tests/long makes up a million others.

load helpers
load trap

setup() {
  common_setup
  trap_image
  requires userns
  [ -w /dev/shm ] || skip "no /dev/shm, where a number is never another file's"
}

paths() { run python3 "$SUITE_SRC/tests/tools/trap-paths" "$@" "$IMAGE" "$SUITE_TOOLS/pathcalls"; echo "$output"; [ "$status" -eq 0 ]; }

@test "the real chroot answers itself alike, or the rest says nothing" { paths -n 1000 -w again; }
@test "T1: path calls answer as in a real chroot" { paths -s 1 -n 6000 -w t1; }
@test "T2: path calls answer as in a real chroot" { paths -s 2 -n 6000 -w t2; }
@test "without openat2: path calls answer as in a real chroot" { paths -s 3 -n 6000 -w walk; }

@test "names that are too long where nothing may be written, and a folder that has been removed, answer as in a real chroot" {
  local long way
  long=$(printf 'x%.0s' {1..256})
  printf '%s\n' "mkdir =/ro/$long 511" "unlink =/ro/$long" "rmdir =/ro/$long" "symlink =x =/ro/$long" "mknod =/ro/$long 4480 0" "unlink =/$long" "mkdir =/ro/f/$long 511" \
    "mkdir =/ro/$long/y 511" "open =/ro/$long 65 420" "gone =/tmp/gone" "exec x =./ 0" "exec x =. 0" "exec . =./ 0" "open =./ 0 0" "stat =." "open =.// 65536 0" >"$T/script"
  for way in t1 t2 walk; do
    paths -v -o "$T/script" -w "$way"
    assert_contains "0 differ"
  done
}

@test "a difference is seen: read-only binds that are not" {
  printf '#!/bin/sh\nargs=; for a in "$@"; do [ "$a" != -B ] || a=-b; args="$args $a"; done; exec %s $args\n' "$IMAGE" >"$T/trap"
  chmod 755 "$T/trap"
  echo 'open =/ro/f 1 0' >"$T/script"
  run python3 "$SUITE_SRC/tests/tools/trap-paths" -o "$T/script" -w t2 "$T/trap" "$SUITE_TOOLS/pathcalls"
  [ "$status" -eq 1 ] && [[ $output == *"real: open EROFS"* ]]
}

@test "mounting, namespaces and ptrace refused: the engine needs none of them" {
  mkdir -p root/bin root/proc
  cp "$(command -v busybox)" root/bin/busybox
  ok deny unshare,mount,ptrace,setns:EPERM -- "$IMAGE" -r "$T/root" -b /proc /proc -w / -a sh /bin/busybox -c 'busybox id -u; busybox stat -c %n /bin/busybox'
  assert_output $'0\n/bin/busybox'
}

# unclean ROOT OPTION...: does a run know of something under its mount points that links must not lead to (TRAP_UNCLEAN of its state)?
unclean() {
  mkfifo wait
  "$IMAGE" -r "$@" -w / -x "$(command -v busybox)" cat <"wait" >/dev/null &
  exec 5>"wait"
  until [ "$(cat /proc/$!/comm)" = busybox ]; do :; done
  local flags
  flags=$(od -An -tu4 -j12 -N4 "/proc/$!/fd/$(printf '%s\n' "/proc/$!/fd/"* | sed 's,.*/,,' | sort -n | tail -n 1)")
  exec 5>&-
  wait $!
  rm wait
  ((flags & 32))
}

@test "what lies under mount points is looked at in the root, not where the binds come from" {
  mkdir -p root/proc root/dev/pts deep/1/2/3/4/5/6/7/8
  ! unclean "$T/root" -b /proc /proc -b /dev /dev || false
  ! unclean / -b /usr /usr || false
  unclean / -b /proc /proc
  unclean "$T" -b /dev "$T/deep" -b /usr /deep
}

@test "no system call of a guest dies of SIGSYS, be its number known or not" {
  requires user # what root may do it would do
  mkdir -p root/proc
  cp "$SUITE_TOOLS/allcalls" root/
  local options
  for options in -n '-n -2' '-i 1000:1000'; do
    # shellcheck disable=SC2086 # options
    ok "$IMAGE" -r "$T/root" -b /proc /proc $options -w / /allcalls 600
    assert_contains ", 0 wrong"
  done
}

# 4294657: O_TMPFILE | O_WRONLY | O_NONBLOCK
@test "nothing is made in a read-only bind by the name of the folder one is in, nor executed behind a folder that is closed" {
  requires user # who is not kept out
  printf '%s\n' 'enter =/ro' 'open =. 4294657 1023' 'openat2 . =./ 4294657 420 0' 'enter =/' 'exec x =/u/s 0' 'exec x =/u/lx 0' 'enter =/d' \
    'open =. 4294657 1023' 'enter =/' >script
  paths -o script
}
