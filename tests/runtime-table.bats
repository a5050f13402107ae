#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2317,SC2016,SC2086,SC2314  # called through each_engine; names and numbers are ours
# bats: also as root
# What callers of an OCI runtime rely on, row by row, with every engine of runtime.bash. The life from create to delete is in lifecycle.bats,
# the foreground in run-signals.bats.

load helpers
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
    [ "$(sort <<<"$output")" = $'A=c\nHOME=/root\nHOST=1\nPATH=/bin\nX=1\nY=a b' ] || fail "environment"
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
    running "$C"
    ok rt exec -u 1000:50 "$C" sh -c 'id -u; id -g; echo $HOME'
    assert_output $'1000\n50\n/home/user'
    ok rt exec --user user "$C" sh -c 'id -u; id -g; echo $HOME'
    assert_output $'1000\n1000\n/home/user'
    ok rt exec --user 4711:staff "$C" sh -c 'id -u; id -g; echo $HOME'
    assert_output $'4711\n50\n/'
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
  local bad
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
    assert_output -15
    [ "$(wc -l <pid)" -eq 0 ]
    rm pid
    fails 255 rt exec -d --pid-file pid "$C" nope
    refute_file pid
    out=$(rt exec -d "$C" sh -c 'exec >/dev/null 2>&1; exec sleep 98701' 2>&1 </dev/null)
    [ -z "$out" ] || fail "said: $out"
    ok rt exec --pid-file pid "$C" sleep 0
    assert_file pid
    ok rt delete -f "$C"
    [ -z "$(procs_with '^sleep 98701')" ] || fail "left"
  }
  each_engine check
}

@test "exec: it ends with its container" {
  check() {
    local end job
    for end in 'kill C KILL' 'kill C TERM' 'delete -f C'; do
      running "$C"
      udocker-runtime --root "$ROOT" exec "$C" sleep 98702 </dev/null >/dev/null 2>&1 &
      job=$!
      rt exec -d "$C" sh -c '(setsid sleep 98703 &); exec sleep 98703' </dev/null >/dev/null 2>&1
      wait_until 5 pgrep -u "$(id -u)" -f '^sleep 98702'
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

@test "exec: descriptors that are to be preserved arrive, and no others" {
  check() {
    running "$C"
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
      sh -c 'stty size; payload isatty; echo ready; read x; echo "typed $x"; exit 6'
    assert_contains "31 91" || fail "$ENGINE: size"
    assert_contains "typed abc"
    fails 255 rt exec -d -t "$C" true
    assert_stderr_contains console
    fails 255 rt exec --console-socket "$T/cs" "$C" true
    rm -f cs cs.ready
    python3 "$T/listen.py" cs >tty &
    wait_until 10 test -e cs.ready
    ok rt exec -d -t --console-socket cs --pid-file pid "$C" sh -c 'tty >/dev/null && echo yes; sleep 0.2'
    wait $!
    grep -q '^yes' tty
    ok rt delete -f "$C"
  }
  each_engine check
}
