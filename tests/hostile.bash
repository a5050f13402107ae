# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034,SC2154
# What the hostile*.bats files share: input that attacks is given to a command, and what a user may rely on is looked at
# afterwards: the status, one clear line, nothing half-made in the store, nothing touched outside of it, bounded memory.

load "${BASH_SOURCE[0]%/*}/helpers" # also for tests/long

# MiB that a command may have in memory; a sanitizer takes many times that.
hostile_setup() {
  common_setup
  mkdir outside
  echo secret >outside/victim
  chmod 640 outside/victim
  ln -s victim outside/link
  mkdir outside/dir
  echo below >outside/dir/file
  BOUND=(bounded -t 300 -m "${MEMORY:-64}")
  ! grep -q __asan_init "$SUITE_BIN/udocker-image" || BOUND=(bounded -t 300)
}

setup() { hostile_setup; }

# Everything outside of the store, with modes, link counts, sizes and contents.
outside_now() {
  printf '%s\n' "$(<"$T/outside/victim")" "$(<"$T/outside/dir/file")"
  {
    find "$T/outside" -printf 'outside/%P %y %m %n %s %l\n'
    find "$T" -mindepth 1 -maxdepth 1 ! -name '*.tar' ! -name bundle ! -name d ! -name 'separate-stderr-*' -printf '%P\n'
  } | sort
}

# Nothing of a container, an image or staging is in the store.
store_empty() {
  local left
  [ -d "$STORE" ] || return 0
  left=$(cd "$STORE" && find . -mindepth 1 -regextype posix-extended \
    ! -regex '\./(\.lock[^/]*|\.listing|\.stage|repos|layers|containers|bin|lib|doc)')
  [ -z "$left" ] || fail "$NAME: left in the store: ${left:0:400}"
}

