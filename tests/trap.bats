#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# bats: also as root
# bats: not under the sanitizers
# The trap engine, modes T1 and T2, as a user of containers sees it.

load helpers

setup() {
  common_setup
  udocker-runtime engines --format json | jq -e '.[] | select(.name == "trap") | .available' >/dev/null || skip "$(udocker-runtime engines | grep '^trap')"
  mkrootfs "$T/rootfs"
  tar -C "$T/rootfs" -cf "$T/image.tar" .
  ok udocker import "$T/image.tar" image:1
  ok udocker create --name=c image:1
}

# in_modes TEST: in both.
in_modes() {
  local mode
  for mode in T1 T2; do
    ok udocker setup --execmode=$mode c
    "$@"
  done
}
run_c() { udocker -q run "$@"; }

@test "where ptrace, namespaces and mounts are refused the trap engine runs, and says that others do not" {
  local denied=(deny ptrace:EPERM unshare:EPERM mount:EPERM setns:EPERM clone3:ENOSYS --)
  ok "${denied[@]}" udocker-runtime engines --format json
  jq -e '.[] | select(.name == "trap") | .available' <<<"$output" >/dev/null || fail "$output"
  jq -e '.[] | select(.name == "proot") | .available | not' <<<"$output" >/dev/null || fail "$output"
  # Root needs no user namespace.
  [ "$(id -u)" = 0 ] || jq -e '[.[] | select(.name == "crun" or .name == "runc") | .available] | any | not' <<<"$output" >/dev/null || fail "$output"
  without() {
    ok "${denied[@]}" udocker -q run c /bin/sh -c 'id -u; echo yes >/made; cat /made; ls -d /etc/../bin/sh'
    assert_output $'0\nyes\n/etc/../bin/sh'
    [ "$(cat "$(udocker inspect -p c)/made")" = yes ]
  }
  in_modes without
}

@test "auto takes the trap engine before PRoot, but for programs of 32 bits" {
  requires user proot
  local dir
  busybox_container b
  dry() { ok deny unshare:EPERM -- udocker-runtime --execmode auto run --dry-run -b "$BUNDLE" x1; }
  dry
  assert_contains "engine: trap"
  # No more than a header.
  dir=$(udocker inspect -p b)
  rm "$dir/bin/sh"
  printf '\177ELF\1\1\1\0\0\0\0\0\0\0\0\0\2\0\3\0\1\0\0\0\0\0\0\0\64\0\0\0\0\0\0\0\0\0\0\0\64\0\40\0\0\0\50\0\0\0\0\0' >"$dir/bin/sh"
  chmod 755 "$dir/bin/sh"
  dry
  assert_contains "engine: proot"
  assert_contains "trap: the container's programs are for i386"
}

@test "status, death by a signal and a program that is not there are told exactly" {
  ends() {
    fails 7 run_c c /bin/sh -c 'exit 7'
    fails 137 run_c c /bin/sh -c 'kill -9 $$'
    fails 127 run_c c /bin/nothing
    touch "$(udocker inspect -p c)/plain"
    fails 126 run_c c /plain
  }
  in_modes ends
}

@test "volumes: at new places they are listed, read-only ones and a read-only root stay as they are" {
  mkdir -p "$T/vol"
  echo from the host >"$T/vol/file"
  volumes() {
    rm -f "$T/vol/new"
    ok run_c -v "$T/vol:/a/b" c /bin/sh -c 'cat /a/b/file; ls /a; cd /a/b && pwd && echo x >new; cat ../b/new'
    assert_output $'from the host\nb\n/a/b\nx'
    [ -e "$T/vol/new" ]
    fails 1 run_c -v "$T/vol:/a/b:ro" c /bin/sh -c 'cat /a/b/file; cd /a/b; echo y >new'
    assert_contains 'from the host'
    [ "$(cat "$T/vol/new")" = x ]
    ok run_c --read-only c /bin/sh -c 'echo x >/new || echo refused; mkdir /new || echo refused; ls -d /new || echo none'
    [ "$(grep -cE '^(refused|none)$' <<<"$output")" = 3 ] || fail "$output"
  }
  in_modes volumes
}

@test "users and names are what is asked for" {
  names() {
    ok run_c -u 7:8 -h box c /bin/sh -c 'id -u; id -g; hostname; touch /tmp/of7 && stat -c %u:%g /tmp/of7; rm /tmp/of7'
    assert_output $'7\n8\nbox\n7:8'
    ok run_c --kernel=5.4.3 c /bin/uname -r
    assert_output 5.4.3
  }
  in_modes names
}

@test "without its program the engine says so, and what to do" {
  mkdir "$T/bin"
  cp "$(dirname "$(command -v udocker-runtime)")"/udocker* "$T/bin"
  cp "$(dirname "$(command -v udocker-runtime)")"/../libexec/udocker/udocker-guest-init "$T/bin" 2>/dev/null || true
  rm -f "$T/bin/udocker-trap"
  ok "$T/bin/udocker-runtime" engines --format json
  [ "$(jq -r '.[] | select(.name == "trap") | .available' <<<"$output")" = false ]
  jq -r '.[] | select(.name == "trap") | .reason' <<<"$output" | grep -qx 'its program udocker-trap is not installed beside udocker-guest-init'
}
