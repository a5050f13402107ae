#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# bats: also in P1
# bats: under the sanitizers by hand
# The options of `udocker run`, in every mode that works here where the engine has a part in them.

load helpers

setup() {
  common_setup
  busybox_container c1
  MODES=$(working_modes)
}

each_mode() {
  [ -n "$MODES" ] || skip "no engine works here"
  local mode
  for mode in $MODES; do
    ok udocker setup --execmode="$mode" c1
    "$@" "$mode"
  done
}

@test "-v binds folders and files, and names them as 1.3.x does" {
  mkdir host
  echo content >host/file
  check() {
    ok udocker run --nobanner -v "$T/host:/mnt/data" c1 /bin/cat /mnt/data/file
    assert_output content
    ok udocker run --nobanner "--volume=$T/host/file:/etc/given" c1 /bin/cat /etc/given
    assert_output content
    ok udocker run --nobanner -v="$T/host" c1 /bin/cat "$T/host/file"
    assert_output content
    ok udocker run --nobanner -v "$T/host:/mnt/data" c1 /bin/sh -c 'echo back >/mnt/data/out'
    [ "$(cat host/out)" = back ]
    ok udocker run --nobanner -v "$T/host:/mnt/data:rw" -v "$T/host:/mnt/ro:ro" c1 /bin/cat /mnt/ro/file
    assert_output content
  }
  each_mode check
}

@test "a volume that is not there, or relative, is an error before anything starts" {
  fails 125 udocker run --nobanner -v /no/such:/x c1 /bin/true
  assert_one_error_line
  assert_stderr_contains /no/such
  fails 125 udocker run --nobanner -v relative:/x c1 /bin/true
  assert_one_error_line
  fails 125 udocker run --nobanner -v /tmp:/ c1 /bin/true
  assert_one_error_line
}

@test "the environment: --env over --env-file over the image's (FIX-42)" {
  printf '# a comment\nGREETING=file\nFROM_FILE=1\n' >"$T/envs"
  check() {
    ok udocker run --nobanner c1 /bin/sh -c 'echo $GREETING'
    assert_output hello
    ok udocker run --nobanner --env-file="$T/envs" c1 /bin/sh -c 'echo $GREETING $FROM_FILE'
    assert_output "file 1"
    ok udocker run --nobanner --env-file="$T/envs" -e GREETING=option --env=X=y=z c1 /bin/sh -c 'echo $GREETING $X'
    assert_output "option y=z"
  }
  each_mode check
}

@test "the host's environment stays outside, but for --hostenv and -e NAME" {
  export HOST_ONLY=secret
  check() {
    ok udocker run --nobanner c1 /bin/env
    refute_contains HOST_ONLY
    refute_contains PROOT_
    refute_contains UDOCKER_
    assert_contains "container_uuid=$ID"
    ok udocker run --nobanner --hostenv c1 /bin/sh -c 'echo $HOST_ONLY'
    assert_output secret
    ok udocker run --nobanner -e HOST_ONLY c1 /bin/sh -c 'echo $HOST_ONLY'
    assert_output secret
    # The host's directory is not where the program is.
    OLDPWD=/old ok udocker run --nobanner --hostenv -w /etc c1 /bin/env
    assert_contains $'\nPWD=/etc'
    refute_contains OLDPWD=
    ok udocker run --nobanner --hostenv -e PWD=/mine c1 /bin/busybox env
    assert_contains PWD=/mine
  }
  each_mode check
}

@test "settings of udocker.conf: command, PATH, variables of the host, system folders, capabilities" {
  busybox_image plain:1 '{"Env":["A=1"]}'
  mkdir shared
  echo seen >shared/file
  cat >"$STORE/udocker.conf" <<CONF
[DEFAULT]
cmd = /bin/echo from-the-setting
root_path = /bin:/of/root
user_path = /bin:/of/users
valid_host_env = TERM MINE
invalid_host_env = ["HIDDEN"]
sysdirs_list = /dev /proc $T/shared $T/none
runc_capabilities = CAP_KILL CAP_CHOWN
CONF
  ok udocker create --name=plain plain:1
  MINE=1 OTHER=2 ok udocker-bundle config plain
  jq -e --arg shared "$T/shared" '.process.args == ["/bin/echo", "from-the-setting"] and (.process.env | index("PATH=/bin:/of/root") and index("MINE=1"))
    and ([.process.env[] | select(startswith("OTHER="))] == []) and .process.capabilities.bounding == ["CAP_KILL", "CAP_CHOWN"]
    and ([.mounts[].destination] | index("/proc") and index($shared) and index("/dev") and index("/sys") == null and index("/etc/host.conf") == null)' <<<"$output"
  HIDDEN=1 OTHER=2 ok udocker-bundle config --hostenv -u 1000 plain
  jq -e '.process.env | index("PATH=/bin:/of/users") and index("OTHER=2") and index("HIDDEN=1") == null' <<<"$output"
  check() {
    ok udocker run --nobanner c1 /bin/cat "$T/shared/file"
    assert_output seen
  }
  each_mode check
}

