#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# udocker setup: the execution mode, shown and set.

load helpers

setup() {
  common_setup
  busybox_container c1
}

@test "without options the mode is shown, what the default is here when it has none" {
  ok udocker setup c1
  assert_output "execmode: $(default_mode)
nvidiamode: False"
}

@test "a mode that is set is stored as 1.3.x does" {
  local mode
  for mode in P2 R1 P1; do
    ok udocker setup --execmode=$mode c1
    assert_output ""
    [ "$(cat "$STORE/containers/$ID/execmode")" = $mode ]
    [ "$(cat "$STORE/containers/$ID/root.path")" = "$STORE/containers/$ID/ROOT" ]
    ok udocker setup c1
    assert_contains "execmode: $mode"
  done
}

@test "auto takes a mode away again" {
  local mode
  for mode in P2 R1 auto; do
    ok udocker setup --execmode=$mode c1
    ok udocker setup --execmode=AUTO c1
    assert_output ""
    refute_file "$BUNDLE/execmode"
    ok udocker setup c1
    assert_contains "execmode: $(default_mode)"
  done
  ok udocker setup --execmode=P1 c1
  ok udocker protect c1
  fails 1 udocker setup --execmode=auto c1
  assert_stderr_contains "protected"
  ok udocker unprotect c1
  ok udocker-bundle create --execmode=auto bb:1
  refute_file "$STORE/containers/$output/execmode"
}

@test "create takes a mode as well" {
  ok udocker-bundle create --execmode=P2 bb:1
  [ "$(cat "$STORE/containers/$output/execmode")" = P2 ]
}

@test "a word that is no mode is an error, and the mode stays" {
  fails 1 udocker setup --execmode=X9 c1
  assert_one_error_line
  ok udocker setup c1
  assert_contains "execmode: $(default_mode)"
}

@test "the mode decides the engine, and what stands before it in the order wins" {
  ok udocker setup --execmode=P2 c1
  ok udocker-runtime run --dry-run -b "$BUNDLE" x1
  assert_contains 'mode: P2'
  ok udocker-runtime --execmode=P1 run --dry-run -b "$BUNDLE" x1
  assert_contains "mode: P1"
  UDOCKER_DEFAULT_EXECUTION_MODE=P1 ok udocker-runtime run --dry-run -b "$BUNDLE" x1
  assert_contains 'mode: P2'
  rm "$BUNDLE/execmode"
  UDOCKER_DEFAULT_EXECUTION_MODE=P2 ok udocker-runtime run --dry-run -b "$BUNDLE" x1
  assert_contains 'mode: P2'
  jq '.annotations["org.udocker.execmode"] = "P2"' "$BUNDLE/config.json" >"$T/c.json"
  ok udocker-runtime run --dry-run -b "$BUNDLE" --config "$T/c.json" x1
  assert_contains 'mode: P2'
  assert_contains org.udocker.execmode
}

@test "a default mode that is no mode ends run with a clear line" {
  UDOCKER_DEFAULT_EXECUTION_MODE=Z1 fails 125 udocker run --nobanner c1 /bin/true
  assert_one_error_line
  assert_stderr_contains Z1
}

@test "--purge takes away the mount points that runs have made, and nothing else" {
  # As runs of 1.3.x and of modes that need them record them.
  mkdir -p "$BUNDLE/.mountpoints" "$BUNDLE/ROOT/mnt/a/deep" "$BUNDLE/ROOT/mnt/b/full" "$BUNDLE/ROOT/mnt/kept"
  touch "$BUNDLE/ROOT/mnt/file"
  ln -s '#mnt' "$BUNDLE/.mountpoints/#mnt#a#deep"
  ln -s '#mnt' "$BUNDLE/.mountpoints/#mnt#b#full"
  ln -s '#mnt' "$BUNDLE/.mountpoints/#mnt#file"
  # What a program has put there since is its own.
  echo mine >"$BUNDLE/ROOT/mnt/b/full/own"
  ok udocker setup --purge c1
  assert_output ""
  refute_file "$BUNDLE/ROOT/mnt/a"
  refute_file "$BUNDLE/ROOT/mnt/file"
  assert_file "$BUNDLE/ROOT/mnt/kept"
  [ "$(cat "$BUNDLE/ROOT/mnt/b/full/own")" = mine ]
  ok udocker setup --purge c1
  ok udocker setup c1
  assert_contains "execmode: $(default_mode)"
}

