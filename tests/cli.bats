#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# bats: also as root
# What is common to the four programs: help, versions, usage errors, verbosity, the choice of the store.

load helpers

@test "every program has --help and --version on stdout, status 0" {
  local p
  for p in udocker udocker-image udocker-bundle udocker-runtime; do
    ok "$p" --help
    assert_contains "Usage: $p"
    assert_no_stderr
    ok "$p" --version
    assert_matches '[0-9]+\.[0-9]+'
  done
}

@test "every command has --help" {
  local p c
  for p in udocker udocker-image udocker-bundle udocker-runtime; do
    for c in $("$p" --help | awk '/^Commands:/{p=1;next} p&&/^  [a-z]/{print $1}'); do
      ok "$p" "$c" --help
      assert_contains "$p $c"
      assert_no_stderr
    done
  done
}

@test "a wrong command line is one line and status 2, in udocker and udocker-runtime 1" {
  fails 2 udocker-image no-such-command
  assert_one_error_line
  fails 2 udocker-image ls --no-such-option
  assert_one_error_line
  fails 2 udocker-bundle rm
  assert_one_error_line
  fails 1 udocker no-such-command
  assert_one_error_line
  assert_stderr_contains "Error: invalid command: no-such-command"
  fails 1 udocker images --no-such-option
  assert_one_error_line
  assert_stderr_contains "Error: "
  fails 1 udocker-runtime state
  assert_one_error_line
}

@test "udocker without a word prints its help" {
  ok udocker
  assert_contains "Usage: udocker"
  ok udocker -h
  assert_contains "Usage: udocker"
}

@test "version has the three lines of 1.3.x" {
  ok udocker version
  [ "$(printf '%s\n' "$output" | cut -d: -f1)" = $'version\ntarball\ntarball_release' ]
  local said=$output option
  for option in --version -V; do
    ok udocker $option
    assert_output "$said"
  done
}

@test "reading commands do not create a store, and an absent one is empty" {
  ok udocker images
  ok udocker ps
  ok udocker-image ls --format json
  assert_output "[]"
  ok udocker-bundle ls --format json
  assert_output "[]"
  refute_file "$STORE"
}

@test "the store is made on first write, for its owner alone" {
  umask 000
  busybox_image bb:1
  [ "$(stat -c %a "$STORE")" = 700 ]
}

@test "--repo takes another store, which must be one" {
  ok udocker mkrepo "$T/other"
  fails 1 udocker mkrepo "$T/other"
  assert_one_error_line
  busybox_image bb:1
  ok udocker --repo "$T/other" images
  refute_contains bb:1
  ok udocker images
  assert_contains bb:1
  fails 1 udocker --repo=/etc images
  assert_one_error_line
}

@test "a missing HOME is said with what to do" {
  mkimage -n h:1 h.tar "$(rootfs_tar)"
  touch file
  fails 1 env -u UDOCKER_DIR "HOME=$T/file/home" udocker-image load -i h.tar
  assert_one_error_line
  HOME='' UDOCKER_DIR=$T/store ok udocker-image ls
}

@test "root must say that it means it" {
  requires root
  unset UDOCKER_ALLOW_ROOT
  fails 1 udocker images
  assert_one_error_line
  assert_stderr_contains --allow-root
  ok udocker --allow-root images
  ok udocker-image ls
}

@test "quiet prints results alone, debug tells more, both on stderr" {
  mkimage -n q:1 "$T/q.tar" "$(rootfs_tar)"
  ok udocker-image -q load -i "$T/q.tar"
  assert_output q:1
  assert_no_stderr
  ok udocker-image -D load -i "$T/q.tar"
  assert_output q:1
  [ -n "$stderr" ]
}

@test "a result that cannot be written is a failure" {
  busybox_image bb:1
  run --separate-stderr sh -c 'udocker-image ls >/dev/full'
  [ "$status" -ne 0 ]
  assert_one_error_line
}

@test "showconf shows every setting, and a variable overrides it" {
  UDOCKER_TMP=/some/where ok udocker showconf
  assert_contains "tmpdir = /some/where"
  assert_contains "topdir = $STORE"
  # By the name that 1.3.x prints, and takes; the one of its example is taken as well.
  assert_contains $'\noverride_default_execution_mode = None'
  UDOCKER_DEFAULT_EXECUTION_MODE=R1 ok udocker showconf
  assert_contains $'\noverride_default_execution_mode = R1'
  UDOCKER_DEFAULT_EXECUTION_MODE=r1 ok udocker showconf
  assert_contains $'\noverride_default_execution_mode = R1'
  printf '[DEFAULT]\ndefault_execution_mode = P2\n' >mode.conf
  ok udocker --config=mode.conf showconf
  assert_no_stderr
  assert_contains $'\noverride_default_execution_mode = P2'
}

@test "the configuration of the working directory is not read (FIX-17)" {
  printf '[DEFAULT]\ntopdir = %s\n' "$T/evil" >u.conf
  ok udocker showconf
  assert_contains "topdir = $STORE"
}

