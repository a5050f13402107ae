#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# bats: also as root
# shellcheck disable=SC2016,SC2034  # OPTIONS are for guest(); scripts for other shells
# What guests of the trap engine read in /proc: their own names, mounts and ids, and nothing of the host's folders.

load helpers
load trap

setup() { trap_setup; }

@test "the program, the folder, the root and open files have the guest's names" {
  ok guest 'readlink -f /proc/self/exe; readlink /proc/$$/exe; readlink /proc/self/cwd /proc/self/root; exec 7>f; readlink /proc/self/fd/7
    rm f; readlink /proc/self/fd/7; ls /proc/self/root/etc/passwd; cat /proc/self/cwd/../etc/group | head -1'
  [ "${lines[0]}" = /usr/bin/readlink ]
  [ "${lines[1]}" = "$(readlink -f /usr/bin/sh | sed 's,^/bin/,/usr/bin/,')" ]
  [ "${lines[2]}" = /w ]
  [ "${lines[3]}" = / ]
  [ "${lines[4]}" = /w/f ]
  [ "${lines[5]}" = "/w/f (deleted)" ]
  [ "${lines[6]}" = /proc/self/root/etc/passwd ]
  [ "${lines[7]}" = root:x:0: ]
}

@test "another process's program is its own, and no loader's" {
  ok guest 'cp /usr/bin/sleep /w/nap; ./nap 98517 & sleep 0.3; readlink /proc/$!/exe; cmp /proc/$!/exe /w/nap && echo same; tr "\0" " " </proc/$!/cmdline; cat /proc/$!/comm; kill $!'
  [ "${lines[0]}" = /w/nap ]
  [ "${lines[1]}" = same ]
  [ "${lines[2]}" = "./nap 98517 nap" ]
}

@test "a program runs itself again by /proc/self/exe" {
  ok guest 'perl -e "exec {q(/proc/self/exe)} q(perl), q(-e), q(print qq(again \$^X\n)) unless @ARGV"'
  [[ $output = again* ]]
}

@test "a program that no name leads to is shown as on a host, and finds itself" {
  requires python3
  cat >"$ROOT/w/memory.py" <<'PY'
import os, sys
own = """import os
print(os.readlink("/proc/self/exe"), open("/proc/self/exe", "rb").read(4), os.stat("/proc/self/exe").st_size == SIZE, flush=True)
os.execl("/proc/self/exe", "again", "-c", 'print("again", open("/proc/self/exe", "rb").read(4))')
"""
data = open(os.path.realpath(sys.executable), "rb").read()
memory = os.memfd_create("copy")
os.write(memory, data)
gone = os.open("gone", os.O_RDWR | os.O_CREAT, 0o755)
os.write(gone, data)
os.close(gone)
gone = os.open("gone", os.O_RDONLY)
os.unlink("gone")
for f in memory, gone:
    if not os.fork():
        os.execve(f, ["copy", "-c", own.replace("SIZE", str(len(data)))], os.environ)
    os.wait()
PY
  (cd "$ROOT/w" && /usr/bin/python3 memory.py) >"$T/real"
  for OPTIONS in -d -2; do
    ok guest 'python3 memory.py'
    assert_output "$(sed "s,$ROOT,," "$T/real")"
  done
}

@test "status tells the guest's ids" {
  ok guest 'grep -E "^(Uid|Gid|NoNewPrivs|Seccomp):" /proc/self/status; setpriv --reuid 5 --regid 6 --clear-groups grep -E "^(Uid|Gid):" /proc/self/status'
  [ "$output" = $'Uid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\nNoNewPrivs:\t0\nSeccomp:\t0\nUid:\t5\t5\t5\t5\nGid:\t6\t6\t6\t6' ]
  ok guest 'setpriv --reuid 42 sleep 98518 & sleep 0.3; grep Uid: /proc/$!/status; kill $!'
  [ "$output" = $'Uid:\t42\t42\t42\t42' ]
}

@test "ps shows the guest's user and programs" {
  requires ps
  ok guest 'sleep 98519 & sleep 0.3; ps -o user=,args= -p $!; kill $!'
  [[ $output = root*"sleep 98519" ]]
}

@test "mounts are the root, the binds, and what lies below" {
  mkdir "$T/my bind"
  OPTIONS=(-B "$T/my bind" "/mnt")
  ok guest 'cat /proc/self/mounts; echo; cat /proc/mounts /etc/mtab 2>/dev/null | grep -c " / "'
  [[ $output != *"$T"* ]]
  grep -q '^[^ ]* / [^ ]* r' <<<"$output"
  grep -q '^[^ ]* /mnt [^ ]* ro' <<<"$output"
  grep -q '^[^ ]* /proc proc ' <<<"$output"
  ok guest 'grep " /mnt " /proc/self/mountinfo | cut -d" " -f5'
  [ "$output" = /mnt ]
}

@test "df and findmnt find their way" {
  mkdir "$T/b"
  OPTIONS=(-b "$T/b" /mnt)
  ok guest 'df / | tail -1; df -a /mnt | tail -1; findmnt -n -o TARGET -T /w; findmnt -n -o TARGET /proc; findmnt -n -o TARGET /mnt'
  [[ ${lines[0]} = */ ]]
  [ "${lines[2]}" = / ]
  [ "${lines[3]}" = /proc ]
  [ "${lines[4]}" = /mnt ]
}

