#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016,SC2086,SC2030,SC2031,SC2153  # filters of jq; words are split on purpose
# bats: also as root and under the sanitizers
# What a property of config.json does under a direct engine, as its program sees it. The answers of `man 7 udocker-engines` are
# this file's subject: each test shows one of them.

load helpers

setup() {
  common_setup
  ENGINES=$(udocker-runtime engines --format json | jq -r '.[] | select(.available and (.name | . != "fakechroot")) | .name' | grep -vE '^(runc|crun|runsc)$' | sort -u)
  [ -n "$ENGINES" ] || skip "no direct engine works here"
  ROOT=$T/state
  B=$T/bundle
  mkdir "$B"
  mkrootfs "$B/rootfs"
  cp "$SUITE_TOOLS/payload" "$B/rootfs/bin/payload"
}

teardown() {
  local id
  [ -z "${AGENT:-}" ] || kill "$AGENT" 2>/dev/null || true
  for id in $(rt list -q 2>/dev/null); do rt delete --force "$id" || true; done
}

rt() { udocker-runtime --root "$ROOT" "$@"; }

# program FILTER CMD...: the bundle's config.json for CMD, edited by the filter of jq.
program() {
  local filter=$1
  shift
  [ -e "$T/spec.json" ] || { udocker-runtime spec -b "$B" && mv "$B/config.json" "$T/spec.json"; }
  jq ".root.readonly = false | .process.terminal = false | .process.env = [\"PATH=/bin\"] | del(.process.rlimits)
    | .linux = {namespaces: []} | .mounts |= map(select(.type == \"proc\"))
    | del(.hostname) | .process.args = \$ARGS.positional | $filter" "$T/spec.json" --args -- "$@" >"$B/config.json"
}
# sees FILTER CMD...: run it; the output and the status are the test's.
sees() {
  program "$@"
  run --separate-stderr rt --engine "$ENGINE" run -b "$B" "c$BATS_TEST_NUMBER-$RANDOM"
}

# profile ACTION NAMES [MORE]: a filter that sets linux.seccomp, everything else being allowed.
profile() {
  echo ".linux.seccomp = {defaultAction: \"SCMP_ACT_ALLOW\", syscalls: [{names: [$2], action: \"$1\"${3:+, $3}}]}"
}
MKDIR='"mkdir", "mkdirat"'

@test "seccomp: every action does what it says" {
  for ENGINE in $ENGINES; do
    while IFS='|' read -r action more want text; do
      rm -rf "$B/rootfs/tmp/d"
      sees "$(profile "$action" "$MKDIR" "$more")" busybox mkdir /tmp/d
      [ "$status" -eq "$want" ] || fail "$ENGINE: $action gives $status, not $want"
      assert_stderr_contains "$text"
      if [ "$want" = 0 ]; then assert_file "$B/rootfs/tmp/d"; else refute_file "$B/rootfs/tmp/d"; fi
    done <<'EOT'
SCMP_ACT_ALLOW||0|
SCMP_ACT_LOG||0|
SCMP_ACT_ERRNO||1|Operation not permitted
SCMP_ACT_ERRNO|errnoRet: 28|1|No space left on device
SCMP_ACT_TRACE|errnoRet: 5|1|Function not implemented
SCMP_ACT_TRAP||159|
SCMP_ACT_KILL||159|
SCMP_ACT_KILL_THREAD||159|
SCMP_ACT_KILL_PROCESS||159|
EOT
  done
}

@test "seccomp: conditions on arguments, by every operator" {
  once
  for ENGINE in $ENGINES; do
    while IFS='|' read -r args want; do
      sees "$(profile SCMP_ACT_ERRNO '"prlimit64"' "errnoRet: 28, args: [$args]")" payload rlimit
      case $want in
        refused) [ "$status" -ne 0 ] || fail "$ENGINE: $args lets it pass" ;;
        passes) [ "$status" -eq 0 ] || fail "$ENGINE: $args refuses it" ;;
      esac
    done <<'EOT'
{index: 1, value: 7, op: "SCMP_CMP_EQ"}|refused
{index: 1, value: 99, op: "SCMP_CMP_EQ"}|passes
{index: 1, value: 7, op: "SCMP_CMP_NE"}|refused
{index: 1, value: 4, op: "SCMP_CMP_LT"}|refused
{index: 1, value: 0, op: "SCMP_CMP_LT"}|passes
{index: 1, value: 0, op: "SCMP_CMP_LE"}|refused
{index: 1, value: 9, op: "SCMP_CMP_GE"}|refused
{index: 1, value: 9, op: "SCMP_CMP_GT"}|passes
{index: 1, value: 8, valueTwo: 8, op: "SCMP_CMP_MASKED_EQ"}|refused
{index: 1, value: 64, valueTwo: 64, op: "SCMP_CMP_MASKED_EQ"}|passes
{index: 1, value: 7, op: "SCMP_CMP_EQ"}, {index: 2, value: 0, op: "SCMP_CMP_NE"}|passes
{index: 1, value: 98, op: "SCMP_CMP_EQ"}, {index: 1, value: 7, op: "SCMP_CMP_EQ"}|refused
EOT
  done
}

