# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034,SC2154
# What the tests of parallel jobs share: a guest with Open MPI of this machine and a program for it, and the host's mpiexec.

# mpi_guest: the image's archive, once per file; to be called in setup_file.
mpi_guest() {
  local work=$BATS_FILE_TMPDIR/mpi lib plugins name file
  PATH=$SUITE_TOOLS:$PATH
  command -v mpicc >/dev/null && command -v mpiexec >/dev/null || return 0
  mkdir "$work"
  mpicc -O2 -o "$work/mpiwork" "$SUITE_SRC/tests/tools/mpi/mpiwork.c" || return 1
  mkrootfs "$work/root"
  rm "$work/root/bin"/{sh,env,cat,id,grep}
  addprograms "$work/root" dash env cat id grep sleep
  ln -s /usr/bin/dash "$work/root/bin/sh"
  mkdir -p "$work/root/opt"
  cp "$work/mpiwork" "$work/root/opt/"
  # Those for networks that are not here would only be looked at.
  lib=/usr/lib/$(gcc -print-multiarch)
  plugins=openmpi/lib/openmpi3
  mkdir -p "$work/root$lib/$plugins" "$work/root$lib/pmix2/lib"
  for file in "$lib/$plugins"/*.so; do
    name=${file##*/}
    case $name in *ucx* | *ofi* | *psm* | *usnic* | *uct* | *fs_* | *monitoring*) ;; *) cp "$file" "$work/root$lib/$plugins/" ;; esac
  done
  cp -rL "$lib/pmix2/lib/pmix" "$work/root$lib/pmix2/lib/"
  for file in "$work/mpiwork" "$work/root$lib/$plugins"/*.so "$work/root$lib/pmix2/lib/pmix"/*.so; do ldd "$file"; done |
    sed -nE 's/^[^/]*(\/[^ ]+) \(0x[0-9a-f]+\)$/\1/p' | sort -u | while read -r file; do
    [ -e "$work/root$file" ] || { mkdir -p "$work/root$(dirname "$file")" && cp -L "$file" "$work/root$file"; }
  done
  tar -C "$work/root" -cf "$BATS_FILE_TMPDIR/mpi.tar" .
  chmod a+r "$BATS_FILE_TMPDIR/mpi.tar"
  rm -rf "$work/root"
}

# A container c with it, and the folder $J that jobs run in, outside of TMPDIR.
mpi_setup() {
  common_setup
  requires mpiexec mpicc
  [ "$(id -u)" != 0 ] || export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
  udocker-image import "$BATS_FILE_TMPDIR/mpi.tar" mpi:1 >/dev/null
  udocker create --name=c mpi:1 >/dev/null
  J=$HOME/job
  mkdir "$J"
  cd "$J" || return 1
}

# Modes that can run the guest here.
mpi_modes() { udocker-runtime engines --format json | jq -r '.[] | select(.available and .name != "singularity") | .modes[]' | sort -u; }
has_mode() { mpi_modes | grep -qx "$1"; }

# mpi N WORD...: by the host's mpiexec, oversubscribed, bounded.
mpi() { timeout -k 5 "${LIMIT:-60}" mpiexec --oversubscribe -np "$@"; }
# ranks N WORD...: WORDs in container c, one for each rank.
ranks() { mpi "$1" udocker run --mpi c "${@:2}"; }

ranks_are_up() {
  local i
  for ((i = 0; i < $1; i++)); do
    [ -s "$J/up.$i" ] || return 1
  done
}

# Neither a process of the job nor a container in the runtime's list.
no_ranks() {
  local pid
  for pid in $(cat "$J"/up.*); do
    ! grep -qE '^State:.[^ZX]' "/proc/$pid/status" 2>/dev/null || return 1
  done
  ! pgrep -f "$J/up" >/dev/null
}
