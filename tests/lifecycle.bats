#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2317,SC2016,SC2086,SC2010,SC2030,SC2031,SC2094,SC2126,SC2143,SC2314  # called through each_engine; names and numbers are ours
# bats: also as root
# The OCI runtime's verbs on a bundle, with every engine that works here: what callers rely on (create, start, state, kill,
# delete, list, pid files, descriptors, console sockets), and what is left when processes of ours are killed.

load helpers
RUNTIME_ENGINES=${RUNTIME_ENGINES:-proot runc crun fakechroot runsc singularity trap}
load runtime

setup() { runtime_setup c; }

teardown() {
  runtime_teardown
  [ -z "${SHARED:-}" ] || rm -rf "$SHARED"
}

@test "a container is created, started and stopped, and told so" {
  check() {
    args sleep 1000
    create "$C" --pid-file "$T/pid"
    [ "$(status_of "$C")" = created ]
    [ "$(rt state "$C" | jq .pid)" = "$(cat "$T/pid")" ]
    [ "$(wc -l <"$T/pid")" -eq 0 ]
    kill -0 "$(cat "$T/pid")"
    ok rt start "$C"
    assert_output ""
    assert_no_stderr
    [ "$(status_of "$C")" = running ]
    fails 1 rt start "$C"
    fails 1 rt delete "$C"
    [ "$(status_of "$C")" = running ]
    ok rt kill "$C" TERM
    wait_until 5 is_in_state "$C" stopped
    [ "$(rt state "$C" | jq .pid)" -eq 0 ]
    fails 1 rt kill "$C"
    assert_stderr_contains "container not running"
    ok rt kill -a "$C" 0
    ok rt delete "$C"
    fails 1 rt state "$C"
    assert_stderr_contains "does not exist"
    fails 1 rt delete "$C"
    ok rt delete --force "$C"
  }
  each_engine check
}

# adopting CMD...: run it; what it leaves behind is ours. Prints "PID SIGNAL STATUS" of the first that ends, after "CHILDREN" while `go` is not there.
adopting() {
  python3 - "$T/go" "$@" <<'PY'
import ctypes, os, subprocess, sys, time
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
subprocess.run(sys.argv[2:], check=True, stdin=subprocess.DEVNULL)
left = open("/proc/self/task/%d/children" % os.getpid()).read().split()
print(*left)
for pid in left:
    # The loader takes a moment to show the program in its place.
    while open("/proc/%s/cmdline" % pid).read().startswith("\1"):
        time.sleep(0.01)
    print(open("/proc/%s/cmdline" % pid).read().replace("\0", " ").strip(), open("/proc/%s/task/%s/children" % (pid, pid)).read().strip())
open(sys.argv[1], "w")
pid, status = os.wait()
print(pid, os.WTERMSIG(status), os.waitstatus_to_exitcode(status))
PY
}

@test "the trap engine's container is its program: nobody else stays, and who adopts it gets its status" {
  [[ " $ENGINES " == *" trap "* ]] || skip "the trap engine does not work here"
  ENGINE="trap"
  # ends HOW WANT: what it ends by.
  ends() {
    rm -f "$T/go"
    # The word of create is that of a shell: only the program's own standard streams keep files open.
    MORE=".mounts += [{destination: \"/t\", type: \"bind\", source: \"$T\", options: [\"bind\"]}]" args sh -c "while [ ! -e /t/go ]; do :; done; $1"
    ok adopting sh -c 'udocker-runtime --root "$0" --engine trap create -b "$1" --pid-file "$1/pid" "$2" && udocker-runtime --root "$0" start "$2"' \
      "$ROOT" "$B" "$C"
    [ "${lines[0]}" = "$(cat "$B/pid")" ] || fail "children: ${lines[0]}"
    [[ ${lines[1]} == "sh -c while "* ]] || fail "it is: ${lines[1]}"
    [ "${lines[2]}" = "$(cat "$B/pid") $2" ] || fail "it ended: ${lines[2]}"
    [ "$(status_of "$C")" = stopped ]
    ok rt delete "$C"
  }
  ends 'exit 7' '0 7'
  ends 'kill -9 $$' '9 -9'
  ends 'kill -TERM $$' '15 -15'
}

@test "what keeps a program from becoming the container's process is told by start" {
  [[ " $ENGINES " == *" trap "* ]] || skip "the trap engine does not work here"
  ENGINE="trap"
  printf 'no program at all\n' >"$B/rootfs/bin/none"
  chmod 755 "$B/rootfs/bin/none"
  args /bin/none
  create "$C"
  fails 1 rt start "$C"
  assert_one_error_line
  assert_stderr_contains 'exec: "/bin/none": Exec format error'
  [ "$(status_of "$C")" = stopped ]
  ok rt delete "$C"
  # The engine itself gives up.
  mkdir "$T/gone"
  MORE=".mounts += [{destination: \"/gone\", type: \"bind\", source: \"$T/gone\", options: [\"bind\"]}]" args true
  create "$C"
  rmdir "$T/gone"
  fails 1 rt start "$C"
  assert_one_error_line
  assert_stderr_contains "$T/gone"
  ok rt delete --force "$C"
}

