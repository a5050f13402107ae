# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034,SC2154
# What the tests of Slurm share: a cluster of one node, a bundle, and nothing left of a job. Beside drivers.bash.

slurm_setup() {
  common_setup
  requires root munged slurmctld slurmd srun
  id udocker-test >/dev/null 2>&1 || skip "no user udocker-test"
  drivers_setup
  slurm_start
  mkdir "$D/bundle"
  mkrootfs "$D/bundle/rootfs"
  udocker-runtime spec --rootless -b "$D/bundle"
  jq '.process.terminal = false | .root.readonly = false | del(.process.rlimits) | .process.env = ["PATH=/bin"]' "$D/bundle/config.json" >"$D/config.json"
  mv "$D/config.json" "$D/bundle/"
  chmod -R a+rX "$D/bundle"
  chown -R udocker-test "$D/bundle"
  mkdir -m 777 "$D/jobs"
  cd "$D/jobs" || return 1
}

# A test that failed in the middle leaves what slurmd would have ended.
slurm_teardown() {
  local id
  for id in $([ ! -d "${D:-/absent}/runtime" ] || "$RT" --root "$D/runtime" list -q 2>/dev/null); do
    "${DRIVE[@]}" "$RT" --root "$D/runtime" delete --force "$id" >/dev/null 2>&1 || true
  done
  drivers_teardown
}

as_user() { timeout "${LIMIT:-60}" setpriv --reuid=udocker-test --regid="$(id -g udocker-test)" --init-groups env HOME="$D/jobs" TMPDIR="${JOB_TMPDIR:-/tmp}" "$@"; }
job_runs() { [[ "$(squeue -h -o %T)" == RUNNING ]]; }
no_jobs() { [ -z "$(squeue -h)" ]; }
nothing_of_slurm() {
  wait_until 20 no_jobs || fail "jobs are left: $(squeue)"
  nothing_left --root "$D/runtime"
  [ -z "$(find "$D/runtime" -mindepth 1 -maxdepth 1 ! -name '@*')" ] || fail "state is left: $(ls "$D/runtime")"
  wait_until 10 no_bundles || fail "Slurm's bundle is left"
}
no_bundles() { ! ls -d "$D"/spool/oci-job* 2>/dev/null; }
