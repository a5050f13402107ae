#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016  # single quotes are for the shell inside
# bats: also as root
# bats: not under the sanitizers
# Batch jobs of Slurm whose scripts call udocker: slurmd is root's, the jobs and the container are an ordinary user's.

load helpers
load drivers
load slurm
load mpi

setup_file() { [ "$(id -u)" != 0 ] || mpi_guest; }

# A container c in a store that all may read, and a folder for jobs.
setup() {
  common_setup
  requires root munged slurmctld slurmd srun mpicc
  id udocker-test >/dev/null 2>&1 || skip "no user udocker-test"
  drivers_setup
  slurm_start
  J=$D/jobs
  mkdir -m 777 "$J" "$D/scratch"
  chmod 755 "$D/tmp"
  install -d -o udocker-test "$D/store"
  export UDOCKER_DIR=$D/store MARK
  unset UDOCKER_ALLOW_ROOT
  export XDG_RUNTIME_DIR=$D/run
  install -d -m 700 -o udocker-test "$D/run"
  cd "$J" || return 1
  as_user udocker-image import - mpi:1 <"$BATS_FILE_TMPDIR/mpi.tar" >/dev/null
  as_user udocker create --name=c mpi:1 >/dev/null
}
teardown() { drivers_teardown; }

nothing_of_jobs() {
  wait_until 30 no_jobs || fail "jobs are left: $(squeue)"
  wait_until 10 no_procs_with "$MARK" || fail "left running: $(procs_with "$MARK" | xargs -rn 1 ps -ww -o pid=,args= -p)"
  [ -z "$(as_user udocker-runtime list -q)" ] || fail "the runtime still knows: $(as_user udocker-runtime list)"
}

# batch OPTION... EXAMPLE WORD...: one of the scripts that are shipped, to its end.
batch() { as_user sbatch -W "$@"; }

@test "slurm-job.sbatch: the container sees the job's folders and variables; its status is the job's" {
  export CONTAINER=c
  fails 5 batch -J of-test -o "$J/out" "$EXAMPLES/slurm-job.sbatch" \
    sh -c 'pwd; echo "$SLURM_JOB_NAME $SLURM_JOB_ID"; echo "$TMPDIR" >tmp; : >"$TMPDIR/x" && echo made >here; exit 5'
  [ "$(sed 's/ [0-9]*$/ N/' out)" = "$J
of-test N" ] || fail "$(cat out)"
  [ "$(cat here)" = made ] || fail "not in the job's folder"
  [[ "$(cat tmp)" == */job.* ]] || fail "TMPDIR is $(cat tmp)"
  refute_file "$(cat tmp)"
  nothing_of_jobs
}

@test "slurm-array.sbatch: the tasks share one container of a store that nobody can write" {
  local i
  chown -R root "$D/store"
  chmod -R a+rX,a-w "$D/store"
  export CONTAINER=c
  ok batch -a 1-4 -o "$J/out.%a" "$EXAMPLES/slurm-array.sbatch" sh -c 'echo "task $SLURM_ARRAY_TASK_ID"; [ ! -w /opt ]'
  for i in 1 2 3 4; do
    [ "$(cat "out.$i")" = "task $i" ] || fail "$(cat "out.$i")"
  done
  nothing_of_jobs
}

@test "slurm-mpi.sbatch: srun starts the ranks by PMIx" {
  export CONTAINER=c
  ok batch -o "$J/out" "$EXAMPLES/slurm-mpi.sbatch" /opt/mpiwork check 300000
  [ "$(cat out)" = "size 2 local 2 ring 1 sum 3 bytes 300000" ] || fail "$(cat out)"
  nothing_of_jobs
  # srun says what is highest of the ranks' statuses, and it has killed the other one.
  ! LIMIT=40 batch -o "$J/out" "$EXAMPLES/slurm-mpi.sbatch" /opt/mpiwork fail 1 7 || fail "status 0"
  grep -q 'task 1: Exited with exit code 7' out || fail "$(cat out)"
  wait_until 30 no_jobs || fail "jobs are left: $(squeue)"
  wait_until 10 no_procs_with "mpiwork fail 1 7" || fail "left running"
}

@test "slurm-local.sbatch: a container on the node's disk, gone with the job" {
  ok as_user udocker save -o "$J/mpi.tar" mpi:1
  export ARCHIVE=$J/mpi.tar JOB_TMPDIR=$D/scratch
  fails 3 batch -o "$J/out" "$EXAMPLES/slurm-local.sbatch" sh -c 'ls -d /opt/mpiwork; exit 3'
  [[ "$(cat out)" == */opt/mpiwork* ]] || fail "$(cat out)"
  [ -z "$(ls -A "$D/scratch")" ] || fail "left: $(ls -A "$D/scratch")"
  nothing_of_jobs
}

@test "scancel ends the containers of a job" {
  export CONTAINER=c
  ok as_user sbatch -o "$J/out" "$EXAMPLES/slurm-job.sbatch" sh -c "sleep $MARK & sleep $MARK; :"
  wait_until 30 pgrep -f "^sleep $MARK" || fail "not started: $(cat out)"
  ok as_user scancel --user udocker-test
  nothing_of_jobs
}
