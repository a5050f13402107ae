#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2317,SC2016,SC2086,SC2314  # called through each_engine; names and numbers are ours
# bats: also as root
# What callers of an OCI runtime rely on, row by row, with every engine of runtime.bash. The life from create to delete is in lifecycle.bats,
# the foreground in run-signals.bats.

load helpers
# gVisor's is tried by the ordinary user alone: it takes its time.
[ "$(id -u)" = 0 ] || RUNTIME_ENGINES=${RUNTIME_ENGINES:-proot runc crun fakechroot runsc singularity trap}
load runtime

setup() { runtime_setup t; }
teardown() { runtime_teardown; }

# ---- exec ----

@test "exec: status, output apart, input, arguments" {
  check() {
    running "$C"
    fails 7 rt exec "$C" sh -c 'echo out; echo err >&2; exit 7'
    assert_output out
    assert_stderr err
    fails 143 rt exec "$C" payload signal 15
    fails 137 rt exec "$C" payload signal 9
    [ "$(printf 'a\r\nb' | rt exec "$C" cat | od -c)" = "$(printf 'a\r\nb' | od -c)" ] || fail "input"
    ok rt exec "$C" payload args '' 'a b' -d --
    assert_output $'[]\n[a b]\n[-d]\n[--]'
    [ "$(status_of "$C")" = running ]
    ok rt delete -f "$C"
  }
  each_engine check
}

@test "exec: failures of the runtime are 255, and say what drivers look for" {
  check() {
    running "$C"
    fails 255 rt exec "$C" nope
    assert_stderr_contains "executable file"
    assert_stderr_contains "not found in"
    fails 255 rt exec "$C" /nope
    [[ ${stderr,,} == *"no such file or directory"* ]] || fail "text"
    fails 255 rt exec "$C" /etc/passwd
    [[ ${stderr,,} == *"permission denied"* ]] || fail "text"
    fails 255 rt exec "$C"
    fails 255 rt exec --cwd relative "$C" true
    fails 255 rt exec -p "$T/none" "$C"
    fails 255 rt exec "$C-other" true
    assert_stderr_contains "does not exist"
    rt kill "$C" KILL
    wait_until 5 is_in_state "$C" stopped
    fails 255 rt exec "$C" true
    ok rt delete -f "$C"
  }
  each_engine check
}

@test "exec: environment, directory, user" {
  check() {
    MORE='.process.env += ["HOST=1"]' args sleep 98700
    create "$C"
    rt start "$C"
    ok rt exec -e X=1 --env 'Y=a b' -e A=c "$C" payload env
    [ "$(without_library <<<"$output" | sort)" = $'A=c\nHOME=/root\nHOST=1\nPATH=/bin\nX=1\nY=a b' ] || fail "environment"
    ok rt exec -e HOME=/there "$C" sh -c 'echo $HOME'
    assert_output /there
    ok rt exec --cwd /home/user "$C" pwd
    assert_output /home/user
    ok rt delete -f "$C"
  }
  each_engine check
}

@test "exec: users by number and name have their own HOME" {
  check() {
    # One id is all that an ordinary user's namespace has.
    is_direct || [ "$(id -u)" = 0 ] || return 0
    [ "$ENGINE" != singularity ] || return 0 # the caller and root are the only users that it knows
    running "$C"
    local who='id -u; id -g; echo $HOME' ids
    # Under Fakechroot ids are the caller's, as the limits say ("root").
    ok rt exec -u 1000:50 "$C" sh -c "$who"
    ids=$'1000\n50'
    ! is_fakechroot || ids=$(id -u; id -g)
    assert_output "$ids"$'\n/home/user'
    ok rt exec --user user "$C" sh -c "$who"
    is_fakechroot || ids=$'1000\n1000'
    assert_output "$ids"$'\n/home/user'
    ok rt exec --user 4711:staff "$C" sh -c "$who"
    is_fakechroot || ids=$'4711\n50'
    assert_output "$ids"$'\n/'
    fails 255 rt exec --user nobody-such "$C" true
    assert_stderr_contains nobody-such
    fails 255 rt exec --user 0:nothing "$C" true
    ok rt delete -f "$C"
  }
  each_engine check
}

@test "exec: the process of a file, whatever else the command line says" {
  check() {
    running "$C"
    jq '.process | .args = ["sh", "-c", "echo $Q; pwd; exit 4"] | .env += ["Q=1"] | .cwd = "/tmp"' "$B/config.json" >p.json
    fails 4 rt exec --process p.json "$C"
    assert_output $'1\n/tmp'
    fails 4 rt exec -p p.json --cwd /home "$C"
    assert_output $'1\n/tmp'
    ok rt delete -f "$C"
  }
  each_engine check
}

