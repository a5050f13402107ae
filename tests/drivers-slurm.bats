#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2317,SC2016,SC2030,SC2031  # called through each_engine; single quotes are for the shell inside
# bats: also as root
# bats: not under the sanitizers
# Slurm (munged, slurmctld, slurmd on loopback) with udocker-runtime in its oci.conf, with every engine. slurmd is root's; the jobs
# are an ordinary user's.

load helpers
load drivers
load slurm

setup() { slurm_setup; }
teardown() { slurm_teardown; }

@test "srun --container: output, status, stdin, an absent program; scancel" {
  check() {
    oci_conf "$ENGINE"
    fails 7 as_user srun --container "$D/bundle" /bin/sh -c 'echo "job $SLURM_JOB_ID"; exit 7'
    assert_matches '^job [0-9]+$'
    [ "$(echo piped | as_user srun --container "$D/bundle" cat)" = piped ] || fail "stdin"
    fails 127 as_user srun --container "$D/bundle" /nope
    assert_stderr_contains "no such file or directory"
    # With a pid namespace it is process 1, which hears what it has a trap for.
    as_user srun --container "$D/bundle" /bin/sh -c "trap 'exit 9' TERM; sleep $MARK & wait" </dev/null >out 2>&1 3>&- &
    wait_until 20 pgrep -f "^sleep $MARK" || fail "not started: $(cat out)"
    ok as_user scancel --user udocker-test
    wait $! && fail "srun knows nothing of it: $ENGINE $(cat out)"
    nothing_of_slurm
  }
  each_engine check
}

@test "sbatch --container: the script's output and status" {
  check() {
    oci_conf "$ENGINE"
    printf '#!/bin/sh\nread r </etc/passwd; echo "in batch $r"; echo err >&2; exit 3\n' >job
    fails 3 as_user sbatch -W -o "$D/jobs/out" -e "$D/jobs/err" --container "$D/bundle" job
    grep -q "^in batch $(head -1 "$D/bundle/rootfs/etc/passwd")" out || fail "$(cat out err)"
    grep -q '^err$' err || fail "$(cat err)"
    rm -f out err
    nothing_of_slurm
  }
  each_engine check
}
