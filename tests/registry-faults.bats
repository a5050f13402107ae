#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# pull from registries that fail for a while, lie, or attack: what is resumed, what is refused, what is left behind.

load helpers
load registry

setup() {
  common_setup
  registry_setup
  mkdir -p "$STORE"
  printf 'timeout = 2\nhttp_retries = 3\n' >"$HOME/.udocker/udocker.conf"
}

# One layer of 400 KiB behind the bad registry; sets L, its digest, and SIZE.
one_layer() {
  test_image img 1 400
  L=$(layer_of img 1)
  SIZE=$(stat -c %s "$(blob_file img "$L")")
  bad_registry img
}
pull() { udocker-image -q pull --insecure "$B/x:1"; }

@test "what breaks off goes on where it stopped: truncated, reset, closed, stalled" {
  one_layer
  rules "blobs/$L 1 truncate 100000" "blobs/$L 1 reset 150000" "blobs/$L 1 close 50000" "blobs/$L 1 stall 10000"
  ok pull
  assert_pulled img "$B/x/1"
  [ "$(asked "blobs/$L bytes=100000-")" -eq 1 ] || fail "not resumed: $(cat "$BLOG")"
  [ "$(asked "blobs/$L -")" -eq 1 ] || fail "begun anew: $(cat "$BLOG")"
  assert_store_clean
}

@test "a server that knows no ranges: the beginning is passed over" {
  one_layer
  rules "blobs/$L 1 truncate 100000" "blobs/$L 9 norange"
  ok pull
  assert_pulled img "$B/x/1"
}

@test "429 and 5xx are tried again, with the pause that Retry-After wants" {
  one_layer
  rules "manifests 1 status 503" "manifests 1 status 429 Retry-After: 1" "blobs/$L 1 status 502" "blobs/$L 1 status 500 Retry-After: Thu, 01 Jan 1970 00:00:00 GMT"
  ok pull
  assert_pulled img "$B/x/1"
  [ "$(asked manifests)" -eq 3 ]
}

@test "what does not stop failing is told, and a longer pause than five minutes is not waited for" {
  one_layer
  rules "manifests 99 body 503 {\"errors\":[{\"code\":\"UNAVAILABLE\",\"message\":\"later\"}]}"
  fails 1 pull
  assert_one_error_line
  assert_stderr_contains "status 503, UNAVAILABLE: later"
  [ "$(asked manifests)" -eq 4 ]
  rules "manifests 99 status 429 Retry-After: 86400"
  : >"$BLOG"
  fails 1 pull
  [ "$(asked manifests)" -eq 1 ]
  assert_stderr_contains "limits how often"
}

@test "a layer with a wrong byte is refused and leaves nothing; the next pull gets it (FIX-24)" {
  one_layer
  rules "blobs/$L 1 flip"
  fails 1 pull
  assert_one_error_line
  assert_stderr_contains "$L: digest mismatch (got sha256:"
  assert_stderr_contains "pull again"
  [ ! -e "$STORE/layers/$L" ] && [ ! -e "$STORE/layers/.partial-$L" ]
  ok pull
  assert_pulled img "$B/x/1"
}

@test "too long, endless, and lying lengths" {
  one_layer
  local rule
  for rule in "longer 10" endless; do
    rules "blobs/$L 99 $rule"
    fails 1 pull
    assert_one_error_line
    assert_stderr_contains "more than the $SIZE bytes"
    [ ! -e "$STORE/layers/$L" ]
  done
  rules "blobs/$L 1 length 1000"
  ok pull
  assert_pulled img "$B/x/1"
  assert_store_clean
}

@test "a chunked layer without a length (FIX-25)" {
  one_layer
  rules "blobs/$L 9 chunked"
  ok pull
  assert_pulled img "$B/x/1"
}