@test "a configuration file is read, typed and checked (FIX-18)" {
  mkdir -p "$STORE"
  printf '[DEFAULT]\nverbose_level = 4\nautoinstall = False\nno_such_key = 1\n' >"$STORE/udocker.conf"
  ok udocker showconf
  assert_contains "verbose_level = 4"
  assert_contains "autoinstall = False"
  assert_stderr_contains no_such_key
}

@test "a repository chosen by --repo has its udocker.conf read by the wrapper too" {
  ok udocker mkrepo "$T/other"
  printf '[DEFAULT]\nhttp_agent = from-the-other\n' >"$T/other/udocker.conf"
  ok udocker --repo="$T/other" showconf
  assert_contains "from-the-other"
  ok udocker showconf
  refute_contains "from-the-other"
}

@test "udocker version and showconf have the tarball line of 1.3.x: words between blanks" {
  UDOCKER_TARBALL="/a/one.tar.gz https://example.org/two.tar.gz" ok udocker version
  assert_contains $'\ntarball: /a/one.tar.gz https://example.org/two.tar.gz\n'
  UDOCKER_TARBALL="/a/one.tar.gz /b/two.tar.gz" ok udocker showconf
  assert_contains $'\ntarball = /a/one.tar.gz /b/two.tar.gz\n'
}

@test "what udocker says of a command names udocker, and an image once" {
  ok udocker help pull
  assert_contains $'\n  udocker pull '
  refute_contains udocker-image
  ok udocker-image help pull
  assert_contains $'\n  udocker-image pull '
  busybox_image bb:1
  ok udocker tag bb:1 bb:2
  fails 1 udocker tag bb:1 bb:2
  assert_stderr "Error: image bb:2: it exists already"
  ok udocker protect bb:2
  ok udocker save -o one.tar bb:1
  fails 1 udocker load -i one.tar bb:2
  assert_one_error_line
  assert_stderr_contains protected
}

@test "the engine's command is told from level 4 on, as in 1.3.x" {
  requires proot
  busybox_container box
  udocker setup --execmode=P1 box
  UDOCKER_LOGLEVEL=4 ok udocker run --nobanner box /bin/true
  [[ $stderr =~ CMD\ =\ \[\'[^\']*proot\',\ .*\'-r\',\ \'$STORE/containers/ ]] || fail "no CMD"
  UDOCKER_LOGLEVEL=3 ok udocker run --nobanner box /bin/true
  assert_no_stderr
}

@test "unprotect of what is not there is no failure, as in 1.3.x" {
  ok udocker unprotect no-such-thing
  assert_stderr_contains no-such-thing
  fails 1 udocker protect no-such-thing
}

@test "FIX-03: arguments that are missing are said to be, and no image is called None" {
  busybox_image bb:1
  local command
  for command in "tag bb:1" tag rmi rm pull create inspect protect unprotect name "name a" rmname rename "rename a" clone setup mkrepo verify import save export run; do
    # shellcheck disable=SC2086
    fails 1 udocker $command </dev/null
    assert_one_error_line
    refute_stderr_contains None
  done
  ok udocker -q images
  assert_output "bb:1    ."
}

@test "FIX-16: the udocker.conf of UDOCKER_DIR is read" {
  export UDOCKER_DIR=$T/elsewhere
  mkdir "$UDOCKER_DIR"
  printf '[DEFAULT]\nhttp_agent = of-the-store\n' >"$UDOCKER_DIR/udocker.conf"
  ok udocker showconf
  assert_contains "http_agent = of-the-store"
}

@test "FIX-52: -- ends the options, and of an option that is given twice the last one counts" {
  busybox_image bb:1
  ok udocker create --name=first --name=second -- bb:1
  local id=$output
  ok udocker inspect -p second
  assert_output "$STORE/containers/$id/ROOT"
  fails 1 udocker inspect -p first
  ok udocker -q -q images
  assert_output "bb:1    ."
}

@test "FIX-59: a UDOCKER_LOGLEVEL that is no number is one line" {
  UDOCKER_LOGLEVEL=loud fails 1 udocker images
  assert_one_error_line
  assert_stderr_contains "UDOCKER_LOGLEVEL: 'loud' is not a number"
}

@test "UDOCKER_REPOS, UDOCKER_LAYERS and UDOCKER_CONTAINERS: parts of the store in other places" {
  export UDOCKER_REPOS=$T/names UDOCKER_LAYERS=$T/blobs UDOCKER_CONTAINERS=$T/containers
  busybox_image bb:1
  ok udocker create --name=c1 bb:1
  [ -e names/bb/1/TAG ] && [ -d "containers/$output/ROOT/bin" ]
  [ "$(find blobs -name 'sha256:*' | wc -l)" -eq 2 ]
  [ -z "$(find "$STORE/repos" "$STORE/layers" "$STORE/containers" -mindepth 1 2>/dev/null)" ]
  ok udocker verify bb:1
  ok udocker rm c1
  ok udocker rmi bb:1
  [ -z "$(ls -A blobs)" ]
}
