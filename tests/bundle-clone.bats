#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# bats: also as root
# clone: a copy that has everything of the original and shares nothing with it but disk space.

load helpers

setup() {
  common_setup
  busybox_container c1
  ROOT=$BUNDLE/ROOT
}

# What can be said of every file of a tree, but for what a clone has of its own.
tree_facts() { (cd "$1" && find . -mindepth 1 -printf '%p %y %m %n %T@ %l ' \( -type d -printf '\n' -o -printf '%s\n' \) | LC_ALL=C sort); }

# clone [OPTION…] CONTAINER: sets CLONE and NEW, its root.
clone() {
  ok udocker-bundle clone "$@"
  CLONE=$output
  assert_matches '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$'
  NEW=$STORE/containers/$CLONE/ROOT
}

# As many containers as before, and nothing half-made.
only() {
  [ "$(udocker-bundle ls -q | sort)" = "$(printf '%s\n' "$@" | sort)" ] || fail "containers: $(udocker-bundle ls -q)"
  assert_store_clean
}

@test "everything that a file can be survives" {
  mkdir -p "$ROOT/x/ro" "$ROOT/x/locked"
  echo one >"$ROOT/x/a"
  ln "$ROOT/x/a" "$ROOT/x/ro/b"
  ln -s /nowhere "$ROOT/x/dangling"
  ln "$ROOT/x/dangling" "$ROOT/x/dangling-too"
  mkfifo -m 640 "$ROOT/x/fifo"
  printf x >"$ROOT/x/$(printf 'not-utf8-\xff\xfe')"
  touch "$ROOT/x/"$'new\nline' "$ROOT/x/-dash"
  install -m 4755 /dev/null "$ROOT/x/setuid"
  install -m 0444 /dev/null "$ROOT/x/readonly"
  mkdir -m 3777 "$ROOT/x/sticky"
  echo secret >"$ROOT/x/locked/nobody"
  chmod 000 "$ROOT/x/locked/nobody"
  touch -d '2001-02-03 04:05:06.789' "$ROOT/x/a" "$ROOT/x/ro"
  touch -hd '1999-01-01' "$ROOT/x/dangling"
  chmod 555 "$ROOT/x/ro"
  local before
  before=$(tree_facts "$ROOT")
  chmod 000 "$ROOT/x/locked"
  clone c1
  assert_no_stderr
  # Neither was left open behind it.
  [ "$(stat -c %a "$ROOT/x/locked" "$NEW/x/locked")" = $'0\n0' ]
  chmod 755 "$ROOT/x/locked" "$NEW/x/locked"
  touch -r "$ROOT/x/locked" "$NEW/x/locked"
  diff <(echo "$before" | grep -v 'x/locked d') <(tree_facts "$NEW" | grep -v 'x/locked d')
  [ "$(stat -c %a "$NEW/x/locked/nobody")" = 0 ]
  chmod 600 "$NEW/x/locked/nobody"
  [ "$(cat "$NEW/x/locked/nobody")" = secret ]
  [ "$NEW/x/a" -ef "$NEW/x/ro/b" ]
  [ ! "$NEW/x/a" -ef "$ROOT/x/a" ]
  cmp "$ROOT/bin/busybox" "$NEW/bin/busybox"
  chmod 755 "$ROOT/x/ro" "$NEW/x/ro" # for bats to remove
}

@test "extended attributes survive" {
  touch "$ROOT/f"
  python3 -c 'import os, sys
os.setxattr(sys.argv[1] + "/f", "user.note", b"of the file")
os.setxattr(sys.argv[1] + "/etc", "user.note", b"of the \0 folder")' "$ROOT" 2>/dev/null || skip "no user attributes on this file system"
  chmod 444 "$ROOT/f"
  clone c1
  python3 -c 'import os, sys
assert os.getxattr(sys.argv[1] + "/f", "user.note") == b"of the file"
assert os.getxattr(sys.argv[1] + "/etc", "user.note") == b"of the \0 folder"' "$NEW"
  [ "$(stat -c %a "$NEW/f")" = 444 ]
}

