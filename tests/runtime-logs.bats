#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2317,SC2016  # called through each_engine; single quotes are for the shell inside
# --log, --log-format and --debug as runc has them, and the words by which drivers tell 126 from 127.

load helpers
load drivers

setup() {
  common_setup
  drivers_setup
  B=$T/bundle
  mkdir "$B"
  mkrootfs "$B/rootfs"
  udocker-runtime spec --rootless -b "$B"
  jq '.process.terminal = false | del(.process.rlimits)' "$B/config.json" >"$T/base.json"
}

rt() { udocker-runtime --root "$T/state" "$@"; }
config() { jq "$1" "$T/base.json" >"$B/config.json"; }
# Each line of the log is an object of these keys with a time of whole seconds; runc adds "error" to some of its own.
json_log() {
  local line
  while read -r line; do
    jq -e '(keys - ["error"] == ["level", "msg", "time"]) and (.time | fromdateiso8601 > 1600000000) and (.msg | type == "string")' <<<"$line" >/dev/null ||
      fail "no log entry: $line"
  done <"$1"
}
# What containerd's shim shows: the message of the last error.
last_error() { jq -rs 'map(select(.level == "error")) | last | .msg' "$1"; }

@test "a failed create: the cause is the log's last error, and one line on stderr" {
  check() {
    config '.process.args = ["/no\"pe\nx"]'
    rm -f log
    fails 1 rt --engine "$ENGINE" --log log --log-format json create -b "$B" c
    json_log log
    last_error log | grep -q 'no such file or directory$' || fail "log: $(cat log)"
    assert_one_error_line
    config '.process.args = ["nope"]'
    fails 1 rt --engine "$ENGINE" --log log --log-format json create -b "$B" c
    last_error log | grep -qF 'executable file not found in $PATH' || fail "log: $(cat log)"
    config '.process.args = ["/etc/passwd"]'
    fails 1 rt --engine "$ENGINE" --log log --log-format json create -b "$B" c
    last_error log | grep -q 'permission denied$' || fail "log: $(cat log)"
    # An error of the engine's own; crun 1.8 says this one on stderr alone.
    [ "$ENGINE" != crun ] || return 0
    config '.process.args = ["true"] | .mounts += [{"destination": "/in", "type": "bind", "source": "'"$T"'/absent", "options": ["bind"]}]'
    fails 1 rt --engine "$ENGINE" --log log --log-format json create -b "$B" c
    last_error log | grep -qi 'no such file or directory' || fail "log: $(cat log)"
    json_log log
    [ -z "$(rt list -q)" ]
  }
  each_engine check
}

@test "text has runc's form, quotes and all" {
  check() {
    config '.process.args = ["/no\"pe\nx"]'
    rm -f log
    fails 1 rt --engine "$ENGINE" --log log create -b "$B" c
    [[ "$(tail -1 log)" =~ ^time=\"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z\"\ level=error\ msg=\"exec:\ .*\\\"/no.*no\ such\ file\ or\ directory\"$ ]] || fail "$(cat log)"
    fails 1 rt --log-format text state nope
    [[ $stderr =~ ^time=\"[^\"]*\"\ level=error\ msg=\"container\ .nope.\ does\ not\ exist\"$ ]] || fail "another form"
    fails 1 rt --log-format json state nope
    printf '%s\n' "$stderr" >log
    json_log log
    fails 1 rt state nope
    assert_stderr "udocker-runtime: error: container 'nope' does not exist"
  }
  each_engine check
}

@test "success is silent, warnings and debug go to the log alone" {
  requires proot
  config '.process.args = ["/bin/sh", "-c", "echo out; echo err >&2"]'
  ok rt --engine proot --log log --log-format json run -b "$B" c
  assert_output out
  assert_stderr err
  json_log log
  [ "$(grep -c '"level":"warning"' log)" -eq 1 ] || fail "not one warning: $(cat log)"
  grep -q '"level":"warning".*proot does not apply.*linux.namespaces.pid' log || fail "nothing of what is not applied: $(cat log)"
  ! grep -q '"level":"debug"' log || fail "debug unasked"
  ok rt --engine proot --debug --log log --log-format json run -b "$B" c
  assert_stderr err
  json_log log
  grep -q '"level":"debug"' log || fail "no debug"
  # A person without a log is not told.
  ok rt --engine proot run -b "$B" c
  assert_stderr err
}

@test "a log that cannot be opened is an error, one that is full is not" {
  config '.process.args = ["true"]'
  fails 125 rt --log "$T" run -b "$B" c
  assert_stderr_contains "log '$T'"
  assert_one_error_line
  fails 1 rt --log "$T/absent/log" state c
  ok rt --log /dev/full --debug run -b "$B" c
}
