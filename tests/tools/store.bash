# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What crash and storm share: a scratch place with a store of its own, small images, and looking at what is left in the store.
T=$(mktemp -d "${CRASH_DIR:-$([ -w /dev/shm ] && echo /dev/shm || echo "${TMPDIR:-/tmp}")}/udocker-${0##*/}.XXXXXX")
trap 'chmod -R u+rwx "$T" 2>/dev/null; rm -rf "$T"' EXIT
trap 'exit 1' INT TERM HUP
WORK=$T/work STARTS=$T/start IN=$T/in
mkdir -p "$IN" "$STARTS" "$T/home" "$T/tmp" "$T/bin"
mkdir -m 700 "$T/run"
# Every path of the store is the same in a start and in its copies.
STORE=$WORK/store
unset "${!UDOCKER_@}"
export UDOCKER_DIR=$STORE UDOCKER_TARBALL='' HOME=$T/home TMPDIR=$T/tmp XDG_RUNTIME_DIR=$T/run LC_ALL=C.UTF-8
cd "$T" || exit 1

fail() {
  echo "${0##*/}: $*" >&2
  exit 1
}

# Small, but with more than one write, link and file of everything.
layer() { tar -C "$2" --sort=name --owner=0 --group=0 --numeric-owner --mtime=@1600000000 -cf "$1" .; }
make_inputs() {
  local i
  mkdir -p "$IN/base/bin" "$IN/top/etc"
  for i in {1..12}; do
    mkdir -p "$IN/base/d$i"
    head -c 6000 /dev/urandom >"$IN/base/d$i/f"
  done
  head -c 300000 /dev/urandom >"$IN/base/bin/big"
  ln -s f "$IN/base/d1/link"
  ln -s /d1/f "$IN/base/absolute"
  ln "$IN/base/d2/f" "$IN/base/d2/hard"
  echo one >"$IN/top/etc/which"
  layer "$IN/base.tar" "$IN/base"
  layer "$IN/one.tar" "$IN/top"
  echo other >"$IN/top/etc/which"
  layer "$IN/two.tar" "$IN/top"
  mkimage -f oci -z gzip -n one:1 "$IN/image.tar" "$IN/base.tar" "$IN/one.tar"
  mkimage -f oci -n one:1 "$IN/other.tar" "$IN/base.tar" "$IN/two.tar"
  mkimage -n docker:1 -n docker:2 "$IN/docker.tar" "$IN/base.tar" "$IN/one.tar"
  gzip -k "$IN/base.tar"
  make_engines 1.2.100 old
  make_engines 1.2.101 new
}

# Two engine archives: files that change, one that stays as it is, one that is in the first or the second alone, links.
make_engines() { # VERSION NAME
  local top=$IN/$2/udocker_dir
  mkdir -p "$top/bin" "$top/lib" "$top/doc"
  echo "$1" >"$top/lib/VERSION"
  echo same >"$top/doc/LICENSE.proot"
  for f in bin/proot-x86_64 bin/crun-x86_64 lib/libfakechroot-x86_64.so "bin/$2"; do
    { echo "$2 $f"; head -c 20000 /dev/urandom; } >"$top/$f"
  done
  ln -s "crun-x86_64" "$top/bin/runc-x86_64"
  tar -C "$IN/$2" -czf "$IN/$2.tar.gz" udocker_dir
}

# ---- looking -------------------------------------------------------------------------------------
# engines old|new: all of that set, and nothing else.
engines() {
  local part
  for part in bin lib doc; do
    diff -r --exclude='.install*' "$IN/$1/udocker_dir/$part" "$STORE/$part" >/dev/null || return 1
  done
  [ -z "$(find "$STORE"/{bin,lib,doc} -name .install -o -name .publish)" ]
}
no_engines() { [ -z "$(find "$STORE"/{bin,lib,doc} -mindepth 1 ! -name .install.lock)" ]; }
# Every file with a name of an engine is that of one set or the other.
assert_engines_whole() {
  local f path
  for f in "$STORE"/bin/* "$STORE"/lib/* "$STORE"/doc/*; do
    path=udocker_dir/${f#"$STORE"/}
    [ ! -e "$f" ] || cmp -s "$f" "$IN/old/$path" || cmp -s "$f" "$IN/new/$path" || fail "$*: $f is of no set"
  done
}
image() { udocker-image verify "$1" >/dev/null 2>&1; }
no_image() { ! udocker-image ls -q | grep -qx "$1"; }
has_layer() { grep -q "$(sha256sum "$2" | cut -d' ' -f1)" "$STORE/repos/${1/:/\/}/manifest"; }
no_garbage() { [ -z "$(unused_layers)" ] && [ ! -e "$STORE/repos/unfinished" ]; }
unused_layers() {
  local f
  find "$STORE/repos" -type l -printf '%f\n' | sort -u >"$T/linked"
  for f in "$STORE"/layers/* "$STORE"/layers/.[!.]*; do
    [ ! -e "$f" ] || rmdir "$f" 2>/dev/null || grep -qxF "${f##*/}" "$T/linked" || echo "${f##*/}"
  done
}
container() { udocker-bundle inspect "$1" >/dev/null 2>&1 && [ -e "$STORE/containers/$1/ROOT/bin/big" ]; }
no_container() { ! udocker-bundle inspect "$1" >/dev/null 2>&1; }
ids() { [ "$(udocker-bundle ls -q | wc -l)" -eq "$1" ]; }
# leads NAME PATTERN: where the absolute link of the image goes; nothing is left of a change.
leads() { # shellcheck disable=SC2053  # a pattern
  [[ $(readlink "$STORE/containers/$1/ROOT/absolute") == $2 ]] && [ ! -e "$STORE/containers/$1/execmode.next" ] &&
    [ ! -e "$STORE/containers/$1/.fakechroot" ]
}
mode() { [ "$(udocker-bundle setup "$1" | sed -n 's/^execmode: //p')" = "$2" ]; }
protected_container() { udocker-bundle ls --format json | grep -qE '"protected": ?true'; }
bundle() { cmp -s "$1/rootfs/bin/big" "$IN/base/bin/big" && [ -s "$1/config.json" ]; }
tarball() { tar -xOf "$1" --wildcards '*bin/big' 2>/dev/null | cmp -s - "$IN/base/bin/big"; }
archive() { # an archive or a layout that loads
  rm -rf "$T/second"
  udocker-image --repo="$T/second" load -q -i "$1" >/dev/null 2>&1 &&
    [ "$(udocker-image --repo="$T/second" ls -q | tr '\n' ' ')" = "one:1 two:2 " ]
}

