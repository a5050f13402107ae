#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# bats: also in P1
# bats: under the sanitizers by hand
# What users of docker type by habit (FIX-51): honoured where an engine can, told of once where it has no effect, refused where it would mislead.

load helpers

setup() {
  common_setup
  busybox_container c1
  mkdir -p "$BUNDLE/ROOT/mnt"
  MODES=$(working_modes | grep -xE 'P1|R1' || true)
  [ -n "$MODES" ] || skip "no engine works here"
}

each_mode() {
  local mode
  for mode in $MODES; do
    ok udocker setup --execmode="$mode" c1
    "$@" "$mode"
  done
}
guest() { udocker run --nobanner "$@"; }

@test "FIX-51: -it, -ti and --tty in a script: the program has the streams of the caller, as with 1.3.x" {
  check() {
    local option
    for option in -it -ti "--interactive --tty -a"; do
      # shellcheck disable=SC2086 # two words
      run --separate-stderr guest $option c1 /bin/sh -c 'cat; test -t 0 || echo none' <<<"typed"
      [ "$status" -eq 0 ]
      assert_output $'typed\nnone' # no echo and no CR of a terminal
    done
  }
  each_mode check
}

@test "FIX-51: what is so anyway is accepted in silence" {
  check() {
    ok guest --network host --net=host --ipc=host --pid host --uts host --userns=host --cgroupns host --init --sig-proxy=true \
      --security-opt seccomp=unconfined --security-opt=apparmor=unconfined --security-opt no-new-privileges --attach stdout -q \
      --volumes-from other c1 /bin/echo fine
    assert_output fine
    assert_no_stderr
  }
  each_mode check
}

@test "FIX-51: what has no effect is one warning that names it all" {
  ok guest --restart always --log-driver=none --log-opt a=b --health-cmd true --expose 80 --privileged --network bridge --restart no c1 /bin/echo fine
  assert_output fine
  assert_one_error_line
  local word
  for word in "Warning: " --restart --log-driver --log-opt --health-cmd --expose --privileged "--network bridge"; do
    assert_stderr_contains "$word"
  done
}

@test "FIX-51: every option of docker's that has no effect is accepted: in silence, or named by one warning" {
  local silent=(--attach --cgroupns --detach-keys --disable-content-trust --init --no-healthcheck --quiet --sig-proxy --volumes-from -a)
  local noted=(--restart --log-driver --log-opt --health-cmd --health-interval --health-retries --health-start-period --health-start-interval
    --health-timeout --stop-timeout --expose --memory-reservation --memory-swappiness --kernel-memory --oom-kill-disable --cpu-period --cpu-quota
    --cpu-rt-period --cpu-rt-runtime --cpuset-mems --blkio-weight --blkio-weight-device --device-cgroup-rule --device-read-bps --device-read-iops
    --device-write-bps --device-write-iops --cgroup-parent --storage-opt --sysctl --network-alias --ip --ip6 --link-local-ip --mac-address
    --isolation --runtime --volume-driver)
  given() { # OPTIONS...: with a value where they take one
    local option
    for option; do
      case $option in
        --disable-content-trust | --init | --no-healthcheck | --quiet | --sig-proxy | -a | --oom-kill-disable) echo "$option" ;;
        *) echo "$option=1" ;;
      esac
    done
  }
  local options
  mapfile -t options < <(given "${silent[@]}")
  ok guest "${options[@]}" c1 /bin/echo fine
  assert_output fine
  assert_no_stderr
  mapfile -t options < <(given "${noted[@]}")
  ok guest "${options[@]}" c1 /bin/echo fine
  assert_output fine
  assert_one_error_line
  local option
  for option in "${noted[@]}"; do
    [[ "$stderr, " =~ ${option}[,\ :] ]] || fail "no $option"
  done
  # These are all there are.
  ok udocker run --help
  awk '/^ +-/ {name = match($0, /--[a-z0-9-]+/) ? substr($0, RSTART, RLENGTH) : ""} / accepted, no effect/ {print name}' <<<"$output" >without
  [ "$(grep -c . without)" -gt 30 ]
  while read -r option; do
    [[ -z $option || " ${silent[*]} ${noted[*]} " == *" $option "* ]] || fail "nobody has tried $option"
  done <without
}

@test "docker's long and short spellings are one option" {
  printf '# of the site\nsite=here\n' >labels
  ok udocker-bundle config --cpu-shares 512 --label-file labels --label-file=labels -l more=1 c1
  jq -e '.linux.resources.cpu.shares == 512 and .annotations.site == "here" and .annotations.more == "1"' <<<"$output"
  ok guest --dns-option ndots:4 c1 /bin/grep ndots /etc/resolv.conf
  assert_output "options ndots:4"
  ok guest --detach c1 /bin/sh -c 'echo x >/root/detached'
  assert_output "$ID"
  wait_until 10 test -s "$BUNDLE/ROOT/root/detached" || fail "it has not run"
}

