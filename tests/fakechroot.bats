#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# bats: under the sanitizers by hand
# bats: also as root
# Fakechroot, mode F1: programs of a container with Debian's C library, preloaded libfakechroot, no namespace and no tracer.

load helpers
load fakechroot

setup() {
  common_setup
  needs_fakechroot
}

@test "a program sees the container's files, by every way of a path" {
  container
  ok in_c sh -c 'cat /etc/os-release /etc/absolute /etc/relative; cd /etc && cat os-release; pwd; ls / | tr "\n" " "'
  assert_output 'NAME="udocker demo"
ID=demo
NAME="udocker demo"
ID=demo
NAME="udocker demo"
ID=demo
NAME="udocker demo"
ID=demo
/etc
bin closed dev etc home lib lib64 proc root sys tmp usr var '
}

@test "links read as in the image, and those into the kernel's file systems lead there (FIX-19)" {
  container
  ok in_c sh -c 'readlink /etc/absolute /etc/relative /etc/kernel /etc/dangling /bin/sh; cat /etc/kernel | wc -l'
  [ "$(head -5 <<<"$output")" = "/etc/os-release
../etc/os-release
/proc/self/status
/nowhere
/usr/bin/dash" ] || fail "links"
  [ "${lines[5]}" -gt 10 ]
}

@test "what the program writes is in the container, and links that it makes stay inside" {
  container
  ok in_c sh -c 'echo new >/etc/new; ln -s /etc/new /etc/to-new; cat /etc/to-new; readlink /etc/to-new; mkdir -p /a/b && mv /a/b /a/c && ls /a'
  assert_output "new
/etc/new
c"
  [ "$(cat "$BUNDLE/ROOT/etc/new")" = new ]
}

@test "exit status, signals, arguments, environment and directory are the program's" {
  container
  fails 3 in_c sh -c 'exit 3'
  fails 143 in_c sh -c 'kill -TERM $$'
  fails 127 in_c no-such-program
  fails 126 in_c /etc/os-release
  ok udocker run --nobanner -e A='a  b' -w /etc c sh -c 'printf "%s|" "$0" "$@" "$A" "$(pwd)"' zero "one two" '' three
  assert_output "zero|one two||three|a  b|/etc|"
  ok in_c bash -c 'echo $0 $BASH' 
  assert_contains "bash"
  ok eval 'echo input | in_c cat'
  assert_output input
}

@test "scripts run by the interpreter of the container" {
  container
  printf '#!/bin/sh\necho "script $0 $*"\n' >"$BUNDLE/ROOT/usr/bin/script"
  printf '#!/usr/bin/env -S bash -e\necho "env $1"\n' >"$BUNDLE/ROOT/usr/bin/by-env"
  printf 'echo "plain $1"\n' >"$BUNDLE/ROOT/usr/bin/plain"
  chmod 755 "$BUNDLE"/ROOT/usr/bin/{script,by-env,plain}
  ok in_c script a b
  assert_output "script /usr/bin/script a b"
  ok in_c sh -c 'script c; by-env d; plain e; env plain f'
  assert_output "script /usr/bin/script c
env d
plain e
plain f"
}

@test "a static program is refused, as the first one and as a child, and touches nothing of the host" {
  container
  fails 125 in_c static touch "$T/escaped"
  assert_one_error_line
  assert_stderr_contains "statically linked"
  assert_stderr_contains "P1"
  fails 126 in_c sh -c "static touch $T/escaped"
  assert_stderr_contains "statically linked"
  ok in_c perl -e "system('/usr/bin/static', 'touch', '$T/escaped'); print \$? >> 8"
  assert_output 126
  refute_file "$T/escaped"
}

@test "programs with libraries of their own stay inside" {
  container
  ok in_c sh -c 'LD_PRELOAD=/usr/lib/none.so cat /etc/os-release 2>/dev/null; LD_LIBRARY_PATH=/none cat /etc/os-release'
  [ "$(grep -c 'NAME="udocker demo"' <<<"$output")" -eq 2 ] || fail "somebody saw other files"
  # Libraries by a path of the container.
  mkdir "$BUNDLE/ROOT/opt"
  cp "$BUNDLE"/ROOT/lib/*/libtinfo.so.6 "$BUNDLE/ROOT/opt"
  ok udocker run --nobanner -e LD_LIBRARY_PATH=/opt c bash -c 'while read -r l; do case $l in */libtinfo*) echo "$l";; esac; done </proc/self/maps'
  assert_contains "ROOT/opt/libtinfo"
}

