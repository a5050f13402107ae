#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# bats: also as root and under the sanitizers
# shellcheck disable=SC2012  # the names are ours
# From an image to a container: what layers do to the root file system, what is checked, and that a failure leaves nothing.

load helpers

# image REF LAYER-SCRIPT...: an image whose layers mktar writes.
image() {
  local ref=$1 n=0 tars=() script
  shift
  for script in "$@"; do
    n=$((n + 1))
    printf '%s\nend\n' "$script" | mktar >"layer$n.tar"
    tars+=("layer$n.tar")
  done
  mkimage -f oci ${COMPRESS:+-z "$COMPRESS"} -n "$ref" image.tar "${tars[@]}"
  udocker-image load -q -i image.tar >/dev/null
}

# create REF [OPTION...]: sets ID and ROOT.
create() {
  local ref=$1
  shift
  ok udocker-bundle create --no-sync "$@" "$ref"
  ID=$output
  ROOT=$STORE/containers/$ID/ROOT
}

nothing_made() {
  [ -z "$(ls -A "$STORE/containers")" ] || fail "in containers/: $(ls -A "$STORE/containers")"
  assert_store_clean
}

@test "layers are applied base first, whiteouts hide what is below" {
  image t:1 'file etc/layer 0644 one
file etc/removed 0644 x
file top 0644 x
file opaque/old 0644 x
file opaque/both 0644 old
file whole/a/b 0644 x' 'file etc/layer 0644 two
file etc/.wh.removed
file .wh.top
file opaque/both 0644 new
file opaque/.wh..wh..opq
file .wh.whole
file whole/new 0644 y'
  create t:1
  [ "$(cat "$ROOT/etc/layer")" = two ]
  refute_file "$ROOT/etc/removed"
  refute_file "$ROOT/top"
  [ "$(ls -A "$ROOT/opaque")" = both ]
  [ "$(cat "$ROOT/opaque/both")" = new ]
  [ "$(ls -A "$ROOT/whole")" = new ]
  [ -z "$(find "$ROOT" -name '.wh.*')" ]
}

@test "verbosity changes nothing (FIX-32)" {
  image t:1 'file gone 0644 x' 'file .wh.gone'
  ok udocker-bundle -D create t:1
  refute_file "$STORE/containers/$output/ROOT/gone"
  UDOCKER_LOGLEVEL=5 ok udocker-bundle create t:1
  refute_file "$STORE/containers/$output/ROOT/gone"
}

@test "modes, times and links are the archive's, whatever the umask (FIX-34)" {
  image t:1 'mtime 1000000000
dir tmp 01777
dir ro 0555
file ro/f 0444 x
file bin/prog 04755 x
hard bin/again bin/prog
link bin/abs /bin/prog
link bin/out ../../../../etc/passwd
fifo run/pipe 0666
file secret 0000 s'
  umask 077
  create t:1
  umask 022
  [ "$(stat -c %a "$ROOT/tmp")" = 1777 ]
  [ "$(stat -c %a "$ROOT/ro")" = 755 ]
  [ "$(stat -c %a "$ROOT/ro/f")" = 644 ]
  [ "$(stat -c %a "$ROOT/bin/prog")" = 755 ]
  [ "$(stat -c %h "$ROOT/bin/again")" = 2 ]
  [ "$(readlink "$ROOT/bin/abs")" = /bin/prog ]
  [ "$(readlink "$ROOT/bin/out")" = ../../../../etc/passwd ]
  [ -p "$ROOT/run/pipe" ]
  [ "$(stat -c %a "$ROOT/run/pipe")" = 666 ]
  [ "$(stat -c %a "$ROOT/secret")" = 600 ]
  [ "$(stat -c %Y "$ROOT/ro" "$ROOT/ro/f" "$ROOT/bin/abs" | sort -u)" = 1000000000 ]
  [ "$(stat -c %u "$ROOT/ro/f")" = "$(id -u)" ]
}

@test "device nodes are left out with a word, files in folders called dev are kept (FIX-33, FIX-61)" {
  image t:1 'char dev/null 1 3
block dev/sda 8 0
file dev/readme 0644 x
file app/dev/keep 0644 kept'
  create t:1
  assert_stderr_contains "2 device nodes"
  [ "$(ls -A "$ROOT/dev")" = readme ]
  [ "$(cat "$ROOT/app/dev/keep")" = kept ]
}

