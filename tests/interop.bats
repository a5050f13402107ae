#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# bats: not under the sanitizers
# One store, two tools: what udocker 1.3.x makes runs here, and what is made here runs there. The Python tool is the program that
# UDOCKER_PYTHON names, else udocker.py on PATH; without it these tests are skipped, and compat.bats has stores that it wrote.

load helpers
load registry

THEIRS=${UDOCKER_PYTHON:-$(command -v udocker.py || true)}

setup() {
  common_setup
  registry_setup
  requires proot
  [ -n "$THEIRS" ] || skip "the Python udocker is not here: name it in UDOCKER_PYTHON"
  # It downloads nothing and uses the engines of this machine.
  export UDOCKER_TARBALL='' UDOCKER_USE_PROOT_EXECUTABLE UDOCKER_USE_RUNC_EXECUTABLE
  UDOCKER_USE_PROOT_EXECUTABLE=$(command -v proot)
  UDOCKER_USE_RUNC_EXECUTABLE=$(command -v crun || command -v runc || true)
  [[ $(theirs version 2>/dev/null) == *"version: 1.3."* ]] || skip "$THEIRS is no udocker 1.3"
}

theirs() { "$THEIRS" "$@"; }

# Each tool runs the container; it prints "hello from WHAT". In R modes 1.3.x has no status to tell without a terminal (FIX-09).
run_ours() { udocker run --nobanner "$1" /bin/sh -c 'echo "$GREETING from $(cat /etc/udocker-test 2>/dev/null)"' 2>&1; }
run_theirs() { theirs run --nobanner "$1" /bin/sh -c 'echo "$GREETING from $(cat /etc/udocker-test 2>/dev/null)"' 2>&1 | tr -d '\r' | grep -v '^<Popen'; }
both_run() { # CONTAINER WHAT
  local said
  said=$(run_ours "$1")
  [ "$said" = "hello from $2" ] || fail "here $1 says: $said"
  # In R modes 1.3.x loses what it has not read yet when the program ends: on a busy machine it is asked again.
  for _ in 1 2 3 4 5; do
    said=$(run_theirs "$1")
    [ "$said" != "hello from $2" ] || return 0
  done
  fail "1.3.x runs $1 so: $said"
}
# Containers of an image by each tool, which both run.
both_create() { # IMAGE WHAT
  udocker create --name=by-ours "$1" >/dev/null
  both_run by-ours "$2"
  theirs create --name=by-theirs "$1" >/dev/null
  both_run by-theirs "$2"
  udocker rm by-theirs
  theirs rm by-ours >/dev/null
}

# An image whose second layer says what it is. archive KIND WHAT: $T/WHAT.tar, or the layout $T/WHAT
archive() {
  mkdir -p "$T/layer/etc" "$T/layer/tmp"
  echo "$2" >"$T/layer/etc/udocker-test"
  layer "$T/layer.tar" "$T/layer"
  echo '{"Cmd":["/bin/sh"],"Env":["PATH=/bin:/usr/bin","GREETING=hello"],"WorkingDir":"/tmp"}' >"$T/image.json"
  local z=()
  [ "$1" = docker ] || z=(-z gzip)
  mkimage -f "$1" "${z[@]}" -n "lib/$2:1" -c "$T/image.json" "$T/$2$([ "$1" = oci-dir ] || echo .tar)" "$(rootfs_tar)" "$T/layer.tar"
}
loaded() { # NAME: the image lib/NAME:1 in the store
  archive docker "$1"
  udocker load -i "$T/$1.tar" >/dev/null
}

@test "pull: each tool makes containers of what the other pulled, and finds it whole" {
  requires docker-registry skopeo curl
  docker_registry
  archive oci-dir app
  push "$T/app" library/app:1
  push "$T/app" library/app:2
  ok theirs pull --registry="http://$R" app:1
  ok udocker pull --registry="http://$R" app:2
  ok udocker verify app:1
  ok theirs verify app:2
  assert_contains "image Ok"
  both_create app:1 app
  both_create app:2 app
  # Neither fetches again what the other has.
  : >"$RLOG"
  local layers
  layers=$(find "$STORE/layers" -type f -printf '%f %i\n' | sort)
  ok udocker pull --registry="http://$R" app:1
  ok theirs pull --registry="http://$R" app:2
  [ "$(find "$STORE/layers" -type f -printf '%f %i\n' | sort)" = "$layers" ] || fail "layers were replaced"
  both_create app:1 app
}

