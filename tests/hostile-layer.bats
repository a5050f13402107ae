#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# bats: also as root
# Layers that attack: whatever is in one, it ends as a container that can be removed, or as one line and nothing. Each case is a layer
# in the language of tests/tools/mktar.c, brought in by import and by load, made a container of the store and a bundle.

load hostile

@test "names that lead out" {
  local dots="'..' in its path"
  layer_case "a climbing file" import "$dots|../outside/victim" <<<"file ../outside/victim 0644 evil"
  layer_case "a climb behind a folder" import "$dots" <<<"file a/../../../outside/victim 0644 evil"
  layer_case "a climb that would end inside" import "$dots" <<<"file a/../b 0644 evil"
  layer_case "a folder" import "$dots" <<<"dir .."
  layer_case "a folder with a slash" import "$dots" <<<"dir ../"
  layer_case "a link" import "$dots" <<<"link ../outside/x /"
  layer_case "a hard link" import "$dots" <<<$'file a 0644 x\nhard ../outside/x a'
  layer_case "a FIFO" import "$dots" <<<"fifo ../outside/x"
  layer_case "a device" import "$dots" <<<"char ../outside/x 1 3"
  layer_case "a whiteout" import "$dots" <<<"file ../outside/.wh.victim"
  layer_case "by a long name of GNU" import "$dots" <<<$'gnu-name ../../outside/victim\nfile short 0644 evil'
  layer_case "by a pax record" import "$dots" <<<$'pax path=../../outside/victim\nfile short 0644 evil'
  layer_case "absolute" ok "" '[ "$(cat "$ROOT$T/outside/victim")" = evil ]' <<<"file $T/outside/victim 0644 evil"
  layer_case "many slashes and dots" ok "" '[ "$(cat "$ROOT/x/y")" = evil ]' <<<"file ///./x//./y 0644 evil"
}

@test "links that lead out" {
  layer_case "write through a link" create "out/evil" <<<"link out $T/outside
file out/evil 0644 evil"
  layer_case "write through a link to the top" ok "" '[ "$(cat "$ROOT/evil")" = x ] && [ ! -e /evil ]' <<<$'link out /\nfile out/evil 0644 x'
  layer_case "write through a climbing link" ok "" '[ "$(cat "$ROOT/evil")" = x ]' \
    <<<$'link out ../../../../../../../../../..\nfile out/evil 0644 x'
  layer_case "write through two links" create "evil" <<<"link a b
link b $T/outside
file a/evil 0644 evil"
  layer_case "over a link to a file" ok "" '[ "$(cat "$ROOT/l")" = evil ] && [ ! -L "$ROOT/l" ]' <<<"link l $T/outside/victim
file l 0644 evil"
  layer_case "a folder over a link to a folder" ok "" '[ -d "$ROOT/l" ] && [ ! -L "$ROOT/l" ]' <<<"link l $T/outside
dir l 0777
file l/x 0644 x"
  layer_case "a FIFO over a link" ok "" '[ -p "$ROOT/l" ]' <<<"link l $T/outside/victim
fifo l 0600"
  layer_case "links in a circle" create "a/x" <<<$'link a b\nlink b a\nfile a/x 0644 x'
  layer_case "a link to itself" create "l/x" <<<$'link l l\nfile l/x 0644 x'
  layer_case "to the process's own files" create "evil" <<<$'link p /proc/self/cwd\nfile p/evil 0644 x'
  layer_case "modes and times through a link" ok "" '[ "$(stat -c %a "$ROOT/l")" = 777 ]' <<<"mtime 1
link l $T/outside/victim
dir d 0700"
  layer_case "the top becomes a link" create "root directory" <<<"link . $T/outside"
  layer_case "the top becomes a file" create "root directory" <<<"file . 0644 x"
  layer_case "a target of 5000 bytes" create "entry 'l'" <<<"link l $(printf 'x%.0s' {1..5000})"
  layer_case "a target of nothing" create "without a target" <<<"link l \\0"
}

@test "hard links that lead out" {
  layer_case "to a climbing name" create "'..' in its path" <<<"hard l ../../outside/victim"
  layer_case "to an absolute name" create "hard link to" <<<"hard l $T/outside/victim"
  layer_case "through a link" create "hard link to" <<<"link out $T/outside
hard l out/victim"
  layer_case "to a link, then written" ok "" '[ "$(cat "$ROOT/h")" = evil ] && [ -L "$ROOT/l" ]' <<<"link l $T/outside/victim
hard h l
file h 0644 evil"
  layer_case "to a folder" create "hard link to a directory" <<<$'dir d\nhard h d'
  layer_case "to the top" create "hard link to a directory" <<<$'hard h .'
  layer_case "to itself" create "hard link to" <<<$'hard h h'
  layer_case "to itself, there already" ok "" '[ "$(cat "$ROOT/h")" = x ]' <<<$'file h 0644 x\nhard h h'
  layer_case "in a circle" create "hard link to" <<<$'hard a b\nhard b a'
  layer_case "to what comes later" create "hard link to" <<<$'hard a b\nfile b 0644 x'
  layer_case "below a file" create "hard link to" <<<$'file f 0644 x\nhard a f/b'
  layer_case "to a device that was left out" ok "" '[ ! -e "$ROOT/h" ] && [ ! -e "$ROOT/d" ]' <<<$'char d 1 3\nhard h d'
  layer_case "to a FIFO" ok "" '[ -p "$ROOT/h" ]' <<<$'fifo p\nhard h p'
  layer_case "a chain" ok "" '[ "$(cat "$ROOT/h4999")" = x ]' < <(
    echo 'file h 0644 x'
    echo 'hard h0 h'
    seq 4999 | awk '{ print "hard h" $1 " h" $1 - 1 }'
  )
}