@test "exec: a process file of the wrong shape is an error, and runs nothing" {
  once
  check() {
    local text
    running "$C"
    for text in '' '{' '[]' '1' '{"args":"true","cwd":"/"}' '{"args":[],"cwd":"/"}' '{"args":["touch","/tmp/ran"]}' \
      '{"args":["touch","/tmp/ran"],"cwd":"tmp"}' '{"args":[1],"cwd":"/"}' '{"args":["touch","/tmp/ran"],"cwd":"/","user":{"uid":-1}}'; do
      printf '%s' "$text" >bad.json
      fails 255 rt exec -p bad.json "$C"
      [ -n "$stderr" ] || fail "no error for $text"
    done
    refute_file "$B/rootfs/tmp/ran"
    is_direct || { rt delete -f "$C"; return 0; }
    printf '{"args":["touch","/tmp/ran\\u0000x"],"cwd":"/"}' >bad.json
    fails 255 rt exec -p bad.json "$C"
    head -c 9000000 /dev/zero | tr '\0' ' ' >bad.json
    fails 255 rt exec -p bad.json "$C"
    fails 255 rt exec -p "$T" "$C"
    mkfifo pipe
    fails 255 rt exec -p pipe "$C"
    refute_file "$B/rootfs/tmp/ran"
    rm pipe
    ok rt delete -f "$C"
  }
  each_engine check
}