@test "FIX-51: what would mislead is refused before a container is made" {
  local option
  for option in --security-opt=seccomp=/profile.json --mount=type=volume,source=data,target=/x --mount=target=/x --cap-add=FLY --ulimit=nofile \
    --ulimit=nofile=9:8 --memory=much --cpus=all --add-host=name --dns=name --gpus=some --pid=own --tmpfs=relative --tmpfs=/x:colour=red --shm-size=x; do
    fails 125 udocker run --nobanner "$option" --name=new bb:1 /bin/true
    assert_one_error_line
  done
  ok udocker ps
  refute_contains new
}

@test "--network none: no network, or no run" {
  check() {
    run --separate-stderr guest --network none c1 /bin/sh -c 'cat /sys/class/net/*/operstate | wc -l; cat /proc/net/route | wc -l'
    if [ "$status" -eq 0 ]; then
      [ "$(tail -n 1 <<<"$output")" -le 1 ] || fail "there are routes"
    else
      [ "$status" -eq 125 ]
      assert_one_error_line
      assert_stderr_contains network
    fi
  }
  each_mode check
}

@test "--mount binds and makes empty folders" {
  mkdir host
  echo content >host/file
  check() {
    ok guest --mount "type=bind,source=$T/host,target=/mnt/data" --mount "type=tmpfs,dst=/empty,tmpfs-size=1m" c1 \
      /bin/sh -c 'cat /mnt/data/file; echo x >/mnt/data/new; echo y >/empty/y; ls /empty'
    assert_output $'content\ny'
    [ "$(cat host/new)" = x ]
    run --separate-stderr guest --mount "type=bind,src=$T/host,dst=/mnt/data,readonly" c1 /bin/sh -c 'cat /mnt/data/file; echo z >/mnt/data/z'
    assert_contains content
    [ ! -e host/z ] || assert_stderr_contains "mounts.readonly" # written where nothing can hinder it, and said
    rm -f host/z
    fails 125 guest --mount "type=bind,src=$T/none,dst=/mnt" c1 /bin/true
    assert_one_error_line
  }
  each_mode check
}

@test "FIX-37: the third field of -v: ro holds or is told to be missing, rw and docker's others are accepted" {
  mkdir host
  echo content >host/file
  check() {
    run --separate-stderr guest -v "$T/host:/mnt/data:ro" c1 /bin/sh -c 'cat /mnt/data/file; echo x >/mnt/data/x'
    assert_contains content
    [ ! -e host/x ] || assert_stderr_contains "mounts.readonly"
    rm -f host/x
    ok guest -v "$T/host:/mnt/data:rw" -v "$T/host:/mnt/more:z,rw" c1 /bin/sh -c 'echo x >/mnt/data/x; cat /mnt/more/x'
    assert_output x
    rm host/x
    [ ! -e "$BUNDLE/ROOT/mnt/data:ro" ] && [ ! -e "$BUNDLE/ROOT/mnt/data:rw" ]
  }
  each_mode check
  fails 125 guest -v "$T/host:/mnt:colour" c1 /bin/true
  assert_one_error_line
}

@test "--tmpfs and --shm-size: files there are the run's alone" {
  check() {
    ok guest --tmpfs /run:size=64k,mode=1777 --tmpfs /tmp c1 /bin/sh -c 'echo a >/run/a; echo b >/tmp/b; ls /run /tmp'
    assert_output $'/run:\na\n\n/tmp:\nb'
    refute_file "$BUNDLE/ROOT/run/a"
    refute_file "$BUNDLE/ROOT/tmp/b"
    ok guest --shm-size 1m c1 /bin/sh -c 'echo x >/dev/shm/udocker-$$ && cat /dev/shm/udocker-$$; rm /dev/shm/udocker-$$; df -k /dev/shm | tail -n 1'
    [ "$1" != R1 ] || assert_matches ' 1024 '
  }
  each_mode check
}

@test "--add-host, --link and --dns change the run's files, and nobody else's" {
  check() {
    ok guest --add-host=one:192.0.2.1 --add-host two=2001:db8::1 --add-host gate:host-gateway --link web:www --dns 192.0.2.53 --dns-search example.org \
      --dns-opt ndots:3 c1 /bin/sh -c 'tail -n 4 /etc/hosts; cat /etc/resolv.conf'
    assert_contains $'192.0.2.1\tone\n2001:db8::1\ttwo\n127.0.0.1\tgate\n127.0.0.1\twww web\nnameserver 192.0.2.53\nsearch example.org\noptions ndots:3'
    [ "$(grep -c nameserver <<<"$output")" -eq 1 ]
    ok guest c1 /bin/cat /etc/hosts
    refute_contains 192.0.2.1
  }
  each_mode check
}

