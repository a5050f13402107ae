#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# A container is an OCI bundle: its config.json is valid against the runtime-spec schema, and any OCI runtime runs it as it lies.

load helpers

@test "config.json of a new container is valid against the schema" {
  busybox_container c1 '{"Entrypoint":["/bin/sh"],"Cmd":["-c","true"],"Env":["A=b","PATH=/bin"],"WorkingDir":"/tmp","User":"user",
    "Labels":{"a.label":"x"},"StopSignal":"SIGINT","ExposedPorts":{"80/tcp":{}},"Volumes":{"/data":{}}}'
  valid_config "$BUNDLE/config.json"
  jq -e '.root.path == "ROOT" and .process.terminal == false and .process.args == ["/bin/sh","-c","true"]
    and .process.cwd == "/tmp" and .process.user.uid == 1000
    and .annotations["a.label"] == "x" and .annotations["org.opencontainers.image.os"] == "linux"
    and .annotations["org.opencontainers.image.stopSignal"] == "SIGINT"' "$BUNDLE/config.json"
}

@test "config prints what a run with these options would use, valid as well" {
  busybox_container c1
  ok udocker-bundle config -t -v /tmp:/data -e A=1 -w /etc -u 1000:50 c1 /bin/echo x
  printf '%s' "$output" >out.json
  valid_config out.json
  jq -e '.process.terminal == true and .process.cwd == "/etc" and .process.user.uid == 1000 and .process.user.gid == 50
    and .process.args == ["/bin/echo","x"] and (.process.env | index("A=1") != null)
    and ([.mounts[] | select(.destination == "/data")][0].source == "/tmp")' out.json
  ok udocker-bundle config -o file.json c1
  valid_config file.json
}

@test "an output that is a device or a pipe is written into, never replaced" {
  busybox_container c1
  ok udocker-bundle config -o /dev/null c1
  mkfifo pipe
  udocker-bundle config -o pipe c1 &
  ok jq -r .root.path pipe
  assert_output ROOT
  wait $!
  [ -p pipe ]
}

@test "runc runs a container's folder as it lies" {
  requires runc userns user
  busybox_container c1 '{"Cmd":["/bin/sh","-c","echo as it lies; id -u"],"Env":["PATH=/bin"]}'
  run --separate-stderr runc --root "$T/runc" run -b "$BUNDLE" x1 </dev/null
  [ "$status" -eq 0 ] || fail "runc: $status"
  assert_output $'as it lies\n0'
}

@test "crun as well" {
  requires crun userns user
  busybox_container c1 '{"Cmd":["/bin/echo","as it lies"],"Env":["PATH=/bin"]}'
  run --separate-stderr crun --root "$T/crun" --cgroup-manager=disabled run -b "$BUNDLE" x1 </dev/null
  [ "$status" -eq 0 ] || fail "crun: $status"
  assert_output "as it lies"
}

@test "create --bundle makes a free-standing bundle that our runtime runs" {
  busybox_image bb:1 '{"Cmd":["/bin/echo","free"],"Env":["PATH=/bin"]}'
  ok udocker-bundle create --bundle "$T/free" bb:1
  assert_file free/config.json
  assert_file free/rootfs/bin/busybox
  valid_config free/config.json
  [ -z "$(ls -A "$STORE/containers")" ]
  ok udocker-runtime run -b free x1
  assert_output free
  fails 1 udocker-bundle create --bundle "$T/free" bb:1
  assert_one_error_line
}
