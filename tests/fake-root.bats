#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# bats: not under the sanitizers
# shellcheck disable=SC2016,SC2030,SC2031,SC2317  # scripts for other shells; functions are called through each_engine
# Root of a map of one id, with runc and crun: what needs other ids or devices is said to be done, with the package managers of
# this machine in a root file system of its own.

load helpers

setup_file() { "$SUITE_TOOLS/mkrootfs" "$BATS_FILE_TMPDIR/rootfs"; }

setup() {
  common_setup
  requires user userns jq
  ENGINES=$(udocker-runtime engines --format json | jq -r '.[] | select(.available and (.name == "crun" or .name == "runc")) | .name' | sort -u)
  [ -n "$ENGINES" ] || skip "neither runc nor crun works here"
  B=$T/bundle
  ROOT=$B/rootfs
  mkdir "$B"
  cp -a "$BATS_FILE_TMPDIR/rootfs" "$ROOT"
  cp "$SUITE_TOOLS/payload" "$ROOT/bin/payload"
  udocker-runtime spec --rootless -b "$B"
  MORE=.
}

teardown() {
  local id
  for id in $(rt list -q 2>/dev/null); do rt delete --force "$id" || true; done
}

rt() { udocker-runtime --root "$T/state" "$@"; }

# inside [OPTION...] SCRIPT: run it with ENGINE; busybox, or what is in /usr.
inside() {
  local script=${*: -1}
  jq --arg script "$script" '.root.readonly = false | .process.terminal = false | del(.process.rlimits) | .process.env = ["PATH=/usr/bin:/usr/sbin:/bin"]
    | .linux.namespaces |= map(select(.type == "user" or .type == "mount")) | .mounts |= map(select(.type != "cgroup"))
    | .process.args = ["/bin/sh", "-c", $script] | '"$MORE" "$B/config.json" >"$T/config.json"
  rt --engine "$ENGINE" "${@:1:$#-1}" run -b "$B" --config "$T/config.json" "c-$ENGINE-$BATS_TEST_NUMBER"
}

each_engine() {
  for ENGINE in $ENGINES; do
    "$@" || fail "with $ENGINE"
  done
}

# ---- packages ------------------------------------------------------------------------------------
# deb FILE: two files with owners of their own, one with the set-id bit, and a script that changes owners.
deb() {
  local d=$T/deb part size
  mkdir -p "$d/control" "$d/data/opt/odd/sub"
  printf 'Package: odd\nVersion: 1\nArchitecture: all\nMaintainer: Nobody <nobody@example.org>\nDescription: owners\n' >"$d/control/control"
  printf '#!/bin/sh\nset -e\nchown 33:44 /opt/odd/plain\nchown -R 7:8 /opt/odd/sub\nchgrp 50 /opt/odd\n' >"$d/control/postinst"
  chmod 755 "$d/control/postinst"
  echo plain >"$d/data/opt/odd/plain"
  echo setid >"$d/data/opt/odd/sub/setid"
  tar -C "$d/control" --owner=0 --group=0 -cf "$d/control.tar" .
  tar -C "$d/data" --owner=0 --group=0 --no-recursion -cf "$d/data.tar" ./opt ./opt/odd ./opt/odd/sub
  tar -C "$d/data" --owner=www-data:33 --group=www-data:33 -rf "$d/data.tar" ./opt/odd/plain
  tar -C "$d/data" --owner=games:5 --group=games:60 --mode=4755 -rf "$d/data.tar" ./opt/odd/sub/setid
  echo 2.0 >"$d/debian-binary"
  {
    printf '!<arch>\n'
    for part in debian-binary control.tar data.tar; do
      size=$(stat -c %s "$d/$part")
      printf '%-16s%-12s%-6s%-6s%-8s%-10s`\n' "$part" 0 0 0 100644 "$size"
      cat "$d/$part"
      [ $((size % 2)) -eq 0 ] || echo
    done
  } >"$1"
}

# The machine's own dpkg, with an empty database.
with_dpkg() {
  requires dpkg dpkg-deb
  addprograms "$ROOT" dpkg dpkg-deb dpkg-split dpkg-query tar rm ldconfig "$@"
  mkdir -p "$ROOT/var/lib/dpkg/info" "$ROOT/var/lib/dpkg/updates" "$ROOT/var/lib/dpkg/triggers"
  : >"$ROOT/var/lib/dpkg/status"
  deb "$T/odd.deb"
}