@test "redirects: followed with Authorization left behind, never to files, never in circles" {
  one_layer
  local elsewhere
  cp -r img img2
  elsewhere=$B BLOG1=$BLOG
  serve "$T/srv/two.port" python3 "$SUITE_SRC/tests/tools/registryd" img2 /dev/null "$T/srv/two.log" "$T/srv/two.port"
  elsewhere=127.0.0.1:$(cat "$T/srv/two.port")
  mkdir -p docker
  printf '{"auths":{"%s":{"auth":"%s"}}}' "$B" "$(printf 'me:hunter2' | base64)" >docker/config.json
  rules "manifests 1 status 401 WWW-Authenticate: Basic realm=\"x\"" "blobs/$L 1 redirect http://$elsewhere{path}?Signature=abc"
  ok udocker-image -D pull --insecure "$B/x:1"
  assert_pulled img "$B/x/1"
  [ "$(grep -c "blobs/$L.* auth 302" "$BLOG1")" -eq 1 ] || fail "no credentials to the registry: $(cat "$BLOG1")"
  [ "$(grep -c "blobs/$L.* - 200" "$T/srv/two.log")" -eq 1 ] || fail "credentials elsewhere: $(cat "$T/srv/two.log")"
  refute_stderr_contains hunter2
  refute_stderr_contains "$(printf 'me:hunter2' | base64)"
  refute_stderr_contains Signature
  ok udocker-image rm "$B/x:1"
  local to
  for to in file:///etc/passwd ftp://localhost/x gopher://localhost:1/x "http://"; do
    rules "blobs/$L 99 redirect $to"
    fails 1 pull
    assert_one_error_line
  done
  rules "blobs/$L 999 redirect {path}"
  : >"$BLOG"
  fails 1 pull
  assert_stderr_contains "redirected more than 10 times"
  [ "$(asked "blobs/$L")" -eq 11 ]
  refute_file "$STORE/layers/$L"
}

@test "huge headers, huge and deep manifests, manifests that are none" {
  one_layer
  rules "manifests 99 headers 10000000"
  fails 1 pull
  assert_one_error_line
  refute_pulled
  rules "manifests 1 endless"
  fails 1 pull
  assert_stderr_contains "longer than 4194304 bytes"
  rules "manifests 1 body 200 $(printf '[%.0s' {1..5000})"
  fails 1 pull
  assert_one_error_line
  rules "manifests 1 body 200 <html>"
  fails 1 pull
  assert_one_error_line
  rules 'manifests 1 body 200 {"schemaVersion":2,"mediaType":"application/vnd.x\\u001b[31m"}'
  fails 1 pull
  assert_one_error_line
  refute_stderr_contains $'\e'
  rules 'manifests 1 body 404 {"errors":[{"code":"X","message":"\\u001b]0;title\\u0007\\nsecond line"}]}'
  fails 1 pull
  assert_one_error_line
  refute_stderr_contains $'\e'
  refute_pulled
}

# manifest JSON: what the bad registry serves under 1.
serve_manifest() { rules "manifests/1 99 body 200 ${1//\\/\\\\}"; }

@test "manifest --raw: every byte through a pipe, and nothing that commands the terminal on one" {
  one_layer
  printf '{\n\t"x": "\033]0;owned\007\302\2332J\177",\r\n\t"y": "caf\303\251 \377"\n}' >raw
  rules "manifests/1 99 file $T/raw"
  udocker-image manifest --insecure --raw "$B/x:1" | cmp - raw
  ok script -qec "stty -onlcr; udocker-image manifest --insecure --raw $B/x:1" /dev/null
  assert_output $'{\n\t"x": "\\x1b]0;owned\\x07\\xc2\\x9b2J\\x7f",\\r\n\t"y": "caf\303\251 \\xff"\n}'
}

@test "a redirect to what is no address: told without the signature in its query" {
  one_layer
  local to
  for to in "ftp://store/x?X-Signature=t0psecret" "http://[::1/x?X-Signature=t0psecret" "file:///etc/passwd?X-Signature=t0psecret"; do
    rules "blobs/$L 9 redirect $to"
    fails 1 udocker-image -D pull --insecure "$B/x:1"
    refute_stderr_contains t0psecret
    assert_stderr_contains redirect
  done
}

