# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034,SC2154
# What the tests of parallel jobs share: a guest with Open MPI of this machine and a program for it, and the host's mpiexec.

# mpi_guest [openmpi|mpich]: the image's archive, once per file; to be called in setup_file.
mpi_guest() {
  PATH=$SUITE_TOOLS:$PATH
  export MPI_KIND=${1:-openmpi}
  ! command -v "mpicc.$MPI_KIND" >/dev/null || mkmpi "$BATS_FILE_TMPDIR/mpi.tar" "$SUITE_SRC/tests/tools/mpi/mpiwork.c" "$MPI_KIND"
}

# A container c with it, and the folder $J that jobs run in, outside of TMPDIR.
mpi_setup() {
  common_setup
  requires "mpiexec.$MPI_KIND" "mpicc.$MPI_KIND"
  [ "$(id -u)" != 0 ] || export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
  udocker-image import "$BATS_FILE_TMPDIR/mpi.tar" mpi:1 >/dev/null
  CID=$(udocker create --name=c mpi:1)
  J=$HOME/job
  mkdir "$J"
  cd "$J" || return 1
}

# Modes that can run the guest here.
mpi_modes() { udocker-runtime engines --format json | jq -r '.[] | select(.available and .name != "singularity") | .modes[]' | sort -u; }
has_mode() { mpi_modes | grep -qx "$1"; }

# mpi N WORD...: by the host's mpiexec, oversubscribed, bounded.
mpi() {
  local words=(--oversubscribe)
  [ "$MPI_KIND" = openmpi ] || words=()
  timeout -k 5 "${LIMIT:-60}" "mpiexec.$MPI_KIND" "${words[@]}" -np "$@"
}
# ranks N WORD...: WORDs in container c, one for each rank.
ranks() { mpi "$1" udocker run --mpi c "${@:2}"; }

ranks_are_up() {
  local i
  for ((i = 0; i < $1; i++)); do
    [ -s "$J/up.$i" ] || return 1
  done
}

# None of the container's runs is in the runtime's list, which is the machine's for root.
no_runs() { ! udocker-runtime list -q | grep -q "^${CID:0:12}-"; }

# Not a process of the job.
no_ranks() {
  local pid
  for pid in $(cat "$J"/up.*); do
    ! grep -qE '^State:.[^ZX]' "/proc/$pid/status" 2>/dev/null || return 1
  done
  ! pgrep -f "$J/up" >/dev/null
}