@test "dpkg installs a package of other owners, and a script that changes owners works" {
  with_dpkg
  cp "$T/odd.deb" "$ROOT/tmp"
  check() {
    ok inside '/usr/bin/dpkg -i /tmp/odd.deb && stat -c "%u:%g %a %n" /opt/odd/plain /opt/odd/sub/setid && /usr/bin/dpkg-query -W -f "\${Status}\n" odd'
    assert_contains "0:0 644 /opt/odd/plain" # the true owner, for nothing is remembered
    assert_contains "0:0 4755 /opt/odd/sub/setid"
    assert_contains "install ok installed"
    [ "$(stat -c %u:%g:%a "$ROOT/opt/odd/sub/setid")" = "$(id -u):$(id -g):4755" ]
    ok inside '/usr/bin/dpkg -P odd'
    refute_file "$ROOT/opt/odd"
    fails 1 inside --no-fake-root '/usr/bin/dpkg -i /tmp/odd.deb'
    assert_stderr_contains "error setting ownership of './opt/odd/plain'"
    ok inside '/usr/bin/dpkg -P odd'
  }
  each_engine check
}

@test "apt-get installs from a repository, without a trace in the container" {
  requires apt-get
  with_dpkg apt-get /usr/lib/apt/methods/{file,copy,store}
  local repo=$ROOT/srv/repo
  mkdir -p "$repo" "$ROOT"/etc/apt/{apt.conf.d,preferences.d,sources.list.d,trusted.gpg.d} "$ROOT/usr/share/dpkg" \
    "$ROOT/var/lib/apt/lists/partial" "$ROOT/var/cache/apt/archives/partial" "$ROOT/var/log/apt"
  cp /usr/share/dpkg/*table "$ROOT/usr/share/dpkg"
  cp "$T/odd.deb" "$repo/odd.deb"
  {
    cat "$T/deb/control/control"
    printf 'Filename: ./odd.deb\nSize: %s\nSHA256: %s\n' "$(stat -c %s "$repo/odd.deb")" "$(sha256sum <"$repo/odd.deb" | cut -d' ' -f1)"
  } >"$repo/Packages"
  echo 'deb [trusted=yes] file:/srv/repo ./' >"$ROOT/etc/apt/sources.list"
  echo '_apt:x:42:65534::/nonexistent:/usr/sbin/nologin' >>"$ROOT/etc/passwd"
  check() {
    ok inside 'apt-get -qq update && apt-get -qq install -y odd && stat -c "%u:%g %a" /opt/odd/sub/setid && apt-get -qq purge -y odd'
    assert_contains "0:0 4755"
    refute_stderr_contains "E:"
    refute_stderr_contains "W:"
    fails 100 inside --no-fake-root 'apt-get -qq update && apt-get -qq install -y odd'
    assert_stderr_contains "setgroups"
    [ -z "$(ls -A "$ROOT/etc/apt/apt.conf.d")" ] || fail "left: $(ls "$ROOT/etc/apt/apt.conf.d")"
  }
  each_engine check
}

@test "rpm installs a package of other owners" {
  requires rpm rpmbuild
  addprograms "$ROOT" rpm ldconfig
  mkdir -p "$ROOT/usr/lib" "$ROOT/etc/rpm" "$ROOT/var/lib/rpm"
  cp -rL /usr/lib/rpm "$ROOT/usr/lib/"
  cat >"$T/odd.spec" <<'SPEC'
Name: odd
Version: 1
Release: 1
Summary: owners
License: none
BuildArch: noarch
%description
Files of other owners.
%install
mkdir -p %{buildroot}/opt/odd
echo plain >%{buildroot}/opt/odd/plain
echo setid >%{buildroot}/opt/odd/setid
%post
chown 7:8 /opt/odd/plain
%files
%attr(0644, user, staff) /opt/odd/plain
%attr(4755, user, user) /opt/odd/setid
SPEC
  rpmbuild --quiet -bb --define "_topdir $T/rpm" --define "_rpmdir $ROOT/tmp" "$T/odd.spec" >"$T/log" 2>&1 || fail "rpmbuild: $(cat "$T/log")"
  check() {
    ok inside '/usr/bin/rpm --nodeps -i /tmp/noarch/odd-1-1.noarch.rpm && stat -c "%u:%g %a" /opt/odd/setid && /usr/bin/rpm -q odd && /usr/bin/rpm -e odd'
    assert_contains "0:0 4755"
    assert_contains "odd-1-1.noarch"
    run --separate-stderr inside --no-fake-root '/usr/bin/rpm --nodeps -i /tmp/noarch/odd-1-1.noarch.rpm'
    [ "$status" -ne 0 ] || fail "it works without"
    assert_stderr_contains "chown failed"
  }
  each_engine check
}

# ---- the calls -----------------------------------------------------------------------------------
@test "calls about other ids and devices succeed, the rest is real" {
  check() {
    ok inside 'cd /tmp; touch f; chown 5:6 f && stat -c %u:%g f; mknod d c 1 3; echo $?; ls d; mknod p p && stat -c %F p; rm f p; payload chown32 /tmp 5'
    assert_output $'0:0\n0\nfifo\n0'
    assert_stderr_contains "ls: d: No such file"
    ok inside --no-fake-root 'cd /tmp; chown 5 /bin; mknod d c 1 3; payload chown32 /tmp 5'
    assert_output -22
    assert_stderr_contains "chown: /bin: Invalid argument"
    assert_stderr_contains "mknod: d: Operation not permitted"
  }
  [ "$(uname -m)" = x86_64 ] || skip "asks as 32-bit programs of x86 do"
  [ "$(payload chown32 "$T/none" 5)" = -2 ] || skip "this kernel runs no 32-bit programs"
  each_engine check
}

@test "what the bundle's own profile forbids stays forbidden" {
  MORE='.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", architectures: ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"],
    syscalls: [{names: ["chown", "lchown", "fchownat", "chown32"], action: "SCMP_ACT_ERRNO", errnoRet: 13}, {names: ["mkdir"], action: "SCMP_ACT_ERRNO", errnoRet: 17}]}'
  check_open() {
    ok inside 'chown 5 /tmp; payload chown32 /tmp 5; mkdir /tmp/new; mknod /tmp/d b 1 3 && echo mknod'
    assert_output $'-13\nmknod'
    assert_stderr_contains "chown: /tmp: Permission denied"
    assert_stderr_contains "mkdir: can't create directory '/tmp/new': File exists"
  }
  [ "$(uname -m)" = x86_64 ] || skip "asks as 32-bit programs of x86 do"
  each_engine check_open

  # A rule that allows must not win over ours. The C library makes nodes by mknodat.
  MORE='.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW"} | .linux.seccomp.syscalls = [{names: ["setuid", "setgroups", "mknod"], action: "SCMP_ACT_ERRNO", errnoRet: 1},
    {names: ["chown", "fchown", "mknodat"], action: "SCMP_ACT_LOG"}]'
  check_named() {
    ok inside 'chown 5 /tmp; echo $?; mknod /tmp/d c 1 3; echo $?; mkfifo /tmp/p; echo $?; rm /tmp/p; su user -c true || echo refused'
    assert_output $'0\n0\n0\nrefused'
  }
  each_engine check_named
}

@test "a profile that names what is allowed gains nothing by it" {
  [ "$(uname -m)" = x86_64 ] || skip "a list of this machine's calls"
  # All calls but those below 512 that are named: the profile of a driver, as far as this is concerned.
  MORE='.linux.seccomp = {defaultAction: "SCMP_ACT_ERRNO", defaultErrnoRet: 1, architectures: ["SCMP_ARCH_X86_64"], syscalls: [{action: "SCMP_ACT_ALLOW", names: $calls}]}'
  local calls
  calls=$(python3 - <<'PY'
import json, re
text = open("/usr/include/x86_64-linux-gnu/asm/unistd_64.h", encoding="ascii").read()
names = set(re.findall(r"#define __NR_(\w+)", text)) - {"mkdir", "mkdirat", "lchown", "setgroups"}
print(json.dumps(sorted(names)))
PY
  )
  MORE="$calls as \$calls | $MORE"
  check() {
    ok inside 'chown 5 /tmp; echo $?; chown -h 5 /tmp; echo $?; mkdir /tmp/new; mknod /tmp/d c 1 3; echo $?; mkfifo /tmp/p; echo $?; rm /tmp/p'
    assert_output $'0\n1\n0\n0'
    assert_stderr_contains "/tmp: Operation not permitted"
    assert_stderr_contains "mkdir: can't create directory '/tmp/new': Operation not permitted"
  }
  each_engine check
}

@test "capabilities are those that the bundle gives" {
  local expected
  for MORE in '.process.noNewPrivileges = false | .process.capabilities = {bounding: ["CAP_KILL", "CAP_CHOWN"], effective: ["CAP_KILL"], permitted: ["CAP_KILL"], inheritable: ["CAP_KILL"], ambient: ["CAP_KILL"]}' \
    '.process.noNewPrivileges = true | .process.capabilities = {bounding: ["CAP_KILL"], effective: ["CAP_KILL"], permitted: ["CAP_KILL"]}' \
    '.process.noNewPrivileges = false | .process.capabilities = {bounding: ["CAP_KILL"], effective: ["CAP_KILL"], permitted: ["CAP_KILL"]}'; do
    check() {
      ok inside --no-fake-root 'grep Cap /proc/self/status'
      expected=$output
      ok inside 'grep Cap /proc/self/status; chown 5 /tmp'
      assert_output "$expected"
    }
    each_engine check
  done
}

@test "another user than root is not helped" {
  MORE='.process.user = {uid: 7, gid: 8}'
  ENGINE=crun
  [[ $ENGINES == *crun* ]] || skip "crun does not work here"
  fails 1 inside 'id -u; chown 5 /tmp'
  assert_output 7
  assert_stderr_contains "Invalid argument"
}

@test "exec as a user that is not mapped fails, and does not run as root" {
  check() {
    local id="c-$ENGINE-$BATS_TEST_NUMBER"
    jq '.process.args = ["/bin/sleep", "1000"] | .process.terminal = false | .root.readonly = false | del(.process.rlimits)
      | .linux.namespaces |= map(select(.type == "user" or .type == "mount")) | .mounts |= map(select(.type != "cgroup"))' "$B/config.json" >"$T/config.json"
    rt --engine "$ENGINE" run -d -b "$B" --config "$T/config.json" "$id" </dev/null >/dev/null 2>&1
    ok rt exec -u 0:0 "$id" /bin/sh -c 'id -u; chown 5 /tmp'
    assert_output 0
    ok rt exec "$id" /bin/sh -c 'chown 5 /tmp && mknod /tmp/d c 1 3'
    [ "$(rt state "$id" | jq -c '.annotations // {} | keys')" = '[]' ] || fail "annotations: $(rt state "$id")"
    fails 255 rt exec -u 1000 "$id" /bin/id -u
    assert_output ""
    assert_stderr_contains "mapped"
    fails 255 rt exec -u 0:50 "$id" /bin/id -g
    assert_output ""
    rt delete --force "$id"
  }
  each_engine check
}

@test "a container that ends leaves apt's configuration to one that runs" {
  local id="c-${ENGINES%%$'\n'*}-$BATS_TEST_NUMBER"
  mkdir -p "$ROOT/etc/apt/apt.conf.d"
  ENGINE=${ENGINES%%$'\n'*}
  inside 'while [ ! -e /tmp/go ]; do sleep 0.05; done; cat /etc/apt/apt.conf.d/*' >"$T/first" &
  local first=$!
  wait_until 10 sh -c "[ \"\$(udocker-runtime --root '$T/state' state $id | jq -r .status)\" = running ]"
  rt --engine "$ENGINE" run -b "$B" --config "$T/config.json" "$id-2" >"$T/second" &
  wait_until 10 sh -c "[ \"\$(udocker-runtime --root '$T/state' state $id-2 | jq -r .status)\" = running ]"
  rt kill "$id-2" KILL
  wait $! || true
  assert_file "$ROOT/etc/apt/apt.conf.d/zz-udocker-fake-root"
  touch "$ROOT/tmp/go"
  wait $first
  [ "$(cat "$T/first")" = 'APT::Sandbox::User "root";' ]
  [ -z "$(ls -A "$ROOT/etc/apt/apt.conf.d")" ]
  # Created, and deleted without a start.
  rt --engine "$ENGINE" create -b "$B" --config "$T/config.json" "$id" </dev/null >/dev/null 2>&1
  assert_file "$ROOT/etc/apt/apt.conf.d/zz-udocker-fake-root"
  rt delete "$id"
  [ -z "$(ls -A "$ROOT/etc/apt/apt.conf.d")" ]
}