@test "exec: detached it returns at once, and the pid file's process ends as the program did" {
  # Waits for what it adopts, as conmon does: prints "pid status" of the process that the file names.
  cat >"$T/reaper.py" <<'PY'
import ctypes, os, subprocess, sys
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
r = subprocess.run(sys.argv[2:], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
if r.returncode:
    sys.exit(r.returncode)
pid = int(open(sys.argv[1]).read())
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
PY
  check() {
    running "$C"
    ok python3 "$T/reaper.py" pid udocker-runtime --root "$ROOT" exec -d --pid-file pid "$C" sh -c 'sleep 0.2; exit 9'
    assert_output 9
    ok python3 "$T/reaper.py" pid udocker-runtime --root "$ROOT" exec -d --pid-file pid "$C" payload signal 15
    assert_output "$(if has_own_kernel; then echo 143; else echo -15; fi)"
    [ "$(wc -l <pid)" -eq 0 ]
    rm pid
    fails 255 rt exec -d --pid-file pid "$C" nope
    refute_file pid
    if has_own_kernel; then # which keeps what the program lets go of
      rt exec -d "$C" sleep 98701 </dev/null >out 2>&1 || fail "exec -d: $(cat out)"
    else
      out=$(rt exec -d "$C" sh -c 'exec >/dev/null 2>&1; exec sleep 98701' 2>&1 </dev/null)
      [ -z "$out" ] || fail "said: $out"
    fi
    ok rt exec --pid-file pid "$C" sleep 0
    assert_file pid
    ok rt delete -f "$C"
    [ -z "$(procs_with '^sleep 98701')" ] || fail "left"
  }
  each_engine check
}

@test "exec: it ends with its container" {
  but_runsc # its host sees none of the programs
  check() {
    local end job
    for end in 'kill C TERM' 'delete -f C'; do
      running "$C"
      udocker-runtime --root "$ROOT" exec "$C" sleep 98702 </dev/null >/dev/null 2>&1 &
      job=$!
      rt exec -d "$C" sh -c '(setsid sleep 98703 &); exec sleep 98703' </dev/null >/dev/null 2>"$T/err" ||
        fail "$ENGINE: exec -d ended with $?: $(cat "$T/err")"
      wait_until 5 pgrep -u "$(id -u)" -f '(^|/)sleep 98702'
      ok rt ${end/C/$C}
      # Without a pid namespace runc and crun leave others to delete.
      is_direct || ok rt delete -f "$C"
      wait $job || true
      wait_until 5 test -z "$(procs_with '^sleep 9870[23]')" || sleep 0.5
      [ -z "$(procs_with '^sleep 9870[23]')" ] || fail "$ENGINE: left after $end"
      ok rt delete -f "$C"
    done
  }
  each_engine check
}

@test "hooks are told of the bundle that create was given, and run in it" {
  check() {
    local kind kinds="prestart createRuntime poststart poststop" hook='[{path: "/bin/sh", args: ["sh", "-c", "cat >$0; echo >>$0; pwd >>$0; echo $A $1 >>$0; exit 0", "\($dir)/\(.)", "-x y"], env: ["A=b", "PATH=/usr/bin:/bin"]}]'
    ! has_own_kernel || kinds=${kinds/createRuntime/}
    rm -rf "$T/hooks" && mkdir "$T/hooks"
    args true
    jq --arg dir "$T/hooks" "reduce ($(printf '"%s",' $kinds | sed 's/,$//')) as \$kind (.; .hooks[\$kind] = (\$kind | $hook))" \
      "$B/config.json" >"$T/new" && mv "$T/new" "$B/config.json"
    ok rt --engine "$ENGINE" run -b "$B" "$C"
    for kind in $kinds; do
      [ "$(head -n 1 "$T/hooks/$kind" | jq -r '.bundle + " " + .id')" = "$B $C" ] || fail "$ENGINE, $kind: $(cat "$T/hooks/$kind")"
      [ "$(tail -n 2 "$T/hooks/$kind")" = "$B"$'\n'"b -x y" ] || fail "$ENGINE, $kind: $(cat "$T/hooks/$kind")"
    done
    # What a hook prints is not the container's.
    assert_output ""
  }
  each_engine check
}

@test "a terminal has the group and mode that the bundle's devpts asks for" {
  requires root
  check() {
    [ "$ENGINE" != singularity ] || return 0 # its user namespace shows no other group than root's
    MORE='.process.terminal = true | .process.user = {uid: 7, gid: 8}' args sh -c 'stat -c "%g %a" /proc/self/fd/0 -L; tty'
    ok rt --engine "$ENGINE" run -b "$B" "$C" </dev/null
    assert_contains "5 620"
    MORE='.process.user = {uid: 7, gid: 8}' running "$C"
    ok rt exec -t "$C" sh -c 'stat -c "%g %a" /proc/self/fd/0 -L' </dev/null
    assert_contains "5 620"
    ok rt delete -f "$C"
  }
  each_engine check
}

@test "run under a service manager has the program's status, whether it said that it is ready or not" {
  [[ $ENGINES == *crun* ]] || skip "crun does not work here"
  ENGINE=crun
  local status id
  for id in n "$(printf 'n%.0s' {1..64})"; do
    for status in 0 1 7; do
      args sh -c "test -n \"\$NOTIFY_SOCKET\" && exit $status"
      fails $status env NOTIFY_SOCKET="$T/notify" udocker-runtime --root "$ROOT" --engine crun run -b "$B" "$id"
    done
  done
}

# Stands for the service manager: what it is sent goes to the file `told`.
service_manager() {
  rm -f "$T/notify" "$T/told"
  python3 - "$T/notify" "$T/told" <<'PY' &
import os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
os.chdir(os.path.dirname(sys.argv[1]))
s.bind("notify")
s.settimeout(60)
with open(sys.argv[2], "wb", 0) as told:
    while True:
        told.write(s.recv(4096) + b"\n")
PY
  MANAGER=$!
  wait_until 10 [ -S "$T/notify" ]
}

# runc and crun bind a socket below their root, in a folder of the container's name, and a socket's path has 107 bytes at most.
@test "sd_notify: what a program says reaches the service manager, however long the container's name and deep the state root" {
  but_runsc # the sandbox reaches no socket of the host
  check() {
    local id how
    ! is_direct || return 0
    for id in short "$(printf 'n%.0s' {1..64})"; do
      for how in run detached created; do
        service_manager
        args sh -c 'payload notify READY=1; exec sleep 98700'
        export NOTIFY_SOCKET=$T/notify
        case $how in
          run)
            args sh -c 'payload notify READY=1; until test -e /told; do sleep 0.1; done; exit 7'
            rt --engine "$ENGINE" run -b "$B" "$id" </dev/null >"$T/out" 2>&1 &
            ;;
          detached) rt --engine "$ENGINE" run -d -b "$B" "$id" </dev/null >"$T/out" 2>&1 || fail "$(cat "$T/out")" ;;
          created)
            create "$id"
            [ ! -s "$T/told" ]
            rt start "$id" || fail "start"
            ;;
        esac
        unset NOTIFY_SOCKET
        wait_until 10 grep -q READY=1 "$T/told" || fail "$ENGINE $how ${#id}: nothing was said: $(cat "$T/out")"
        if [ $how = run ]; then
          touch "$B/rootfs/told"
          status=0
          wait %% || status=$?
          [ $status -eq 7 ] || fail "$ENGINE run ${#id}: $status: $(cat "$T/out")"
          rm "$B/rootfs/told"
        else
          [ "$(status_of "$id")" = running ]
          ok rt delete -f "$id"
        fi
        kill $MANAGER
        wait $MANAGER || true
      done
    done
  }
  each_engine check
}