@test "maps have the guest's names, and stay what debuggers and runtimes read" {
  ok guest 'cat /proc/self/maps | cut -c74- | grep -E "^/" | sort -u; grep -c -e "\[stack\]" /proc/self/maps; grep -c Rss: /proc/self/smaps >/dev/null && echo smaps'
  grep -qx /usr/bin/cat <<<"$output"
  [[ $output != *"$ROOT"* ]]
  [ "${lines[-2]}" = 1 ]
  [ "${lines[-1]}" = smaps ]
}

@test "every list of mappings has the guest's names, also those with blanks" {
  requires python3
  cp "$(readlink -f /usr/lib/*/libz.so.1)" "$ROOT/w/a b.so"
  cat >"$ROOT/w/lists.py" <<'PY'
import ctypes, os
ctypes.CDLL("/w/a b.so")
def last(line, mark):
    return mark + line.rstrip("\n").split(mark, 1)[1] if mark in line else None
def names(file, begin):
    return {last(line, begin) for line in open("/proc/self/" + file)} - {None}
want = names("maps", "/")
assert "/w/a b.so" in want and not any("/root" + n in want for n in want)
got = {"smaps": {n for n in names("smaps", "/") if not n.startswith("/proc")}}
got["map_files"] = {os.readlink("/proc/self/map_files/" + f) for f in os.listdir("/proc/self/map_files")}
if os.path.exists("/proc/self/numa_maps"):
    got["numa_maps"] = {line.split()[2][5:].replace("\\040", " ") for line in open("/proc/self/numa_maps") if " file=" in line}
for file, seen in got.items():
    print(file, sorted(want ^ seen))
PY
  ok guest 'python3 lists.py'
  assert_contains 'smaps []'
  assert_contains 'map_files []'
  [ ! -e /proc/self/numa_maps ] || assert_contains 'numa_maps []'
}

@test "the engine's descriptors survive who closes everything" {
  ok guest 'perl -e "use POSIX; POSIX::close(\$_), POSIX::dup2(0, \$_) for 900..1023; opendir(my \$d, q(/etc)) or die; print scalar(grep /passwd/, readdir \$d), qq(\n); exec q(id), q(-u)"'
  [ "$output" = $'1\n0' ]
  ok guest 'python3 -c "
import os, subprocess
os.closerange(3, 2000)
print(open(\"/etc/passwd\").readline()[:4], subprocess.check_output([\"id\", \"-u\"], close_fds=True))
"'
  [ "$output" = "root b'0\n'" ] || [ "$output" = "root b'0\\n'" ]
}

@test "filters of the guest hold for calls that the engine answers, also where sites have been rewritten, behind exec and in children" {
  cat >"$ROOT/w/filter.py" <<'PY'
import ctypes, errno, os, signal, struct, subprocess, sys, threading
libc = ctypes.CDLL(None, use_errno=True)
def refuse(nr, verdict):
    code = b"".join(struct.pack("HBBI", *i) for i in [(0x20, 0, 0, 0), (0x15, 0, 1, nr), (6, 0, 0, verdict), (6, 0, 0, 0x7fff0000)])
    buf = ctypes.create_string_buffer(code)
    prog = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", 4, ctypes.addressof(buf)))
    assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, prog, 0, 0) == 0
def made(path):
    try:
        os.mkdir(path)
    except OSError as e:
        return errno.errorcode[e.errno]
    os.rmdir(path)
    return "made"
MKDIR, SYMLINK, CHMOD = 83, 88, 90
if len(sys.argv) > 1:
    print(made("d"))
    sys.exit()
for i in range(9):
    assert made("d") == "made"
    os.chmod("f", 0o600)
refuse(MKDIR, 0x50000 | errno.ENOSPC)
print(made("d"))
refuse(SYMLINK, 0x50000 | errno.EIO)
print(made("d"))
threading.Thread(target=lambda: print(made("d"))).start()
sys.stdout.flush()
print(subprocess.run([sys.executable, sys.argv[0], "again"], capture_output=True, text=True).stdout.strip())
os.stat("f"), os.chmod("f", 0o644), open("f").close()
print(oct(os.stat("f").st_mode & 0o777))
# To trap and to kill, at a site that is hot.
pid = os.fork()
if pid == 0:
    refuse(CHMOD, 0x30007)
    os.chmod("f", 0o600)
    os._exit(0)
print(os.WTERMSIG(os.waitpid(pid, 0)[1]) == signal.SIGSYS)
pid = os.fork()
if pid == 0:
    refuse(CHMOD, 0x80000000)
    os.chmod("f", 0o600)
    os._exit(0)
print(os.WTERMSIG(os.waitpid(pid, 0)[1]) == signal.SIGSYS)
PY
  for OPTIONS in -d -2; do
    touch "$ROOT/w/f"
    ok guest "python3 /w/filter.py"
    assert_output $'ENOSPC\nENOSPC\nENOSPC\nENOSPC\n0o644\nTrue\nTrue'
  done
}

@test "the release of the kernel and the name of the host may be others" {
  OPTIONS=(-k 9.9.9-test -H elsewhere)
  ok guest 'uname -r; uname -n; uname -s'
  [ "$output" = $'9.9.9-test\nelsewhere\nLinux' ]
}