@test "state and list show the same, in runc's order" {
  check() {
    args sleep 1000
    create "$C"
    ok rt state "$C"
    [ "$(jq -r 'del(.annotations) | keys_unsorted | join(" ")' <<<"$output")" = "ociVersion id pid status bundle rootfs created owner" ]
    [ "$(jq -r .bundle <<<"$output")" = "$B" ]
    [ "$(jq -r .rootfs <<<"$output")" = "$B/rootfs" ]
    ok rt list -f json
    [ "$(wc -l <<<"$output")" -eq 1 ]
    [ "$(jq -c '.[0]' <<<"$output")" = "$(rt state "$C" | jq -c .)" ]
    ok rt list
    [ "$(head -1 <<<"$output" | tr -s ' ')" = "ID PID STATUS BUNDLE CREATED OWNER" ]
    assert_contains created
    ok rt list -q
    assert_output "$C"
    ok rt delete "$C"
    ok rt list -f json
    assert_output "[]"
  }
  each_engine check
}

@test "an id that is taken changes nothing" {
  check() {
    args sleep 1000
    create "$C"
    cp "$ROOT/$C/state.json" "$T/before"
    fails 1 rt --engine "$ENGINE" create -b "$B" "$C"
    assert_stderr_contains "exists already"
    cmp "$T/before" "$ROOT/$C/state.json"
    [ "$(status_of "$C")" = created ]
    ok rt delete --force "$C"
  }
  each_engine check
}

@test "ids that are none are refused" {
  args true
  for id in a/b .. . '' 'a b' "$(printf '%01100d' 0)"; do
    fails 1 rt create -b "$B" -- "$id"
    assert_one_error_line
  done
  [ -z "$(find "$ROOT" -mindepth 1 -maxdepth 1 ! -name @probes ! -name @ended 2>/dev/null)" ]
}

@test "what cannot work fails at create and leaves nothing" {
  check() {
    args /nope
    fails 1 rt --engine "$ENGINE" create -b "$B" "$C"
    assert_stderr_contains "no such file or directory"
    args nope
    fails 1 rt --engine "$ENGINE" create -b "$B" "$C"
    assert_stderr_contains 'executable file not found in $PATH'
    args /etc/passwd
    fails 1 rt --engine "$ENGINE" create -b "$B" "$C"
    assert_stderr_contains "permission denied"
    MORE='.process.cwd = "tmp"' args true
    fails 1 rt --engine "$ENGINE" create -b "$B" "$C"
    MORE='.root.path = "nowhere"' args true
    fails 1 rt --engine "$ENGINE" create -b "$B" "$C"
    MORE='.root.path = "../.."' args true
    fails 1 rt --engine "$ENGINE" create -b "$B" "$C"
    MORE='.process.rlimits = [{"type": "RLIMIT_NOPE", "soft": 1, "hard": 1}]' args true
    fails 1 rt --engine "$ENGINE" create -b "$B" "$C"
    echo '{' >"$B/config.json"
    fails 1 rt --engine "$ENGINE" create -b "$B" "$C"
    rm "$B/config.json"
    fails 1 rt --engine "$ENGINE" create -b "$B" "$C"
    [ -z "$(find "$ROOT" -mindepth 1 -maxdepth 1 ! -name @probes ! -name @ended 2>/dev/null)" ]
  }
  each_engine check
}

@test "the configuration comes from a file or a descriptor too" {
  check() {
    args echo from the bundle
    cp "$B/config.json" "$T/other.json"
    sed -i 's/from the bundle/from elsewhere/' "$T/other.json"
    jq '.process.args = ["echo", "elsewhere"]' "$B/config.json" >"$T/other.json"
    ok rt --engine "$ENGINE" run -b "$B" "$C"
    assert_output "from the bundle"
    ok rt --engine "$ENGINE" run -b "$B" --config "$T/other.json" "$C"
    assert_output elsewhere
    ok rt --engine "$ENGINE" run -b "$B" --config-fd 7 "$C" 7<"$T/other.json"
    assert_output elsewhere
    fails 125 rt --engine "$ENGINE" run -b "$B" --config "$T/other.json" --config-fd 7 "$C" 7<"$T/other.json"
  }
  each_engine check
}