@test "what is not UTF-8 is refused, not changed, for config.json cannot carry it" {
  local bad option
  bad=$(printf 'a\xffb')
  fails 125 udocker run --nobanner c1 /bin/echo good "$bad"
  assert_one_error_line
  assert_stderr_contains "argument 'a\\xffb'"
  for option in "--env=X=$bad" "--workdir=/$bad" "--entrypoint=$bad" "--volume=/tmp:/$bad" "--user=$bad" "--hostname=$bad"; do
    fails 125 udocker run --nobanner "$option" c1 /bin/true
    assert_one_error_line
    fails 2 udocker-bundle config "$option" c1
    assert_one_error_line
  done
  printf 'X=a\xff\n' >envs
  fails 125 udocker run --nobanner --env-file=envs c1 /bin/true
  assert_one_error_line
  assert_stderr_contains "environment variable 'X=a\\xff'"
  # What the host has and nobody asked for by name is left out.
  GOOD=good BAD=$bad ok udocker run --nobanner --hostenv c1 /bin/sh -c 'echo $GOOD ${BAD-none}'
  assert_output "good none"
  assert_stderr_contains "variable 'BAD' is not UTF-8"
  ok udocker run --nobanner c1 /bin/echo 'ä€😀'
  assert_output 'ä€😀'
}

@test "-u takes names, numbers and groups" {
  check() {
    ok udocker run --nobanner c1 /bin/id -u
    assert_output 0
    ok udocker run --nobanner -u user c1 /bin/sh -c 'id -u; id -g; echo $HOME'
    assert_output $'1000\n1000\n/home/user'
    ok udocker run --nobanner --user=1000:50 c1 /bin/sh -c 'id -u; id -g'
    assert_output $'1000\n50'
    ok udocker run --nobanner -u 4321:8765 c1 /bin/sh -c 'id -u; id -g'
    assert_output $'4321\n8765'
    fails 125 udocker run --nobanner -u nobody-here-by-that-name --containerauth c1 /bin/true
    assert_one_error_line
  }
  each_mode check
}

@test "-w sets the working directory; one that is missing is an error" {
  check() {
    ok udocker run --nobanner -w /usr/bin c1 /bin/pwd
    assert_output /usr/bin
    ok udocker run --nobanner --workdir=/etc c1 /bin/pwd
    assert_output /etc
    fails 125 udocker run --nobanner -w /no/such c1 /bin/true
    assert_one_error_line
  }
  each_mode check
}

@test "an image's working directory and user are honoured" {
  busybox_image meta:1 '{"User":"user","WorkingDir":"/var","Cmd":["/bin/sh","-c","id -u; pwd"],"Env":["PATH=/bin"]}'
  ok udocker run --nobanner meta:1
  assert_output $'1000\n/var'
  ok udocker run --nobanner --nometa --name=nometa meta:1 /bin/sh -c 'id -u; pwd'
  assert_output $'0\n/root'
}

@test "--bindhome shows the host's home" {
  echo mine >"$HOME/in-home"
  check() {
    ok udocker run --nobanner --bindhome c1 /bin/sh -c 'cat "$HOME/in-home"; pwd'
    assert_output "mine
$HOME"
  }
  each_mode check
}

@test "--hostauth shows the host's users" {
  check() {
    ok udocker run --nobanner --hostauth c1 /bin/cat /etc/passwd
    assert_contains "$(head -n 1 /etc/passwd)"
    ok udocker run --nobanner c1 /bin/grep -c '^user:' /etc/passwd
    assert_output 1
  }
  each_mode check
}

@test "--hostauth knows users that only the host's services of names have (FIX-65)" {
  ok udocker setup --execmode=P1 c1
  mkdir bin
  # Stands for that of a host whose users are in LDAP: getent passwd KEY.
  cat >bin/getent <<'SH'
#!/bin/sh
[ "$1" = passwd ] || exit 1
case $2 in
  ldapuser | 987654) echo 'ldapuser:*:987654:987655:L. User:/home/ldap:/bin/sh' ;;
  other) echo 'ldapuser:*:987654:987655::/:/bin/sh' ;;
  broken) echo 'broken:x:minus one:5' ;;
  endless) yes 'endless:x:1:1' ;;
  *) exit 2 ;;
esac
SH
  chmod 755 bin/getent
  export PATH=$T/bin:$PATH
  ok udocker run --nobanner --hostauth -u ldapuser c1 /bin/sh -c 'echo $USER $HOME; grep ^ldapuser: /etc/passwd'
  assert_output "ldapuser /home/ldap
ldapuser:x:987654:987655:L. User:/home/ldap:/bin/sh"
  ok udocker run --nobanner --hostauth -u 987654 c1 /bin/sh -c 'echo $USER'
  assert_output ldapuser
  local user
  for user in other broken endless nobodyknows; do
    fails 125 udocker run --nobanner --hostauth -u $user c1 /bin/true
    assert_one_error_line
    assert_stderr_contains "no user '$user' on the host"
  done
  # Who asks for the container's users does not ask the host.
  fails 125 udocker run --nobanner --containerauth -u ldapuser c1 /bin/true
}