@test "seccomp: defaults, architectures, flags and unknown calls" {
  local most='["access","arch_prctl","brk","capget","capset","chdir","clone","close","dup","dup2","dup3","execve","exit","exit_group","fchdir","fcntl",
    "fstat","futex","getcwd","getdents64","getegid","geteuid","getgid","getgroups","getpid","getppid","getrandom","getuid","ioctl","lseek",
    "lstat","mmap","mprotect","munmap","newfstatat","open","openat","pipe","poll","prctl","prlimit64","read","readlink","readlinkat","rseq",
    "rt_sigaction","rt_sigprocmask","rt_sigreturn","set_robust_list","set_tid_address","stat","umask","uname","wait4","write","writev","no_such_call"]'
  for ENGINE in $ENGINES; do
    sees ".linux.seccomp = {defaultAction: \"SCMP_ACT_ERRNO\", architectures: [\"SCMP_ARCH_X86_64\", \"SCMP_ARCH_X86\", \"SCMP_ARCH_X32\", \"SCMP_ARCH_AARCH64\"],
      flags: [\"SECCOMP_FILTER_FLAG_LOG\", \"SECCOMP_FILTER_FLAG_TSYNC\", \"SECCOMP_FILTER_FLAG_SPEC_ALLOW\"],
      syscalls: [{names: $most, action: \"SCMP_ACT_ALLOW\"}]}" busybox sh -c 'cd /tmp && pwd && mkdir d'
    [ "$status" -eq 1 ] || fail "$ENGINE: the default"
    assert_output /tmp
    assert_stderr_contains "Operation not permitted"
    sees ".linux.seccomp = {defaultAction: \"SCMP_ACT_ERRNO\", defaultErrnoRet: 28, syscalls: [{names: $most, action: \"SCMP_ACT_ALLOW\"}]}" busybox mkdir /tmp/d
    assert_stderr_contains "No space left on device"
    sees ".linux.seccomp = {defaultAction: \"SCMP_ACT_KILL\", syscalls: [{names: $most, action: \"SCMP_ACT_ALLOW\"}]}" busybox mkdir /tmp/d
    [ "$status" -eq 159 ] || fail "$ENGINE: kill by default"
  done
}

@test "seccomp: it holds for a container that is created and started, and for hooks inside" {
  for ENGINE in $ENGINES; do
    program "$(profile SCMP_ACT_ERRNO "$MKDIR" 'errnoRet: 28') | .hooks.startContainer = [{path: \"/bin/busybox\", args: [\"busybox\", \"mkdir\", \"/tmp/by-hook\"]}]" \
      busybox mkdir /tmp/d
    rt --engine "$ENGINE" create -b "$B" c1 </dev/null >"$T/out" 2>"$T/err"
    fails 1 rt start c1
    assert_stderr_contains "No space left on device"
    ok rt delete --force c1
    jq 'del(.hooks)' "$B/config.json" >"$T/c" && mv "$T/c" "$B/config.json"
    rt --engine "$ENGINE" create -b "$B" c1 </dev/null >"$T/out" 2>"$T/err"
    ok rt start c1
    wait_until 20 grep -q "No space left" "$T/err" || fail "not refused: $(cat "$T/err")"
    ok rt delete --force c1
    program "$(profile SCMP_ACT_ERRNO "$MKDIR" 'errnoRet: 28')" busybox sleep 60
    rt --engine "$ENGINE" create -b "$B" c1 </dev/null >"$T/out" 2>"$T/err"
    ok rt start c1
    fails 1 rt exec c1 busybox mkdir /tmp/d
    assert_stderr_contains "No space left on device"
    ok rt delete --force c1
    refute_file "$B/rootfs/tmp/by-hook"
    refute_file "$B/rootfs/tmp/d"
  done
}

# agent SOCKET FILE [ERRNO]: what listenerPath leads to. Writes the state it was given into FILE, refuses every call that is notified.
agent() {
  python3 - "$@" <<'EOT' &
import array, fcntl, socket, struct, sys
path, out, errno = sys.argv[1], sys.argv[2], int(sys.argv[3])
s = socket.socket(socket.AF_UNIX)
s.bind(path)
s.listen()
while True:
    c, _ = s.accept()
    fds = array.array("i", [0])
    text, control, _, _ = c.recvmsg(65536, socket.CMSG_SPACE(4))
    fds.frombytes(control[0][2][:4])
    fd = fds[1]
    open(out, "wb").write(text)
    try:
        while True:
            request = bytearray(80)
            fcntl.ioctl(fd, 0xC0502100, request)
            ident = struct.unpack_from("Q", request)[0]
            fcntl.ioctl(fd, 0xC0182101, bytearray(struct.pack("QqiI", ident, 0, -errno, 0)))
    except OSError:
        pass
EOT
  AGENT=$!
  wait_until 20 test -S "$1"
}

@test "seccomp: a listener decides, and is told whose calls these are" {
  agent "$T/agent.sock" "$T/told" 28
  for ENGINE in $ENGINES; do
    if [ "$ENGINE" = trap ]; then # it answers these itself
      sees "$(profile SCMP_ACT_NOTIFY "$MKDIR, \"kill\", \"write\"") | .linux.seccomp.listenerPath = \"$T/agent.sock\"" busybox sh -c 'mkdir /tmp/d && kill -0 $$ || exit 7'
      [ "$status" -eq 7 ] || fail "$ENGINE: $status"
      rmdir "$B/rootfs/tmp/d"
      rm "$T/told"
      continue
    fi
    sees "$(profile SCMP_ACT_NOTIFY "$MKDIR, \"write\"") | .linux.seccomp += {listenerPath: \"$T/agent.sock\", listenerMetadata: \"who asks\"} | .annotations = {\"a.b\": \"c\"}" \
      busybox sh -c 'mkdir /tmp/d 2>/dev/null || exit 7'
    [ "$status" -eq 7 ] || fail "$ENGINE: $status"
    refute_file "$B/rootfs/tmp/d"
    [ "$(jq -r '[.ociVersion, .fds[0], .metadata, .state.status, .state.bundle, .state.annotations["a.b"]] | join(" ")' "$T/told")" = \
      "$(jq -r .ociVersion "$B/config.json") seccompFd who asks creating $B c" ] || fail "told: $(cat "$T/told")"
    [ "$(jq '.pid > 1 and .state.pid > 1' "$T/told")" = true ] || fail "told: $(cat "$T/told")"
    rm "$T/told"
  done
  for ENGINE in $ENGINES; do
    sees "$(profile SCMP_ACT_NOTIFY "$MKDIR") | .linux.seccomp.listenerPath = \"$T/nobody.sock\"" busybox mkdir /tmp/d
    [ "$status" -eq 125 ] || fail "$ENGINE: nobody listens, $status"
    assert_one_error_line
    assert_stderr_contains "linux.seccomp.listenerPath"
    sees "$(profile SCMP_ACT_NOTIFY "$MKDIR")" busybox mkdir /tmp/d
    [ "$status" -eq 125 ] || fail "$ENGINE: no listener, $status"
    assert_stderr_contains "listenerPath"
  done
  [ -z "$(rt list -q)" ]
}

@test "seccomp: a listener that never answers does not keep a signal from ending run" {
  # Its queue is full: nobody else is let in.
  python3 - "$T/deaf.sock" <<'EOT' 3>&- &
import socket, sys, time
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1] + ".new")
s.listen(0)
held = []
try:
    while True:
        c = socket.socket(socket.AF_UNIX)
        c.setblocking(False)
        held.append(c)
        c.connect(sys.argv[1] + ".new")