@test "holes stay holes" {
  truncate -s 300M "$ROOT/sparse"
  printf middle | dd of="$ROOT/sparse" bs=1 seek=150000000 conv=notrunc status=none
  truncate -s 5M "$ROOT/empty"
  clone c1
  cmp "$ROOT/sparse" "$NEW/sparse"
  [ "$(stat -c %s "$NEW/empty")" = 5242880 ]
  [ "$(du -m "$NEW/sparse" | cut -f1)" -lt 10 ]
}

@test "trees of many files and of many levels" {
  once
  python3 - "$ROOT" <<'PY'
import os, sys
os.chdir(sys.argv[1])
for d in range(40):
    os.makedirs(f"many/d{d % 7}/e{d}")
    for f in range(60):
        with open(f"many/d{d % 7}/e{d}/f{f}", "wb") as o:
            o.write(bytes([d, f]) * (d * f * 3))
        os.link(f"many/d{d % 7}/e{d}/f{f}", f"many/l{d}-{f}")
os.makedirs("deep")
os.chdir("deep")
for i in range(2000):
    os.mkdir("a-level-of-many")
    os.chdir("a-level-of-many")
    if i % 100 == 0:
        open("f", "w").write(str(i))
open("bottom", "w").write("here")
PY
  clone c1
  diff <(tree_facts "$ROOT/many") <(tree_facts "$NEW/many")
  diff -r "$ROOT/many" "$NEW/many"
  [ "$(find "$NEW/deep" -name f | wc -l)" = 20 ]
  # Not a shell, which finds out its path at each level by walking up to the top.
  [ "$(cd "$NEW/deep" && python3 -c 'import os
while os.path.isdir("a-level-of-many"): os.chdir("a-level-of-many")
print(open("bottom").read())')" = here ]
}

@test "sockets are left out, which is said" {
  python3 -c 'import os, socket, sys; os.chdir(sys.argv[1]); socket.socket(socket.AF_UNIX).bind("s")' "$ROOT"
  clone c1
  refute_file "$NEW/s"
  assert_stderr_contains "left out"
}

@test "the folder: its own config.json, the image's metadata, mode and protection, no names" {
  udocker-bundle setup --execmode=P2 c1
  udocker-bundle protect c1
  mkdir "$BUNDLE/.mountpoints" "$BUNDLE/11111111-2222-3333-4444-555555555555"
  ln -s '#' "$BUNDLE/.mountpoints/#data"
  touch "$BUNDLE/.tmp-1-x"
  clone --name=copy c1
  local new=$STORE/containers/$CLONE
  [ "$(readlink "$STORE/containers/copy")" = "$CLONE" ]
  [ "$(cat "$new/imagerepo.name")" = bb:1 ]
  cmp "$BUNDLE/container.json" "$new/container.json"
  [ "$(cat "$new/execmode")" = P2 ]
  [ "$(cat "$new/root.path")" = "$new/ROOT" ]
  assert_file "$new/PROTECT"
  [ "$(readlink "$new/.mountpoints/#data")" = '#' ]
  refute_file "$new/11111111-2222-3333-4444-555555555555"
  [ -z "$(find "$new" -name '.tmp-*')" ]
  valid_config "$new/config.json"
  [[ $(cat "$new/config.json") != *"$ID"* ]] || fail "config.json names the original"
  ok udocker-bundle ls --format json
  [ "$(jq -c ".[] | select(.id == \"$CLONE\") | [.names, .image, .mode, .protected]" <<<"$output")" = '[["copy"],"bb:1","P2",true]' ]
  fails 1 udocker-bundle rm copy
  udocker-bundle unprotect copy
  ok udocker-bundle rm copy
  assert_file "$ROOT/bin/busybox"
}

@test "both can be changed without the other, and the copy runs" {
  requires proot
  clone --name=copy c1
  echo changed >"$NEW/etc/os-release"
  grep -q demo "$ROOT/etc/os-release"
  ok udocker run --nobanner copy /bin/cat /etc/os-release
  assert_output changed
  ok udocker run --nobanner c1 /bin/cat /etc/os-release
  assert_contains demo
}

@test "udocker clone prints the id and takes --name before and behind the container" {
  ok udocker clone --name=a c1
  ok udocker clone c1 --name b
  [ "$(readlink "$STORE/containers/b")" = "$output" ]
  ok udocker clone b
  only "$ID" "$(readlink "$STORE/containers/a")" "$(readlink "$STORE/containers/b")" "$output"
}

@test "a name that is taken or none, a container that is not there" {
  fails 1 udocker-bundle clone --name=c1 c1
  assert_one_error_line
  assert_stderr_contains "'c1' is taken"
  fails 2 udocker-bundle clone --name=a/b c1
  assert_one_error_line
  fails 1 udocker-bundle clone nothing
  assert_stderr_contains "no such container"
  fails 2 udocker-bundle clone
  fails 2 udocker-bundle clone c1 c2
  only "$ID"
}

@test "half-made and foreign folders are refused by name, those of other tools with a ROOT are copied" {
  local c=$STORE/containers
  mkdir "$c/no-root" "$c/root-is-a-file" "$c/root-is-a-link" "$c/unfinished" "$c/no-metadata" "$c/foreign"
  touch "$c/root-is-a-file/ROOT"
  ln -s / "$c/root-is-a-link/ROOT"
  mkdir "$c/unfinished/ROOT" "$c/no-metadata/ROOT" "$c/foreign/ROOT"
  printf CLONING:inprogress >"$c/unfinished/imagerepo.name"
  echo '{"config":{"Cmd":["/bin/x"]}}' >"$c/foreign/container.json"
  local bad
  for bad in no-root root-is-a-file root-is-a-link unfinished no-metadata; do
    fails 1 udocker-bundle clone "$bad"
    assert_one_error_line
    assert_stderr_contains "$bad"
    assert_output ""
  done
  assert_store_clean
  clone foreign
  assert_file "$STORE/containers/$CLONE/config.json"
}

@test "two at once for one name: one has it, the other nothing" {
  local i status_a status_b
  for i in {1..5}; do
    udocker-bundle clone --name=same c1 >a 2>a.err &
    local a=$!
    udocker-bundle clone --name=same c1 >b 2>b.err &
    local b=$!
    status_a=0 status_b=0
    wait $a || status_a=$?
    wait $b || status_b=$?
    [ $((status_a + status_b)) -eq 1 ] || fail "status $status_a and $status_b"
    [ "$(cat a b | wc -l)" -eq 1 ]
    cat a.err b.err | grep -q "taken"
    only "$ID" "$(cat a b)"
    udocker-bundle rm same
  done
}

# Enough for a signal to arrive in the middle.
fill_root() {
  python3 - "$ROOT/fill" <<'PY'
import os, sys
for i in range(300):
    folder = f"{sys.argv[1]}/{i}"
    os.makedirs(folder)
    for name in "abcdefgh":
        os.truncate(os.open(f"{folder}/{name}", os.O_CREAT | os.O_WRONLY), 10)
    with open(f"{folder}/x", "wb") as f:
        f.write(os.urandom(200000))
PY
}

@test "TERM stops it: status 143, nothing left" {
  fill_root
  udocker-bundle clone c1 >out 2>err &
  local pid=$! status=0
  wait_until 10 compgen -G "$STORE/.stage/*/ROOT" || true
  kill -TERM $pid || true
  wait $pid || status=$?
  if [ $status -eq 143 ]; then
    [ ! -s out ]
    [ "$(wc -l <err)" -eq 1 ]
    only "$ID"
  else # it was done already
    [ $status -eq 0 ] && only "$ID" "$(cat out)"
  fi
}

@test "kill -9 at any instant leaves staging alone, which the next one removes" {
  once
  fill_root
  local i pid
  for i in 0 1 2 3 5 8 12 20 30 50; do
    udocker-bundle clone c1 >out 2>/dev/null &
    pid=$!
    sleep "0.0$(printf %02d "$i")"
    kill -9 $pid 2>/dev/null || true
    wait $pid || true
    [ "$(udocker-bundle ls -q | wc -l)" -le 2 ] || fail "something half-made is listed"
    # Dead staging goes with the next writer; what was published is whole.
    clone c1
    diff <(tree_facts "$ROOT") <(tree_facts "$NEW")
    udocker-bundle ls -q | grep -v "$ID" | xargs udocker-bundle rm
    only "$ID"
  done
}

@test "a full disk: one line, nothing left" {
  requires userns
  head -c 3000000 /dev/urandom >"$ROOT/big"
  cat >inside <<'SH'
mount -t tmpfs -o size=8m none "$STORE_MOUNT" || exit 77
cp -a "$UDOCKER_DIR/." "$STORE_MOUNT"
UDOCKER_DIR=$STORE_MOUNT
udocker-bundle clone c1; echo "status $?"
udocker-bundle clone c1; echo "status $?"
udocker-bundle ls -q | wc -l
find "$STORE_MOUNT" -path '*/.stage/*' | wc -l
SH
  mkdir m
  STORE_MOUNT=$T/m run --separate-stderr unshare -Urm sh inside
  [ "$status" -ne 77 ] || skip "no tmpfs in a user namespace"
  [[ $output == *"status 1"*$'\n2\n0' ]] || [[ $output == *"status 1"*$'\n1\n0' ]] || fail "not refused as it should be"
  assert_stderr_contains "No space left on device"
}

@test "a store that cannot be written" {
  requires userns
  run --separate-stderr unshare -Urm sh -c 'mount --bind "$UDOCKER_DIR" "$UDOCKER_DIR" && mount -o remount,bind,ro "$UDOCKER_DIR" || exit 77
    udocker-bundle clone c1'
  [ "$status" -ne 77 ] || skip "no bind mounts in a user namespace"
  [ "$status" -eq 1 ] || fail "status $status"
  assert_one_error_line
  only "$ID"
}

@test "what is mounted in a container is left out, with a warning" {
  requires userns
  mkdir "$ROOT/mnt"
  run --separate-stderr unshare -Urm sh -c 'mount -t tmpfs none "$0/mnt" || exit 77; touch "$0/mnt/inside"; udocker-bundle clone c1' "$ROOT"
  [ "$status" -ne 77 ] || skip "no tmpfs in a user namespace"
  [ "$status" -eq 0 ] || fail "status $status"
  assert_stderr_contains "mount points"
  [ -d "$STORE/containers/$output/ROOT/mnt" ]
  [ -z "$(ls -A "$STORE/containers/$output/ROOT/mnt")" ]
}

@test "a file system with reflinks shares the space" {
  requires root mkfs.xfs losetup
  truncate -s 500M xfs.img
  mkfs.xfs -q -m reflink=1 xfs.img
  mkdir m
  mount -o loop xfs.img m 2>/dev/null || skip "no loop mounts here"
  UDOCKER_DIR=$T/m/store
  cp -a "$STORE" "$UDOCKER_DIR"
  head -c 100000000 /dev/zero | tr '\0' x >"$UDOCKER_DIR/containers/$ID/ROOT/big"
  sync -f m
  local before after
  before=$(df --output=used -k m | tail -1)
  local id
  id=$(udocker-bundle clone c1)
  after=$(df --output=used -k m | tail -1)
  cmp "$UDOCKER_DIR/containers/$ID/ROOT/big" "$UDOCKER_DIR/containers/$id/ROOT/big"
  umount m
  [ $((after - before)) -lt 20000 ] || fail "the copy took $((after - before)) KiB"
}

@test "the clone is one that 1.3.x lists, runs and removes; a clone of 1.3.x is one here" {
  requires python-udocker proot user
  export UDOCKER_TARBALL='' UDOCKER_USE_PROOT_EXECUTABLE
  UDOCKER_USE_PROOT_EXECUTABLE=$(command -v proot)
  clone --name=ours c1
  ok udocker.py ps
  assert_contains "['ours']"
  ok udocker.py run --nobanner ours /bin/cat /etc/os-release
  assert_contains demo
  ok udocker.py clone --name=theirs ours
  ok udocker run --nobanner theirs /bin/cat /etc/os-release
  assert_contains demo
  clone --name=again theirs
  diff -r "$ROOT/etc" "$NEW/etc"
  ok udocker.py rm ours
  refute_file "$STORE/containers/ours"
}
