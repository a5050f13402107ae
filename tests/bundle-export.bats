#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# bats: also as root
# export: a container as a tar archive, for import here, in 1.3.x and in other tools.

load helpers

setup() {
  common_setup
  busybox_container c1
  ROOT=$BUNDLE/ROOT
}

# What can be said of every file of a tree but its owner.
tree_facts() { (cd "$1" && find . -printf '%p %y %m %n %T@ %l ' \( -type d -printf '\n' -o -printf '%s\n' \) | LC_ALL=C sort); }

# untar FILE: into x/, as it is.
untar() {
  mkdir x
  tar -C x -xpf "$1" --xattrs --xattrs-include='*'
}

# fill_root: more than what a pipe and a buffer hold.
fill_root() { head -c 5000000 /dev/urandom >"$ROOT/fill"; }

@test "everything that a file can be survives" {
  mkdir -p "$ROOT/x/ro"
  echo one >"$ROOT/x/a"
  ln "$ROOT/x/a" "$ROOT/x/ro/b"
  ln -s /nowhere "$ROOT/x/dangling"
  mkfifo -m 640 "$ROOT/x/fifo"
  printf x >"$ROOT/x/$(printf 'not-utf8-\xff\xfe')"
  touch "$ROOT/x/"$'new\nline' "$ROOT/x/-dash" "$ROOT/x/.wh.file"
  install -m 4755 /dev/null "$ROOT/x/setuid"
  mkdir -m 3777 "$ROOT/x/sticky"
  local long
  long=$(printf 'n%.0s' {1..255})
  mkdir -p "$ROOT/x/$long/$long"
  touch "$ROOT/x/$long/$long/$long"
  ln -s "$long/$long/$long" "$ROOT/x/far"
  touch -d '2001-02-03 04:05:06.789' "$ROOT/x/a"
  touch -hd '1909-01-01 00:00:00.25' "$ROOT/x/dangling"
  touch -d '1999-01-01 12:00:00.123456789' "$ROOT/x/ro"
  chmod 555 "$ROOT/x/ro"
  ok udocker-bundle export -o c.tar c1
  assert_output ""
  assert_no_stderr
  untar c.tar
  diff <(tree_facts "$ROOT") <(tree_facts x)
  cmp "$ROOT/bin/busybox" x/bin/busybox
  [ x/x/a -ef x/x/ro/b ]
  [ "$(tar -tf c.tar | head -1)" = ./ ]
  chmod 755 "$ROOT/x/ro" x/x/ro # for bats to remove
}

@test "all belongs to root, or to whom the image gives it" {
  ok udocker-bundle export -o c.tar c1
  [ "$(tar --numeric-owner -tvf c.tar | awk '{print $2}' | sort -u)" = 0/0 ]
  mkdir -p own/d
  touch own/d/f own/g
  ln -s f own/d/l
  tar -C own --owner=1234 --group=70000 --numeric-owner -cf own.tar .
  tar -C own --owner=7 --group=0 --numeric-owner --append -f own.tar ./g
  mkimage -n own:1 own-image.tar own.tar
  ok udocker-image load -q -i own-image.tar
  run --separate-stderr udocker-bundle create --record-owner own:1
  [ "$status" -eq 0 ] || skip "no user attributes on this file system"
  ok udocker-bundle export -o o.tar "$output"
  owner() { tar --numeric-owner -tvf o.tar | awk -v n="$1" '$6 == n {print $2}'; }
  [ "$(owner ./d/f)" = 1234/70000 ]
  [ "$(owner ./d/)" = 1234/70000 ]
  [ "$(owner ./g)" = 7/0 ]
  # A link cannot have a record.
  [ "$(owner ./d/l)" = 0/0 ]
  [ "$(grep -ca rootlesscontainers o.tar)" -eq 0 ] # the record itself stays here
}

@test "root exports the owners that files have" {
  requires root
  touch "$ROOT/of-1000"
  chown 1000:2000 "$ROOT/of-1000"
  ok udocker-bundle export -o c.tar c1
  [ "$(tar --numeric-owner -tvf c.tar ./of-1000 | awk '{print $2}')" = 1000/2000 ]
}

