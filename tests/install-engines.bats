#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# bats: also as root and under the sanitizers
# Engines from an archive: `udocker install` and `udocker-image fetch-engines`. Archives of `make engines` are in tests/long/engines.bats,
# what a kill or a full disk leaves in crash.bats.

load helpers
load registry

setup() {
  common_setup
  registry_setup
  # Nothing here may reach the world: what it would fetch goes to a port on which nobody listens.
  export http_proxy=http://127.0.0.1:1 https_proxy=http://127.0.0.1:1 no_proxy=127.0.0.1,localhost
}

# engines DIR [VERSION]: an archive's tree, with real programs of this machine; archive FILE DIR packs it.
engines() {
  mkdir -p "$1"/udocker_dir/{bin,lib,doc}
  printf '#!/bin/sh\necho "patchelf 0.18.0"\n' >"$1/udocker_dir/bin/patchelf-$(uname -m)"
  cp /bin/true "$1/udocker_dir/bin/crun-$(uname -m)"
  chmod 4777 "$1"/udocker_dir/bin/*
  ln -s "crun-$(uname -m)" "$1/udocker_dir/bin/other"
  echo library >"$1/udocker_dir/lib/libfakechroot-x86_64.so"
  echo "${2:-1.2.100}" >"$1/udocker_dir/lib/VERSION"
  echo licence >"$1/udocker_dir/doc/LICENSE.crun"
  echo "not for us" >"$1/setup.py"
}
archive() { (cd "$2" && tar -czf "$T/$1" -- *); }
an_archive() { # FILE [VERSION]
  rm -rf "tree-$1"
  engines "tree-$1" "${2:-}"
  archive "$1" "tree-$1"
}

# What is installed, without the lock.
tree() { (cd "$STORE" && find bin lib doc ! -name .install.lock -printf '%p %m %l ' \( -type f -exec sha256sum {} \; -o -print \)) | sort; }
no_leftovers() { [ -z "$(find "$STORE" -name .install -o -name .publish -o -name .archive)" ] || fail "left: $(find "$STORE")"; }

@test "install --from FILE: the files of bin, lib and doc, found by the runtime" {
  an_archive e.tar.gz
  ok udocker install --from e.tar.gz
  assert_output "" # FIX-08: what is told goes to stderr
  assert_stderr_contains "installing engines 1.2.100"
  cmp "$STORE/bin/crun-$(uname -m)" /bin/true
  [ "$(stat -c %a "$STORE/bin/crun-$(uname -m)")" = 755 ] # neither set-id bits nor others' writing
  [ "$(readlink "$STORE/bin/other")" = "crun-$(uname -m)" ]
  [ "$(cat "$STORE/lib/VERSION" "$STORE/lib/libfakechroot-x86_64.so" "$STORE/doc/LICENSE.crun")" = $'1.2.100\nlibrary\nlicence' ]
  [ -z "$(find "$STORE" -name setup.py)" ]
  no_leftovers
}

@test "an installed engine is found, and runs a container" {
  requires proot
  engines tree
  cp "$(command -v proot)" "tree/udocker_dir/bin/proot-$(uname -m)"
  ln -s "proot-$(uname -m)" "tree/udocker_dir/bin/proot-$(uname -m)-4_8_0"
  archive e.tar.gz tree
  ok udocker install --from=e.tar.gz
  export UDOCKER_USE_PROOT_EXECUTABLE=UDOCKER
  ok udocker-runtime engines --format json
  [ "$(printf '%s' "$output" | jq -r '[.[] | select(.name == "proot") | .path] | unique[]')" = "$STORE/bin/proot-$(uname -m)-4_8_0" ]
  busybox_container c
  ok udocker run --nobanner c echo hello
  assert_output hello
}

@test "a machine with an engine: install says so, fetches nothing, and ends with 0" {
  requires proot
  ok udocker install
  assert_output ""
  assert_stderr_contains "proot "
  assert_stderr_contains "nothing was fetched"
  refute_file "$STORE/bin"
}

@test "a machine without engines: install asks the places of the setting, and says why it failed" {
  requires proot
  printf '[DEFAULT]\nhttp_retries = 0\ninstallretry = 2\nuse_proot_executable = /none\nuse_runc_executable = /none\nuse_singularity_executable = /none\n' >u.conf
  fails 1 udocker --config=u.conf install
  assert_stderr_contains "udocker-englib-1.2.11.tar.gz"
  assert_stderr_contains "Error: https://"
  assert_stderr_contains "--from"
  # Two places, twice: all but the last are warnings.
  [ "$(grep -c '^Warning: https://' <<<"$stderr")" -eq 3 ]
  no_leftovers
  # As in 1.3.x: an empty list is no error.
  ok env UDOCKER_TARBALL= udocker --config=u.conf install
  assert_stderr_contains "tarball is empty"
}

@test "no command but install installs engines, not even where there are none" {
  requires proot
  an_archive e.tar.gz
  busybox_container c
  export UDOCKER_TARBALL=$T/e.tar.gz
  printf '[DEFAULT]\nautoinstall = True\nuse_proot_executable = /none\nuse_runc_executable = /none\nuse_singularity_executable = /none\n' >"$STORE/udocker.conf"
  ok udocker images
  ok udocker ps
  ok udocker create bb:1
  ok udocker setup c
  fails 125 env UDOCKER_DEFAULT_EXECUTION_MODE=P1 udocker run --nobanner c /bin/true
  ok udocker run --nobanner c /bin/true
  [ -z "$(find "$STORE/bin" "$STORE/lib" "$STORE/doc" -type f 2>/dev/null)" ] || fail "installed: $(find "$STORE/bin" "$STORE/lib")"
  ok udocker install
  assert_file "$STORE/lib/VERSION"
}

@test "UDOCKER_TARBALL: places in turn, until one has it" {
  an_archive e.tar.gz
  ok env UDOCKER_TARBALL="$T/none.tar.gz $T/e.tar.gz" udocker install
  assert_stderr_contains "none.tar.gz"
  assert_stderr_contains "engines 1.2.100 are installed"
  # What is there is sufficient: as in 1.3.x nothing happens without --force.
  an_archive f.tar.gz 1.2.101
  ok env UDOCKER_TARBALL="$T/f.tar.gz" udocker install
  [ "$(cat "$STORE/lib/VERSION")" = 1.2.100 ]
  ok env UDOCKER_TARBALL="$T/f.tar.gz" udocker install --force
  [ "$(cat "$STORE/lib/VERSION")" = 1.2.101 ]
  fails 1 env UDOCKER_TARBALL="$T/none.tar.gz" udocker install --force
  assert_one_error_line
  [ "$(cat "$STORE/lib/VERSION")" = 1.2.101 ]
}

@test "UDOCKER_BIN, UDOCKER_LIB and UDOCKER_DOC: the directories of 1.3.x's variables" {
  an_archive e.tar.gz
  ok env UDOCKER_BIN="$T/b" UDOCKER_LIB="$T/l" UDOCKER_DOC="$T/d" udocker install --from e.tar.gz
  assert_file "b/crun-$(uname -m)"
  assert_file l/VERSION
  assert_file d/LICENSE.crun
  [ -z "$(find "$STORE" -name VERSION)" ]
}

@test "an archive over HTTP" {
  requires nginx
  mkdir -p nginx www
  an_archive e.tar.gz
  mv e.tar.gz www
  head -c 100000 /dev/urandom >www/garbage.tar.gz
  cat >nginx.conf <<CONF
daemon off; master_process off; pid $T/nginx/pid; error_log $T/nginx/error.log;
events {}
http {
  client_body_temp_path $T/nginx; proxy_temp_path $T/nginx; fastcgi_temp_path $T/nginx; uwsgi_temp_path $T/nginx; scgi_temp_path $T/nginx;
  access_log $T/nginx/access.log;
  server {
    listen 127.0.0.1:@PORT@;
    root $T/www;
    location /moved/ { return 302 /e.tar.gz; }
  }
}
CONF
  nginx_server "$T/nginx.conf"
  local url=http://127.0.0.1:$NPORT
  fails 1 udocker install --from "$url/none.tar.gz"
  assert_stderr "Error: $url/none.tar.gz: HTTP status 404"
  fails 1 udocker install --from "$url/garbage.tar.gz"
  [ -z "$(tree | grep -v '^\(bin\|lib\|doc\) ')" ]
  ok udocker install --from "$url/moved/"
  # Nothing vouches for it: its digest is told, to be compared.
  assert_stderr_contains "$(sha256sum <www/e.tar.gz | cut -d' ' -f1)"
  [ "$(cat "$STORE/lib/VERSION")" = 1.2.100 ]
  no_leftovers
}

@test "FIX-50: an archive whose digest is known must have it" {
  an_archive udocker-englib-1.2.11.tar.gz 1.2.11
  fails 1 udocker install --from udocker-englib-1.2.11.tar.gz
  assert_one_error_line
  assert_stderr_contains "$(sha256sum <udocker-englib-1.2.11.tar.gz | cut -d' ' -f1)"
  assert_stderr_contains "not 2a4804ba82e087ca3e99305fce9887227925d2b56aaefcad6474c4cb86b7a157"
  fails 1 udocker install --force --from udocker-englib-1.2.11.tar.gz
  [ ! -e "$STORE/lib/VERSION" ]
  no_leftovers
  mv udocker-englib-1.2.11.tar.gz mine.tar.gz
  ok udocker install --from mine.tar.gz
}

@test "a version that is too old is taken with --force alone" {
  an_archive e.tar.gz 1.2.10
  fails 1 udocker install --from e.tar.gz
  assert_one_error_line
  assert_stderr_contains "1.2.11 is the least"
  ok udocker install --from e.tar.gz --force
  [ "$(cat "$STORE/lib/VERSION")" = 1.2.10 ]
}

@test "archives of whoever: refused, and what is installed stays as it was" {
  an_archive good.tar.gz
  ok udocker install --from good.tar.gz
  local before name
  before=$(tree)
  local version='file udocker_dir/lib/VERSION 644 1.2.200\n'
  hostile() { # NAME LINES: of mktar
    printf "$2" | mktar | gzip >"$1.tar.gz"
    fails 1 bounded -m 100 udocker install --force --from "$1.tar.gz"
    [ "$(printf '%s\n' "$stderr" | grep -c '^Error: ')" -eq 1 ] || fail "$1: one error"
    [ "$(tree)" = "$before" ] || fail "$1: what is installed has changed"
    no_leftovers
  }
  hostile up "${version}file udocker_dir/bin/../../../evil 755 x\nend\n"
  hostile absolute "${version}file /udocker_dir/bin/evil 755 x\nend\n"
  hostile dots "${version}file udocker_dir/bin/.. 755 x\nend\n"
  hostile hidden "${version}file udocker_dir/lib/.installed 644 x\nend\n"
  hostile link "${version}link udocker_dir/bin/evil /etc/passwd\nend\n"
  hostile link-up "${version}link udocker_dir/bin/evil ../../evil\nend\n"
  hostile through "${version}link udocker_dir/bin/a /tmp\nfile udocker_dir/bin/a/evil 644 x\nend\n"
  hostile hard "${version}hard udocker_dir/bin/evil /etc/passwd\nend\n"
  hostile hard-none "${version}hard udocker_dir/bin/evil udocker_dir/bin/nothing\nend\n"
  hostile device "${version}char udocker_dir/bin/evil 1 3\nend\n"
  hostile fifo "${version}fifo udocker_dir/bin/evil 644\nend\n"
  hostile no-version 'file udocker_dir/bin/proot-x86_64 755 x\nend\n'
  hostile version-dir 'dir udocker_dir/lib/VERSION 755\nend\n'
  hostile version-two 'file udocker_dir/lib/VERSION 644 1.2\\n3\nend\n'
  hostile many "${version}repeat 1100 file udocker_dir/doc/{} 644 x\nend\n"
  hostile large "${version}raw-size udocker_dir/bin/evil 2000000000000 x\n"
  hostile sums "${version}file udocker_dir/doc/SHA256SUMS 644 nonsense\nend\n"
  [ ! -e evil ] && [ ! -e ../evil ]
  head -c 3000 good.tar.gz >short.tar.gz
  echo "no archive" >text.tar.gz
  : >empty.tar.gz
  for name in short text empty; do
    fails 1 udocker install --force --from $name.tar.gz
    assert_one_error_line
    [ "$(tree)" = "$before" ]
  done
  fails 1 udocker install --from "$T"
  assert_stderr_contains "not a file"
  fails 1 udocker install --from ftp://127.0.0.1/e.tar.gz
  assert_stderr_contains "http or https"
  no_leftovers
}

@test "an archive's own SHA256SUMS must say what is in it" {
  engines tree
  sums() { (cd tree/udocker_dir && find bin lib doc -type f ! -name SHA256SUMS -exec sha256sum {} + >doc/SHA256SUMS); }
  sums
  archive e.tar.gz tree
  ok udocker install --from e.tar.gz
  (cd "$STORE" && sha256sum --check --quiet doc/SHA256SUMS) # as it lies
  echo changed >>tree/udocker_dir/doc/LICENSE.crun
  archive e.tar.gz tree
  fails 1 udocker install --from e.tar.gz
  assert_stderr_contains "doc/LICENSE.crun"
  sums
  rm tree/udocker_dir/doc/LICENSE.crun
  archive e.tar.gz tree
  fails 1 udocker install --from e.tar.gz
  sums
  echo more >tree/udocker_dir/bin/more
  archive e.tar.gz tree
  fails 1 udocker install --from e.tar.gz
  assert_stderr_contains "bin/more"
}

@test "a new set takes the place of the old one, and of it alone" {
  an_archive one.tar.gz
  engines two 1.2.101
  rm two/udocker_dir/bin/other
  echo new >two/udocker_dir/lib/libfakechroot-x86_64.so
  archive two.tar.gz two
  ok udocker install --from one.tar.gz
  echo mine >"$STORE/bin/mine"
  ok udocker install --from two.tar.gz
  [ ! -L "$STORE/bin/other" ]
  [ "$(cat "$STORE/bin/mine" "$STORE/lib/libfakechroot-x86_64.so")" = $'mine\nnew' ]
  mkdir two/udocker_dir/doc/sub
  echo deep >two/udocker_dir/doc/sub/manual
  mkdir -p "$STORE/doc/manual"
  archive three.tar.gz two
  fails 1 udocker install --from three.tar.gz
  assert_stderr_contains "$STORE/doc/manual is a directory"
  no_leftovers
  rmdir "$STORE/doc/manual"
  ok udocker install --from three.tar.gz
  [ "$(cat "$STORE/doc/manual")" = deep ]
}

@test "--purge removes what install put there, and nothing else" {
  ok udocker install --purge # of nothing
  an_archive e.tar.gz
  ok udocker install --from e.tar.gz
  echo mine >"$STORE/bin/mine"
  echo changed >"$STORE/doc/LICENSE.crun"
  ok udocker install --purge
  assert_stderr_contains "LICENSE.crun is not what was installed, and stays"
  [ "$(cd "$STORE" && find bin lib doc -type f ! -name .install.lock | sort | tr '\n' ' ')" = "bin/mine doc/LICENSE.crun " ]
  # With an archive beside it, as with 1.3.x, that is installed.
  ok udocker install --purge --from e.tar.gz
  assert_file "$STORE/lib/VERSION"
  ok env UDOCKER_TARBALL="$T/e.tar.gz" udocker install --purge
  assert_file "$STORE/lib/VERSION"
  # What udocker 1.3.x installed it has no list of.
  rm "$STORE/lib/.installed"
  fails 1 udocker install --purge
  assert_one_error_line
  assert_file "$STORE/bin/crun-$(uname -m)"
}

@test "many at once: one set or the other, all of it" {
  an_archive one.tar.gz 1.2.100
  engines two 1.2.101
  echo two >two/udocker_dir/lib/libfakechroot-x86_64.so
  archive two.tar.gz two
  local pids=() pid i
  for i in 1 2 3; do
    udocker install --from one.tar.gz 2>"err$i" &
    pids+=($!)
    udocker install --from two.tar.gz 2>"err2$i" &
    pids+=($!)
  done
  for pid in "${pids[@]}"; do wait "$pid" || fail "$(cat err*)"; done
  case $(cat "$STORE/lib/VERSION") in
    1.2.100) [ "$(cat "$STORE/lib/libfakechroot-x86_64.so")" = library ] ;;
    1.2.101) [ "$(cat "$STORE/lib/libfakechroot-x86_64.so")" = two ] ;;
    *) false ;;
  esac
  no_leftovers
}

@test "a store of somebody else is refused" {
  requires user
  an_archive e.tar.gz
  fails 1 env UDOCKER_DIR=/usr udocker install --from e.tar.gz
  assert_one_error_line
  assert_stderr_contains "belongs to another user"
}

@test "udocker 1.3.x takes what was installed for its own, and installs the same archive" {
  requires python-udocker
  [ "$(id -u)" != 0 ] || skip "1.3.x needs an ordinary user"
  engines tree
  (cd tree/udocker_dir && find bin lib doc -type f -exec sha256sum {} + >../sums && mv ../sums doc/SHA256SUMS)
  archive e.tar.gz tree
  ok udocker install --from e.tar.gz
  # It would say that nothing is installed, and try to.
  UDOCKER_TARBALL=$T/none ok udocker.py install
  ok env UDOCKER_DIR="$T/py" UDOCKER_TARBALL="$T/e.tar.gz" udocker.py install
  diff -r "$T/py/bin" "$STORE/bin"
  diff -r --exclude '.install*' "$T/py/lib" "$STORE/lib"
  # And ours after it.
  ok env UDOCKER_DIR="$T/py" udocker install --from e.tar.gz
  assert_file "$T/py/lib/.installed"
}