@test "a document that is a manifest to some and an index to others is nobody's image" {
  one_layer
  local config layers doc
  config=$(jq -c .config "$(blob_file img "$(manifest_of img)")") layers=$(jq -c .layers "$(blob_file img "$(manifest_of img)")")
  for doc in '{"schemaVersion":2,"config":'"$config"',"layers":'"$layers"',"manifests":[]}' \
    '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","config":'"$config"',"layers":'"$layers"'}' \
    '{"schemaVersion":2,"layers":'"$layers"',"manifests":[]}' '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","manifests":[]}'; do
    rules "manifests/1 9 body 200 $doc"
    fails 1 udocker-image -q pull --insecure "$B/x:1"
    assert_one_error_line
    assert_stderr_contains "an index to others"
    refute_pulled
  done
}

@test "artifacts, unknown layers, absurd sizes and configurations are refused by name" {
  one_layer
  local config
  config=$(jq -c .config "$(blob_file img "$(manifest_of img)")")
  serve_manifest '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.cncf.helm.config.v1+json","digest":"'"$L"'","size":3},"layers":[]}'
  fails 1 pull
  assert_stderr_contains "no container image but an artifact of the type 'application/vnd.cncf.helm.config.v1+json'"
  serve_manifest '{"schemaVersion":2,"config":'"$config"',"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip+encrypted","digest":"'"$L"'","size":3}]}'
  fails 1 pull
  assert_stderr_contains "tar+gzip+encrypted"
  local size
  for size in -1 9223372036854775808 1e30 70368744177665; do
    serve_manifest '{"schemaVersion":2,"config":'"$config"',"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"'"$L"'","size":'"$size"'}]}'
    fails 1 pull
    assert_one_error_line
  done
  serve_manifest '{"schemaVersion":2,"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"'"$L"'","size":'"$SIZE"'},"layers":[]}'
  fails 1 pull
  assert_one_error_line
  [ -z "$(find "$STORE/repos" -name TAG)" ]
}

@test "a manifest whose bytes are not those of the digest is refused" {
  one_layer
  local d
  d=$(manifest_of img)
  rules "manifests/$d 1 flip"
  fails 1 udocker-image pull --insecure "$B/x@$d"
  assert_one_error_line
  assert_stderr_contains "digest mismatch"
  refute_pulled
}

@test "an index that contains itself, and indexes without end" {
  one_layer
  # Whatever digest it says it has, its bytes have another: the registry gives it for each.
  printf '%s' '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"mediaType":"application/vnd.oci.image.index.v1+json","digest":"'"$L"'","size":9999}]}' >itself
  sed -i "s/9999/$(stat -c %s itself)/" itself
  rules "manifests 99 file $T/itself"
  fails 1 pull
  assert_one_error_line
  assert_stderr_contains "digest mismatch"
  [ "$(asked manifests)" -eq 2 ] || fail "$(cat "$BLOG")"
  refute_pulled
  printf '%s' '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"'"$(manifest_of img)"'","size":7}]}' >entry
  rules "manifests/1 9 file $T/entry"
  fails 1 pull
  assert_one_error_line
  assert_stderr_contains "wanted 7"
  refute_pulled
}

@test "an entry of an index and a configuration with a wrong byte are refused" {
  one_layer
  local d c
  d=$(manifest_of img)
  c=$(jq -r .config.digest "$(blob_file img "$d")")
  rules "manifests/1 9 file $T/img/index.json" "manifests/$d 1 flip"
  fails 1 pull
  assert_one_error_line
  assert_stderr_contains "digest mismatch: wanted $d"
  refute_pulled
  rules "blobs/$c 1 flip"
  fails 1 pull
  assert_one_error_line
  assert_stderr_contains "$c: digest mismatch"
  [ -z "$(find "$STORE/repos" -name TAG)" ] || fail "a tag was made"
  refute_file "$STORE/layers/$c"
  rules
  ok pull
  assert_pulled img "$B/x/1"
}

@test "a manifest of a kind that nobody knows, and an artifact in its old form, are refused by name" {
  one_layer
  local kind
  for kind in application/vnd.example.other.v1+json application/vnd.oci.artifact.manifest.v1+json; do
    serve_manifest '{"mediaType":"'$kind'","artifactType":"application/vnd.example","blobs":[]}'
    fails 1 pull
    assert_one_error_line
    assert_stderr_contains "its manifest has the media type '$kind', which is no image's"
    refute_pulled
  done
}

