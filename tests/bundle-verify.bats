#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# bats: also as root
# verify: what has become of a container since its image made it. Every difference is named, and nothing else.

load helpers

setup() {
  common_setup
  busybox_container c1
  ROOT=$BUNDLE/ROOT
}

# differs COUNTS LINE…: status 1, exactly these differences and a last line with their numbers.
differs() {
  local counts=$1
  shift
  fails 1 udocker-bundle verify c1
  assert_output ""
  local want
  want=$(printf 'udocker-bundle: error: container c1: %s\n' "$@")
  want+=$'\n'"udocker-bundle: error: container c1 is not as image bb:1 made it: $counts"
  [ "$stderr" = "$want" ] || fail "stderr is not: $want"
}

@test "a new container is as its image made it, by name, id and prefix" {
  ok udocker-bundle verify c1 "$ID" "${ID:0:6}"
  assert_output "c1: ok
$ID: ok
${ID:0:6}: ok"
  assert_no_stderr
}

@test "what is missing is named, of a folder itself alone" {
  rm -r "${ROOT:?}/home" "$ROOT/etc/group" "$ROOT/bin/ls"
  differs "3 missing, 0 changed, 0 extra" "missing: '/bin/ls': a symbolic link" "missing: '/etc/group': a file" \
    "missing: '/home': a directory"
}

@test "what is extra is named, of a folder itself alone" {
  mkdir -p "$ROOT/new/a/b" "$ROOT/empty"
  touch "$ROOT/new/a/x" "$ROOT/etc/x"
  ln -s x "$ROOT/etc/y"
  mkfifo "$ROOT/etc/z"
  differs "0 missing, 0 changed, 5 extra" "extra: '/empty': an empty directory" "extra: '/etc/x': a file" \
    "extra: '/etc/y': a symbolic link" "extra: '/etc/z': a FIFO" "extra: '/new': a directory with 3 entries"
}

@test "content, permissions, types and link targets that changed" {
  echo more >>"$ROOT/etc/passwd"
  sed -i s/root/toor/ "$ROOT/etc/group"
  chmod 700 "$ROOT/var"
  chmod 755 "$ROOT/tmp"
  chmod 666 "$ROOT/etc/os-release"
  ln -sf other "$ROOT/bin/ls"
  rm "$ROOT/bin/cat"
  mkdir -p "$ROOT/bin/cat/in"
  rm -r "${ROOT:?}/home"
  echo file >"$ROOT/home"
  differs "0 missing, 8 changed, 0 extra" \
    "changed: '/bin/cat': is a directory, was a symbolic link" \
    "changed: '/bin/ls': leads to 'other', led to 'busybox'" \
    "changed: '/etc/group': content differs" \
    "changed: '/etc/os-release': mode is 0666, was 0644" \
    "changed: '/etc/passwd': $(stat -c %s "$ROOT/etc/passwd") bytes, was 71" \
    "changed: '/home': is a file, was a directory" \
    "changed: '/tmp': mode is 0755, was 1777" \
    "changed: '/var': mode is 0700, was 0755"
}

@test "a byte that a disk lost is told from one that a program wrote" {
  local time
  time=$(stat -c %y "$ROOT/bin/busybox")
  printf Z | dd of="$ROOT/bin/busybox" bs=1 seek=70000 conv=notrunc status=none
  cmp -s "$ROOT/bin/busybox" "$(command -v busybox)" && printf Y | dd of="$ROOT/bin/busybox" bs=1 seek=70000 conv=notrunc status=none
  touch -d "$time" "$ROOT/bin/busybox"
  differs "0 missing, 1 changed, 0 extra" \
    "changed: '/bin/busybox': content differs, though size and time are those of the image"
}

@test "what does not count: times, links among files, set-id bits, holes" {
  touch "$ROOT/etc/passwd" "$ROOT/etc"
  cp -p "$ROOT/etc/group" x && mv x "$ROOT/etc/group"
  chmod u+s "$ROOT/bin/busybox"
  cp --sparse=always "$ROOT/bin/busybox" x && cat x >"$ROOT/bin/busybox"
  ok udocker-bundle verify c1
  assert_output "c1: ok"
}

@test "metadata: missing, damaged or another's" {
  rm "$BUNDLE/container.json"
  echo '{"ociVersion":' >"$BUNDLE/config.json"
  fails 1 udocker-bundle verify c1
  assert_stderr_contains "container c1: missing: 'container.json'"
  assert_stderr_contains "container c1: changed: 'config.json'"
  assert_stderr_contains "1 missing, 1 changed, 0 extra"
  echo '{"config":{}}' >"$BUNDLE/container.json"
  fails 1 udocker-bundle verify c1
  assert_stderr_contains "'container.json': it is not the configuration of the image"
  rm -r "$ROOT"
  fails 1 udocker-bundle verify c1
  assert_stderr_contains "missing: '/'"
}

