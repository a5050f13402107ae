#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# push to real registries: what is sent and what is not, manifests and compressions, mounts, credentials, resumed uploads, other tools reading it.

load helpers
load registry

setup() {
  common_setup
  registry_setup
}

pod() { podman --root "$POD/root" --runroot "$POD/run" --storage-driver vfs "$@" 2>&1; }
needs_podman() {
  mkdir -p "$DOCKER_CONFIG" && echo '{}' >"$DOCKER_CONFIG/config.json" # podman insists
  POD=$(mktemp -d /tmp/udpod.XXXXXX) # podman wants a path of less than 50 characters
  pod images >pod.out || skip "podman does not work here: $(tail -1 pod.out)"
}
teardown() {
  registry_teardown
  [ -n "${POD:-}" ] || return 0
  # Files of mapped owners.
  [ "$(id -u)" = 0 ] || podman unshare rm -rf "$POD" 2>/dev/null || true
  rm -rf "$POD"
  # A process that podman leaves to keep a user's namespace.
  local file
  while read -r file; do kill "$(cat "$file")" || true; done < <(find "$T" -name pause.pid 2>/dev/null)
}

# stored LAYOUT NAME:TAG: the layout's image in the store, with its own bytes.
stored() { udocker-image load -q -i "$1" "$2" >/dev/null; }
# How many requests of docker-registry's log match.
logged() { grep -cE "$1" "$RLOG" || true; }
# What the registry has under a name.
remote() { curl -sf -H "Accept: application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json, application/vnd.docker.distribution.manifest.list.v2+json" "http://$R/v2/${1%:*}/manifests/${1##*:}"; }
assert_pushed() { # LAYOUT NAME:TAG
  remote "$2" | cmp - "$(blob_file "$1" "$(manifest_of "$1")")" || fail "another manifest"
  local d
  for d in $(layers_of "$1"); do
    curl -sf "http://$R/v2/${2%:*}/blobs/$d" | cmp - "$(blob_file "$1" "$d")" || fail "another layer"
  done
}
# A registry with a password file (user me), plain HTTP.
basic_registry() {
  printf 'me:%s\n' "$(python3 -W ignore -c 'import crypt; print(crypt.crypt("s3cret", crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=16)))' | sed 's/^\$2b/$2y/')" >"$T/srv/htpasswd"
  docker_registry "auth: {htpasswd: {realm: r, path: $T/srv/htpasswd}}"
}
token_registry() {
  own_ca
  TLOG=$T/srv/token.requests
  serve "$T/srv/token.port" python3 "$SUITE_SRC/tests/tools/tokend" "$T/tls.crt" "$T/tls.key" 300 "$TLOG" "$T/srv/token.port"
  docker_registry "auth: {token: {realm: \"http://127.0.0.1:$(cat "$T/srv/token.port")/token\", service: reg, issuer: test, rootcertbundle: $T/ca.crt}}"
}
login() { printf s3cret | udocker-image login --insecure -u me --password-stdin "$R"; }