@test "load and save: docker archives go both ways" {
  loaded one
  ok udocker save -o ours.tar lib/one:1
  ok udocker rmi lib/one:1
  ok theirs load -i ours.tar
  ok udocker verify lib/one:1
  both_create lib/one:1 one
  ok theirs save -o theirs.tar lib/one:1
  ok udocker rmi lib/one:1
  [ -z "$(ls -A "$STORE/layers")" ] || fail "layers are left: $(ls "$STORE/layers")"
  ok udocker load -i theirs.tar
  assert_output lib/one:1
  both_create lib/one:1 one
  ok theirs rmi lib/one:1
  [ -z "$(ls -A "$STORE/layers")" ] || fail "layers are left: $(ls "$STORE/layers")"
}

@test "load: OCI archives that either tool has loaded" {
  archive oci two
  ok theirs load -i two.tar mine/theirs
  ok udocker images
  local image
  image=$(printf '%s\n' "$output" | sed -nE 's/^(mine\/theirs:[^ ]*) .*/\1/p')
  both_create "$image" two
  ok udocker load -i two.tar mine/ours
  both_create "$output" two
}

@test "import: a root file system that either tool has imported" {
  local tar
  tar=$(rootfs_tar)
  ok theirs import "$tar" their/root:1
  ok udocker import "$tar" our/root:1
  local image
  for image in their/root:1 our/root:1; do
    ok udocker create --name=a "$image"
    ok theirs create --name=b "$image"
    local c
    for c in a b; do
      ok udocker run --nobanner "$c" /bin/cat /etc/os-release
      assert_contains "ID=demo"
      ok theirs run --nobanner "$c" /bin/cat /etc/os-release
      assert_contains "ID=demo"
      ok udocker rm "$c"
    done
    ok theirs inspect "$image"
    local said=$output
    ok udocker inspect "$image"
    [ "$output" = "$said" ] || fail "1.3.x says: $said"
  done
  ok udocker import --tocontainer --name=ours "$tar" some:1
  ok theirs import --tocontainer --name=theirs "$tar" some:1
  ok theirs run --nobanner ours /bin/true
  ok udocker run --nobanner theirs /bin/true
}

@test "export and import --clone: containers go both ways, with their mode" {
  loaded one
  udocker create --name=c lib/one:1 >/dev/null
  udocker setup --execmode=P2 c
  ok theirs export --clone -o theirs.tar c
  ok udocker export --clone -o ours.tar c
  ok udocker import --clone --name=in-ours theirs.tar
  ok theirs import --clone --name=in-theirs ours.tar
  both_run in-ours one
  both_run in-theirs one
  local c
  for c in in-ours in-theirs; do
    ok udocker setup "$c"
    assert_contains "execmode: P2"
    ok theirs setup "$c"
    assert_contains "execmode: P2"
  done
  # Without --clone it is the files alone.
  ok theirs export -o theirs-root.tar c
  ok udocker export -o ours-root.tar c
  ok udocker import theirs-root.tar root/theirs:1
  ok theirs import ours-root.tar root/ours:1
  udocker create --name=a root/ours:1 >/dev/null
  theirs create --name=b root/theirs:1 >/dev/null
  ok theirs run --nobanner a /bin/cat /etc/udocker-test
  assert_output one
  ok udocker run --nobanner b /bin/cat /etc/udocker-test
  assert_output one
}

@test "clone: each tool copies the other's container" {
  loaded one
  theirs create --name=c lib/one:1 >/dev/null
  ok udocker clone --name=ours c
  ok theirs clone --name=theirs ours
  ok udocker clone --name=again theirs
  both_run ours one
  both_run theirs one
  both_run again one
}

@test "names and protection are seen by both" {
  loaded one
  theirs create --name=c lib/one:1 >/dev/null
  local id
  id=$(basename "$(readlink "$STORE/containers/c")")
  ok udocker name "$id" ours
  ok theirs name "$id" theirs
  ok udocker rename theirs from-theirs
  ok theirs rename ours from-ours
  ok udocker rmname c
  ok udocker ps
  assert_contains "['from-ours', 'from-theirs']"
  ok theirs ps
  assert_contains "$id"
  assert_contains "'from-ours'"
  ok theirs rmname from-theirs
  fails 1 udocker inspect from-theirs
  both_run from-ours one
  ok theirs protect from-ours
  fails 1 udocker rm from-ours
  ok udocker unprotect from-ours
  ok udocker protect from-ours
  fails 1 theirs rm from-ours
  ok theirs unprotect from-ours
  ok udocker protect lib/one:1
  fails 1 theirs rmi lib/one:1
  ok theirs unprotect lib/one:1
  ok theirs protect lib/one:1
  fails 1 udocker rmi lib/one:1
  ok udocker unprotect lib/one:1
  ok theirs rm from-ours
  ok udocker ps -q
  assert_output ""
}