@test "--hostauth knows groups that only the host's services of names have (FIX-65)" {
  ok udocker setup --execmode=P1 c1
  mkdir bin
  cat >bin/getent <<'SH'
#!/bin/sh
case $1:$2 in
  passwd:ldapuser) echo 'ldapuser:*:987654:987655:L. User:/home/ldap:/bin/sh' ;;
  group:ldapgroup | group:987655) echo 'ldapgroup:*:987655:ldapuser' ;;
  group:project | group:987700) echo 'project:*:987700:' ;;
  group:wrong) echo 'another:*:987701:' ;;
  *) exit 2 ;;
esac
SH
  chmod 755 bin/getent
  export PATH=$T/bin:$PATH
  ok udocker run --nobanner --hostauth -u ldapuser c1 /bin/grep :987655: /etc/group
  assert_output "ldapgroup:x:987655:"
  ok udocker run --nobanner --hostauth -u ldapuser:project c1 /bin/sh -c 'id -g; id -gn; grep -c ^ldapuser: /etc/passwd'
  assert_output $'987700\nproject\n1'
  # Of a user in the host's own file.
  ok udocker run --nobanner --hostauth -u root:project c1 /bin/sh -c 'id -gn; head -n 1 /etc/group'
  assert_output "project
$(head -n 1 /etc/group)"
  ok udocker-bundle config --hostauth -u ldapuser --group-add project c1
  jq -e '.process.user.additionalGids == [987700]' <<<"$output"
  fails 125 udocker run --nobanner --hostauth -u ldapuser:wrong c1 /bin/true
  assert_one_error_line
  assert_stderr_contains "no group 'wrong' on the host"
  fails 125 udocker run --nobanner -u root:project c1 /bin/true
  assert_stderr_contains "no group 'project' in the container"
}

@test "--nosysdirs hides the host's devices and files" {
  ok udocker setup --execmode=P1 c1
  ok udocker run --nobanner c1 /bin/sh -c '[ -c /dev/null ] && [ -d /proc/self ] && echo seen'
  assert_output seen
  ok udocker run --nobanner --nosysdirs c1 /bin/sh -c '[ -e /proc/self ] || echo hidden'
  assert_output hidden
}

@test "the container's files can be bound again and --novol takes a bind away" {
  mkdir host
  fails 1 udocker run --nobanner -v "$T/host:/mnt" --novol="$T/host" c1 /bin/test -e /mnt/x
  ok udocker run --nobanner -v "$T/host:/mnt" c1 /bin/sh -c 'touch /mnt/x'
  [ -e host/x ]
}

@test "what docker users type by habit is accepted" {
  ok udocker run --nobanner -i -a c1 /bin/echo fine
  assert_output fine
}

@test "an unknown option names the nearest one; nothing is run" {
  fails 1 udocker run --volum=/a:/b c1 /bin/echo no
  assert_one_error_line
  assert_stderr_contains "--volume"
  assert_output ""
}

@test "--cpuset-cpus: the program runs on these processors alone" {
  local cpu
  cpu=$(sed -n 's/^Cpus_allowed_list:[[:space:]]*\([0-9]*\).*/\1/p' /proc/self/status)
  check() {
    ok udocker run --nobanner --cpuset-cpus="$cpu" c1 /bin/grep ^Cpus_allowed_list /proc/self/status
    assert_output "Cpus_allowed_list:	$cpu"
    fails 125 udocker run --nobanner --cpuset-cpus=1023 c1 /bin/true
    assert_stderr_contains "processors 1023"
  }
  each_mode check
}

@test "--cpuset-cpus: PRoot itself and what exec starts are there, too" {
  requires proot
  local cpu id=pin-$$
  cpu=$(sed -n 's/^Cpus_allowed_list:[[:space:]]*\([0-9]*\).*/\1/p' /proc/self/status)
  ok udocker-bundle config --cpuset-cpus="$cpu" c1 /bin/sleep 98741
  echo "$output" >"$T/config"
  udocker-runtime --execmode P1 create --config "$T/config" -b "$BUNDLE" $id </dev/null >/dev/null 2>&1
  ok udocker-runtime start $id
  ok grep -h ^Cpus_allowed_list "/proc/$(udocker-runtime state $id | jq .pid)/status" "/proc/$(pgrep -u "$(id -u)" -f "^[^ ]*proot .*$BUNDLE/ROOT" | head -1)/status"
  assert_output "Cpus_allowed_list:	$cpu
Cpus_allowed_list:	$cpu"
  ok udocker-runtime exec $id /bin/grep ^Cpus_allowed_list /proc/self/status
  assert_output "Cpus_allowed_list:	$cpu"
  ok udocker-runtime delete --force $id
}