@test "extended attributes survive" {
  touch "$ROOT/f"
  python3 -c 'import os, sys
os.setxattr(sys.argv[1] + "/f", "user.note", b"of the file")
os.setxattr(sys.argv[1] + "/etc", "user.note", b"of the \0 folder")' "$ROOT" 2>/dev/null || skip "no user attributes on this file system"
  ok udocker-bundle export -o c.tar c1
  untar c.tar
  python3 -c 'import os
assert os.getxattr("x/f", "user.note") == b"of the file"
assert os.getxattr("x/etc", "user.note") == b"of the \0 folder"'
}

@test "an owner whom modes keep out gets in, and leaves them as they were" {
  mkdir -p "$ROOT/x/locked/deep"
  echo secret >"$ROOT/x/locked/deep/nobody"
  chmod 000 "$ROOT/x/locked/deep/nobody" "$ROOT/x/locked/deep" "$ROOT/x/locked"
  ok udocker-bundle export -o c.tar c1
  [ "$(stat -c %a "$ROOT/x/locked")" = 0 ]
  chmod 755 "$ROOT/x/locked"
  [ "$(stat -c %a "$ROOT/x/locked/deep")" = 0 ]
  [ "$(tar -tvf c.tar ./x/locked | awk '{print $1, $6}' | tr '\n' ' ')" = \
    "d--------- ./x/locked/ d--------- ./x/locked/deep/ ---------- ./x/locked/deep/nobody " ]
  [ "$(tar -xOf c.tar ./x/locked/deep/nobody)" = secret ]
  chmod 755 "$ROOT/x/locked/deep"
}

@test "holes stay holes" {
  truncate -s 3G "$ROOT/sparse"
  printf middle | dd of="$ROOT/sparse" bs=1 seek=1500000000 conv=notrunc status=none
  ok udocker-bundle export -o c.tar c1
  [ "$(stat -c %s c.tar)" -lt 20000000 ]
  untar c.tar
  [ "$(stat -c %s x/sparse)" = 3221225472 ]
  [ "$(dd if=x/sparse bs=1 skip=1500000000 count=6 status=none)" = middle ]
}

@test "sockets are left out, which is said" {
  python3 -c 'import os, socket, sys; os.chdir(sys.argv[1]); socket.socket(socket.AF_UNIX).bind("s")' "$ROOT"
  ok udocker-bundle export -o c.tar c1
  assert_stderr_contains "1 sockets were left out"
  [ -z "$(tar -tf c.tar | grep -x ./s)" ]
  tar -tf c.tar ./bin/busybox
}

@test "what is mounted in a container is left out, with a warning" {
  requires userns
  mkdir "$ROOT/mnt"
  run --separate-stderr unshare -Urm sh -c 'mount -t tmpfs none "$0/mnt" || exit 77; touch "$0/mnt/inside"; udocker-bundle export -o c.tar c1' "$ROOT"
  [ "$status" -ne 77 ] || skip "no tmpfs in a user namespace"
  [ "$status" -eq 0 ] || fail "status $status"
  assert_stderr_contains "mount points"
  tar -tf c.tar ./mnt/
  ! tar -tf c.tar ./mnt/inside 2>/dev/null
}

@test "the same container gives the same bytes, to a file and to a pipe" {
  ok udocker-bundle export -o a.tar c1
  udocker-bundle export c1 | cat >b.tar
  udocker-bundle export -o - c1 >c.tar
  cmp a.tar b.tar
  cmp a.tar c.tar
}

@test "a terminal is refused" {
  run script -qec 'udocker-bundle export c1' /dev/null
  [ "$status" -eq 2 ]
  assert_contains "the standard output is a terminal"
}

@test "a file appears when it is complete and takes the place of one that was there" {
  echo old >c.tar
  fill_root
  ok udocker-bundle export -o c.tar c1
  tar -tf c.tar ./fill
  [ "$(find . -maxdepth 1 -name '.*tmp*' | wc -l)" -eq 0 ]
  echo kept >target
  ln -s target link
  fails 1 udocker-bundle export -o link c1
  assert_one_error_line
  [ "$(cat target)" = kept ]
  fails 1 udocker-bundle export -o . c1
  assert_one_error_line
  fails 1 udocker-bundle export -o none/c.tar c1
  assert_one_error_line
  echo old >d.tar
  fails 1 udocker-bundle export -o d.tar nothing
  assert_stderr_contains "no such container"
  [ "$(cat d.tar)" = old ]
}

