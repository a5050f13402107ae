#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# udocker setup --nvidia: the host's driver in a container. A folder of stub libraries with the driver's names stands for the host
# (UDOCKER_TEST_HOST_ROOT); what is asserted is what programs of the container see.

load helpers
load fakechroot.bash

VERSION=535.129.03

setup() {
  common_setup
  LIBS=/usr/lib/$(uname -m)-linux-gnu
  H=$T/host
  export UDOCKER_TEST_HOST_ROOT=$H
}

with_library_dir() { mkdir -p "$1/usr/lib/$(uname -m)-linux-gnu"; }

# stub PATH: a library of this machine, told from others by its end.
stub() {
  mkdir -p "$(dirname "$H$1")"
  cp -L "$(ldd "$(command -v cat)" | sed -nE 's/^[^/]*(\/[^ ]*)\/libc\.so.*/\1/p')/libdl.so.2" "$H$1"
  echo "$1" >>"$H$1"
}

# A cache of the loader with these paths, as ldconfig writes them.
ld_cache() {
  python3 - "$H/etc/ld.so.cache" "$@" <<'PY'
import struct, sys
out, paths = sys.argv[1], sys.argv[2:]
strings, entries, start = b"", [], 48 + 24 * len(sys.argv[2:])
for p in paths:
    entries.append((start + len(strings) + len(p) - len(p.split("/")[-1]), start + len(strings)))
    strings += p.encode() + b"\0"
with open(out, "wb") as f:
    f.write(b"glibc-ld.so.cache1.1" + struct.pack("<IIB3xI12x", len(paths), len(strings), 2, 0))
    for key, value in entries:
        f.write(struct.pack("<iIIIQ", 0x303, key, value, 0, 0))
    f.write(strings)
PY
}

# running VERSION: the kernel's half.
running() {
  mkdir -p "$H/proc/driver/nvidia"
  printf 'NVRM version: NVIDIA UNIX x86_64 Kernel Module  %s  Thu Oct 19 18:56:32 UTC 2023\nGCC version:  gcc version 12.2.0\n' "$1" \
    >"$H/proc/driver/nvidia/version"
}

# A host whose loader knows the driver below /opt alone, with what another version and other packages left beside it.
host() {
  local d=/opt/driver/lib64
  mkdir -p "$H"/{etc,dev,usr/bin,usr/lib}
  running $VERSION
  stub $d/libcuda.so.$VERSION
  ln -s libcuda.so.$VERSION "$H$d/libcuda.so.1"
  ln -s libcuda.so.1 "$H$d/libcuda.so"
  stub $d/libnvidia-ml.so.$VERSION
  ln -s libnvidia-ml.so.$VERSION "$H$d/libnvidia-ml.so.1"
  stub $d/libnvidia-gpucomp.so.$VERSION
  stub $d/libnvidia-allocator.so.$VERSION
  stub $d/libnvidia-egl-wayland.so.1.1.11
  stub $d/libnvidia-ml.so.520.61.05
  stub $d/libnvidia-container.so.1.14.3
  stub $d/vdpau/libvdpau_nvidia.so.$VERSION
  mkdir "$H$d/gbm"
  ln -s ../libnvidia-allocator.so.$VERSION "$H$d/gbm/nvidia-drm_gbm.so"
  # For programs of 32 bits.
  stub /usr/lib/libnvidia-tls.so.$VERSION
  printf '\1' | dd of="$H/usr/lib/libnvidia-tls.so.$VERSION" bs=1 seek=4 conv=notrunc status=none
  ld_cache /lib/libc.so.6 $d/libcuda.so.1 $d/libnvidia-ml.so.1
  printf '#!/bin/sh\necho "smi of the host"\n' >"$H/usr/bin/nvidia-smi"
  chmod 755 "$H/usr/bin/nvidia-smi"
  local f
  for f in /etc/vulkan/icd.d/nvidia_icd.json /usr/share/glvnd/egl_vendor.d/10_nvidia.json /usr/share/glvnd/egl_vendor.d/50_mesa.json \
    /etc/OpenCL/vendors/nvidia.icd; do
    mkdir -p "$(dirname "$H$f")"
    echo "$f" >"$H$f"
  done
}

