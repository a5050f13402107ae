#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# bats: also as root
# shellcheck disable=SC2016,SC2034  # OPTIONS are for guest(); scripts for other shells
# Who a guest of the trap engine is, who it becomes, and whose the files are.

load helpers
load trap

setup() { trap_setup; }

@test "a guest is root, or who it is started as" {
  ok guest 'id -u; id -g; id -un'
  [ "$output" = $'0\n0\nroot' ]
  OPTIONS=(-i 42:26)
  ok guest 'id -u; id -g; id -un'
  [ "$output" = $'42\n26\n_apt' ]
}

@test "with -n it is who the user is" {
  OPTIONS=(-n)
  ok guest 'id -u; stat -c %u /w'
  [ "$output" = "$(id -u)"$'\n'"$(id -u)" ]
  if [ "$(id -u)" != 0 ]; then
    fails 1 guest 'chown 42 /w'
    [[ $stderr = *"Operation not permitted"* ]]
  fi
}

@test "su and setpriv become others, and do not come back" {
  ok guest 'su _apt -c "id -u; id -G"; id -u'
  [ "$output" = $'42\n65534 26\n0' ]
  ok guest 'setpriv --reuid 5 --regid 6 --clear-groups sh -c "id -u; id -G; setpriv --reuid 0 true 2>&1; chown 0 /w 2>&1"; :'
  [ "${lines[0]}" = 5 ]
  [ "${lines[1]}" = 6 ]
  [[ ${lines[2]} = *"Operation not permitted"* ]]
  # What the user owns is shown as root's, and the guest's user may not give it away.
  [[ ${lines[3]:-} = "" || ${lines[3]} = *"Operation not permitted"* ]]
}

