# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034,SC2154  # bats sets status, output, stderr; the tests use what is set here
# The same work for every execution mode. Each file of battery/ is a script that runs inside a guest, in an empty folder of its own;
# its lines "#> " are what it prints, "# needs:" names the programs without which a guest leaves it out. What a mode cannot do is said
# by the engines themselves (`udocker-runtime engines --format json`, "limits"): work that fails without such a row is a failure, and so is
# work that succeeds in spite of one.

BATTERY=$(dirname "${BASH_SOURCE[0]}")/battery
BATTERY_MODES="P1 P2 F1 F2 F3 F4 R1 R2 R3 S1 T1 T2"

# ---- guests: functions that make a root file system in DIR -----------------------------------------

# What all have: the scripts, folders to work in, what they read.
guest_common() {
  mkdir -p "$1/battery" "$1/work" "$1/tmp" "$1/usr/share/zoneinfo/Europe"
  cp "$BATTERY"/* "$1/battery"
  cp /usr/share/zoneinfo/Europe/Berlin "$1/usr/share/zoneinfo/Europe/"
  rm -f "$1/etc/os-release" # a link in Debian
  printf 'NAME="udocker demo"\nID=demo\n' >"$1/etc/os-release"
}

# busybox and guestwork, statically linked.
guest_static() {
  mkrootfs "$1"
  ln -sf ../../bin/env "$1/usr/bin/env"
  cp "$SUITE_TOOLS/guestwork" "$1/bin"
  guest_common "$1"
}

# Programs of this machine, linked with its C library.
guest_glibc() {
  local lib=usr/lib/python3.11
  mkrootfs "$1"
  rm "$1"/bin/*
  addprograms "$1" bash dash awk cat chgrp chmod chown cp cut date dd dpkg dpkg-deb dpkg-query dpkg-split env find git grep gzip head id \
    ldconfig ln locale ls mkdir mkfifo mknod mv od perl /usr/bin/python3 readlink rm rmdir sed seq sleep sort stat tail tar touch tr diff start-stop-daemon setsid \
    /usr/bin/echo /usr/bin/pwd /usr/bin/true truncate uname wc xargs yes /usr/lib/locale/C.utf8/ 
  for p in "$1"/usr/bin/*; do [ -e "$1/bin/${p##*/}" ] || ln -s "../usr/bin/${p##*/}" "$1/bin/"; done
  ln -s dash "$1/bin/sh"
  mkdir -p "$1/$lib" "$1"/var/lib/dpkg/{info,updates,triggers}
  : >"$1/var/lib/dpkg/status"
  cp -r "/$lib"/{*.py,collections,encodings,importlib,json,re} "$1/$lib"
  mkdir -p "$1/usr/share/git-core/templates"
  ln -s git "$1/usr/bin/git-upload-pack"
  cp "$SUITE_TOOLS/guestwork.dynamic" "$1/usr/bin/guestwork"
  cp "$(command -v busybox)" "$1/usr/bin/busybox-static"
  guest_common "$1"
}

# Busybox, and guestwork with musl and its loader, as Debian's package has it.
guest_musl() {
  local loader
  loader=$(readelf -p .interp "$SUITE_TOOLS/guestwork.musl" | grep -o '/lib/ld-musl.*')
  guest_static "$1"
  mkdir -p "$1/lib"
  cp -L "$loader" "$1$loader"
  cp "$SUITE_TOOLS/guestwork.musl" "$1/bin/guestwork"
}

# Debian 12, from the network once in a while: SUITE_CACHE keeps it.
guest_debian() {
  local cache=${SUITE_CACHE:-/var/tmp/udocker-tests-$(id -u)}
  mkdir -p "$cache"
  [ -O "$cache" ] || fail "$cache is somebody else's"
  [ -e "$cache/debian-12.tar" ] || mkdebian "$cache/debian-12.tar"
  mkdir "$1"
  tar -C "$1" -xf "$cache/debian-12.tar" --exclude './dev/*'
  cp "$SUITE_TOOLS/guestwork.dynamic" "$1/usr/bin/guestwork"
  cp "$(command -v busybox)" "$1/usr/bin/busybox-static"
  guest_common "$1"
}