@test "exec: groups below the container's, one a controller, with runc" {
  requires root
  [[ $ENGINES == *runc* ]] && [ -w /sys/fs/cgroup/memory/cgroup.procs ] && [ -w /sys/fs/cgroup/pids/cgroup.procs ] || skip "no runc or no cgroup v1"
  local ENGINE=runc pid controller
  running "$C"
  pid=$(rt state "$C" | jq .pid)
  for controller in memory pids; do
    mkdir "/sys/fs/cgroup/$controller$(sed -n "s/^[0-9]*:$controller://p" "/proc/$pid/cgroup")/sub-$controller"
  done
  ok rt exec --cgroup memory:sub-memory --cgroup pids:sub-pids "$C" cat /proc/self/cgroup
  assert_contains /sub-memory
  assert_contains /sub-pids
  ok rt delete -f "$C"
}

@test "start waits for a create that is still at work" {
  but_runsc # it knows no such hook
  check() {
    ! is_direct || return 0 # which is not known before
    MORE=".hooks.createRuntime = [{path: \"/bin/sh\", args: [\"sh\", \"-c\", \"until [ -e $T/go ]; do sleep 0.05; done\"]}]" args sleep 98700
    rm -f "$T/go"
    rt --engine "$ENGINE" create -b "$B" "$C" </dev/null >/dev/null 2>&1 3>&- &
    local creating=$!
    wait_until 10 rt state "$C" >/dev/null 2>&1
    [ "$(status_of "$C")" = creating ]
    (sleep 0.3; : >"$T/go") 3>&- &
    ok rt start "$C"
    [ "$(status_of "$C")" = running ]
    wait $creating
    ok rt delete -f "$C"
  }
  each_engine check
}

@test "options may follow the id, but for exec" {
  check() {
    args sleep 98700
    rt --engine "$ENGINE" create "$C" -b "$B" --pid-file "$T/pid" </dev/null >"$T/out" 2>"$T/err" || fail "create: $(cat "$T/err")"
    [ "$(cat "$T/pid")" = "$(rt state "$C" | jq .pid)" ]
    ok rt kill "$C" -a KILL
    wait_until 10 is_in_state "$C" stopped
    ok rt delete "$C" --force
    ok rt list -q
    assert_output ""
  }
  each_engine check
}

@test "a failing run: what the delegate says when detached, 125 in the foreground" {
  but_runsc # it leaves out what it cannot mount
  check() {
    ! is_direct || return 0
    MORE='.mounts += [{destination: "/mnt", type: "nosuchfs", source: "none"}]' args true
    fails 1 rt --engine "$ENGINE" run -d -b "$B" "$C"
    assert_stderr_contains "o such device"
    fails 125 rt --engine "$ENGINE" run -b "$B" "$C"
    ok rt list -q
    assert_output ""
  }
  each_engine check
}

@test "delete --regex deletes what it matches, and nothing else" {
  check() {
    args sleep 98700
    create "$C-one"
    create "$C-two"
    create "$C-other"
    fails 1 rt delete --regex "($C"
    assert_stderr_contains "regular expression"
    ok rt delete --force --regex "^$C-(one|two)\$"
    ok rt list -q
    assert_output "$C-other"
    ok rt delete --force --regex "$C"
    ok rt list -q
    assert_output ""
    ok rt delete --force --regex "$C"
  }
  each_engine check
}

@test "exec: descriptors that are to be preserved arrive, and no others" {
  check() {
    running "$C"
    if has_own_kernel; then
      fails 255 rt exec --preserve-fds 1 "$C" true 3</dev/null
      assert_stderr_contains "hands no descriptors on"
      ok rt delete -f "$C"
      return
    fi
    ok rt exec --preserve-fds 1 "$C" payload fds 3</dev/null 7</dev/null
    [ "$(cut -d' ' -f1 <<<"$output" | xargs)" = 3 ] || fail "descriptors"
    if is_direct; then # runc and crun do not count them for exec
      ok env LISTEN_FDS=1 udocker-runtime --root "$ROOT" exec "$C" payload fds 3</dev/null 4</dev/null
      [ "$(cut -d' ' -f1 <<<"$output" | xargs)" = 3 ] || fail "LISTEN_FDS"
    fi
    ok rt delete -f "$C"
  }
  each_engine check
}