@test "a child that changes its ids, in a process that shares memory, leaves its parent's alone" {
  ok guest 'python3 -c "
import os, subprocess
for i in range(12):
    assert subprocess.check_output([\"id\", \"-u\"], user=1000 + i, group=7, extra_groups=[8]) == b\"%d\n\" % (1000 + i)
    assert os.getresuid() == (0, 0, 0)
pid = os.fork()
if not pid:
    os.setgroups([26]); os.setresgid(5, 5, 5); os.setresuid(42, 42, 42)
    try:
        os.setuid(0)
    except PermissionError:
        print(os.getresuid(), os.getresgid(), os.getgroups(), flush=True)
    os.execvp(\"id\", [\"id\", \"-G\"])
os.wait()
print(os.getresuid())
"'
  [ "$output" = $'(42, 42, 42) (5, 5, 5) [26]\n5 26\n(0, 0, 0)' ]
}

@test "a program with the set-uid bit is its owner's, unless no_new_privs is set" {
  cp /usr/bin/id "$ROOT/w/suid"
  chmod u+s "$ROOT/w/suid"
  ok guest 'setpriv --reuid 42 ./suid -u; setpriv --reuid 42 ./suid -ru; setpriv --reuid 42 --no-new-privs ./suid -u'
  [ "$output" = $'0\n42\n42' ]
}

@test "root opens its files whatever their mode is, which stays, and runs programs that nobody may read" {
  requires user
  echo x >"$ROOT/w/none"
  mkdir -p "$ROOT/w/folder"
  echo y >"$ROOT/w/folder/file"
  cp /bin/cat "$ROOT/w/cat"
  chmod 111 "$ROOT/w/cat"
  chmod 000 "$ROOT/w/none"
  chmod 300 "$ROOT/w/folder"
  ok guest 'cat none; echo z >>none; cat none; ls folder; stat -c %a none folder cat; echo ran | ./cat'
  assert_output $'x\nx\nz\nfile\n0\n300\n111\nran'
  fails 1 guest 'setpriv --reuid 42 --clear-groups cat none'
  assert_stderr_contains "Permission denied"
  # Programs are for others, too.
  ok guest 'setpriv --reuid 42 --clear-groups sh -c "echo ran | ./cat"'
  assert_output ran
  [ "$(stat -c %a "$ROOT/w/none" "$ROOT/w/cat")" = $'0\n111' ]
  chmod 700 "$ROOT/w/folder"
}

# closed: what root does where modes keep everybody out, with what comes of it
CLOSED='mkdir -p a/b c; echo x >a/b/f; echo y >a/none; mkdir a/shut; cp /bin/true a/b/true; ln -s b/f a/link; ln a/b/f a/second
  chmod 0 a/none a/shut; chmod 555 c; chmod 0 a/b; chmod 500 a
  cat a/b/f a/link a/none; a/b/true && echo ran; echo z >a/new; echo z >c/new; echo z >a/b/new; mkdir a/b/dir c/dir; ls a/b
  ln -s x a/b/sym; readlink a/b/sym; ln a/b/f c/hard; mv c/new a/b/moved; mv a/shut c/shut; rm a/second; rmdir c/dir; mkfifo c/p
  chmod 640 a/b/f; chown 0:0 a/b/f; touch -d @1 a/b/f; truncate -s 1 a/b/f; test -r a/none && test -w c && echo may; test -x a/none || echo not
  cd a/b && pwd && cat f && echo w >w && stat -c "%n %a %s" f && cd ../..
  tar -C c -cf t.tar . && rm -r c && mkdir c && tar -C c -xpf t.tar && find a c -printf "%m %p\n" | sort -k 2'

@test "root makes, finds, moves and removes things where modes keep their owner out, and the modes stay" {
  requires user
  mkdir "$T/real"
  (cd "$T/real" && { unshare -r sh -c "$CLOSED" >"$T/expected" 2>&1; chmod -R u+rwX .; })
  grep -q '^500 a$' "$T/expected" || skip "no root in a user namespace here"
  for OPTIONS in -d -2; do
    rm -rf "${ROOT:?}/w"
    mkdir "$ROOT/w"
    guest "$CLOSED" >"$T/out" 2>"$T/err" || true
    chmod -R u+rwX "$ROOT/w"
    sed "s,^/w,$T/real," "$T/out" >"$T/seen"
    diff "$T/expected" "$T/seen" || fail "$(cat "$T/err")"
  done
  # Who is not root stays out.
  ok guest 'mkdir d; echo x >d/f; chmod 0 d; setpriv --reuid 42 --clear-groups sh -c "cat d/f; echo x >d/g; mkdir d/h" 2>&1; stat -c %a d'
  [ "$(grep -c "Permission denied" <<<"$output")" = 3 ] || fail "$output"
  [ "${lines[-1]}" = 0 ]
  chmod 700 "$ROOT/w/d"
}

@test "capabilities and no_new_privs are those of the guest" {
  ok guest 'setpriv --dump | grep -i -e no_new_privs; setpriv --no-new-privs setpriv --dump | grep no_new_privs; grep CapEff /proc/self/status
    setpriv --bounding-set -chown grep CapBnd /proc/self/status'
  [ "${lines[0]}" = "no_new_privs: 0" ]
  [ "${lines[1]}" = "no_new_privs: 1" ]
  [ "${lines[2]}" = $'CapEff:\t000001ffffffffff' ]
  [ "${lines[3]}" = $'CapBnd:\t000001fffffffffe' ]
}

@test "chown succeeds where root could, and fails where it could not" {
  touch "$ROOT/w/f"
  chmod 6755 "$ROOT/w/f"
  mkdir "$T/ro"
  touch "$T/ro/f"
  OPTIONS=(-B "$T/ro" /mnt)
  ok guest 'chown 42:26 f && stat -c "%u %g %a" f; chown 42 none 2>&1; chown 42 /mnt/f 2>&1; chown -h 42 /bin; mknod null c 1 3 && stat -c %F null'
  [ "${lines[0]}" = "0 0 755" ] || [ "${lines[0]}" = "0 0 2755" ]
  [[ ${lines[1]} = *"No such file or directory"* ]]
  [[ ${lines[2]} = *"Read-only file system"* ]]
  [[ ${lines[-1]} = "regular empty file" ]]
}

@test "with -m owners and devices are remembered, so that tar reads back what it wrote" {
  OPTIONS=(-m)
  guest 'touch probe; chown 5 probe; [ "$(stat -c %u probe)" = 5 ]' || skip "no extended attributes here"
  ok guest 'mkdir d; echo x >d/f; chmod 444 d/f; chown 42:26 d d/f; mknod -m 640 d/null c 1 3; mknod d/disk b 8 300; chown :6 d/disk
    tar -cf t.tar d; rm -r d; tar --same-owner -xpf t.tar; find d -printf "%p %U:%G %y %m\n" | sort; stat -c "%n %t:%T" d/null d/disk; tar -tvf t.tar d/disk'
  [ "${lines[0]}" = "d 42:26 d 755" ]
  [ "${lines[1]%% 6*}" = "d/disk 0:6 b" ] || [ "${lines[1]}" = "d/disk 0:6 b 644" ]
  [ "${lines[2]}" = "d/f 42:26 f 444" ]
  [ "${lines[3]}" = "d/null 0:0 c 640" ]
  [ "${lines[4]}" = "d/null 1:3" ]
  [ "${lines[5]}" = "d/disk 8:12c" ]
  [[ ${lines[6]} = b*"8,300"* ]]
  # Another program that runs later sees the same; one without the option does not.
  ok guest 'stat -c "%u %F" d/null'
  [ "$output" = "0 character special file" ]
  OPTIONS=()
  ok guest 'stat -c "%u %F" d/f d/null'
  [ "$output" = $'0 regular file\n0 regular empty file' ]
}

@test "static programs, those of musl, and what vfork children change" {
  local p
  cat >"$T/ids.c" <<'C'
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
int main(void)
{
	int before, r;
	uid_t a, b, c;

	if (!vfork()) {
		setuid(5);
		execl("/usr/bin/id", "id", "-u", NULL);
		_exit(1);
	}
	wait(NULL);
	before = getuid();
	r = setresuid(7, 8, 9);
	getresuid(&a, &b, &c);
	printf("%d %d %u %u %u %d\n", before, r, a, b, c, setuid(0));
	return 0;
}
C
  cc -static -o "$ROOT/w/static" "$T/ids.c"
  [ -z "$(command -v musl-gcc)" ] || musl-gcc -static -o "$ROOT/w/musl" "$T/ids.c"
  for p in static musl; do
    [ -x "$ROOT/w/$p" ] || continue
    ok guest "./$p"
    [ "$output" = $'5\n0 0 7 8 9 -1' ]
  done
}
