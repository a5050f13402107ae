#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2034  # NAME is for hostile.bash
# What is given as input and is no archive, or never ends; damaged compressed data; and text from outside on the terminal.

load hostile

setup() {
  hostile_setup
  printf 'file file 0644 content\nend\n' | mktar >layer.tar
  mkimage -n evil:1 image.tar layer.tar
}

# both_refuse WORDS INPUT: load and import, from the file and through a pipe.
both_refuse() {
  refused "$1" udocker-image load -i "$2"
  refused "$1" udocker-image import "$2" evil:1
  refused "$1" sh -c 'udocker-image load <"$1"' sh "$2"
  refused "$1" sh -c 'udocker-image import - evil:1 <"$1"' sh "$2"
}

@test "devices, directories, nothing" {
  both_refuse "" /dev/zero
  both_refuse "" /dev/null
  refused "irectory" udocker-image import "$T" evil:1
  refused "$T/no/such" udocker-image load -i "$T/no/such"
  refused "standard input" sh -c 'udocker-image load <&-'
  refused "standard input" sh -c 'udocker-image import - evil:1 <&-'
  refused "standard input" sh -c 'udocker-image load 0>/dev/null'
  python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' s
  refused "s:" udocker-image load -i s
  refused "s:" udocker-image import s evil:1
  mkdir closed && chmod 0 closed
  [ "$(id -u)" = 0 ] || refused "closed" udocker-image load -i closed
}

@test "input that never ends" {
  refused "" sh -c 'yes | udocker-image load'
  refused "" sh -c 'yes | udocker-image import - evil:1'
  refused "" sh -c 'cat /dev/urandom | udocker-image import - evil:1'
  # Zeros behind an archive are padding, but not for ever.
  refused "no end" sh -c '(cat image.tar /dev/zero) | udocker-image load'
  refused "no end" sh -c '(cat layer.tar /dev/zero) | udocker-image import - evil:1'
  refused "no end" sh -c '(cat layer.tar; yes) | udocker-image import - evil:1'
  gzip -k layer.tar image.tar
  refused "no end" sh -c '(cat image.tar.gz /dev/zero) | udocker-image load'
  refused "no end" sh -c '(cat layer.tar.gz /dev/zero) | udocker-image import - evil:1'
  refused "unpack" sh -c '(cat layer.tar; cat /dev/zero) | gzip -1 | udocker-image import --max-size=32M --max-ratio=10 - evil:1'
  refused "unpack" sh -c 'while cat image.tar.gz; do :; done | udocker-image load --max-size=4M --max-ratio=0'
}

@test "a FIFO as input is read, a silent one can be interrupted" {
  mkfifo in
  cat image.tar >in &
  bounded_run udocker-image load -i in
  [ "$status" -eq 0 ]
  assert_output evil:1
  ok udocker-image rm evil:1
  cat layer.tar >in &
  bounded_run udocker-image import in evil:1
  [ "$status" -eq 0 ]
  ok udocker-image rm evil:1
  local what
  for what in "load -i in" "import in evil:1"; do
    sleep 300 >in &
    local writer=$! status=0
    # shellcheck disable=SC2086 # words
    udocker-image $what >out 2>err &
    local pid=$!
    sleep 0.3
    kill -TERM $pid
    wait $pid || status=$?
    kill $writer
    [ $status -eq 143 ] || fail "$what: status $status"
    store_empty
  done
}