@test "run: the program's status, its signal, 125, 126 and 127" {
  check() {
    args payload exit 7
    fails 7 rt --engine "$ENGINE" run -b "$B" "$C"
    args payload signal 15
    fails 143 rt --engine "$ENGINE" run -b "$B" "$C"
    args payload signal 9
    fails 137 rt --engine "$ENGINE" run -b "$B" "$C"
    args nope
    run -127 rt --engine "$ENGINE" run -b "$B" "$C"
    args /etc/passwd
    fails 126 rt --engine "$ENGINE" run -b "$B" "$C"
    fails 125 rt --engine "$ENGINE" run -b "$T/none" "$C"
    ok rt list -q
    assert_output ""
  }
  each_engine check
}

@test "--keep leaves the stopped container for delete" {
  check() {
    args payload exit 3
    fails 3 rt --engine "$ENGINE" run --keep -b "$B" "$C"
    [ "$(status_of "$C")" = stopped ]
    ok rt delete "$C"
  }
  each_engine check
}

@test "HOME is the user's of the container's passwd, else /, unless the bundle sets it" {
  check() {
    args payload env
    echo 'u0:x:0:0::/zero:/bin/sh' >"$B/rootfs/etc/passwd"
    ok rt --engine "$ENGINE" run -b "$B" "$C"
    [ "$(grep '^HOME=' <<<"$output")" = HOME=/zero ] || fail "$ENGINE: $output"
    : >"$B/rootfs/etc/passwd"
    ok rt --engine "$ENGINE" run -b "$B" "$C"
    # crun sets none then.
    [ "$ENGINE" = crun ] || [ "$(grep '^HOME=' <<<"$output")" = HOME=/ ] || fail "$ENGINE: $output"
    MORE='.process.env += ["HOME=/mine"]' args payload env
    ok rt --engine "$ENGINE" run -b "$B" "$C"
    [ "$(grep '^HOME=' <<<"$output")" = HOME=/mine ] || fail "$ENGINE: $output"
  }
  each_engine check
}

@test "the program gets its environment and arguments exactly" {
  check() {
    args payload env
    ok rt --engine "$ENGINE" run -b "$B" "$C"
    if has_own_kernel; then output=$(sort -r <<<"$output"); fi # it has no order
    [ "$(without_library <<<"$output" | grep -v '^HOME=')" = $'PATH=/bin\nA=b' ] || fail "environment"
    args payload args '' 'a b' --
    ok rt --engine "$ENGINE" run -b "$B" "$C"
    assert_output $'[]\n[a b]\n[--]'
  }
  each_engine check
}

@test "generated files of annotations are seen inside and vanish" {
  check() {
    MORE='.annotations["org.udocker.file:/etc/made"] = "made up\n"' args cat /etc/made
    ok rt --engine "$ENGINE" run -b "$B" "$C"
    assert_output "made up"
    [ ! -s "$B/rootfs/etc/made" ]
    ok rt list -q
    assert_output ""
  }
  each_engine check
}

@test "a pid file that is a device or a pipe is written into, never replaced" {
  local null=/dev/null
  # The machine's own stays out of root's reach.
  if [ "$(id -u)" = 0 ]; then mknod -m 666 null c 1 3 && null=null; fi
  check() {
    args true
    ok rt --engine "$ENGINE" run --pid-file $null -b "$B" "$C"
    [ -c $null ]
    rm -f pipe
    mkfifo pipe
    cat pipe >pid &
    ok rt --engine "$ENGINE" run --pid-file pipe -b "$B" "$C"
    wait $!
    [ -p pipe ]
    [ "$(cat pid)" -gt 1 ]
  }
  each_engine check
}

@test "descriptors: what is to be preserved arrives, nothing else is held" {
  check() {
    args payload fds
    if has_own_kernel; then
      fails 125 rt --engine "$ENGINE" run -b "$B" --preserve-fds 2 "$C" 3<"$B/config.json" 4<"$B/config.json"
      assert_stderr_contains "hands no descriptors on"
      return
    fi
    ok rt --engine "$ENGINE" run -b "$B" --preserve-fds 2 "$C" 3<"$B/config.json" 4<"$B/config.json" 5<"$B/config.json"
    [ "$(cut -d' ' -f1 <<<"$output" | xargs)" = "3 4" ] || fail "descriptors"
    ok rt --engine "$ENGINE" run -b "$B" "$C" 3</dev/null 9</dev/null
    assert_output ""
    if [ "$ENGINE" = crun ]; then # to which those that are not open are no error
      ok rt --engine crun run -b "$B" --preserve-fds 3 "$C" 3</dev/null 4<&- 5</dev/null
      [ "$(cut -d' ' -f1 <<<"$output" | xargs)" = "3 5" ] || fail "with a gap: $output"
      ok env LISTEN_FDS=2 udocker-runtime --root "$ROOT" --engine crun run -b "$B" "$C" 3</dev/null 4<&-
    else
      fails 125 rt --engine "$ENGINE" run -b "$B" --preserve-fds 2 "$C" 3</dev/null 4<&-
      assert_stderr_contains "descriptor 4 is to be preserved but is not open"
    fi
  }
  each_engine check
}