@test "more arguments than libfakechroot passes on are an error, not lost" {
  container
  # shellcheck disable=SC2016
  fails 126 in_c bash -c 'for ((i = 0; i < 3000; i++)); do a+=($i); done; ls "${a[@]}"'
  assert_stderr_contains "too many arguments"
  # shellcheck disable=SC2046
  ok in_c bash -c 'echo $#' zero $(seq 3000)
  assert_output 3000
}

@test "volumes: at the host's own place, at another, one that is not to be had" {
  mkdir -p "$T/vol/sub"
  echo host >"$T/vol/file"
  container
  ok udocker run --nobanner -v "$T/vol" c cat "$T/vol/file"
  assert_output host
  ok udocker run --nobanner -v "$T/vol:/mnt/deep/data" -w /mnt/deep/data/sub c sh -c 'cat /mnt/deep/data/file; cat ../file; echo in >/mnt/deep/data/new'
  assert_output "host
host"
  [ "$(cat "$T/vol/new")" = in ]
  ok udocker run --nobanner -v "$T/vol/file:/etc/one" c cat /etc/one
  assert_output host
  fails 125 udocker run --nobanner -v "$T/vol:/etc" c ls
  assert_one_error_line
  assert_stderr_contains "not an empty directory"
  [ -f "$BUNDLE/ROOT/etc/os-release" ]
}

@test "--purge and leaving the mode take the places of volumes away, and put back what was there" {
  mkdir -p "$T/vol"
  container
  chmod 1771 "$BUNDLE/ROOT/var/tmp"
  before=$(digest "$BUNDLE/ROOT")
  ok udocker run --nobanner -v "$T/vol:/mnt/deep/data" -v "$T/vol:/var/tmp" c sh -c 'echo x >/var/tmp/x'
  [ -L "$BUNDLE/ROOT/mnt/deep/data" ]
  [ -L "$BUNDLE/ROOT/var/tmp" ]
  ok udocker setup --purge c
  [ "$(digest "$BUNDLE/ROOT")" = "$before" ] || fail "ROOT is not what it was"
  refute_file "$BUNDLE/.fakechroot"
  assert_file "$T/vol/x"
}

@test "a program that drops its environment stays in the container; what keeps it there is missed" {
  once
  container
  ok in_c sh -c 'env -i /usr/bin/cat /etc/os-release; env -i /bin/sh -c "/bin/env -i /usr/bin/ls -d /closed"'
  assert_output 'NAME="udocker demo"
ID=demo
/closed'
  # It writes over what the kernel gave it, as programs do that show a title, and then drops the variables.
  ok in_c perl -e '$0 = "x" x 4000; my %e = %ENV; delete $ENV{$_} for keys %e; open F, "</etc/os-release"; print scalar <F>; exec "/usr/bin/cat", "/etc/os-release"'
  assert_output 'NAME="udocker demo"
NAME="udocker demo"
ID=demo'
  mkdir "$T/lacking" "$T/any where"
  cp "$(command -v udocker-runtime)" "$SUITE_BIN"/../libexec/udocker/udocker-guest-init "$T/lacking"
  ok "$T/lacking/udocker-runtime" engines
  assert_contains "its library udocker-guest-keep.so is not installed beside udocker-guest-init"
  cp "$SUITE_BIN"/../libexec/udocker/udocker-guest-* "$T/any where"
  UDOCKER_EXEC_DIR="$T/any where" fails 125 in_c sh -c :
  assert_stderr_contains "no library can be loaded from a path with a space or a colon"
}

@test "ROOT is the same, byte for byte and mode for mode, after F1 and back" {
  container P1
  local before
  chmod 555 "$BUNDLE/ROOT/closed"
  before=$(digest "$BUNDLE/ROOT")
  ok udocker setup --execmode=F1 c
  [ "$(cat "$BUNDLE/execmode")" = F1 ]
  [ "$(cat "$BUNDLE/root.path")" = "$BUNDLE/ROOT" ]
  [ "$(readlink "$BUNDLE/ROOT/etc/absolute")" = "$BUNDLE/ROOT/etc/os-release" ]
  [ "$(readlink "$BUNDLE/ROOT/closed/link")" = "$BUNDLE/ROOT/etc/os-release" ]
  [ "$(readlink "$BUNDLE/ROOT/etc/kernel")" = /proc/self/status ]
  [ "$(stat -c %a "$BUNDLE/ROOT/closed")" = 555 ]
  ok udocker setup --execmode=P1 c
  [ "$(digest "$BUNDLE/ROOT")" = "$before" ] || fail "ROOT is not what it was"
  refute_file "$BUNDLE/.fakechroot"
  chmod 755 "$BUNDLE/ROOT/closed"
  ok in_c cat /etc/absolute
  assert_contains "udocker demo"
}

