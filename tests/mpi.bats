#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016  # single quotes are for the shell inside
# bats: not under the sanitizers
# Parallel jobs: the host's mpiexec starts one `udocker run --mpi` for each rank. All modes are those of `make check-long`.

load helpers
load mpi

setup_file() { mpi_guest; }
setup() { mpi_setup; }

@test "ranks in containers find each other, and large messages arrive whole" {
  local mode
  for mode in P1 R1 F1; do
    has_mode $mode || continue
    ok udocker setup --execmode=$mode c
    ok ranks 2 /opt/mpiwork check 3000000
    assert_output "size 2 local 2 ring 1 sum 3 bytes 3000000"
    [ -z "$stderr" ] || fail "$mode: words of Open MPI"
  done
  ok ranks 4 /opt/mpiwork check 100000
  assert_output "size 4 local 4 ring 6 sum 10 bytes 100000"
}

@test "without --mpi each rank is a job of its own" {
  ok mpi 2 udocker run --nobanner c env
  refute_contains OMPI_
  refute_contains PMIX_
  ok mpi 2 udocker run --nobanner -e OMPI_MCA_ess_singleton_isolated=1 c /opt/mpiwork check 1
  assert_contains "size 1 local 1 ring 0 sum 1"
  [ "${#lines[@]}" = 2 ] || fail "more than two jobs"
}

@test "the job ends with the status of the rank that failed" {
  fails 7 ranks 2 /opt/mpiwork fail 1 7
  assert_stderr_contains "Exit code:    7"
  fails 8 ranks 2 /opt/mpiwork abort 0 8
  fails 127 ranks 2 /opt/absent
}

@test "a rank sees where and as whom it was started, and what the launcher says" {
  export OMP_NUM_THREADS=3 SLURM_JOB_ID=42 I_MPI_ROOT=/opt/intel FOREIGN=1
  mkdir "$J/in"
  cd "$J/in"
  ok mpi 1 -x "OMPI_LINES=$(printf 'a\nb=c')" udocker run --mpi c sh -c \
    'pwd; id -u; id -g; echo "$TMPDIR $OMP_NUM_THREADS $SLURM_JOB_ID [$OMPI_LINES] ${I_MPI_ROOT-no} ${FOREIGN-no}"; echo new >made; echo t >$TMPDIR/made'
  assert_output "$J/in
$(id -u)
$(id -g)
$TMPDIR 3 42 [a
b=c] no no"
  [ "$(cat made "$TMPDIR/made")" = "new
t" ] || fail "the folders are not the host's"
  # What is asked for wins over the launcher, the launcher over the image.
  ok mpi 1 udocker run --mpi --workdir=/opt -e OMP_NUM_THREADS=5 c sh -c 'pwd; echo $OMP_NUM_THREADS'
  assert_output "/opt
5"
  ok mpi 1 udocker run --mpi --workdir=/ --novol /tmp c sh -c '[ ! -e "$TMPDIR" ]'
}

@test "a rank stays on the processors that mpiexec gave it" {
  [ "$(nproc)" -gt 1 ] || skip "one processor"
  local seen
  ok mpi 2 --bind-to core udocker run --mpi c grep Cpus_allowed_list: /proc/self/status
  seen=$(printf '%s\n' "${lines[@]}" | sort -u)
  ok mpi 2 --bind-to core grep Cpus_allowed_list: /proc/self/status
  [ "$seen" = "$(printf '%s\n' "${lines[@]}" | sort -u)" ] || fail "containers: $seen"
  ok mpi 1 udocker run --mpi --cpuset-cpus=0 c grep Cpus_allowed_list: /proc/self/status
  assert_matches '^Cpus_allowed_list:[[:space:]]0$'
}

@test "what would mislead a job is refused in one line" {
  fails 125 udocker run --mpi mpi:1 /opt/mpiwork check 1
  assert_one_error_line
  assert_stderr_contains "udocker create --name=NAME IMAGE"
  [ "$(udocker ps -q 2>/dev/null | wc -l)" -le 1 ] || fail "a container was made"
  [ "$(id -u)" = 0 ] || {
    fails 125 udocker run --mpi --user=root c true
    assert_one_error_line
    assert_stderr_contains "leave --user out"
  }
}

@test "a launcher that kills a rank leaves nothing of it, in R modes either" {
  local mode pid
  for mode in P1 R1; do
    has_mode $mode || continue
    ok udocker setup --execmode=$mode c
    rm -f "$J/up"
    udocker run --mpi c sh -c "echo up >'$J/up'; exec sleep 98768" </dev/null >"$T/out" 2>&1 3>&- &
    pid=$!
    wait_until 30 test -s "$J/up" || fail "not up: $(cat "$T/out")"
    kill -KILL $pid
    wait $pid && fail "status 0"
    wait_until 10 no_sleep || fail "left in $mode"
  done
}
no_sleep() { ! pgrep -f '^sleep 98768' >/dev/null; }

@test "a working directory that the container has its own of is not replaced" {
  cd /usr/lib
  ok udocker run --mpi c sh -c 'pwd; ls /opt/mpiwork'
  refute_contains /usr/lib
}

@test "mpiexec that is terminated or killed leaves no rank" {
  local signal pid
  # What killed ranks leave of their shared memory, on the host as well, lies there.
  export OMPI_MCA_btl_vader_backing_directory=$TMPDIR
  for signal in TERM KILL; do
    rm -f "$J"/up.*
    mpiexec --oversubscribe -np 2 udocker run --mpi c /opt/mpiwork wait "$J/up" </dev/null >"$T/out" 2>&1 3>&- &
    pid=$!
    wait_until 30 ranks_are_up 2 || fail "not up: $(cat "$T/out")"
    kill -$signal $pid
    wait $pid && fail "status 0"
    wait_until 20 no_ranks || fail "left by $signal: $(pgrep -fa "$J/up")"
  done
}
