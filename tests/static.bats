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

# The release's archive, unpacked in $1: sets RELEASE.
unpacked() {
  [ -e "$SUITE_SRC/dist.tar.gz" ] || skip "there is no archive (make check-static makes it)"
  tar -C "$1" -xzf "$SUITE_SRC/dist.tar.gz"
  RELEASE=$(echo "$1"/udocker-*)
}

@test "the release's archive runs where a user unpacks it" {
  busybox_image bb:1
  ok udocker-image save -o image.tar bb:1
  mkdir "$T/any where"
  unpacked "$T/any where"
  ok env -i HOME="$T/any where" PATH=/usr/bin:/bin ${UDOCKER_ALLOW_ROOT:+UDOCKER_ALLOW_ROOT=1} "$RELEASE/bin/udocker.py" version
  ok env -i HOME="$T/any where" PATH=/usr/bin:/bin ${UDOCKER_ALLOW_ROOT:+UDOCKER_ALLOW_ROOT=1} "$RELEASE/bin/udocker" load -i image.tar
  ok env -i HOME="$T/any where" PATH=/usr/bin:/bin ${UDOCKER_ALLOW_ROOT:+UDOCKER_ALLOW_ROOT=1} "$RELEASE/bin/udocker" run --rm --nobanner bb:1 /bin/echo inside
  assert_output inside
  # The trap engine's image is found beside the programs.
  ok env -i HOME="$T/any where" PATH=/usr/bin:/bin ${UDOCKER_ALLOW_ROOT:+UDOCKER_ALLOW_ROOT=1} "$RELEASE/bin/udocker" create --name=t bb:1
  ok env -i HOME="$T/any where" PATH=/usr/bin:/bin ${UDOCKER_ALLOW_ROOT:+UDOCKER_ALLOW_ROOT=1} "$RELEASE/bin/udocker" setup --execmode=T1 t
  ok env -i HOME="$T/any where" PATH=/usr/bin:/bin ${UDOCKER_ALLOW_ROOT:+UDOCKER_ALLOW_ROOT=1} "$RELEASE/bin/udocker" run --nobanner t /bin/echo T1
  assert_output T1
  for f in LICENSE README.md share/man/man1/udocker.1 share/bash-completion/completions/udocker share/doc/udocker/licenses/{openssl,curl,musl}; do
    assert_file "$RELEASE/$f"
  done
  [ -z "$(find "$RELEASE" -perm /022 ! -type l)" ] || fail "writable: $(find "$RELEASE" -perm /022 ! -type l)"
}

# As under Android: udocker-install(7) has it so.
@test "where the system has no files of names, PRoot shows it one" {
  local proot
  unpacked "$D/home"
  proot=$(cd "$D" && echo home/udocker-*/libexec/udocker/engines/bin/proot-"$(uname -m)")
  [ -x "$D/$proot" ] || skip "no engines are in the archive"
  own_ca registry.test DNS:registry.test
  docker_registry '' ", tls: {certificate: $T/tls.crt, key: $T/tls.key}"
  test_image img 5
  push img app:1
  R=registry.test:$RPORT
  cp ca.crt "$D/home/ca.crt"
  mv "$D/etc/hosts" "$D/home/hosts"
  CA=/home/ca.crt fails 1 bare udocker-image pull "$R/app:1"
  assert_stderr_contains "resolve host"
  CA=/home/ca.crt ok bare "/$proot" -b /home/hosts:/etc/hosts /bin/udocker-image pull "$R/app:1"
  ok bare udocker-image verify "$R/app:1"
}

# As on CentOS 7: nothing since Linux 3.10, and a user land whose C library would not do.
@test "on an old kernel, in a bare user land, the release loads, creates, runs and removes" {
  busybox_image bb:1
  ok udocker-image save -o image.tar bb:1
  unpacked "$D/home"
  mv image.tar "$D/home"
  cp "$SUITE_TOOLS/deny" "$D/bin/"
  old() {
    bare deny statx,openat2,clone3,rseq,faccessat2,memfd_create,copy_file_range,renameat2,seccomp,execveat,bpf,close_range,membarrier \
      pidfd_open,pidfd_send_signal -- "/home/${RELEASE##*/}/bin/udocker" --allow-root "$@"
  }
  ok old load -i /home/image.tar
  ok old create --name=box bb:1
  ok old protect box
  fails 1 old rm box
  ok old unprotect box
  ok old ps
  assert_contains box
  if [ -d "$RELEASE/libexec/udocker/engines" ]; then
    ok old run --nobanner box /bin/sh -c 'echo inside; exit 0'
    assert_output inside
    fails 7 old run --nobanner box /bin/sh -c 'exit 7'
  fi
  ok old rm box
  ok old rmi bb:1
  ok old ps
  refute_contains box
}