@test "what is swapped while the layer is applied" {
  layer_case "a parent for a link" create "p/evil" <<<"dir p
file p/good 0644 x
link p $T/outside
file p/evil 0644 evil"
  layer_case "a parent for a link to the top" ok "" '[ "$(cat "$ROOT/evil")" = x ] && [ -L "$ROOT/p" ]' <<<$'dir p
file p/good 0644 x
link p /
file p/evil 0644 x'
  layer_case "a grandparent for a link" create "a/b/evil" <<<"dir a/b
file a/b/good 0644 x
link a $T/outside
file a/b/evil 0644 evil"
  layer_case "a parent by a hard link to a link" create "p/evil" <<<"link l $T/outside
dir p
file p/good 0644 x
hard p l
file p/evil 0644 evil"
  layer_case "a parent for a file" create "p/evil" <<<$'dir p\nfile p/good 0644 x\nfile p 0644 x\nfile p/evil 0644 x'
  layer_case "the folder of a hard link's target" create "hard link to" <<<"dir p
file p/victim 0644 x
hard a p/victim
link p $T/outside
hard b p/victim"
  layer_case "forth and back" ok "" '[ "$(ls -A "$ROOT/p")" = two ]' <<<"dir p
file p/one 0644 x
link p $T/outside
dir p
file p/two 0644 x"
  layer_case "a folder by a whiteout of its own layer" ok "" '[ "$(ls -A "$ROOT/p" | tr "\n" " ")" = "one two " ]' <<<$'dir p
file p/one 0644 x
file .wh.p
file p/two 0644 x'
  layer_case "by the layer above" create "p/evil" <<<"dir p
file p/good 0644 x
---
link p $T/outside
file p/evil 0644 evil"
  layer_case "times of folders that became links" ok "" '[ -L "$ROOT/outside" ]' <<<"mtime 5
dir outside 0777
file outside/victim 0644 x
link outside $T/outside"
}

@test "whiteouts" {
  once
  local no="names no file"
  layer_case ".wh." import "$no|.wh." <<<"file .wh."
  layer_case ".wh.." import "$no" <<<"file .wh.."
  layer_case ".wh..." import "$no" <<<"file .wh..."
  layer_case "below a folder" import "$no" <<<$'dir d\nfile d/.wh...'
  layer_case "a folder of the kind" import "$no" <<<"dir .wh.../"
  layer_case ".wh.a/b" import "below a whiteout" <<<"file .wh.a/b 0644 x"
  layer_case "a path behind it" import "below a whiteout" <<<"file d/.wh.a/b/.wh.c 0644 x"
  layer_case "of what lies behind a link" ok "" '[ -L "$ROOT/out" ]' <<<"link out $T/outside
---
file out/.wh.victim"
  layer_case "opaque behind a link" ok "" '[ -L "$ROOT/out" ]' <<<"link out $T/outside
---
file out/.wh..wh..opq"
  layer_case "of a link" ok "" '[ -z "$(ls -A "$ROOT")" ]' <<<"link out $T/outside
---
file .wh.out"
  layer_case "of a link, written as a folder" ok "" '[ -z "$(ls -A "$ROOT")" ]' <<<"link out $T/outside
---
dir .wh.out/"
  layer_case "of nothing" ok "" '[ -z "$(ls -A "$ROOT")" ]' <<<$'file .wh.x\nfile a/b/.wh.y\nfile c/.wh..wh..opq'
  layer_case "opaque on the top" ok "" '[ "$(ls -A "$ROOT" | tr "\n" " ")" = "new other " ]' <<<$'file old 0644 x
file dir/old 0644 x
link l /etc
---
file new 0644 x
file .wh..wh..opq
file other 0644 x'
  layer_case "opaque and a link instead of a file" ok "" '[ -z "$(find "$ROOT/d" -name old)" ]' <<<$'file d/old 0644 x
---
link d/.wh..wh..opq /'
  layer_case "AUFS's own, as a link" ok "" '[ -z "$(ls -A "$ROOT")" ]' <<<"link .wh..wh.plnk $T/outside"
  layer_case "AUFS's own, written through" create ".wh..wh.plnk/evil" <<<"link .wh..wh.plnk $T/outside
file .wh..wh.plnk/evil 0644 evil"
  layer_case "AUFS's other names" ok "" '[ -z "$(ls -A "$ROOT")" ]' <<<$'file .wh..wh.aufs 0644 x\ndir .wh..wh.orph\nfile .wh..wh.orph/x 0644 x'
  layer_case "many of one folder" ok "" '[ "$(ls -A "$ROOT/d" | wc -l)" = 2000 ]' <<<$'repeat 2000 file d/old{} 0644 x
---
repeat 2000 file d/new{} 0644 x
repeat 2000 file d/.wh..wh..opq'
}

