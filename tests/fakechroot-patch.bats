#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# bats: also as root
# Fakechroot, modes F2 to F4: the container's loader edited, its programs patched, and ROOT as it was when the mode is left.

load helpers
load fakechroot

setup() {
  common_setup
  needs_fakechroot
  command -v patchelf >/dev/null || skip "patchelf is not installed"
}

interpreter() { patchelf --print-interpreter "$1"; }
LOADER=$(interpreter "$(command -v bash)")
sum() { sha256sum <"$1"; }

# As 1.3.x edits a loader.
edited() { perl -0777 -pe 's{\0/etc/ld\.so}{"\0/" . "\0" x 9}ge; s{\0/(lib|usr)}{\0/\0\0\0}g; s{\0LD_LIBRARY_PATH\0}{\0LD_LIBRARY_REAL\0}g' "$1"; }

@test "programs run in each mode as in F1, those that they start too, and ROOT is as it was afterwards" {
  local mode before
  once
  container P1 awkward
  chmod 6755 "$BUNDLE/ROOT/usr/bin/set-id"
  chmod 555 "$BUNDLE/ROOT/usr/bin/read-only"
  chmod 555 "$BUNDLE/ROOT/closed"
  before=$(digest "$BUNDLE/ROOT" times)
  for mode in F2 F3 F4; do
    ok udocker setup --execmode=$mode c
    [ "$(cat "$BUNDLE/execmode")" = $mode ]
    fails 3 in_c sh -c 'cat /etc/absolute; cd /usr && bash -c "pwd; wc -l </etc/os-release"; env -u HOME perl -e "print 42"; hard -c "echo hard"; /opt/script; exit 3'
    assert_output 'NAME="udocker demo"
ID=demo
/usr
2
42hard
script'
    fails 126 in_c sh -c "static touch $T/escaped"
    refute_file "$T/escaped"
    if [ $mode = F3 ]; then ok udocker setup --execmode=auto c; else ok udocker setup --execmode=P1 c; fi
    [ "$(digest "$BUNDLE/ROOT" times)" = "$before" ] || fail "ROOT is not what it was before $mode"
    refute_file "$BUNDLE/.fakechroot"
    refute_file "$BUNDLE/ld.so.orig"
    refute_file "$BUNDLE/patch.path"
  done
  chmod 755 "$BUNDLE/ROOT/closed"
}

@test "F2: the loader is what 1.3.x makes of it, under all of its names" {
  local file
  container P1
  file=$(realpath "$BUNDLE/ROOT$LOADER")
  ln "$file" "$BUNDLE/ROOT/opt-loader"
  edited "$file" >edited
  ok udocker setup --execmode=F2 c
  cmp edited "$BUNDLE/ROOT/opt-loader"
  [ "$file" -ef "$BUNDLE/ROOT/opt-loader" ]
  [ "$(cat "$BUNDLE/ld.so.path")" = "$LOADER" ]
  edited "$BUNDLE/ld.so.orig" | cmp edited -
  [ "$(interpreter "$BUNDLE/ROOT/usr/bin/bash")" = "$LOADER" ]
}

