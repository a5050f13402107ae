# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034,SC2154
# Real drivers of an OCI runtime, given udocker-runtime: podman, buildah, containerd, Docker, Slurm. Each test has their storage, sockets and
# configuration in a directory of its own; daemons listen on free ports of loopback and are stopped by their ids.

# To be called in setup, behind common_setup. Sets RT, the runtime's path; D, the driver's directory, of a short name, since podman
# allows 50 bytes and sockets 108; EXAMPLES, the configuration that is shipped; MARK, a number of seconds that nothing else sleeps; and
# DRIVE, the words in front of a driver's command: as root, where cgroup v1 and v2 are mounted side by side, a mount namespace without the
# v2 side, since crun refuses such hosts.
drivers_setup() {
  RT=$SUITE_BIN/udocker-runtime
  EXAMPLES=$SUITE_BIN/../share/doc/udocker/examples
  MARK=8$((RANDOM % 900 + 100))$((BASHPID % 100000))
  SERVERS=() DRIVE=()
  D=$(mktemp -d /tmp/drv.XXXXXX)
  export XDG_RUNTIME_DIR=$D/xdg TMPDIR=$D/tmp
  mkdir -m 700 "$XDG_RUNTIME_DIR" "$TMPDIR"
  if [ "$(id -u)" = 0 ] && ! crun_host_ok && mountpoint -q /sys/fs/cgroup/unified; then
    unshare -m --propagation private sh -c 'umount /sys/fs/cgroup/unified && echo >"$0" && exec sleep 3600' "$T/hidden" \
      </dev/null >/dev/null 2>&1 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&- &
    SERVERS+=($!)
    wait_until 10 test -e "$T/hidden" || fail "no mount namespace"
    DRIVE=(nsenter -m -t "$!" --wd=.)
  fi
  ENGINES=$("${DRIVE[@]}" "$RT" engines --format json | jq -r '.[] | select(.available and (.name | IN("fakechroot", "runsc", "singularity") | not)) | .name' | sort -u)
  [ -n "$ENGINES" ] || skip "no engine works here"
}

drivers_teardown() {
  local pid
  [ -n "${D:-}" ] || return 0 # skipped
  for pid in "${SERVERS[@]}"; do
    kill "$pid" 2>/dev/null || true
  done
  for pid in "${SERVERS[@]}"; do
    wait_until 10 gone "$pid" || kill -9 "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  done
  rm -rf "$D" || true
}
teardown() { drivers_teardown; }

# No such process, or nobody has waited for it.
gone() { [ ! -d "/proc/$1" ] || grep -q '^State:.Z' "/proc/$1/status" 2>/dev/null; }

# background NAME CMD...: its output goes to $T/NAME.log, so that no test waits for it; PID is its id.
background() {
  local log=$T/$1.log
  shift
  "$@" </dev/null >>"$log" 2>&1 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&- &
  PID=$!
  SERVERS+=("$PID")
}

# each_engine CMD...: run a test function with every engine that works here; ENGINE is its name, MODE its execution mode.
each_engine() {
  for ENGINE in $ENGINES; do
    MODE=R1
    case $ENGINE in
      proot) MODE=P1 ;;
      trap) MODE=T1 ;;
    esac
    "$@"
  done
}
# Without namespaces and control groups of its own.
is_direct() { [ "$MODE" != R1 ]; }

# The containers of this test that the runtime knows: their bundles lie below D.
known() { "${DRIVE[@]}" "$RT" "$@" list -f json | jq -r --arg top "$D/" '.[] | select(.bundle | startswith($top)) | "\(.id) \(.status)"'; }

# Processes that mention the word, those that nobody has waited for aside.
procs_with() {
  local pid
  for pid in $(pgrep -f -- "$1" || true); do
    [ "$pid" = "$BASHPID" ] || [ "$pid" = "$$" ] || gone "$pid" || echo "$pid"
  done
}
no_procs_with() { [ -z "$(procs_with "$1")" ]; }