@test "a file takes the place of a folder, a folder that of a file or a link" {
  image t:1 'file a/b/c 0644 x
file f 0644 x
file target/x 0644 x
link l target' 'file a 0644 now-a-file
dir f
file f/in 0644 x
dir l
file l/own 0644 x'
  create t:1
  [ "$(cat "$ROOT/a")" = now-a-file ]
  [ -f "$ROOT/f/in" ]
  [ ! -L "$ROOT/l" ]
  [ "$(ls -A "$ROOT/target")" = x ]
}

@test "layers compressed by gzip, zstd and xz, and plain ones, give the same container" {
  local want='' got c
  mkdir tree && seq 20000 >tree/numbers && layer layer.tar tree
  for c in none gzip zstd xz; do
    mkimage -f oci -z $c -n "$c:1" image.tar layer.tar
    udocker-image load -q -i image.tar >/dev/null
    create "$c:1"
    got=$(cd "$ROOT" && find . -type f -exec sha256sum {} + | sort)
    [ -z "$want" ] || [ "$got" = "$want" ]
    want=$got
  done
}

@test "holes stay holes" {
  mkdir tree && truncate -s 300M tree/sparse && printf end >>tree/sparse
  tar -C tree -S --format=gnu -cf gnu.tar .
  tar -C tree -S --format=posix -cf pax.tar .
  local f
  for f in gnu pax; do
    mkimage -f oci -z gzip -n "$f:1" image.tar $f.tar
    udocker-image load -q -i image.tar >/dev/null
    create "$f:1"
    cmp tree/sparse "$ROOT/sparse"
    [ "$(stat -c %b "$ROOT/sparse")" -lt 2048 ]
  done
}

@test "the folder has the files of 1.3.x and a config.json, and nothing else" {
  image t:1 'file bin/x 0755 x'
  create t:1 --name=c --execmode=p2
  [ "$(ls -A "$STORE/containers/$ID" | tr '\n' ' ')" = "ROOT config.json container.json execmode imagerepo.name root.path " ]
  [ "$(cat "$STORE/containers/$ID/execmode")" = P2 ]
  [ "$(cat "$STORE/containers/$ID/root.path")" = "$ROOT" ]
  [ "$(cat "$STORE/containers/$ID/imagerepo.name")" = t:1 ]
  [ "$(readlink "$STORE/containers/c")" = "$ID" ]
  valid_config "$STORE/containers/$ID/config.json"
  [ "$(jq -r .root.path "$STORE/containers/$ID/config.json")" = ROOT ]
}

@test "names and modes are looked at before anything is done" {
  image t:1 'file bin/x 0755 x'
  fails 2 udocker-bundle create --name=a/b t:1
  assert_one_error_line
  fails 2 udocker-bundle create --execmode=Q7 t:1
  assert_one_error_line
  # A mode that this image has nothing for.
  fails 1 udocker-bundle create --execmode=F2 t:1
  assert_one_error_line
  assert_stderr_contains P1
  nothing_made
  create t:1 --name=c
  fails 1 udocker-bundle create --name=c t:1
  assert_output ""
  assert_one_error_line
  [ "$(udocker-bundle ls -q)" = "$ID" ]
}

@test "an image's user whom nobody knows is a warning: runs may name another" {
  local user
  for user in nobody:no-such-group 'a b'; do
    busybox_image odd:1 "{\"User\":\"$user\",\"Cmd\":[\"/bin/true\"],\"Env\":[\"PATH=/bin\"]}"
    ok udocker-bundle create --name=odd odd:1
    [ -e "$STORE/containers/$output" ] || fail "no container"
    assert_stderr_contains "the image's user"
    assert_stderr_contains --user
    ok udocker-bundle config --user=root odd
    jq -e '.process.user.uid == 0' <<<"$output"
    # Whoever names none is not made root unasked.
    fails 125 udocker run --nobanner odd
    assert_one_error_line
    # Nobody runs that with other options.
    run --separate-stderr udocker-bundle create --bundle "$T/free" odd:1
    [ "$status" -ne 0 ] || fail "made"
    assert_one_error_line
    refute_file "$T/free"
    ok udocker rm odd
    ok udocker-image rm odd:1
  done
}

@test "--force goes on without a name that cannot be given" {
  image t:1 'file bin/x 0755 x'
  create t:1 --name=c
  local first=$ID
  create t:1 --name=c --force
  [ "$(readlink "$STORE/containers/c")" = "$first" ]
  create t:1 --name=a/b --force
  [ "$(udocker-bundle ls -q | wc -l)" -eq 3 ]
}