except BlockingIOError:
    __import__("os").rename(sys.argv[1] + ".new", sys.argv[1])
time.sleep(60)
EOT
  AGENT=$!
  wait_until 20 test -S "$T/deaf.sock"
  for ENGINE in $ENGINES; do
    program "$(profile SCMP_ACT_NOTIFY "$MKDIR") | .linux.seccomp.listenerPath = \"$T/deaf.sock\"" busybox mkdir /tmp/d
    udocker-runtime --root "$ROOT" --engine "$ENGINE" run -b "$B" deaf 2>"$T/err" 3>&- &
    p=$!
    wait_until 20 sh -c "udocker-runtime --root '$ROOT' list -q | grep -q deaf"
    sleep 0.5
    kill -TERM $p
    wait_until 6 sh -c "! kill -0 $p 2>/dev/null" # it waits for ten seconds for one that only is slow
    run wait $p
    [ "$status" -eq 143 ] || fail "$ENGINE: status $status: $(cat "$T/err")"
    [ -z "$(rt list -q)" ] || fail "$ENGINE: left"
    refute_file "$B/rootfs/tmp/d"
  done
}

@test "seccomp: a profile that is none fails at create and leaves nothing" {
  once
  for ENGINE in $ENGINES; do
    while IFS='|' read -r filter text; do
      program ".linux.seccomp = {defaultAction: \"SCMP_ACT_ALLOW\", syscalls: [{names: [\"mkdir\"], action: \"SCMP_ACT_ERRNO\"}]} | .linux.seccomp$filter" payload true
      fails 1 rt --engine "$ENGINE" create -b "$B" c1
      assert_one_error_line
      assert_stderr_contains "$text"
      [ -z "$(rt list -q)" ]
    done <<'EOT'
.defaultAction = "SCMP_ACT_DENY"|defaultAction: 'SCMP_ACT_DENY'
.defaultAction = "SCMP_ACT_NOTIFY"|cannot be the default
.architectures = ["X86"]|architectures[0]: 'X86'
.architectures = ["SCMP_ARCH_Z80"]|'SCMP_ARCH_Z80'
.flags = ["SECCOMP_FILTER_FLAG_NONE"]|'SECCOMP_FILTER_FLAG_NONE'
.syscalls[0].action = "ERRNO"|syscalls[0]: 'ERRNO'
.syscalls[0] += {action: "SCMP_ACT_KILL", errnoRet: 1}|errnoRet
.syscalls[0].errnoRet = 99999|errnoRet
.syscalls[0].names = []|names
.syscalls[0].names = [7]|names
.syscalls[0].args = [{index: 6, value: 0, op: "SCMP_CMP_EQ"}]|index
.syscalls[0].args = [{index: 0, value: -1, op: "SCMP_CMP_EQ"}]|value
.syscalls[0].args = [{index: 0, value: 1, op: "=="}]|'=='
.syscalls[0].args = [{index: 0, value: range(65), op: "SCMP_CMP_EQ"}]|conditions
 = []|seccomp
EOT
  done
}