@test "a full disk: one line, nothing left" {
  requires userns
  fill_root
  run --separate-stderr unshare -Urm sh -c 'mkdir m && mount -t tmpfs -o size=2m none m || exit 77
    echo old >m/c.tar; udocker-bundle export -o m/c.tar c1; echo "status $?"; ls -A m; cat m/c.tar'
  [ "$status" -ne 77 ] || skip "no tmpfs in a user namespace"
  assert_output $'status 1\nc.tar\nold'
  assert_one_error_line
  assert_stderr_contains "No space left on device"
  run --separate-stderr sh -c 'udocker-bundle export c1 >/dev/full'
  [ "$status" -eq 1 ] || fail "status $status"
  assert_one_error_line
}

@test "TERM stops it: status 143, no file" {
  fill_root
  mkfifo pipe
  udocker-bundle export c1 >pipe 2>err &
  local pid=$! status=0
  exec 8<pipe
  head -c 1000 <&8 >/dev/null
  kill -TERM $pid
  wait $pid || status=$?
  exec 8<&-
  [ $status -eq 143 ]
  [ "$(wc -l <err)" -eq 1 ]
}

@test "a container that is removed meanwhile is no archive" {
  fill_root
  mkfifo pipe
  udocker-bundle export c1 >pipe 2>err &
  local pid=$! status=0
  exec 8<pipe
  head -c 1000 <&8 >/dev/null
  ok udocker-bundle rm c1
  cat <&8 >/dev/null
  exec 8<&-
  wait $pid || status=$?
  [ $status -eq 1 ]
  grep -q "removed while it was exported" err
}