@test "an image that is not there, a layer that is gone, damaged or of a wrong size: one line, nothing left (FIX-02)" {
  fails 1 udocker-bundle create nothing:1
  assert_one_error_line
  COMPRESS=gzip image t:1 'file bin/x 0755 content' 'file bin/y 0755 content'
  local blob saved=$T/saved
  blob=$STORE/layers/$(jq -r '.layers[1].digest' "$STORE/repos/t/1/manifest")
  cp "$blob" "$saved"
  chmod u+w "$blob"
  head -c -20 "$saved" >"$blob"
  fails 1 udocker-bundle create t:1
  assert_one_error_line
  assert_stderr_contains "$(basename "$blob")"
  nothing_made
  cp "$saved" "$blob"
  printf '\0' | dd of="$blob" bs=1 seek=60 conv=notrunc status=none
  fails 1 udocker-bundle create t:1
  assert_one_error_line
  assert_stderr_contains "$(basename "$blob")"
  nothing_made
  rm -f "$blob"
  fails 1 udocker-bundle create t:1
  assert_one_error_line
  nothing_made
  cp "$saved" "$blob"
  ok udocker-bundle create t:1
}

@test "a layer that is whole but not the one the image means is refused by its diff id" {
  image t:1 'file bin/x 0755 x'
  image other:1 'file bin/evil 0755 x'
  local config manifest=$STORE/repos/t/1/manifest
  config=$(jq '.config' "$STORE/repos/other/1/manifest")
  jq -c --argjson c "$config" '.config = $c' "$manifest" >m && cat m >"$manifest"
  ln -s "../../../layers/$(printf '%s' "$config" | jq -r .digest)" "$STORE/repos/t/1/"
  fails 1 udocker-bundle create t:1
  assert_one_error_line
  assert_stderr_contains "diff id"
  nothing_made
}

# A container that takes a while: many files and bytes.
slow_image() {
  mkdir tree
  python3 - <<'PY'
import os
for i in range(400):
    os.mkdir(f"tree/d{i}")
    with open(f"tree/d{i}/f", "wb") as f:
        f.write(os.urandom(30000))
PY
  layer layer.tar tree
  mkimage -f oci -z gzip -n slow:1 image.tar layer.tar layer.tar layer.tar
  udocker-image load -q -i image.tar >/dev/null
}

@test "TERM stops it: status 143, nothing left" {
  slow_image
  udocker-bundle create slow:1 >out 2>err &
  local pid=$! status=0
  wait_until 10 compgen -G "$STORE/.stage/*/ROOT"
  kill -TERM $pid
  wait $pid || status=$?
  # It may have been done already.
  [ $status -eq 143 ] || { [ $status -eq 0 ] && [ -s out ]; } || fail "status $status"
  if [ $status -eq 143 ]; then
    [ ! -s out ]
    [ "$(wc -l <err)" -eq 1 ]
    nothing_made
  fi
}

@test "kill -9 leaves staging alone, which the next one removes" {
  slow_image
  udocker-bundle create slow:1 >out 2>&1 &
  local pid=$!
  sleep 0.05
  kill -9 $pid
  wait $pid || true
  create slow:1
  [ "$(udocker-bundle ls -q | sort)" = "$(cat out <(echo "$ID") | sort)" ]
  assert_store_clean
}

@test "--bundle: a new or empty folder, complete or not there" {
  image t:1 'file bin/x 0755 x'
  mkdir empty full && touch full/file
  ok udocker-bundle create --bundle new t:1
  assert_output ""
  [ "$(ls -A new | tr '\n' ' ')" = "config.json rootfs " ]
  [ "$(jq -r .root.path new/config.json)" = rootfs ]
  ok udocker-bundle create --bundle empty/ t:1
  assert_file empty/rootfs/bin/x
  fails 1 udocker-bundle create --bundle full t:1
  assert_one_error_line
  [ "$(ls -A full)" = file ]
  fails 1 udocker-bundle create --bundle gone nothing:1
  fails 1 udocker-bundle create --bundle no/such/parent t:1
  fails 2 udocker-bundle create --bundle x --name c t:1
  rm -f "$STORE"/layers/*
  fails 1 udocker-bundle create --bundle gone t:1
  assert_one_error_line
  refute_file gone
  [ -z "$(find . -maxdepth 1 -name '.*.udocker-*')" ]
}

@test "--bundle: what a killed one left is removed by the next" {
  image t:1 'file bin/x 0755 x'
  mkdir -p .new.udocker-0123456789ab/rootfs
  ok udocker-bundle create --bundle new t:1
  refute_file .new.udocker-0123456789ab
}