# fails_clearly WORDS: the last command ended with 1 and one line that holds each of the |-separated words, shows no control characters
# and is of a length that a terminal can show.
fails_clearly() {
  local word each
  [ "$status" -eq 1 ] || fail "$NAME: exit status $status, wanted 1"
  assert_one_error_line
  assert_output ""
  IFS='|' read -ra each <<<"$1"
  for word in "${each[@]}"; do
    [[ $stderr == *"$word"* ]] || fail "$NAME: the message has no: $word"
  done
  [ ${#stderr} -le 1500 ] || fail "$NAME: a message of ${#stderr} characters"
  assert_shown_safely
}

# What a terminal would take for a command, or what is no UTF-8, reaches neither stream.
assert_shown_safely() {
  local LC_ALL=C bad plain=$'^[\t\n -~]*$'
  [[ ! $output$stderr =~ $plain ]] || return 0
  bad=$(printf '%s%s' "$output" "$stderr" | LC_ALL=C tr -d '\11\12\40-\176\200-\377')
  [ -z "$bad" ] || fail "$NAME: control characters are shown"
  # U+0080 to U+009F: U+009B alone begins a command.
  ! printf '%s%s' "$output" "$stderr" | LC_ALL=C grep -q $'\xc2[\x80-\x9f]' || fail "$NAME: control characters are shown"
  printf '%s%s' "$output" "$stderr" | iconv -f UTF-8 -t UTF-8 >/dev/null 2>&1 || fail "$NAME: what is shown is no UTF-8"
}

bounded_run() { run --separate-stderr "${BOUND[@]}" "$@"; }

# The scripts on stdin, separated by lines of ---, as layer1.tar and so on; N is their number.
make_layers() {
  local i
  N=$(LC_ALL=C awk 'BEGIN { f = "layer" ++n ".script" } /^---$/ { print "end" >f; f = "layer" ++n ".script"; next } { print >f }
    END { print "end" >f; print n }')
  for ((i = 1; i <= N; i++)); do
    mktar <"layer$i.script" >"layer$i.tar"
    rm "layer$i.script"
  done
}

# deep_folders LINKS: each link leads 1990 folders further down than the one before, and no name is longer than 4095 bytes.
# With more than 20 links in a row the kernel, which may look twice and then counts them twice, says at times that they are too many.
deep_folders() {
  local d i
  d=$(printf 'd/%.0s' {1..1990})
  echo "dir $d"
  for ((i = 1; i <= $1; i++)); do
    echo "link s$i $([ "$i" -eq 1 ] || echo "s$((i - 1))/")${d%/}"
    echo "dir s$i/$d"
  done
}

stored() { # the layers as image evil:1
  local tars=() i
  for ((i = 1; i <= N; i++)); do tars+=("layer$i.tar"); done
  rm -f image.tar
  mkimage -n evil:1 image.tar "${tars[@]}"
  bounded_run udocker-image load -i image.tar
  [ "$status" -eq 0 ] || fail "$NAME: load: exit status $status"
  rm -f image.tar
}

# Both ways to make a container of evil:1. $1: ok, or create when it must fail; then what is left is looked at.
creates() {
  local want=$1 words=$2 check=$3
  bounded_run udocker-bundle create --no-sync evil:1
  if [ "$want" = ok ]; then
    [ "$status" -eq 0 ] || fail "$NAME: create: exit status $status"
    assert_shown_safely
    ROOT=$STORE/containers/$output/ROOT
    [ -z "$check" ] || eval "$check" || fail "$NAME: not so: $check"
    bounded_run udocker-bundle rm "$output"
    [ "$status" -eq 0 ] || fail "$NAME: rm: exit status $status"
  else
    fails_clearly "$words"
    [ -z "$(ls -A "$STORE/containers")" ] || fail "$NAME: a container is there"
  fi
  bounded_run udocker-bundle create --no-sync --bundle bundle evil:1
  if [ "$want" = ok ]; then
    [ "$status" -eq 0 ] || fail "$NAME: create --bundle: exit status $status"
    ROOT=$T/bundle/rootfs
    [ -z "$check" ] || eval "$check" || fail "$NAME: in the bundle not so: $check"
    rm -rf bundle
  else
    fails_clearly "$words"
  fi
  refute_file bundle
  [ -z "$(find "$T" -maxdepth 1 -name '.*udocker-*')" ] || fail "$NAME: staging is left"
  bounded_run udocker-image verify evil:1
  [ "$status" -eq 0 ] || fail "$NAME: the image is damaged"
}

# layer_case NAME WHO WORDS [CHECK]   with what mktar reads on stdin. WHO: import, when import refuses it (and create, if it comes in an
# image); create, when create does; ok, when nobody need to, and then CHECK must be true for the new $ROOT.
layer_case() {
  NAME=$1
  local who=$2 words=$3 check=${4:-} before
  make_layers
  before=$(outside_now)
  if [ "$N" -eq 1 ]; then
    bounded_run udocker-image import layer1.tar evil:1
    if [ "$who" = import ]; then
      fails_clearly "$words|; "
      store_empty
      stored
    else
      [ "$status" -eq 0 ] || fail "$NAME: import: exit status $status"
    fi
  else
    stored
  fi
  creates "$who" "$words" "$check"
  ok udocker-image rm evil:1
  store_empty
  rm -f layer*.tar
  [ "$(outside_now)" = "$before" ] || fail "$NAME: changed outside: $(diff <(printf '%s' "$before") <(outside_now))"
}

# ---- image archives --------------------------------------------------------------------------------------------------------------

sha() { sha256sum "$1" | cut -d' ' -f1; }

# docker_tree: d/ as docker 1.10 to 24 would unpack it, of one layer; CONFIG and LAYER are the paths in it.
docker_tree() {
  rm -rf d
  mkdir -p d/aaa
  printf 'file file 0644 content\nend\n' | mktar >d/aaa/layer.tar
  LAYER=aaa/layer.tar
  docker_config "{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{},\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:$(sha d/$LAYER)\"]}}"
}

# docker_config JSON [TAGS [LAYERS]]: another configuration, and a manifest.json for it.
docker_config() {
  [ -z "${CONFIG:-}" ] || rm -f "d/$CONFIG"
  printf '%s' "$1" >d/config
  CONFIG=$(sha d/config).json
  mv d/config "d/$CONFIG"
  printf '[{"Config":"%s","RepoTags":%s,"Layers":%s}]' "$CONFIG" "${2:-[\"evil:1\"]}" "${3:-[\"$LAYER\"]}" >d/manifest.json
}

# oci_blob FILE: moves it into d/blobs, prints a descriptor of MEDIA-TYPE.
oci_blob() {
  local digest size
  digest=$(sha "$1") size=$(stat -c %s "$1")
  mv "$1" "d/blobs/sha256/$digest"
  printf '{"mediaType":"%s","digest":"sha256:%s","size":%s}' "$2" "$digest" "$size"
}

OCI=application/vnd.oci.image
# oci_tree: d/ as an OCI layout of one layer; MANIFEST and LAYER are descriptors.
oci_tree() {
  rm -rf d
  mkdir -p d/blobs/sha256
  printf '{"imageLayoutVersion":"1.0.0"}' >d/oci-layout
  printf 'file file 0644 content\nend\n' | mktar >l
  printf '{"architecture":"amd64","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' "$(sha l)" >c
  LAYER=$(oci_blob l $OCI.layer.v1.tar)
  oci_manifest "$(oci_blob c $OCI.config.v1+json)" "[$LAYER]"
}

# oci_manifest CONFIG LAYERS: an index.json with a manifest of these.
oci_manifest() {
  printf '{"schemaVersion":2,"mediaType":"%s","config":%s,"layers":%s}' $OCI.manifest.v1+json "$1" "$2" >m
  MANIFEST=$(oci_blob m $OCI.manifest.v1+json)
  oci_index "[$MANIFEST]"
}
oci_index() { printf '{"schemaVersion":2,"manifests":%s}' "$1" >d/index.json; }

# path_of DESCRIPTOR: where its blob lies.
path_of() { printf 'd/blobs/sha256/%s' "$(jq -r '.digest[7:]' <<<"$1")"; }

# load_case NAME ok|fail WORDS: d/ as an archive, each second time through a pipe, and as a directory; nothing is left when it fails, or once it is removed.
load_case() {
  NAME=$1
  local before way
  before=$(outside_now)
  tar -C d -cf d.tar .
  TURN=$((1 - ${TURN:-0}))
  for way in $([ $TURN = 0 ] && echo pipe || echo archive) directory; do
    case $way in
      archive) bounded_run udocker-image load -q -i d.tar ;;
      pipe) bounded_run sh -c 'cat d.tar | udocker-image load -q' ;;
      directory) bounded_run udocker-image load -q -i d ;;
    esac
    NAME="$1, $way"
    if [ "$2" = fail ]; then
      fails_clearly "$3"
      [[ $stderr == *"; "* || $stderr == *" are supported" || $stderr == *" is not 1.x" ]] || fail "$NAME: the message does not say what to do"
    else
      [ "$status" -eq 0 ] || fail "$NAME: exit status $status"
      assert_shown_safely
      mapfile -t names <<<"$output"
      ok udocker-image verify "${names[@]}"
      ok udocker-image rm "${names[@]}"
    fi
    store_empty
  done
  rm -f d.tar
  [ "$(outside_now)" = "$before" ] || fail "$NAME: changed outside: $(diff <(printf '%s' "$before") <(outside_now))"
}

# refused WORDS CMD...: it fails clearly and leaves nothing.
refused() {
  local words=$1
  NAME=${*:2}
  bounded_run "${@:2}"
  fails_clearly "$words"
  store_empty
}