# As root nothing is locked.
@test "an export that fails far below leaves no folder more open than it was" {
  requires user
  local path
  path=$(printf 'a/%.0s' {1..120})
  mkdir -p "$ROOT/$path"
  head -c 5000000 /dev/urandom >"$ROOT/${path}big"
  folders() { python3 -c 'import os, sys
os.chdir(sys.argv[1])
if sys.argv[2] == "lock":
    for i in range(120, 0, -1):
        os.chmod("a/" * i, 0o100 if i % 3 else 0)
modes = []
for i in range(120):
    modes.append(oct(os.stat("a").st_mode & 0o7777))
    os.chmod("a", 0o700)
    os.chdir("a")
print(modes)
if sys.argv[2] == "lock":
    for i in range(120, 0, -1):
        os.chdir("..")
        os.chmod("a", 0o100 if i % 3 else 0)' "$ROOT" "$1"; }
  folders lock >want
  fails 1 sh -c 'udocker-bundle export - c1 >/dev/full'
  assert_stderr_contains "No space left"
  folders look >got
  diff want got
}

@test "half-made containers are refused by name" {
  mkdir "$STORE/containers/no-root" "$STORE/containers/unfinished" "$STORE/containers/unfinished/ROOT"
  printf CLONING:inprogress >"$STORE/containers/unfinished/imagerepo.name"
  local bad
  for bad in no-root unfinished; do
    fails 1 udocker-bundle export -o c.tar "$bad"
    assert_one_error_line
    assert_stderr_contains "$bad"
    refute_file c.tar
  done
}

@test "a store that cannot be written can be exported from" {
  requires userns
  run --separate-stderr unshare -Urm sh -c 'mount --bind "$UDOCKER_DIR" "$UDOCKER_DIR" && mount -o remount,bind,ro "$UDOCKER_DIR" || exit 77
    udocker-bundle export -o c.tar c1'
  [ "$status" -ne 77 ] || skip "no bind mounts in a user namespace"
  [ "$status" -eq 0 ] || fail "status $status"
  tar -tf c.tar ./bin/busybox
}

@test "--clone has the folder of 1.3.x: metadata, mode, protection, and nothing of runs" {
  udocker-bundle setup --execmode=P2 c1
  udocker-bundle protect c1
  mkdir "$BUNDLE/.mountpoints" "$BUNDLE/11111111-2222-3333-4444-555555555555"
  ln -s '#' "$BUNDLE/.mountpoints/#data"
  touch "$BUNDLE/.tmp-1-x"
  ok udocker-bundle export --clone -o c.tar c1
  [ "$(tar -tf c.tar | grep -v ^./ROOT/. | LC_ALL=C sort | tr '\n' ' ')" = \
    "./ ./.mountpoints/ ./.mountpoints/#data ./PROTECT ./ROOT/ ./config.json ./container.json ./execmode ./imagerepo.name ./root.path " ]
  [ "$(tar -xOf c.tar ./execmode)" = P2 ]
  tar -xOf c.tar ./container.json | cmp - "$BUNDLE/container.json"
  tar -xOf c.tar ./ROOT/bin/busybox | cmp - "$ROOT/bin/busybox"
}

@test "udocker export takes what 1.3.x takes, and what it only documents (FIX-05)" {
  ok udocker export -o a.tar c1
  assert_output ""
  assert_stderr "Info: exporting to file a.tar"
  udocker export c1 >b.tar
  udocker export - c1 >c.tar
  cmp a.tar b.tar
  cmp a.tar c.tar
  ok udocker export --clone -o d.tar c1
  ok udocker export -o --clone e.tar c1
  ok udocker export -o=f.tar --clone "$ID"
  cmp d.tar e.tar
  cmp d.tar f.tar
  tar -tf d.tar ./container.json
  refute_file ./--clone
  fails 1 udocker export -o g.tar nothing
  assert_one_error_line
  fails 1 udocker export -o g.tar
  fails 1 udocker export a b
  fails 2 udocker-bundle export -o g.tar c1 c2
  fails 2 udocker-bundle export -o --clone
  refute_file g.tar
}

@test "1.3.x imports what we export, as an image, a container and a clone" {
  requires python-udocker proot user
  export UDOCKER_TARBALL='' UDOCKER_USE_PROOT_EXECUTABLE
  UDOCKER_USE_PROOT_EXECUTABLE=$(command -v proot)
  udocker-bundle setup --execmode=P2 c1
  truncate -s 3M "$ROOT/sparse"
  ok udocker export -o c.tar c1
  ok udocker export --clone -o clone.tar c1
  ok udocker.py import c.tar back:1
  ok udocker.py create --name=image back:1
  ok udocker.py import --tocontainer --name=container c.tar
  ok udocker.py import --clone --name=clone clone.tar
  local name
  for name in image container clone; do
    diff -r --no-dereference "$ROOT/etc" "$STORE/containers/$name/ROOT/etc"
    cmp "$ROOT/sparse" "$STORE/containers/$name/ROOT/sparse"
    ok udocker.py run --nobanner "$name" /bin/cat /etc/os-release
    assert_contains demo
    ok udocker run --nobanner "$name" /bin/cat /etc/os-release
    assert_contains demo
  done
  [ "$(udocker.py setup clone | head -1)" = "execmode: P2" ]
  ok udocker.py run --nobanner clone /bin/sh -c 'echo $GREETING'
  assert_contains hello
  # And what it exports we import.
  ok udocker.py export -o p.tar c1
  ok udocker import p.tar again:1
  ok udocker-bundle create again:1
  diff -r --no-dereference "$ROOT/etc" "$STORE/containers/$output/ROOT/etc"
}

@test "podman imports what we export" {
  requires podman
  local pod=/tmp/udexp.$$.$BATS_TEST_NUMBER
  pod() { podman --root "$pod/root" --runroot "$pod/run" --storage-driver vfs "$@" 2>&1; }
  mkdir "$pod"
  unset UDOCKER_ALLOW_ROOT
  ok udocker-bundle export -o c.tar c1
  if pod images >/dev/null; then
    run --separate-stderr pod import -q c.tar localhost/back:1
    [ "$status" -ne 0 ] || pod save -q --format oci-archive -o back.tar localhost/back:1
  else
    status=skip
  fi
  [ "$(id -u)" = 0 ] || podman unshare rm -rf "$pod" || true
  rm -rf "$pod"
  # A process that podman leaves to keep a user's namespace.
  local file
  while read -r file; do kill "$(cat "$file")" || true; done < <(find "$T" -name pause.pid 2>/dev/null)
  [ "$status" != skip ] || skip "podman does not work here"
  [ "$status" -eq 0 ] || fail "podman import: status $status"
  ok udocker-image load -q -i back.tar back:1
  ok udocker-bundle create back:1
  diff -r --no-dereference "$ROOT/etc" "$STORE/containers/$output/ROOT/etc"
}