@test "tag lists: pages are followed, circles, other hosts and wrong forms are not (FIX-56)" {
  one_layer
  rules 'tags/list 1 body 200 {"name":"x","tags":["1","2","bad tag","\\u001b[31m",7]}'
  ok udocker-image tags --insecure "$B/x"
  assert_output $'1\n2'
  rules 'tags/list 1 body 200 {"tags":"x"}'
  fails 1 udocker-image tags --insecure "$B/x"
  assert_one_error_line
  rules 'tags/list.*last=b 9 link 200 </v2/x/tags/list?last=b>;rel=next {"tags":["c"]}' 'tags/list 1 link 200 <list?last=b>; rel="next" {"tags":["a","b"]}'
  fails 1 udocker-image tags --insecure "$B/x"
  assert_stderr_contains "goes in a circle"
  rules 'tags/list.*last=b 1 body 200 {"tags":["c"]}' 'tags/list 1 link 200 <list?last=b>; rel="next" {"tags":["a","b"]}'
  ok udocker-image tags --insecure "$B/x"
  assert_output $'a\nb\nc'
  rules 'tags/list 1 link 200 <http://127.0.0.1:1/x>;rel=next {"tags":[]}'
  fails 1 udocker-image tags --insecure "$B/x"
  assert_one_error_line
  rules 'tags/list 1 endless-tags'
  fails 1 udocker-image tags --insecure "$B/x"
  assert_stderr_contains "longer than"
}

@test "a foreign layer comes from its URLs when the registry has none" {
  one_layer
  serve "$T/srv/two.port" python3 "$SUITE_SRC/tests/tools/registryd" img /dev/null "$T/srv/two.log" "$T/srv/two.port"
  local m
  m=$(jq -c --arg u "http://127.0.0.1:$(cat "$T/srv/two.port")/v2/x/blobs/$L" \
    '.layers[0].mediaType = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip" | .layers[0].urls = ["file:///etc/passwd", $u]' \
    "$(blob_file img "$(manifest_of img)")")
  mkdir -p docker
  printf '{"auths":{"%s":{"auth":"%s"}}}' "$B" "$(printf 'me:hunter2' | base64)" >docker/config.json
  rules 'manifests/1 1 status 401 WWW-Authenticate: Basic realm="x"' "manifests/1 9 body 200 $m" "blobs/$L 9 status 404"
  ok pull
  ok udocker-image verify "$B/x:1"
  [ "$(asked "blobs/$L - auth 404")" -eq 1 ] || fail "$(cat "$BLOG")"
  [ "$(grep -c "blobs/$L" "$T/srv/two.log")" -eq 1 ]
  ! grep -q ' auth ' "$T/srv/two.log" || fail "the registry's password went there: $(cat "$T/srv/two.log")"
}

@test "a mirror is asked first, and the registry when it fails or has nothing" {
  test_image img 1
  bad_registry img
  docker_registry
  push img x:1
  printf 'registry_mirrors = %s=http://%s\n' "$R" "$B" >>"$HOME/.udocker/udocker.conf"
  ok udocker-image pull --insecure "$R/x:1"
  [ "$(grep -c 'GET /v2/x/blobs' "$RLOG")" -eq 0 ] || fail "the registry was asked"
  [ "$(asked blobs)" -eq 2 ]
  ok udocker-image rm "$R/x:1"
  rules "manifests 99 status 404" "blobs 1 status 404"
  ok udocker-image pull --insecure "$R/x:1"
  [ "$(grep -c 'GET /v2/x/manifests' "$RLOG")" -ge 1 ]
  ok udocker-image verify "$R/x:1"
}