@test "a program that lets go of its output lets the caller go" {
  check() {
    args sh -c 'exec >/dev/null 2>&1; exec sleep 1000'
    SECONDS=0
    out=$(rt --engine "$ENGINE" run -d -b "$B" "$C" 2>&1 </dev/null)
    [ -z "$out" ] || fail "said: $out"
    [ $SECONDS -lt 20 ]
    [ "$(status_of "$C")" = running ]
    ok rt delete --force "$C"
  }
  each_engine check
}

@test "what the program leaves behind is ended with it" {
  check() {
    args sh -c 'sleep 98761 & (setsid sleep 98761 &) ; exit 4'
    fails 4 rt --engine "$ENGINE" run -b "$B" "$C"
    [ -z "$(procs_with '^sleep 98761')" ] || fail "left: $(procs_with 98761)"
  }
  each_engine check
}

@test "delete --force ends a running container with all it started" {
  check() {
    args sh -c 'sleep 98762 & (setsid sleep 98762 &) ; exec sleep 98762'
    create "$C"
    ok rt start "$C"
    wait_until 5 test -n "$(procs_with '^sleep 98762')" || true
    ok rt delete --force "$C"
    assert_no_stderr
    [ -z "$(procs_with '^sleep 98762')" ] || fail "left: $(procs_with 98762)"
    ok rt list -q
    assert_output ""
  }
  each_engine check
}

@test "signals by name and number reach the program" {
  check() {
    args sh -c 'trap "echo usr1" USR1; trap "echo term; exit 5" TERM; echo ready; while :; do sleep 0.05; done'
    rm -f "$T/log"
    udocker-runtime --root "$ROOT" --engine "$ENGINE" run -b "$B" "$C" >"$T/log" 2>&1 </dev/null &
    wait_until 10 grep -q ready "$T/log"
    for name in USR1 SIGUSR1 10; do
      : >"$T/log"
      ok rt kill "$C" $name
      wait_until 5 grep -q usr1 "$T/log"
    done
    fails 1 rt kill "$C" NOPE
    ok rt kill "$C"
    local status=0
    wait $! || status=$?
    [ $status -eq 5 ]
  }
  each_engine check
}

@test "STOP stops the program and CONT lets it go on" {
  check() {
    args sh -c 'while :; do date +%s%N; sleep 0.05; done'
    rm -f "$T/log"
    udocker-runtime --root "$ROOT" --engine "$ENGINE" run -b "$B" "$C" >"$T/log" 2>&1 </dev/null &
    wait_until 10 test -s "$T/log"
    ok rt kill "$C" STOP
    wait_until 10 stands_still "$T/log" || fail "it goes on"
    local size
    size=$(stat -c %s "$T/log")
    ok rt kill "$C" CONT
    wait_until 5 test "$(stat -c %s "$T/log")" -gt "$size" || [ "$(stat -c %s "$T/log")" -gt "$size" ]
    ok rt kill "$C" KILL
    local status=0
    wait $! || status=$?
    [ $status -eq 137 ]
  }
  each_engine check
}

@test "a terminal without a foreground needs a console socket, and is sent over it" {
  check() {
    MORE='.process.terminal = true | .process.consoleSize = {"height": 30, "width": 90}' args sh -c 'payload isatty; stty size; sleep 0.2'
    fails 1 rt --engine "$ENGINE" create -b "$B" "$C"
    assert_stderr_contains console-socket
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
while True:
    try:
        got = os.read(master, 1000)
    except OSError:
        break
    if not got:
        break
    out += got
sys.stdout.write(out.decode().replace("\r", ""))
PY
    rm -f cs cs.ready
    python3 "$T/listen.py" cs >"$T/tty" &
    wait_until 10 test -e cs.ready
    # containerd's shim reads what create prints until its end, which must not wait for the container's.
    rt --engine "$ENGINE" create -b "$B" --console-socket cs "$C" </dev/null 2>&1 | timeout 20 cat >"$T/out" || fail "create's output stays open"
    [ "$(status_of "$C")" = created ] || fail "not created: $(cat "$T/out")"
    ok rt start "$C"
    wait $!
    has_own_kernel || grep -q '30 90' "$T/tty"
    grep -q '^0 1 2' "$T/tty" || grep -q '0' "$T/tty"
    ok rt delete --force "$C"
    args true
    fails 1 rt --engine "$ENGINE" create -b "$B" --console-socket cs "$C"
  }
  each_engine check
}