@test "exec: a terminal in the foreground, raw and restored, and over a console socket" {
  but_runsc # nothing comes over a console socket of exec
  cat >"$T/typist.py" <<'PY'
import fcntl, os, pty, struct, sys, termios
master, slave = pty.openpty()
fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 31, 91, 0, 0))
before = termios.tcgetattr(slave)
pid = os.fork()
if pid == 0:
    os.setsid()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    for fd in 0, 1, 2:
        os.dup2(slave, fd)
    os.execvp(sys.argv[1], sys.argv[1:])
out = b""
while b"typed" not in out:
    if b"ready" in out and b"sent" not in out:
        os.write(master, b"abc\n")
        out += b"sent"
    out += os.read(master, 1000)
status = os.waitpid(pid, 0)[1]
sys.stdout.write(out.decode().replace("\r", ""))
sys.exit(os.waitstatus_to_exitcode(status) if termios.tcgetattr(slave) == before else 99)
PY
  cat >"$T/listen.py" <<'PY'
import array, os, socket, sys
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
s.listen(1)
open(sys.argv[1] + ".ready", "w")
c, _ = s.accept()
_, control, _, _ = c.recvmsg(100, socket.CMSG_SPACE(4))
master = array.array("i", control[0][2])[0]
out = b""
try:
    while got := os.read(master, 1000):
        out += got
except OSError:
    pass
sys.stdout.write(out.decode().replace("\r", ""))
PY
  check() {
    running "$C"
    fails 6 python3 "$T/typist.py" udocker-runtime --root "$ROOT" exec -t "$C" \
      sh -c 'stty size; payload isatty; echo ready; read x; stty size; echo "typed $x"; exit 6'
    # crun starts the program of an exec before anybody can give its terminal a size.
    [ "$ENGINE" = crun ] || [ "${lines[0]}" = "31 91" ] || fail "$ENGINE: first size"
    assert_contains "31 91"
    assert_contains "typed abc"
    fails 255 rt exec -d -t "$C" true
    assert_stderr_contains console
    fails 255 rt exec --console-socket "$T/cs" "$C" true
    rm -f cs cs.ready
    python3 "$T/listen.py" cs >term.out &
    wait_until 10 test -e cs.ready
    ok rt exec -d -t --console-socket cs --pid-file pid "$C" sh -c 'tty >/dev/null && echo yes; sleep 0.2'
    wait $!
    grep -q '^yes' term.out
    ok rt delete -f "$C"
  }
  each_engine check
}

# ---- pause, resume, ps ----

# A program that never rests, and how far it has come.
counting() {
  args sh -c 'while :; do echo >>/tmp/ticks; sleep 0.01; done'
  rm -f "$B"/rootfs/tmp/ticks*
  create "$C"
  rt start "$C"
  wait_until 5 test -s "$B/rootfs/tmp/ticks"
}
ticks() { cat "$B"/rootfs/tmp/ticks* | wc -l; }
goes_on() { [ "$(ticks)" -gt "$1" ]; }
# runc and crun pause with the freezer, which ordinary users have none of.
can_pause() { is_direct || [ "$(id -u)" = 0 ]; }

@test "pause: everything stands still, and goes on" {
  but_runsc # see runsc.bats
  check() {
    local before
    if ! can_pause; then
      running "$C"
      run --separate-stderr rt pause "$C"
      [ "$status" -ne 0 ] && [ -n "$stderr" ] || fail "$ENGINE paused"
      [ "$(status_of "$C")" = running ]
      ok rt delete -f "$C"
      return 0
    fi
    counting
    ok rt exec -d "$C" sh -c 'exec >/dev/null 2>&1; while :; do echo >>/tmp/ticks2; done'
    wait_until 5 test -s "$B/rootfs/tmp/ticks2"
    ok rt pause "$C"
    assert_output ""
    assert_no_stderr
    [ "$(status_of "$C")" = paused ]
    before=$(ticks)
    sleep 0.3
    [ "$(ticks)" = "$before" ] || fail "$ENGINE goes on"
    fails 255 rt exec "$C" true
    assert_stderr_contains paused
    fails 1 rt pause "$C"
    fails 1 rt delete "$C"
    [ "$(status_of "$C")" = paused ]
    ok rt resume "$C"
    [ "$(status_of "$C")" = running ]
    wait_until 5 goes_on "$before"
    fails 1 rt resume "$C"
    ok rt exec "$C" true
    ok rt delete -f "$C"
    fails 1 rt pause "$C"
  }
  each_engine check
}

