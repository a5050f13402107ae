#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# bats: not under the sanitizers
# pull beside other programs: schema 1 of docker-registry, udocker 1.3.x on the same store, nginx before a registry that stops, dies and comes back.

load helpers
load registry

setup() {
  common_setup
  registry_setup
  export UDOCKER_TARBALL=
  PYTHON=(udocker.py)
  [ "$(id -u)" != 0 ] || PYTHON+=(--allow-root)
  udocker mkrepo "$STORE"
}

# with_history LAYOUT: the configuration gets a history with a step that made no layer, as a build writes it: schema 1 cannot do without.
with_history() {
  python3 - "$1" <<'PY'
import hashlib, json, os, sys
def path(digest):
    return os.path.join(sys.argv[1], "blobs", *digest.split(":"))
def put(data):
    text = json.dumps(data).encode()
    digest = "sha256:" + hashlib.sha256(text).hexdigest()
    open(path(digest), "wb").write(text)
    return {"digest": digest, "size": len(text)}
index = json.load(open(os.path.join(sys.argv[1], "index.json")))
manifest = json.load(open(path(index["manifests"][0]["digest"])))
config = json.load(open(path(manifest["config"]["digest"])))
config["history"] = [{"created": "2020-01-01T00:00:00Z", "created_by": f"step {i}"} for i in range(len(config["rootfs"]["diff_ids"]))]
config["history"].insert(1, {"created": "2020-01-01T00:00:00Z", "created_by": "ENV x=y", "empty_layer": True})
manifest["config"].update(put(config))
index["manifests"][0].update(put(manifest))
json.dump(index, open(os.path.join(sys.argv[1], "index.json"), "w"))
PY
}

# A registry that keeps schema 1, with app:1 of two layers in that form: /file is "upper", /lower of the lower one.
schema1_registry() {
  docker_registry 'compatibility: {schema1: {enabled: true}}'
  mkdir -p low high/bin
  echo lower | tee low/lower >low/file
  echo upper >high/file
  cp /bin/busybox high/bin/sh
  layer low.tar low
  layer high.tar high
  echo '{"Cmd":["/bin/sh"],"Env":["GREETING=hello"]}' >config.json
  mkimage -f oci-dir -z gzip -n img:1 -c config.json img low.tar high.tar
  with_history img
  skopeo --insecure-policy copy -q --format v2s1 --dest-tls-verify=false oci:img "docker://$R/library/app:1"
}

