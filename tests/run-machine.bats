#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The options of `udocker run` about the machine: ports, the kernel's release, graphics, the platform, a place outside the store, users.
# In every mode that works here an option is honoured, or a warning says that it is not.

load helpers
load fakechroot.bash

setup() {
  common_setup
  busybox_container c
  # P2 and R3 differ from P1 and R2 in nothing that these options are about.
  MODES=$(working_modes | grep -vxE 'P2|R3')
}

# each_mode CMD...: with $mode as its last word, in the container c. F1 has a guest with a C library of its own.
each_mode() {
  local mode
  for mode in $MODES; do
    ok udocker setup --execmode="$mode" c
    "$@" "$mode"
  done
  if udocker-runtime engines --format json | jq -e '.[] | select(.available and .name == "fakechroot")' >/dev/null; then
    udocker rm -f c
    container F1
    "$@" F1
  fi
}
run_in_c() { udocker run --nobanner "$@"; }

@test "-p and --publish: a port is mapped, or a warning says that the program has the host's" {
  check() {
    ok run_in_c -p 18080:80 c sh -c 'echo fine'
    assert_output fine
    if [[ $1 == P? && $(proot --help) == *--port* ]]; then assert_no_stderr; else assert_stderr_contains "Warning: "; fi
    [ -z "$stderr" ] || assert_one_error_line
    [ -z "$stderr" ] || assert_stderr_contains "--publish: "
    # The same number on both sides is so without anybody's help.
    ok run_in_c --publish=18080:18080 -p 53:53/udp c sh -c 'echo fine'
    assert_no_stderr
    ok run_in_c -P --netcoop --publish-all c sh -c 'echo fine'
    assert_no_stderr
    ok run_in_c -p 127.0.0.1:18080:18080 c sh -c 'echo fine'
    assert_stderr_contains "the address of '--publish 127.0.0.1:18080:18080' has no effect"
  }
  local wrong
  for wrong in 80 0:80 80:65536 a:b 80:80/icmp :; do
    fails 125 run_in_c -p "$wrong" c sh -c true
    assert_one_error_line
    assert_stderr_contains "invalid port mapping '$wrong'"
  done
  each_mode check
}

@test "--kernel: the release that uname shows, or a warning that it is the host's" {
  check() {
    ok run_in_c --kernel=9.8.7 c cat /etc/os-release
    if [[ $1 == [PT]? ]]; then
      ok run_in_c --kernel=9.8.7 c uname -r
      assert_output 9.8.7
    else
      assert_one_error_line
      assert_stderr_contains "--kernel: uname() tells the host's release"
    fi
    ok run_in_c c cat /etc/os-release
    assert_no_stderr
  }
  fails 125 run_in_c --kernel='not a release' c sh -c true
  assert_one_error_line
  each_mode check
}

@test "--dri binds the folders of dri_list that are there" {
  mkdir "$T/dri"
  echo driver >"$T/dri/file"
  printf '[DEFAULT]\ndri_list = %s %s\n' "$T/dri" "$T/none" >>"$STORE/udocker.conf"
  check() {
    ok run_in_c --dri c cat "$T/dri/file"
    assert_output driver
    fails 1 run_in_c c cat "$T/dri/file"
  }
  each_mode check
}

@test "--platform of a container that is there for another one is a warning; nonsense is an error" {
  ok run_in_c --platform=linux/"$(uname -m)" c sh -c true
  assert_no_stderr
  ok run_in_c --platform=linux/riscv64 c sh -c true
  assert_one_error_line
  assert_stderr_contains "not for linux/riscv64: --platform is for images that are fetched"
  fails 125 run_in_c --platform=linux/a/b/c c sh -c true
  assert_one_error_line
  assert_stderr_contains "--platform"
}

@test "--location runs a root directory outside the store in every mode (FIX-35)" {
  local mode
  cp -a "$BUNDLE/ROOT" tree
  for mode in $MODES; do
    UDOCKER_DEFAULT_EXECUTION_MODE=$mode ok run_in_c --location="$T/tree" - /bin/sh -c 'cat /etc/os-release; pwd'
    assert_contains "ID=demo"
    printf '[DEFAULT]\nlocation = %s\n' "$T/tree" >location.conf
    UDOCKER_DEFAULT_EXECUTION_MODE=$mode ok udocker --config=location.conf run --nobanner dummy /bin/sh -c 'cat /etc/os-release'
    assert_contains "ID=demo"
  done
  needs_fakechroot
  rm -r tree
  guest tree
  # That mode would have to change the links in it, which nobody has asked for.
  UDOCKER_DEFAULT_EXECUTION_MODE=F1 fails 125 run_in_c --location="$T/tree" - sh -c true
  assert_one_error_line
  assert_stderr_contains "not set up for mode F1"
}

@test "--containerauth: the container's users as they are, and no others" {
  check() {
    local passwd
    passwd=$(cat "$STORE/containers/c/ROOT/etc/passwd")
    ok run_in_c --containerauth -u root c cat /etc/passwd
    assert_output "$passwd"
    fails 125 run_in_c --containerauth -u nobodyknows c sh -c true
    assert_one_error_line
    assert_stderr_contains "no user 'nobodyknows' in the container"
  }
  each_mode check
}
