#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# bats: also as root
# shellcheck disable=SC2016,SC2034  # OPTIONS are for guest(); scripts for other shells
# Unix sockets of the trap engine's guests: names, the way back, and who is at the other end.

load helpers
load trap

setup() {
  trap_setup
  requires python3
  cat >"$ROOT/w/serve.py" <<'P'
import os, socket, sys
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
s.listen()
print(s.getsockname(), flush=True)
c, a = s.accept()
print(c.recv(100).decode(), flush=True)
c.sendall(b"answer")
P
  cat >"$ROOT/w/ask.py" <<'P'
import os, socket, struct, sys, time
c = socket.socket(socket.AF_UNIX)
for i in range(200):
    try:
        c.connect(sys.argv[1])
        break
    except (FileNotFoundError, ConnectionRefusedError):
        time.sleep(0.05)
c.sendall(b"question")
print(c.recv(100).decode(), c.getpeername(), flush=True)
print(struct.unpack("3i", c.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[1:], flush=True)
P
}

# meet NAME BY PEERNAME
meet() {
  ok guest "python3 serve.py $1 >out & python3 ask.py $2; wait; cat out"
  [ "${lines[0]}" = "answer $3" ] || fail "$output"
  [ "${lines[1]}" = "(0, 0)" ]
  [ "${lines[2]}" = "$1" ]
  [ "${lines[3]}" = question ]
}

@test "two processes meet by an absolute name, a relative one, and over a link" {
  ln -s /tmp "$ROOT/w/link"
  meet /tmp/s1 /tmp/s1 /tmp/s1
  meet s2 /w/s2 s2
  mkdir "$ROOT/w/d"
  meet ./d/../s3 s3 /w/s3
  meet /w/link/s4 /tmp/s4 /tmp/s4
  [ -S "$ROOT/tmp/s1" ]
}

@test "a name of a hundred characters" {
  local d=/w/0123456789012345678901234567890123456789
  mkdir "$ROOT$d"
  ok guest "python3 serve.py $d/01234567890123456789012345678901234567890123456789012 >out & python3 ask.py $d/01234567890123456789012345678901234567890123456789012; wait; cat out"
  [[ ${lines[0]} = answer* ]]
  [ "${lines[2]}" = "$d/01234567890123456789012345678901234567890123456789012" ]
}

@test "nothing is bound in a read-only folder, by no name" {
  OPTIONS=(-B "$ROOT/w" /mnt)
  ok guest 'cp serve.py /tmp; cd /mnt; for n in s /mnt/s ../mnt/s; do python3 /tmp/serve.py $n 2>&1 | tail -1; done'
  [ "$(grep -c "Read-only file system" <<<"$output")" = 3 ]
}

@test "two runs of one root meet, also in a bind" {
  mkdir "$T/shared"
  OPTIONS=(-b "$T/shared" /mnt)
  guest 'python3 serve.py /mnt/s' >"$T/out" &
  ok guest 'python3 ask.py /mnt/s'
  wait $!
  [ "${lines[0]}" = "answer /mnt/s" ]
  [ -S "$T/shared/s" ]
  grep -qx question "$T/out"
}

@test "a process of the host is reached through a bind of its socket" {
  python3 "$ROOT/w/serve.py" "$T/host.sock" >"$T/out" &
  wait_until 10 test -S "$T/host.sock"
  touch "$ROOT/w/s"
  OPTIONS=(-b "$T/host.sock" /w/s)
  ok guest 'python3 ask.py /w/s'
  wait $!
  [[ ${lines[0]} = answer* ]]
}

@test "who is at the other end is told its own ids, as D-Bus wants to know them" {
  ok guest 'python3 -c "
import os, socket, struct
a, b = socket.socketpair()
if not os.fork():
    os.setresgid(26, 26, 26); os.setresuid(42, 42, 42)
    s = socket.socket(socket.AF_UNIX); s.bind(\"/tmp/s\"); s.listen(); a.send(b\"x\"); a.recv(1); os._exit(0)
b.recv(1)
c = socket.socket(socket.AF_UNIX); c.connect(\"/tmp/s\")
print(struct.unpack(\"3i\", c.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[1:])
b.send(b\"x\")
x, y = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
print(x.sendmsg([b\"data\"], [(socket.SOL_SOCKET, socket.SCM_CREDENTIALS, struct.pack(\"3i\", os.getpid(), 0, 0))]))
"'
  [ "$output" = $'(42, 26)\n4' ]
}

@test "abstract names and other families are left alone" {
  ok guest 'python3 -c "
import socket
s = socket.socket(socket.AF_UNIX); s.bind(b\"\0udocker-trap-'"$$"'\"); print(s.getsockname()[:13])
t = socket.socket(); t.bind((\"127.0.0.1\", 0)); print(t.getsockname()[0])
"'
  [ "$output" = "b'\x00udocker-trap'"$'\n127.0.0.1' ]
}
