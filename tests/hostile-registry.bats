#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Registries that attack: documents that are huge or nested, lists without end, escapes for the terminal, odd challenges; a disk that fills
# up; and that no secret can be read from the process. What registries that merely fail do is in registry-faults.bats.

load helpers
load registry

setup() {
  common_setup
  registry_setup
  mkdir -p "$STORE"
  printf 'timeout = 5\nhttp_retries = 0\n' >"$HOME/.udocker/udocker.conf"
  BOUND=(bounded -t 300 -m 48)
  ! is_asan || BOUND=(bounded -t 300)
}
teardown() { registry_teardown; }

one_layer() {
  test_image img 1 40
  L=$(layer_of img 1)
  bad_registry img
}
# Refused within the bounds, in one line without control characters, and nothing is to be seen.
refused() {
  run --separate-stderr "${BOUND[@]}" "$@"
  [ "$status" -eq 1 ] || fail "exit status $status, wanted 1: $*"
  assert_one_error_line
  plain
  refute_pulled
}
plain() { ! printf '%s' "$output$stderr" | LC_ALL=C grep -q '[[:cntrl:]]' || fail "control characters: $(printf '%s' "$output$stderr" | cat -v)"; }

@test "documents of millions of values are refused in bounded memory" {
  one_layer
  local doc
  for doc in '[' '{"a":' '"x",' '1,'; do
    python3 -c 'import sys; w = sys.argv[1]; sys.stdout.write("[" + w * ((4 << 20) // len(w) - 1))' "$doc" >doc
    rules "manifests 9 file $T/doc"
    refused udocker-image -q pull --insecure "$B/x:1"
  done
  python3 -c 'print("{\"schemaVersion\":2,\"layers\":[" + "{}," * 1000000 + "{}]}")' >doc
  rules "manifests 9 file $T/doc"
  refused udocker-image -q pull --insecure "$B/x:1"
  python3 -c 'print("{\"token\":\"" + "x" * 10000000 + "\"}")' >doc
  rules "token 9 file $T/doc" "manifests 9 status 401 WWW-Authenticate: Bearer realm=\"http://$B/token\""
  refused udocker-image -q pull --insecure "$B/x:1"
}

@test "indexes below indexes are followed only so deep, and a manifest of too many layers is refused" {
  one_layer
  python3 - img "$T/top" <<'PY'
import hashlib, json, os, sys
layout, top = sys.argv[1:]
entry = json.load(open(layout + "/index.json"))["manifests"][0]
for _ in range(20):
    data = json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [entry]}).encode()
    digest = hashlib.sha256(data).hexdigest()
    open(f"{layout}/blobs/sha256/{digest}", "wb").write(data)
    entry = {"mediaType": "application/vnd.oci.image.index.v1+json", "digest": "sha256:" + digest, "size": len(data)}
open(top, "wb").write(data)
PY
  rules "manifests/1 9 file $T/top"
  refused udocker-image -q pull --insecure "$B/x:1"
  [ "$(asked manifests/sha256)" -lt 10 ] || fail "followed too far: $(cat "$BLOG")"
  python3 - img "$T/top" "$L" <<'PY'
import json, sys
layout, top, layer = sys.argv[1:]
entry = json.load(open(layout + "/index.json"))["manifests"][0]
m = json.load(open(layout + "/blobs/" + entry["digest"].replace(":", "/")))
m["layers"] = [dict(m["layers"][0], digest=f"sha256:{i:064x}") for i in range(20000)]
json.dump(m, open(top, "w"), separators=(",", ":"))
PY
  rules "manifests/1 9 file $T/top"
  refused udocker-image -q pull --insecure "$B/x:1"
  [ "$(asked /blobs/)" -le 8 ] || fail "layers were asked for: $(asked /blobs/)"
}

@test "a list of tags without end ends" {
  one_layer
  rules "tags/list 99999 pages"
  refused udocker-image tags --insecure "$B/x"
  assert_stderr_contains "pages of tags"
}