@test "a mirror that is not there, that breaks off in a layer, or that wants the registry's password" {
  one_layer
  local mirror=$B mlog=$BLOG
  cp -r img own
  serve "$T/srv/two.port" python3 "$SUITE_SRC/tests/tools/registryd" own /dev/null "$T/srv/two.log" "$T/srv/two.port"
  local host
  host=localhost:$(cat "$T/srv/two.port")
  printf 'registry_mirrors = %s=http://127.0.0.1:1 %s=http://%s\n' "$host" "$host" "$mirror" >>"$HOME/.udocker/udocker.conf"
  echo http_retries=0 >>"$HOME/.udocker/udocker.conf"
  rules "blobs/$L 9 truncate 100000"
  ok udocker-image -q pull --insecure "$host/x:1"
  assert_pulled img "$host/x/1"
  # The second mirror was asked, and the registry for what it does not give.
  grep -q "blobs/$L - - 200" "$mlog" || fail "$(cat "$mlog")"
  grep -q "blobs/$L bytes=100000- - 206" "$T/srv/two.log" || fail "not gone on with: $(cat "$T/srv/two.log")"
  ! grep -q manifests "$T/srv/two.log" || fail "the registry was asked: $(cat "$T/srv/two.log")"
  ok udocker-image rm "$host/x:1"
  mkdir -p docker
  printf '{"auths":{"%s":{"auth":"%s"}}}' "$host" "$(printf 'me:hunter2' | base64)" >docker/config.json
  rules 'manifests|blobs 99 status 401 WWW-Authenticate: Basic realm="x"'
  ok udocker-image -q pull --insecure "$host/x:1"
  assert_pulled img "$host/x/1"
  ! grep -q ' auth ' "$mlog" || fail "the mirror got the registry's password: $(cat "$mlog")"
}

@test "SIGINT and kill -9: nothing half-made is visible, and only what is missing is fetched" {
  test_image img 3 400
  bad_registry img
  local slow done1 size
  slow=$(layer_of img 2) done1=$(layer_of img 1)
  size=$(stat -c %s "$(blob_file img "$slow")")
  local sig
  for sig in INT KILL; do
    rules "blobs/$slow 1 stall 100000"
    background udocker-image -q pull --insecure "$B/x:1"
    wait_until 20 test -e "$STORE/layers/$done1"
    wait_until 20 sh -c "[ \$(stat -c %s '$STORE/layers/.partial-$slow') -eq 100000 ]"
    kill -"$sig" "$PID"
    local status=0
    wait "$PID" || status=$?
    [ "$status" -eq $((128 + $(kill -l "$sig"))) ] || fail "status $status"
    [ -z "$(find "$STORE/repos" -name TAG)" ]
    [ ! -e "$STORE/layers/$slow" ]
    : >"$BLOG"
    rules
    ok udocker-image pull --insecure "$B/x:1"
    assert_pulled img "$B/x/1"
    [ "$(asked "blobs/$slow bytes=100000-")" -eq 1 ] || fail "not resumed: $(cat "$BLOG")"
    [ "$(asked "blobs/$done1")" -eq 0 ] || fail "fetched again: $(cat "$BLOG")"
    assert_store_clean
    ok udocker-image rm "$B/x:1"
  done
}

@test "a partial file with wrong bytes does not spoil the layer" {
  one_layer
  mkdir -p "$STORE/layers"
  head -c 1000 /dev/zero >"$STORE/layers/.partial-$L"
  ok pull
  assert_pulled img "$B/x/1"
  ok udocker-image rm "$B/x:1"
  head -c 9999999 /dev/zero >"$STORE/layers/.partial-$L"
  ok pull
  assert_pulled img "$B/x/1"
  assert_store_clean
}

@test "prune removes what a broken-off pull left, when it is old enough" {
  one_layer
  rules "blobs/$L 99 truncate 1000"
  fails 1 pull
  assert_file "$STORE/layers/.partial-$L"
  ok udocker-image prune
  assert_file "$STORE/layers/.partial-$L"
  touch -d '1 hour ago' "$STORE/layers/.partial-$L"
  ok udocker-image prune
  refute_file "$STORE/layers/.partial-$L"
}

@test "the registry is killed in the middle and comes back" {
  test_image img 1 30000
  docker_registry
  push img x:1
  echo http_retries=12 >>"$HOME/.udocker/udocker.conf"
  background udocker-image -q pull --insecure "$R/x:1"
  wait_until 20 sh -c "ls -A '$STORE/layers' 2>/dev/null | grep -q ."
  kill -9 "$RPID"
  wait "$RPID" || true
  local pull=$PID
  docker_registry_again
  wait "$pull" || fail "the pull failed"
  assert_pulled img "$R/x/1"
}
