# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034,SC2154  # bats sets status, output, stderr; the tests use what is set here
# What every test file loads. Each test has a HOME, a store and a runtime directory of its own below BATS_TEST_TMPDIR
# and may run beside any other. tests/run sets SUITE_BIN (the installed programs) and SUITE_TOOLS.

bats_require_minimum_version 1.5.0

# bats looks only once a second whether the next test may start; with this it starts soon after one has ended. Only in the
# process that starts the tests of a file, and there in a subshell that ends with the wait; not in the tests.
if [ -z "${BATS_TEST_NAME:-}" ]; then
  sleep() {
    [ "${FUNCNAME[1]:-}" = bats_semaphore_acquire_slot ] || { command sleep "$@"; return; }
    local running end=$((SECONDS + 2))
    [ -n "${silent_pipe:-}" ] || exec {silent_pipe}<> <(:)
    while [ $SECONDS -lt $end ]; do
      running=("$BATS_SEMAPHORE_DIR"/slot-*)
      [ ${#running[@]} -ge "$BATS_SEMAPHORE_NUMBER_OF_SLOTS" ] || break
      read -r -t 0.08 -u "$silent_pipe" || true
    done
  }
fi

common_setup() {
  T=$BATS_TEST_TMPDIR
  export HOME=$T/home XDG_RUNTIME_DIR=$T/run TMPDIR=$T/tmp
  mkdir -p "$HOME" "$TMPDIR"
  mkdir -m 700 "$XDG_RUNTIME_DIR"
  export PATH=$SUITE_BIN:$SUITE_TOOLS:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
  export LC_ALL=C.UTF-8
  unset "${!UDOCKER_@}"
  export UDOCKER_DIR=$HOME/.udocker
  [ "$(id -u)" != 0 ] || export UDOCKER_ALLOW_ROOT=1
  STORE=$UDOCKER_DIR
  cd "$T" || return 1
}

# Default set-up; a file that needs more defines its own and calls common_setup first.
setup() { common_setup; }

# Are the programs built with the sanitizers?
is_asan() { grep -q __asan_init "$SUITE_BIN/udocker-image"; }

# ---- running -------------------------------------------------------------------------------------
# ok CMD...: must exit 0; output and stderr are kept apart for the assertions.
ok() {
  run --separate-stderr "$@"
  [ "$status" -eq 0 ] || fail "exit status $status, wanted 0: $*"
}

# fails STATUS CMD...
fails() {
  local want=$1
  shift
  if [ "$want" -eq 127 ]; then # bats warns of an unexpected 127
    run -127 --separate-stderr "$@"
  else
    run --separate-stderr "$@"
  fi
  [ "$status" -eq "$want" ] || fail "exit status $status, wanted $want: $*"
}

fail() {
  {
    echo "$1"
    echo "stdout: ${output:-}"
    echo "stderr: ${stderr:-}"
  } >&2
  return 1
}

assert_output() { [ "$output" = "$1" ] || fail "stdout is not: $1"; }
assert_contains() { [[ $output == *"$1"* ]] || fail "stdout has no: $1"; }
refute_contains() { [[ $output != *"$1"* ]] || fail "stdout has: $1"; }
assert_stderr() { [ "$stderr" = "$1" ] || fail "stderr is not: $1"; }
assert_stderr_contains() { [[ $stderr == *"$1"* ]] || fail "stderr has no: $1"; }
refute_stderr_contains() { [[ $stderr != *"$1"* ]] || fail "stderr has: $1"; }
assert_matches() { [[ $output =~ $1 ]] || fail "stdout does not match: $1"; }
assert_no_stderr() { [ -z "$stderr" ] || fail "stderr is not empty"; }
# One line that ends the story: what every error must be.
assert_one_error_line() {
  [ -n "$stderr" ] || fail "no error message"
  [ "$(printf '%s\n' "$stderr" | wc -l)" -eq 1 ] || fail "more than one line of errors"
}
assert_file() { [ -e "$1" ] || fail "no such file: $1"; }
refute_file() { [ ! -e "$1" ] && [ ! -L "$1" ] || fail "file exists: $1"; }

# The store has no temporary names, no staging left, and every container and image is whole.
assert_store_clean() {
  local left
  left=$(find "$STORE" \( -name '.tmp-*' -o -path '*/.stage/*' \) 2>/dev/null | head -5)
  [ -z "$left" ] || fail "left in the store: $left"
  left=$(find "$STORE/containers" -mindepth 1 -maxdepth 1 -name '.*' 2>/dev/null | head -5)
  [ -z "$left" ] || fail "left in containers/: $left"
}

# ---- what is there -------------------------------------------------------------------------------
requires() {
  local what
  for what in "$@"; do
    case $what in
      userns) unshare -Ur true 2>/dev/null || skip "no unprivileged user namespaces" ;;
      root) [ "$(id -u)" = 0 ] || skip "needs root" ;;
      user) [ "$(id -u)" != 0 ] || skip "is about ordinary users" ;;
      crun)
        command -v crun >/dev/null || skip "crun is not installed"
        crun_host_ok || skip "crun refuses hybrid cgroups"
        ;;
      # The loader of a static program has no LD_PRELOAD: no call of it can be made to fail (tools/faults.c).
      preload) [[ $(ldd "$(command -v udocker-bundle)" 2>&1) != *@(statically|"not a dynamic")* ]] || skip "the programs are static" ;;
      pyte) /usr/bin/python3 -c 'import pyte' 2>/dev/null || skip "python3-pyte is not installed" ;;
      python-udocker) command -v udocker.py >/dev/null || skip "the Python udocker is not installed" ;;
      *) command -v "$what" >/dev/null || skip "$what is not installed" ;;
    esac
  done
}
crun_host_ok() { ! grep -q ' - cgroup2 ' /proc/self/mountinfo || ! grep -q ' - cgroup cgroup' /proc/self/mountinfo; }

