#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016  # single quotes are for the shell inside
# bats: also as root
# bats: not under the sanitizers
# Parallel jobs in every mode, as the user and as root, and with more ranks than a machine has processors.

load ../helpers
load ../mpi

setup_file() { mpi_guest; }
setup() { mpi_setup; }

@test "each mode: 2 and 4 ranks, small and large messages, a rank that fails" {
  local mode n
  for mode in $(mpi_modes); do
    echo "mode $mode"
    ok udocker setup --execmode="$mode" c
    for n in 2 4; do
      ok ranks $n /opt/mpiwork check 30000000
      assert_output "size $n local $n ring $((n * (n - 1) / 2)) sum $((n * (n + 1) / 2)) bytes 30000000"
      [ -z "$stderr" ] || fail "$mode: words of Open MPI"
    done
    fails 7 ranks 2 /opt/mpiwork fail 1 7
    fails 8 ranks 2 /opt/mpiwork abort 0 8
  done
}

@test "32 ranks at once in one container: a first run makes what is missing, and nobody takes it away" {
  local mode
  for mode in P1 R1 F1; do
    has_mode $mode || continue
    echo "mode $mode"
    ok udocker setup --purge --execmode=$mode c
    mkdir -p "$J/deep/$mode"
    cd "$J/deep/$mode"
    echo one >"$J/one"
    ok timeout -k 5 300 mpiexec --oversubscribe -np 32 udocker run --mpi -v "$J:/absent/deep/job" c sh -c \
      'cat /absent/deep/job/one >/dev/null || exit 9; sleep 0.$((OMPI_COMM_WORLD_RANK % 5)); cat /absent/deep/job/one; exec /opt/mpiwork check 10000'
    [ "$(grep -cx one <<<"$output")" = 32 ] || fail "$mode: not all ranks saw the volume"
    assert_contains "size 32 local 32 ring 496 sum 528 bytes 10000"
    wait_until 10 no_runs || fail "the runtime still knows: $(udocker-runtime list -q)"
    cd "$J"
  done
}