@test "a container that 1.3.x has set up runs, and goes back" {
  container P1
  # As its setup leaves it: the kernel's too.
  ln -sfn "$BUNDLE/ROOT/etc/os-release" "$BUNDLE/ROOT/etc/absolute"
  ln -sfn "$BUNDLE/ROOT/usr/bin/dash" "$BUNDLE/ROOT/bin/sh"
  ln -sfn "$BUNDLE/ROOT/proc/self/status" "$BUNDLE/ROOT/etc/kernel"
  printf '%s' "$BUNDLE/ROOT" >"$BUNDLE/root.path"
  printf F1 >"$BUNDLE/execmode"
  ok in_c sh -c 'cat /etc/absolute'
  assert_contains "udocker demo"
  ok udocker setup --execmode=P1 c
  [ "$(readlink "$BUNDLE/ROOT/etc/absolute") $(readlink "$BUNDLE/ROOT/etc/kernel")" = "/etc/os-release /proc/self/status" ]
}

@test "a change that was killed is finished or undone by the next, and no run takes the container for whole meanwhile" {
  container P1
  local before
  before=$(digest "$BUNDLE/ROOT")
  # In the middle: some links are converted, some are not.
  printf F1 >"$BUNDLE/execmode.next"
  ln -sfn "$BUNDLE/ROOT/etc/os-release" "$BUNDLE/ROOT/etc/absolute"
  fails 125 in_c ls
  assert_one_error_line
  assert_stderr_contains "not completed"
  ok udocker setup --execmode=P1 c
  [ "$(digest "$BUNDLE/ROOT")" = "$before" ] || fail "ROOT is not what it was"
  printf F1 >"$BUNDLE/execmode.next"
  ln -sfn "$BUNDLE/ROOT/etc/os-release" "$BUNDLE/ROOT/etc/absolute"
  ok udocker setup --execmode=F1 c
  refute_file "$BUNDLE/execmode.next"
  ok in_c sh -c 'cat /etc/absolute'
  assert_contains "udocker demo"
}

@test "a container that was moved is noticed, and --force leads its links to where it is; clones are led by themselves" {
  container
  ok udocker clone --name=d c
  ok udocker run --nobanner d cat /etc/absolute
  assert_contains "udocker demo"
  [ "$(readlink "$STORE/containers/d/ROOT/etc/absolute")" = "$STORE/containers/$(udocker-bundle inspect -p d | sed 's|.*containers/||; s|/ROOT||')/ROOT/etc/os-release" ]
  mv "$STORE" "$T/moved"
  export UDOCKER_DIR=$T/moved
  fails 125 in_c ls
  assert_one_error_line
  assert_stderr_contains "--force"
  ok udocker setup --force --execmode=F1 c
  ok in_c sh -c 'cat /etc/absolute; readlink /etc/absolute'
  assert_contains "udocker demo"
  assert_contains "/etc/os-release"
  ok udocker setup --execmode=P1 c
  [ "$(readlink "$T/moved/containers/$ID/ROOT/etc/absolute")" = /etc/os-release ]
}

@test "a container that is exported as it is runs where it is imported" {
  container
  ok udocker-bundle export --clone -o clone.tar c
  ok udocker rm c
  ok udocker-bundle import --clone --name=c clone.tar
  ok in_c sh -c 'cat /etc/absolute; readlink /etc/absolute'
  assert_contains "udocker demo"
}

@test "without a setup the mode is refused, for containers and for bundles of others, unless they allow it" {
  container P1
  fails 125 udocker-runtime --execmode=F1 run -b "$BUNDLE" x1
  assert_one_error_line
  assert_stderr_contains "setup --execmode=F1"
  mkdir b
  guest b/rootfs
  jq '.root.path = "rootfs" | .process.args = ["sh", "-c", "cat /etc/absolute; exit 5"] | .process.terminal = false' "$BUNDLE/config.json" >b/config.json
  fails 125 udocker-runtime --execmode=F1 run -b b x1
  jq '.annotations["org.udocker.prepare"] = "true"' b/config.json >b/new
  mv b/new b/config.json
  fails 5 udocker-runtime --execmode=F1 run -b b x1
  assert_contains "udocker demo"
  chmod -R u+w b
}