@test "pause: what is paused can be killed and deleted" {
  check() {
    can_pause || return 0
    counting
    ok rt pause "$C"
    ok rt kill "$C" KILL
    wait_until 5 is_in_state "$C" stopped
    ok rt delete "$C"
    counting
    rt exec -d "$C" sleep 98704 </dev/null >/dev/null 2>&1
    ok rt pause "$C"
    ok rt delete -f "$C"
    [ -z "$(procs_with '^sleep 98704')" ] || fail "left"
    counting
    ok rt pause "$C"
    is_direct && kill -9 "$(rt state "$C" | jq .pid)"
    ok rt delete -f "$C"
  }
  each_engine check
}

@test "domainname: the program has it, or strictness says that it has not" {
  check() {
    MORE='.domainname = "nis.example" | .linux.namespaces += [{type: "uts"}]' args sh -c 'cat /proc/sys/kernel/domainname || true'
    ok rt --engine "$ENGINE" run -b "$B" "$C"
    if [ "$output" != nis.example ]; then
      [ "$ENGINE" != singularity ] || config ".process.user = {uid: $(id -u), gid: $(id -g)} | .domainname = \"nis.example\" | del(.mounts)"
      fails 125 rt --engine "$ENGINE" --strict run -b "$B" "$C"
      [[ $stderr == *domainname* || $stderr == *"host name"* ]] || fail "$ENGINE: neither set nor told: $stderr"
    fi
    [ "$(cat /proc/sys/kernel/domainname)" != nis.example ] || fail "$ENGINE: the host has it"
  }
  each_engine check
}

@test "ps: the container's processes, as an array and as ps(1) has them" {
  but_runsc # its numbers are the sandbox's
  check() {
    local pid
    running "$C" sh -c 'sleep 98705 & exec sleep 98706'
    wait_until 5 test -n "$(procs_with '^sleep 98705')" || true
    pid=$(rt state "$C" | jq .pid)
    ok rt ps --format json "$C"
    [ "$(wc -l <<<"$output")" -eq 1 ]
    jq -e "index($pid) != null and length >= 2 and all(type == \"number\")" <<<"$output" >/dev/null || fail "$ENGINE: pids"
    ok rt ps "$C"
    assert_contains UID
    assert_contains "sleep 98705"
    assert_contains "sleep 98706"
    refute_contains bats-exec
    ok rt ps "$C" -o pid,comm
    assert_contains COMMAND
    refute_contains UID
    fails 1 rt ps "$C-other"
    ok rt kill -a "$C" KILL
    wait_until 5 is_in_state "$C" stopped
    ok rt ps --format json "$C"
    assert_output "[]"
    ok rt ps "$C"
    [[ $output == UID* && $output != *sleep* ]] || fail "$ENGINE: a stopped container has processes: $output"
    ok rt delete -f "$C"
  }
  ENGINES=${ENGINES/crun/} # its table is the numbers alone
  each_engine check
}

# ---- what delegates do ----

@test "update, events, checkpoint, restore: a delegate's own answer, or what can" {
  check() {
    local verb
    running "$C"
    if is_direct; then
      for verb in update events checkpoint restore; do
        fails 1 rt $verb "$C"
        assert_stderr_contains "has no $verb"
        assert_stderr_contains "--engine runc"
      done
    elif [ "$(id -u)" = 0 ]; then
      ok rt update --pids-limit 77 "$C"
      if [ "$ENGINE" = runc ]; then
        ok rt events --stats "$C"
        [ "$(jq -r .id <<<"$output")" = "$C" ] || fail "events"
      fi
      echo '{"pids": {"limit": 78}}' >limits.json
      ok rt update --resources=limits.json "$C"
      ok rt update -r - "$C" <limits.json
      fails 1 rt update -r "$T/none" "$C"
    fi
    fails 1 rt restore "$C"
    [ "$(status_of "$C")" = running ]
    ok rt delete -f "$C"
    fails 1 rt update --memory 1000000 "$C"
    assert_stderr_contains "does not exist"
  }
  each_engine check
}

# ---- global options ----

