#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# bats: not under the sanitizers
# shellcheck disable=SC2034  # runtime.bash reads ENGINE and RUNTIME_ENV
# PRoot by version: Debian 12's 5.1.0, which has no seccomp acceleration, and 5.4.0, built by tests/tools/newer-proot, which has.

load helpers
load runtime

setup() {
  common_setup
  B=$T/bundle ROOT=$T/state C=p$BATS_TEST_NUMBER-$$
  mkdir "$B"
}

debian() {
  requires proot
  VERSION=$(proot --version | grep -oE -m1 '5\.[0-9]+\.[0-9]+')
  [ "$VERSION" = 5.1.0 ] || skip "this is not Debian 12's PRoot"
  export UDOCKER_USE_PROOT_EXECUTABLE
  UDOCKER_USE_PROOT_EXECUTABLE=$(command -v proot)
}
newer() {
  export UDOCKER_USE_PROOT_EXECUTABLE=$SUITE_TOOLS/proot-5.4.0
  [ -x "$UDOCKER_USE_PROOT_EXECUTABLE" ] || skip "$(cat "$SUITE_TOOLS/proot-5.4.0.why" 2>/dev/null || echo "no PRoot 5.4.0")"
  VERSION=5.4.0
}

run_in() { # MODE COMMAND...
  local mode=$1
  shift
  [ -e "$B/rootfs" ] || mkrootfs "$B/rootfs"
  config ".process.args = $(jq -cn '$ARGS.positional' --args -- "$@")${MORE:+ | $MORE}"
  rt --execmode "$mode" run -b "$B" "$C"
}
remark() { udocker-runtime engines --format json | jq -r '.[] | select(.name == "proot" and (.modes | index("P1"))) | "\(.version) \(.reason)"'; }
filters_in() { run_in "$1" sed -n 's/^Seccomp_filters:[[:space:]]*//p' /proc/self/status; }

