#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# bats: also as root
# import: a tar archive becomes a container, alone or, as --clone, with what belongs to it.

load hostile

setup() {
  hostile_setup
  OUTSIDE=$(outside_now)
}

tree_facts() { (cd "$1" && find . -printf '%p %y %m %n %T@ %l ' \( -type d -printf '\n' -o -printf '%s\n' \) | LC_ALL=C sort); }

# import ARGUMENT...: sets ID and ROOT.
import() {
  ok udocker-bundle import "$@"
  assert_matches '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$'
  ID=$output
  BUNDLE=$STORE/containers/$ID
  ROOT=$BUNDLE/ROOT
}

# What no import left: nothing of it in the store.
nothing_made() {
  [ -z "$(ls -A "$STORE/containers" 2>/dev/null)" ] || fail "made: $(ls -A "$STORE/containers")"
  assert_store_clean
}

@test "in every compression, from a file and from a pipe" {
  cp "$(rootfs_tar)" root.tar
  gzip -k root.tar
  xz -k0 root.tar
  bzip2 -k root.tar
  zstd -q root.tar
  mkdir x
  tar -C x -xpf root.tar
  local f
  for f in root.tar root.tar.gz root.tar.xz root.tar.bz2 root.tar.zst; do
    import $f
    assert_no_stderr
    diff -r --no-dereference x "$ROOT"
    ok sh -c "cat $f | udocker-bundle import -"
    diff -r --no-dereference x "$STORE/containers/$output/ROOT"
    udocker-bundle rm "$ID" "$output"
  done
  nothing_made
}

@test "a container like others: it runs, is listed, copied and removed" {
  requires proot
  import --name=c "$(rootfs_tar)"
  [ "$(cat "$BUNDLE/imagerepo.name")" = IMPORTED:unknown ]
  [ "$(jq -r '.architecture + .os' "$BUNDLE/container.json")" = "$(uname -m | sed 's/x86_64/amd64/;s/aarch64/arm64/')linux" ]
  valid_config "$BUNDLE/config.json"
  ok udocker run --nobanner c /bin/cat /etc/os-release
  assert_contains demo
  ok udocker-bundle ls --format json
  [ "$(jq -c '.[0] | [.names, .image]' <<<"$output")" = '[["c"],"IMPORTED:unknown"]' ]
  ok udocker-bundle clone c
  ok udocker-bundle rm "$output" c
  import --platform linux/arm64 "$(rootfs_tar)" my/root:2
  [ "$(cat "$BUNDLE/imagerepo.name")" = my/root:2 ]
  [ "$(jq -r .architecture "$BUNDLE/container.json")" = arm64 ]
  ok udocker-image ls -q
  assert_output ""
}

@test "names of whiteouts are names" {
  mkdir -p in/d
  echo kept >in/d/file
  touch in/d/.wh.file in/d/.wh..wh..opq in/.wh.d
  mkdir in/.wh..wh.plnk in/.wh.dir
  touch in/.wh..wh.plnk/x in/.wh.dir/y
  layer in.tar in
  import in.tar
  diff -r in "$ROOT"
}

@test "set-id bits and owners as for create" {
  mkdir in
  install -m 6755 /dev/null in/setid
  tar -C in --owner=12 --group=34 --numeric-owner -cf in.tar .
  import in.tar
  [ "$(stat -c %a "$ROOT/setid")" = 755 ]
  import --keep-setid in.tar
  [ "$(stat -c %a "$ROOT/setid")" = 6755 ]
  run --separate-stderr udocker-bundle import --record-owner in.tar
  [ "$status" -eq 0 ] || skip "no user attributes on this file system"
  ok udocker-bundle export -o out.tar "$output"
  [ "$(tar --numeric-owner -tvf out.tar ./setid | awk '{print $2}')" = 12/34 ]
}