# Modes that work here, one a line.
# Those of F take guests with a C library, which Fakechroot's own tests have.
working_modes() { udocker-runtime engines --format json | jq -r '.[] | select(.available and (.name | IN("fakechroot", "singularity") | not)) | .modes[]' | sort -u; }

# What `udocker` takes for containers without a mode of their own.
default_mode() { if [ "$(uname -m)" = x86_64 ]; then echo T1; else echo P1; fi; }

# For what takes long and shows as root and under the sanitizers what it has shown already.
once() {
  [ -z "${SANITIZE:-}" ] || skip "takes too long under the sanitizers"
  [ "$(id -u)" != 0 ] || skip "was run as an ordinary user"
}
# as_often MANY FEW: MANY where once() goes on, else FEW.
as_often() { if [ -z "${SANITIZE:-}" ] && [ "$(id -u)" != 0 ]; then echo "$1"; else echo "$2"; fi; }

# ---- images --------------------------------------------------------------------------------------
# A tar of a small root file system from busybox-static, made once per file.
rootfs_tar() {
  local tar=$BATS_FILE_TMPDIR/rootfs.tar
  if [ ! -e "$tar" ]; then
    mkrootfs "$BATS_FILE_TMPDIR/rootfs.$BASHPID"
    tar -C "$BATS_FILE_TMPDIR/rootfs.$BASHPID" --sort=name --owner=0 --group=0 --numeric-owner --mtime=@1600000000 \
      -cf "$tar.$BASHPID" .
    # Tests of one file run at once: the first archive stays, nobody replaces it under a reader.
    ln "$tar.$BASHPID" "$tar" 2>/dev/null || [ -e "$tar" ]
    rm -rf "$tar.$BASHPID" "$BATS_FILE_TMPDIR/rootfs.$BASHPID"
  fi
  echo "$tar"
}

# layer FILE.tar DIR: the content of DIR as a layer.
layer() { tar -C "$2" --sort=name --owner=0 --group=0 --numeric-owner --mtime=@1600000000 -cf "$1" .; }

# busybox_image NAME:TAG [CONFIG-JSON]: load a busybox image into the store.
busybox_image() {
  printf '%s' "${2:-{\"Cmd\":[\"/bin/sh\"],\"Env\":[\"PATH=/bin:/usr/bin\",\"GREETING=hello\"]\}}" >"$T/config.json"
  mkimage -n "$1" -c "$T/config.json" "$T/image.tar" "$(rootfs_tar)"
  udocker-image load -q -i "$T/image.tar" >/dev/null
  rm "$T/image.tar"
}

# busybox_container [NAME]: the same, and a container of it; sets ID and BUNDLE.
busybox_container() {
  busybox_image bb:1 "${2:-}"
  ID=$(udocker-bundle create ${1:+--name="$1"} bb:1)
  BUNDLE=$STORE/containers/$ID
}

# valid_config FILE: against the JSON schema of the runtime specification.
valid_config() {
  local dir
  dir=$(dirname "$(dpkg -L golang-github-opencontainers-specs-dev | grep '/schema/config-schema.json$')")
  python3 - "$dir" "$1" <<'PY'
import json, os, sys, warnings
warnings.simplefilter("ignore")
import jsonschema
folder, name = sys.argv[1:]
schema = json.load(open(os.path.join(folder, "config-schema.json")))
resolver = jsonschema.RefResolver("file://" + folder + "/config-schema.json", schema)
jsonschema.Draft4Validator(schema, resolver=resolver).validate(json.load(open(name)))
PY
}

# wait_until SECONDS CMD...: poll until it succeeds.
wait_until() {
  local end=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt $end ] || return 1
    sleep 0.05
  done
}

# wait_until 10 stands_still FILE: on a busy machine a write that had begun before a stop comes late.
stands_still() {
  local before
  before=$(cksum <"$1")
  sleep 0.5
  [ "$(cksum <"$1")" = "$before" ]
}

# A shell on a terminal of its own, that is typed into: TTY words are sent, and waited for in its output.
terminal() {
  cat >"$T/terminal.py" <<'PY'
import fcntl, os, pty, select, struct, sys, termios, time
pid, fd = pty.fork()
if pid == 0:
    os.environ["PS1"] = "PROMPT$ "
    os.execvp("bash", ["bash", "--norc", "--noprofile", "--noediting", "-i"])
fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 99, 0, 0))
seen = b""
def wait(word):
    global seen
    end = time.time() + 20
    while word not in seen:
        if time.time() > end:
            sys.exit("no %r in %r" % (word, seen))
        if select.select([fd], [], [], 0.1)[0]:
            try:
                seen += os.read(fd, 4096)
            except OSError:
                sys.exit("terminal closed, no %r in %r" % (word, seen))
    seen = seen[seen.index(word) + len(word):]
for line in sys.stdin:
    verb, _, rest = line.rstrip("\n").partition(" ")
    rest = rest.encode().decode("unicode_escape").encode("latin1")
    if verb == "wait":
        wait(rest)
    elif verb == "type":
        os.write(fd, rest)
    elif verb == "pause":
        time.sleep(float(rest))
    elif verb == "size":
        fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", *map(int, rest.split()), 0, 0))
PY
  python3 "$T/terminal.py"
}