# What any PRoot must do, in mode $1.
work() {
  ok run_in "$1" sh -c 'cd /etc && cat os-release | head -1; ln -s /etc/os-release l && readlink l; mkdir -p /d/e && mv /d/e /d/f && ls /d
    cp -a /etc /copy && ls /copy | grep -c l; rm -r /d /copy l; (exec sh -c "exit 3"); echo $?; find / -xdev -name os-release; id -u; test -r /etc/os-release && stat -c %s /etc/os-release'
  [ "$(head -3 <<<"$output")" = 'NAME="udocker demo"
/etc/os-release
f' ] || fail "$1"
  [ "$(tail -4 <<<"$output")" = "3
/etc/os-release
0
$(stat -c %s "$B/rootfs/etc/os-release")" ] || fail "$1"
}

@test "5.1.0 of Debian 12: P1 is P2, and said so; programs of today run in both" {
  debian
  [ "$(remark)" = "5.1.0 no seccomp acceleration in this build: P1 is P2" ] || fail "$(remark)"
  work P1
  work P2
  grep -q Seccomp_filters /proc/self/status || skip "Linux 5.9 counts filters"
  [ "$(filters_in P1)" = "$(filters_in P2)" ] || fail "another filter in P1"
}

@test "5.4.0: P1 is accelerated by a seccomp filter of PRoot's own, P2 is not; programs of today run in both" {
  newer
  [ "$(remark)" = "5.4.0 " ] || fail "$(remark)"
  work P1
  work P2
  grep -q Seccomp_filters /proc/self/status || skip "Linux 5.9 counts filters"
  [ "$(filters_in P1)" = $(($(filters_in P2) + 1)) ] || fail "P1 has no filter of PRoot's"
}

@test "5.4.0: kernel release, host name and user are those asked for" {
  newer
  MORE='.hostname = "elsewhere" | .annotations["org.udocker.kernel"] = "5.99.1" | .process.user = {uid: 7, gid: 8}' \
    run_in P1 sh -c 'uname -n; uname -r; id -u; id -g' >"$T/out"
  [ "$(cat "$T/out")" = "elsewhere
5.99.1
7
8" ] || fail "$(cat "$T/out")"
}

@test "5.4.0: hard links become symbolic ones on request alone" {
  newer
  ok run_in P1 sh -c 'echo x >/a && ln /a /b && stat -c "%F %h" /b'
  assert_output "regular file 2"
  [ ! -L "$B/rootfs/b" ]
  rm "$B/rootfs/"[ab]
  mkdir -p "$UDOCKER_DIR"
  printf '[DEFAULT]\nproot_link2symlink = True\n' >"$UDOCKER_DIR/udocker.conf"
  ok run_in P1 sh -c 'echo x >/a && ln /a /b && cat /b && stat -c "%F" /b'
  assert_output "x
regular file"
  [ -L "$B/rootfs/b" ] || fail "$(ls -l "$B/rootfs")"
}

@test "5.4.0: a port of the container is another one of the host" {
  newer
  local port said=
  for _ in 1 2 3; do # another may have the port
    port=$((20000 + RANDOM % 10000))
    MORE=".annotations[\"org.udocker.publish\"] = \"$port:8080\"" \
      run_in P1 sh -c 'echo served | timeout 20 nc -l -p 8080 127.0.0.1 >/dev/null' &
    for _ in $(seq 50); do
      said=$(timeout 5 bash -c "exec 3<>/dev/tcp/127.0.0.1/$port && head -1 <&3" 2>/dev/null) && break
      kill -0 $! 2>/dev/null || break
      sleep 0.1
    done
    wait $! || true
    [ "$said" != served ] || break
  done
  [ "$said" = served ] || fail "$said"
}

# arm64_program FILE: it prints the first word of /etc/os-release and ends with 7.
arm64_program() {
  cat >"$T/guest.c" <<'C'
static long call(long n, long a, long b, long c)
{
	register long x8 __asm__("x8") = n, x0 __asm__("x0") = a, x1 __asm__("x1") = b, x2 __asm__("x2") = c;

	__asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory");
	return x0;
}

void _start(void)
{
	static char text[64];
	long file = call(56, -100, (long)"/etc/os-release", 0);

	call(64, 1, (long)text, call(63, file, (long)text, 5));
	call(93, 7, 0, 0);
}
C
  clang --target=aarch64-linux-gnu -O1 -nostdlib -static -fuse-ld=lld -o "$1" "$T/guest.c"
}

@test "programs of another machine run by qemu-user; without it the plan says what is missing (FIX-55)" {
  requires qemu-aarch64 ld.lld clang
  local which
  mkdir -p "$B/rootfs"/{bin,etc,proc,dev,sys,tmp}
  echo "ARM64 guest" >"$B/rootfs/etc/os-release"
  arm64_program "$B/rootfs/bin/sh"
  for which in proot "$SUITE_TOOLS/proot-5.4.0"; do
    [ -x "$(command -v "$which")" ] || continue
    export UDOCKER_USE_PROOT_EXECUTABLE=$which
    fails 7 run_in P1 /bin/sh
    assert_output ARM64
    fails 7 run_in P2 /bin/sh
    assert_output ARM64
    ok udocker-runtime --execmode P1 run --dry-run -b "$B" x1
    assert_matches ' -q [^ ]*/qemu-aarch64'
  done
  mkdir "$T/bin"
  ln -s "$(command -v proot)" "$T/bin/"
  ok env PATH="$T/bin" UDOCKER_USE_PROOT_EXECUTABLE= "$(command -v udocker-runtime)" --execmode P1 run --dry-run -b "$B" x1
  refute_contains " -q "
  assert_contains "note: --platform: the container's programs are for aarch64, and qemu-aarch64 is not on PATH"
}

@test "PROOT_TMP_DIR is where PRoot puts what it needs, and it stays empty" {
  requires proot
  mkdir "$T/ptmp"
  export PROOT_TMP_DIR=$T/ptmp
  ok run_in P1 true
  ok udocker-runtime --execmode P1 run --dry-run -b "$B" x1
  assert_contains "engine environment: PROOT_TMP_DIR=$T/ptmp"
  [ -z "$(ls -A "$T/ptmp")" ]
}

@test "programs of another machine where the kernel hands them to qemu-user (binfmt_misc), and a word where nobody runs them" {
  requires proot qemu-aarch64-static ld.lld clang userns
  busybox_container c
  rm "$BUNDLE/ROOT/bin/sh"
  echo "ARM64 guest" >"$BUNDLE/ROOT/etc/os-release"
  arm64_program "$BUNDLE/ROOT/bin/sh"
  # The user's own table of a user namespace (Linux 6.7). Debian's entry names a link.
  mkdir bin
  ln -s "$(command -v proot)" bin/
  ln -s "$(command -v qemu-aarch64-static)" aarch64-binfmt-P
  cat >inside <<'SH'
mount -t binfmt_misc none /proc/sys/fs/binfmt_misc 2>/dev/null || exit 77
[ -z "$1" ] || echo ":qemu-aarch64:M::\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00:\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff:$1:PF" \
  >/proc/sys/fs/binfmt_misc/register || exit 77
export UDOCKER_ALLOW_ROOT=1
udocker setup --execmode=P1 c
PATH=$PWD/bin UDOCKER_USE_PROOT_EXECUTABLE= "$SUITE_BIN/udocker" run --nobanner c /bin/sh
echo " P1 $?"
for mode in $MODES; do
  udocker setup --execmode=$mode c
  udocker run --nobanner c /bin/sh
  echo " $mode $?"
done
SH
  MODES=
  ! working_modes | grep -q R1 || MODES=R1
  MODES=$MODES run --separate-stderr unshare -Urm bash inside "$T/aarch64-binfmt-P"
  [ "$status" -ne 77 ] || skip "no binfmt_misc of a user namespace"
  assert_output "ARM64 P1 7${MODES:+
ARM64 R1 7}"
  assert_no_stderr
  MODES=${MODES:+R1 R2} run --separate-stderr unshare -Urm bash inside
  assert_stderr_contains "programs are for aarch64, and qemu-aarch64 is not on PATH"
  [ -z "$MODES" ] || assert_stderr_contains "programs are for aarch64, which this kernel does not run (binfmt_misc); P1 runs them"
}