# battery_image GUEST: an image of it, made once per file; its archive goes into this test's store as GUEST:1.
battery_image() {
  local tar=$BATS_FILE_TMPDIR/$1.tar dir=$BATS_FILE_TMPDIR/$1.$BASHPID
  # Tests of one file run at once: one makes it, the others wait.
  exec 9>"$tar.lock"
  flock 9
  if [ ! -e "$tar" ]; then
    "guest_$1" "$dir"
    tar -C "$dir" -cf "$tar.new" .
    mv "$tar.new" "$tar"
    chmod -R u+w "$dir"
    rm -rf "$dir"
  fi
  exec 9>&-
  udocker-image import "$tar" "$1:1" >/dev/null
}

# ---- work ------------------------------------------------------------------------------------------

# limit ITEM: what the engine says of this work in MODE; "" when it says it can be done.
limit() { awk -F '\t' -v w="$1" '$1 == w { print $2 }' "$T/limits"; }

# has_all PROGRAM...: does the guest?
has_all() {
  local program at
  for program in "$@"; do
    for at in bin usr/bin usr/sbin none; do
      [ $at != none ] || return 1
      [ ! -e "$BUNDLE/ROOT/$at/$program" ] && [ ! -L "$BUNDLE/ROOT/$at/$program" ] || break
    done
  done
}

# in_guest COMMAND...: a container of ENGINE and MODE.
in_guest() {
  udocker-bundle config -v "$T/vol:/vol" -e PATH=/usr/sbin:/usr/bin:/sbin:/bin -e LC_ALL=C -o "$T/config.json" "$C" "$@" || return
  timeout 280 udocker-runtime --engine "$ENGINE" --execmode "$MODE" run -b "$BUNDLE" --config "$T/config.json" "battery-$$" </dev/null >"$T/out" 2>"$T/err"
}

failed() { printf '%s %s, %s: %s\n' "$ENGINE" "$MODE" "$GUEST" "$*" >>"$T/failed"; }

# judge ITEM: what came of it against what the engine says.
judge() {
  local at=$BUNDLE/ROOT/work/$1 note
  note=$(limit "$1")
  sed -n 's/^#> //p' "$BATTERY/$1" >"$T/wanted"
  if [ "$(cat "$at.status" 2>/dev/null)" = 0 ] && cmp -s "$at.out" "$T/wanted"; then
    [ -z "$note" ] || failed "$1 works, where udocker-engines(7) says: $note"
  elif [ -z "$note" ]; then
    failed "$1: $({ cat "$at.status"; diff "$T/wanted" "$at.out"; head -n 5 "$at.err"; } 2>&1)"
  fi
}