# ---- what is applied or emulated, as the program sees it ----

# shows: rows of FILTER | COMMAND | what it prints, all of it, on one line; `sh:` rows go through a shell.
shows() {
  local filter command want
  while IFS='|' read -r filter command want; do
    [ -n "$filter" ] || continue
    case $command in
      sh:*) sees "$filter" busybox sh -c "${command#sh:}" ;;
      *) sees "$filter" $command ;;
    esac
    [ "${output//$'\n'/ }" = "$want" ] || fail "$ENGINE: $filter: not '$want' but '${output//$'\n'/ }'"
  done
}

@test "the process: arguments, environment, directory, ids, umask, limits, scores" {
  for ENGINE in $ENGINES; do
    shows <<'EOT'
.process.args = ["payload", "args", "a b", "", "c"]||[a b] [] [c]
.process.env = ["A=b c", "PATH=/bin", "HOME=/h"]|payload env|A=b c PATH=/bin HOME=/h
.process.cwd = "/etc"|payload pwd|/etc
.process.user = {uid: 0, gid: 0}|sh:set -- $(payload id); echo $1 $2 $3 $4|uid=0 gid=0 euid=0 egid=0
.process.user.umask = 63|payload umask|0077
.process.rlimits = [{type: "RLIMIT_NOFILE", soft: 100, hard: 200}, {type: "RLIMIT_CORE", soft: 0, hard: 0}]|payload rlimit nofile|nofile 100 200
.process.oomScoreAdj = 777|busybox cat /proc/self/oom_score_adj|777
.process.noNewPrivileges = true|payload nnp|1
.process.scheduler = {policy: "SCHED_BATCH", nice: 19}|sh:set -- $(cat /proc/self/stat); echo ${19} ${41}|19 3
.process.scheduler = {policy: "SCHED_IDLE"}|sh:set -- $(cat /proc/self/stat); echo ${41}|5
.process.scheduler = {policy: "SCHED_OTHER", nice: 19, flags: ["SCHED_FLAG_RESET_ON_FORK"]}|sh:set -- $(cat /proc/$$/stat); echo ${19}|19
.process.ioPriority = {class: "IOPRIO_CLASS_BE", priority: 6}|busybox ionice|best-effort: prio 6
.process.ioPriority = {class: "IOPRIO_CLASS_IDLE"}|busybox ionice|idle
.linux.personality = {domain: "LINUX32"}|sh:cat /proc/self/personality|00000008
.linux.personality = {domain: "LINUX"}|sh:cat /proc/self/personality|00000000
EOT
  done
}

