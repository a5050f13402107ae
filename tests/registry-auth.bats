#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Credentials: Basic and tokens, login and logout, the keystore of 1.3.x, the files and helpers of other tools, TLS, and where secrets never appear.

load helpers
load registry

setup() {
  common_setup
  registry_setup
  KEYSTORE=$HOME/.udocker/keystore
}

SECRET=s3cret
AUTH=$(printf 'me:s3cret' | base64)

# A registry with a password file (user me), plain HTTP.
basic_registry() {
  printf 'me:%s\n' "$(python3 -W ignore -c 'import crypt; print(crypt.crypt("s3cret", crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=16)))' | sed 's/^\$2b/$2y/')" >"$T/srv/htpasswd"
  docker_registry "auth: {htpasswd: {realm: \"a, b\", path: $T/srv/htpasswd}}"
}
# A registry that wants tokens of tokend: [LIFE [FIELD]]
token_registry() {
  own_ca
  TLOG=$T/srv/token.requests
  serve "$T/srv/token.port" python3 "$SUITE_SRC/tests/tools/tokend" "$T/tls.crt" "$T/tls.key" "${1:-300}" "$TLOG" "$T/srv/token.port" "${2:-token}"
  docker_registry "auth: {token: {realm: \"http://127.0.0.1:$(cat "$T/srv/token.port")/token\", service: reg, issuer: test, rootcertbundle: $T/ca.crt}}"
}
login() { printf '%s' "${1:-$SECRET}" | udocker-image login --insecure -u me --password-stdin "$R"; }
refute_secret() {
  local s
  for s in "$SECRET" "$AUTH"; do
    [[ $output$stderr != *"$s"* ]] || fail "a secret was shown"
  done
}

@test "login tests the credentials, stores them as 1.3.x does with mode 0600, and pull uses them (FIX-57)" {
  basic_registry
  test_image img 1
  push img app:1 me:s3cret
  fails 1 udocker-image pull --insecure "$R/app:1"
  assert_one_error_line
  assert_stderr_contains "udocker login --registry="
  fails 1 login wrong
  assert_one_error_line
  assert_stderr_contains "refuses the credentials"
  refute_file "$KEYSTORE"
  ok login
  [ -z "$output$stderr" ] || fail "login is silent"
  [ "$(stat -c %a "$KEYSTORE")" = 600 ]
  [ "$(cat "$KEYSTORE")" = "{\"https://$R\": {\"auth\": \"$AUTH\", \"email\": \"\"}}" ] || fail "$(cat "$KEYSTORE")"
  ok udocker-image -D pull --insecure "$R/app:1"
  refute_secret
  assert_pulled img "$R/app/1"
  ok udocker-image logout --registry "http://$R/"
  [ "$(cat "$KEYSTORE")" = "{}" ]
  fails 1 udocker-image logout --registry "$R"
  assert_one_error_line
  fails 1 udocker-image pull --insecure "$R/app:1"
}

