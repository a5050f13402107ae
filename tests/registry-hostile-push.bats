#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# push and copy with registries that fail for a while, lie, or attack: what goes on, what is given up, what is never shown or sent elsewhere.

load helpers
load registry

setup() {
  common_setup
  registry_setup
  mkdir -p "$HOME/.udocker"
  printf 'timeout = 2\nhttp_retries = 3\n' >"$HOME/.udocker/udocker.conf"
}

# An image with one layer of KIB (3000) in the store as app:1, in the layout img; an empty bad registry. Sets L.
one_layer() {
  test_image img 1 "${1:-3000}"
  udocker-image load -q -i img app:1 >/dev/null
  L=$(layer_of img 1)
  mkdir -p empty
  echo '{"schemaVersion":2,"manifests":[]}' >empty/index.json
  bad_registry empty
}
push() { udocker-image -q push --insecure app:1 "$B/x:1"; }
remote() { curl -sf "http://$B/v2/x/$1"; }
assert_there() {
  remote "blobs/$L" | cmp - "$(blob_file img "$L")" || fail "another layer"
  remote manifests/1 | cmp - "$(blob_file img "$(manifest_of img)")" || fail "another manifest"
}
refute_there() { [ "$(curl -s -o /dev/null -w '%{http_code}' "http://$B/v2/x/manifests/1")" = 404 ] || fail "the name is there"; }

@test "an upload that breaks off goes on where the registry says it stopped: closed, reset, stalled" {
  local how
  for how in cut cut-reset cut-stall; do
    one_layer
    rules "PATCH 1 $how 1000000"
    ok push
    assert_there
    # libcurl may try a kept connection that was reset once more by itself.
    [ "$(asked "PATCH .* 1000000-.* 202")" -eq 1 ] || fail "not resumed: $(cat "$BLOG")"
    [ "$(asked "PATCH .* 0-.* 202")" -eq 0 ] || fail "begun anew: $(cat "$BLOG")"
    [ "$(asked "POST ")" -eq 2 ] || fail "begun anew: $(cat "$BLOG")"
    rm -rf img
    ok udocker-image rm app:1
  done
}

@test "a registry that has forgotten the upload gets it from the start" {
  one_layer
  rules "PATCH 1 cut 1000000" "^GET.*uploads/ 1 status 404"
  ok push
  assert_there
  [ "$(asked "POST ")" -eq 3 ] || fail "$(cat "$BLOG")"
  rules "PATCH 1 status 404" "^GET.*uploads 9 status 404"
  ok udocker-image rm app:1
  rm -rf img
  one_layer
  rules "PATCH 1 status 404"
  ok push
  assert_there
}

@test "429 and 5xx are tried again at every step, with the pause that Retry-After wants" {
  one_layer
  rules "^HEAD.*blobs 1 status 503" "POST 1 status 429 Retry-After: 1" "PATCH 1 status 502" "^PUT.*uploads 1 status 500" "^PUT.*manifests 1 status 504"
  ok push
  assert_there
  [ "$(asked "PATCH .* 0-")" -le 2 ] || fail "$(cat "$BLOG")"
}

@test "a reply that is lost behind what was done is no failure" {
  one_layer
  rules "POST 1 deaf" "PATCH 1 deaf" "^PUT.*uploads 1 deaf" "^PUT.*manifests 1 deaf"
  ok push
  assert_there
  [ "$(asked "PATCH .* (deaf|202)")" -eq 1 ] || fail "sent again: $(cat "$BLOG")"
  [ "$(asked "PUT .*uploads.* (deaf|201)")" -eq 2 ] || fail "sent again: $(cat "$BLOG")"
}

@test "what does not stop failing is one line, after few requests" {
  one_layer 1100
  echo http_retries=1 >>"$HOME/.udocker/udocker.conf"
  local rule
  for rule in "PATCH 99 status 503" "PATCH 99 status 404" "PATCH 99 status 416" "PATCH 99 status 413" "PATCH 99 cut 0" "PATCH 99 status 400" "POST 99 status 500" \
    "POST 99 status 202" "POST 99 status 202 Location: file:///etc/passwd" "POST 99 status 202 Location: ftp://localhost/x" "POST 99 status 201" "^PUT.*uploads 99 status 400" "^PUT.*manifests 99 status 400"; do
    rules "$rule"
    : >"$BLOG"
    fails 1 push
    assert_one_error_line
    rules
    refute_there
    [ "$(wc -l <"$BLOG")" -lt 50 ] || fail "$rule: $(wc -l <"$BLOG") requests"
  done
  rules '^PUT.*manifests 99 body 400 x' 'POST 99 body 403 {"errors":[{"code":"DENIED","message":"\\u001b]0;title\\u0007\\nsecond line"}]}'
  fails 1 push
  assert_one_error_line
  refute_stderr_contains $'\e'
}

@test "ranges that cannot be: more than was sent, less than there was, none" {
  one_layer
  local range
  for range in 0-999999999999 5-9 ""; do
    rules "^GET.*uploads 1 status 204 Range: $range" "PATCH 1 cut 1000000"
    ok push
    assert_there
    ok udocker-image rm app:1
    rm -rf img
    one_layer
  done
  rules "PATCH 99 status 202 Range: 0-0"
  fails 1 push
  assert_one_error_line
  rules "PATCH 99 status 202 Range: 0-999999999999"
  fails 1 push
  assert_one_error_line
  refute_there
}

@test "a registry that says less of an upload each time, or hardly more, is given up" {
  one_layer
  local moving=()
  for _ in $(seq 20); do
    moving+=("^GET.*uploads 1 status 204 Range: 0-299999" "^GET.*uploads 1 status 204 Range: 0-149999")
  done
  rules "PATCH 1 cut 1000000" "PATCH 99 blind 503" "${moving[@]}"
  fails 1 push
  assert_one_error_line
  [ "$(asked "PATCH ")" -lt 20 ] || fail "$(asked "PATCH ") tries"
  : >"$BLOG"
  rules "PATCH 50 blind 202 Range: 0-1"
  fails 1 timeout 60 udocker-image -q push --insecure app:1 "$B/x:1"
  assert_one_error_line
  [ "$(asked "PATCH ")" -lt 20 ] || fail "$(asked "PATCH ") tries"
  refute_there
}

@test "a registry that says yes before it has read all is sent it again, and given up when it goes on like that" {
  one_layer 40000
  rules "PATCH 1 early 202 1000"
  ok push
  assert_there
  ok udocker-image rm app:1
  rm -rf img
  one_layer 40000
  rules "PATCH 99 early 202 1000"
  fails 1 push
  assert_one_error_line
  assert_stderr_contains "$B agrees and does not do it (status 202)"
  refute_there
}

@test "a registry that takes no large requests gets smaller ones" {
  one_layer 9000
  rules "PATCH 1 status 413"
  ok push
  assert_there
  [ "$(asked "PATCH .* 4194304-8388607")" -eq 1 ] || fail "$(cat "$BLOG")"
}

@test "credentials go to the registry alone: uploads elsewhere, redirects, token servers that redirect" {
  one_layer
  local registry=$B home=$BLOG elsewhere
  serve "$T/srv/two.port" python3 "$SUITE_SRC/tests/tools/registryd" empty /dev/null "$T/srv/two.log" "$T/srv/two.port"
  elsewhere=127.0.0.1:$(cat "$T/srv/two.port")
  mkdir -p docker
  printf '{"auths":{"%s":{"auth":"%s"}}}' "$B" "$(printf 'me:hunter2' | base64)" >docker/config.json
  # An upload that is open over there.
  local place
  place=$(curl -si -X POST "http://$elsewhere/v2/y/blobs/uploads/" | tr -d '\r' | sed -n 's/^Location: //p')
  rules "^HEAD.*manifests 1 status 401 WWW-Authenticate: Basic realm=\"x\"" "POST 1 location http://$elsewhere$place?Signature=abc"
  ok udocker-image -D push --insecure --jobs 1 app:1 "$B/x:1"
  refute_stderr_contains hunter2
  refute_stderr_contains "$(printf 'me:hunter2' | base64)"
  refute_stderr_contains Signature
  grep -q "PATCH .*Signature=abc .* - 202" "$T/srv/two.log" || fail "not sent there: $(cat "$T/srv/two.log")"
  grep -q "PUT .*digest=sha256%3A${L#*:} " "$T/srv/two.log" || fail "not closed there: $(cat "$T/srv/two.log")"
  ! grep -q " auth " "$T/srv/two.log" || fail "credentials elsewhere: $(cat "$T/srv/two.log")"
  [ "$(grep -c " auth " "$home")" -ge 3 ] || fail "no credentials to the registry: $(cat "$home")"
  # Redirected requests.
  : >"$T/srv/two.log"
  rules "^HEAD.*manifests 1 status 401 WWW-Authenticate: Basic realm=\"x\"" "^PUT.*manifests 1 redirect http://$elsewhere{path}"
  ok udocker-image -D push --insecure app:1 "$registry/z:1"
  grep -q "PUT /v2/z/manifests/1 - - 201" "$T/srv/two.log" || fail "$(cat "$T/srv/two.log")"
  ! grep -q " auth " "$T/srv/two.log" || fail "credentials elsewhere: $(cat "$T/srv/two.log")"
  # An identity token travels in a body.
  : >"$T/srv/two.log"
  printf '{"auths":{"%s":{"auth":"%s","identitytoken":"hunter3"}}}' "$B" "$(printf 'me:' | base64)" >docker/config.json
  rules "^HEAD.*manifests 9 status 401 WWW-Authenticate: Bearer realm=\"http://$B/token\"" "^POST.*uploads 9 status 401 WWW-Authenticate: Bearer realm=\"http://$B/token\"" \
    "HEAD 9 status 404" "^POST./token 9 status 307 Location: http://$elsewhere/token"
  fails 1 udocker-image push --insecure app:1 "$registry/z:2"
  assert_stderr_contains "would get the credentials"
  [ ! -s "$T/srv/two.log" ] || fail "asked: $(cat "$T/srv/two.log")"
}

@test "a token that runs out in the middle of an upload is replaced, and the upload goes on" {
  one_layer
  rules '^GET.*/token 1 body 200 {"token":"abc","expires_in":300}' '^GET.*/token 1 body 200 {"token":"def"}' \
    "^HEAD.*manifests 1 status 401 WWW-Authenticate: Bearer realm=\"http://$B/token\",service=\"x\"" \
    "PATCH 1 cut 1000000" "^PATCH 1 status 401 WWW-Authenticate: Bearer realm=\"http://$B/token\",error=\"invalid_token\""
  ok push
  assert_there
  [ "$(asked "GET /token")" -eq 2 ] || fail "$(cat "$BLOG")"
  [ "$(asked "PATCH .* 1000000-.* auth 202")" -eq 1 ] || fail "$(cat "$BLOG")"
  [ "$(asked "POST ")" -eq 2 ] || fail "begun anew: $(cat "$BLOG")"
}

@test "a mirror is never written to" {
  one_layer
  docker_registry
  printf 'registry_mirrors = %s=http://%s\n' "$R" "$B" >>"$HOME/.udocker/udocker.conf"
  ok udocker-image push -q --insecure app:1 "$R/x:1"
  ok udocker-image copy -q --insecure oci:img "docker://$R/y:1"
  [ ! -s "$BLOG" ] || fail "the mirror was asked: $(cat "$BLOG")"
}

@test "an upload is not sent on in plain http where the registry has TLS" {
  requires nginx
  own_ca
  docker_registry
  test_image img 1
  udocker-image load -q -i img app:1 >/dev/null
  # As some set it up: the registry does not hear of TLS, and says http.
  nginx_registry ssl
  mkdir -p "$HOME/.config/containers/certs.d/localhost:$NPORT"
  cp ca.crt "$HOME/.config/containers/certs.d/localhost:$NPORT/"
  fails 1 udocker-image push -q app:1 "localhost:$NPORT/x:1"
  assert_one_error_line
  assert_stderr_contains "wants the upload over plain http"
  ! grep -qE '^[0-9]+ (PATCH|PUT) ' "$T/nginx/access.log" || fail "sent: $(cat "$T/nginx/access.log")"
}

@test "a copy between registries that is interrupted or killed: the next one sends only what is missing" {
  test_image img 3 400
  bad_registry img
  docker_registry
  local slow sig status n=0 m
  slow=$(layer_of img 3)
  for sig in INT KILL; do
    n=$((n + 1))
    rules "^GET.*blobs/$slow 1 stall 100000"
    : >"$BLOG"
    background udocker-image copy -q --insecure --jobs 1 "docker://$B/x:1" "docker://$R/to$n:1"
    wait_until 20 grep -q "GET .*blobs/$slow" "$BLOG"
    kill -"$sig" "$PID"
    status=0
    wait "$PID" || status=$?
    [ "$status" -eq $((128 + $(kill -l "$sig"))) ] || fail "status $status"
    [ "$(curl -s -o /dev/null -w '%{http_code}' "http://$R/v2/to$n/manifests/1")" = 404 ]
    rules
    : >"$BLOG"
    ok udocker-image copy -q --insecure "docker://$B/x:1" "docker://$R/to$n:1"
    for m in 1 2; do
      [ "$(asked "GET .*blobs/$(layer_of img $m)")" -eq 0 ] || fail "layer $m again: $(cat "$BLOG")"
    done
    curl -sf "http://$R/v2/to$n/blobs/$slow" | cmp - "$(blob_file img "$slow")"
  done
  [ -z "$(ls -A "$TMPDIR")" ] || fail "left: $(ls -A "$TMPDIR")"
}

@test "a copy whose source lies: nothing is visible at the destination, wherever that is" {
  test_image img 1 3000
  L=$(layer_of img 1)
  bad_registry img
  docker_registry
  local rule dst
  for rule in flip "longer 10" endless; do
    for dst in "docker://$R/to:1" oci:l:1 oci-archive:a.tar docker-archive:d.tar store:s:1; do
      rules "^GET.*blobs/$L 99 $rule"
      fails 1 udocker-image copy -q --insecure "docker://$B/x:1" "$dst"
      assert_one_error_line
    done
  done
  [ "$(curl -s -o /dev/null -w '%{http_code}' "http://$R/v2/to/manifests/1")" = 404 ]
  [ "$(curl -s -o /dev/null -w '%{http_code}' "http://$R/v2/to/blobs/$L")" = 404 ]
  refute_file l
  refute_file a.tar
  refute_file d.tar
  [ -z "$(find "$STORE/repos" -name TAG 2>/dev/null)" ]
  refute_file "$STORE/layers/$L"
  [ -z "$(ls -A "$TMPDIR")" ] || fail "left: $(ls -A "$TMPDIR")"
  assert_store_clean
  # What only breaks off is gone on with while it is sent on.
  rules "^GET.*blobs/$L 1 truncate 1000000" "^GET.*blobs/$L 1 reset 500000"
  ok udocker-image copy -q --insecure "docker://$B/x:1" "docker://$R/to:1"
  curl -sf "http://$R/v2/to/blobs/$L" | cmp - "$(blob_file img "$L")"
  [ "$(asked "GET .*blobs/$L bytes=")" -eq 2 ] || fail "$(cat "$BLOG")"
}

@test "both sides of a copy break off, and each goes on where it stopped" {
  one_layer 6000
  local to=$B log=$BLOG
  serve "$T/srv/src.port" python3 "$SUITE_SRC/tests/tools/registryd" img "$T/rules.src" "$T/srv/src.log" "$T/srv/src.port"
  local from
  from=localhost:$(cat "$T/srv/src.port")
  printf '%s\n' "^GET.*blobs/$L 1 truncate 2500000" >rules.src
  rules "PATCH 1 cut 1000000" "PATCH 1 cut-reset 3000000"
  ok udocker-image copy -q --insecure "docker://$from/x:1" "docker://$to/x:1"
  assert_there
  [ "$(grep -c "GET .*blobs/$L" "$T/srv/src.log")" -eq 2 ] || fail "fetched again: $(cat "$T/srv/src.log")"
  [ "$(asked "PATCH .* 4000000-")" -eq 1 ] || fail "not resumed: $(cat "$log")"
}

@test "layouts and archives that attack: links, wrong digests and sizes, circles, missing parts, artifacts of no kind" {
  test_image img 1
  docker_registry
  local m l
  # shellcheck disable=SC2034 # for what attack evaluates
  m=$(manifest_of img) l=$(layer_of img 1)
  attack() { # CHANGE, made in a copy of the layout
    rm -rf bad
    cp -r img bad
    eval "$1"
    tar -cf bad.tar -C bad .
    local src dst
    for src in oci:bad oci-archive:bad.tar; do
      for dst in "docker://$R/x:1" oci:out oci-archive:out.tar store:x:1; do
        fails 1 udocker-image copy -q --insecure "$src" "$dst"
        assert_one_error_line
      done
    done
    [ "$(curl -s -o /dev/null -w '%{http_code}' "http://$R/v2/x/manifests/1")" = 404 ] || fail "visible: $1"
    refute_file out
    refute_file out.tar
    [ -z "$(find "$STORE/repos" -name TAG 2>/dev/null)" ] || fail "visible: $1"
  }
  attack 'printf X | dd of="$(blob_file bad "$l")" bs=1 seek=500 conv=notrunc status=none'
  attack 'printf X >>"$(blob_file bad "$l")"'
  attack 'rm "$(blob_file bad "$l")"'
  attack 'rm "$(blob_file bad "$l")"; ln -s /etc/passwd "$(blob_file bad "$l")"'
  attack 'printf " " >>"$(blob_file bad "$m")"'
  attack 'echo "{}" >bad/index.json'
  attack 'echo "[" >bad/index.json'
  attack 'echo "{\"imageLayoutVersion\":\"9.0.0\"}" >bad/oci-layout'
  attack 'jq -c ".manifests[0].digest = \"sha256:../../../etc/passwd\"" img/index.json >bad/index.json'
  attack 'jq -c ".manifests[0].size = 7" img/index.json >bad/index.json'
  assert_store_clean
}

@test "copies into files that are interrupted or killed leave nothing broken, and the next one removes what they left" {
  test_image img 3 400
  bad_registry img
  local slow sig status
  slow=$(layer_of img 3)
  for sig in INT KILL; do
    local dst
    for dst in oci:l:1 oci-archive:a.tar:1 docker-archive:d.tar:x:1 store:s:1; do
      rules "^GET.*blobs/$slow 1 stall 100000"
      : >"$BLOG"
      background udocker-image copy -q --insecure --jobs 1 "docker://$B/x:1" "$dst"
      wait_until 20 grep -q "GET .*blobs/$slow" "$BLOG"
      kill -"$sig" "$PID"
      status=0
      wait "$PID" || status=$?
      [ "$status" -eq $((128 + $(kill -l "$sig"))) ] || fail "$dst: status $status"
      refute_file l/index.json
      refute_file a.tar
      refute_file d.tar
      [ -z "$(find "$STORE/repos" -name TAG 2>/dev/null)" ]
      find "$TMPDIR" -maxdepth 1 -name '.udocker-scratch-*' -exec touch -d '1 hour ago' {} +
    done
  done
  rules
  ok udocker-image copy -q --insecure "docker://$B/x:1" oci:l:1
  ok udocker-image copy -q --insecure "docker://$B/x:1" oci-archive:a.tar:1
  ok udocker-image copy -q --insecure "docker://$B/x:1" docker-archive:d.tar:x:1
  ok udocker-image copy -q --insecure "docker://$B/x:1" store:s:1
  ok udocker-image verify s:1
  [ -z "$(ls -A "$TMPDIR")" ] || fail "left: $(ls -A "$TMPDIR")"
  [ -z "$(find l . -maxdepth 1 -name '.tmp-*')" ] || fail "left: $(ls -A . l)"
  for dst in l a.tar d.tar; do ok udocker-image load -i "$dst" "from-${dst%.tar}:1"; done
  assert_store_clean
}
