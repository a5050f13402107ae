#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The trap engine on 64-bit ARM: cross-compiled (make check-long does that where the compiler is, see tests/deps arm), in an emulated machine under
# Debian's kernel, started once for all tests here.

load ../helpers

setup_file() {
  [ "$(id -u)" != 0 ] && [ -e "$SUITE_TOOLS/trap-aarch64.tar" ] && command -v qemu-system-aarch64 busybox apt-get >/dev/null || return 0
  local cache=${SUITE_CACHE:-/var/tmp/udocker-tests-$(id -u)} status=0
  mkdir -p "$cache" "$BATS_FILE_TMPDIR/t"
  tar -C "$BATS_FILE_TMPDIR/t" -xf "$SUITE_TOOLS/trap-aarch64.tar"
  cat >"$BATS_FILE_TMPDIR/script" <<'EOF'
cases() { # NAME COMMAND...: every case of a program by itself
  name=$1 bad=0
  shift
  for case in $(/t/trapsignals); do
    mkdir /tmp/in
    (cd /tmp/in && timeout -s KILL 100 "$@" "$case") || { echo "$case: $?"; bad=1; }
    rm -rf /tmp/in
  done
  echo "$name: $bad"
}
says() { # NAME COMMAND...
  name=$1
  shift
  "$@"
  echo "$name: $?"
}
says probe /t/udocker-trap --probe
cases native /t/trapsignals
for linkage in trapsignals trapsignals.dynamic; do
  cases "$linkage T1" /t/udocker-trap -r / -w /tmp/in "/t/$linkage"
  cases "$linkage T2" /t/udocker-trap -r / -2 -w /tmp/in "/t/$linkage"
done
says bash /t/udocker-trap -r / -d /bin/bash -c 'for i in 1 2 3 4 5 6; do [ -e /etc/passwd ]; done; [ "$(stat -c %u /etc/passwd)" = 0 ] && ls / | grep -q usr'
says find /t/udocker-trap -r / /usr/bin/find /usr -name python3.11
says python /t/udocker-trap -r / /usr/bin/python3 -c 'import os, subprocess; os.chdir("/usr"); print(subprocess.check_output(["pwd"]), os.getuid())'
for options in "-n" "-n -2" "-i 1000:1000"; do
  says "calls $options" chroot --userspec=1000:1000 / /t/udocker-trap -r / $options -w /tmp /t/allcalls 600
done
EOF
  bash "$SUITE_SRC/tests/tools/arm-machine" "$cache" 3000 "$BATS_FILE_TMPDIR/t" "$BATS_FILE_TMPDIR/script" >"$BATS_FILE_TMPDIR/console" 2>&1 || status=$?
  echo "$status" >"$BATS_FILE_TMPDIR/status"
}

setup() {
  common_setup
  requires user
  [ -e "$SUITE_TOOLS/trap-aarch64.tar" ] || skip "no cross compiler for aarch64 (tests/deps arm)"
  [ -e "$BATS_FILE_TMPDIR/status" ] || skip "qemu-system-aarch64 or busybox is not installed (tests/deps arm)"
  [ "$(cat "$BATS_FILE_TMPDIR/status")" != 3 ] || skip "Debian's packages for arm64 cannot be fetched"
}

# well NAME: its line on the console tells success
well() {
  grep -qxF "$1: 0" "$BATS_FILE_TMPDIR/console" || { cat "$BATS_FILE_TMPDIR/console" >&2; return 1; }
}

@test "the machine runs, and the probe finds all that the engine needs" {
  well probe
  grep -qx rewrite "$BATS_FILE_TMPDIR/console"
}

@test "signals, threads and exec, with sites rewritten and trapped only, static and dynamic" {
  well native
  well "trapsignals T1"
  well "trapsignals T2"
  well "trapsignals.dynamic T1"
  well "trapsignals.dynamic T2"
}

@test "a shell, find and Python; sites are rewritten" {
  well bash
  well find
  well python
  grep -q 'sites rewritten: 0 at the number, [1-9]' "$BATS_FILE_TMPDIR/console"
}

@test "no system call dies of SIGSYS, be its number known or not" {
  well "calls -n"
  well "calls -n -2"
  well "calls -i 1000:1000"
}
