#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Layers on their way from the store into a container: several threads and several layers at once. What is wrong in any of them
# ends all, memory stays bounded, and what is to be on the disk is there before anybody sees the container.

load helpers

# five_layers REF: an image of five layers, compressed with gzip, of some hundred kilobytes each.
five_layers() {
  local i tars=()
  for i in 1 2 3 4 5; do
    mkdir -p "tree$i/d$i" && head -c 300000 /dev/urandom >"tree$i/d$i/f"
    layer "layer$i.tar" "tree$i"
    tars+=("layer$i.tar")
  done
  mkimage -f oci -z gzip -n "$1" image.tar "${tars[@]}"
  udocker-image load -q -i image.tar >/dev/null
}

# blob N: the path of layer N (from 0) of five:1 in the store.
blob() { echo "$STORE/layers/$(jq -r ".layers[$1].digest" "$STORE/repos/five/1/manifest")"; }

# swap_blob N FILE: the manifest of five:1 names FILE as its layer N, with the size and digest that it has.
swap_blob() {
  local digest manifest=$STORE/repos/five/1/manifest
  digest=sha256:$(sha256sum "$2" | cut -d' ' -f1)
  [ -e "$STORE/layers/$digest" ] || cp "$2" "$STORE/layers/$digest"
  ln -sf "../../../layers/$digest" "$STORE/repos/five/1/"
  jq -c --arg d "$digest" --argjson n "$1" --argjson s "$(stat -c %s "$2")" \
    '.layers[$n].digest = $d | .layers[$n].size = $s' "$manifest" >m
  cat m >"$manifest"
}

nothing_made() {
  [ -z "$(ls -A "$STORE/containers")" ] || fail "in containers/: $(ls -A "$STORE/containers")"
  assert_store_clean
}

@test "a wrong digest in the second of five layers: one line that names it, nothing left" {
  five_layers five:1
  local second
  second=$(blob 1)
  # The operating system in the header of gzip: no checksum covers it, the plain bytes stay the same.
  chmod u+w "$second"
  printf '\x07' | dd of="$second" bs=1 seek=9 conv=notrunc status=none
  fails 1 udocker-bundle create five:1
  assert_output ""
  assert_one_error_line
  assert_stderr_contains "$(basename "$second")"
  assert_stderr_contains "digest mismatch"
  nothing_made
  fails 1 udocker-bundle create --bundle new five:1
  assert_stderr_contains "digest mismatch"
  refute_file new
  [ -z "$(find . -maxdepth 1 -name '.new*')" ]
}

@test "a wrong diff id in the second of five layers: one line that names it, nothing left" {
  five_layers five:1
  mkdir other && echo other >other/f && layer other.tar other && gzip -n other.tar
  swap_blob 1 other.tar.gz
  fails 1 udocker-bundle create five:1
  assert_one_error_line
  assert_stderr_contains "diff id mismatch"
  nothing_made
}

@test "a truncated layer, wherever it ends: one line that names it, nothing left" {
  five_layers five:1
  local n size whole
  whole=$(blob 2)
  size=$(stat -c %s "$whole")
  for n in 1 9 17 1000 $((size / 2)) $((size - 9)) $((size - 1)); do
    head -c "$n" "$whole" >short
    swap_blob 2 short
    fails 1 udocker-bundle create five:1
    assert_one_error_line
    assert_stderr_contains "$(sha256sum short | cut -d' ' -f1)"
    nothing_made
  done
  swap_blob 2 "$whole"
  ok udocker-bundle create five:1
}

@test "damage in the first or the last of five layers: the others in flight end too" {
  five_layers five:1
  local n damaged
  for n in 0 4; do
    damaged=$(blob $n)
    cp "$damaged" saved
    chmod u+w "$damaged"
    printf 'damage' | dd of="$damaged" bs=1 seek=150000 conv=notrunc status=none
    fails 1 udocker-bundle create five:1
    assert_one_error_line
    assert_stderr_contains "$(basename "$damaged")"
    nothing_made
    cat saved >"$damaged"
  done
  ok udocker-bundle create five:1
}

# endless_image: its second layer has a file of 8 GB of zeros, a few hundred kilobytes when packed.
endless_image() {
  local i
  echo 'raw-size big 8589934592' | mktar | gzip -n >big.gz
  head -c 64M /dev/zero | gzip -n >zeros.gz
  for ((i = 0; i < 128; i++)); do cat zeros.gz; done >>big.gz
  head -c 1024 /dev/zero | gzip -n >>big.gz
  five_layers five:1
  swap_blob 1 big.gz
}