@test "a working directory that is not there is made, where the container's links and volumes lead" {
  for ENGINE in $ENGINES; do
    rm -rf "$T/volume" "$B/rootfs/srv"
    mkdir "$T/volume"
    ln -sfn /etc/made "$B/rootfs/link"
    mkdir -p "$B/rootfs/etc/made"
    sees '.process.cwd = "/srv/a/b" | .process.user.umask = 63' payload pwd
    [ "$status" -eq 0 ] && assert_output /srv/a/b || fail "$ENGINE: missing: $status"
    assert_no_stderr
    [ "$(stat -c %a "$B/rootfs/srv/a" "$B/rootfs/srv/a/b")" = $'755\n755' ]
    sees '.process.cwd = "/link/x"' sh -c 'pwd -P'
    [ "$status" -eq 0 ] && assert_output /etc/made/x || fail "$ENGINE: behind a link: $status"
    rmdir "$B/rootfs/etc/made/x"
    sees ".process.cwd = \"/v/w\" | .mounts += [{type: \"bind\", source: \"$T/volume\", destination: \"/v\", options: [\"rbind\"]}]" true
    [ "$status" -eq 0 ] && [ -d "$T/volume/w" ] || fail "$ENGINE: in a volume: $status"
    # What is no folder cannot become one.
    sees '.process.cwd = "/etc/passwd/x"' true
    [ "$status" -ne 0 ] && assert_stderr_contains "working directory" || fail "$ENGINE: a file on the way: $status"
    # A further program is shown what there is.
    program . sleep 98773
    rt --engine "$ENGINE" create -b "$B" c <"/dev/null" >"$T/out" 2>&1
    rt start c
    fails 255 rt exec --cwd /none/such c true
    refute_file "$B/rootfs/none"
    rt delete --force c
  done
}