@test "without its image, with another image of its name, with a damaged image" {
  printf 'file x 0644 y\nend\n' | mktar >other.tar
  mkimage -n bb:1 other-image.tar other.tar
  udocker-image tag bb:1 kept:1
  udocker-image load -q -i other-image.tar >/dev/null
  fails 1 udocker-bundle verify c1
  assert_one_error_line
  assert_stderr_contains "another image"
  udocker-image rm bb:1
  fails 1 udocker-bundle verify c1
  assert_one_error_line
  assert_stderr_contains "bb:1"
  printf kept:1 >"$BUNDLE/imagerepo.name"
  ok udocker-bundle verify c1
  local layer
  layer=$(jq -r '.layers[0].digest' "$STORE/repos/kept/1/manifest")
  printf X | dd of="$STORE/layers/$layer" bs=1 seek=2000 conv=notrunc status=none
  fails 1 udocker-bundle verify c1
  assert_one_error_line
  assert_stderr_contains "$layer"
  rm "$STORE/layers/$layer"
  fails 1 udocker-bundle verify c1
  assert_one_error_line
  assert_stderr_contains "$layer"
  rm "$BUNDLE/imagerepo.name"
  fails 1 udocker-bundle verify c1
  assert_one_error_line
  assert_stderr_contains "imagerepo.name"
}

@test "several: each is looked at, one that differs makes the status 1" {
  udocker-bundle create --name=c2 bb:1 >/dev/null
  touch "$ROOT/extra"
  fails 1 udocker-bundle verify c1 nothing c2
  assert_output "c2: ok"
  assert_stderr_contains "extra: '/extra'"
  assert_stderr_contains "no such container: 'nothing'"
}

@test "mount points that runs have made are no difference, what was put into them is" {
  mkdir -p "$ROOT/data/deep" "$BUNDLE/.mountpoints"
  touch "$ROOT/etc/hosts-of-run"
  ln -s '#' "$BUNDLE/.mountpoints/#data#deep"
  ln -s '#etc' "$BUNDLE/.mountpoints/#etc#hosts-of-run"
  ok udocker-bundle verify c1
  echo x >"$ROOT/data/deep/file"
  echo x >"$ROOT/etc/hosts-of-run"
  differs "0 missing, 0 changed, 2 extra" "extra: '/data/deep/file': a file" "extra: '/etc/hosts-of-run': a file"
}

@test "a run with a volume leaves nothing that verify would tell" {
  requires proot
  mkdir vol
  ok udocker run --nobanner -v "$T/vol:/mnt/new" c1 /bin/true
  ok udocker-bundle verify c1
  ok udocker run --nobanner c1 /bin/sh -c 'echo x >/root/made'
  differs "0 missing, 0 changed, 1 extra" "extra: '/root/made': a file"
}

@test "files that R modes of 1.3.x moved aside are compared where they lie" {
  mkdir -p "$BUNDLE/.bind_orig_files" "$BUNDLE/.mountpoints" "$ROOT/.bind_host_files"
  mv "$ROOT/etc/passwd" "$BUNDLE/.bind_orig_files/#etc#passwd"
  ln -s '/.bind_host_files/#etc#passwd' "$ROOT/etc/passwd"
  ok udocker-bundle verify c1
  echo x >>"$BUNDLE/.bind_orig_files/#etc#passwd"
  differs "0 missing, 1 changed, 0 extra" "changed: '/etc/passwd': 73 bytes, was 71"
}

@test "what cannot be read is told" {
  requires user
  chmod 000 "$ROOT/etc/passwd" "$ROOT/home"
  differs "0 missing, 2 changed, 0 extra" "changed: '/etc/passwd': mode is 0000, was 0644; cannot be read: Permission denied" \
    "changed: '/home': mode is 0000, was 0755; cannot be looked into"
  chmod 755 "$ROOT/home"
}

@test "names with control characters do no harm, a clone is verified like its original" {
  touch "$ROOT/etc/"$'evil\e[2Jname\nline'
  fails 1 udocker-bundle verify c1
  assert_stderr_contains 'evil\x1b[2Jname\nline'
  rm "$ROOT/etc/evil"*
  udocker-bundle clone --name=copy c1 >/dev/null
  ok udocker-bundle verify copy
  udocker-bundle create --keep-setid --name=set bb:1 >/dev/null
  ok udocker-bundle verify set
}

@test "nothing is written: a read-only store can be verified" {
  requires userns
  # shellcheck disable=SC2016
  run --separate-stderr unshare -Urm sh -c 'mount --bind "$UDOCKER_DIR" "$UDOCKER_DIR" && mount -o remount,bind,ro "$UDOCKER_DIR" || exit 77
    udocker-bundle verify c1'
  [ "$status" -ne 77 ] || skip "no bind mounts in a user namespace"
  assert_output "c1: ok"
}

