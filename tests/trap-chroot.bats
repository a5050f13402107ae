#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# bats: also as root
# shellcheck disable=SC2016,SC2034  # OPTIONS are for guest(); scripts for other shells
# chroot() in guests of the trap engine: what debootstrap, dpkg --root, rpm and pacman do, beside the same in a user namespace.

load helpers
load trap

setup() {
  trap_setup
  requires userns
}

# tree DIR: the folder that becomes a root
tree() {
  mkdir -p "$1/new/"{bin,d/e,etc,tmp} "$1/other"
  cp "$(command -v busybox)" "$1/new/bin/busybox"
  for a in sh rmdir ls cat readlink id chroot mkdir mv rm pwd; do ln -s busybox "$1/new/bin/$a"; done
  echo inside >"$1/new/etc/name"
  echo outside >"$1/name"
  ln -s /etc/name "$1/new/abs"
  ln -s ../../../etc/name "$1/new/d/up"
  ln -s /d "$1/new/folder"
  printf '#!/bin/sh\necho script "$0" "$(cat /etc/name)"\n' >"$1/new/bin/script"
  chmod 755 "$1/new/bin/script"
}

# both SCRIPT: a shell's, in a tree of the engine's guest and in the same one on the host as root of a user namespace; with the same answer
both() {
  local real mode
  rm -rf "$T/real" "$ROOT/w"
  mkdir "$T/real" "$ROOT/w"
  tree "$T/real"
  tree "$ROOT/w"
  real=$(cd "$T/real" && env -i PATH=/usr/bin:/usr/sbin:/bin LC_ALL=C.UTF-8 unshare -r /bin/sh -c "$1" 2>&1) || true
  for mode in T1 T2; do
    OPTIONS=()
    [ "$mode" = T1 ] || OPTIONS=(-2)
    rm -rf "$ROOT/w"
    mkdir "$ROOT/w"
    tree "$ROOT/w"
    run guest "{ $1
} 2>&1"
    [ "$output" = "$(sed "s,$T/real,/w,g" <<<"$real")" ] || fail "$mode, expected: $real"
  done
}

@test "programs in another root: absolute names and links, .. at its end, scripts, what is made and moved, roots within it" {
  both 'chroot new /bin/sh -c "cd / && pwd && ls / && cat /abs /d/up /../../etc/name folder/up; cd /../.. && pwd; cd d/e && pwd && cat ../../abs; /bin/script; script
    id -u; mkdir /made made2 && mv /made /folder/moved && ls /d /d/e; echo x >/../written; cat /w/name /proc/self/status; rmdir /; ls -d /bin/sh; readlink -f /abs
    mkdir -p /d/bin; busybox cp /bin/busybox /d/bin/sh; chroot /d /bin/sh -c \"cd /; pwd; echo /*\"; exec /bin/ls /d/bin"; cat new/written'
  chroot_of() { [ -e "$ROOT/w/new/d/moved" ]; }
  chroot_of
  both 'chroot none /bin/true; chroot name /bin/true; chroot new /bin/none; chroot new /bin/sh -c "exec 3</none; env -i /bin/pwd"; echo $?'
}

@test "a process that goes out by a descriptor and comes back, as rpm does, children, and who may not" {
  requires python3
  cat >"$T/roots.py" <<'PY'
import errno, os, socket
def say(*words):
    print(*words, flush=True)
def tried(f, *args):
    try:
        return f(*args)
    except OSError as e:
        return errno.errorcode[e.errno]
def see():
    say(tried(os.getcwd), os.path.exists("/etc/name") and open("/abs").read().strip(), os.path.exists("name") and open("name").read().strip())
outer = os.open("/", os.O_RDONLY)
here = os.open(".", os.O_RDONLY)
os.chroot("new")
say(tried(os.getcwd), open("name").read().strip(), open("../" + os.path.basename(HERE) + "/name").read().strip())
os.chdir("/")
see()
say(tried(os.rmdir, "/"), tried(os.mkdir, "/"), tried(os.rename, "/d", "/"), tried(os.chdir, "/w/new"), os.listdir("/") == os.listdir("/../.."))
for path in "/abs", "abs", "/d/up", "/folder/../abs":
    say(path, os.path.realpath(path), os.stat(path).st_size, os.readlink("/abs"))
s = socket.socket(socket.AF_UNIX)
s.bind("/tmp/s")
say(s.getsockname(), os.path.exists("tmp/s"))
os.symlink("/etc/name", "/d/link")
os.link("/etc/name", "/d/hard")
os.rename("/d/hard", "/d/e/hard")
say(sorted(os.listdir("/d")), sorted(os.listdir("/d/e")))
if not os.fork():
    os.chroot("/d")
    os.chdir("/")
    say(os.getcwd(), sorted(os.listdir("/..")), tried(open, "/etc/name"), tried(os.stat, "link"))
    os._exit(0)
os.wait()
see()
os.fchdir(here)
say(tried(os.getcwd))
os.chroot("/")
see()
os.fchdir(outer)
os.chroot(".")
os.fchdir(here)
say(tried(os.getcwd) == HERE, open("name").read().strip(), tried(os.chroot, "new/etc/name"), tried(os.chroot, "none"), tried(os.chroot, ""))
if not os.fork():
    os.chmod("other", 0)
    os.chdir("new")
    os.chroot(".")
    os.execv("/bin/sh", ["sh", "-c", "pwd; cat /etc/name; cd ..; pwd; cat /abs"])
os.wait()
os.chmod("other", 0o755)
PY
  cp "$T/roots.py" "$T/roots2.py"
  script() { echo "HERE = '$1'" | cat - "$T/roots2.py" >"$T/roots.py"; }
  script "$T/real"
  mkdir -p "$T/real"
  tree "$T/real"
  real=$(cd "$T/real" && unshare -r /usr/bin/python3 "$T/roots.py" 2>&1) || true
  [[ $real != *Traceback* ]] || fail "$real"
  for mode in T1 T2; do
    OPTIONS=()
    [ "$mode" = T1 ] || OPTIONS=(-2)
    rm -rf "$ROOT/w"
    mkdir "$ROOT/w"
    tree "$ROOT/w"
    script /w
    cp "$T/roots.py" "$ROOT/tmp"
    run guest 'python3 /tmp/roots.py 2>&1'
    [ "$output" = "$real" ] || fail "$mode, expected: $real"
  done
  fails 1 guest 'setpriv --reuid 42 --clear-groups python3 -c "import os; os.chroot(\"/w\")"'
  assert_stderr_contains "Operation not permitted"
}