@test "an engine killed under its container stops it, and nothing is left" {
  check() {
    args sh -c '(setsid sleep 98763 &) ; exec sleep 98763'
    create "$C"
    ok rt start "$C"
    kill -9 "$(rt state "$C" | jq .pid)"
    wait_until 5 is_in_state "$C" stopped
    ok rt list
    assert_contains stopped
    ok rt delete --force "$C"
    [ -z "$(procs_with '^sleep 98763')" ] || fail "left: $(procs_with 98763)"
  }
  each_engine check
}

@test "delete --force ends what another has frozen" {
  local group=/sys/fs/cgroup/freezer/frozen-$C pid
  [ "$(id -u)" = 0 ] && mkdir "$group" 2>/dev/null || skip "no freezer of cgroup v1, or not root"
  check() {
    args sleep 98766
    rt --engine "$ENGINE" run -d -b "$B" "$C" </dev/null >/dev/null 2>&1 || fail "run"
    # The process of the state, and the program where that is another.
    for pid in $(rt state "$C" | jq .pid) $(procs_with '^sleep 98766'); do echo "$pid" >"$group/cgroup.procs"; done
    echo FROZEN >"$group/freezer.state"
    ok rt delete --force "$C"
    [ -z "$(cat "$group/cgroup.procs")" ] || fail "still frozen"
    echo THAWED >"$group/freezer.state"
    [ -z "$(procs_with '^sleep 98766')" ] || fail "left"
    ok rt list -q
    assert_output ""
  }
  # Whatever fails: the group must not stay.
  local failed=
  (each_engine check) || failed=yes
  echo THAWED >"$group/freezer.state"
  wait_until 5 test -z "$(cat "$group/cgroup.procs")" || true
  rmdir "$group"
  [ -z "$failed" ]
}

@test "create, start and delete killed at any instant leave what delete --force cleans" {
  check() {
    args sh -c '(setsid sleep 98764 &) ; exec sleep 98764'
    local round p
    for round in 1 2 3 4 5 6 7 8; do
      udocker-runtime --root "$ROOT" --engine "$ENGINE" create -b "$B" "$C-$round" </dev/null >/dev/null 2>&1 &
      p=$!
      sleep 0.0$round
      kill -9 $p 2>/dev/null || true
      wait $p 2>/dev/null || true
      udocker-runtime --root "$ROOT" start "$C-$round" </dev/null >/dev/null 2>&1 &
      p=$!
      sleep 0.01
      kill -9 $p 2>/dev/null || true
      wait $p 2>/dev/null || true
      ok rt list
      udocker-runtime --root "$ROOT" delete --force "$C-$round" </dev/null >/dev/null 2>&1 &
      p=$!
      sleep 0.00$round
      kill -9 $p 2>/dev/null || true
      wait $p 2>/dev/null || true
      ok rt delete --force "$C-$round"
    done
    ok rt list -q
    assert_output ""
    wait_until 5 test -z "$(procs_with '^sleep 98764')" || true
    [ -z "$(procs_with '^sleep 98764')" ] || fail "left: $(procs_with 98764)"
    args true
    ok rt --engine "$ENGINE" run -b "$B" "$C"
    [ -z "$(find "$ROOT" -mindepth 1 -maxdepth 1 ! -name @probes ! -name @ended 2>/dev/null)" ] || fail "left: $(ls "$ROOT")"
  }
  each_engine check
}

@test "delete --force of a container whose hook hangs ends the hook and all that it has started" {
  once
  local p
  hooks_run() { [ "$(pgrep -c -u "$(id -u)" -f '(^|/)sleep 9879[567]')" = 3 ]; }
  for ENGINE in $ENGINES; do
    use_bundle
    ! has_own_kernel || continue # it knows no such hooks
    ! is_direct || continue # hooks are its own, and no container is seen before they have ended
    MORE='.hooks.createRuntime = [{path: "/bin/sh", args: ["sh", "-c", "sleep 98795 & setsid sleep 98796 & sleep 98797"]}]' args true
    udocker-runtime --root "$ROOT" --engine "$ENGINE" create -b "$B" "$C" </dev/null >/dev/null 2>&1 3>&- &
    p=$!
    wait_until 20 hooks_run
    ok rt delete --force "$C"
    [ -z "$(procs_with '^sleep 9879[567]')" ] || fail "$ENGINE: the hook runs on"
    ! wait $p || fail "$ENGINE: create has not failed"
    [ -z "$(rt list -q)" ] || fail "$ENGINE: left"
  done
}