copied() { # the same, of one image
  rm -rf "$T/second"
  udocker-image --repo="$T/second" load -q -i "$1" >/dev/null 2>&1 && [ "$(udocker-image --repo="$T/second" ls -q)" = one:1 ]
}

# diff_ids FILE: those of a configuration. jq is not asked: to start it takes longer than the commands that are tried.
diff_ids() {
  local text
  text=$(<"$1")
  [[ ${text//[[:space:]]/} =~ \"diff_ids\":\[([^]]*)\] ]] && echo "${BASH_REMATCH[1]}"
}

# Whether the name of a container's image is still that of the image it was made of.
has_image() {
  local name tag config ids
  name=$(<"$STORE/containers/$1/imagerepo.name")
  tag=$STORE/repos/${name/:/\/}
  [ -e "$tag/manifest" ] || return 1
  config=$(<"$tag/manifest")
  [[ ${config//[[:space:]]/} =~ \"config\":\{[^}]*\"digest\":\"([^\"]*)\" ]] || return 1
  ids=$(diff_ids "$STORE/layers/${BASH_REMATCH[1]}")
  [ -n "$ids" ] && [ "$ids" = "$(diff_ids "$STORE/containers/$1/container.json")" ]
}

# Every image and container that is listed is whole. A container without its image, an imported one too, cannot be compared.
HAVE_VERIFY=yes
assert_whole() {
  local names id
  [ -d "$STORE/repos" ] || return 0
  assert_engines_whole "$@"
  mapfile -t names < <(udocker-image ls -q)
  [ ${#names[@]} -eq 0 ] || udocker-image verify "${names[@]}" >seen 2>&1 || fail "$*: $(cat seen)"
  for id in $(udocker-bundle ls -q); do
    [ -e "$STORE/containers/$id/config.json" ] && [ -e "$STORE/containers/$id/ROOT/bin/big" ] ||
      fail "$*: half a container: $(find "$STORE/containers/$id" | head -20)"
    [ -z "$HAVE_VERIFY" ] || ! has_image "$id" || udocker-bundle verify "$id" >seen 2>&1 || fail "$*: $(cat seen)"
  done
}

# No temporary name, no staging directory, nothing hidden among the containers, no name that leads nowhere.
assert_clean() {
  local left
  left=$(find "$WORK" \( -name '.tmp-*' -o -path '*/.gc/*' -o -path '*/.stage/*' -o -path '*/containers/.*' -o -name '.*.udocker-*' \) -print \
    2>/dev/null | head -5)
  [ ! -d "$STORE/containers" ] || left+=$(find "$STORE/containers" -mindepth 1 -maxdepth 1 -xtype l)
  [ -z "$left" ] || fail "$*: left behind: $left"
}

# udocker 1.3.x sees the images and containers that we see, and finds them whole (PYTHON_VERIFIES of the images: it is slow).
assert_python_reads() {
  command -v udocker.py >/dev/null && [ -d "$STORE/repos" ] || return 0
  local name id listed left=${PYTHON_VERIFIES:-1000}
  listed=$(udocker.py --allow-root images 2>&1)
  for name in $(udocker-image ls -q); do
    [[ $listed == *"$name "* ]] || fail "$*: 1.3.x does not list $name: $listed"
    [ $((left--)) -gt 0 ] || continue
    udocker.py --allow-root verify "$name" >seen 2>&1 || fail "$*: 1.3.x: $(cat seen)"
    ! grep -i warning seen || fail "$*: 1.3.x warns: $(cat seen)"
  done
  listed=$(udocker.py --allow-root ps 2>&1)
  for id in $(udocker-bundle ls -q); do [[ $listed == *"$id "* ]] || fail "$*: 1.3.x does not list $id: $listed"; done
}