@test "options of other runtimes are accepted before every verb" {
  once
  check() {
    args sleep 98700
    rt --rootless=auto --cgroup-manager=disabled --debug --engine "$ENGINE" create --no-pivot --no-new-keyring -b "$B" "$C" \
      </dev/null >/dev/null 2>&1
    ok rt --rootless true --cgroup-manager cgroupfs start "$C"
    ok rt --rootless=false exec "$C" true
    ok rt --cgroup-manager=systemd kill --all "$C" 9
    wait_until 5 is_in_state "$C" stopped
    ok rt --rootless=true delete "$C"
  }
  each_engine check
}

@test "an engine's own features" {
  check() {
    ok udocker-runtime --engine "$ENGINE" features
    [ "$(jq -r .ociVersionMax <<<"$output")" = 1.3.0 ]
    jq -e '.hooks | index("createRuntime") != null' <<<"$output"
    jq -e '.linux.namespaces | index("mount") != null' <<<"$output"
    if is_direct; then
      jq -e '.linux.namespaces | index("pid") == null' <<<"$output"
      jq -e '.mountOptions | index("bind") != null and index("noexec") == null' <<<"$output"
    fi
  }
  each_engine check
  fails 1 udocker-runtime --engine none features
}

@test "ociVersion: 1.0 to 1.3 and later ones of 1 run, others are refused; unknown fields are kept" {
  once
  check() {
    local v
    for v in 1.0.0 1.3.0 1.9.0-rc.1+x; do
      MORE=".ociVersion = \"$v\" | .process.novelty = 1 | .[\"x-new\"] = {a: 1}" args echo hi
      ok rt --engine "$ENGINE" run -b "$B" "$C"
      assert_output hi
    done
    create "$C"
    [ "$(rt state "$C" | jq -r .ociVersion)" = 1.9.0-rc.1+x ]
    jq -e '.process.novelty == 1 and .["x-new"].a == 1' "$ROOT/$C/config.json"
    ok rt delete "$C"
  }
  each_engine check
  for v in 2.0.0 0.9.0 x ''; do
    MORE=".ociVersion = \"$v\"" args echo hi
    fails 1 rt create -b "$B" "$C"
    assert_stderr_contains ociVersion
  done
}

# ---- at the same time, and at the wrong time ----

@test "of two starts at once one is right" {
  once
  check() {
    local a b ra=0 rb=0 i
    for i in 1 2 3; do
      args sleep 98700
      create "$C"
      rt start "$C" </dev/null >/dev/null 2>"$T/a" &
      a=$!
      rt start "$C" </dev/null >/dev/null 2>"$T/b" &
      b=$!
      ra=0 rb=0
      wait $a || ra=$?
      wait $b || rb=$?
      [ $((ra == 0)) -ne $((rb == 0)) ] || fail "$ENGINE: $ra and $rb: $(cat "$T/a" "$T/b")"
      [ "$(status_of "$C")" = running ]
      ok rt delete -f "$C"
    done
  }
  each_engine check
}

@test "kill reaches a program whose runtime has been uninstalled since" {
  but_runsc # kill is its own
  check() {
    local copy=$T/$ENGINE-copy
    is_direct && return 0
    cp "$(udocker-runtime engines --format json | jq -r ".[] | select(.name == \"$ENGINE\") | .path" | head -n 1)" "$copy"
    args payload trap
    UDOCKER_USE_RUNC_EXECUTABLE=$copy create "$C"
    rt start "$C"
    mv "$copy" "$copy.away"
    ok rt kill "$C" 0
    ok rt kill "$C" TERM
    wait_until 5 is_in_state "$C" stopped
    fails 1 rt kill "$C" TERM
    assert_stderr_contains "not running"
    mv "$copy.away" "$copy"
    ok rt delete -f "$C"
  }
  each_engine check
}

@test "kill and delete while a container is made or started leave nothing" {
  once
  check() {
    local i p
    for i in 1 2 3 4; do
      args sleep 98707
      rt --engine "$ENGINE" create -b "$B" "$C" </dev/null >/dev/null 2>&1 &
      p=$!
      sleep 0.0$i
      rt kill "$C" KILL >/dev/null 2>&1 || true
      wait $p || true
      rt start "$C" </dev/null >/dev/null 2>&1 &
      p=$!
      [ $((i % 2)) -eq 0 ] || sleep 0.005
      rt delete -f "$C" >/dev/null 2>"$T/err" || fail "$ENGINE: $(cat "$T/err")"
      wait $p || true
      ok rt delete -f "$C"
    done
    ok rt list -q
    assert_output ""
    [ -z "$(procs_with '^sleep 98707')" ] || fail "left: $(procs_with 98707)"
  }
  each_engine check
}