@test "compressed data: cut, joined, followed by garbage" {
  local f
  gzip -k layer.tar image.tar
  xz -k layer.tar image.tar
  bzip2 -k layer.tar image.tar
  zstd -q layer.tar && zstd -q image.tar
  for f in gz xz bz2 zst; do
    head -c -10 "image.tar.$f" >short
    refused "short" udocker-image load -i short
    head -c -10 "layer.tar.$f" >short
    refused "short" udocker-image import short evil:1
    head -c 20 "layer.tar.$f" >short
    both_refuse "" short
    # Two halves, each packed by itself, are one archive.
    case $f in gz) pack="gzip -c" ;; xz) pack="xz -c" ;; bz2) pack="bzip2 -c" ;; zst) pack="zstd -qc" ;; esac
    (head -c 700 image.tar | $pack && tail -c +701 image.tar | $pack) >joined
    bounded_run udocker-image load -q -i joined
    [ "$status" -eq 0 ] || fail "$f, joined: exit status $status"
    ok udocker-image verify evil:1
    ok udocker-image rm evil:1
  done
  # As gzip(1): a warning.
  (cat image.tar.gz && echo garbage) >trailing
  bounded_run udocker-image load -i trailing
  [ "$status" -eq 0 ]
  assert_stderr_contains garbage
  ok udocker-image rm evil:1
  # A byte changed anywhere in the data.
  for f in gz xz bz2 zst; do
    cp "layer.tar.$f" bad
    printf '\377\377' | dd of=bad bs=1 seek=$(($(stat -c %s bad) / 2)) conv=notrunc status=none
    refused "bad" udocker-image import bad evil:1
  done
}

@test "contradictions in headers" {
  local words=damaged
  # load_tar WORDS: what mktar reads on stdin, for both commands.
  both_tar() {
    NAME=$1
    mktar >h.tar
    refused "$2" udocker-image import h.tar evil:1
    refused "" udocker-image load -i h.tar
  }
  both_tar "a negative size" negative <<<$'raw-size x -1 abc\nend'
  both_tar "a size beyond the end" truncated <<<$'raw-size x 4611686018427387904 abc\nend'
  both_tar "the largest size" "$words" <<<$'raw-size x 9223372036854775807 abc\nend'
  both_tar "a wrong checksum" "tar" <<<$'bad-checksum\nfile x 0644 abc\nend'
  both_tar "a wrong checksum later" "$words" <<<$'file a 0644 b\nbad-checksum\nfile x 0644 abc\nend'
  both_tar "a pax size that is negative" "$words" <<<$'pax size=-5\nfile a 0644 x\nend'
  both_tar "a pax size of many digits" "$words" <<<$'pax size=99999999999999999999999999\nfile a 0644 x\nend'
  both_tar "a pax size that is more than the header's" "" <<<$'pax size=9999999\nfile a 0644 x\nend'
  both_tar "a pax header of 4 GB" "" <<<$'typeflag x\nraw-size h 4294967296 abc\nfile a 0644 x\nend'
  both_tar "a long name of 4 GB" "" <<<$'typeflag L\nraw-size h 4294967296 abc\nfile a 0644 x\nend'
  both_tar "a pax header at the end" "" <<<$'pax path=x\ntypeflag x\nraw-size h 1000000 abc'
  both_tar "a sparse file smaller than its map" "" <<<$'pax GNU.sparse.major=1
pax GNU.sparse.minor=0
pax GNU.sparse.name=s
pax GNU.sparse.realsize=1
file x 0644 3\\n0\\n9999999999\\n0\\n0\\n5\\n
end'
}

@test "contradictions in headers that can be solved" {
  layer_case "the last path counts" ok "" '[ "$(ls -A "$ROOT")" = b ]' <<<$'pax path=a\npax path=b\nfile c 0644 x'
  # As Docker, podman and umoci read it.
  layer_case "GNU over pax over the header" ok "" '[ "$(ls -A "$ROOT")" = gnu ]' <<<$'gnu-name gnu\npax path=pax\nfile header 0644 x'
  layer_case "an empty path" ok "" '[ "$(ls -A "$ROOT")" = header ]' <<<$'pax path=\nfile header 0644 x'
  layer_case "a link path for a file" ok "" '[ -f "$ROOT/f" ] && [ ! -L "$ROOT/f" ]' <<<$'pax linkpath=/etc/passwd\nfile f 0644 x'
  # Global headers change nothing, as with Docker and podman.
  layer_case "a global path" ok "" '[ "$(ls -A "$ROOT" | xargs)" = "f g" ] && [ "$(stat -c %Y "$ROOT/g")" = 0 ]' <<<$'gpax path=../../outside/victim
file f 0644 x
gpax mtime=1000
gpax path=.wh.f
file g 0644 x'
  layer_case "times without bounds" ok "" '[ "$(ls -A "$ROOT" | wc -l)" = 5 ]' <<<$'mtime -9223372036854775807
file a 0644 x
mtime 9223372036854775807
file b 0644 x
dir c
pax mtime=99999999999999999999999999.99999999999999999
file d 0644 x
pax mtime=nan
file e 0644 x'
  layer_case "ids without bounds" ok "" '[ "$(stat -c %u "$ROOT/a")" = "$(id -u)" ]' <<<$'uid -1
gid 9223372036854775807
uname ../../x
file a 0644 x
pax uid=-5
file b 0644 x'
  layer_case "a mode of all bits" ok "" '[ "$(stat -c %a "$ROOT/a")" = 1777 ]' <<<$'file a 07777777 x'
  layer_case "a folder with content" import damaged <<<$'typeflag 5
file d 0755 content\nfile f 0644 x'
  layer_case "a link with content" import layer <<<$'typeflag 2
file l 0777 target'
  layer_case "a link without a target" create "'l': a symbolic link without a target" <<<$'typeflag 2
file l 0777'
}