@test "terminal escapes are shown as text wherever they come from" {
  one_layer
  local e='\\u001b]0;owned\\u0007' raw='\x1b[31mred' config doc
  config=$(jq -c .config "$(blob_file img "$(manifest_of img)")")
  for doc in \
    '{"schemaVersion":2,"mediaType":"'"$e"'"}' \
    '{"schemaVersion":2,"artifactType":"'"$e"'","config":{"mediaType":"'"$e"'","digest":"'"$L"'","size":3},"layers":[]}' \
    '{"schemaVersion":2,"config":'"$config"',"layers":[{"mediaType":"'"$e"'","digest":"'"$L"'","size":3}]}' \
    '{"schemaVersion":2,"config":'"$config"',"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"'"$e"'","size":3}]}' \
    '{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"'"$L"'","size":3,"platform":{"os":"'"$e"'","architecture":"'"$e"'","variant":"'"$e"'"}}]}' \
    '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"mediaType":"'"$e"'","digest":"'"$L"'","size":3}]}'; do
    rules "manifests/1 99 body 200 $doc"
    refused udocker-image pull --insecure "$B/x:1"
    fails 1 udocker-image -D pull --insecure "$B/x:1"
    plain
  done
  for doc in "body 404 {\"errors\":[{\"code\":\"$e\",\"message\":\"$e\\\\nline\",\"detail\":\"$e\"}]}" "body 500 $raw" \
    "status 401 WWW-Authenticate: Basic realm=\"$raw\"" "status 401 WWW-Authenticate: $raw" "status 302 Location: http://$raw/" \
    "status 302 Location: $raw:" "status 200 Docker-Content-Digest: $raw" "status 200 Content-Type: $raw"; do
    rules "manifests/1 99 $(printf '%b' "${doc//\\\\/\\\\\\\\}")"
    refused udocker-image pull --insecure "$B/x:1"
  done
  rules "token 9 body 401 {\"details\":\"$e\",\"errors\":[{\"message\":\"$e\"}]}" "manifests 9 status 401 WWW-Authenticate: Bearer realm=\"http://$B/token\""
  refused udocker-image pull --insecure "$B/x:1"
}

@test "challenges with quotes and commas in odd places" {
  one_layer
  local challenge
  rules '/token 1 body 200 {"token":"abc"}' \
    "manifests 1 status 401 WWW-Authenticate: Negotiate , Bearer  service=\"a,b\\\"c\" , realm=\"http://$B/token?x=1\",scope=\"repository:x:pull,push\" ,odd=, Basic realm=\"z\""
  ok udocker-image -q pull --insecure "$B/x:1"
  [ "$(asked 'GET /token\?x=1&.*service=a%2Cb%22c')" -eq 1 ] || fail "$(cat "$BLOG")"
  ok udocker-image rm "$B/x:1"
  for challenge in 'Bearer realm="' 'Bearer realm=,' 'Bearer ,,,,' '"Bearer" realm=x' 'Bearer realm="a" realm="b"' 'Bearer realm="\"' ',' 'Basic Basic Basic' \
    "Bearer realm=\"$(printf 'x%.0s' {1..9000})\"" 'Bearer realm="javascript:1"' 'Bearer realm="http://[::1"' 'Bearer realm="http://u:p@localhost:1/"'; do
    rules "manifests 99 status 401 WWW-Authenticate: $challenge"
    refused udocker-image -q pull --insecure "$B/x:1"
  done
}

@test "a disk that fills up in the middle: nothing is to be seen, and later only the rest is fetched" {
  requires preload
  test_image img 1 4000
  L=$(layer_of img 1)
  bad_registry img
  run --separate-stderr env FAULTS=write:6+:ENOSPC FAULTS_DIR="$STORE" LD_PRELOAD="$SUITE_TOOLS/faults.so" \
    ASAN_OPTIONS="$ASAN_OPTIONS:verify_asan_link_order=0" udocker-image -q pull --insecure "$B/x:1"
  [ "$status" -eq 1 ] || fail "status $status"
  assert_one_error_line
  assert_stderr_contains "No space left on device"
  # A blob that was complete before stays for the next try.
  local config
  config=$(jq -r .config.digest "$(blob_file img "$(manifest_of img)")")
  [ -z "$(find "$STORE/layers" -mindepth 1 ! -name '.partial-*' ! -name "$config")" ] || fail "layers: $(ls -A "$STORE/layers")"
  [ -z "$(find "$STORE/repos" -name TAG 2>/dev/null)" ] || fail "a tag was made"
  : >"$BLOG"
  ok udocker-image -q pull --insecure "$B/x:1"
  assert_pulled img "$B/x/1"
  [ "$(asked "blobs/$L bytes=[1-9]")" -eq 1 ] || fail "not gone on with: $(cat "$BLOG")"
  assert_store_clean
}

@test "once it has credentials the process leaves no core file and is closed to others of the same user" {
  ! is_asan || skip "sanitizers need an open process"
  requires user
  one_layer
  mkdir -p docker
  printf '{"auths":{"%s":{"auth":"bWU6czNjcmV0"}}}' "$B" >docker/config.json
  rules 'manifests 1 status 401 WWW-Authenticate: Basic realm="x"' 'manifests 9 stall 0'
  background udocker-image -q pull --insecure "$B/x:1"
  wait_until 20 grep -q 'manifests.* auth ' "$BLOG"
  grep -qE 'Max core file size +0 +0 ' "/proc/$PID/limits" || fail "a core file is possible"
  ! head -c 1 "/proc/$PID/environ" >/dev/null 2>&1 || fail "the process is open"
  ! tr '\0' ' ' <"/proc/$PID/cmdline" | grep -q -e s3cret -e bWU6 || fail "a secret among the arguments"
}