@test "--purge puts back the files that an R mode of 1.3.x has moved aside, and does not take them for mount points" {
  mkdir "$BUNDLE/.bind_orig_files" "$BUNDLE/.mountpoints" "$BUNDLE/ROOT/.bind_host_files"
  echo original >"$BUNDLE/ROOT/etc/moved"
  mv "$BUNDLE/ROOT/etc/moved" "$BUNDLE/.bind_orig_files/#etc#moved"
  ln -s "/.bind_host_files/#etc#moved" "$BUNDLE/ROOT/etc/moved"
  ln -s '#etc' "$BUNDLE/.mountpoints/#etc#moved"
  mkdir -p "$BUNDLE/ROOT/mnt/d"
  ln -s '#' "$BUNDLE/.mountpoints/#mnt#d"
  ok udocker setup --purge c1
  [ "$(cat "$BUNDLE/ROOT/etc/moved")" = original ]
  [ ! -L "$BUNDLE/ROOT/etc/moved" ]
  refute_file "$BUNDLE/ROOT/mnt"
  assert_file "$BUNDLE/ROOT/etc/passwd"
}

@test "--fixperm: what belongs to subordinate ids becomes the caller's, and all is accessible to him" {
  requires user newuidmap userns
  grep -q "^$(id -un):" /etc/subuid || skip "no ids in /etc/subuid"
  local root=$BUNDLE/ROOT
  mkdir -p "$root/srv/deep/er" "$root/srv/shut"
  echo data >"$root/srv/deep/er/file"
  echo shut >"$root/srv/shut/file"
  ln -s /etc/passwd "$root/srv/deep/link"
  chmod 4766 "$root/srv/deep/er/file"
  chmod 0 "$root/srv/shut/file" "$root/srv/shut"
  unshare --map-root-user --map-auto sh -c "chown -hR 5:6 '$root/srv/deep' && chmod 700 '$root/srv/deep'"
  ok udocker setup --fixperm c1
  assert_output ""
  assert_no_stderr
  [ -z "$(find "$root" ! -user "$(id -un)")" ] || fail "others' still: $(find "$root" ! -user "$(id -un)")"
  [ "$(stat -c %a "$root/srv/deep/er/file" "$root/srv/shut/file" "$root/srv/shut" | paste -sd,)" = 744,600,700 ]
  [ "$(cat "$root/srv/deep/er/file" "$root/srv/shut/file" | paste -sd,)" = data,shut ]
  [ "$(readlink "$root/srv/deep/link")" = /etc/passwd ]
  ok udocker setup --fixperm c1
  ok udocker-bundle rm c1
}

@test "--fixperm without newuidmap says what is missing, and what is the caller's is made accessible" {
  requires user newuidmap userns
  grep -q "^$(id -un):" /etc/subuid || skip "no ids in /etc/subuid"
  mkdir -p "$BUNDLE/ROOT/srv" "$BUNDLE/ROOT/own" "$T/path"
  chmod 0 "$BUNDLE/ROOT/own"
  unshare --map-root-user --map-auto chown 5:6 "$BUNDLE/ROOT/srv"
  fails 1 env PATH="$T/path" "$(command -v udocker-bundle)" setup --fixperm c1
  assert_one_error_line
  assert_stderr_contains "/srv belongs to another user"
  assert_stderr_contains newuidmap
  [ "$(stat -c %a "$BUNDLE/ROOT/own")" = 700 ]
  ok udocker setup --fixperm c1
}