# What a container sees that was set up on such a host.
sees_driver() {
  local its=("libcuda.so.$VERSION" libcuda.so.1 libcuda.so libnvidia-ml.so.1 "libnvidia-gpucomp.so.$VERSION" libnvidia-egl-wayland.so.1.1.11
    "vdpau/libvdpau_nvidia.so.$VERSION" gbm/nvidia-drm_gbm.so)
  local files=(/etc/vulkan/icd.d/nvidia_icd.json /usr/share/glvnd/egl_vendor.d/10_nvidia.json /etc/OpenCL/vendors/nvidia.icd)
  in_c cat "${its[@]/#/$LIBS/}" "${files[@]}" >seen
  cat "${its[@]/#/$H/opt/driver/lib64/}" "${files[@]/#/$H}" | cmp - seen
  local others=("$LIBS"/{libnvidia-ml.so.520.61.05,libnvidia-container.so.1.14.3,libnvidia-tls.so.$VERSION} /usr/share/glvnd/egl_vendor.d/50_mesa.json)
  ok in_c sh -c 'for f; do [ ! -e $f ] || echo $f; done' - "${others[@]}"
  assert_output ""
  # The container's loader finds it by name.
  ok in_c env LD_PRELOAD=libcuda.so.1:libnvidia-ml.so.1 nvidia-smi
  assert_output "smi of the host"
  refute_stderr_contains "cannot be preloaded"
}

sees_no_driver() {
  fails 127 in_c nvidia-smi
  assert_stderr_contains nvidia-smi
}

works_here() { udocker-runtime engines --format json | jq -e --arg m "$1" '.[] | select(.available and (.modes | index($m)))' >/dev/null; }

@test "the driver's libraries of the running version are seen in a container of P1, and gone after --purge (FIX-49)" {
  requires proot
  host
  container P1 with_library_dir
  tree "$BUNDLE/ROOT" >before
  sees_no_driver
  ok udocker setup --nvidia c
  assert_output ""
  assert_stderr_contains "driver $VERSION"
  ok udocker setup c
  assert_contains "nvidiamode: True"
  sees_driver
  # Nothing but folders above what is mounted was put into the container for it, and to do it again changes nothing.
  tree "$BUNDLE/ROOT" | grep -v '^d' | diff <(grep -v '^d' before) -
  cp "$BUNDLE/nvidia" mark
  ok udocker setup --nvidia c
  cmp mark "$BUNDLE/nvidia"
  ok udocker setup --purge c
  ok udocker setup c
  assert_contains "nvidiamode: False"
  refute_file "$BUNDLE/nvidia"
  sees_no_driver
  tree "$BUNDLE/ROOT" | diff before -
}

@test "the same in a container of R1" {
  works_here R1 || skip "R1 does not work here"
  host
  container R1 with_library_dir
  tree "$BUNDLE/ROOT" >before
  ok udocker setup --nvidia c
  sees_driver
  ok udocker setup --purge c
  sees_no_driver
  # Mount points that runs have made are gone as well.
  udocker setup --purge c
  tree "$BUNDLE/ROOT" | diff before -
}

@test "where a mode cannot mount the files are copied, and --purge takes out exactly these" {
  needs_fakechroot
  host
  container F1 with_library_dir
  tree "$BUNDLE/ROOT" >before
  ok udocker setup --nvidia c
  assert_file "$BUNDLE/ROOT$LIBS/libcuda.so.$VERSION"
  [ "$(readlink "$BUNDLE/ROOT$LIBS/libcuda.so.1")" = libcuda.so.$VERSION ]
  sees_driver
  tree "$BUNDLE/ROOT" >after
  ok udocker setup --nvidia c
  tree "$BUNDLE/ROOT" | diff after -
  ok udocker setup --purge c
  tree "$BUNDLE/ROOT" | diff before -
  refute_file "$BUNDLE/nvidia"
  sees_no_driver
}