@test "what root alone can have: groups, capabilities, a lower score, real-time scheduling" {
  requires root
  for ENGINE in $ENGINES; do
    shows <<'EOT'
.process.user.additionalGids = [77, 5]|payload id|uid=0 gid=0 euid=0 egid=0 groups=5,77
.process.capabilities = {bounding: ["CAP_KILL"], permitted: ["CAP_KILL"], effective: ["CAP_KILL"]}|sh:while read k v; do [ $k = CapEff: ] && echo $v; done </proc/self/status|0000000000000020
.process.capabilities = {}|sh:while read k v; do [ $k = CapBnd: ] && echo $v; done </proc/self/status|0000000000000000
.process.scheduler = {policy: "SCHED_FIFO", priority: 2}|sh:set -- $(cat /proc/self/stat); echo ${40} ${41}|2 1
EOT
    # Under the trap engine a user whose ids are emulated is told that it has none.
    [ "$ENGINE" = trap ] || shows <<'EOT'
.process += {user: {uid: 1000, gid: 1000}, capabilities: {bounding: ["CAP_KILL", "CAP_CHOWN"], permitted: ["CAP_KILL", "CAP_CHOWN"], inheritable: ["CAP_KILL", "CAP_CHOWN"], ambient: ["CAP_KILL", "CAP_SYS_ADMIN"]}}|sh:while read k v; do [ $k = CapInh: -o $k = CapAmb: ] && echo $v; done </proc/self/status|0000000000000021 0000000000000020
EOT
    if (echo -10 >/proc/self/oom_score_adj) 2>/dev/null; then
      shows <<<'.process.oomScoreAdj = -10|busybox cat /proc/self/oom_score_adj|-10'
    fi
  done
}