# Text of an image that a terminal would take for commands.
@test "nothing from outside commands the terminal" {
  local esc='\u001b]0;owned\u0007\u001b[2J\u009b31m\r\b\u007f' where config
  docker_tree
  config="{\"architecture\":\"amd64\",\"os\":\"linux\",\"created\":\"$esc\",\"author\":\"$esc\",\"config\":{\"Labels\":{\"$esc\":\"$esc\"},\"Env\":[\"A=$esc\"],\"Cmd\":[\"$esc\"],\"User\":\"0\",\"WorkingDir\":\"/$esc\"},\"history\":[{\"created_by\":\"$esc\",\"comment\":\"$esc\",\"author\":\"$esc\",\"created\":\"$esc\"}],\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:$(sha d/$LAYER)\"]}}"
  docker_config "$config"
  tar -C d -cf d.tar .
  bounded_run udocker-image load -i d.tar
  NAME="load"
  [ "$status" -eq 0 ] || fail "exit status $status"
  assert_shown_safely
  for where in "ls" "ls -l" "ls -p" "ls --format=json" "inspect evil:1" "verify evil:1" "history evil:1" "history --format=json evil:1"; do
    NAME=$where
    # shellcheck disable=SC2086 # words
    run --separate-stderr udocker-image $where
    [ "$status" -eq 0 ] || fail "$where: exit status $status"
    assert_shown_safely
  done
  for where in "images -l" "images -p" "inspect evil:1"; do
    NAME="udocker $where"
    # shellcheck disable=SC2086 # words
    run --separate-stderr udocker $where
    assert_shown_safely
  done
  NAME=create
  run --separate-stderr udocker-bundle create --no-sync --name=c evil:1
  assert_shown_safely
  [ "$status" -eq 0 ] || fail "exit status $status"
  for where in "ls" "ls -m -s -p" "ls --format=json" "inspect c" "config c"; do
    NAME="udocker-bundle $where"
    # shellcheck disable=SC2086 # words
    run --separate-stderr udocker-bundle $where
    assert_shown_safely
  done
  NAME="ps"
  run --separate-stderr udocker ps -m
  assert_shown_safely
  NAME="run"
  run -127 --separate-stderr udocker run --nobanner c
  assert_shown_safely
  # What is refused is named in the message.
  ok udocker-image rm evil:1
  docker_config "${config/\"os\":\"linux\"/\"os\":\"$esc\"}"
  tar -C d -cf d.tar .
  NAME="a platform"
  bounded_run udocker-image load -i d.tar
  fails_clearly "is not a platform's name"
  # A wrong type in a label of that name: the message names it.
  docker_config "${config/\"Env\":/\"Labels\":{\"$esc\":7\},\"Env\":}"
  tar -C d -cf d.tar .
  NAME="a message that names a label"
  bounded_run udocker-image load -i d.tar
  fails_clearly ""
  # File names, of archives and in them.
  cp layer.tar $'\e[31mred\r.tar'
  NAME="a file's name"
  bounded_run udocker-image load -i $'\e[31mred\r.tar'
  fails_clearly '\x1b[31mred'
  bounded_run udocker-image load -i $'/no/such/\e[31m'
  fails_clearly '\x1b[31m'
  bounded_run udocker-bundle rm $'\e[31m'
  assert_shown_safely
}