@test "the files follow a container from mode to mode" {
  once
  requires proot patchelf
  needs_fakechroot
  host
  container P1 with_library_dir
  tree "$BUNDLE/ROOT" times | grep -v ' \./usr/lib' >before
  ok udocker setup --nvidia c
  ok udocker setup --execmode=F3 c
  sees_driver
  ok udocker setup --execmode=P1 c
  refute_file "$BUNDLE/ROOT$LIBS/libcuda.so.1"
  sees_driver
  ok udocker setup --execmode=F1 c
  ok udocker setup --execmode=P1 --purge c
  sees_no_driver
}

@test "a file that the container has of its own stops the copying, and comes back after --force" {
  needs_fakechroot
  host
  container F1 with_library_dir
  echo mine >"$BUNDLE/ROOT$LIBS/libcuda.so.1"
  tree "$BUNDLE/ROOT" >before
  fails 1 udocker setup --nvidia c
  assert_one_error_line
  assert_stderr_contains "$LIBS/libcuda.so.1"
  assert_stderr_contains --force
  tree "$BUNDLE/ROOT" | diff before -
  ok in_c cat /etc/os-release
  ok udocker setup --nvidia --force c
  sees_driver
  ok udocker setup --purge c
  tree "$BUNDLE/ROOT" | diff before -
  # What is changed inside afterwards is the container's.
  ok udocker setup --nvidia --force c
  echo changed >"$BUNDLE/ROOT$LIBS/libnvidia-gpucomp.so.$VERSION"
  ok udocker setup --purge c
  assert_stderr_contains "libnvidia-gpucomp.so.$VERSION' was changed"
  [ "$(cat "$BUNDLE/ROOT$LIBS/libnvidia-gpucomp.so.$VERSION")" = changed ]
  [ "$(cat "$BUNDLE/ROOT$LIBS/libcuda.so.1")" = mine ]
}

@test "a driver that was replaced since is followed, and where there is none the container runs without" {
  requires proot
  host
  container P1 with_library_dir
  ok udocker setup --nvidia c
  running 550.54.14
  stub /opt/driver/lib64/libcuda.so.550.54.14
  ln -sf libcuda.so.550.54.14 "$H/opt/driver/lib64/libcuda.so.1"
  ok in_c cat "$LIBS/libcuda.so.550.54.14"
  cmp -s <(in_c cat "$LIBS/libcuda.so.1") "$H/opt/driver/lib64/libcuda.so.550.54.14"
  fails 1 in_c cat "$LIBS/libcuda.so.$VERSION"
  rm "$H/proc/driver/nvidia/version"
  ok in_c sh -c 'echo runs'
  assert_output runs
  assert_stderr_contains "no NVIDIA driver is running here"
}

@test "the driver is looked for where lib_dirs_list_nvidia says" {
  requires proot
  host
  mv "$H/opt/driver" "$H/opt/site"
  ld_cache /lib/libc.so.6
  container P1 with_library_dir
  fails 1 udocker setup --nvidia c
  assert_stderr_contains "the libraries of NVIDIA driver $VERSION are not here"
  printf '[DEFAULT]\nlib_dirs_list_nvidia = /opt/none /opt/site/lib64\n' >"$STORE/udocker.conf"
  ok udocker setup --nvidia c
  in_c cat "$LIBS/libcuda.so.1" | cmp - "$H/opt/site/lib64/libcuda.so.$VERSION"
}

@test "FIX-06: without a driver setup --nvidia says so and fails" {
  mkdir -p "$H"
  busybox_container c
  fails 1 udocker setup --nvidia c
  assert_one_error_line
  assert_stderr_contains "no NVIDIA driver is running here"
  refute_file "$BUNDLE/nvidia"
  running $VERSION
  mkdir -p "$BUNDLE/ROOT/usr/lib64"
  fails 1 udocker setup --nvidia c
  assert_stderr_contains "the libraries of NVIDIA driver $VERSION are not here"
  rmdir "$BUNDLE/ROOT/usr/lib64"
  fails 1 udocker setup --nvidia c
  assert_stderr_contains "no directory for the driver's libraries"
}

