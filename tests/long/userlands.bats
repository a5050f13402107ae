#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2030,SC2031
# The release's archive (make check-dist) in the user lands of other Debians, as far as an archive of this machine's apt still has
# their packages: unpacked, used and removed by an ordinary user with nothing but what is there.

load ../helpers

setup() {
  common_setup
  [ -e "$SUITE_SRC/dist.tar.gz" ] || skip "there is no archive (make check-dist makes it)"
  requires userns mmdebstrap
}

# The first archive of this machine's apt that has the suite.
mirror_of() { # SUITE
  local uri
  for uri in $(apt-get indextargets --format '$(REPO_URI)' | sort -u); do
    ! curl -fsS --max-time 30 -o /dev/null "${uri%/}/dists/$1/Release" 2>/dev/null || { echo "$uri"; return 0; }
  done
  return 1
}

# land SUITE: its root file system in $D, kept as an archive for the next time, and the release unpacked in it by its own tar.
land() {
  local cache=${SUITE_CACHE:-/var/tmp/udocker-tests-$(id -u)} mirror
  mkdir -p "$cache"
  [ -O "$cache" ] || fail "$cache is somebody else's"
  if [ ! -e "$cache/land-$1.tar" ]; then
    mirror=$(mirror_of "$1") || skip "no archive of this machine's apt has $1"
    # The other ids of a user namespace must come to its temporary folder: not below one that is private.
    TMPDIR=$cache mmdebstrap --quiet --variant=essential "$1" "$cache/land-$1.new.tar" "$mirror" >&2
    mv "$cache/land-$1.new.tar" "$cache/land-$1.tar"
  fi
  D=$T/land
  mkdir "$D"
  tar -C "$D" -xf "$cache/land-$1.tar" --exclude './dev/*'
  mkdir -p "$D/home/me"
  : >"$D/dev/null"
  # As on systems of old: what no static program can open.
  printf 'passwd: compat systemd\ngroup: compat systemd\nhosts: files mymachines dns\n' >"$D/etc/nsswitch.conf"
  cp "$SUITE_SRC/dist.tar.gz" "$SUITE_TOOLS/deny" "$D/home/me/"
  ok inside tar -C /home/me -xzf /home/me/dist.tar.gz
  RELEASE=/home/me/$(basename "$D"/home/me/udocker-*)
}

# inside CMD...: in that root, as a user of id 1000 without any right.
inside() {
  unshare -rm sh -c "mount --rbind /proc '$D/proc' && mount --rbind /dev '$D/dev' && exec unshare --user --map-user=1000 --map-group=1000 --root='$D' \
    --wd=/home/me -- \"\$@\"" inside env -i HOME=/home/me PATH=/usr/bin:/bin "$@"
}
udocker_of_release() { inside "$RELEASE/bin/udocker" "$@"; }

# A guest with the C library of the land itself.
guest() {
  local libraries
  libraries=$(inside ldd /bin/sh /bin/cat | grep -o '/lib[^ ]*' | grep -v ':' | sed 's,^/,,' | sort -u)
  mkdir -p guest/etc guest/tmp
  # shellcheck disable=SC2086 # words
  inside tar -C / -chf - bin/sh bin/cat $libraries | tar -C guest -xf -
  echo 'root:x:0:0::/root:/bin/sh' >guest/etc/passwd
  echo inside >guest/etc/where
  tar -C guest -cf "$D/home/me/guest.tar" .
}

works_in() { # SUITE
  local old="pidfd_open pidfd_send_signal statx,openat2,clone3,rseq,faccessat2,memfd_create,copy_file_range,renameat2,seccomp,execveat,bpf,close_range,membarrier"
  land "$1"
  busybox_image bb:1
  ok udocker-image save -o "$D/home/me/image.tar" bb:1
  guest
  ok udocker_of_release version
  ok inside "$RELEASE/bin/udocker-runtime" engines
  ok udocker_of_release load -i /home/me/image.tar
  ok udocker_of_release create --name=box bb:1
  ok udocker_of_release ps
  assert_contains box
  ok udocker_of_release inspect box
  ok inside "$RELEASE/bin/udocker-image" verify bb:1
  ok udocker_of_release import /home/me/guest.tar land:1
  ok udocker_of_release create --name=land land:1
  if [ -d "$D$RELEASE/libexec/udocker/engines" ]; then
    ok udocker_of_release run --nobanner box /bin/sh -c 'echo inside; exit 0'
    assert_output inside
    fails 7 udocker_of_release run --nobanner box /bin/sh -c 'exit 7'
    ok udocker_of_release run --nobanner land /bin/cat /etc/where
    assert_output inside
    ok udocker_of_release setup --execmode=F1 land
    ok udocker_of_release run --nobanner land /bin/sh -c 'cat /etc/where'
    assert_output inside
    # shellcheck disable=SC2086 # words
    ok inside /home/me/deny $old -- "$RELEASE/bin/udocker" run --nobanner box /bin/echo old
    assert_output old
  fi
  ok udocker_of_release rm box
  ok udocker_of_release rm land
  ok udocker_of_release rmi bb:1
  ok udocker_of_release ps
  refute_contains box
}

@test "the release in the user land of Debian 8" { works_in jessie; }
@test "the release in the user land of Debian 9" { works_in stretch; }
@test "the release in the user land of Debian 10" { works_in buster; }
@test "the release in the user land of Debian 11" { works_in bullseye; }
@test "the release in the user land of Debian 12" { works_in bookworm; }
@test "the release in the user land of Debian 13" { works_in trixie; }
