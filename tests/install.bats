#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# bats: under the sanitizers by hand
# What `make install` puts there, whatever its caller's umask, and `make uninstall` takes away; and that the tree may be moved.

load helpers

tree() { find "$1" -mindepth 1 -printf '%P\n' | sort; }

# installed DIR: a copy of the tree that tests/run has installed with umask 077 and PREFIX=/usr, with the link as well.
installed() {
  cp -a "$SUITE_SRC/root" "$1"
  ln -s udocker "$1/usr/bin/udocker.py"
}

@test "everybody may read what is installed, run the programs, and only its owner may write" {
  local wrong
  wrong=$(find "$SUITE_SRC/root/usr" \( -type d ! -perm 755 \) -o \( -path '*/bin/*' -o -path '*/libexec/*' \) -type f ! -name '*.so' ! -perm 755)
  [ -z "$wrong" ] || fail "not of mode 755: $wrong"
  wrong=$(find "$SUITE_SRC/root/usr" \( -path '*/share/*' -o -name '*.so' \) -type f ! -perm 644)
  [ -z "$wrong" ] || fail "not of mode 644: $wrong"
  ok tree "$SUITE_SRC/root/usr"
  for f in bin/udocker{,-image,-bundle,-runtime} libexec/udocker/udocker-{guest-init,guest-keep.so,trap} share/man/man1/udocker.1 share/man/man5/udocker.conf.5 \
    share/man/man7/udocker-engines.7 share/doc/udocker/examples/containers.conf share/bash-completion/completions/udocker \
    share/zsh/site-functions/_udocker share/fish/vendor_completions.d/udocker.fish; do
    grep -qxF "$f" <<<"$output" || fail "not installed: $f"
  done
}

@test "uninstall leaves nothing of install, and all that is not of it" {
  installed "$T/root"
  ok make -s -C "$SUITE_SRC/tree" uninstall DESTDIR="$T/root" PREFIX=/usr
  ok tree "$T/root"
  assert_output ''
  # A second time there is nothing to do.
  ok make -s -C "$SUITE_SRC/tree" uninstall DESTDIR="$T/root" PREFIX=/usr
  rmdir "$T/root"
  installed "$T/root"
  touch "$T/root/usr/bin/another" "$T/root/usr/share/doc/udocker/notes"
  ok make -s -C "$SUITE_SRC/tree" uninstall DESTDIR="$T/root" PREFIX=/usr
  ok tree "$T/root"
  assert_output "usr
usr/bin
usr/bin/another
usr/share
usr/share/doc
usr/share/doc/udocker
usr/share/doc/udocker/notes"
}

@test "uninstall without DESTDIR keeps the directories that others use too" {
  installed "$T/root"
  ok make -s -C "$SUITE_SRC/tree" uninstall PREFIX="$T/root/usr"
  ok find "$T/root" -type f -o -type l
  assert_output ''
  assert_file "$T/root/usr/bin"
  assert_file "$T/root/usr/share/man/man1"
  refute_file "$T/root/usr/libexec/udocker"
  refute_file "$T/root/usr/share/doc/udocker"
}

@test "the installed tree may be moved, and be called by links and as udocker.py" {
  local u
  busybox_container box
  installed "$T/a folder"
  mkdir "$T/links"
  ln -s "../a folder/usr/bin/udocker" "$T/links/udocker"
  ln -s "../a folder/usr/bin/udocker.py" "$T/links/udocker.py"
  for u in "$T/a folder/usr/bin/udocker" "$T/a folder/usr/bin/udocker.py" "$T/links/udocker" "$T/links/udocker.py"; do
    ok env PATH=/usr/bin:/bin "$u" ps
    assert_contains box
    fails 1 "$u" rm no-such-container
    assert_stderr_contains "Error: "
    assert_one_error_line
  done
  requires proot
  ok env PATH=/usr/bin:/bin "$T/links/udocker.py" run --nobanner box /bin/echo moved
  assert_output moved
}