@test "devices, FIFOs and unknown kinds" {
  layer_case "device nodes" ok "" '[ "$(ls -A "$ROOT/dev")" = real ]' <<<$'char dev/null 1 3
block dev/sda 8 0
char dev/mem 1 1
file dev/real 0644 x'
  layer_case "a device over a file" ok "" '[ ! -e "$ROOT/f" ]' <<<$'file f 0644 x\n---\nchar f 1 3'
  layer_case "a FIFO, then a file over it" ok "" '[ -f "$ROOT/p" ]' <<<$'fifo p 0666\nfile p 0644 x'
  layer_case "a file below a FIFO" create "p/x" <<<$'fifo p 0666\nfile p/x 0644 x'
  layer_case "an unknown type" ok "" '[ ! -b "$ROOT/u" ]' <<<$'typeflag Z\nfile u 0644 x'
  layer_case "set-id bits" ok "" '[ "$(stat -c %a "$ROOT/s" "$ROOT/g" | tr "\n" " ")" = "755 755 " ]' <<<$'uid 0
file s 04755 x
file g 02755 x'
  layer_case "nobody may read it" ok "" '[ "$(cat "$ROOT/d/f")" = x ]' <<<$'dir d 0000\nfile d/f 0000 x\ndir d 0000'
}

@test "names of our own files" {
  layer_case "of a container" ok "" '[ "$(cat "$ROOT/config.json" "$ROOT/imagerepo.name" "$ROOT/ROOT/x")" = evilevilevil ]' \
    <<<$'file config.json 0644 evil
file container.json 0644 evil
file imagerepo.name 0644 evil
file execmode 0644 F4
file root.path 0644 /
file PROTECT
file osenv.json 0644 {}
file ROOT/x 0644 evil
file rootfs/x 0644 evil
file .tmp-1 0644 evil
file .stage/x 0644 evil
file .lock 0644 evil
file .mountpoints/x 0644 evil
link .bind_orig_files /'
}

@test "long names and paths" {
  once
  local n255 n256 p4095 p4096
  n255=$(printf 'n%.0s' {1..255}) n256=n$n255
  p4095=$(printf 'abcdefg/%.0s' {1..511})$(printf 'p%.0s' {1..7}) p4096=$(printf 'abcdefg/%.0s' {1..511})$(printf 'p%.0s' {1..8})
  layer_case "255 bytes" ok "" "[ -f \"\$ROOT/$n255\" ]" <<<"file $n255 0644 x"
  layer_case "256 bytes" import "more than 255 bytes" <<<"file $n256 0644 x"
  layer_case "256 bytes of a folder on the way" import "more than 255 bytes" <<<"file $n256/x 0644 x"
  layer_case "a whiteout of 255 bytes" ok "" '[ -z "$(ls -A "$ROOT")" ]' <<<"file .wh.${n255:4} 0644 x"
  layer_case "4095 bytes" ok "" '[ "$(find "$ROOT" -name ppppppp -type f | wc -l)" = 1 ]' <<<"file $p4095 0644 x"
  layer_case "4096 bytes" import "more than 4095 bytes" <<<"file $p4096 0644 x"
  layer_case "4096 bytes of a hard link's target" create "more than 4095 bytes" <<<"hard x $p4096"
  layer_case "100,000 folders in one name" import "more than 4095 bytes" < <(printf 'dir %s\n' "$(printf 'd/%.0s' {1..100000})")
  layer_case "a name of 2 MB" import "header too large" < <(printf 'file %s 0644 x\n' "$(head -c 2000000 /dev/zero | tr '\0' n)")
  layer_case "no name at all" create "root directory" <<<"file \\0 0644 x"
  layer_case "not UTF-8" ok "" '[ "$(cat "$ROOT"/$'"'\xff\xfe'"')" = x ]' <<<'file \xff\xfe 0644 x'
  layer_case "newlines and escapes" ok "" '[ "$(cat "$ROOT"/$'"'a\nb\e[31m'"')" = x ]' <<<'file a\nb\e[31m 0644 x'
  layer_case "escapes in what is refused" import "\\x1b[31m" <<<'file ../\e[31m\a\b\r\n\xff 0644 x'
}

# `make check-long` goes down to 40,000.
@test "folders deeper than any path can name" {
  layer_case "deep" ok "" '[ -d "$ROOT/d/d/d" ]' < <(deep_folders "$(as_often 5 2)")
  layer_case "removed by a whiteout" ok "" '[ ! -e "$ROOT/d" ]' < <(deep_folders 2 && printf -- '---\nfile .wh.d\n')
}
