#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Signals, threads, cancellation and exec under the trap engine: each case first without it, which says that the case is right.

load helpers
load trap

setup() {
  common_setup
  trap_image
}

# cases LINKAGE [ENGINE...]: all of them, each in a folder of its own; those that fail are named
cases() {
  local tool=$SUITE_TOOLS/$1 name bad=0
  shift
  [ -x "$tool" ] || skip "no $tool here"
  for name in $("$SUITE_TOOLS/trapsignals"); do
    mkdir -p "$T/in/$name"
    (cd "$T/in/$name" && timeout -s KILL 100 "${@//FOLDER/$T/in/$name}" "$tool" "$name") || { echo "$name: $?"; bad=1; }
    rm -rf "${T:?}/in/$name"
  done
  return $bad
}

in_t1() { cases "$1" "$IMAGE" -r / -w FOLDER; }
in_t2() { cases "$1" "$IMAGE" -r / -2 -w FOLDER; }

@test "the cases are right without the engine" {
  cases trapsignals
  cases trapsignals.dynamic
}

@test "signals and exec of a static program, sites rewritten" { in_t1 trapsignals; }

@test "signals and exec of a program with glibc, sites rewritten" { in_t1 trapsignals.dynamic; }

@test "signals and exec of a program with musl, sites rewritten" { in_t1 trapsignals.musl; }

@test "signals and exec of a static program, trapped only" { in_t2 trapsignals; }

@test "signals and exec of a program with glibc, trapped only" { in_t2 trapsignals.dynamic; }

@test "signals and exec of a program with musl, trapped only" { in_t2 trapsignals.musl; }

@test "SIGSYS blocked or ignored by whoever starts the engine" {
  run -0 bash -c 'trap "" SYS; exec "$@"' x "$IMAGE" -r / /bin/ls /etc/passwd
  [ "$output" = /etc/passwd ]
  run -0 env --block-signal=SYS "$IMAGE" -r / /bin/ls /etc/passwd
  [ "$output" = /etc/passwd ]
}

@test "sites are rewritten in T1 and not in T2, and -d says so" {
  run -0 --separate-stderr "$IMAGE" -r / -d /bin/sh -c 'for i in 1 2 3 4 5 6; do [ -e /etc/passwd ]; done'
  [[ $stderr =~ "sites rewritten: "([1-9]|"0 at the number, "[1-9]) ]]
  run -0 --separate-stderr "$IMAGE" -r / -d -2 /bin/sh -c 'for i in 1 2 3 4 5 6; do [ -e /etc/passwd ]; done'
  [[ $stderr == *"sites rewritten: 0 at the number, 0 at the call"* ]]
}

# rewritten ARG...: how many sites of trapsites are, "at the number" and "at the call"
rewritten() {
  run -0 --separate-stderr "$IMAGE" -r / -d "$SUITE_TOOLS/trapsites" "$@"
  [ "$output" = "0 failed" ]
  [[ $stderr =~ "sites rewritten: "([0-9]+)" at the number, "([0-9]+)" at the call" ]]
}

@test "a program without threads has its sites rewritten at any alignment, also where pages meet; one with threads where one store does it" {
  [ "$(uname -m)" = x86_64 ] || skip "elsewhere all instructions are aligned"
  rewritten
  [ "${BASH_REMATCH[1]}" -ge 65 ]
  [ "${BASH_REMATCH[2]}" -ge 1 ]
  rewritten threads
  [ "${BASH_REMATCH[1]}" -ge 32 ]
  [ "${BASH_REMATCH[1]}" -lt 50 ]
  [ "${BASH_REMATCH[2]}" -eq 0 ]
}

@test "a program for another machine is refused by its name" {
  printf '\177ELF\1\1\1\0\0\0\0\0\0\0\0\0\2\0\3\0%056d' 0 >"32"
  printf '\177ELF\2\1\1\0\0\0\0\0\0\0\0\0\2\0\363\0%056d' 0 >riscv
  echo text >text
  chmod 755 32 riscv text
  run -126 --separate-stderr "$IMAGE" -r / -w "$T" ./32
  [ "$stderr" = "udocker-trap: 32-bit program: use mode P1: ./32" ]
  run -126 --separate-stderr "$IMAGE" -r / -w "$T" ./riscv
  [ "$stderr" = "udocker-trap: a program for another processor: ./riscv" ]
  run -126 --separate-stderr "$IMAGE" -r / -w "$T" ./text
  [ "$stderr" = "udocker-trap: not a program: ./text" ]
}

@test "a debugger and strace in the guest" {
  [ -x /usr/bin/gdb ] && [ -x /usr/bin/strace ] || skip "no gdb or strace here"
  run -0 "$IMAGE" -r / -w "$T" /usr/bin/strace -f -o log /bin/true
  grep -q 'exited with 0' log
  run -0 timeout 100 "$IMAGE" -r / /usr/bin/gdb -nx -batch -ex 'handle SIGSYS nostop noprint pass' -ex run /bin/true
  [[ $output == *"exited normally"* ]]
}
