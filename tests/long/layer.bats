#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Layers of a million entries: memory stays what it is for a small one, and every entry is what it is to be. Minutes, and inodes by the
# million: in memory where there is room, else on the disk of TMPDIR.

load ../helpers

setup() {
  common_setup
  BOUND=(bounded -t 3600 -m 64)
  ! grep -q __asan_init "$SUITE_BIN/udocker-bundle" || BOUND=()
  if [ "$(stat -fc '%T' /dev/shm 2>/dev/null)" = tmpfs ] && [ "$(df --output=avail -k /dev/shm | tail -1)" -gt 4000000 ]; then
    SHM=$(mktemp -d /dev/shm/udocker-long.XXXXXX)
    export UDOCKER_DIR=$SHM/store
    STORE=$UDOCKER_DIR
    cd "$SHM" || return 1
  fi
}

teardown() { [ -z "${SHM:-}" ] || rm -rf "$SHM"; }

# layers OF-EACH...: mktar's scripts, written by Python programs, become the layers of t:1 and a container; sets ROOT.
made() {
  local n=0 tars=() program
  for program in "$@"; do
    n=$((n + 1))
    python3 -c "$program"$'\nprint("end")' | mktar >"layer$n.tar"
    tars+=("layer$n.tar")
  done
  mkimage -f oci -z zstd -n t:1 image.tar "${tars[@]}"
  rm "${tars[@]}"
  udocker-image load -q -i image.tar >/dev/null
  ok "${BOUND[@]}" udocker-bundle create --no-sync t:1
  ID=$output
  ROOT=$STORE/containers/$ID/ROOT
}

gone() {
  ok "${BOUND[@]}" udocker-bundle rm "$ID"
  refute_file "$STORE/containers/$ID"
}

count() { find "$ROOT" -mindepth 1 "$@" -printf x | wc -c; }

@test "a million files, and their replacement" {
  made '
print("mtime 1000000000")
for i in range(1000000):
    print(f"file d/{i // 1000}/{i} 0644 {i}")' '
print("mtime 1100000000")
for i in range(0, 1000000, 10):
    print(f"file d/{i // 1000}/{i} 0600 new")
    print(f"file d/{(i + 1) // 1000}/.wh.{i + 1}")
    print(f"hard d/{(i + 2) // 1000}/{i + 2} d/{(i + 3) // 1000}/{i + 3}")'
  [ "$(count -type f)" = 900000 ]
  [ "$(count -type f -newermt @1050000000)" = 100000 ]
  [ "$(count -type f -links 2)" = 200000 ]
  [ "$(cat "$ROOT/d/999/999990" "$ROOT/d/999/999992" "$ROOT/d/123/123454")" = new999993123454 ]
  gone
}

@test "a million folders, each with its time, entries here and there" {
  made '
print("mtime 1000000000")
for i in range(1000000):
    print(f"dir d/{i % 1000}/{i}")
print("mtime 1100000000")
for i in range(100000):
    n = i * 7919 % 1000000
    print(f"file d/{n % 1000}/{n}/f 0644 x")'
  [ "$(count -type d)" = 1001001 ]
  [ "$(count -type f)" = 100000 ]
  [ "$(count -mindepth 3 -type d ! -newermt @1000000001 ! -newermt @999999999)" = 0 ]
  [ "$(count -mindepth 3 -type d -newermt @1000000001)" = 0 ]
  gone
}

@test "one folder of a million files becomes opaque" {
  made 'for i in range(1000000): print(f"file d/{i} 0644")' '
print("file d/own 0644 x")
print("file d/sub/own 0644 x")
print("file d/.wh..wh..opq")
print("file d/later 0644 x")'
  [ "$(cd "$ROOT/d" && find . -type f | sort | tr '\n' ' ')" = "./later ./own ./sub/own " ]
  gone
}

@test "a million device nodes are left out" {
  made 'for i in range(1000000): print(f"char dev/{i} 1 3")
print("hard l dev/7")'
  assert_stderr_contains "1000001 device nodes"
  [ "$(count)" = 1 ]
}

@test "more names of a file than a file system has room for: few copies, and each name has the content" {
  export UDOCKER_DIR=$T/store # ext4 allows 65,000
  STORE=$UDOCKER_DIR
  made 'print("file f 0640 content")
for i in range(140000): print(f"hard d/{i} f")'
  [ "$(count -type f)" = 140001 ]
  [ "$(find "$ROOT" -type f -printf '%i\n' | sort -u | wc -l)" -le 4 ]
  [ "$(find "$ROOT" -type f -printf '%s %m\n' | sort -u)" = "7 640" ]
  [ "$(cat "$ROOT/d/139999" "$ROOT/d/70000")" = contentcontent ]
  gone
}

@test "names of thousands of bytes cost no memory" {
  made '
deep = "/".join("d" * 255 for _ in range(7))
for i in range(200000):
    print(f"dir {deep}/{i}")
    print(f"file {deep}/{i}/.wh.x")'
  [ "$(count -type d)" = 200007 ]
  gone
}
