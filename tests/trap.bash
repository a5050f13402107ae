# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154  # T comes from helpers.bash
# For the tests of the trap engine's guests: the image called by itself, with the machine's /usr in a root of our own.

# IMAGE is the installed engine. Only other processors have none: on x86-64 it is a fault if it is not there.
trap_image() {
  IMAGE=$SUITE_BIN/../libexec/udocker/udocker-trap
  [ -x "$IMAGE" ] || [ "$(uname -m)" = x86_64 ] || skip "no trap engine for this machine"
  local probed
  probed=$("$IMAGE" --probe) || skip "the trap engine does not work here: ${probed%%$'\n'*}"
}

trap_setup() {
  common_setup
  trap_image
  ROOT=$T/root
  mkdir -p "$ROOT"/{dev,etc/pam.d,proc,root,tmp,usr,w,mnt}
  local d
  for d in bin sbin lib lib64; do [ ! -e "/usr/$d" ] || ln -s "usr/$d" "$ROOT/$d"; done
  printf '%s\n' 'root:x:0:0:root:/root:/bin/sh' '_apt:x:42:65534::/nonexistent:/bin/sh' >"$ROOT/etc/passwd"
  printf '%s\n' 'root:x:0:' 'tape:x:26:_apt' 'nogroup:x:65534:' >"$ROOT/etc/group"
  printf '%s\n' 'root:*:19000:0:99999:7:::' '_apt:*:19000:0:99999:7:::' >"$ROOT/etc/shadow"
  printf '%s\n' 'auth sufficient pam_rootok.so' 'account required pam_permit.so' 'session required pam_permit.so' >"$ROOT/etc/pam.d/su"
  cp /etc/ld.so.cache "$ROOT/etc/"
  OPTIONS=()
}

# guest SCRIPT: what a shell in the guest does; with OPTIONS
guest() {
  env -i PATH=/usr/bin:/usr/sbin:/bin HOME=/root LC_ALL=C.UTF-8 timeout 60 "$IMAGE" -r "$ROOT" -b /proc /proc -b /dev /dev -B /usr /usr \
    "${OPTIONS[@]}" -w /w /bin/sh -c "$1"
}
