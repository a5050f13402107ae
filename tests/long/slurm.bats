#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016,SC2153,SC2154  # single quotes are for the shell inside; drivers.bash sets ENGINES
# bats: also as root
# Slurm's limits count in minutes.

load ../helpers
load ../drivers
load ../slurm

setup() { slurm_setup; }
teardown() { slurm_teardown; }

is_running() { [ "$(pgrep -fc "^sleep $MARK$1\$")" = 1 ]; }

@test "a container that outlives its job's time is ended, and nothing of it is left" {
  local n=0 pids=() pid
  for ENGINE in $ENGINES; do
    n=$((n + 1))
    oci_conf "$ENGINE"
    # It hears no TERM, and has a process of another session.
    LIMIT=300 as_user srun --time=1 --container "$D/bundle" /bin/sh -c "trap '' TERM; setsid sleep $MARK$n$n & sleep $MARK$n; :" </dev/null >"out$n" 2>&1 3>&- &
    pids+=($!)
    wait_until 30 is_running "$n" || fail "$ENGINE: not started: $(cat "out$n")"
  done
  for pid in "${pids[@]}"; do
    wait "$pid" || true # 0 for a step that did not hear its end in time
  done
  for ((; n > 0; n--)); do
    grep -q "TIME LIMIT" "out$n" || fail "no word of the limit: $(cat "out$n")"
  done
  wait_until 90 no_jobs || true # Slurm looks again after a minute
  nothing_of_slurm
}