@test "INT, TERM and HUP in the middle of a layer, others ahead: status 128 + N, one line, nothing left" {
  endless_image
  local name pid status
  for name in INT TERM HUP; do
    # A shell has its background jobs ignore INT.
    env --default-signal=INT udocker-bundle create five:1 >out 2>err &
    pid=$!
    wait_until 20 compgen -G "$STORE/.stage/*/ROOT/big"
    kill -s $name $pid
    status=0
    wait $pid || status=$?
    [ "$status" -eq $((128 + $(kill -l $name))) ] || fail "status $status: $(cat err)"
    [ ! -s out ]
    [ "$(wc -l <err)" -eq 1 ]
    nothing_made
  done
}

# peak CMD...: runs it, prints the most memory that it had, in KiB.
peak() {
  usage peak "$@" >/dev/null
  cut -d' ' -f1 peak
}

@test "64 MiB of memory are enough, whatever the size of layers and whatever packed them" {
  ldd "$SUITE_BIN/udocker-bundle" | grep -q 'lib[at]san' && skip "sanitizers take memory of their own"
  local i c tars=() kib
  # 10 GB with data here and there, and plain layers of some size.
  mkdir sparse && truncate -s 10G sparse/f
  for i in {0..9}; do
    head -c 3000000 /dev/urandom | dd of=sparse/f bs=1M seek=$((i * 1000 + 7)) conv=notrunc status=none
  done
  tar -C sparse -S --format=posix -cf layer0.tar .
  for i in 1 2 3 4; do
    mkdir "tree$i" && (cd "tree$i" && head -c 12M /dev/urandom | split -b 700k - f)
    layer "layer$i.tar" "tree$i"
  done
  for c in none gzip zstd; do
    mkimage -f oci -z $c -n "$c:1" image.tar layer{0..4}.tar
    udocker-image load -q -i image.tar >/dev/null
    rm image.tar
    kib=$(peak udocker-bundle create --no-sync --name=$c $c:1)
    [ "$kib" -lt 65536 ] || fail "$c: $kib KiB"
    [ "$(stat -c %s "$STORE/containers/$c/ROOT/f")" -eq $((10 << 30)) ]
    for i in {0..9}; do
      cmp -n 4194304 -i $((i * 1048576000 + 7340032)) sparse/f "$STORE/containers/$c/ROOT/f"
    done
    [ "$(stat -c %b "$STORE/containers/$c/ROOT/f")" -lt 100000 ]
    udocker-bundle rm $c
    udocker-image rm $c:1
  done
}

@test "windows of several layers do not add up" {
  ldd "$SUITE_BIN/udocker-bundle" | grep -q 'lib[at]san' && skip "sanitizers take memory of their own"
  local n kib
  mkdir big && head -c 34M /dev/urandom >big/f && layer big.tar big
  zstd -q --long=25 -o big.zst big.tar
  five_layers five:1
  for n in 0 1 2; do
    swap_blob $n big.zst
    jq -c --arg d "sha256:$(sha256sum big.tar | cut -d' ' -f1)" --argjson n $n '.rootfs.diff_ids[$n] = $d' \
      "$STORE/layers/$(jq -r .config.digest "$STORE/repos/five/1/manifest")" >config
    digest=sha256:$(sha256sum config | cut -d' ' -f1)
    cp config "$STORE/layers/$digest" && ln -sf "../../../layers/$digest" "$STORE/repos/five/1/"
    jq -c --arg d "$digest" --argjson s "$(stat -c %s config)" '.config.digest = $d | .config.size = $s' \
      "$STORE/repos/five/1/manifest" >m && cat m >"$STORE/repos/five/1/manifest"
  done
  kib=$(peak udocker-bundle create --no-sync five:1)
  [ "$kib" -lt 65536 ] || fail "$kib KiB"
  [ "$kib" -gt 32768 ] || fail "$kib KiB: the window is not used"
}

@test "the files are on the disk before the container is seen; with --no-sync nobody waits for it" {
  requires strace
  five_layers five:1
  export ASAN_OPTIONS=detect_leaks=0
  ok strace -f -qq -o trace -e trace=/sync,/rename udocker-bundle create --name=c five:1
  local synced published
  synced=$(grep -n ' syncfs(' trace | cut -d: -f1)
  published=$(grep -n " rename.*\"$output\"" trace | cut -d: -f1)
  [ "$(wc -w <<<"$synced")" -eq 1 ] && [ "$synced" -lt "$published" ] || fail "$(cat trace)"
  ok strace -f -qq -o trace -e trace=/sync udocker-bundle create --no-sync five:1
  [ ! -s trace ] || fail "$(cat trace)"
  ok strace -f -qq -o trace -e trace=/sync udocker-bundle create --no-sync --name=d five:1
  [ ! -s trace ] || fail "$(cat trace)"
  ok strace -f -qq -o trace -e trace=/sync udocker-bundle create --no-sync --bundle new five:1
  [ ! -s trace ] || fail "$(cat trace)"
}
