#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# run of an image that is not in the store: it is pulled first, when --pull lets it.

load helpers
load registry

setup() {
  common_setup
  registry_setup
}

# A busybox image, pushed as app:TAG; its file /version has the word TAG.
push_busybox() { # TAG
  [ -e base.tar ] || cp "$(rootfs_tar)" base.tar
  mkdir -p "v$1"
  echo "$1" >"v$1/version"
  layer "v$1.tar" "v$1"
  mkimage -f oci-dir -z gzip -n img:1 "img$1" base.tar "v$1.tar"
  push "img$1" "app:${2:-$1}"
}
count_containers() { find "$STORE/containers" -mindepth 1 -maxdepth 1 -type d 2>/dev/null | wc -l; }

@test "run pulls an image that is absent, prints the program's output alone, and pulls it no second time" {
  docker_registry
  push_busybox 1
  ok udocker run --registry="http://$R" --nobanner "$R/app:1" /bin/cat /version
  assert_output 1
  assert_stderr_contains "Info: image $R/app:1 is not in the store, pulling it"
  assert_pulled img1 "$R/app/1"
  : >"$RLOG"
  ok udocker --insecure run --nobanner "$R/app:1" /bin/cat /version
  assert_output 1
  [ ! -s "$RLOG" ] || fail "the registry was asked: $(cat "$RLOG")"
  ok udocker-image rm "$R/app:1"
  ok udocker -q --insecure run --rm "$R/app:1" /bin/cat /version
  assert_output 1
  assert_no_stderr
  assert_store_clean
}

@test "--pull=never asks nobody; what cannot be an image's name is not asked for" {
  docker_registry
  push_busybox 1
  : >"$RLOG"
  fails 125 udocker --insecure run --pull=never "$R/app:1" /bin/true
  assert_one_error_line
  assert_stderr_contains "no such container or image: '$R/app:1'"
  fails 125 udocker --insecure run --registry="http://$R" 'no image' /bin/true
  assert_one_error_line
  [ ! -s "$RLOG" ] || fail "the registry was asked: $(cat "$RLOG")"
  [ "$(count_containers)" -eq 0 ]
}

@test "--pull=always takes the registry's image of today, and makes one container (FIX-36)" {
  docker_registry
  push_busybox 1 latest
  ok udocker --insecure run --nobanner --pull=always "$R/app" /bin/cat /version
  assert_output 1
  push_busybox 2 latest
  ok udocker --insecure run --nobanner "$R/app" /bin/cat /version
  assert_output 1
  ok udocker --insecure run --nobanner --pull=always --name=c "$R/app" /bin/cat /version
  assert_output 2
  [ "$(count_containers)" -eq 3 ]
  ok udocker --insecure run --nobanner --pull=always c /bin/cat /version
  assert_output 2
  kill -9 "$RPID"
  fails 125 udocker --insecure run --nobanner --pull=always "$R/app" /bin/cat /version
  assert_one_error_line
  [ "$(count_containers)" -eq 3 ]
}

@test "a name that is taken is told before anything is fetched; --pull=reuse fetches what is absent" {
  docker_registry
  push_busybox 1
  ok udocker --insecure run --nobanner --name=c --pull=reuse "$R/app:1" /bin/cat /version
  assert_output 1
  ok udocker-image rm "$R/app:1"
  : >"$RLOG"
  fails 125 udocker --insecure run --name=c "$R/app:1" /bin/true
  assert_one_error_line
  assert_stderr_contains "'c' is taken"
  ok udocker --insecure run --nobanner --name=c --pull=reuse "$R/app:1" /bin/cat /version
  assert_output 1
  [ ! -s "$RLOG" ] || fail "the registry was asked: $(cat "$RLOG")"
  [ "$(count_containers)" -eq 1 ]
}

@test "a pull that fails is status 125 and one error line, without a container" {
  docker_registry
  push_busybox 1
  fails 125 udocker -q --insecure run "$R/app:none" /bin/true
  assert_one_error_line
  assert_stderr_contains "does not have it"
  fails 125 udocker -q --insecure run --platform=linux/nonsense/x/y "$R/app:1" /bin/true
  assert_one_error_line
  [ "$(count_containers)" -eq 0 ]
  refute_pulled
}
