#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# bats: also as root
# What is broken, hostile or in the way: one clear line, the right status, nothing half-made, and it can be repeated.

load helpers

# nothing_left: no image, no blob, no temporary data.
nothing_left() {
  [ ! -d "$STORE" ] || {
    ok udocker-image ls -q
    assert_output ""
    [ -z "$(ls -A "$STORE/layers" 2>/dev/null)" ] || fail "blobs left: $(ls -A "$STORE/layers")"
    [ -z "$(ls -A "$STORE/repos" 2>/dev/null)" ] || fail "folders left: $(ls -A "$STORE/repos")"
    assert_store_clean
  }
}

refused() { # FILE: loading it fails in one line and leaves nothing
  fails 1 udocker-image load -i "$1"
  assert_one_error_line
  assert_output ""
  nothing_left
}

@test "truncated archives, at many lengths" {
  mkimage -n t:1 good.tar "$(rootfs_tar)"
  mkimage -f oci -z gzip -n t:1 oci.tar "$(rootfs_tar)"
  local f size n
  for f in good.tar oci.tar; do
    size=$(stat -c %s $f)
    for n in 0 100 511 513 2000 $((size / 3)) $((size / 2)) $((size * 9 / 10)); do
      head -c "$n" $f >cut.tar
      refused cut.tar
      gzip -c $f | head -c $((n / 4 + 1)) >cut.tar.gz
      refused cut.tar.gz
    done
  done
  ok udocker-image load -i good.tar
}

@test "a blob that does not match its digest, and a layer that does not match its diff id" {
  mkimage -f oci-dir -n t:1 dir "$(rootfs_tar)"
  local layer
  layer=$(jq -r '.layers[0].digest' "dir/blobs/sha256/$(jq -r '.manifests[0].digest[7:]' dir/index.json)")
  cp -r dir bad
  printf X | dd of="bad/blobs/sha256/${layer#sha256:}" bs=1 seek=3000 conv=notrunc status=none
  refused bad
  assert_stderr_contains "$layer" || true
  tar -C bad -cf bad.tar .
  refused bad.tar
  # A docker archive names no layer digests: the diff id is checked when a container is made.
  mkimage -n t:1 d.tar "$(rootfs_tar)"
  mkdir d && tar -C d -xf d.tar
  printf X | dd of="$(ls d/*/layer.tar)" bs=1 seek=600 conv=notrunc status=none
  tar -C d -cf d2.tar .
  run --separate-stderr sh -c 'udocker-image load -i d2.tar && udocker-bundle create t:1'
  [ "$status" -eq 1 ]
  assert_one_error_line
  [ -z "$(ls -A "$STORE/containers")" ]
}

@test "sizes that lie" {
  mkimage -f oci-dir -n t:1 dir "$(rootfs_tar)"
  local size
  for size in 1 -1 999999999999999999 1.5 '"x"'; do
    rm -rf bad && cp -r dir bad
    sed -i "s/\"size\":[0-9]*/\"size\":$size/" bad/index.json
    refused bad
  done
}

@test "documents that are no documents" {
  mkimage -f oci-dir -n t:1 dir "$(rootfs_tar)"
  local text
  for text in '' '[' 'null' '{}' '{"manifests":7}' '{"manifests":[{}]}' '{"schemaVersion":2,"manifests":[]}' $'\xff\xfe' \
    '{"schemaVersion":2,"manifests":[{"mediaType":"x","digest":"sha256:../../etc","size":3}]}'; do
    rm -rf bad && cp -r dir bad
    printf '%s' "$text" >bad/index.json
    refused bad
  done
  head -c 2000000 /dev/zero | tr '\0' '[' >bad/index.json
  refused bad
  printf 'no archive at all' >noise
  refused noise
  head -c 100000 /dev/urandom >noise
  refused noise
  refused /no/such/file
  refused /dev
}