# nothing_left [GLOBAL-OPTION...]: no process, no state and no mount is left of what this test's driver ran. OWN_MOUNTS: what is the
# driver's own, a pattern.
nothing_left() {
  wait_until 10 no_procs_with "$MARK" || fail "left running: $(procs_with "$MARK" | xargs -rn 1 ps -ww -o pid=,args= -p)"
  [ -z "$(known "$@")" ] || fail "the runtime still knows: $(known "$@")"
  ! "${DRIVE[@]}" grep -F "$D/" /proc/self/mountinfo | grep -v "${OWN_MOUNTS:-^$}" || fail "still mounted"
}

# A shell program that waits for signals: says up, usr1 for USR1, and ends with 3 for TERM.
WAITER='trap "echo usr1" USR1; trap "echo term; exit 3" TERM; echo up; while :; do sleep 0.05; done'

# ---- podman ----------------------------------------------------------------------------------------
# An image bb of busybox in a storage of this test. PM and pm are podman with it.
podman_setup() {
  # The file that is shipped. Root of the test machine may lack CAP_SYS_RESOURCE, which podman's own limits would ask for.
  sed "s,/usr/local/bin/udocker-runtime,$RT,; s,^\\[engine\\]\$,&\\nlock_type = \"file\"," "$EXAMPLES/containers.conf" >"$D/containers.conf"
  cat >>"$D/containers.conf" <<CONF
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
log_driver = "k8s-file"
CONF
  export CONTAINERS_CONF=$D/containers.conf
  PM=("${DRIVE[@]}" podman --root "$D/storage" --runroot "$D/runroot" --tmpdir "$D/libpod" --storage-driver vfs
    --cgroup-manager cgroupfs --events-backend file)
  [ "$(id -u)" = 0 ] || pm unshare true 2>"$D/err" || skip "podman does not work for this user: $(tail -1 "$D/err")"
  pm import -q "$(rootfs_tar)" bb >/dev/null 2>&1 || fail "no image"
}
pm() { "${PM[@]}" "$@"; }

podman_teardown() {
  [ -n "${PM:-}" ] || return 0
  pm rm -a -f -t 0 >/dev/null 2>&1 || true
  [ "$(id -u)" != 0 ] || return 0
  # Files of other ids of the user's namespace are the namespace's to remove; what keeps it is ended by nobody else.
  pm unshare rm -rf "$D/storage" "$D/runroot" 2>/dev/null || true
  [ ! -s "$D/libpod/pause.pid" ] || kill -9 "$(cat "$D/libpod/pause.pid")" 2>/dev/null || true
}

# ---- containerd ------------------------------------------------------------------------------------
# containerd_start [VAR=VALUE...]: a daemon of this test, with that in its environment, and an image $BB in it. ct is ctr with it,
# ct_run ctr run with the runtime.
containerd_start() {
  BB=docker.io/library/bb:1
  cat >"$D/containerd.toml" <<TOML
version = 2
root = "$D/root"
state = "$D/state"
oom_score = 0
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt"]
[grpc]
  address = "$D/sock"
TOML
  background containerd "${DRIVE[@]}" env "$@" containerd --config "$D/containerd.toml" --log-level warn
  wait_until 30 ct version || fail "containerd does not start: $(tail -5 "$T/containerd.log")"
  echo '{"Cmd":["/bin/sh"],"Env":["PATH=/bin"]}' >"$D/image.json"
  mkimage -f oci -n "$BB" -c "$D/image.json" "$D/image.tar" "$(rootfs_tar)"
  ct image import --snapshotter native "$D/image.tar" >/dev/null || fail "no image"
}
ct() { timeout 60 ctr --address "$D/sock" -n "drv$MARK" "$@"; }
ct_run() { ct run --snapshotter native --runc-binary "$RT" --runc-root "$D/runtime" --fifo-dir "$D/fifo" "$@"; }

