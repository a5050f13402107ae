#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The tarball of `make engines`: what is in it, and that each engine of it runs guests here, without any of the machine's.

load ../helpers
load ../battery
load ../fakechroot

setup() {
  common_setup
  TARBALL=$SUITE_TOOLS/engines.tar.gz
  [ -e "$TARBALL" ] || skip "'make engines' was not run"
  ARCH=$(uname -m)
}

# The engines of the tarball alone: none of the machine's is in PATH, or asked for.
installed() {
  ok udocker install --from "$TARBALL"
  export UDOCKER_USE_PROOT_EXECUTABLE=UDOCKER UDOCKER_USE_RUNC_EXECUTABLE=UDOCKER UDOCKER_USE_PATCHELF_EXECUTABLE=UDOCKER
}
path_of() { udocker-runtime engines --format json | jq -r --arg n "$1" 'first(.[] | select(.name == $n) | .path)'; }
version_of() { udocker-runtime engines --format json | jq -r --arg n "$1" 'first(.[] | select(.name == $n) | .version)'; }

@test "programs need nothing of the machine, libraries a glibc of 2.14 at most" {
  local f
  tar -xzf "$TARBALL"
  for f in proot crun patchelf; do
    ok readelf -lW "udocker_dir/bin/$f-$ARCH"
    refute_contains INTERP
    assert_file "udocker_dir/doc/LICENSE.$f"
  done
  ok readelf -VW "udocker_dir/lib/libfakechroot-$ARCH.so"
  [ "$(grep -o 'GLIBC_2[0-9.]*' <<<"$output" | sort -uV | tail -1)" = GLIBC_2.14 ] || fail "it needs another glibc"
  ok readelf -dW "udocker_dir/lib/libfakechroot-Alpine-$ARCH.so"
  refute_contains libc.so.6
  # The licences of all that is linked in, and what was taken.
  for f in talloc libcrun libseccomp libcap yajl fakechroot glibc libstdc++; do assert_file "udocker_dir/doc/LICENSE.$f"; done
  grep -q '^proot_5.4.0.orig.tar.gz [0-9a-f]\{64\}$' udocker_dir/doc/README.engines
  # Every name of 1.3.x leads to a file.
  [ -z "$(find udocker_dir -xtype l)" ]
  assert_file "udocker_dir/lib/libfakechroot-Debian-12-$ARCH.so"
  (cd udocker_dir && sha256sum --check --quiet doc/SHA256SUMS)
  [ "$(wc -l <udocker_dir/doc/SHA256SUMS)" -eq "$(find udocker_dir -type f ! -name SHA256SUMS | wc -l)" ]
}

@test "the runtime finds each of them, and PRoot's acceleration is real" {
  installed
  [ "$(path_of proot)" = "$STORE/bin/proot-$ARCH-4_8_0" ]
  [ "$(version_of proot)" = 5.4.0 ]
  ok "$STORE/bin/proot-$ARCH" -V
  assert_contains "seccomp_filter = yes"
  [ "$(path_of crun)" = "$STORE/bin/crun-$ARCH" ]
  [ "$(version_of crun)" = 1.21 ]
  [[ $(path_of fakechroot) == "$STORE"/lib/libfakechroot* ]]
  ok "$STORE/bin/patchelf-$ARCH" --version
  assert_output "patchelf 0.18.0"
}

@test "P1 and P2 run guests with the tarball's PRoot" {
  installed
  container P1
  local mode
  for mode in P1 P2; do
    udocker setup --execmode=$mode c
    ok in_c sh -c 'cat /etc/relative; perl -e "print -s q(/etc/os-release), qq(\n)"; id -u'
    [ "${lines[-1]}" = 0 ]
    assert_contains "udocker demo"
  done
}

@test "R1, R2 and R3 run guests with the tarball's crun and PRoot" {
  requires userns
  crun_host_ok || skip "crun refuses hybrid cgroups"
  installed
  container P1
  local mode
  for mode in R1 R2 R3; do
    udocker setup --execmode=$mode c
    ok in_c sh -c 'cat /etc/relative; id -u'
    [ "${lines[-1]}" = 0 ] || fail "mode $mode"
  done
}

# What every glibc has, and no program of the small guest asks for since 2.34: the library of the tarball does.
with_libdl() {
  local libc
  libc=$(find "$1" -name libc.so.6 | head -1)
  cp -L "$(dirname "/${libc#"$1"/}")/libdl.so.2" "$(dirname "$libc")"
}

@test "F1 to F4 run guests of glibc with the tarball's library and patchelf" {
  installed
  container F1 with_libdl
  local mode
  for mode in F1 F2 F3 F4; do
    udocker setup --execmode=$mode c
    ok in_c sh -c 'cat /etc/absolute; echo new >/etc/new; stat -c %s /etc/new; ls /; find /etc -name new; perl -e "print -s q(/etc/new), qq(\n)"'
    [ "$(head -1 <<<"$output")" = 'NAME="udocker demo"' ] || fail "mode $mode: the host's files"
    [ "${lines[-1]}" = 4 ]
    [ "$(cat "$BUNDLE/ROOT/etc/new")" = new ]
  done
}

@test "F1 runs guests of musl with the tarball's library" {
  installed
  battery_image musl
  udocker-bundle create --execmode=F1 --name=m musl:1
  mkdir "$STORE/containers/m/ROOT/only-here"
  touch "$STORE"/containers/m/ROOT/only-here/f{0..9}
  ok udocker run --nobanner m /bin/guestwork open 10 /only-here
  ok udocker run --nobanner m /bin/guestwork stat 10 /only-here
}

@test "udocker 1.3.x installs it, and takes what ours has installed for its own" {
  requires python-udocker
  [ "$(id -u)" != 0 ] || skip "1.3.x needs an ordinary user"
  installed
  UDOCKER_TARBALL=$T/none ok udocker.py install
  ok env UDOCKER_DIR="$T/py" UDOCKER_TARBALL="$TARBALL" udocker.py install
  diff -r "$T/py/bin" "$STORE/bin"
  diff -r "$T/py/doc" "$STORE/doc"
  diff -r --exclude '.install*' "$T/py/lib" "$STORE/lib"
}