@test "a layer that is a folder or missing" {
  mkimage -n t:1 good.tar "$(rootfs_tar)"
  mkdir d && tar -C d -xf good.tar
  mv d/*/layer.tar moved
  tar -C d -cf missing.tar .
  refused missing.tar
  mkdir "$(find d -mindepth 1 -maxdepth 1 -type d)/layer.tar"
  tar -C d -cf folder.tar .
  refused folder.tar
}

@test "a layer with a name that leads out is refused and touches nothing outside" {
  echo victim >"$T/victim"
  local lines
  for lines in 'file ../../victim 0644 evil' 'file a/../../victim 0644 evil' 'dir ..  0755' 'hard x ../../victim'; do
    printf '%s\nend\n' "$lines" | mktar >evil.tar
    mkimage -n evil:1 evil-image.tar evil.tar
    ok udocker-image load -i evil-image.tar
    fails 1 udocker-bundle create evil:1
    assert_one_error_line
    assert_output ""
    [ "$(cat "$T/victim")" = victim ]
    [ -z "$(ls -A "$STORE/containers")" ]
    assert_store_clean
  done
}

@test "a layer that plants a link and writes through it stays inside" {
  mkdir outside
  printf 'link out %s\nfile out/evil 0644 evil\nlink etc /\nfile etc/inside 0644 x\nend\n' "$T/outside" | mktar >evil.tar
  mkimage -n evil:1 image.tar evil.tar
  ok udocker-image load -i image.tar
  run --separate-stderr udocker-bundle create evil:1
  [ -z "$(ls -A outside)" ]
  refute_file /inside
}

@test "a read-only store can be read, and writing to it is one clear line" {
  requires user
  busybox_container c1
  chmod -R a-w "$STORE"
  ok udocker images
  assert_contains bb:1
  ok udocker ps
  assert_contains "$ID"
  fails 1 udocker create bb:1
  assert_one_error_line
  fails 1 udocker rm c1
  assert_one_error_line
  fails 1 udocker rmi bb:1
  assert_one_error_line
  fails 1 udocker name c1 other
  assert_one_error_line
  chmod -R u+w "$STORE"
  ok udocker create bb:1
}

@test "a container of a read-only store runs" {
  requires user proot
  busybox_container c1
  chmod a-w "$STORE" "$STORE"/* "$BUNDLE" "$BUNDLE/ROOT"
  ok udocker run --nobanner c1 /bin/echo runs
  chmod u+w "$STORE" "$STORE"/* "$BUNDLE" "$BUNDLE/ROOT"
  assert_output runs
}

@test "another user's store can be read where its modes allow it, never written" {
  requires root
  busybox_container c1
  chmod -R a+rX "$STORE" "$T"
  local d=$T
  while [ "$d" != / ]; do chmod a+x "$d" && d=$(dirname "$d"); done
  as() { setpriv --reuid=65534 --regid=65534 --clear-groups env HOME=/nonexistent TMPDIR=/tmp XDG_RUNTIME_DIR= "$@"; }
  ok as udocker images
  assert_contains bb:1
  fails 1 as udocker create bb:1
  assert_one_error_line
  fails 1 as udocker rmi bb:1
  assert_one_error_line
}

@test "a full disk ends load and create with one line, and leaves nothing" {
  requires root
  mkdir full
  mount -t tmpfs -o size=3m tmpfs full || skip "cannot mount a tmpfs here"
  mkimage -n t:1 big.tar "$(rootfs_tar)"
  dd if=/dev/urandom of=noise bs=1M count=4 status=none
  mkdir l && mv noise l/ && layer noise.tar l
  mkimage -n t:2 bigger.tar noise.tar
  export UDOCKER_DIR=$T/full/store
  run --separate-stderr udocker-image load -i bigger.tar
  local status_load=$status text=$stderr
  run --separate-stderr sh -c "udocker-image load -q -i big.tar && udocker-bundle create t:1 && udocker-bundle create t:1"
  local status_create=$status text2=$stderr
  [ -z "$(find full -name '.tmp-*')" ] && [ -z "$(find full -path '*/.stage/*')" ]
  umount full
  [ "$status_load" -eq 1 ]
  [ "$(printf '%s\n' "$text" | wc -l)" -eq 1 ]
  [[ $text == *"No space left"* ]]
  [ "$status_create" -eq 1 ]
  [ "$(printf '%s\n' "$text2" | wc -l)" -eq 1 ]
}

@test "a container whose folder is broken says so and can be removed" {
  busybox_container c1
  rm "$BUNDLE/config.json" "$BUNDLE/container.json"
  fails 1 udocker inspect c1
  assert_one_error_line
  rm -rf "$BUNDLE/ROOT"
  fails 125 udocker run --nobanner c1 /bin/true
  assert_one_error_line
  ok udocker ps
  ok udocker rm c1
}

@test "blobs that vanish are an error by name, verify finds every damage" {
  busybox_image bb:1
  ok udocker-image verify bb:1
  assert_output "bb:1: ok"
  local blob
  blob=$(find "$STORE/layers" -size +100k)
  printf X | dd of="$blob" bs=1 seek=5000 conv=notrunc status=none
  fails 1 udocker-image verify bb:1
  assert_stderr_contains "$(basename "$blob")"
  fails 1 udocker-bundle create bb:1
  assert_stderr_contains "$(basename "$blob")"
  rm "$blob"
  fails 1 udocker-image verify bb:1
  assert_stderr_contains "$(basename "$blob")"
  fails 1 udocker-bundle create bb:1
  assert_one_error_line
  [ -z "$(ls -A "$STORE/containers")" ]
  # Loading it again mends it.
  busybox_image bb:1
  ok udocker-image verify bb:1
}

@test "files of a container's folder that are none keep nobody waiting" {
  busybox_container c1
  local f cmd
  cp -a "$BUNDLE" keep
  for f in container.json imagerepo.name execmode config.json PROTECT root.path .mountpoints .bind_orig_files; do
    rm -rf "${BUNDLE:?}/$f"
    mkfifo "$BUNDLE/$f"
    for cmd in "ls -msp" "inspect c1" "verify c1" "export -o x.tar c1" "export --clone -o x.tar c1" "setup c1" "setup --purge c1" \
      "protect c1" "unprotect c1" "config c1"; do
      # shellcheck disable=SC2086 # words
      run --separate-stderr timeout 60 udocker-bundle $cmd </dev/null
      [ "$status" -le 1 ] || fail "$f, $cmd: exit status $status"
      [ "$cmd" != "protect c1" ] || udocker-bundle ls --format json | grep -qE '"protected": ?true' || fail "$f: not protected"
    done
    rm -rf "${BUNDLE:?}/$f"
    [ ! -e "keep/$f" ] || cp -a "keep/$f" "$BUNDLE/$f"
  done
  ok udocker-bundle verify c1
}

@test "folders among the containers with names of their own are listed safely and can be removed" {
  busybox_container c1
  local odd
  (cd "$STORE/containers" && mkdir $'\e[31mred' 'with blank' $'new\nline')
  for odd in "udocker-bundle ls" "udocker-bundle ls -q" "udocker ps" "udocker ps -m -s -p"; do
    # shellcheck disable=SC2086 # words
    ok $odd
    [[ $output != *$'\e'* ]] || fail "$odd shows an escape"
    [ "$(printf '%s\n' "$output" | grep -c .)" -le 5 ] || fail "$odd: a name takes two lines"
  done
  ok udocker-bundle rm $'\e[31mred' 'with blank' $'new\nline'
  [ "$(udocker-bundle ls -q)" = "$ID" ]
}