@test "tag and rmi: what the other still needs stays" {
  loaded one
  ok theirs tag lib/one:1 tag/theirs:1
  ok udocker tag lib/one:1 tag/ours:1
  ok theirs rmi lib/one:1
  both_create tag/theirs:1 one
  both_create tag/ours:1 one
  ok udocker rmi tag/theirs:1
  both_create tag/ours:1 one
  ok theirs rmi tag/ours:1
  [ -z "$(ls -A "$STORE/layers")" ] || fail "layers are left: $(ls "$STORE/layers")"
}

@test "modes: a container goes between P1 and R1 and from tool to tool" {
  requires userns
  [ -n "$UDOCKER_USE_RUNC_EXECUTABLE" ] || skip "neither crun nor runc is installed"
  crun_host_ok || skip "crun refuses hybrid cgroups"
  loaded one
  theirs create --name=c lib/one:1 >/dev/null
  local root=$STORE/containers/c/ROOT passwd
  passwd=$(cat "$root/etc/passwd")
  ok theirs setup --execmode=R1 c
  both_run c one
  # 1.3.x has put passwd and group aside: they count here as well.
  ok udocker run --nobanner c /bin/cat /etc/passwd
  assert_contains "user:x:1000:1000:User"
  both_run c one
  ok udocker setup --execmode=P1 c
  [ "$(cat "$root/etc/passwd")" = "$passwd" ] || fail "passwd did not come back"
  both_run c one
  ok udocker setup --execmode=R1 c
  both_run c one
  ok theirs setup --execmode=P1 c
  [ "$(cat "$root/etc/passwd")" = "$passwd" ] || fail "passwd did not come back"
  both_run c one
  ok udocker setup --execmode=P2 c
  both_run c one
  # FIX-15: what the other left of its mount points is removed, and nothing else.
  ok udocker setup --purge c
  [ "$(cat "$root/etc/passwd")" = "$passwd" ]
  both_run c one
}

@test "keystore: a login with either tool counts for both" {
  requires docker-registry skopeo curl
  printf 'me:%s\n' "$(python3 -W ignore -c 'import crypt; print(crypt.crypt("s3cret", crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=16)))' | sed 's/^\$2b/$2y/')" >"$T/srv/htpasswd"
  docker_registry "auth: {htpasswd: {realm: r, path: $T/srv/htpasswd}}"
  archive oci-dir app
  push "$T/app" library/app:1 me:s3cret
  fails 1 udocker pull --registry="http://$R" app:1
  ok theirs login --username=me --password=s3cret --registry="http://$R"
  ok udocker pull --registry="http://$R" app:1
  ok udocker rmi app:1
  ok udocker logout --registry="http://$R"
  fails 1 theirs pull --registry="http://$R" app:1
  ok udocker login --username=me --password=s3cret --registry="http://$R"
  ok theirs pull --registry="http://$R" app:1
  both_create app:1 app
  ok theirs logout -a
  ok udocker rmi app:1
  fails 1 udocker pull --registry="http://$R" app:1
}

@test "listings and metadata are the same in both" {
  loaded one
  loaded two
  udocker create --name=c lib/one:1 >/dev/null
  theirs create --name=d lib/two:1 >/dev/null
  local args said
  for args in "inspect c" "inspect d" "inspect -p c" "inspect lib/one:1" "setup c"; do
    # shellcheck disable=SC2086
    ok theirs $args
    said=$output
    # shellcheck disable=SC2086
    ok udocker $args
    [ "$output" = "$said" ] || fail "$args: 1.3.x says: $said"
  done
  # Theirs are in the order of the directory (FIX-60).
  for args in "images" "images -p" "ps" "ps -m" "ps -p"; do
    # shellcheck disable=SC2086
    said=$(theirs $args | sort)
    # shellcheck disable=SC2086
    [ "$(udocker $args | sort)" = "$said" ] || fail "$args: ours $(udocker $args) 1.3.x: $said"
  done
}