@test "exec runs on the processors that the bundle gives to it" {
  local all last
  all=$(awk '$1 == "Cpus_allowed_list:" { print $2 }' /proc/self/status)
  last=${all##*[-,]}
  [ "$all" != "$last" ] || skip "one processor"
  # affinity VALUE WANT: what exec's program may use.
  affinity() {
    program ".process.execCPUAffinity = $1" busybox sleep 98790
    rt --engine "$ENGINE" run -d -b "$B" "c$ENGINE" </dev/null >/dev/null 2>&1
    [ "$(awk '$1 == "Cpus_allowed_list:" { print $2 }' "/proc/$(pgrep -n -f '^busybox sleep 98790')/status")" = "$all" ] || fail "the first program has others"
    run --separate-stderr rt exec "c$ENGINE" sh -c 'while read k v; do [ $k != Cpus_allowed_list: ] || echo $v; done </proc/self/status'
    ok_status=$status ok_output=$output
    rt delete -f "c$ENGINE"
    [ "$ok_output" = "$2" ] || fail "$1: $ok_output, status $ok_status, $stderr"
  }
  for ENGINE in $ENGINES; do
    affinity "{initial: \"0\", final: \"$last\"}" "$last"
    affinity "{initial: \"$last\"}" "$last"
    affinity "{final: \"0-$last,1000\"}" "$all"
    affinity "{}" "$all"
    affinity '{final: "0-"}' ""
    [ "$ok_status" -eq 255 ] || fail "no list: status $ok_status"
    assert_stderr_contains "execCPUAffinity"
    affinity '{final: "1000"}' ""
    [ "$ok_status" -eq 255 ] || fail "no such processor: status $ok_status"
    affinity '{final: "5000"}' ""
    [ "$ok_status" -eq 255 ] || fail "too many processors: status $ok_status"
    assert_stderr_contains "1024"
  done
}

@test "mounts: binds onto what is missing, private folders, the kernel's file systems" {
  mkdir "$T/host"
  echo inside >"$T/host/file"
  for ENGINE in $ENGINES; do
    sed "s|@|$T/host|g" <<'EOT' >"$T/rows"
.mounts += [{destination: "/new/dir", source: "@", options: ["rbind"]}]|busybox cat /new/dir/file|inside
.mounts += [{destination: "/new/file", type: "bind", source: "@/file", options: ["bind"]}]|busybox cat /new/file|inside
.mounts += [{destination: "/etc/passwd", source: "@/file", options: ["bind"]}]|busybox cat /etc/passwd|inside
.mounts += [{destination: "/private", type: "tmpfs", source: "tmpfs"}]|sh:echo x >/private/f && cat /private/f|x
.mounts += [{destination: "/private", type: "tmpfs", source: "tmpfs"}]|busybox ls -A /private|
.mounts += [{destination: "/sys", type: "sysfs", source: "sysfs"}]|sh:test -d /sys/class && echo yes|yes
.mounts += [{destination: "/dev", type: "tmpfs", source: "tmpfs"}, {destination: "/dev/pts", type: "devpts", source: "devpts"}]|sh:test -c /dev/null && test -c /dev/pts/ptmx && echo yes|yes
.mounts += [{destination: "/dev", type: "tmpfs", source: "tmpfs"}, {destination: "/dev/mqueue", type: "mqueue", source: "mqueue"}]|sh:test -d /dev && echo yes|yes
.mounts += [{destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options: ["ro"]}]|payload echo on|on
EOT
    shows <"$T/rows"
    refute_file "$B/rootfs/private/f"
    [ "$(cat "$B/rootfs/etc/passwd")" != inside ]
  done
  [ "$(ls "$T/host")" = file ]
  [ -z "$(find "$ROOT" -mindepth 1 -maxdepth 1 ! -name @probes ! -name @ended)" ]
}

@test "masked paths are empty, wherever they lie" {
  mkdir "$B/rootfs/secret"
  echo s >"$B/rootfs/secret/s"
  echo s >"$B/rootfs/etc/key"
  for ENGINE in $ENGINES; do
    shows <<'EOT'
.linux.maskedPaths = ["/secret", "/etc/key", "/proc/cmdline", "/proc/fs", "/not/there"]|sh:ls -A /secret /proc/fs; cat /etc/key /proc/cmdline|/proc/fs:  /secret:
EOT
  done
}

@test "a host name is shown, or strictness says that it is not" {
  for ENGINE in $ENGINES; do
    sees '.hostname = "elsewhere"' busybox hostname
    if [ "$output" != elsewhere ]; then
      sees '.hostname = "elsewhere" | .annotations["org.udocker.strict"] = "true"' busybox hostname
      [ "$status" -eq 125 ] || fail "$ENGINE: neither shown nor refused"
      assert_stderr_contains "host name"
    fi
  done
}

# ---- what is not ----

# Rows of FILTER | the property in messages.
ignored() {
  cat <<'EOT'
.mounts += [{destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup"}]|mounts.cgroup
.process.apparmorProfile = "none-of-this-name"|process.apparmorProfile
.linux.namespaces = [{type: "pid"}]|linux.namespaces.pid
.linux.namespaces = [{type: "network"}]|linux.namespaces.network
.linux.namespaces = [{type: "ipc"}]|linux.namespaces.ipc
.linux.namespaces = [{type: "cgroup"}]|linux.namespaces.cgroup
.linux.namespaces = [{type: "time"}]|linux.namespaces.time
.linux.namespaces = [{type: "pid", path: "/proc/self/ns/pid"}]|linux.namespaces.pid.path
.linux.timeOffsets = {boottime: {secs: 5}}|linux.timeOffsets
.linux.devices = [{type: "c", path: "/dev/own", major: 1, minor: 3}]|linux.devices
.linux.netDevices = {eth7: {name: "x"}}|linux.netDevices
.linux.cgroupsPath = "/own"|linux.cgroupsPath
.linux.resources = {pids: {limit: 5}}|linux.resources
.linux.intelRdt = {closID: "x"}|linux.intelRdt
.linux.memoryPolicy = {mode: "MPOL_BIND", nodes: "0"}|linux.memoryPolicy
.linux.sysctl = {"net.ipv4.ip_forward": "1"}|linux.sysctl
.linux.readonlyPaths = ["/proc/sys"]|linux.readonlyPaths
.linux.mountLabel = "system_u:object_r:x:s0"|linux.mountLabel
.linux.ofTomorrow = 5|linux
.ofTomorrow = {a: 1}|unknown to this version
EOT
}

@test "what is ignored is one line for who wants to know, and an error with --strict, before anything starts" {
  once
  for ENGINE in $ENGINES; do
    while IFS='|' read -r filter name; do
      if [ "$name" = process.apparmorProfile ] && [ -e /sys/module/apparmor ]; then continue; fi
      if [ "$name" = linux.readonlyPaths ] && [ "$ENGINE" = trap ]; then continue; fi
      program "$filter" payload true
      fails 1 rt --strict --engine "$ENGINE" create -b "$B" c1
      assert_one_error_line
      assert_stderr_contains "$name"
      assert_stderr_contains "--strict"
    done < <(ignored)
    [ -z "$(rt list -q)" ]
    # All of them at once, without: it runs, and says what it leaves out.
    program "$(ignored | cut -d'|' -f1 | grep -v -e apparmor -e '^.linux.namespaces' | paste -sd'|') | .linux.namespaces = [{type: \"pid\"}, {type: \"uts\", path: \"/proc/self/ns/uts\"}, {type: \"ipc\"}]" payload echo on
    ok rt --debug --engine "$ENGINE" run -b "$B" c2
    assert_output on
    for name in linux.readonlyPaths linux.devices linux.namespaces.pid linux.namespaces.ipc linux.sysctl; do
      [ "$name" != linux.readonlyPaths ] || [ "$ENGINE" != trap ] || continue
      assert_stderr_contains "$name: "
    done
    ok rt --engine "$ENGINE" run -b "$B" c3
    assert_no_stderr
    # The annotation is as good as the switch.
    sees '.annotations["org.udocker.strict"] = "true" | .linux.cgroupsPath = "/own"' payload true
    [ "$status" -eq 125 ] || fail "$ENGINE: the annotation"
    sees '.annotations["org.udocker.strict"] = "true"' payload echo on
    assert_output on
  done
}

@test "what an ordinary user cannot have is told by --strict" {
  requires user
  for ENGINE in $ENGINES; do
    while IFS='|' read -r filter name; do
      program "$filter" payload true
      ok rt --engine "$ENGINE" run -b "$B" c1
      fails 125 rt --strict --engine "$ENGINE" run -b "$B" c1
      assert_stderr_contains "$name"
    done <<'EOT'
.process.user.additionalGids = [77]|process.user.additionalGids
.process.oomScoreAdj = -1000|process.oomScoreAdj
.process.rlimits = [{type: "RLIMIT_NOFILE", soft: 100, hard: 9007199254740992}]|process.rlimits
EOT
    sees '.process.scheduler = {policy: "SCHED_FIFO", priority: 2}' payload true
    [ "$status" -eq 125 ] || fail "$ENGINE: real time for everybody"
    assert_stderr_contains "process.scheduler"
  done
}

@test "what is of other systems is refused" {
  for ENGINE in $ENGINES; do
    for name in solaris windows vm zos; do
      program ".$name = {a: 1}" payload true
      fails 1 rt --engine "$ENGINE" create -b "$B" c1
      assert_one_error_line
      assert_stderr_contains "$name"
    done
    program '.mounts += [{destination: "/x", type: "ext4", source: "/dev/sda"}]' payload true
    fails 1 rt --engine "$ENGINE" create -b "$B" c1
    assert_stderr_contains "mounts"
  done
}