@test "schema 1: signed, pulled by tag and digest, verified, run, and read by 1.3.x" {
  schema1_registry
  ok udocker-image pull -q --registry "http://$R" app:1
  local digest=${output#*@}
  # The registry signs anew at each request; the digest is of what is signed.
  [ "$(jq -S 'del(.signatures)' "$STORE/repos/app/1/manifest")" = "$(curl -s "http://$R/v2/library/app/manifests/1" | jq -S 'del(.signatures)')" ] || fail "another manifest"
  [ "$(curl -sI "http://$R/v2/library/app/manifests/1" | tr -d '\r' | sed -n 's/^Docker-Content-Digest: //Ip')" = "$digest" ] || fail "another digest"
  ok udocker-image verify app:1
  ok udocker run --nobanner app:1 /bin/sh -c 'read a </file; read b </lower; echo "$a $b $GREETING"'
  assert_output "upper lower hello"
  : >"$RLOG"
  ok udocker-image pull -q --registry "http://$R" "app@$digest"
  ! grep -q 'GET /v2/library/app/blobs' "$RLOG" || fail "fetched again"
  fails 1 udocker-image pull -q --registry "http://$R" "app@sha256:$(printf '0%.0s' {1..64})"
  requires python-udocker
  ok "${PYTHON[@]}" verify app:1
  ok "${PYTHON[@]}" create app:1
  [ "$(cat "$STORE/containers/${lines[-1]}/ROOT/file" "$STORE/containers/${lines[-1]}/ROOT/lower")" = $'upper\nlower' ] || fail "1.3.x makes another container"
}

@test "schema 1 with a wrong byte, a layer too few, a history that is none" {
  schema1_registry
  curl -s "http://$R/v2/library/app/manifests/1" >good
  mkdir -p bad
  cp -r img/* bad/
  for digest in $(jq -r '.fsLayers[].blobSum' good); do
    curl -s "http://$R/v2/library/app/blobs/$digest" >"$(blob_file bad "$digest")"
  done
  bad_registry bad
  rules "manifests/1 99 file $T/good"
  ok udocker-image pull -q --registry "http://$B" app:1
  ok udocker-image rm app:1
  local edit
  for edit in '.fsLayers[0].blobSum = "sha256:\("0" * 64)"' '.fsLayers |= .[1:]' 'del(.history)' '.history[0].v1Compatibility = "[[["' '.fsLayers[0].blobSum = "../../x"' \
    '.fsLayers = []' '.fsLayers = 7' '.signatures[0].protected = "e30"' '.signatures = [{}]' '.history[0].v1Compatibility = 7'; do
    jq -c "$edit" good >edited
    rules "manifests/1 99 file $T/edited"
    run --separate-stderr udocker-image -q pull --registry "http://$B" app:1
    [ "$status" -eq 1 ] || fail "status $status: $edit"
    assert_one_error_line
    [ -z "$(find "$STORE/repos" -name TAG)" ] || fail "a tag was made: $edit"
  done
  # Sizes are not stated: a layer without end ends at what it may unpack to.
  rm -rf "$STORE/layers"
  rules "manifests/1 99 file $T/good" "blobs 9 endless"
  UDOCKER_UNPACK_MAX_SIZE=3M fails 1 udocker-image -q pull --registry "http://$B" app:1
  assert_one_error_line
  assert_stderr_contains "longer than 3"
  [ "$(du -sm "$STORE/layers" | cut -f1)" -le 8 ] || fail "more was stored"
}

@test "an image that 1.3.x kept under a folder split at the wrong colon is found, used, replaced and removed" {
  requires python-udocker
  mkdir -p root/bin
  echo old >root/file
  cp /bin/busybox root/bin/sh
  layer old.tar root
  docker_registry
  ok "${PYTHON[@]}" import old.tar "$R/app:1"
  [ -d "$STORE/repos/localhost/$RPORT/app:1" ] || fail "1.3.x keeps it elsewhere: $(find "$STORE/repos")"
  ok udocker images
  assert_contains "$R/app:1 "
  ok udocker inspect "$R/app:1"
  ok udocker run --nobanner "$R/app:1" /bin/sh -c 'read a </file; echo $a'
  assert_output old
  ok udocker protect "$R/app:1"
  fails 1 udocker --insecure pull "$R/app:1"
  ok udocker unprotect "$R/app:1"
  test_image img 1
  push img app:1
  ok udocker --insecure pull "$R/app:1"
  assert_pulled img "$R/app/1"
  refute_file "$STORE/repos/localhost"
  ok udocker images
  [ "$(grep -c "$R/app:1" <<<"$output")" -eq 1 ] || fail "there twice"
  ok udocker rmi "$R/app:1"
  ok udocker images
  refute_contains app
}

# nginx before the registry; sets N. $T/nginx/access.log: status and the Authorization of every request.
nginx_before() { # EXTRA-LOCATIONS
  requires nginx
  printf 'timeout = 3\n' >"$HOME/.udocker/udocker.conf"
  # Without buffers limit_rate means nothing; with files it would be nginx that has the rest when the registry goes.
  nginx_registry '' '$status $request_uri "$http_range" [$http_authorization]' '
    proxy_http_version 1.1; proxy_connect_timeout 2s; proxy_read_timeout 600s;
    proxy_buffer_size 16k; proxy_buffers 4 16k; proxy_busy_buffers_size 32k; proxy_max_temp_file_size 0;' "${1:-}"
}

@test "nginx before a registry that is killed in the middle: cut off, 502, and gone on with when it is back" {
  docker_registry
  test_image img 1 30000
  push img app:1
  nginx_before "location /v2/app/blobs/ { proxy_pass http://127.0.0.1:$RPORT; limit_rate 4m; }"
  echo http_retries=12 >>"$HOME/.udocker/udocker.conf"
  background udocker-image -q pull --registry "$N" app:1
  local pull=$PID
  wait_until 30 sh -c "[ -n \"\$(find '$STORE/layers' -name '.partial-*' -size +1000k 2>/dev/null)\" ]" || fail "$(cat background.err)"
  kill -9 "$RPID"
  wait "$RPID" || true
  wait_until 60 grep -q '^502 ' "$T/nginx/access.log" || fail "$(cat "$T/nginx/access.log")"
  docker_registry_again
  wait "$pull" || fail "the pull failed: $(cat background.err)"
  assert_pulled img app/1
  grep -qE '^206 .* "bytes=[1-9][0-9]+-"' "$T/nginx/access.log" || fail "not gone on with: $(cat "$T/nginx/access.log")"
  assert_store_clean
}

@test "nginx before a registry that stops answering: given up after a stall, whatever had come before, and gone on with" {
  docker_registry
  test_image img 1 30000
  push img app:1
  nginx_before "location /v2/app/blobs/ { proxy_pass http://127.0.0.1:$RPORT; limit_rate 6m; }"
  echo http_retries=12 >>"$HOME/.udocker/udocker.conf"
  background udocker-image pull --registry "$N" app:1
  local pull=$PID
  wait_until 30 sh -c "[ -n \"\$(find '$STORE/layers' -name '.partial-*' -size +1000k 2>/dev/null)\" ]" || fail "$(cat background.err)"
  kill -STOP "$RPID"
  # The registry's socket holds some of it; then nothing comes, for the three seconds of the setting.
  wait_until 60 sh -c "[ \$(grep -c 'blobs' '$T/nginx/access.log') -ge 2 ]" || fail "no further try: $(cat "$T/nginx/access.log")"
  kill -CONT "$RPID"
  wait "$pull" || fail "the pull failed: $(cat background.err)"
  assert_pulled img app/1
  grep -qE '"bytes=[1-9][0-9]+-"' "$T/nginx/access.log" || fail "not gone on with: $(cat "$T/nginx/access.log")"
}

@test "a layer that takes longer than the time-out is no stall" {
  docker_registry
  test_image img 1 400
  push img app:1
  nginx_before "location /v2/app/blobs/ { proxy_pass http://127.0.0.1:$RPORT; limit_rate 60k; }"
  printf 'timeout = 2\nhttp_retries = 0\n' >"$HOME/.udocker/udocker.conf"
  ok udocker-image pull --registry "$N" app:1
  assert_pulled img app/1
}

@test "layers from another host: signed addresses and credentials stay where they belong, in no message of -D" {
  printf 'me:%s\n' "$(python3 -W ignore -c 'import crypt; print(crypt.crypt("s3cret", crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=16)))' | sed 's/^\$2b/$2y/')" >"$T/srv/htpasswd"
  docker_registry "auth: {htpasswd: {realm: r, path: $T/srv/htpasswd}}"
  test_image img 1
  push img app:1 me:s3cret
  L=$(layer_of img 1)
  # The store of objects: another port is another host. What it gets is written down.
  nginx_before "location /objects/ { alias $T/img/blobs/sha256/; }"
  local objects=$N auth
  mv "$T/nginx" "$T/nginx-objects"
  nginx_before "location /v2/app/blobs/$L { return 307 $objects/objects/${L#sha256:}?X-Signature=t0psecret; }"
  auth=$(printf me:s3cret | base64)
  printf s3cret | udocker-image -q login -u me --password-stdin --registry "$N"
  ok udocker-image -D pull --registry "$N" app:1
  assert_pulled img app/1
  for secret in s3cret "$auth" t0psecret; do
    refute_stderr_contains "$secret"
    refute_contains "$secret"
  done
  grep -q "^307 /v2/app/blobs/$L .*\[Basic $auth\]" "$T/nginx/access.log" || fail "$(cat "$T/nginx/access.log")"
  grep -q "^200 /objects/${L#sha256:}?X-Signature=t0psecret \"-\" \[-\]" "$T/nginx-objects/access.log" || fail "$(cat "$T/nginx-objects/access.log")"
}