@test "udocker verify: images as 1.3.x, containers where no image has the name" {
  ok udocker verify bb:1
  assert_contains "image Ok"
  ok udocker verify c1
  assert_output "c1: ok"
  fails 1 udocker verify nothing
  assert_one_error_line
  fails 1 udocker verify
  fails 2 udocker-bundle verify
}

@test "containers that 1.3.x made of images that it stored" {
  rm -rf "$STORE"
  tar -C "$HOME" -xJf "$SUITE_SRC/tests/fixtures/store-1.3.16.tar.xz"
  ok udocker-bundle verify c1
  assert_output "c1: ok"
  echo x >>"$STORE/containers/c1/ROOT/etc/layer"
  fails 1 udocker-bundle verify c1
  assert_stderr_contains "changed: '/etc/layer'"
  assert_stderr_contains "0 missing, 1 changed, 0 extra"
}

@test "whatever layers do to each other, a new container is as they made it" {
  cat >layers.py <<'PY'
# Four layers of few names, so that everything meets everything: layers.py SEED
import io, random, sys, tarfile
rnd = random.Random(int(sys.argv[1]))
DIRS, LEAVES = ["A", "B", "C"], ["x", "y", "z"]
files = []
def above():
    return "".join(rnd.choice(DIRS) + "/" for _ in range(rnd.choice([0, 1, 1, 2])))
def entry(name):
    """A tar header and its content for one name, or another name in its place."""
    e, data = tarfile.TarInfo(name), None
    e.mode = rnd.choice([0o644, 0o755, 0o4755, 0o400, 0o1777, 0])
    e.mtime = rnd.randint(0, 2000000000)
    what = rnd.random()
    if what < 0.35:
        data = rnd.choice([b"", b"x", bytes(5000), bytes(4096) + b"y", rnd.randbytes(rnd.randint(1, 20000))])
        files.append(name)
    elif what < 0.5:
        e.name, e.type = above() + rnd.choice(DIRS + LEAVES), tarfile.DIRTYPE
    elif what < 0.58:
        e.type, e.linkname = tarfile.SYMTYPE, above() + rnd.choice(LEAVES)
    elif what < 0.63:
        # Onwards only: links in a circle make an image that no ROOT can take.
        n = rnd.randrange(len(DIRS) - 1)
        e.name, e.type = DIRS[n], tarfile.SYMTYPE
        e.linkname = rnd.choice(["", "/", "../"]) + rnd.choice(DIRS[n + 1:])
    elif what < 0.7 and files:
        e.type, e.linkname = tarfile.LNKTYPE, files[-1]
        e.name = rnd.choice([name, above() + rnd.choice(DIRS)])
    elif what < 0.74:
        e.type = tarfile.FIFOTYPE
    elif what < 0.78:
        e.type = tarfile.CHRTYPE
    elif what < 0.88:
        e.name = above() + ".wh." + rnd.choice(DIRS + LEAVES)
    elif what < 0.96:
        e.name = above() + ".wh..wh..opq"
    elif what < 0.98:
        e.name, data = ".wh..wh.plnk/" + rnd.choice(LEAVES), b"linked"
    else:
        e.name, e.type = "./", tarfile.DIRTYPE
    e.size = len(data or b"")
    return e, data
for n in range(4):
    files.clear()
    with tarfile.open(f"layer{n}.tar", "w", format=tarfile.PAX_FORMAT) as t:
        for _ in range(rnd.randint(1, 12)):
            e, data = entry(above() + rnd.choice(LEAVES))
            t.addfile(e, io.BytesIO(data) if data is not None else None)
PY
  local seed made=0 id last
  last=$(as_often 34 8)
  for ((seed = 1; seed <= last; seed++)); do
    python3 layers.py "$seed"
    mkimage -f oci -n "random:$seed" image.tar layer0.tar layer1.tar layer2.tar layer3.tar
    udocker-image load -q -i image.tar >/dev/null
    # Some images no ROOT can take, a hard link to nothing for one.
    id=$(udocker-bundle create --no-sync "random:$seed" 2>err) || {
      [ "$(wc -l <err)" -eq 1 ]
      continue
    }
    made=$((made + 1))
    ok udocker-bundle verify "$id" || fail "seed $seed"
    assert_no_stderr
  done
  [ $made -ge $((last / 2)) ] || fail "only $made of the images became containers"
}

# It stands still where its messages fill the pipe, until the container is gone.
@test "a container that is removed meanwhile is none, and not a damaged one" {
  local pid status=0
  (cd "$ROOT" && seq -f '1-extra-%g' 3000 | xargs touch)
  mkfifo pipe
  udocker-bundle verify c1 >out 2>pipe &
  pid=$!
  exec 8<pipe
  head -c 1000 <&8 >/dev/null
  ok udocker-bundle rm c1
  cat <&8 >err
  exec 8<&-
  wait $pid || status=$?
  [ $status -eq 1 ]
  [ ! -s out ]
  ! grep "missing" err || fail "what was removed is told as missing"
  [ "$(tail -1 err)" = "udocker-bundle: error: no such container: '$ID'" ]
}
