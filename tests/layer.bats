#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# bats: also as root
# Everything a layer may say: the extensions of GNU tar and PAX, sparse files, attributes, links and replacements across layers, owners.
# What GNU tar, Python's tarfile and umoci make of the same archives is the measure.

load helpers

# image_of REF TAR...: an image of these layers in the store.
image_of() {
  local ref=$1
  shift
  mkimage -f oci -n "$ref" image.tar "$@"
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

# made SCRIPT...: a container whose layers mktar writes; sets ROOT.
made() {
  local n=0 tars=() script
  for script in "$@"; do
    n=$((n + 1))
    printf '%s\nend\n' "$script" | mktar >"made$n.tar"
    tars+=("made$n.tar")
  done
  image_of t:1 "${tars[@]}"
  create t:1
}

# tarfile OUT: Python code on stdin adds the entries: add(name, data, kind, pax, ATTRIBUTE=...).
tarfile() {
  cat >entries
  python3 - "$1" <<'PY'
import io, sys, tarfile
from tarfile import (BLKTYPE, CHRTYPE, DIRTYPE, FIFOTYPE, GNU_FORMAT, LNKTYPE, PAX_FORMAT, REGTYPE, SYMTYPE, USTAR_FORMAT, TarInfo)
out = sys.argv[1]
FORMAT = PAX_FORMAT
GLOBAL = {}
entries = []
def add(name, data=b"", kind=REGTYPE, pax={}, **more):
    entries.append((name, data, kind, pax, more))
exec(open("entries").read())
archive = tarfile.open(out, "w", format=FORMAT, encoding="utf-8", errors="surrogateescape", pax_headers=GLOBAL)
for name, data, kind, pax, more in entries:
    info = TarInfo(name)
    info.size, info.type, info.pax_headers, info.mtime = len(data), kind, dict(pax), 1000000000
    info.mode = 0o755 if kind == DIRTYPE else 0o644
    for key, value in more.items():
        setattr(info, key, value)
    archive.addfile(info, io.BytesIO(data))
archive.close()
PY
}

# attr PATH NAME: an extended attribute in hexadecimal digits, "none" without it.
attr() {
  python3 -c 'import os, sys
try: print(os.getxattr(sys.argv[1], sys.argv[2], follow_symlinks=False).hex())
except OSError: print("none")' "$1" "$2"
}

takes_attrs() {
  python3 -c 'import os, sys; os.setxattr(sys.argv[1], "user.try", b"x")' "$T" 2>/dev/null ||
    skip "the file system of the tests takes no user attributes"
}

# tree DIR FORMAT [TEST...]: what find(1) prints of everything below it.
tree() { (cd "$1" && find . -mindepth 1 "${@:3}" -printf "$2" | LC_ALL=C sort); }

# same_as_tar TAR: the container of this one layer is what GNU tar unpacks; folders have no entries there, and no time.
same_as_tar() {
  local what="%P %y %m %s %T@ %l\n"
  mkdir want
  (umask 022 && tar -C want --no-same-owner -xpf "$1")
  [ "$(tree "$ROOT" "$what" ! -type d)" = "$(tree want "$what" ! -type d)" ] ||
    fail "differs: $(diff <(tree want "$what" ! -type d) <(tree "$ROOT" "$what" ! -type d))"
  [ "$(tree "$ROOT" "%P %y %m\n")" = "$(tree want "%P %y %m\n")" ] || fail "modes of folders differ"
  diff -r --no-dereference want "$ROOT"
}

@test "long names and long targets, as ustar, GNU tar and PAX write them" {
  local long deep format
  long=$(printf 'n%.0s' {1..255})
  deep=$(printf 'd%.0s/' {1..1000})
  for format in USTAR GNU PAX; do
    rm -rf want
    tarfile long.tar <<PY
FORMAT = ${format}_FORMAT
add("$(printf 'p%.0s' {1..100})/$(printf 'q%.0s' {1..100})", b"prefix")
if FORMAT != USTAR_FORMAT:
    add("$long", b"255 bytes")
    add("m" * 255 + "/" + "$long", b"two of them")
    add("${deep}file", b"deep")
    add("link", kind=SYMTYPE, linkname="$deep" + "x" * 1900)
    add("hard", kind=LNKTYPE, linkname="$long")
PY
    image_of "t:${format,,}" long.tar
    create "t:${format,,}"
    same_as_tar long.tar
  done
  [ "$(stat -c %h "$ROOT/hard")" = 2 ]
}

@test "a path of 4095 bytes is made, one of 4096 is refused with a word" {
  local path
  path=$(printf 'd%.0s/' {1..2047})f
  [ ${#path} = 4095 ]
  tarfile long.tar <<<"add('$path', b'far below')"
  image_of t:1 long.tar
  create t:1
  # PATH_MAX counts the NUL: from inside ROOT the whole path can be used.
  [ "$(cd "$ROOT" && cat "$path")" = "far below" ]
  tarfile long.tar <<<"add('d$path', b'too far')"
  image_of t:2 long.tar
  fails 1 udocker-bundle create t:2
  assert_stderr_contains "a path of more than 4095 bytes"
  assert_one_error_line
  ok udocker-bundle rm "$ID"
  [ -z "$(ls -A "$STORE/containers")" ]
}

@test "names that are not UTF-8, that look odd, and PAX names that are not normalised" {
  tarfile odd.tar <<'PY'
add("latin\udce9")
add("pax\udcff\udcfe" + "x" * 120)
add("e\u0301")
add("\u00e9")
add(" leading and trailing ")
add("new\nline")
add("-rf")
add("back\\slash")
add("*")
add("l", kind=SYMTYPE, linkname="latin\udce9")
PY
  image_of t:1 odd.tar
  create t:1
  same_as_tar odd.tar
  [ -e "$ROOT/$(printf 'latin\xe9')" ]
  [ -e "$ROOT/$(printf 'e\xcc\x81')" ]
  [ -e "$ROOT/$(printf '\xc3\xa9')" ]
}

@test "sparse files of every format of GNU tar stay sparse, their bytes where they belong" {
  local f format
  mkdir sparse
  python3 - <<'PY'
import os
def holes(name, size, parts):
    with open("sparse/" + name, "wb") as f:
        for at in parts:
            f.seek(at)
            f.write(b"data at %d;" % at * 300)
        f.truncate(size)
holes("end", 64 << 20, [0])
holes("begin", (64 << 20) + 3300, [64 << 20])
holes("middle", 64 << 20, [1 << 20, 33 << 20])
holes("hole", 64 << 20, [])
holes("many", 64 << 20, range(0, 64 << 20, 1 << 20))
PY
  for format in "gnu" "oldgnu" "pax --sparse-version=0.0" "pax --sparse-version=0.1" "pax --sparse-version=1.0"; do
    # shellcheck disable=SC2086  # words
    tar -C sparse -S --format=$format -cf sparse.tar .
    [ "$(stat -c %s sparse.tar)" -lt 2000000 ] || fail "tar wrote no sparse archive"
    image_of t:1 sparse.tar
    create t:1
    for f in sparse/*; do
      cmp "$f" "$ROOT/${f#sparse/}" || fail "$format: $f"
    done
    [ "$(du -sk "$ROOT" | cut -f1)" -lt 4000 ] || fail "$format: not sparse, $(du -sk "$ROOT")"
    udocker-bundle rm "$ID"
  done
}

@test "attributes user.* are set, in the words of GNU tar and of libarchive" {
  takes_attrs
  tarfile attrs.tar <<'PY'
add("f", b"x", pax={"SCHILY.xattr.user.colour": "blue\0", "SCHILY.xattr.user.empty": ""})
add("g", b"x", pax={"LIBARCHIVE.xattr.user.per%25cent": "AAH/"})
add("d", kind=DIRTYPE, pax={"SCHILY.xattr.user.of.d": "d"})
add("d/in", b"x")
add("bin", kind=DIRTYPE)
PY
  image_of t:1 attrs.tar
  create t:1
  assert_no_stderr
  [ "$(attr "$ROOT/f" user.colour)" = 626c756500 ]
  [ "$(attr "$ROOT/f" user.empty)" = "" ]
  [ "$(attr "$ROOT/g" user.per%cent)" = 0001ff ]
  [ "$(attr "$ROOT/d" user.of.d)" = 64 ]
}

@test "attributes of root: set for root, counted in one warning for others; the host's own are passed over" {
  takes_attrs
  tarfile attrs.tar <<'PY'
cap = b"\1\0\0\2\0\40\0\0\0\0\0\0\0\0\0\0\0\0\0\0".decode()
add("ping", b"x", pax={"SCHILY.xattr.security.capability": cap}, mode=0o755)
add("two", b"x", pax={"SCHILY.xattr.trusted.mark": "t", "SCHILY.xattr.user.u": "u"})
add("label", b"x", pax={"SCHILY.xattr.security.selinux": "system_u", "SCHILY.xattr.system.posix_acl_access": "x"})
add("over", kind=DIRTYPE, pax={"SCHILY.xattr.trusted.overlay.redirect": "/../../etc", "SCHILY.xattr.user.overlay.opaque": "y"})
add("owner", b"x", pax={"SCHILY.xattr.user.rootlesscontainers": "\10\1"})
add("bin", kind=DIRTYPE)
PY
  image_of t:1 attrs.tar
  create t:1
  if [ "$(id -u)" = 0 ]; then
    assert_no_stderr
    [ "$(attr "$ROOT/ping" security.capability)" = 0100000200200000000000000000000000000000 ]
    [ "$(attr "$ROOT/two" trusted.mark)" = 74 ]
  else
    assert_stderr "udocker-bundle: warning: t:1: 2 extended attributes may not be set here, leaving them out"
    [ "$(attr "$ROOT/ping" security.capability)" = none ]
  fi
  [ "$(attr "$ROOT/two" user.u)" = 75 ]
  [ "$(attr "$ROOT/over" trusted.overlay.redirect)" = none ]
  [ "$(attr "$ROOT/over" user.overlay.opaque)" = none ]
  [ "$(attr "$ROOT/owner" user.rootlesscontainers)" = none ]
}

@test "global PAX headers are no entries, and do no harm" {
  tarfile global.tar <<'PY'
GLOBAL = {"comment": "0123456789abcdef", "path": "../../evil", "SCHILY.xattr.user.all": "x"}
add("a", b"a")
add("b/c", b"c")
PY
  image_of t:1 global.tar
  create t:1
  [ "$(tree "$ROOT" "%P\n")" = "$(printf 'a\nb\nb/c')" ]
  [ "$(cat "$ROOT/b/c")" = c ]
}

@test "times with fractions, before 1970, and beyond what the disk can hold" {
  tarfile times.tar <<'PY'
add("half", pax={"mtime": "1.5"})
add("nano", pax={"mtime": "1234567890.123456789"})
add("d", kind=DIRTYPE, pax={"mtime": "1234567890.987654321"})
add("d/later", pax={"mtime": "1700000000"})
add("l", kind=SYMTYPE, linkname="half", pax={"mtime": "1234567890.25"})
add("before", pax={"mtime": "-86400"})
add("far", pax={"mtime": "99999999999999"})
add("farther", pax={"mtime": "-9999999999999999999"})
PY
  image_of t:1 times.tar
  create t:1
  [ "$(stat -c %.9Y "$ROOT/half" "$ROOT/nano" "$ROOT/d" "$ROOT/l" | tr '\n' ' ')" = \
    "1.500000000 1234567890.123456789 1234567890.987654321 1234567890.250000000 " ]
  [ "$(stat -c %Y "$ROOT/before")" = -86400 ]
  assert_file "$ROOT/far"
  assert_file "$ROOT/farther"
}

@test "hard links across layers and whiteouts (FIX-31)" {
  made 'file lib/a 0644 a
file lib/b 0644 b
file lib/gone 0644 gone
hard lib/second lib/b
link lib/soft a' 'hard across lib/a
hard lib/b lib/a
hard saved lib/gone
file lib/.wh.gone
hard soft lib/soft
file fresh 0644 new
hard lib/fresh fresh
file .wh.fresh'
  [ "$(cat "$ROOT/across" "$ROOT/lib/b" "$ROOT/lib/second")" = aab ]
  [ "$(stat -c %h "$ROOT/across" "$ROOT/lib/second")" = "$(printf '3\n1')" ]
  [ "$(cat "$ROOT/saved")" = gone ]
  refute_file "$ROOT/lib/gone"
  [ "$(readlink "$ROOT/soft")" = a ]
  # What the same layer brings is not hidden by it.
  [ "$ROOT/fresh" -ef "$ROOT/lib/fresh" ]
}

@test "a hard link to what the layer has hidden already, and one to nothing, are refused by name" {
  local script
  for script in 'file .wh.f
hard l f' 'hard l nowhere/f' 'hard l d' 'hard l ../../f' 'hard l .'; do
    printf 'file f 0644 x\ndir d\nend\n' | mktar >lower.tar
    printf '%s\nend\n' "$script" | mktar >upper.tar
    image_of t:1 lower.tar upper.tar
    fails 1 udocker-bundle create t:1
    assert_stderr_contains "entry 'l'"
    assert_one_error_line
    assert_store_clean
  done
}

@test "files, folders and links take each other's place" {
  made 'file a/in/deep 0644 x
file f 0644 x
link l target
dir target
file target/x 0644 x
fifo p
hard h f
dir ro 0555
file ro/x 0444 x' 'link a target
file a/through 0644 t
dir f
file f/in 0644 f
file l 0644 now-a-file
dir p
file h 0644 other
link ro f'
  [ "$(readlink "$ROOT/a")" = target ]
  [ "$(cat "$ROOT/target/through" "$ROOT/f/in" "$ROOT/l" "$ROOT/h")" = ftnow-a-fileother ] ||
    [ "$(cat "$ROOT/target/through" "$ROOT/f/in" "$ROOT/l" "$ROOT/h")" = tfnow-a-fileother ]
  [ -f "$ROOT/l" ] && [ ! -L "$ROOT/l" ]
  [ -d "$ROOT/p" ] && [ ! -L "$ROOT/p" ]
  [ "$(readlink "$ROOT/ro")" = f ]
  [ "$(ls "$ROOT/target")" = "$(printf 'through\nx')" ]
}

@test "a parent that becomes a link between two entries: the next one goes where it leads now, and never outside" {
  mkdir outside
  made "file a/b/one 0644 1
file e/b/one 0644 1
link a e
file a/b/two 0644 2
link e/b $T/outside
file inside$T/outside/x 0644 x
link $(printf '%s' "${T#/}" | cut -d/ -f1) inside/$(printf '%s' "${T#/}" | cut -d/ -f1)
file a/b/three 0644 3"
  [ "$(ls -A outside)" = "" ]
  [ "$(cat "$ROOT/inside$T/outside/three")" = 3 ]
  refute_file "$ROOT/e/b/two"
}

@test "a folder that comes again keeps its content and takes new metadata" {
  takes_attrs
  tarfile one.tar <<'PY'
add("d", kind=DIRTYPE, mode=0o700, pax={"SCHILY.xattr.user.old": "1", "SCHILY.xattr.user.both": "1"})
add("d/kept", b"kept")
add("e", kind=DIRTYPE)
add("e/f", b"x")
PY
  tarfile two.tar <<'PY'
add("d", kind=DIRTYPE, mode=0o1755, mtime=1100000000, pax={"SCHILY.xattr.user.both": "2"})
add("e/g", b"x")
PY
  image_of t:1 one.tar two.tar
  create t:1
  [ "$(cat "$ROOT/d/kept")" = kept ]
  [ "$(stat -c '%a %Y' "$ROOT/d")" = "1755 1100000000" ]
  [ "$(attr "$ROOT/d" user.old)" = none ]
  [ "$(attr "$ROOT/d" user.both)" = 32 ]
  # One that is only added to is as it was.
  [ "$(stat -c '%a %Y' "$ROOT/e")" = "755 1000000000" ]
}

@test "the same name twice in one layer: the last one wins" {
  made 'file f 0644 one
file f 0600 two
dir d 0700
file d/x 0644 x
dir d 0711
link l one
link l two
fifo p
file p 0644 plain
file q 0644 x
fifo q
file g 0644 x
hard g2 g
file g 0644 y'
  [ "$(cat "$ROOT/f" "$ROOT/p" "$ROOT/g2" "$ROOT/g")" = twoplainxy ]
  [ "$(stat -c %a "$ROOT/f" "$ROOT/d")" = "$(printf '600\n711')" ]
  [ "$(readlink "$ROOT/l")" = two ]
  [ -p "$ROOT/q" ]
  assert_file "$ROOT/d/x"
}

@test "read-only folders are filled, whatever the order, and can be removed" {
  made 'dir ro 0555
file ro/a 0444 a
dir ro/sub 0500
file ro/sub/b 0400 b
dir none 0000
file none/c 0000 c' 'file ro/sub/d 0644 d
file ro/.wh.a
file none/e 0644 e'
  [ "$(cat "$ROOT/ro/sub/b" "$ROOT/ro/sub/d" "$ROOT/none/c" "$ROOT/none/e")" = bdce ]
  refute_file "$ROOT/ro/a"
  [ "$(stat -c %a "$ROOT/ro" "$ROOT/none" "$ROOT/none/c" | tr '\n' ' ')" = "755 700 600 " ]
  ok udocker-bundle rm "$ID"
  [ -z "$(ls -A "$STORE/containers")" ]
}

@test "set-id bits are dropped, and kept on request" {
  printf '%s\n' 'file s 06755 x' 'dir g 02775' 'dir t 01777' 'file g/f 0644 x' 'hard again s' end | mktar >setid.tar
  image_of t:1 setid.tar
  create t:1
  [ "$(stat -c %a "$ROOT/s" "$ROOT/g" "$ROOT/t" | tr '\n' ' ')" = "755 775 1777 " ]
  create t:1 --keep-setid
  [ "$(stat -c %a "$ROOT/s" "$ROOT/g" "$ROOT/t" "$ROOT/again" | tr '\n' ' ')" = "6755 2775 1777 6755 " ]
  ok udocker-bundle create --no-sync --keep-setid --bundle b t:1
  [ "$(stat -c %a b/rootfs/s)" = 6755 ]
}

@test "--record-owner: what umoci writes and reads" {
  requires umoci
  takes_attrs
  tarfile owners.tar <<'PY'
add("d", kind=DIRTYPE, uid=33, gid=33)
add("d/f", b"x", uid=1000)
add("d/g", b"x", gid=100)
add("d/big", b"x", uid=2000000000, gid=4294967294)
add("d/root", b"x")
add("d/l", kind=SYMTYPE, linkname="/nowhere", uid=5, gid=6)
add("d/h", kind=LNKTYPE, linkname="d/f", uid=1000)
PY
  mkimage -f oci-dir -n t layout owners.tar
  umoci unpack --rootless --image layout:t theirs 2>/dev/null
  image_of t:1 owners.tar
  create t:1
  [ "$(attr "$ROOT/d/f" user.rootlesscontainers)" = none ]
  create t:1 --record-owner
  local f
  for f in d d/f d/g d/big d/root d/h; do
    [ "$(attr "$ROOT/$f" user.rootlesscontainers)" = "$(attr "theirs/rootfs/$f" user.rootlesscontainers)" ] ||
      fail "$f: $(attr "$ROOT/$f" user.rootlesscontainers), umoci has $(attr "theirs/rootfs/$f" user.rootlesscontainers)"
  done
  [ "$(attr "$ROOT/d" user.rootlesscontainers)" = 08211021 ]
  [ "$(stat -c %u:%g "$ROOT/d/f")" = "$(id -u):$(id -g)" ]
}

@test "--record-owner where the file system takes no attributes: said, and nothing made" {
  requires userns
  tarfile owners.tar <<<"add('bin/f', b'x', uid=1, pax={'SCHILY.xattr.user.u': '1'})"
  image_of t:1 owners.tar
  mkdir ram
  # A file system of our own: root's there and ours here.
  in_ram() { unshare -Urm sh -c 'mount -t ramfs none ram && "$@"; s=$?; ls -A ram >left; exit $s' sh "$@"; }
  fails 1 in_ram udocker-bundle create --bundle ram/b --record-owner t:1
  assert_stderr_contains " of t:1: owners cannot be recorded: the file system takes no user attributes"
  assert_one_error_line
  [ -z "$(cat left)" ]
  ok in_ram udocker-bundle create --bundle ram/b t:1
  assert_stderr "udocker-bundle: warning: t:1: 1 extended attributes may not be set here, leaving them out"
}

@test "sockets and device nodes are left out and counted, FIFOs are made" {
  tarfile special.tar <<'PY'
add("dev/null", kind=CHRTYPE, devmajor=1, devminor=3, mode=0o666)
add("dev/sda", kind=BLKTYPE, devmajor=8, devminor=0)
add("dev/zero", kind=LNKTYPE, linkname="dev/null")
add("run/fifo", kind=FIFOTYPE, mode=0o622)
PY
  image_of t:1 special.tar
  umask 077
  create t:1
  assert_stderr_contains "3 device nodes and sockets were left out"
  [ -z "$(ls -A "$ROOT/dev")" ]
  [ -p "$ROOT/run/fifo" ]
  [ "$(stat -c %a "$ROOT/run/fifo")" = 622 ]
}

@test "what umoci makes of three layers, we make of them, times of folders too" {
  requires umoci
  tarfile one.tar <<'PY'
for d in "etc", "etc/sub", "usr", "usr/lib", "opq", "opq/both", "gone", "gone/sub", "empty":
    add(d, kind=DIRTYPE, mtime=1100000000)
for f in "etc/a", "etc/b", "etc/sub/x", "usr/lib/one", "opq/old", "opq/both/old", "gone/sub/y", "top":
    add(f, f.encode(), mtime=1100000001)
add("lib", kind=SYMTYPE, linkname="usr/lib")
add("abs", kind=SYMTYPE, linkname="/usr/lib")
add("etc/hard", kind=LNKTYPE, linkname="etc/a", mtime=1100000001)
add("suid", b"s", mode=0o4755)
PY
  tarfile two.tar <<'PY'
add("lib/two", b"through a link", mtime=1200000000)
add("abs/three", b"through an absolute one", mtime=1200000000)
add("etc/.wh.b")
add("etc/new", b"new", mtime=1200000000)
add("opq", kind=DIRTYPE, mtime=1200000000)
add("opq/.wh..wh..opq")
add("opq/both", kind=DIRTYPE, mtime=1200000000)
add("opq/both/new", b"new", mtime=1200000000)
add(".wh.gone")
add("usr/lib/four", kind=LNKTYPE, linkname="etc/a", mtime=1100000001)
PY
  tarfile three.tar <<'PY'
add("gone", kind=DIRTYPE, mtime=1300000000)
add("gone/again", b"again", mtime=1300000000)
add("etc/sub", b"a file now", mtime=1300000000)
add("top", kind=DIRTYPE, mtime=1300000000)
add("top/in", b"in", mtime=1300000000)
add("lib", kind=DIRTYPE, mtime=1300000000)
add("lib/own", b"own", mtime=1300000000)
add("empty/.wh.nothing")
PY
  mkimage -f oci-dir -n t layout one.tar two.tar three.tar
  umoci unpack --rootless --image layout:t theirs 2>/dev/null
  image_of t:1 one.tar two.tar three.tar
  create t:1 --keep-setid
  local what="%P %y %m %n %T@ %l\n"
  [ "$(tree "$ROOT" "$what")" = "$(tree theirs/rootfs "$what")" ] ||
    fail "$(diff <(tree theirs/rootfs "$what") <(tree "$ROOT" "$what"))"
  diff -r --no-dereference theirs/rootfs "$ROOT"
}

@test "ten thousand folders, scattered entries: each has its time" {
  python3 - <<'PY' >many.txt
print("mtime 1000000000")
for i in range(10000):
    print(f"dir s/{i}")
print("mtime 1500000000")
for r in range(2):
    for i in range(10000):
        print(f"file s/{i * 7919 % 10000}/{r} 0644 x")
print("end")
PY
  mktar <many.txt >many.tar
  image_of t:1 many.tar
  create t:1
  [ "$(find "$ROOT/s" -mindepth 1 -type d -printf '%Ts\n' | sort | uniq -c | tr -s ' ')" = " 10000 1000000000" ]
  [ "$(find "$ROOT/s" -type f | wc -l)" = 20000 ]
}

# Names of few files, for the sake of disks with few inodes: a million files of their own are in `make check-long`.
@test "a hundred thousand entries" {
  once
  python3 - <<'PY' | mktar | zstd -q1 >layer.tar.zst
print("mtime 1000000000")
for i in range(2000):
    print(f"file d/{i % 100}/{i} 0644 {i}")
    for n in range(48):
        print(f"hard d/{i % 100}/{i}-{n} d/{i % 100}/{i}")
    print(f"link d/{i % 100}/{i}-link {i}")
print("end")
PY
  ok udocker-image import layer.tar.zst t:1
  rm layer.tar.zst
  ok bounded -t 600 -m 64 udocker-bundle create --no-sync t:1
  ROOT=$STORE/containers/$output/ROOT
  [ "$(find "$ROOT/d" -mindepth 2 -printf x | wc -c)" = 100000 ]
  [ "$(find "$ROOT/d" -type f -links 49 -printf x | wc -c)" = 98000 ]
  [ "$(cat "$ROOT/d/99/1999-47" "$ROOT/d/7/7-link")" = 19997 ]
}
