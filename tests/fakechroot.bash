# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034,SC2154
# What the tests of Fakechroot share: containers with Debian's C library, and what a tree is.

needs_fakechroot() {
  udocker-runtime engines --format json | jq -e '.[] | select(.available and .name == "fakechroot")' >/dev/null ||
    skip "libfakechroot is not installed"
}

# guest DIR: a small root file system whose programs are linked against the C library of this machine.
guest() {
  mkrootfs "$1"
  rm "$1"/bin/*
  addprograms "$1" bash dash cat ls env readlink cp mv rm ln mkdir sleep tr wc perl stat find id
  ln -s /usr/bin/dash "$1/bin/sh"
  ln -s ../usr/bin/env "$1/bin/env"
  cp "$(command -v busybox)" "$1/usr/bin/static"
  ln -s /etc/os-release "$1/etc/absolute"
  ln -s ../etc/os-release "$1/etc/relative"
  ln -s /proc/self/status "$1/etc/kernel"
  ln -s /nowhere "$1/etc/dangling"
  mkdir "$1/closed"
  ln -s /etc/os-release "$1/closed/link"
}

# awkward DIR: adds what patching must cope with.
awkward() {
  ln "$1/usr/bin/dash" "$1/usr/bin/hard"
  ln "$1/usr/bin/dash" "$1/closed/hard"
  cp "$1/usr/bin/id" "$1/closed/id"
  cp "$1/usr/bin/ls" "$1/usr/bin/set-id"
  cp "$1/usr/bin/wc" "$1/usr/bin/read-only"
  cp "$1/usr/bin/tr" "$1/usr/bin/unreadable"
  # Libraries by a path of the container: /opt/lib is there alone, and there under its own name.
  mkdir -p "$1/opt/lib"
  cp "$1"/lib/*/libtinfo.so.6 "$1/opt/lib/libown.so.1"
  patchelf --set-soname libown.so.1 "$1/opt/lib/libown.so.1"
  cp "$1/usr/bin/bash" "$1/opt/rpath"
  patchelf --replace-needed libtinfo.so.6 libown.so.1 "$1/opt/rpath"
  patchelf --set-rpath '$ORIGIN/none:/opt/lib' "$1/opt/rpath"
  cp "$1/usr/bin/bash" "$1/opt/needed"
  patchelf --replace-needed libtinfo.so.6 /opt/lib/libown.so.1 "$1/opt/needed"
  # Files that lie.
  head -c 64 "$1/usr/bin/ls" >"$1/opt/cut-64"
  head -c 900 "$1/usr/bin/ls" >"$1/opt/cut-900"
  head -c 20000 "$1/usr/bin/ls" >"$1/opt/cut-20000"
  { head -c 40 "$1/usr/bin/ls"; head -c 60000 /dev/zero | tr '\0' '\377'; } >"$1/opt/wild"
  printf '#!/bin/sh\necho script\n' >"$1/opt/script"
  chmod 755 "$1"/opt/{cut-*,wild,script}
  ln -s / "$1/opt/everything"
  ln -s ../../../../../../../../../../bin/ls "$1/opt/out"
  find "$1" -exec touch -h -d '2020-02-02 02:02:02.123456789' {} +
}

# A container of it in mode F1, or $1; $2: more is added by that function. Sets ID and BUNDLE. The image's archive is made once per file.
container() {
  local tar=$BATS_FILE_TMPDIR/guest$2.tar
  if [ ! -e "$tar" ]; then
    guest "$BATS_FILE_TMPDIR/guest.$BASHPID"
    ${2:-true} "$BATS_FILE_TMPDIR/guest.$BASHPID"
    tar -C "$BATS_FILE_TMPDIR/guest.$BASHPID" -cf "$tar.$BASHPID" .
    ln "$tar.$BASHPID" "$tar" 2>/dev/null || [ -e "$tar" ]
    chmod -R u+w "$BATS_FILE_TMPDIR/guest.$BASHPID"
    rm -rf "$tar.$BASHPID" "$BATS_FILE_TMPDIR/guest.$BASHPID"
  fi
  udocker-image import "$tar" g:1 >/dev/null
  ID=$(udocker-bundle create --execmode="${1:-F1}" --name=c g:1)
  BUNDLE=$STORE/containers/$ID
}

# in_c COMMAND...: in the container; the program's own words only.
in_c() { udocker run --nobanner c "$@"; }

# closed DIR: what its owner's own mode keeps him out of; to be called for ROOT. opened undoes it.
closed() {
  mkdir "$1/dark"
  cp "$1/usr/bin/id" "$1/dark/id"
  ln -s /etc/os-release "$1/dark/link"
  chmod 111 "$1/dark/id" "$1/usr/bin/unreadable"
  chmod 000 "$1/opt/lib/libown.so.1" "$1/opt/cut-900" "$1/dark"
}
opened() { chmod 700 "$1/dark" && chmod 700 "$1/dark/id" "$1/usr/bin/unreadable" "$1/opt/lib/libown.so.1"; }

# What a tree is: content, links and how many names a file has, modes; times of modification, too, with "times".
tree() { (cd "$1" && find . -printf "%y %m %n %U:%G %p %l ${2:+%T@}\n" 2>/dev/null | sort && find . -type f -readable -print0 2>/dev/null | sort -z | xargs -0 sha256sum); }
digest() { tree "$@" | sha256sum; }

# ---- from mode to mode ----

# Modes that a container can be set up for here, whether they would run or not.
setup_modes() { udocker-runtime engines --format json | jq -r '.[].modes[]' | sort -u | grep -vxE "$(command -v patchelf >/dev/null || echo 'F3|F4')"; }

# transitions_setup: a container in mode P1 with all that is awkward; the file "before" is what it is like.
transitions_setup() {
  container P1 awkward
  chmod 6755 "$BUNDLE/ROOT/usr/bin/set-id"
  chmod 555 "$BUNDLE/ROOT/closed" "$BUNDLE/ROOT/usr/bin/read-only"
  closed "$BUNDLE/ROOT"
  tree "$BUNDLE/ROOT" times >"$T/before"
}
transitions_teardown() { chmod -R u+rwx "$BUNDLE/ROOT" 2>/dev/null || true; }

# go_to MODE: there; outside of F the tree is the original one, and nothing is left beside it.
go_to() {
  ok udocker setup --execmode="$1" c
  [ "$(cat "$BUNDLE/execmode")" = "$1" ] || fail "mode $1 is not set"
  refute_file "$BUNDLE/execmode.next"
  [ "${1#F}" = "$1" ] || return 0
  tree "$BUNDLE/ROOT" times | diff "$T/before" - >"$T/changed" || fail "ROOT is not what it was after $WAY $1: $(head -20 "$T/changed")"
  refute_file "$BUNDLE/.fakechroot"
}

# walk MODE...: one after the other.
walk() {
  while [ $# -gt 0 ]; do
    go_to "$1"
    WAY="$WAY $1"
    shift
  done
}

# kill_between FROM TO PART OF: setup from one mode to another, killed after that part of the time that it takes.
kill_between() {
  local us
  walk P1 "$1"
  us=$(killat -t udocker setup --execmode="$2" c | tail -1)
  walk P1 "$1"
  WAY="$WAY killed on the way to $2 ($3/$4)"
  killat $((us * $3 / $4)) udocker setup --execmode="$2" c || true
}
