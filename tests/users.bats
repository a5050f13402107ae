#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# bats: under the sanitizers by hand
# Users, groups and directories of a run, where 1.3.x fails: in mode P1, and what config.json says where no mode is needed.

load helpers

setup() {
  common_setup
  busybox_container c1
}

guest() { udocker run --nobanner "$@"; }

@test "FIX-38: USER is NAME or UID, with :GROUP or :GID, and names may have dots" {
  requires proot
  printf 'first.last:x:1234:99:Some One:/:/bin/sh\n' >>"$BUNDLE/ROOT/etc/passwd"
  printf 'staff.of:x:77:\n' >>"$BUNDLE/ROOT/etc/group"
  local user
  for user in first.last:1234:99 first.last:staff.of:1234:77 1234:staff.of:1234:77 first.last:55:1234:55 root:99:0:99; do
    ok udocker-bundle config --user="${user%:*:*}" c1
    [ "$(jq -r '.process.user | "\(.uid):\(.gid)"' <<<"$output")" = "$(cut -d: -f"$(($(tr -cd : <<<"$user" | wc -c)))"- <<<"$user")" ] || fail "$user"
  done
  busybox_image dotted:1 '{"User":"first.last:99","Cmd":["/bin/sh","-c","echo $USER"],"Env":["PATH=/bin"]}'
  ok guest --rm dotted:1
  assert_output first.last
}

@test "FIX-39: an unknown uid:gid gets a passwd line that is one" {
  requires proot
  ok guest --user=5000:6000 c1 /bin/sh -c 'tail -n 1 /etc/passwd; id -u; id -g; grep -c "^[^:]*:x:5000:" /etc/passwd'
  assert_matches $'^[a-z][^:]*:x:5000:6000:[^:]*:/:/bin/sh\n5000\n6000\n1$'
}

@test "FIX-40: a caller without an entry in passwd can use F modes" {
  requires user userns
  printf F1 >"$BUNDLE/execmode"
  ok unshare --user --map-user=54321 --map-group=54321 udocker-bundle config c1
  jq -e '.process.user.uid == 54321 and ([.process.env[] | select(test("^USER=[A-Za-z_]"))] | length == 1)' <<<"$output"
}

@test "FIX-41: an image without /etc/group runs, and has one" {
  requires proot
  rm "$BUNDLE/ROOT/etc/group"
  ok guest --user=1000 c1 /bin/sh -c 'id -u; [ ! -e /etc/group ] || cut -d: -f1,2 /etc/group | grep -vc ":x$"; exit 0'
  [ "$(head -n 1 <<<"$output")" = 1000 ]
}

@test "FIX-43: a working directory that the image names and lacks is a warning, one that is asked for an error" {
  requires proot
  busybox_image lost:1 '{"WorkingDir":"/not/there","Cmd":["/bin/pwd"],"Env":["PATH=/bin"]}'
  ok guest --name=lost lost:1
  assert_output /
  assert_stderr_contains /not/there
  fails 125 guest --workdir=/not/there lost /bin/pwd
  assert_one_error_line
  # A home that is not there neither.
  printf 'gone:x:4444:4444::/home/gone:/bin/sh\n' >>"$STORE/containers/lost/ROOT/etc/passwd"
  ok guest --nometa -u gone lost /bin/pwd
  assert_output /
}

@test "FIX-48: --device has the numbers of the device" {
  ok udocker-bundle config --device=/dev/null --device=/dev/zero:/dev/other:rw c1
  [ "$(jq -c '[.linux.devices[] | [.path, .type, .major, .minor]]' <<<"$output")" = '[["/dev/null","c",1,3],["/dev/zero","c",1,5]]' ]
}
