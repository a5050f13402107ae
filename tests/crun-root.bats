#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# bats: also as root
# bats: not under the sanitizers
# crun under root: versions before 1.24 give a null device that is standard input to the container's user.

load helpers

setup() {
  common_setup
  requires root jq
  command -v crun >/dev/null || skip "crun is not installed"
  B=$T/bundle
  mkdir "$B"
  mkrootfs "$B/rootfs"
  udocker-runtime spec -b "$B"
  jq '.root.readonly = false | .process.terminal = false | .process.env = ["PATH=/bin"] | .process.user = {uid: 1000, gid: 1000} | del(.process.rlimits, .linux.resources)
    | .process.args = ["/bin/sh", "-c", "cat; id -u; echo unseen >&2"] | .mounts |= map(select(.type != "cgroup"))' "$B/config.json" >"$T/config.json"
  mv "$T/config.json" "$B/config.json"
  mknod -m 666 "$T/null" c 1 3 2>/dev/null && true 2>/dev/null <"$T/null" || skip "no devices can be made here"
}

# Without the cgroup2 tree that crun refuses.
crun_works() {
  # shellcheck disable=SC2016  # for the other shell
  unshare -m --propagation private sh -c 'grep -q " /sys/fs/cgroup/unified " /proc/self/mountinfo && umount /sys/fs/cgroup/unified; exec "$@"' sh "$@"
}

@test "the owner of a device among root's standard streams stays" {
  local rt=(udocker-runtime --root "$T/state" --engine crun)
  crun_works "${rt[@]}" run -b "$B" c1 <"$T/null" >"$T/out" 2>"$T/null" || fail "run: $(cat "$T/out")"
  [ "$(cat "$T/out")" = 1000 ]
  jq '.process.args = ["/bin/sleep", "1000"]' "$B/config.json" >"$T/config.json"
  crun_works "${rt[@]}" run -d -b "$B" --config "$T/config.json" c2 <"$T/null" >"$T/null" 2>&1
  [ "$(stat -c %u:%g "$T/null")" = 0:0 ]
  # crun 1.8 does it in exec. The stream may be of this mount namespace or of another.
  crun_works "${rt[@]}" exec -u 1000:1000 c2 /bin/id -u <"$T/null" >"$T/out" 2>"$T/err" || fail "exec: $(cat "$T/err")"
  [ "$(cat "$T/out")" = 1000 ]
  # shellcheck disable=SC2016  # for the other shell
  crun_works sh -c 'null=$1; shift; exec "$@" <"$null" 2>"$null"' sh "$T/null" "${rt[@]}" exec -u 1000:1000 c2 /bin/id -u >"$T/out"
  [ "$(cat "$T/out")" = 1000 ]
  [ "$(stat -c %u:%g "$T/null")" = 0:0 ]
  udocker-runtime --root "$T/state" delete --force c2
}