@test "devices are seen in modes with a /dev of their own" {
  [ "$(id -u)" != 0 ] || skip "is about ordinary users"
  requires userns
  works_here R1 || skip "R1 does not work here"
  host
  container R1 with_library_dir
  touch "$H"/dev/nvidia{0,1,ctl}
  cat >inside <<'SH'
mount --bind /dev/null "$H/dev/nvidia0" && mount --bind /dev/zero "$H/dev/nvidia1" && mount --bind /dev/null "$H/dev/nvidiactl" || exit 77
export UDOCKER_ALLOW_ROOT=1
udocker setup --nvidia c && udocker run --nobanner c bash -c 'for d in /dev/nvidia*; do [ -c $d ] && echo $d; done'
SH
  H=$H run --separate-stderr unshare -Urm bash inside
  [ "$status" -ne 77 ] || skip "devices cannot be bound here"
  assert_output "/dev/nvidia0
/dev/nvidia1
/dev/nvidiactl"
}

# spec: a specification as nvidia-ctk writes it; $1 is the folder.
spec() {
  mkdir -p "$H$1"
  cat >"$H$1/nvidia.json" <<JSON
{"cdiVersion": "0.5.0", "kind": "nvidia.com/gpu",
 "devices": [{"name": "0", "containerEdits": {"env": ["GPU=zero"]}}, {"name": "all", "containerEdits": {"env": ["GPU=all"]}}],
 "containerEdits": {
  "env": ["NVIDIA_VISIBLE_DEVICES=void", "GREETING=driver"],
  "mounts": [
   {"hostPath": "/opt/driver/lib64/libcuda.so.$VERSION", "containerPath": "/opt/inside/libcuda.so.$VERSION", "options": ["ro", "nosuid", "bind"]},
   {"hostPath": "/usr/bin/nvidia-smi", "containerPath": "/usr/bin/nvidia-smi", "options": ["ro", "bind"]}],
  "hooks": [
   {"hookName": "createContainer", "path": "/usr/bin/nvidia-ctk", "args": ["nvidia-ctk", "hook", "create-symlinks", "--link", "libcuda.so.1::/opt/inside/libcuda-other.so"]},
   {"hookName": "createContainer", "path": "/usr/bin/nvidia-ctk", "args": ["nvidia-ctk", "hook", "update-ldcache", "--folder", "/opt/inside"]},
   {"hookName": "createContainer", "path": "/usr/bin/nvidia-ctk", "args": ["nvidia-ctk", "hook", "chmod", "--mode", "755"]}]}}
JSON
}

@test "a CDI specification is followed: environment, mounts, and what its hooks would do" {
  requires proot
  host
  spec /etc/cdi
  container P1
  ok udocker setup --nvidia c
  assert_stderr_contains "/etc/cdi/nvidia.json"
  assert_stderr_contains "hook 'nvidia-ctk hook chmod --mode 755' is not run"
  cmp -s <(in_c cat "/opt/inside/libcuda.so.$VERSION") "$H/opt/driver/lib64/libcuda.so.$VERSION"
  ok in_c nvidia-smi
  assert_output "smi of the host"
  ok in_c env
  assert_contains "NVIDIA_VISIBLE_DEVICES=void"
  assert_contains "GPU=all"
  assert_contains "LD_LIBRARY_PATH=/opt/inside"
  ok udocker run --nobanner -e GPU=mine -e LD_LIBRARY_PATH=/own c env
  assert_contains "GPU=mine"
  assert_contains "LD_LIBRARY_PATH=/own:/opt/inside"
  # The links that ldconfig and create-symlinks would make.
  ok in_c env LD_PRELOAD=libcuda.so.1:libcuda-other.so cat /etc/os-release
  refute_stderr_contains "cannot be preloaded"
  # Only what the specification says.
  fails 1 in_c cat "$LIBS/libnvidia-ml.so.1"
}