@test "delete --force after a create that was killed ends its hooks, under direct engines too" {
  local p kind delay
  hooks_run() { [ "$(pgrep -c -u "$(id -u)" -f '(^|/)sleep 9878[567]')" = 3 ]; }
  for ENGINE in $ENGINES; do
    use_bundle
    is_direct || continue
    for kind in prestart createRuntime createContainer; do
      MORE=".hooks.$kind = [{path: \"/bin/sh\", args: [\"sh\", \"-c\", \"sleep 98785 & setsid sleep 98786 & sleep 98787\"]}]" args true
      for delay in 0 0.01 0.1; do
        udocker-runtime --root "$ROOT" --engine "$ENGINE" create -b "$B" "$C" </dev/null >/dev/null 2>&1 3>&- &
        p=$!
        wait_until 20 hooks_run
        kill -9 $p
        sleep $delay
        ok rt delete --force "$C"
        [ -z "$(procs_with '^sleep 9878[567]')" ] || fail "$ENGINE: the $kind hook runs on"
        wait $p 2>/dev/null || true
        [ -z "$(find "$ROOT" -mindepth 1 -maxdepth 1 ! -name @probes ! -name @ended)" ] || fail "left: $(ls -A "$ROOT")"
      done
    done
    # What a hook leaves running on purpose stays, and the container comes and goes.
    MORE='.hooks.createRuntime = [{path: "/bin/sh", args: ["sh", "-c", "setsid sleep 98788 >/dev/null 2>&1 &"]}]' args sleep 98789
    create "$C"
    rt start "$C"
    ok rt delete --force "$C"
    [ -z "$(procs_with '^sleep 98789')" ]
    [ -n "$(procs_with '^sleep 98788')" ] || fail "$ENGINE: what a hook had left was ended"
    procs_with '^sleep 98788' | xargs kill
  done
}

@test "a pid file of a create that was killed is no word about who has the number later" {
  local stranger
  for ENGINE in $ENGINES; do
    use_bundle
    ! is_direct || continue
    args true
    create "$C"
    # As a create leaves it that was killed when the delegate had written the pid file.
    kill -9 "$(rt state "$C" | jq .pid)"
    jq '.pid = 0 | .startTime = 0' "$ROOT/$C/state.json" >"$T/state.json"
    cat "$T/state.json" >"$ROOT/$C/state.json"
    sleep 98780 3>&- &
    stranger=$!
    echo $stranger >"$ROOT/$C/pid"
    [ "$(status_of "$C")" = stopped ] || fail "$ENGINE: it is $(status_of "$C")"
    rt kill "$C" KILL 2>/dev/null || true
    ok rt delete --force "$C"
    kill $stranger || fail "$ENGINE: a stranger was killed"
    wait $stranger 2>/dev/null || true
    [ -z "$(rt list -q)" ]
  done
}

@test "a directory that another user makes in the state root ends no container of root's" {
  requires root
  local name
  for ENGINE in $ENGINES; do
    use_bundle
    running "$C"
    name=$ROOT/@new-000000000000-$(printf '%x' "$(jq .mark "$ROOT/$C/state.json")")
    mkdir "$name"
    chown nobody "$name"
    args true
    create "$C-2"
    refute_file "$name"
    is_in_state "$C" running || fail "$ENGINE: ended"
    ok rt delete --force "$C"
    ok rt delete --force "$C-2"
  done
}

