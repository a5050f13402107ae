#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The configuration that is shipped for drivers: read by the program that it is for, where that can be had. containers.conf, oci.conf
# and daemon.json are what the tests of podman, Slurm and Docker run with.

load helpers

EXAMPLES=$SUITE_BIN/../share/doc/udocker/examples

@test "containerd takes its file and has the runtime in it" {
  requires containerd
  ok containerd --config "$EXAMPLES/containerd.toml" config dump
  assert_contains 'BinaryName = "/usr/local/bin/udocker-runtime"'
  assert_contains 'pod_annotations = ["org.udocker.*"]'
  [ "$(sed -n '/runtimes.udocker\]/,/runtime_type/p' <<<"$output" | tail -1 | tr -d ' ')" = 'runtime_type="io.containerd.runc.v2"' ]
}

@test "Docker's and Kubernetes' files have the form they should" {
  jq -e '.runtimes | length == 2 and all(.[]; .path == "/usr/local/bin/udocker-runtime")' "$EXAMPLES/daemon.json"
  # Its arguments are ours.
  read -ra args < <(jq -r '.runtimes["udocker-runc"].runtimeArgs | join(" ")' "$EXAMPLES/daemon.json")
  ok udocker-runtime "${args[@]}" list
  grep -qx 'kind: RuntimeClass' "$EXAMPLES/runtimeclass.yaml"
  [ "$(sed -n 's/^handler: //p' "$EXAMPLES/runtimeclass.yaml")" = udocker ]
  grep -q 'containerd.runtimes.udocker\]' "$EXAMPLES/containerd.toml"
}

@test "what is shipped is installed, without a place of this machine in it" {
  [ "$(ls "$EXAMPLES" | tr '\n' ' ')" = "containerd.toml containers.conf daemon.json oci.conf runtimeclass.yaml slurm-array.sbatch slurm-job.sbatch slurm-local.sbatch slurm-mpi.sbatch " ]
  ! grep -r "$SUITE_BIN" "$EXAMPLES"
}