@test "exec into a container that ends leaves nothing, and says something or has run" {
  once
  check() {
    local i p d r
    for i in 1 2 3 4; do
      running "$C"
      rt exec "$C" sleep 98708 </dev/null >/dev/null 2>"$T/err" &
      p=$!
      rt exec -d "$C" sleep 98708 </dev/null >/dev/null 2>&1 &
      d=$!
      sleep 0.00$i
      [ $((i % 2)) -eq 0 ] || rt kill "$C" KILL
      ok rt delete -f "$C"
      r=0
      wait $p || r=$?
      [ $r -eq 137 ] || [ -s "$T/err" ] || fail "$ENGINE: status $r and no word"
      wait $d || true
    done
    wait_until 5 test -z "$(procs_with '^sleep 98708')" || sleep 0.5
    [ -z "$(procs_with '^sleep 98708')" ] || fail "$ENGINE left: $(procs_with 98708)"
    [ -z "$(find "$ROOT" -mindepth 1 -maxdepth 1 ! -name @probes ! -name @ended)" ] || fail "left: $(ls "$ROOT")"
  }
  each_engine check
}

@test "kill -9 of what exec is made of leaves nothing that delete --force does not end" {
  once
  check() {
    local i p
    running "$C"
    for i in 1 2 3 4 5 6 7 8; do
      udocker-runtime --root "$ROOT" exec "$C" sh -c '(setsid sleep 98709 &); exec sleep 98709' </dev/null >/dev/null 2>&1 &
      p=$!
      sleep 0.0$i
      kill -9 $p 2>/dev/null || true
      wait $p || true
    done
    rt exec -d --pid-file pid "$C" sleep 98709 </dev/null >/dev/null 2>&1
    kill -9 "$(cat pid)"
    [ "$(status_of "$C")" = running ]
    ok rt exec "$C" true
    ok rt delete -f "$C"
    wait_until 5 test -z "$(procs_with '^sleep 98709')" || sleep 0.5
    [ -z "$(procs_with '^sleep 98709')" ] || fail "$ENGINE left: $(procs_with 98709)"
  }
  each_engine check
}

@test "console sockets that refuse or are none fail create and exec, and leave nothing" {
  check() {
    MORE='.process.terminal = true' args true
    : >file
    rm -f refusing
    python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("refusing")'
    for s in none file refusing "$T"; do
      fails "$(if has_own_kernel; then echo 128; else echo 1; fi)" rt --engine "$ENGINE" create -b "$B" --console-socket "$s" "$C"
      [ -n "$stderr" ] || fail "no error"
      fails 1 rt state "$C"
    done
    running "$C"
    for s in none file refusing; do
      fails 255 rt exec -d -t --console-socket "$s" "$C" touch /tmp/ran
      [ -n "$stderr" ] || fail "no error"
    done
    [ "$ENGINE" = crun ] || refute_file "$B/rootfs/tmp/ran" # crun looks after the socket too late
    ok rt delete -f "$C"
    rm -f "$B/rootfs/tmp/ran"
  }
  each_engine check
}

@test "a console socket that nobody reads does not keep create or exec" {
  but_runsc # nothing comes over a console socket of exec
  once
  check() {
    rm -f full
    # One connection waits to be accepted, and nobody does; the message lies in its buffer.
    python3 -c 'import socket, time
s = socket.socket(socket.AF_UNIX)
s.bind("full")
s.listen(8)
time.sleep(60)' 3>&- &
    local p=$!
    wait_until 10 test -e full
    MORE='.process.terminal = true' args sh -c 'exec sleep 98710'
    create "$C" --console-socket full
    ok rt start "$C"
    ok rt exec -d -t --console-socket full "$C" true
    ok rt delete -f "$C"
    kill $p
    wait $p || true
  }
  each_engine check
}

@test "an id of 300 characters, or with a slash, is an error of every verb" {
  once
  local id verb
  for id in "$(printf '%0300d' 0)" a/b ../x 'a b'; do
    for verb in state start kill delete pause resume ps update exec; do
      run --separate-stderr rt "$verb" "$id" true
      [ "$status" -ne 0 ] || fail "$verb took $id"
      [ -n "$stderr" ] || fail "$verb: no error"
    done
  done
  args true
  fails 1 rt create -b "$B" "$(printf '%0300d' 0)"
  assert_one_error_line
}
