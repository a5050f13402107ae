#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What `make static` makes: programs that need nothing of the machine they run on. Skipped for others.

load helpers
load registry

setup() {
  common_setup
  ! readelf -lW "$SUITE_BIN/udocker" | grep -q INTERP || skip "these programs are not static (make check-static)"
  registry_setup
  D=$T/bare
  mkdir -p "$D/bin" "$D/proc" "$D/dev" "$D/tmp" "$D/etc/ssl" "$D/home" "$D/usr/libexec"
  cp "$SUITE_BIN"/udocker* "$D/bin/"
  cp "$SUITE_BIN"/../libexec/udocker/* "$D/usr/libexec/"
  echo '127.0.0.1 localhost registry.test' >"$D/etc/hosts"
  : >"$D/dev/null"
}

# bare CMD...: in a folder that holds the programs and nothing else, as the only user there is.
bare() {
  env -i PATH=/bin HOME=/home ${CA:+"SSL_CERT_FILE=$CA"} unshare -rm sh -c \
    "/bin/mount --rbind /proc '$D/proc'; /bin/mount --bind /dev/null '$D/dev/null'; exec /usr/sbin/chroot '$D' \"\$@\"" bare "$@"
}

@test "no program asks for a loader or a library" {
  local program
  for program in "$SUITE_BIN"/udocker* "$SUITE_BIN"/../libexec/udocker/*; do
    [ -z "$(readelf -lWd "$program" | grep -E 'INTERP|NEEDED')" ] || fail "$program: $(readelf -lWd "$program" | grep -E 'INTERP|NEEDED')"
  done
}

@test "where there is nothing else they pull over TLS by name, create, and tell of it" {
  own_ca registry.test DNS:registry.test
  docker_registry '' ", tls: {certificate: $T/tls.crt, key: $T/tls.key}"
  test_image img 5
  push img app:1
  R=registry.test:$RPORT
  run bare udocker-image pull "$R/app:1"
  [ "$status" -ne 0 ] || fail "pulled without a certificate"
  assert_contains "SSL_CERT_FILE"
  cp ca.crt "$D/home/ca.crt"
  CA=/home/ca.crt ok bare udocker-image pull "$R/app:1"
  # Where SUSE has them.
  mv "$D/home/ca.crt" "$D/etc/ssl/ca-bundle.pem"
  ok bare udocker-image --repo /home/other pull "$R/app:1"
  ok bare udocker-image verify "$R/app:1"
  ok bare udocker --allow-root create --name=box "$R/app:1"
  ok bare udocker --allow-root ps
  assert_contains box
  ok bare udocker --allow-root inspect box
  ok bare udocker-image save -o /tmp/app.tar "$R/app:1"
  ok bare udocker-image --repo /home/third load -i /tmp/app.tar
  ok bare udocker-runtime engines
  fails 1 bare udocker-image --repo /home/other pull "no-such-host.test/app:1"
  assert_one_error_line
}

@test "an old kernel, and services of names that are not there, do no harm" {
  printf 'passwd: compat sss\nhosts: files resolve dns\n' >"$D/etc/nsswitch.conf"
  echo 'me:x:0:0::/home:/bin/sh' >"$D/etc/passwd"
  cp "$SUITE_TOOLS/deny" "$D/bin/"
  ok bare deny openat2 statx faccessat2 close_range memfd_create copy_file_range -- /bin/udocker-image ls
  ok bare deny openat2 statx faccessat2 close_range memfd_create copy_file_range -- /bin/udocker --allow-root images
  ok bare deny openat2 statx faccessat2 close_range memfd_create copy_file_range -- /bin/udocker-runtime engines
}