@test "--ulimit sets limits, --cap-drop takes root's powers" {
  check() {
    ok guest --ulimit nofile=1000:1024 --ulimit core=0 c1 /bin/sh -c 'ulimit -n; ulimit -Hn; ulimit -c'
    assert_output $'1000\n1024\n0'
    ok udocker-bundle config --cap-drop=ALL --cap-add=chown --cap-add CAP_KILL c1
    [ "$(jq -c .process.capabilities.bounding <<<"$output")" = '["CAP_CHOWN","CAP_KILL"]' ]
    ok udocker-bundle config --cap-add=ALL --cap-drop=mknod c1
    jq -e '.process.capabilities.bounding | index("CAP_MKNOD") == null and index("CAP_SYS_ADMIN") != null' <<<"$output"
  }
  each_mode check
}

@test "limits of control groups are in config.json, and told of where nobody sets them" {
  ok udocker-bundle config -m 64m --memory-swap=-1 --cpus=1.5 -c 512 --pids-limit 20 --oom-score-adj 500 -l a=b --label org.udocker.execmode=F1 \
    --stop-signal INT --domainname dom c1
  echo "$output" >config.json
  valid_config config.json
  [ "$(jq -c .linux.resources config.json)" = '{"memory":{"limit":67108864,"swap":-1},"cpu":{"period":100000,"quota":150000,"shares":512},"pids":{"limit":20}}' ]
  jq -e '.process.oomScoreAdj == 500 and .annotations.a == "b" and .domainname == "dom" and .annotations["org.udocker.execmode"] == null
    and .annotations["org.opencontainers.image.stopSignal"] == "INT"' config.json
  [[ $MODES == *P1* ]] || return 0
  ok udocker setup --execmode=P1 c1
  ok guest -m 64m c1 /bin/true
  assert_one_error_line
  assert_stderr_contains "linux.resources"
}

@test "--group-add takes names and numbers" {
  ok udocker-bundle config --group-add 4321 --group-add root c1
  [ "$(jq -c .process.user.additionalGids <<<"$output")" = "[4321,0]" ]
    fails 1 udocker-bundle config --group-add no-such-group c1
  assert_one_error_line
}

@test "--gpus without a driver is a clear word; none of them is fine" {
  [ ! -e /dev/nvidiactl ] || skip "there is a driver"
  fails 125 guest --gpus all c1 /bin/true
  assert_one_error_line
  assert_stderr_contains NVIDIA
  ok guest --gpus 0 c1 /bin/true
}

@test "-d runs in the background and prints the id; what is left of the run goes by itself" {
  check() {
    ok udocker run -d c1 /bin/sh -c "sleep 0.3; echo done >/root/done"
    assert_output "$ID"
    wait_until 10 test -e "$BUNDLE/ROOT/root/done" || fail "it has not run"
    rm "$BUNDLE/ROOT/root/done"
    wait_until 10 sh -c '[ -z "$(udocker-runtime list -q | grep "^'"${ID:0:12}"'")" ]' || fail "its state is left"
    fails 127 udocker run -d c1 no-such-command
    assert_one_error_line
    ok udocker-runtime list -q
    refute_contains "${ID:0:12}"
  }
  each_mode check
  local before
  before=$(ls "$STORE/containers")
  ok udocker run -dit --rm bb:1 /bin/sh -c 'until [ -e /root/end ]; do sleep 0.05; done'
  [ -d "$STORE/containers/$output" ]
  touch "$STORE/containers/$output/ROOT/root/end"
  wait_until 10 test ! -e "$STORE/containers/$output" || fail "the container is left"
  [ "$(ls "$STORE/containers")" = "$before" ]
}

@test "-d can be stopped with the id that it names, and its output goes on to files" {
  check() {
    local id
    udocker run -d c1 /bin/sh -c 'echo started; exec sleep 98' >"$T/out" 2>"$T/err"
    wait_until 10 grep -qx started "$T/out" || fail "no output"
    id=$(sed -n "s/.*udocker-runtime kill \\([^']*\\)'.*/\\1/p" "$T/err")
    ok udocker-runtime kill "$id" KILL
    wait_until 10 sh -c "! udocker-runtime state $id" || fail "its state is left"
  }
  each_mode check
}

@test "--cidfile has the id; a file that is there is not touched" {
  ok guest --cidfile id.file c1 /bin/true
  [ "$(cat id.file)" = "$ID" ]
  fails 125 guest --cidfile=id.file c1 /bin/true
  assert_one_error_line
}

@test "FIX-35: --location runs another root directory and leaves nothing beside it" {
  mkdir place
  cp -a "$BUNDLE/ROOT" place/tree
  touch place/tree/etc/here
  local before
  before=$(ls -A place)
  for word in dummy -; do
    ok udocker run --nobanner --location="$T/place/tree" "$word" /bin/sh -c 'ls /etc/here; pwd'
    assert_contains /etc/here
  done
  [ "$(ls -A place)" = "$before" ]
  [ -z "$(find . -maxdepth 1 -name .mountpoints)" ]
  fails 125 udocker run --location=/no/such/tree - /bin/true
  assert_one_error_line
}