# Each item, one after the other in one container.
work_through() {
  local item items=()
  for item in "${ITEMS[@]}"; do
    # shellcheck disable=SC2046
    if has_all $(sed -n 's/^# needs://p' "$BATTERY/$item"); then
      items+=("$item")
    elif [ "$GUEST" = debian ]; then
      failed "$item: the guest has not what it takes"
    fi
  done
  # The row of this one work says why most others fail.
  [ "$ENGINE $GUEST_KIND" != "runsc glibc" ] || items=(statx)
  # shellcheck disable=SC2016
  in_guest /bin/sh -c 'for i; do mkdir "/work/$i" && cd "/work/$i" && sh "/battery/$i" >"../$i.out" 2>"../$i.err" </dev/null; echo $? >"../$i.status"; done' sh "${items[@]}" ||
    failed "ended with $?: $(cat "$T/out" "$T/err")"
  for item in "${items[@]}"; do judge "$item"; done
  DONE=$((DONE + ${#items[@]}))
}

# A guest that the mode cannot start is refused, in a line.
refuses_guest() {
  local status=0
  in_guest /bin/sh -c 'echo started' || status=$?
  [ "$status" = 125 ] && [ "$(wc -l <"$T/err")" = 1 ] || failed "not refused: $(cat "$T/out" "$T/err")"
  DONE=$((DONE + 1))
}

# A path of a socket is short: so is that of the store.
battery_setup() {
  common_setup
  STORE=$(mktemp -d /tmp/ub.XXXXXX)
  export UDOCKER_DIR=$STORE
}
battery_teardown() {
  chmod -R u+rwx "$STORE" 2>/dev/null || true
  rm -rf "$STORE"
}

# Where neither Singularity nor Apptainer is installed, what stands for them does the work, in a user namespace of the ids that theirs would have.
stand_in_for_singularity() {
  if command -v apptainer >/dev/null || command -v singularity >/dev/null || ! unshare -Ur true; then return 0; fi
  mkdir "$T/stand-in"
  cp "$SUITE_TOOLS/singularity-double" "$T/stand-in/apptainer"
  echo "apptainer 1.3.4" >"$T/stand-in/RELEASE"
  if command -v newuidmap >/dev/null && grep -q "^$(id -un):" /etc/subuid && grep -q "^$(id -un):" /etc/subgid; then : >"$T/stand-in/SUBIDS"; fi
  PATH=$T/stand-in:$PATH
}

# battery GUEST KIND MODE: all the work with each engine of the mode that works here. KIND: static, glibc or musl.
battery() {
  local reasons
  GUEST=$1 GUEST_KIND=$2 MODE=$3 DONE=0
  [ "$MODE" != S1 ] || stand_in_for_singularity 2>/dev/null
  udocker-runtime engines --format json >"$T/engines.json"
  reasons=$(jq -r --arg m "$MODE" '[.[] | select(.modes | index($m)) | "\(.name): \(.reason)"] | join("; ")' "$T/engines.json")
  [ -n "$reasons" ] || skip "no engine has mode $MODE"
  jq -e --arg m "$MODE" 'any(.[]; .available and (.modes | index($m)))' "$T/engines.json" >/dev/null || skip "$reasons"
  # Short of `make check-long`, what the static guest does in a mode, or F1, is not repeated with other programs.
  ITEMS=("$BATTERY"/*)
  if [ -n "${BATTERY_SAMPLE:-}" ] && [ "$GUEST_KIND" != static ] && [ "$MODE" != F1 ]; then
    mapfile -t ITEMS < <(grep -lE '^# needs:.*(apt-get|bash|busybox-static|dpkg|gcc|git|locale|perl|python3)' "${ITEMS[@]}")
    # Those of F share the library, and differ in how a program finds it.
    [[ $MODE != F* ]] || ITEMS+=("$BATTERY"/{environment,exec-self,pipelines,scripts,self-exe,spawn,symlinks,volumes})
  fi
  ITEMS=("${ITEMS[@]##*/}")
  battery_image "$GUEST"
  : >"$T/failed"
  for ENGINE in $(jq -r --arg m "$MODE" '.[] | select(.available and (.modes | index($m))) | .name' "$T/engines.json"); do
    battery_with_engine
    # Whether crun or runc holds PRoot is left to the long tests.
    [ -z "${BATTERY_SAMPLE:-}" ] || [[ $MODE != R[23] ]] || break
  done
  [ ! -s "$T/failed" ] || fail "$(cat "$T/failed")"
  [ "$DONE" -gt 0 ]
}

battery_with_engine() {
  local status=0
  jq -r --arg e "$ENGINE" --arg m "$MODE" --arg kind "$GUEST_KIND" '.[] | select(.name == $e) | .limits[] |
    select(.mode == $m and (.guests == "" or (.guests | split(" ") | index($kind)))) | "\(.work)\t\(.note)"' "$T/engines.json" >"$T/limits"
  C=$(udocker-bundle create --execmode="$MODE" "$GUEST:1" 2>"$T/err") || status=$?
  if [ "$status" != 0 ]; then
    # A container that has nothing for its mode is not even made.
    [ "$status" = 1 ] && [ -n "$(limit start)" ] && [ "$(wc -l <"$T/err")" = 1 ] || failed "not created: $(cat "$T/err")"
    DONE=$((DONE + 1))
    return
  fi
  BUNDLE=$STORE/containers/$C
  mkdir -p "$T/vol/sub"
  rm -rf "$T"/vol/made
  echo "from the host" >"$T/vol/file"
  echo deep >"$T/vol/sub/deep"
  if [ -n "$(limit start)" ]; then refuses_guest; else work_through; fi
  chmod -R u+rwx "$BUNDLE/ROOT/work" 2>/dev/null || true # some are of the ids of /etc/subuid
  udocker-bundle rm -f "$C"
}