# yaml_spec FILE: what nvidia-ctk cdi generate writes, in its usual form.
yaml_spec() {
  mkdir -p "$(dirname "$H$1")"
  cat >"$H$1" <<YAML
---
cdiVersion: 0.5.0
containerEdits:
  deviceNodes: []
  env:
  - NVIDIA_VISIBLE_DEVICES=void
  - 'WORDS=two: words # all of it'
  hooks:
  - args:
    - nvidia-ctk
    - hook
    - create-symlinks
    - --link
    - libcuda.so.1::/opt/inside/libcuda-other.so
    hookName: createContainer
    path: /usr/bin/nvidia-ctk
  - args:
    - nvidia-ctk
    - hook
    - update-ldcache
    - --folder
    - /opt/inside
    hookName: createContainer
    path: /usr/bin/nvidia-ctk
  - args:
    - nvidia-ctk
    - hook
    - chmod
    - --mode
    - "755"
    - --path
    - /dev/dri
    hookName: createContainer
    path: /usr/bin/nvidia-ctk
  mounts:
  - containerPath: /opt/inside/libcuda.so.$VERSION
    hostPath: /opt/driver/lib64/libcuda.so.$VERSION
    options:
    - ro
    - nosuid
    - nodev
    - bind
  - containerPath: /usr/bin/nvidia-smi
    hostPath: /usr/bin/nvidia-smi
    options: [ro, nosuid, nodev, bind]
devices:
- containerEdits:
    env: [GPU=zero]
  name: "0"
- containerEdits:
    env: [GPU=one]
  name: 1
- containerEdits:
    env:
    - GPU=all
  name: all
kind: nvidia.com/gpu
YAML
}

@test "a CDI specification in YAML, as nvidia-ctk writes it, is followed like one in JSON" {
  requires proot
  host
  yaml_spec /etc/cdi/nvidia.yaml
  container P1
  ok udocker setup --nvidia c
  assert_stderr_contains "/etc/cdi/nvidia.yaml"
  assert_stderr_contains "hook 'nvidia-ctk hook chmod --mode 755 --path /dev/dri' is not run"
  cmp -s <(in_c cat "/opt/inside/libcuda.so.$VERSION") "$H/opt/driver/lib64/libcuda.so.$VERSION"
  ok in_c nvidia-smi
  assert_output "smi of the host"
  ok in_c env
  assert_contains "NVIDIA_VISIBLE_DEVICES=void"
  assert_contains "WORDS=two: words # all of it"
  assert_contains "GPU=all"
  assert_contains "LD_LIBRARY_PATH=/opt/inside"
  ok in_c env LD_PRELOAD=libcuda.so.1:libcuda-other.so cat /etc/os-release
  refute_stderr_contains "cannot be preloaded"
  fails 1 in_c cat "$LIBS/libnvidia-ml.so.1"
  # One device, by a name in quotes and by one without.
  ok udocker run --nobanner --gpus device=0 c env
  assert_contains "GPU=zero"
  ok udocker run --nobanner --gpus device=1 c env
  assert_contains "GPU=one"
  # Those of other makers are left alone, whatever comes first.
  printf 'kind: example.com/gpu\ncontainerEdits: {env: [OTHER=1]}\n' >"$H/etc/cdi/a.yml"
  : >"$H/etc/cdi/empty.yaml"
  ok in_c env
  assert_contains "GPU=all"
  refute_contains "OTHER=1"
}

@test "a YAML specification that is broken, or made to hurt, is an error in one line" {
  host
  mkdir -p "$H/etc/cdi"
  busybox_container c
  mkdir -p "$BUNDLE/ROOT/usr/lib64"
  local i
  wrong() { # WORDS: what standard input has is refused so
    cat >"$H/etc/cdi/nvidia.yaml"
    fails 1 udocker setup --nvidia c
    assert_one_error_line
    assert_stderr_contains "/etc/cdi/nvidia.yaml"
    assert_stderr_contains "$1"
    refute_file "$BUNDLE/nvidia"
  }
  wrong "line 2: not valid YAML" <<<$'kind: nvidia.com/gpu\n\tcontainerEdits: {}'
  wrong "expected" <<<$'kind: nvidia.com/gpu\ncontainerEdits: {env: x}'
  wrong "a mount without absolute paths" <<<$'kind: nvidia.com/gpu\ncontainerEdits: {mounts: [{hostPath: ../x, containerPath: /x}]}'
  wrong "the device '/dev/nvidia7' is not there" <<<$'kind: nvidia.com/gpu\ncontainerEdits: {deviceNodes: [{path: /dev/nvidia7}]}'
  wrong "a tag" <<<$'kind: nvidia.com/gpu\ncontainerEdits: !!python/object:x {}'
  { echo 'a0: &a0 [x, x, x, x, x, x, x, x, x]'; for i in {1..40}; do echo "a$i: &a$i [*a$((i - 1)), *a$((i - 1)), *a$((i - 1))]"; done; } >bomb
  wrong "line 2: an alias" <bomb
  head -c 100000 /dev/zero | tr '\0' '[' >deep
  wrong "nested too deeply" <deep
  { echo 'kind: nvidia.com/gpu'; echo 'a:'; yes -- '- x' | head -300000; } >many
  wrong "too many values" <many
  truncate -s 17M large
  wrong "larger than" <large
}

