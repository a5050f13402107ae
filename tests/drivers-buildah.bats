#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2317,SC2016,SC2030,SC2031  # called through each_engine; single quotes are for the shell inside
# bats: also as root
# bats: not under the sanitizers
# buildah with udocker-runtime as its runtime, with every engine: run, bud, terminals and errors, as root and as a user.

load helpers
load drivers

setup() {
  common_setup
  requires buildah
  drivers_setup
  BH=("${DRIVE[@]}" buildah --root "$D/storage" --runroot "$D/runroot" --storage-driver vfs)
  [ "$(id -u)" = 0 ] || bh unshare true 2>"$T/err" || skip "buildah does not work for this user: $(tail -1 "$T/err")"
}
teardown() {
  [ -z "${BH:-}" ] || [ "$(id -u)" = 0 ] || bh unshare rm -rf "$D/storage" "$D/runroot" 2>/dev/null || true
  drivers_teardown
}
# buildah ends when the last end of its pipes is closed: one that the runtime keeps would hold it for ever.
bh() { timeout 60 "${BH[@]}" "$@"; }
bh_run() { bh run --runtime "$RT" --runtime-flag "engine=$ENGINE" --network=none --isolation="${ISOLATION:-oci}" "$@"; }

@test "buildah run: output, status, stdin, volumes, user, a terminal" {
  local c
  c=$(bh from scratch)
  ok bh add -q "$c" "$(rootfs_tar)" /
  mkdir "$D/vol"
  echo in the volume >"$D/vol/file"
  check() {
    fails 5 bh_run "$c" /bin/sh -c 'echo out; exit 5'
    assert_output out
    [ "$(echo piped | bh_run "$c" cat)" = piped ] || fail "stdin"
    ok bh_run -v "$D/vol:/vol" --user 1000 -e A=b --workingdir /tmp "$c" /bin/sh -c 'cat /vol/file; id -u; echo "$A $PWD"'
    assert_output $'in the volume\n1000\nb /tmp'
    # What the program leaves running must not hold the pipes.
    ok bh_run "$c" /bin/sh -c "(setsid sleep $MARK) & echo ended"
    assert_output ended
    fails 1 bh_run "$c" /nope
    assert_stderr_contains "no such file or directory"
    ok script -qec "$(printf '%q ' timeout --foreground 60 "${BH[@]}" run --runtime "$RT" --runtime-flag "engine=$ENGINE" --network=none --isolation=oci -t "$c" tty)" /dev/null </dev/null
    assert_contains /dev/
    nothing_left
  }
  each_engine check
  if [ "$(id -u)" != 0 ]; then
    ENGINE=proot ISOLATION=rootless
    ok bh_run "$c" /bin/sh -c 'echo rootless'
    assert_output rootless
    nothing_left
  fi
}

@test "buildah bud: RUN steps, their user, and a step that fails" {
  check() {
    ln -f "$(rootfs_tar)" "$D/rootfs.tar" 2>/dev/null || cp "$(rootfs_tar)" "$D/rootfs.tar"
    printf '%s\n' 'FROM scratch' 'ADD rootfs.tar /' 'RUN mkdir /made && echo built >/made/file' 'ENV A=b' 'USER 1000' 'RUN echo "$(id -u) $A"' >"$D/Containerfile"
    ok bh bud --runtime "$RT" --runtime-flag "engine=$ENGINE" --network=none --isolation=oci -t "made-$ENGINE" -f "$D/Containerfile" "$D"
    assert_contains "1000 b"
    c=$(bh from "made-$ENGINE")
    ok bh_run "$c" cat /made/file
    assert_output built
    printf '%s\n' "FROM made-$ENGINE" 'RUN exit 6' >"$D/Containerfile"
    run bh bud --runtime "$RT" --runtime-flag "engine=$ENGINE" --network=none --isolation=oci -f "$D/Containerfile" "$D"
    [ "$status" -ne 0 ] || fail "a step that failed passed"
    assert_contains "exit status 6"
    nothing_left
  }
  each_engine check
}