@test "push sends the store's bytes, prints NAME:TAG@DIGEST alone, and a second push sends nothing" {
  test_image img 3
  docker_registry
  stored img "$R/a/app:1"
  ok udocker-image push --insecure "$R/a/app:1"
  assert_output "$R/a/app:1@$(manifest_of img)"
  [ "$(grep -cE '^(layer|configuration) [0-9a-f]{12}: done \(' <<<"$stderr")" -eq 4 ] || fail "progress"
  assert_pushed img a/app:1
  : >"$RLOG"
  ok udocker-image push --insecure "$R/a/app:1"
  assert_output "$R/a/app:1@$(manifest_of img)"
  [ "$(grep -cE '^(layer|configuration) [0-9a-f]{12}: exists' <<<"$stderr")" -eq 4 ] || fail "progress of what is there"
  [ "$(logged '"(POST|PATCH|PUT) ')" -eq 0 ] || fail "sent again: $(cat "$RLOG")"
  ok udocker-image push -q --insecure "$R/a/app:1" "$R/a/app:2"
  assert_no_stderr
  [ "$(logged '"PUT ')" -eq 1 ] || fail "more than the manifest: $(cat "$RLOG")"
  assert_pushed img a/app:2
}

@test "skopeo, podman and umoci read what was pushed; what they pushed is pulled and pushed on with the same digest" {
  requires skopeo podman umoci
  mkdir -p root/bin && printf 'made by us\n' >root/file
  layer l.tar root
  mkimage -f oci-dir -z gzip -n img:1 img l.tar
  docker_registry
  stored img app:1
  ok udocker-image push -q --insecure app:1 "$R/app:1"
  ok skopeo --insecure-policy copy -q --src-tls-verify=false "docker://$R/app:1" oci:back:1
  [ "$(manifest_of back)" = "$(manifest_of img)" ] || fail "skopeo got another manifest"
  umoci unpack --rootless --image back:1 bundle >/dev/null
  [ "$(cat bundle/rootfs/file)" = "made by us" ]
  needs_podman
  ok pod pull -q --tls-verify=false "$R/app:1"
  ok pod push -q --tls-verify=false --format v2s2 "$R/app:1" "$R/two:1"
  ok udocker-image pull -q --insecure "$R/two:1"
  local digest=${output#*@}
  ok udocker-image push -q --insecure "$R/two:1" "$R/three:1"
  assert_output "$R/three:1@$digest"
}

@test "--format and --compress: manifests and layers become what is asked for, and are read by skopeo" {
  test_image img 2
  docker_registry
  stored img app:1
  ok udocker-image push -q --insecure --format docker app:1 "$R/app:docker"
  [ "$(remote app:docker | jq -r '[.mediaType, .config.mediaType, .layers[].mediaType] | unique | join(" ")')" = "application/vnd.docker.container.image.v1+json application/vnd.docker.distribution.manifest.v2+json application/vnd.docker.image.rootfs.diff.tar.gzip" ] || fail "$(remote app:docker)"
  ok skopeo --insecure-policy copy -q --src-tls-verify=false "docker://$R/app:docker" dir:d1
  ok udocker-image push -q --insecure --compress zstd app:1 "$R/app:zstd"
  [ "$(remote app:zstd | jq -r '.layers[].mediaType' | sort -u)" = application/vnd.oci.image.layer.v1.tar+zstd ]
  ok skopeo --insecure-policy copy -q --src-tls-verify=false "docker://$R/app:zstd" oci:d2:1
  ok udocker-image pull -q --insecure "$R/app:zstd"
  ok udocker-image verify "$R/app:zstd"
  # The same layers once more: nothing is sent.
  : >"$RLOG"
  ok udocker-image push -q --insecure --compress zstd app:1 "$R/app:zstd"
  [ "$(logged '"(POST|PATCH|PUT) ')" -eq 0 ] || fail "sent again: $(cat "$RLOG")"
  # Docker's manifests have no zstd: packed anew in gzip, or refused.
  ok udocker-image push -q --insecure --format docker "$R/app:zstd" "$R/app:back"
  [ "$(remote app:back | jq -r '.layers[].mediaType' | sort -u)" = application/vnd.docker.image.rootfs.diff.tar.gzip ]
  fails 2 udocker-image push --insecure --format docker --compress zstd app:1 "$R/app:x"
  assert_one_error_line
  # A docker manifest with zstd layers becomes OCI's; with gzip it stays what it is.
  ok udocker-image pull -q --insecure "$R/app:docker"
  ok udocker-image push -q --insecure --compress zstd "$R/app:docker" "$R/app:z2"
  [ "$(remote app:z2 | jq -r .mediaType)" = application/vnd.oci.image.manifest.v1+json ]
  ok udocker-image push -q --insecure --compress gzip "$R/app:docker" "$R/app:z3"
  [ "$(remote app:z3 | jq -r .mediaType)" = application/vnd.docker.distribution.manifest.v2+json ]
}

@test "layers that another repository has are mounted, and sent where that fails" {
  test_image img 2
  docker_registry
  stored img "$R/first:1"
  ok udocker-image push -q --insecure "$R/first:1"
  : >"$RLOG"
  ok udocker-image push --insecure "$R/first:1" "$R/second:1"
  [ "$(grep -cE ': mounted' <<<"$stderr")" -eq 3 ] || fail "not mounted"
  [ "$(logged '"PATCH |"PUT [^ ]*/blobs/')" -eq 0 ] || fail "sent: $(cat "$RLOG")"
  assert_pushed img second:1
  # The store believes that "absent" has them: it does not.
  ok udocker-image tag "$R/first:1" "$R/absent:1"
  ok udocker-image rm "$R/first:1"
  ok udocker-image push --insecure "$R/absent:1" "$R/third:1"
  assert_pushed img third:1
}

@test "tokens: pull and push are asked for, and a mount asks for the other repository too" {
  token_registry
  test_image img 1
  stored img "$R/one:1"
  fails 1 udocker-image push --insecure "$R/one:1"
  assert_one_error_line
  assert_stderr_contains "may this user write there?"
  ok login
  : >"$TLOG"
  ok udocker-image -D push --insecure "$R/one:1"
  [ "$(cat "$TLOG")" = "me repository:one:pull,push" ] || fail "$(cat "$TLOG")"
  refute_stderr_contains s3cret
  refute_stderr_contains "$(printf 'me:s3cret' | base64)"
  refute_stderr_contains _state
  : >"$TLOG"
  ok udocker-image push --insecure "$R/one:1" "$R/two:1"
  [ "$(grep -c ': mounted' <<<"$stderr")" -eq 2 ] || fail "not mounted"
  grep -qx "me repository:two:pull,push repository:one:pull" "$TLOG" || fail "$(cat "$TLOG")"
  ok udocker-image pull --insecure "$R/two:1"
  assert_pulled img "$R/two/1"
}

@test "htpasswd, an own CA and names by --registry" {
  basic_registry
  test_image img 1
  stored img app:1
  fails 1 udocker-image push --insecure app:1 "$R/app:1"
  assert_one_error_line
  ok login
  ok udocker-image push -q --registry "http://$R" app:1
  assert_output "app:1@$(manifest_of img)"
  ok udocker-image rm app:1
  ok udocker-image pull -q --registry "http://$R" app:1
  assert_pulled img app/1
  own_ca
  docker_registry '' ", tls: {certificate: $T/tls.crt, key: $T/tls.key}"
  fails 1 udocker-image push app:1 "$R/app:1"
  assert_one_error_line
  mkdir -p "$HOME/.config/containers/certs.d/$R"
  cp ca.crt "$HOME/.config/containers/certs.d/$R/"
  ok udocker-image push -q app:1 "$R/app:1"
  ok udocker-image pull -q "$R/app:1"
  assert_pulled img "$R/app/1"
}

@test "--all pushes the platforms as one index, which skopeo and pull choose from" {
  docker_registry
  mkdir la lb && echo amd >la/f && echo arm >lb/f
  layer la.tar la && layer lb.tar lb
  mkimage -f oci-dir -z gzip -n img:1 -a amd64 one la.tar
  mkimage -f oci-dir -z gzip -n img:1 -a arm64 two lb.tar
  stored one app:1-linux-amd64
  stored two app:1-linux-arm64
  ok udocker-image push -q --insecure --all app:1 "$R/app:1"
  [ "$(remote app:1 | jq -r '[.manifests[].platform.architecture] | sort | join(" ")')" = "amd64 arm64" ]
  [ "$(remote app:1 | jq -r '[.manifests[].digest] | sort | join(" ")')" = "$(printf '%s\n' "$(manifest_of one)" "$(manifest_of two)" | sort | paste -sd' ')" ]
  ok udocker-image pull -q --insecure --platform linux/arm64 "$R/app:1"
  assert_output "$R/app:1@$(manifest_of two)"
  ok skopeo --insecure-policy copy -q --all --src-tls-verify=false "docker://$R/app:1" oci:back:1
  ok udocker-image push -q --insecure --format docker --all app:1 "$R/app:2"
  [ "$(remote app:2 | jq -r .mediaType)" = application/vnd.docker.distribution.manifest.list.v2+json ]
}

@test "images that came as docker archives and what 1.3.x imported are pushed with a manifest made for them" {
  docker_registry
  busybox_image bb:1
  ok udocker-image push -q --insecure bb:1 "$R/bb:1"
  ok skopeo --insecure-policy inspect --tls-verify=false "docker://$R/bb:1"
  ok udocker-image import "$(rootfs_tar)" imp:1
  ok udocker-image push -q --insecure --compress gzip imp:1 "$R/imp:1"
  ok udocker-image pull -q --insecure "$R/imp:1"
  ok udocker-image verify "$R/imp:1"
}

@test "four layers are sent at once, by push and by copy, or as many as --jobs says" {
  test_image img 9 1
  docker_registry
  stored img app:1
  ok udocker-image push -q --insecure app:1 "$R/app:1"
  mkdir empty
  echo '{"schemaVersion":2,"manifests":[]}' >empty/index.json
  bad_registry empty
  local n option what
  for n in 4 2; do
    option="--jobs $n"
    [ $n -ne 4 ] || option=''
    for what in "push app:1 $B/x:1" "copy docker://$R/app:1 docker://$B/y:1"; do
      : >"$BLOG"
      rules "(PATCH|PUT).*/blobs/ 99 cut-stall 0"
      # shellcheck disable=SC2086  # words
      background udocker-image -q ${what%% *} --insecure $option ${what#* }
      wait_until 20 sh -c "[ \$(grep -c cut-stall '$BLOG') -ge $n ]" || fail "$what: fewer than $n: $(cat "$BLOG")"
      ! wait_until 1 sh -c "[ \$(grep -c cut-stall '$BLOG') -gt $n ]" || fail "$what: more than $n: $(cat "$BLOG")"
      kill "$PID"
      wait "$PID" || true
    done
  done
}

@test "what is wrong is one line: no such image, a digest that differs, a damaged layer, a registry that is not there" {
  test_image img 1
  docker_registry
  stored img app:1
  fails 1 udocker-image push --insecure none:1 "$R/app:1"
  assert_one_error_line
  assert_stderr_contains "no such image"
  fails 2 udocker-image push --insecure app:1 "$R/app@sha256:$(printf '0%.0s' {1..64})"
  assert_one_error_line
  fails 2 udocker-image push --insecure --compress xz app:1 "$R/app:1"
  fails 2 udocker-image push --insecure --jobs 99 app:1 "$R/app:1"
  fails 1 udocker-image push -q --insecure app:1 localhost:1/x:1
  assert_one_error_line
  ok udocker-image push -q --insecure app:1 "$R/app@$(manifest_of img)"
  assert_output "$R/app@$(manifest_of img)"
  local l
  l=$(layer_of img 1)
  printf X | dd of="$STORE/layers/$l" bs=1 seek=1000 conv=notrunc status=none
  fails 1 udocker-image push -q --insecure app:1 "$R/other:1"
  assert_one_error_line
  assert_stderr_contains "digest mismatch (got sha256:"
  [ "$(curl -s -o /dev/null -w '%{http_code}' "http://$R/v2/other/blobs/$l")" = 404 ] || fail "the damaged layer is there"
  [ "$(curl -s -o /dev/null -w '%{http_code}' "http://$R/v2/other/manifests/1")" = 404 ] || fail "the manifest is there"
}

@test "a large layer goes in chunks; one that nginx breaks off goes on where it stopped" {
  requires nginx
  test_image img 1 70000
  docker_registry
  stored img app:1
  mkdir -p "$T/nginx"
  # The second chunk is broken off once: its request meets a closed port.
  cat >"$T/nginx.conf" <<CONF
daemon off; master_process off; pid $T/nginx/pid; error_log $T/nginx/error.log;
events {}
http {
  client_body_temp_path $T/nginx; proxy_temp_path $T/nginx; fastcgi_temp_path $T/nginx; uwsgi_temp_path $T/nginx; scgi_temp_path $T/nginx;
  client_max_body_size 0;
  log_format f '\$request_method \$status \$request_length';
  access_log $T/nginx/access.log f;
  map "\$request_method \$http_content_range" \$stop { default 0; "~^PATCH 33554432-" 1; }
  server {
    listen 127.0.0.1:@PORT@;
    location / {
      if (-f $T/healed) { set \$stop 0; }
      if (\$stop) { return 503; }
      proxy_pass http://127.0.0.1:$RPORT; proxy_set_header Host \$http_host;
    }
  }
}
CONF
  nginx_server "$T/nginx.conf"
  mkdir -p "$HOME/.udocker"
  echo http_retries=12 >>"$HOME/.udocker/udocker.conf"
  background udocker-image -q push --insecure app:1 "localhost:$NPORT/app:1"
  wait_until 20 grep -q 'PATCH 503' "$T/nginx/access.log"
  touch "$T/healed"
  wait "$PID" || fail "push failed: $(cat background.err)"
  [ "$(grep -c 'POST 202' "$T/nginx/access.log")" -le 2 ] || fail "begun anew: $(cat "$T/nginx/access.log")"
  [ "$(awk '/PATCH 202/ && $3 > 33000000' "$T/nginx/access.log" | wc -l)" -eq 2 ] || fail "chunks sent twice: $(cat "$T/nginx/access.log")"
  grep -q 'GET 204' "$T/nginx/access.log" || fail "the registry was not asked"
  assert_pushed img app:1
}

@test "the registry is killed in the middle of a layer and comes back: the push goes on and ends well" {
  test_image img 1 70000
  docker_registry
  stored img app:1
  mkdir -p "$HOME/.udocker"
  echo http_retries=12 >>"$HOME/.udocker/udocker.conf"
  background udocker-image push --insecure app:1 "$R/app:1"
  local push=$PID data=${RLOG%/*}/data
  wait_until 20 sh -c "find '$data' -path '*/_uploads/*' -name data -size +0 2>/dev/null | grep -q ."
  kill -9 "$RPID"
  wait "$RPID" || true
  [ "$(find "$data" -path '*/_manifests/tags/*' | wc -l)" -eq 0 ] || fail "it was killed too late"
  docker_registry_again
  wait "$push" || fail "the push failed: $(cat background.err)"
  assert_pushed img app:1
}

@test "SIGINT and kill -9: no name is visible, and the next push sends only what is missing" {
  test_image img 3 4000
  docker_registry
  stored img app:1
  mkdir -p "$T/nginx"
  cat >"$T/nginx.conf" <<CONF
daemon off; master_process off; pid $T/nginx/pid; error_log $T/nginx/error.log;
events {}
http {
  client_body_temp_path $T/nginx; proxy_temp_path $T/nginx; fastcgi_temp_path $T/nginx; uwsgi_temp_path $T/nginx; scgi_temp_path $T/nginx;
  client_max_body_size 0;
  access_log $T/nginx/access.log;
  server {
    listen 127.0.0.1:@PORT@;
    location / { proxy_request_buffering off; proxy_pass http://127.0.0.1:$RPORT; proxy_set_header Host \$http_host; }
    location ~ /manifests/ { proxy_pass http://127.0.0.1:1; }
  }
}
CONF
  nginx_server "$T/nginx.conf"
  mkdir -p "$HOME/.udocker"
  echo http_retries=12 >>"$HOME/.udocker/udocker.conf"
  local sig status n=0
  for sig in INT KILL; do
    n=$((n + 1))
    background udocker-image -q push --insecure --jobs 1 app:1 "localhost:$NPORT/app$n:1"
    # Layers are there, the manifest cannot be sent.
    wait_until 20 grep -q "PUT /v2/app$n/manifests/1" "$T/nginx/access.log"
    kill -"$sig" "$PID"
    status=0
    wait "$PID" || status=$?
    [ "$status" -eq $((128 + $(kill -l "$sig"))) ] || fail "status $status"
    [ "$(curl -s -o /dev/null -w '%{http_code}' "http://$R/v2/app$n/manifests/1")" = 404 ]
    : >"$RLOG"
    ok udocker-image push -q --insecure app:1 "$R/app$n:1"
    [ "$(logged '"(PATCH|POST) |"PUT [^ ]*/blobs/')" -eq 0 ] || fail "sent again: $(cat "$RLOG")"
    assert_pushed img "app$n:1"
    assert_store_clean
  done
}