@test "a library that the container's C library could not load is not taken, and it is said which (FIX-53)" {
  container
  UDOCKER_FAKECHROOT_SO=$(echo "$BUNDLE"/ROOT/lib/*/libc.so.6) fails 125 in_c ls
  assert_one_error_line
  assert_stderr_contains "is not libfakechroot"
  UDOCKER_FAKECHROOT_SO=/none.so fails 125 in_c ls
  assert_stderr_contains "/none.so"
  # A musl guest: the host's library is one for glibc.
  rm "$BUNDLE"/ROOT/lib/*/libc.so.6
  cp "$(command -v busybox)" "$BUNDLE/ROOT/lib/ld-musl-x86_64.so.1"
  fails 125 in_c ls
  assert_one_error_line
  assert_stderr_contains "is for glibc"
  # No library at all: nothing here could be confined.
  rm "$BUNDLE"/ROOT/lib/ld-musl*
  fails 125 in_c ls
  assert_one_error_line
  assert_stderr_contains "static"
}

@test "create, start, exec, kill, delete: a container's life as under any direct engine" {
  container
  local rt="udocker-runtime --root $T/state"
  jq '.process.args = ["sh", "-c", "sleep 98771 & sleep 98772"]' "$BUNDLE/config.json" >c.json
  $rt create -b "$BUNDLE" --config c.json --pid-file pid f1 </dev/null >out 2>err 3>&- || fail "create: $(cat err)"
  [ "$($rt state f1 | jq -r .status)" = created ]
  $rt start f1 </dev/null 3>&-
  [ "$($rt state f1 | jq -r .status)" = running ]
  ok $rt exec f1 cat /etc/absolute
  assert_contains "udocker demo"
  fails 9 $rt exec f1 sh -c 'exit 9'
  local last
  last=$(awk '/^Cpus_allowed_list/ { sub(/.*[-,]/, "", $2); print $2 }' /proc/self/status)
  jq -n --arg cpu "$last" '{cwd: "/", args: ["cat", "/proc/self/status"], env: ["PATH=/usr/bin:/bin"], user: {uid: 0, gid: 0}, execCPUAffinity: {final: $cpu}}' >process.json
  ok $rt exec --process process.json f1
  [ "$(awk '/^Cpus_allowed_list/ { print $2 }' <<<"$output")" = "$last" ]
  fails 255 $rt exec f1 static true
  ok $rt kill f1 KILL
  wait_until 10 eval "[ \$($rt state f1 | jq -r .status) = stopped ]"
  wait_until 10 eval "! pgrep -f 'sleep 98771' >/dev/null"
  ok $rt delete f1
}

@test "with a terminal the program has it, and its status comes back" {
  container
  fails 7 script -qec "udocker run --nobanner -t c sh -c 'test -t 0 && test -t 1 && echo tty; exit 7'" /dev/null
  assert_contains tty
}

@test "ldconfig of a package's scripts is a program that succeeds (FIX-46)" {
  container
  mkdir -p "$BUNDLE/ROOT/sbin"
  cp "$BUNDLE/ROOT/usr/bin/static" "$BUNDLE/ROOT/sbin/ldconfig"
  ok in_c sh -c '/sbin/ldconfig -v && echo ended'
  assert_output ended
  cp "$BUNDLE/ROOT/usr/bin/static" "$BUNDLE/ROOT/sbin/other"
  ok in_c sh -c '/sbin/other 2>/dev/null || echo refused'
  assert_output refused
  UDOCKER_FAKECHROOT_CMD_SUBST='/sbin/other=#RETURN(TRUE)#' ok in_c sh -c '/sbin/other && echo ended'
  assert_output ended
}

@test "FIX-47: a container without absolute links goes back" {
  container P1
  find "$BUNDLE/ROOT" -lname '/*' -delete
  ok udocker setup --execmode=F1 c
  ok udocker setup --execmode=P1 c
  [ "$(cat "$BUNDLE/execmode")" = P1 ]
}