@test "logout -a forgets all; a keystore that others can read is not written" {
  basic_registry
  mkdir -p "$HOME/.udocker"
  printf '{"https://other": {"auth": "eDp5", "email": ""}}' >"$KEYSTORE"
  chmod 644 "$KEYSTORE"
  fails 1 login
  assert_one_error_line
  assert_stderr_contains "mode 0600"
  chmod 600 "$KEYSTORE"
  ok login
  [ "$(jq -r 'keys[]' "$KEYSTORE" | sort)" = "$(printf '%s\n' "https://$R" https://other | sort)" ]
  ok udocker-image logout -a
  refute_file "$KEYSTORE"
}

@test "login: prompts on a terminal without echo; wrong uses" {
  basic_registry
  cat >prompt.py <<'PY'
import os, pty, sys
pid, fd = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
seen = b""
def until(what):
    global seen
    while what not in seen:
        seen += os.read(fd, 1024)
until(b"username: ")
os.write(fd, b"me\n")
until(b"password: ")
os.write(fd, b"s3cret\n")
try:
    while True:
        part = os.read(fd, 1024)
        if not part:
            break
        seen += part
except OSError:
    pass
print(seen.decode().replace("\r", ""))
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
PY
  ok python3 prompt.py udocker-image login --insecure "$R"
  refute_contains "$SECRET"
  assert_file "$KEYSTORE"
  fails 2 sh -c "udocker-image login --insecure $R </dev/null"
  fails 2 sh -c "printf x | udocker-image login --insecure --password-stdin $R"
  fails 2 sh -c "printf '' | udocker-image login --insecure -u me --password-stdin $R"
  fails 2 sh -c "printf x | udocker-image login --insecure -u a:b --password-stdin $R"
}

@test "a password given as an argument leaves the list of processes" {
  local command
  test_image img 1
  bad_registry img
  for command in "udocker-image login -u me -p s3cret" "udocker login --username=me --password=s3cret" "udocker login --username me --password s3cret"; do
    : >"$BLOG"
    rules '/v2/$ 2 status 401 WWW-Authenticate: Basic realm="x"' '/v2/$ 9 status 429 Retry-After: 60'
    background $command --registry="http://$B"
    wait_until 20 grep -q 'auth 429' "$BLOG" || fail "$command: $(cat background.err)"
    tr '\0' ' ' <"/proc/$PID/cmdline" | grep -q login || fail "$command: it has ended"
    ! tr '\0' ' ' <"/proc/$PID/cmdline" | grep -q s3cret || fail "$command: shown"
    ! grep -q s3cret background.err || fail "$command: told"
    kill "$PID"
  done
}

@test "tokens: anonymous for what is public, with credentials for what is not, one for all requests of a scope (FIX-20)" {
  token_registry
  test_image img 3
  push img public/app:1 me:s3cret
  push img private/app:1 me:s3cret
  : >"$TLOG"
  ok udocker-image pull --insecure "$R/public/app:1"
  assert_pulled img "$R/public/app/1"
  [ "$(cat "$TLOG")" = "- repository:public/app:pull" ] || fail "token requests: $(cat "$TLOG")"
  fails 1 udocker-image pull --insecure "$R/private/app:1"
  assert_one_error_line
  fails 1 login wrong
  assert_stderr_contains "refuses the credentials"
  assert_stderr_contains "incorrect username or password"
  refute_file "$KEYSTORE"
  ok login
  : >"$TLOG"
  ok udocker-image -D pull --insecure "$R/private/app:1"
  refute_secret
  [ "$(cat "$TLOG")" = "me repository:private/app:pull" ] || fail "token requests: $(cat "$TLOG")"
}

@test "a reply with access_token alone (FIX-21)" {
  token_registry 300 access_token
  test_image img 1
  skopeo --insecure-policy copy -q --dest-tls-verify=false --dest-creds me:s3cret oci:img "docker://$R/public/app:1" || skip "this skopeo wants token"
  ok udocker-image pull --insecure "$R/public/app:1"
  assert_pulled img "$R/public/app/1"
}

@test "a token that runs out in the middle of a layer is replaced, and the layer goes on" {
  test_image img 1 400
  bad_registry img
  local l
  l=$(layer_of img 1)
  rules '/token 1 body 200 {"token":"abc","expires_in":300}' '/token 1 body 200 {"token":"def"}' \
    "manifests 1 status 401 WWW-Authenticate: Bearer realm=\"http://$B/token\", service = \"x\" ,scope=\"a\"" \
    "blobs/$l 1 truncate 100000" \
    "blobs/$l 1 status 401 WWW-Authenticate: Bearer realm=\"http://$B/token\",error=\"invalid_token\""
  ok udocker-image pull --insecure "$B/x:1"
  assert_pulled img "$B/x/1"
  [ "$(asked "GET /token")" -eq 2 ]
  [ "$(asked "blobs/$l bytes=100000- auth 206")" -eq 1 ] || fail "$(cat "$BLOG")"
}

@test "a registry that always wants another token is asked no more than a few times" {
  test_image img 1
  bad_registry img
  rules '/token 99 body 200 {"token":"abc"}' "manifests 99 status 401 WWW-Authenticate: Bearer realm=\"http://$B/token\""
  fails 1 udocker-image pull --insecure "$B/x:1"
  assert_one_error_line
  [ "$(asked manifests)" -le 3 ]
  local reply
  for reply in '{}' '{"token":7}' '{"token":"a b"}' '{"token":"a\\r\\nX: y"}' '[]' 'x'; do
    rules "/token 99 body 200 $reply" "manifests 99 status 401 WWW-Authenticate: Bearer realm=\"http://$B/token\""
    fails 1 udocker-image pull --insecure "$B/x:1"
    assert_one_error_line
  done
  for reply in 'Bearer realm="file:///etc/passwd"' 'Bearer realm="http://' 'Bearer' 'Digest x' ''; do
    rules "manifests 99 status 401 WWW-Authenticate: $reply"
    fails 1 udocker-image pull --insecure "$B/x:1"
    assert_one_error_line
  done
}

@test "credentials of docker and podman, and of a credential helper (FIX-57)" {
  basic_registry
  test_image img 1
  push img app:1 me:s3cret
  mkdir -p docker "$XDG_RUNTIME_DIR/containers" bin
  printf '{"auths":{"%s":{"auth":"%s"}}}' "$R" "$AUTH" >docker/config.json
  ok udocker-image pull --insecure "$R/app:1"
  printf '{}' >docker/config.json
  fails 1 udocker-image pull --insecure "$R/app:1"
  printf '{"auths":{"%s/app":{"auth":"%s"}}}' "$R" "$AUTH" >"$XDG_RUNTIME_DIR/containers/auth.json"
  ok udocker-image pull --insecure "$R/app:1"
  rm "$XDG_RUNTIME_DIR/containers/auth.json"
  printf '#!/bin/sh\n[ "$1" = get ] && [ "$(cat)" = "%s" ] && echo '\''{"Username":"me","Secret":"s3cret"}'\''\n' "$R" >bin/docker-credential-test
  chmod +x bin/docker-credential-test
  printf '{"credHelpers":{"%s":"test"}}' "$R" >docker/config.json
  PATH=$T/bin:$PATH ok udocker-image pull --insecure "$R/app:1"
  printf '{"credsStore":"test"}' >docker/config.json
  PATH=$T/bin:$PATH ok udocker-image pull --insecure "$R/app:1"
  printf '{"credsStore":"../../bin/test"}' >docker/config.json
  PATH=$T/bin:$PATH fails 1 udocker-image pull --insecure "$R/app:1"
  printf '{"credsStore":"absent"}' >docker/config.json
  fails 1 udocker-image pull --insecure "$R/app:1"
  assert_stderr_contains "docker-credential-absent is not in PATH"
  printf 'no json' >docker/config.json
  fails 1 udocker-image pull --insecure "$R/app:1"
}

@test "TLS: an own CA is trusted where it is put, a wrong name is not, --insecure takes either" {
  own_ca
  docker_registry '' ", tls: {certificate: $T/tls.crt, key: $T/tls.key}"
  test_image img 1
  push img app:1
  fails 1 udocker-image pull "$R/app:1"
  assert_one_error_line
  assert_stderr_contains "certs.d/$R/ca.crt"
  mkdir -p "$HOME/.config/containers/certs.d/$R"
  cp ca.crt "$HOME/.config/containers/certs.d/$R/"
  ok udocker-image pull "$R/app:1"
  assert_pulled img "$R/app/1"
  rm -r "$HOME/.config"
  SSL_CERT_FILE=$T/ca.crt ok udocker-image pull "$R/app:1"
  SSL_CERT_FILE="" CURL_CA_BUNDLE=$T/ca.crt ok udocker-image --repo "$T/second" pull "$R/app:1"
  ok udocker-image pull --insecure "$R/app:1"
  printf '[DEFAULT]\nhttp_insecure = True\n' >insecure.conf
  ok udocker-image --config=insecure.conf pull "$R/app:1"
  printf '[DEFAULT]\nhttp_insecure = False\n' >insecure.conf
  fails 1 udocker-image --config=insecure.conf pull "$R/app:1"
  # The right authority, the wrong name.
  own_ca elsewhere DNS:elsewhere.example
  docker_registry '' ", tls: {certificate: $T/tls.crt, key: $T/tls.key}"
  push img app:1
  fails 1 env SSL_CERT_FILE="$T/ca.crt" udocker-image pull "$R/app:1"
  assert_one_error_line
  assert_stderr_contains "target host name 'localhost'"
  [ ! -e "$STORE/repos/$R" ] || fail "pulled all the same"
  ok udocker-image pull --insecure "$R/app:1"
}

@test "TLS: certificates in /etc/containers/certs.d and /etc/docker/certs.d, ours for the registry too" {
  requires userns
  own_ca
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=me -keyout me.key -out me.csr 2>/dev/null
  openssl x509 -req -in me.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -out me.crt 2>/dev/null
  docker_registry '' ", tls: {certificate: $T/tls.crt, key: $T/tls.key, clientcas: [$T/ca.crt]}"
  test_image img 1
  mkdir -p own
  cp ca.crt own/ && cp me.crt own/client.cert && cp me.key own/client.key
  skopeo --insecure-policy copy -q --dest-cert-dir own oci:img "docker://$R/app:1"
  # Another /etc, for this program alone.
  local place
  for place in containers docker none; do
    mkdir -p "etc/$place/certs.d"
    cp -r own "etc/$place/certs.d/$R"
    cp /etc/{passwd,group,hosts,nsswitch.conf} etc/ 2>/dev/null || true
    run --separate-stderr unshare -Urm sh -c 'mount --bind "$1" /etc || exit 77; exec udocker-image pull -q "$2"' sh "$T/etc" "$R/app:1"
    [ "$status" -ne 77 ] || skip "nothing can be mounted in a user namespace here"
    [ "$status" -eq "$([ $place = none ] && echo 1 || echo 0)" ] || fail "$place: status $status"
    [ $place = none ] || assert_pulled img "$R/app/1"
    rm -rf etc "$STORE/repos" "$STORE/layers"
  done
}

@test "from https to plain http: no redirect is followed, and no token server gets the password" {
  requires nginx
  own_ca
  test_image img 1
  bad_registry img
  RPORT=${B#*:}
  nginx_registry ssl '' '' "
    location /v2/redirected/ { return 307 http://$B\$request_uri; }
    location /v2/token/ { add_header WWW-Authenticate 'Bearer realm=\"http://$B/token\",service=\"x\"' always; return 401; }"
  export SSL_CERT_FILE=$T/ca.crt
  local host=localhost:$NPORT
  fails 1 udocker-image -q pull "$host/redirected:1"
  assert_one_error_line
  assert_stderr_contains "redirected from https to plain http"
  mkdir -p docker
  printf '{"auths":{"%s":{"auth":"%s"}}}' "$host" "$AUTH" >docker/config.json
  fails 1 udocker-image -q pull "$host/token:1"
  assert_one_error_line
  assert_stderr_contains "would get the password over plain http"
  refute_secret
  [ ! -s "$BLOG" ] || fail "asked: $(cat "$BLOG")"
  ok udocker-image -q pull "$host/x:1"
}

@test "who asks for no credentials is sent none, and a token goes to the registry alone and into no message" {
  test_image img 1
  bad_registry img
  local l elsewhere token field
  l=$(layer_of img 1)
  mkdir -p docker
  printf '{"auths":{"%s":{"auth":"%s"}}}' "$B" "$AUTH" >docker/config.json
  ok udocker-image -D pull --insecure "$B/x:1"
  [ "$(asked ' auth ')" -eq 0 ] || fail "credentials were sent unasked: $(cat "$BLOG")"
  ok udocker-image rm "$B/x:1"
  serve "$T/srv/two.port" python3 "$SUITE_SRC/tests/tools/registryd" img /dev/null "$T/srv/two.log" "$T/srv/two.port"
  elsewhere=127.0.0.1:$(cat "$T/srv/two.port")
  # With a password, and with an identity token, which asks in the form of OAuth 2.
  mkdir -p bin
  printf '#!/bin/sh\necho '\''{"Username":"<token>","Secret":"1dentity"}'\''\n' >bin/docker-credential-test
  chmod +x bin/docker-credential-test
  for field in '' ',"identitytoken":"1dentity"' helper; do
    : >"$BLOG"
    : >"$T/srv/two.log"
    printf '{"auths":{"%s":{"auth":"%s"%s}}}' "$B" "$AUTH" "$field" >docker/config.json
    [ "$field" != helper ] || printf '{"credHelpers":{"%s":"test"}}' "$B" >docker/config.json
    rules '/token 1 body 200 {"token":"t0kenvalue","expires_in":300}' "manifests 1 status 401 WWW-Authenticate: Bearer realm=\"http://$B/token\",service=\"x\"" \
      "blobs/$l 1 redirect http://$elsewhere{path}"
    PATH=$T/bin:$PATH ok udocker-image -D pull --insecure "$B/x:1"
    assert_pulled img "$B/x/1"
    [ "$(asked "^$([ -z "$field" ] && echo GET || echo POST) /token")" -eq 1 ] || fail "$(cat "$BLOG")"
    [ "$(asked "blobs/$l .* auth 302")" -eq 1 ] || fail "no token to the registry: $(cat "$BLOG")"
    [ "$(grep -c "blobs/$l .* - 200" "$T/srv/two.log")" -eq 1 ] || fail "the token went elsewhere: $(cat "$T/srv/two.log")"
    for token in t0kenvalue 1dentity "$SECRET" "$AUTH"; do refute_stderr_contains "$token"; done
    ok udocker-image rm "$B/x:1"
  done
}

@test "the keystore goes before other tools' files, and REGISTRY_AUTH_FILE stands for all of them" {
  basic_registry
  test_image img 1
  push img app:1 me:s3cret
  local wrong file
  wrong=$(printf 'me:wr0ng' | base64)
  # Each of the places in which an auth file may lie.
  for file in "$XDG_RUNTIME_DIR/containers/auth.json" "$HOME/.config/containers/auth.json" "$T/config/containers/auth.json" "$HOME/.docker/config.json" "$T/own.json"; do
    mkdir -p "$(dirname "$file")"
    printf '{"auths":{"%s":{"auth":"%s"}}}' "$R" "$AUTH" >"$file"
    case $file in
      */config/containers/*) XDG_CONFIG_HOME=$T/config ok udocker-image pull -q --insecure "$R/app:1" ;;
      */own.json) REGISTRY_AUTH_FILE=$file ok udocker-image pull -q --insecure "$R/app:1" ;;
      *) ok env -u DOCKER_CONFIG udocker-image pull -q --insecure "$R/app:1" ;;
    esac
    ok udocker-image rm "$R/app:1"
    [ "$file" = "$T/own.json" ] || rm "$file"
  done
  mkdir -p docker
  printf '{"auths":{"%s":{"auth":"%s"}}}' "$R" "$wrong" >docker/config.json
  fails 1 udocker-image pull -q --insecure "$R/app:1"
  REGISTRY_AUTH_FILE=$T/own.json ok udocker-image pull -q --insecure "$R/app:1"
  ok udocker-image rm "$R/app:1"
  ok login
  ok udocker-image pull -q --insecure "$R/app:1"
  # What the keystore says is used although the file would do.
  printf '{"https://%s": {"auth": "%s", "email": ""}}' "$R" "$wrong" >"$KEYSTORE"
  REGISTRY_AUTH_FILE=$T/own.json fails 1 udocker-image pull -q --insecure "$R/app:1"
}

@test "TLS: a certificate of ours is shown to the host whose folder it lies in" {
  own_ca
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=me -keyout me.key -out me.csr 2>/dev/null
  openssl x509 -req -in me.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -out me.crt 2>/dev/null
  docker_registry '' ", tls: {certificate: $T/tls.crt, key: $T/tls.key, clientcas: [$T/ca.crt]}"
  local dir=$HOME/.config/containers/certs.d/$R
  mkdir -p "$dir"
  cp ca.crt "$dir/"
  test_image img 1
  fails 1 udocker-image pull "$R/app:1"
  assert_one_error_line
  cp me.crt "$dir/client.cert"
  fails 1 udocker-image pull "$R/app:1"
  assert_stderr_contains client.key
  cp me.key "$dir/client.key"
  skopeo --insecure-policy copy -q --dest-cert-dir "$dir" oci:img "docker://$R/app:1"
  ok udocker-image pull "$R/app:1"
  assert_pulled img "$R/app/1"
}

@test "HTTP/2, redirects and limits of a real server: nginx before the registry" {
  requires nginx
  own_ca
  docker_registry
  test_image img 8 100
  push img app:1
  mkdir -p "$HOME/.udocker"
  nginx_registry 'ssl http2' '$request_method $uri $server_protocol $status $connection' \
    'limit_req_zone $binary_remote_addr zone=z:1m rate=2r/s;' "
    location ~ ^/v2/.*/blobs/ { return 307 /elsewhere\$uri; }
    location /elsewhere/ { limit_req zone=z burst=1 nodelay; limit_req_status 429; proxy_pass http://127.0.0.1:$RPORT/; }"
  local port=$NPORT
  mkdir -p "$HOME/.config/containers/certs.d/localhost:$port"
  cp ca.crt "$HOME/.config/containers/certs.d/localhost:$port/"
  echo http_retries=12 >>"$HOME/.udocker/udocker.conf"
  ok udocker-image pull --jobs 8 "localhost:$port/app:1"
  assert_pulled img "localhost:$port/app/1"
  ! grep -v HTTP/2.0 "$T/nginx/access.log" || fail "not HTTP/2"
  grep -q ' 429 ' "$T/nginx/access.log" || fail "the limit was never hit"
  [ "$(awk '{print $NF}' "$T/nginx/access.log" | sort -u | wc -l)" -eq 1 ] || fail "more than one connection: $(cat "$T/nginx/access.log")"
}

@test "Retry-After of a real server is waited out: nginx says 429 until it is told otherwise" {
  requires nginx
  docker_registry
  test_image img 1
  push img app:1
  nginx_registry '' '$status $request_method $msec' '' "
    location /v2/app/blobs/ {
      add_header Retry-After 4 always;
      if (!-f $T/go) { return 429; }
      proxy_pass http://127.0.0.1:$RPORT;
    }"
  background udocker-image pull -q --jobs 1 "127.0.0.1:$NPORT/app:1" --insecure
  wait_until 60 grep -q '^429 ' "$T/nginx/access.log" || fail "$(cat "$T/nginx/access.log")"
  touch go
  wait "$PID" || fail "$(cat background.err)"
  assert_pulled img "127.0.0.1:$NPORT/app/1"
  # By the server's clock, which notes when a reply has been sent: the request behind a 429 came after the pause, and not sooner.
  awk '$1 == 429 { last = $3; n++ } $1 == 200 && last { if ($3 - last < 4) exit 1; last = 0; m++ } END { exit !(n == 1 && m == 1) }' \
    "$T/nginx/access.log" || fail "$(cat "$T/nginx/access.log")"
}

@test "the wrapper: pull, manifest inspect, login, logout, in the form of 1.3.x (FIX-04)" {
  basic_registry
  test_image img 1
  push img library/app:1 me:s3cret
  ok sh -c "printf s3cret | udocker login --username=me --password-stdin --registry=http://$R"
  ok udocker pull --registry="http://$R" app:1
  assert_output "app:1@$(manifest_of img)"
  ok udocker manifest --registry="http://$R" inspect app:1
  [ "$(jq -r '.layers[0].digest' <<<"$output")" = "$(layer_of img 1)" ]
  [[ $output == *$'\n    "config": {'* ]] || fail "not the form of 1.3.x"
  ok udocker manifest inspect --registry="http://$R" app:1
  fails 1 udocker manifest --registry="http://$R" app:1
  fails 1 udocker manifest inspect --registry="http://$R" app:none
  assert_stderr_contains "Error: "
  ok udocker --insecure pull "$R/library/app:1"
  ok udocker logout --registry="$R"
}