# ---- Docker ----------------------------------------------------------------------------------------
# docker_start: a daemon of this test with the file that is shipped and one runtime more for each engine, and an image bb in it. dk is docker
# with it.
docker_start() {
  OWN_MOUNTS=" $D/data "
  # shellcheck disable=SC2086  # a list of names
  jq --arg rt "$RT" --arg d "$D" '.runtimes[].path = $rt | .runtimes += ([$ARGS.positional[] | {key: "e-\(.)", value: {path: $rt, runtimeArgs: ["--engine", .]}}] | from_entries)
    | . + {"data-root": "\($d)/data", "exec-root": "\($d)/exec", pidfile: "\($d)/pid", hosts: ["unix://\($d)/sock"], bridge: "none",
      iptables: false, ip6tables: false, "storage-driver": "vfs", "shutdown-timeout": 5}' \
    "$EXAMPLES/daemon.json" --args $ENGINES >"$D/daemon.json"
  background dockerd "${DRIVE[@]}" env -u UDOCKER_DEFAULT_EXECUTION_MODE dockerd --config-file "$D/daemon.json" --log-level warn
  wait_until 60 dk version || fail "dockerd does not start: $(tail -5 "$T/dockerd.log")"
  dk import - bb:1 <"$(rootfs_tar)" >/dev/null || fail "no image"
}
dk() { timeout 60 docker -H "unix://$D/sock" "$@"; }
# By the engine of this round.
dk_run() { dk run --network none --runtime "e-$ENGINE" "$@"; }

# ---- Slurm -----------------------------------------------------------------------------------------
# slurm_start: munged, slurmctld and slurmd of this test as one cluster of one node; oci.conf is oci_conf's.
slurm_start() {
  local host ports
  host=$(hostname -s)
  ports=$(python3 -c 'import socket
s = [socket.socket() for _ in range(2)]
for x in s: x.bind(("127.0.0.1", 0))
print(*[x.getsockname()[1] for x in s])')
  chmod 755 "$D"
  mkdir -m 700 "$D/munge"
  mkdir -m 755 "$D/socket" "$D/spool" "$D/ctld"
  mkdir -m 1777 "$D/runtime"
  head -c 1024 /dev/urandom >"$D/munge/key"
  chmod 400 "$D/munge/key"
  background munged munged -F --force --key-file="$D/munge/key" --socket="$D/socket/munge" --pid-file="$D/munge/pid" \
    --log-file="$D/munge/log" --seed-file="$D/munge/seed" --num-threads=2
  wait_until 20 test -S "$D/socket/munge" || fail "munged does not start: $(cat "$T/munged.log")"
  cat >"$D/slurm.conf" <<CONF
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmctldPort=${ports% *}
SlurmdPort=${ports#* }
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket=$D/socket/munge
StateSaveLocation=$D/ctld
SlurmdSpoolDir=$D/spool
SlurmctldPidFile=$D/slurmctld.pid
SlurmdPidFile=$D/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
KillWait=2
SchedulerParameters=sched_interval=1
NodeName=$host NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN
PartitionName=p Nodes=ALL Default=YES MaxTime=INFINITE State=UP OverSubscribe=FORCE:4
CONF
  echo 'CgroupPlugin=cgroup/v1' >"$D/cgroup.conf"
  export SLURM_CONF=$D/slurm.conf
  oci_conf proot
  background slurmctld env -i PATH="$PATH" HOME=/root SLURM_CONF="$SLURM_CONF" slurmctld -D -i
  background slurmd "${DRIVE[@]}" env -i PATH="$PATH" HOME=/root SLURM_CONF="$SLURM_CONF" slurmd -D
  wait_until 60 node_is idle || fail "no node: $(sinfo 2>&1; tail -5 "$T/slurmctld.log" "$T/slurmd.log")"
}
node_is() { [[ "$(sinfo -h -o %T)" == *"$1"* ]]; }

# oci_conf ENGINE: the file that is shipped, with this test's paths. It is read anew for each step.
oci_conf() {
  sed "s,/usr/local/bin/udocker-runtime,$RT,; s,/var/spool/udocker-runtime,$D/runtime,; s, run -b, --engine $1 run -b," \
    "$EXAMPLES/oci.conf" >"$D/oci.conf"
}
