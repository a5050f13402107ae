#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The Debian package (make check-deb), in a folder of its own as dpkg's root.

load helpers

setup() {
  common_setup
  [ -e "$SUITE_SRC/udocker.deb" ] || skip "there is no package (make check-deb makes it)"
  D=$T/root
  mkdir -p "$D/var/lib/dpkg/info" "$D/var/lib/dpkg/updates"
  touch "$D/var/lib/dpkg/status" "$D/var/lib/dpkg/available"
}

# What it depends on is this machine's, which that root does not know.
package() { dpkg --root="$D" --log="$T/log" --force-not-root --force-depends "$@"; }

@test "the package is installed, used and removed, and nothing is left" {
  busybox_container box
  ok package --install "$SUITE_SRC/udocker.deb"
  ok dpkg --root="$D" --status udocker
  assert_contains "Status: install ok installed"
  export PATH=$D/usr/bin:/usr/sbin:/usr/bin:/sbin:/bin
  ok udocker ps
  assert_contains box
  ok udocker.py images
  assert_contains bb:1
  ok man --warnings -l "$D/usr/share/man/man1/udocker.py.1.gz"
  assert_contains "udocker"
  for f in bash-completion/completions/udocker zsh/site-functions/_udocker fish/vendor_completions.d/udocker.fish doc/udocker/copyright; do
    assert_file "$D/usr/share/$f"
  done
  if command -v proot >/dev/null; then
    ok udocker run --nobanner box /bin/echo inside
    assert_output inside
  fi
  ok package --purge udocker
  cd "$D"
  ok find . -path '*udocker*'
  assert_output ''
}