@test "F3: programs name the container's loader and libraries by the host's path, and are themselves" {
  container P1 awkward
  local root=$BUNDLE/ROOT
  chmod 6755 "$BUNDLE/ROOT/usr/bin/set-id"
  chmod 555 "$BUNDLE/ROOT/usr/bin/read-only"
  ok udocker setup --execmode=F3 c
  [ "$(interpreter "$root/usr/bin/bash")" = "$root/$LOADER" ]
  [ "$(interpreter "$root/usr/bin/static" 2>/dev/null)" = "$(interpreter "$(command -v busybox)" 2>/dev/null)" ]
  [ "$root/usr/bin/hard" -ef "$root/closed/hard" ] && [ "$root/usr/bin/hard" -ef "$root/usr/bin/dash" ] || fail "hard links"
  [ "$(stat -c %a "$root/usr/bin/set-id" "$root/usr/bin/read-only")" = "6755
555" ]
  [ "$(patchelf --print-rpath "$root/opt/rpath")" = "\$ORIGIN/none:$root//opt/lib" ]
  [ "$(cat "$BUNDLE/patch.path")" = "$BUNDLE" ]
  ok in_c sh -c 'readlink /proc/self/exe; /opt/rpath -c "echo rpath"; /opt/needed -c "echo needed"'
  assert_output "/usr/bin/readlink
rpath
needed"
  # Of libraries only ours are the host's.
  ok in_c bash -c 'while read -r l; do case $l in *.so*) echo "/${l#*/}";; esac; done </proc/self/maps'
  [ "$(grep -cv "^$root/\|libfakechroot\|udocker-guest-keep" <<<"$output")" -eq 0 ] || fail "libraries of the host: $output"
}

@test "F3: what is made in the container runs, and a folder of libraries of one's own is looked at" {
  container F3 awkward
  cp "$(command -v id)" "$BUNDLE/ROOT/usr/bin/new"
  ok in_c sh -c 'new -u; cp /usr/bin/wc /opt/copy; printf 12345 | /opt/copy -c; LD_LIBRARY_PATH=/opt/lib sh -c "/opt/needed -c true; echo \$LD_LIBRARY_PATH" | tr ":" "\n"'
  [ "${lines[0]} ${lines[1]} ${lines[2]}" = "$(id -u) 5 $BUNDLE/ROOT/opt/lib" ] || fail "wrong"
  # However deep programs are nested, the list stays as long.
  [ "$(sort <<<"$output" | uniq -d)" = "" ]
}

@test "what was done to programs meanwhile stays done" {
  container F3 awkward
  local root=$BUNDLE/ROOT
  ok in_c sh -c 'cp /usr/bin/ls /opt/copied; mv /usr/bin/tr /opt/moved; rm /usr/bin/find; cat /opt/script >/usr/bin/id'
  chmod 700 "$root/usr/bin/env"
  ok udocker setup --execmode=P1 c
  cmp "$(command -v tr)" "$root/opt/moved"
  [ "$(interpreter "$root/opt/copied")" = "$LOADER" ]
  refute_file "$root/usr/bin/tr"
  refute_file "$root/usr/bin/find"
  cmp "$root/opt/script" "$root/usr/bin/id"
  [ "$(stat -c %a "$root/usr/bin/env")" = 700 ]
  cmp "$(command -v env)" "$root/usr/bin/env"
  # And once more.
  ok udocker setup --execmode=F4 c
  ok in_c sh -c '/opt/copied /opt/script; /usr/bin/id'
  assert_output "/opt/script
script"
}

@test "a container that 1.3.x has patched runs, and goes back" {
  container F3 awkward
  local root=$BUNDLE/ROOT
  # It keeps the loader alone.
  chmod -R u+w "$BUNDLE/.fakechroot"
  rm -r "$BUNDLE/.fakechroot"
  ok in_c sh -c 'cat /etc/absolute; /opt/rpath -c "echo rpath"'
  assert_contains rpath
  ok udocker setup --execmode=P1 c
  cmp "$(realpath "$LOADER")" "$root$LOADER"
  [ "$(interpreter "$root/usr/bin/bash")" = "$LOADER" ]
  [ "$(interpreter "$root/usr/bin/hard")" = "$LOADER" ]
  [ "$root/usr/bin/hard" -ef "$root/closed/hard" ] || fail "hard links"
  [ "$(patchelf --print-rpath "$root/opt/rpath")" = '$ORIGIN/none:/opt/lib' ]
  [ "$(patchelf --print-needed "$root/opt/needed" | grep /)" = /opt/lib/libown.so.1 ]
  refute_file "$BUNDLE/ld.so.orig"
  ok udocker setup --execmode=F1 c
  ok in_c sh -c 'ls /opt/script'
  assert_output /opt/script
}

@test "a container that was moved is noticed, and --force patches it for its place; clones and imports are by themselves" {
  once
  local before
  container P1
  before=$(digest "$BUNDLE/ROOT" times)
  ok udocker setup --execmode=F3 c
  ok udocker clone --name=d c
  ok udocker run --nobanner d sh -c 'readlink /proc/self/exe; cat /etc/absolute'
  assert_contains "udocker demo"
  ok udocker setup --execmode=P1 d
  [ "$(digest "$STORE/containers/d/ROOT" times)" = "$before" ] || fail "the clone is not what its original was"
  ok udocker-bundle export --clone -o c.tar c
  ok udocker-bundle import --clone --name=e c.tar
  ok udocker run --nobanner e cat /etc/absolute
  assert_contains "udocker demo"
  mv "$STORE" "$T/moved"
  export UDOCKER_DIR=$T/moved
  fails 125 in_c ls
  assert_one_error_line
  assert_stderr_contains "--force"
  ok udocker setup --force --execmode=F3 c
  [ "$(interpreter "$T/moved/containers/$ID/ROOT/usr/bin/bash")" = "$T/moved/containers/$ID/ROOT/$LOADER" ]
  ok in_c cat /etc/absolute
  assert_contains "udocker demo"
  ok udocker setup --execmode=P1 c
  [ "$(digest "$T/moved/containers/$ID/ROOT" times)" = "$before" ] || fail "ROOT is not what it was"
}

@test "killed at any instant, either way: no run takes the container for whole, and the next setup makes it so" {
  once
  local before nth us end
  container P1
  before=$(digest "$BUNDLE/ROOT" times)
  us=$(killat -t udocker setup --execmode=F3 c | tail -1)
  for nth in 1 2 3 4; do
    [ $((nth % 2)) = 0 ] || udocker setup --execmode=P1 c
    [ $((nth % 2)) = 1 ] || udocker setup --execmode=F3 c
    end=P1
    [ $((nth % 2)) = 0 ] || end=F3
    killat $((us * nth / 5)) udocker setup --execmode=$end c || true
    if [ -e "$BUNDLE/execmode.next" ]; then
      fails 125 in_c ls
      assert_stderr_contains "not completed"
    fi
    ok udocker setup --execmode=$end c
    [ $end = P1 ] || ok in_c sh -c 'cat /etc/absolute && readlink /proc/self/exe'
    ok udocker setup --execmode=P1 c
    [ "$(digest "$BUNDLE/ROOT" times)" = "$before" ] || fail "ROOT is not what it was, instant $nth"
    refute_file "$BUNDLE/.fakechroot"
  done
}

@test "what its mode closes for its owner is patched, and has its mode again, also after a kill while it was open" {
  local root before
  container P1 awkward
  root=$BUNDLE/ROOT
  closed "$root"
  before=$(digest "$root" times)
  ok udocker setup --execmode=F3 c
  [ "$(stat -c %a "$root/dark" "$root/usr/bin/unreadable" "$root/opt/lib/libown.so.1" | xargs)" = "0 111 0" ]
  chmod 700 "$root/dark" "$root/dark/id"
  [ "$(interpreter "$root/dark/id")" = "$root/$LOADER" ] || [ "$(id -u)" = 0 ]
  [ "$(readlink "$root/dark/link")" = "$root/etc/os-release" ]
  chmod 111 "$root/dark/id"
  chmod 000 "$root/dark"
  requires preload
  for FAULTS in rename:1:KILL rename:2:KILL; do
    ok udocker setup --execmode=P1 c
    [ "$(digest "$root" times)" = "$before" ] || fail "ROOT is not what it was"
    # In front of a change in the folder, which is open then.
    fails 137 env LD_PRELOAD="$SUITE_TOOLS/faults.so" FAULTS=$FAULTS FAULTS_DIR="$root/dark" udocker setup --execmode=F3 c
    [ "$(id -u)" = 0 ] || [ "$(stat -c %a "$root/dark")" != 0 ] || fail "it was not open"
    # As the program is for a moment.
    [ "$(id -u)" = 0 ] || chmod 511 "$root/dark/id"
    ok udocker setup --execmode=F3 c
    [ "$(stat -c %a "$root/dark")" = 0 ] || fail "the folder stays open after $FAULTS"
  done
  ok udocker setup --execmode=P1 c
  [ "$(digest "$root" times)" = "$before" ] || fail "ROOT is not what it was after $FAULTS"
  opened "$root"
  cmp "$(command -v id)" "$root/dark/id"
  cmp "$(command -v tr)" "$root/usr/bin/unreadable"
}

@test "links that lead out of the container lead nobody to the host's files" {
  local before
  mkdir host
  cp "$(command -v ls)" host/ls
  container P1
  ln -s "$T/host/ls" "$BUNDLE/ROOT/usr/bin/a-first"
  ln -s "$T/host" "$BUNDLE/ROOT/sbin"
  rm "$BUNDLE/ROOT/usr/bin/dash"
  ln -s ../../../../../../../../../../../../../../..$T/host/ls "$BUNDLE/ROOT/usr/bin/dash"
  before=$(digest host times)
  ok udocker setup --execmode=F3 c
  [ "$(digest host times)" = "$before" ]
  ok udocker setup --execmode=P1 c
  [ "$(digest host times)" = "$before" ]
  # Nor does a record that somebody has put there.
  mkdir -p "$BUNDLE/.fakechroot"
  ln -s "$T/host" "$BUNDLE/.fakechroot/elf"
  fails 1 udocker setup --execmode=F3 c
  assert_one_error_line
  [ "$(digest host times)" = "$before" ]
}

@test "what is not there is named: patchelf, a loader, the setup for this mode" {
  container F1
  fails 125 udocker-runtime --execmode=F3 run -b "$BUNDLE" x1
  assert_one_error_line
  assert_stderr_contains "setup --execmode=F3"
  export UDOCKER_USE_PATCHELF_EXECUTABLE=/none
  fails 1 udocker setup --execmode=F3 c
  assert_one_error_line
  assert_stderr_contains "/none"
  ok udocker-runtime engines --format json
  [ "$(jq -r '.[] | select(.name == "fakechroot" and (.modes | index("F3"))) | .reason' <<<"$output" | head -1 | cut -c1-9)" = "no contai" ]
  ok udocker setup --execmode=F2 c
  ok in_c cat /etc/absolute
  unset UDOCKER_USE_PATCHELF_EXECUTABLE
  busybox_container s
  fails 1 udocker setup --execmode=F2 s
  assert_one_error_line
  assert_stderr_contains P1
}