@test "of two CDI specifications the one made at boot counts; one that is wrong is an error" {
  requires proot
  host
  container P1 with_library_dir
  yaml_spec /etc/cdi/nvidia.yaml
  spec /var/run/cdi
  ok udocker setup --nvidia c
  assert_stderr_contains "/var/run/cdi/nvidia.json"
  rm "$H/usr/bin/nvidia-smi"
  fails 1 udocker setup --nvidia c
  assert_one_error_line
  assert_stderr_contains "the mount's source '/usr/bin/nvidia-smi' is not there"
  echo '{"kind": "nvidia.com/gpu", "containerEdits": {"env": "x"}}' >"$H/var/run/cdi/nvidia.json"
  fails 1 udocker setup --nvidia c
  assert_one_error_line
  echo '{"kind": ' >"$H/var/run/cdi/nvidia.json"
  fails 1 udocker setup --nvidia c
  assert_one_error_line
}

@test "copies of a CDI specification's files go where it says" {
  once
  needs_fakechroot
  host
  spec /etc/cdi
  container F1
  tree "$BUNDLE/ROOT" >before
  ok udocker setup --nvidia c
  cmp "$BUNDLE/ROOT/opt/inside/libcuda.so.1" "$H/opt/driver/lib64/libcuda.so.$VERSION"
  ok in_c nvidia-smi
  assert_output "smi of the host"
  ok in_c env LD_PRELOAD=libcuda.so.1 cat /etc/os-release
  refute_stderr_contains "cannot be preloaded"
  ok udocker setup --purge c
  tree "$BUNDLE/ROOT" | diff before -
}

@test "a clone keeps the driver, also by way of an archive, and can lose it" {
  once
  needs_fakechroot
  host
  container F1 with_library_dir
  echo mine >"$BUNDLE/ROOT$LIBS/libcuda.so.1"
  ok udocker setup --nvidia --force c
  ok udocker export --clone -o c.tar c
  ok udocker import --clone --name=d c.tar
  local root=$STORE/containers/$output/ROOT
  cmp "$root$LIBS/libcuda.so.1" "$H/opt/driver/lib64/libcuda.so.1"
  ok udocker setup --purge d
  [ "$(cat "$root$LIBS/libcuda.so.1")" = mine ]
  refute_file "$root$LIBS/libnvidia-ml.so.1"
}

@test "the mark of 1.3.x counts, and what it copied stays" {
  requires proot
  host
  container P1 with_library_dir
  : >"$BUNDLE/nvidia"
  cp "$H/opt/driver/lib64/libnvidia-ml.so.520.61.05" "$BUNDLE/ROOT$LIBS/libnvidia-ml.so.1"
  ok udocker setup c
  assert_contains "nvidiamode: True"
  # The running driver's goes over it.
  cmp -s <(in_c cat "$LIBS/libnvidia-ml.so.1") "$H/opt/driver/lib64/libnvidia-ml.so.1"
  ok udocker setup --purge c
  assert_stderr_contains "what udocker 1.3.x copied of the driver stays"
  assert_file "$BUNDLE/ROOT$LIBS/libnvidia-ml.so.1"
  refute_file "$BUNDLE/nvidia"
}
