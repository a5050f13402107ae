#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# udocker-runtime engines: what engines need of the machine, told as it is now, with what would change a no; and that auto follows.

load helpers

setup() { common_setup; }

# need NAME: met, what was found and the remark of a requirement, as the last list of engines has them.
need() { jq -r --arg n "$1" '[.[].requires[] | select(.name == $n)][0] | "\(.met) \(.found): \(.remedy)"' <<<"$output"; }
# works ENGINE: can it be used, and else why not.
works() { jq -r --arg n "$1" '[.[] | select(.name == $n)][0] | "\(.available) \(.reason)"' <<<"$output"; }
engines() {
  ok "$@" udocker-runtime engines --format json
  # Every no says why, and what would change it.
  jq -e 'all(.[]; .available or (.reason != "" and .remedy)) and all(.[].requires[]; .met or (.found != "" and .remedy))' <<<"$output" >/dev/null ||
    fail "a no without a word: $output"
}
# covered SCRIPT CMD…: as root of namespaces where the script has put something over the machine's files.
covered() { unshare -UrmC sh -c "$1"' && shift && exec "$@"' sh "$@"; }
# can_cover SCRIPT
can_cover() {
  requires user userns
  covered "$1" true 2>/dev/null || skip "that cannot be covered here: $1"
}
# row NAME: of a requirement, in the list for people.
row() { grep "^$1 " <<<"$output" | sed 's/  */ /g'; }