@test "what was exported comes back as it was" {
  busybox_container c1
  ROOT=$BUNDLE/ROOT
  mkdir -p "$ROOT/x/dir"
  echo one >"$ROOT/x/a"
  ln "$ROOT/x/a" "$ROOT/x/b"
  mkfifo -m 640 "$ROOT/x/fifo"
  truncate -s 1G "$ROOT/x/sparse"
  printf x >"$ROOT/x/$(printf 'not-utf8-\xff\xfe')"
  mkdir -m 1777 "$ROOT/x/sticky"
  touch -d '2001-02-03 04:05:06.789' "$ROOT/x/a" "$ROOT/x/dir"
  local before=$ROOT
  udocker-bundle export c1 >c.tar
  import c.tar
  diff <(tree_facts "$before") <(tree_facts "$ROOT")
  [ "$(du -m "$ROOT/x/sparse" | cut -f1)" -lt 10 ]
  udocker-bundle export --clone c1 | zstd -q >c.tar.zst
  import --clone c.tar.zst
  diff <(tree_facts "$before") <(tree_facts "$ROOT")
}

@test "--clone brings metadata, mode, protection and recorded owners, and makes config.json anew" {
  busybox_container c1
  udocker-bundle setup --execmode=P2 c1
  udocker-bundle protect c1
  mkdir "$BUNDLE/.mountpoints"
  ln -s '#' "$BUNDLE/.mountpoints/#data"
  local old=$ID before=$BUNDLE attr=yes
  python3 -c 'import os, sys; os.setxattr(sys.argv[1], "user.rootlesscontainers", b"\x08\x07\x10\x09")' "$before/ROOT/bin/busybox" 2>/dev/null || attr=
  ok udocker-bundle export --clone -o c.tar c1
  import --clone --name=back c.tar
  assert_no_stderr
  [ "$ID" != "$old" ]
  cmp "$before/container.json" "$BUNDLE/container.json"
  [ "$(cat "$BUNDLE/imagerepo.name")" = bb:1 ]
  [ "$(cat "$BUNDLE/execmode")" = P2 ]
  [ "$(cat "$BUNDLE/root.path")" = "$ROOT" ]
  [ "$(readlink "$BUNDLE/.mountpoints/#data")" = '#' ]
  valid_config "$BUNDLE/config.json"
  [[ $(cat "$BUNDLE/config.json") != *"$old"* ]] || fail "config.json names the original"
  [ -z "$attr" ] || python3 -c 'import os, sys; assert os.getxattr(sys.argv[1], "user.rootlesscontainers") == b"\x08\x07\x10\x09"' "$ROOT/bin/busybox"
  ok udocker-bundle verify back
  fails 1 udocker-bundle rm back
  assert_stderr_contains protected
}

@test "--clone: a mode that is none is left out" {
  busybox_container c1
  printf /old/ROOT >"$BUNDLE/root.path"
  printf '../x' >"$BUNDLE/execmode"
  ok udocker-bundle export --clone -o x.tar c1
  import --clone x.tar
  assert_stderr_contains "is none"
  refute_file "$BUNDLE/execmode"
  refute_file "$BUNDLE/root.path"
}

@test "--mv removes the file when all is done, and only then" {
  cp "$(rootfs_tar)" a.tar
  cp a.tar b.tar
  head -c 100000 a.tar >half.tar
  import --mv --name=c a.tar
  refute_file a.tar
  fails 1 udocker-bundle import --mv --name=c b.tar
  assert_file b.tar
  fails 1 udocker-bundle import --mv half.tar
  assert_file half.tar
  fails 2 udocker-bundle import --mv --no-sync b.tar
  assert_file b.tar
  ln -s b.tar link
  import --mv link
  [ ! -L link ]
  assert_file b.tar
  ok sh -c 'udocker-bundle import --mv - <b.tar'
  assert_file b.tar
}

@test "a name that is taken or none, an archive that is none" {
  cp "$(rootfs_tar)" a.tar
  import --name=c a.tar
  fails 1 udocker-bundle import --name=c a.tar
  assert_one_error_line
  assert_stderr_contains "'c' is taken"
  fails 2 udocker-bundle import --name=a/b a.tar
  fails 1 udocker-bundle import nothing.tar
  assert_one_error_line
  fails 2 udocker-bundle import
  udocker-bundle rm c
  : >empty
  echo text >text
  head -c 300000 a.tar >half.tar
  gzip -c a.tar | head -c 100000 >half.tar.gz
  local f
  for f in empty text half.tar half.tar.gz .; do
    fails 1 udocker-bundle import $f
    assert_one_error_line
    assert_output ""
    fails 1 udocker-bundle import --clone $f
    assert_one_error_line
  done
  fails 1 udocker-bundle import --clone a.tar
  assert_stderr_contains "no archive of a container"
  assert_stderr_contains "without --clone"
  run script -qec 'udocker-bundle import -' /dev/null
  [ "$status" -eq 2 ]
  nothing_made
}

# attack NAME WORDS [OPTION]: the archive on stdin, in the language of mktar, is refused with the WORDS, or with "ok" accepted; nothing outside changes.
attack() {
  NAME=$1
  mktar >layer.tar
  run --separate-stderr "${BOUND[@]}" udocker-bundle import ${3:+"$3"} layer.tar
  if [ "$2" = ok ]; then
    [ "$status" -eq 0 ] || fail "$NAME: status $status"
    BUNDLE=$STORE/containers/$output
    ROOT=$BUNDLE/ROOT
  else
    fails_clearly "$2"
    nothing_made
  fi
  [ "$(outside_now)" = "$OUTSIDE" ] || fail "$NAME: outside changed"
}

@test "archives that lead out" {
  attack "a climbing name" "'..' in its path|layer.tar" <<<"file ../outside/victim 0644 evil"
  attack "through a link" "out/evil" <<<"link out $T/outside
file out/evil 0644 evil"
  attack "a hard link" "hard link to" <<<"hard l $T/outside/victim"
  attack "the top as a link" "root directory" <<<"link . $T/outside"
  attack "a device" ok <<<$'char dev/null 1 3\nfile bin/x 0755 x'
  refute_file "$ROOT/dev/null"
}

@test "clones that lead out" {
  local meta='file container.json 0644 {"config":{}}'
  attack "climbs out of ROOT" "'..' in its path" --clone <<<"$meta
file ROOT/../../x 0644 evil"
  attack "ROOT is a link" "root directory" --clone <<<"$meta
link ROOT $T/outside
file ROOT/evil 0644 x"
  attack "ROOT is a file" "root directory" --clone <<<"$meta
file ROOT 0644 x"
  attack "a control file is a link" "container.json" --clone <<<"dir ROOT
link container.json $T/outside/victim"
  attack "a control file is a directory" "execmode" --clone <<<"dir ROOT
$meta
dir execmode"
  attack "a control file is a hard link into ROOT" "PROTECT" --clone <<<"dir ROOT
$meta
file ROOT/x 0644 x
hard PROTECT ROOT/x"
  attack "a file of ROOT is a hard link to a control file" "outside ROOT" --clone <<<"$meta
hard ROOT/x container.json"
  attack "something below a file's name" "imagerepo.name/x" --clone <<<"dir ROOT
$meta
file imagerepo.name/x 0644 x"
  attack "records that are a link" ".mountpoints" --clone <<<"dir ROOT
$meta
link .mountpoints $T/outside"
  attack "no metadata" "container.json" --clone <<<"dir ROOT"
  attack "metadata that is no object" "container.json" --clone <<<$'dir ROOT\nfile container.json 0644 []'
  attack "unfinished" "not finished" --clone <<<"dir ROOT
$meta
file imagerepo.name 0644 CLONING:inprogress"
  attack "a link in ROOT to the folder" ok --clone <<<"$meta
dir ROOT
link ROOT/up /
file ROOT/up/execmode 0644 F1
link ROOT/up2 ../..
file ROOT/up2/PROTECT 0644 x"
  refute_file "$BUNDLE/execmode"
  refute_file "$BUNDLE/PROTECT"
  assert_file "$ROOT/execmode"
  udocker-bundle rm "$output"
  attack "what no container's folder holds" ok --clone <<<"$meta
dir ROOT/bin
file evil 0755 x
link config.json $T/outside/victim
dir 11111111-2222-3333-4444-555555555555
file .tmp-1-2 0644 x"
  [ "$(find "$BUNDLE" -mindepth 1 -maxdepth 1 -printf '%f\n' | sort | tr '\n' ' ')" = "ROOT config.json container.json " ]
  [ ! -L "$BUNDLE/config.json" ]
}

@test "bombs end at the limits, which can be set" {
  head -c 200000000 /dev/zero >zeros
  tar -cf - zeros | gzip -9 >bomb.tar.gz
  rm zeros
  fails 1 "${BOUND[@]}" udocker-bundle import --max-size=1M --max-ratio=10 bomb.tar.gz
  assert_one_error_line
  assert_stderr_contains "unpack_max"
  nothing_made
  ok "${BOUND[@]}" udocker-bundle import --no-sync bomb.tar.gz
}

@test "TERM stops it: status 143, nothing left" {
  mkfifo pipe
  udocker-bundle import pipe >out 2>err &
  local pid=$! status=0
  exec 8>pipe
  head -c 700000 "$(rootfs_tar)" >&8
  wait_until 10 compgen -G "$STORE/.stage/*/ROOT"
  kill -TERM $pid
  wait $pid || status=$?
  exec 8>&-
  [ $status -eq 143 ]
  [ ! -s out ]
  [ "$(wc -l <err)" -eq 1 ]
  nothing_made
}

@test "a full disk: one line, nothing left" {
  requires userns
  cp "$(rootfs_tar)" a.tar
  mkdir m
  run --separate-stderr unshare -Urm sh -c 'mount -t tmpfs -o size=1m none m || exit 77
    UDOCKER_DIR=$PWD/m/store udocker-bundle import --mv a.tar; echo "status $?"; find m/store/containers m/store/.stage -mindepth 1'
  [ "$status" -ne 77 ] || skip "no tmpfs in a user namespace"
  assert_output "status 1"
  assert_one_error_line
  assert_stderr_contains "No space left on device"
  assert_file a.tar
}

@test "udocker import makes an image, a container or a clone, as 1.3.x" {
  busybox_container c1
  udocker export -o c.tar c1
  udocker export --clone -o clone.tar c1
  ok udocker import c.tar img:1
  assert_output img:1
  ok udocker import --tocontainer --name=a c.tar
  [ "$(readlink "$STORE/containers/a")" = "$output" ]
  [ "$(cat "$STORE/containers/a/imagerepo.name")" = IMPORTED:unknown ]
  ok udocker import --tocontainer --name b c.tar my:3
  [ "$(cat "$STORE/containers/b/imagerepo.name")" = my:3 ]
  ok udocker import --clone --name=c clone.tar
  [ "$(cat "$STORE/containers/c/imagerepo.name")" = bb:1 ]
  ok sh -c 'udocker import --tocontainer - <c.tar'
  ok sh -c 'udocker import --clone - <clone.tar'
  ok sh -c 'udocker import - img:2 <c.tar'
  assert_output img:2
  ok udocker import --mv --tocontainer c.tar
  refute_file c.tar
  fails 1 udocker import --tocontainer --name=a clone.tar
  assert_one_error_line
  fails 1 udocker import clone.tar
  assert_stderr_contains "name of the image is missing"
  fails 1 udocker import
  ok udocker import --platform=linux/arm64 --name=none clone.tar img:3
  assert_stderr_contains "ignoring it"
  ok udocker images
  assert_contains img:3
  assert_store_clean
}

@test "what 1.3.x exports we import, as a container and as a clone; 1.3.x runs both" {
  requires python-udocker proot user
  export UDOCKER_TARBALL='' UDOCKER_USE_PROOT_EXECUTABLE
  UDOCKER_USE_PROOT_EXECUTABLE=$(command -v proot)
  busybox_container c1
  udocker.py setup --execmode=P2 c1
  truncate -s 3M "$BUNDLE/ROOT/sparse"
  local before=$BUNDLE/ROOT name
  ok udocker.py export -o c.tar c1
  ok udocker.py export --clone -o clone.tar c1
  ok udocker import --tocontainer --name=container c.tar
  ok udocker import --clone --name=clone clone.tar
  for name in container clone; do
    diff -r --no-dereference "$before/etc" "$STORE/containers/$name/ROOT/etc"
    cmp "$before/sparse" "$STORE/containers/$name/ROOT/sparse"
    ok udocker.py run --nobanner "$name" /bin/cat /etc/os-release
    assert_contains demo
    ok udocker run --nobanner "$name" /bin/cat /etc/os-release
    assert_contains demo
  done
  [ "$(udocker setup clone | head -1)" = "execmode: P2" ]
  ok udocker.py ps
  assert_contains "['clone']"
  assert_contains IMPORTED:unknown
}