@test "a create that was killed as root leaves no control groups" {
  local where p path
  requires root
  [[ $ENGINES == *runc* ]] || skip "runc does not work here"
  groups_of() { find /sys/fs/cgroup -type d \( -name "$1" -o -name "$1-*" \) 2>/dev/null; }
  for where in "$C" "$C/sub"; do
    path="/$where"
    [ "$where" != "$C" ] || path=
    # The hook is there when the groups are.
    MORE=".hooks.createRuntime = [{path: \"/bin/sh\", args: [\"sh\", \"-c\", \"sleep 98792\"]}] | if \"$path\" == \"\" then . else .linux.cgroupsPath = \"$path\" end" args true
    udocker-runtime --root "$ROOT" --engine runc create -b "$B" "$C" </dev/null >/dev/null 2>&1 3>&- &
    p=$!
    wait_until 20 pgrep -f '(^|/)sleep 98792' >/dev/null
    [ -n "$(groups_of "${where##*/}")" ] || skip "no control groups can be made here"
    kill -9 $p
    wait $p 2>/dev/null || true
    ok rt delete --force "$C"
    [ -z "$(groups_of "${where##*/}")" ] || fail "left: $(groups_of "${where##*/}" | tr '\n' ' ')"
  done
  # The folder above is runc's, and not the container's. Where hierarchies are joined it is seen more than once.
  groups_of "$C" | xargs -r rmdir 2>/dev/null || true
  [ -z "$(groups_of "$C")" ] || fail "left: $(groups_of "$C" | tr '\n' ' ')"
}

@test "a container is not ended with one of the same id in another state root" {
  local pid
  for ENGINE in $ENGINES; do
    use_bundle
    ! has_own_kernel || continue # its ids are the machine's, and the second one is refused
    running "$C"
    pid=$(rt state "$C" | jq .pid)
    ROOT=$T/other running "$C"
    [ "$(udocker-runtime --root "$T/other" state "$C" | jq -r .status)" = running ]
    ok udocker-runtime --root "$T/other" delete --force "$C"
    kill -0 "$pid" || fail "$ENGINE: ended with another"
    is_in_state "$C" running || fail "$ENGINE: $(status_of "$C")"
    ok rt delete --force "$C"
  done
}

@test "what a daemon of a hook does is not the container's end" {
  local pid
  for ENGINE in $ENGINES; do
    use_bundle
    ! has_own_kernel || continue # it knows no such hooks
    MORE="$(printf '.hooks.createRuntime = [{path: "/bin/sh", args: ["sh", "-c", "setsid sleep 98794 </dev/null >/dev/null 2>&1 & echo $! >%s/daemon"]}]' "$T")" args sleep 98793
    create "$C"
    rt start "$C"
    pid=$(cat "$T/daemon")
    ok rt delete --force "$C"
    kill "$pid" || fail "$ENGINE: the daemon of a hook was ended with the container"
  done
}

@test "what a delete that was killed had begun does not make the container again" {
  ENGINE=runc
  [[ $ENGINES == *runc* ]] || skip "runc does not work here"
  # The first one is slow to begin, and says when it has.
  cat >"$T/runc" <<EOF
#!/bin/sh
case " \$* " in *" delete "*) [ -e "$T/begun" ] || { : >"$T/begun"; sleep 2; } ;; esac
exec $(command -v runc) "\$@"
EOF
  chmod 755 "$T/runc"
  MORE='.hooks.poststop = [{path: "/bin/true"}]' args sleep 98714
  UDOCKER_USE_RUNC_EXECUTABLE=$T/runc create "$C"
  udocker-runtime --root "$ROOT" delete --force "$C" >/dev/null 2>&1 &
  wait_until 10 test -e "$T/begun"
  kill -9 $!
  wait $! || true
  ok rt delete --force "$C"
  sleep 3 # longer than the first one's runc would take to begin
  ok rt list -q
  assert_output ""
  [ ! -e "$ROOT/$C" ] || fail "left: $(find "$ROOT/$C")"
}

@test "two deletes at once: the second finds nothing to do" {
  ENGINE=runc
  [[ $ENGINES == *runc* ]] || skip "runc does not work here"
  cat >"$T/runc" <<EOF
#!/bin/sh
case " \$* " in *" delete "*) : >"$T/begun"; sleep 1 ;; esac
exec $(command -v runc) "\$@"
EOF
  chmod 755 "$T/runc"
  MORE='.hooks.poststop = [{path: "/bin/true"}]' args sleep 98715
  UDOCKER_USE_RUNC_EXECUTABLE=$T/runc create "$C"
  udocker-runtime --root "$ROOT" delete --force "$C" >"$T/first" 2>&1 &
  wait_until 10 test -e "$T/begun"
  ok rt delete --force "$C"
  wait $! || fail "the first: $(cat "$T/first")"
  ! grep error "$T/first" || fail "said by the first"
  ok rt list -q
  assert_output ""
}

@test "a state file that cannot be read is listed, and deleted by force" {
  ENGINE=${ENGINES##* }
  use_bundle
  args sleep 1000
  create "$C"
  kill -9 "$(rt state "$C" | jq .pid)"
  head -c 20 "$ROOT/$C/state.json" >"$T/half"
  cat "$T/half" >"$ROOT/$C/state.json"
  fails 1 rt state "$C"
  assert_one_error_line
  ok rt list
  assert_contains "$C"
  fails 1 rt delete "$C"
  ok rt delete --force "$C"
  ok rt list -q
  assert_output ""
}

@test "a pid that was reused is not taken for the container" {
  ENGINE=${ENGINES##* }
  use_bundle
  args sleep 1000
  create "$C"
  kill -9 "$(rt state "$C" | jq .pid)"
  sleep 98765 &
  jq ".pid = $!" "$ROOT/$C/state.json" >"$T/new" && cat "$T/new" >"$ROOT/$C/state.json"
  [ "$(status_of "$C")" = stopped ]
  fails 1 rt kill "$C" KILL
  ok rt delete --force "$C"
  kill -0 $!
  kill $!
}

@test "--dry-run prints the plan and makes nothing" {
  check() {
    args echo hello
    ok rt --engine "$ENGINE" create --dry-run -b "$B" "$C"
    assert_contains "engine: $ENGINE"
    assert_contains "why: "
    refute_file "$ROOT/$C"
    ok rt --engine "$ENGINE" run --dry-run -b "$B" "$C"
    refute_contains $'\nhello'
  }
  each_engine check
}

@test "spec writes a valid configuration and replaces none" {
  mkdir "$T/new"
  ok udocker-runtime spec -b "$T/new"
  valid_config "$T/new/config.json"
  fails 1 udocker-runtime spec -b "$T/new"
  rm "$T/new/config.json"
  ok udocker-runtime spec --rootless -b "$T/new"
  valid_config "$T/new/config.json"
  jq -e '.linux.uidMappings[0].size == 1' "$T/new/config.json"
}

@test "features, version and engines answer" {
  ok udocker-runtime features
  [ "$(jq -r .ociVersionMin <<<"$output")" = 1.0.0 ]
  ok udocker-runtime --version
  [ "${lines[0]%% *}" = udocker-runtime ]
  assert_contains "spec: $(udocker-runtime features | jq -r .ociVersionMax)"
  ok udocker-runtime engines --format json
  [ "$(jq -r '.[0] | [has("name", "modes", "available", "path", "version", "reason")] | all' <<<"$output")" = true ]
  ok udocker-runtime engines
  assert_contains ENGINE
}

@test "errors go to the log and to stderr, in the form asked for" {
  args nope
  fails 1 rt --log "$T/log" --log-format json create -b "$B" "$C"
  [ "$(tail -1 "$T/log" | jq -r .level)" = error ]
  tail -1 "$T/log" | jq -r .msg | grep -q 'executable file not found'
  assert_stderr_contains "executable file not found"
  fails 1 rt --log "$T/text" create -b "$B" "$C"
  tail -1 "$T/text" | grep -q '^time=".*" level=error msg="'
}

@test "a log that cannot be opened keeps everything from starting" {
  args touch /tmp/ran
  fails 125 rt --log "$T/none/log" run -b "$B" "$C"
  assert_stderr_contains "$T/none/log"
  fails 1 rt --log "$T/none/log" create -b "$B" "$C"
  fails 255 rt --log "$T" exec "$C" true
  refute_file "$B/rootfs/tmp/ran"
  [ -z "$(rt list -q)" ]
}

@test "a state root shared by users: root sees and ends a user's container" {
  requires root
  # Below /tmp itself: the user has to reach it.
  SHARED=$(mktemp -d /tmp/udocker-shared.XXXXXX)
  chmod 755 "$SHARED"
  ROOT=$SHARED/state
  mkdir -m 1777 "$ROOT"
  args sleep 98716
  cp -r "$B" "$SHARED/bundle"
  chmod -R a+rX "$SHARED/bundle"
  as_user() { "$SUITE_SRC/tests/as-user" udocker-runtime --root "$ROOT" "$@" </dev/null >"$SHARED/out" 2>&1; }
  as_user --execmode P1 create -b "$SHARED/bundle" "$C" || skip "PRoot does not work for the user: $(cat "$SHARED/out")"
  as_user start "$C"
  [ "$(status_of "$C")" = running ]
  ok rt list
  assert_contains udocker-test
  # What its owner has written there names no process of others.
  sleep 98767 3>&- &
  start=$(cut -d' ' -f22 "/proc/$!/stat")
  mkdir "$ROOT/$C/exec"
  echo "$start $! $start $!" >"$ROOT/$C/exec/$!"
  chown -R udocker-test "$ROOT/$C/exec"
  ok rt kill "$C" KILL
  wait_until 15 is_in_state "$C" stopped # its supervisor waits for the end of what it cannot end
  ok rt delete --force "$C"
  [ -z "$(pgrep -f '(^|/)sleep 98716')" ]
  kill $! || fail "a process of root was killed through a record of the user"
  # Nor is a hook of a user root's to run.
  jq --arg out "$SHARED/hook" '.hooks.poststart = [{path: "/bin/sh", args: ["sh", "-c", "id -u >\($out)"]}]' \
    "$SHARED/bundle/config.json" >"$SHARED/new" && mv "$SHARED/new" "$SHARED/bundle/config.json"
  chmod a+r "$SHARED/bundle/config.json"
  as_user --execmode P1 create -b "$SHARED/bundle" "$C"
  fails 1 rt start "$C"
  assert_stderr_contains "who has to do this"
  refute_file "$SHARED/hook"
  ok rt delete --force "$C"
  # Nobody but root and the owner.
  create_as_root() { rt --execmode P1 create -b "$SHARED/bundle" "$C" </dev/null >/dev/null 2>&1; }
  create_as_root
  fails 1 as_user delete --force "$C"
  ok rt delete --force "$C"
}