@test "a list for people: engines, an empty line, requirements" {
  ok udocker-runtime engines
  [[ ${output%%$'\n'*} =~ ^ENGINE\ +MODES\ +WORKS\ +VERSION\ +PATH\ +REMARK$ ]]
  [[ ${output#*$'\n\n'} =~ ^REQUIREMENT\ +MET\ +NEEDED\ BY\ +FOUND\ +REMARK$'\n' ]]
  local what
  for what in kernel ptrace yama seccomp "user namespaces" "subordinate ids" "control groups" /dev/fuse nesting "store executable" \
    "tmp executable"; do
    grep -qE "^$what  +(yes|no)  " <<<"$output" || fail "no $what"
  done
  assert_contains "Linux $(uname -r)"
}

@test "ptrace that is forbidden: said at once, although it worked before, and P modes with it (FIX-54)" {
  requires proot
  engines
  [[ $(need ptrace) == "true allowed:"* ]]
  [[ $(works proot) == true* ]]
  # What looks for leaks is a tracer too.
  ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0 engines deny ptrace:EPERM --
  [[ $(need ptrace) == "false forbidden"*SYS_PTRACE* ]] || fail "$(need ptrace)"
  [[ $(works proot) == "false cannot run a program here"* ]] || fail "$(works proot)"
  engines
  [[ $(works proot) == true* ]]
}

@test "user namespaces that are forbidden: R1 does not work, and auto takes what does" {
  requires user proot
  engines deny unshare:EPERM --
  [[ $(need "user namespaces") == "false user namespaces are "*P1* ]] || fail "$(need "user namespaces")"
  [[ $(works runc) == "false "* ]]
  local direct
  direct=$(jq -r '[.[] | select(.available and (.name | IN("trap", "proot")))][0].name' <<<"$output")
  [ "$(jq -r '[.[] | select(.auto)][0].name' <<<"$output")" = "$direct" ]
  busybox_container c1
  ok deny unshare:EPERM -- udocker-runtime --execmode auto run --dry-run -b "$BUNDLE" x1
  assert_contains "engine: $direct"
  assert_contains "user namespaces are"
}

@test "seccomp filters that are forbidden" {
  engines deny seccomp:EINVAL prctl:EINVAL --
  [[ $(need seccomp) == "false filters cannot be installed:"*P2* ]] || fail "$(need seccomp)"
}

@test "Yama, and what it keeps from whom" {
  requires proot
  local yama='mount -t tmpfs none /proc/sys/kernel && mkdir /proc/sys/kernel/yama && echo 2 >/proc/sys/kernel/yama/ptrace_scope'
  can_cover "$yama"
  engines covered "$yama"
  [[ $(need yama) == "false kernel.yama.ptrace_scope is 2: "*R1*"set it to 1" ]] || fail "$(need yama)"
  engines covered "${yama/echo 2/echo 1}"
  [[ $(need yama) == "true kernel.yama.ptrace_scope is 1: "* ]] || fail "$(need yama)"
  export ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0
  engines covered "${yama/echo 2/echo 3}" deny ptrace:EPERM --
  [[ $(need ptrace) == "false forbidden by Yama (kernel.yama.ptrace_scope is 3): "*R1* ]] || fail "$(need ptrace)"
  [[ $(works proot) == "false the kernel forbids ptrace (kernel.yama.ptrace_scope is 3)" ]] || fail "$(works proot)"
  if command -v runsc >/dev/null; then [[ $(works runsc) == "false the kernel forbids ptrace"* ]] || fail "$(works runsc)"; fi
}

@test "AppArmor, as Ubuntu has it: namespaces without power, but for a program that has a profile" {
  requires runc
  local setting='mount -t tmpfs none /proc/sys/kernel && echo 1 >/proc/sys/kernel/apparmor_restrict_unprivileged_userns'
  can_cover "$setting"
  engines covered "$setting" deny mount:EACCES --
  [[ $(need "user namespaces") == "false AppArmor forbids user namespaces (kernel.apparmor_restrict_unprivileged_userns is 1): "*profile* ]] ||
    fail "$(need "user namespaces")"
  [[ $(works runc) == "false AppArmor forbids user namespaces "* ]] || fail "$(works runc)"
  jq -e '.[] | select(.name == "runc") | .remedy | test("P1.*profile of runc")' <<<"$output" >/dev/null || fail "$output"
  local profile="$setting && mount -t tmpfs none /etc/apparmor.d && : >/etc/apparmor.d/runc"
  can_cover "$profile"
  engines covered "$profile" deny mount:EACCES --
  [[ $(need "user namespaces") == "true allowed:"* ]] || fail "$(need "user namespaces")"
  [[ $(works runc) == true* ]] || fail "$(works runc)"
}

@test "user namespaces that are switched off, as Debian had them" {
  requires runc
  local setting='mount -t tmpfs none /proc/sys/kernel && echo 0 >/proc/sys/kernel/unprivileged_userns_clone'
  can_cover "$setting"
  engines covered "$setting" deny unshare:EPERM --
  [[ $(need "user namespaces") == "false user namespaces are switched off (kernel.unprivileged_userns_clone is 0): "*"set it to 1" ]] ||
    fail "$(need "user namespaces")"
}

@test "subordinate ids: those of the caller, by number as well" {
  local ids='mount --bind ids /etc/subuid && mount --bind ids /etc/subgid'
  printf '%s\n' 4321:100000:65536 999:1:7 4321:300000:4 >ids
  can_cover "$ids"
  command -v newuidmap >/dev/null || skip "newuidmap is not installed"
  ok covered "$ids" unshare -U --map-user=4321 --map-group=4321 udocker-runtime engines
  [[ $(row "subordinate ids") == "subordinate ids yes - 65540 user and 65540 group ids for "* ]] || fail "$(row "subordinate ids")"
  ok covered "$ids" unshare -U --map-user=4322 --map-group=4322 udocker-runtime engines
  [[ $(row "subordinate ids") == "subordinate ids no - 0 user and 0 group ids for "*"containers of one id do not"* ]] || fail "$(row "subordinate ids")"
}

@test "control groups: each layout, and whether groups can be made" {
  local v1='mount -t tmpfs none /sys/fs/cgroup'
  can_cover "$v1"
  ok covered "$v1" udocker-runtime engines
  [[ $(row "control groups") == "control groups no - v1, no groups can be made limits of resources have no effect"* ]] || fail "$(row "control groups")"
  ok covered "$v1 && mkdir /sys/fs/cgroup/memory" udocker-runtime engines
  [[ $(row "control groups") == "control groups yes - v1, groups can be made -"* ]] || fail "$(row "control groups")"
  local v2='mount -t cgroup2 none /sys/fs/cgroup'
  can_cover "$v2"
  ok covered "$v2" udocker-runtime engines
  [[ $(row "control groups") == "control groups no - v2, no groups can be made "*"systemd-run --user"* ]] ||
    [[ $(row "control groups") == "control groups yes - v2, groups can be made -"* ]] || fail "$(row "control groups")"
  local both="$v1 && mkdir /sys/fs/cgroup/memory /sys/fs/cgroup/unified && mount -t cgroup2 none /sys/fs/cgroup/unified"
  can_cover "$both && grep -q . /sys/fs/cgroup/unified/cgroup.controllers"
  ok covered "$both" udocker-runtime engines
  [[ $(row "control groups") == "control groups yes - v1 and v2, groups can be made crun refuses this layout; runc does not"* ]] ||
    fail "$(row "control groups")"
  if command -v crun >/dev/null; then grep -qE '^crun .* no .*refuses hosts with hybrid cgroups .*use runc, or P1' <<<"$output" || fail "$output"; fi
}

@test "/dev/fuse that is not there, and a user namespace around us" {
  local devices='mount -t tmpfs none /mnt && : >/mnt/null && mount --bind /dev/null /mnt/null && mount --rbind /mnt /dev'
  can_cover "$devices"
  ok covered "$devices" udocker-runtime engines
  [[ $(row /dev/fuse) == "/dev/fuse no - /dev/fuse: No such file or directory udocker mounts nothing through it"* ]] || fail "$(row /dev/fuse)"
  [[ $(row nesting) == "nesting no - in"*"a user namespace what the outer container forbids shows in the other rows"* ]] || fail "$(row nesting)"
}

@test "what is no engine though it bears its name, and an older kernel" {
  printf '#!/bin/sh\necho hello\n' | tee runc proot apptainer >runsc
  chmod +x runc proot apptainer runsc
  engines env PATH="$PWD:$PATH"
  local name
  for name in runc proot runsc; do [[ $(works "$name") == "false $PWD/$name does not look like "* ]] || fail "$(works "$name")"; done
  # Whether a program has ended is asked otherwise there.
  engines deny pidfd_open -- env PATH="$PWD:$PATH"
  [[ $(works runc) == "false $PWD/runc does not look like runc" ]] || fail "$(works runc)"
}

@test "runsc is asked without the system call that it waits for longest; a build that cannot do without is asked again" {
  cat >runsc <<'SH'
#!/bin/sh
[ ! -e quick ] && grep -q '^Seccomp:.*2' /proc/self/status && exit 1
grep -q '^Seccomp:.*0' /proc/self/status && echo runsc version 1.2.3 || echo runsc version 4.5.6
SH
  chmod +x runsc
  grep -q '^Seccomp:.*0' /proc/self/status || skip "there is a filter around us"
  engines env PATH="$PWD:$PATH"
  assert_contains '"version": "1.2.3"'
  : >quick
  engines env PATH="$PWD:$PATH"
  assert_contains '"version": "4.5.6"'
  # Where there are no filters, it is asked as it is.
  engines deny seccomp:EINVAL prctl:EINVAL -- env PATH="$PWD:$PATH"
  assert_contains '"name": "runsc"'
  [[ $(works runsc) != *"does not look like"* ]] || fail "$(works runsc)"
}

@test "directories that nothing can be executed from, or written to" {
  requires userns
  mkdir "$T/fs" "$T/ro"
  chmod a-w "$T/ro"
  # shellcheck disable=SC2016  # for the inner shell
  engines unshare -Urm sh -c 'mount -t tmpfs -o noexec none "$0" && exec "$@"' "$T/fs" \
    env UDOCKER_CONTAINERS="$T/fs/deep/c" PROOT_TMP_DIR="$T/fs"
  [[ $(need "store executable") == "false $T/fs/deep/c is mounted noexec: "*UDOCKER_CONTAINERS* ]] || fail "$(need "store executable")"
  [[ $(need "tmp executable") == "false $T/fs is mounted noexec: "*PROOT_TMP_DIR* ]] || fail "$(need "tmp executable")"
  [ "$(id -u)" != 0 ] || return 0
  engines env PROOT_TMP_DIR="$T/ro"
  [[ $(need "tmp executable") == "false $T/ro cannot be written: "* ]] || fail "$(need "tmp executable")"
}

@test "inside PRoot, and inside other containers" {
  requires proot
  ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0 ok proot -r / udocker-runtime engines
  assert_matches "nesting +no +- +inside PRoot"
  ok env container=lxc udocker-runtime engines
  assert_matches "nesting +no +- +inside "
}

@test "auto is the same each time, and says why" {
  busybox_container c1
  local first
  for _ in 1 2 3; do
    ok udocker-runtime --execmode auto run --dry-run -b "$BUNDLE" x1
    first=${first:-$output}
    assert_contains "auto"
    [ "$(grep -E '^(engine|mode|why|chosen)' <<<"$output")" = "$(grep -E '^(engine|mode|why|chosen)' <<<"$first")" ]
  done
}
