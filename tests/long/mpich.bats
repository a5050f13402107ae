#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# bats: also as root
# bats: not under the sanitizers
# Parallel jobs with MPICH: its mpiexec starts one `udocker run --mpi` for each rank.

load ../helpers
load ../mpi

setup_file() { mpi_guest mpich; }
setup() { mpi_setup; }

@test "MPICH: ranks in containers find each other in every mode, and large messages arrive whole" {
  local mode
  export LIMIT=120
  for mode in $(mpi_modes); do
    echo "mode $mode"
    ok udocker setup --execmode="$mode" c
    ok ranks 2 /opt/mpiwork check 3000000
    assert_output "size 2 local 2 ring 1 sum 3 bytes 3000000"
    [ -z "$stderr" ] || fail "$mode: words of UCX"
  done
}

@test "MPICH: without --mpi each rank is a job of its own" {
  ok mpi 2 udocker run --nobanner c env
  refute_contains PMI_
  ok mpi 2 udocker run --nobanner c /opt/mpiwork check 1
  assert_contains "size 1 local 1 ring 0 sum 1"
  [ "${#lines[@]}" = 2 ] || fail "more than two jobs"
}

@test "MPICH: where a rank fails, the job fails and nobody stays" {
  local mode
  for mode in $(mpi_modes | grep -v T); do
    echo "mode $mode"
    ok udocker setup --execmode=$mode c
    fails 8 ranks 2 /opt/mpiwork abort 0 8 "$J"
    # Its status, or that of one which the launcher has killed then.
    run ranks 2 /opt/mpiwork fail 1 7 "$J"
    [[ $status = [79] ]] || fail "status $status"
    wait_until 10 nobody || fail "left in $mode: $(pgrep -fa "$J")"
  done
}
nobody() { ! pgrep -f "mpiwork .*$J" >/dev/null; }
