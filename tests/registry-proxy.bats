#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# bats: under the sanitizers by hand
# pull, push and copy through proxies: SOCKS4 and 4a (socksd), SOCKS5 (microsocks), HTTP (nginx) and its CONNECT (tinyproxy), of --httpproxy, the setting, the
# environment; passwords of proxies are not shown, neither in messages nor in the list of processes.

load helpers
load registry

setup() {
  common_setup
  registry_setup
  mkdir -p "$HOME/.udocker"
  docker_registry
  test_image img 2
  push img app:1
}

# A SOCKS5 proxy; sets S (host:port) and SLOG, where it notes whom it connects to.
socks_proxy() {
  local pid
  SLOG=$T/srv/socks.log
  microsocks -i 127.0.0.1 -p 0 "$@" >"$SLOG" 2>&1 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&- &
  pid=$!
  SERVERS+=("$pid")
  wait_until 20 port_of "$pid" || fail "microsocks does not start: $(cat "$SLOG")"
  S=127.0.0.1:$(port_of "$pid")
}
went_through() { grep -q "connected to $1:$RPORT" "$SLOG" || fail "not through the proxy: $(cat "$SLOG")"; }
again() {
  udocker-image -q rm "$R/app:1" || true
  : >"$SLOG"
}

@test "SOCKS: socks5 looks the name up here, socks5h lets the proxy do it" {
  socks_proxy
  ok udocker-image pull -q --insecure --httpproxy "socks5h://$S" "$R/app:1"
  assert_pulled img "$R/app/1"
  went_through localhost
  again
  ok udocker-image pull -q --insecure --httpproxy "socks5://$S" "$R/app:1"
  went_through 127.0.0.1
  again
  printf 'http_proxy = socks5h://%s\n' "$S" >"$HOME/.udocker/udocker.conf"
  ok udocker pull --insecure "$R/app:1"
  went_through localhost
  rm "$HOME/.udocker/udocker.conf"
  again
  all_proxy=socks5h://$S ok udocker-image pull -q --insecure "$R/app:1"
  went_through localhost
  again
  all_proxy=socks5h://$S no_proxy=localhost ok udocker-image pull -q --insecure "$R/app:1"
  [ ! -s "$SLOG" ] || fail "asked in spite of no_proxy: $(cat "$SLOG")"
}

@test "push and copy through a proxy: each request of an upload takes it" {
  socks_proxy
  test_image big 1 3000
  udocker-image load -q -i big big:1 >/dev/null
  ok udocker-image push -q --insecure --jobs 1 --httpproxy "socks5h://$S" big:1 "$R/pushed:1"
  went_through localhost
  curl -sf "http://$R/v2/pushed/blobs/$(layer_of big 1)" | cmp - "$(blob_file big "$(layer_of big 1)")"
  : >"$SLOG"
  ok udocker-image copy -q --insecure --httpproxy "socks5h://$S" "docker://$R/pushed:1" oci:copied
  went_through localhost
  cmp "$(blob_file big "$(layer_of big 1)")" "$(blob_file copied "$(layer_of big 1)")"
  # One that is not there: nothing goes around it.
  fails 1 udocker-image push -q --insecure --httpproxy socks5h://127.0.0.1:1 big:1 "$R/around:1"
  assert_one_error_line
  [ "$(curl -s -o /dev/null -w '%{http_code}' "http://$R/v2/around/manifests/1")" = 404 ]
}

@test "SOCKS with a password, which no message shows; a proxy that is not there" {
  socks_proxy -u me -P s3cret
  ok udocker-image -D pull --insecure --httpproxy "socks5h://me:s3cret@$S" "$R/app:1"
  went_through localhost
  refute_stderr_contains s3cret
  again
  fails 1 udocker-image -q pull --insecure --httpproxy "socks5h://me:wr0ng@$S" "$R/app:1"
  assert_one_error_line
  refute_stderr_contains wr0ng
  fails 1 udocker-image -q pull --insecure --httpproxy "socks5h://me:s3cret@127.0.0.1:1" "$R/app:1"
  assert_one_error_line
  refute_stderr_contains s3cret
  refute_pulled
}

@test "an HTTP proxy: by option, by http_proxy of the environment (FIX-23)" {
  requires nginx
  nginx_registry '' 'connected to $http_host $request_method' '' 'client_max_body_size 0;'
  SLOG=$T/nginx/access.log
  ok udocker-image pull -q --httpproxy "http://127.0.0.1:$NPORT" --registry "http://$R" app:1
  assert_pulled img app/1
  went_through localhost
  udocker-image -q rm app:1
  again
  http_proxy=http://127.0.0.1:$NPORT ok udocker-image pull -q --registry "http://$R" app:1
  went_through localhost
  # In upper case too, but not in a CGI program, where a client could have set it.
  udocker-image -q rm app:1
  again
  HTTP_PROXY=http://127.0.0.1:$NPORT ok udocker-image pull -q --registry "http://$R" app:1
  went_through localhost
  udocker-image -q rm app:1
  again
  HTTP_PROXY=http://127.0.0.1:$NPORT REQUEST_METHOD=GET ok udocker-image pull -q --registry "http://$R" app:1
  [ ! -s "$SLOG" ] || fail "asked: $(cat "$SLOG")"
  udocker-image -q rm app:1
  HTTP_PROXY=http://127.0.0.1:$NPORT NO_PROXY=localhost ok udocker-image pull -q --registry "http://$R" app:1
  [ ! -s "$SLOG" ] || fail "asked in spite of NO_PROXY: $(cat "$SLOG")"
}

@test "push and copy through an HTTP proxy: each request of an upload takes it" {
  requires nginx
  test_image big 1 3000
  local l method before
  l=$(layer_of big 1)
  before=$(grep -cE '"(POST|PATCH|PUT) ' "$RLOG")
  udocker-image load -q -i big big:1 >/dev/null
  nginx_registry '' 'connected to $http_host $request_method' '' 'client_max_body_size 0;'
  SLOG=$T/nginx/access.log
  ok udocker-image push -q --insecure --httpproxy "$N" big:1 "$R/pushed:1"
  for method in HEAD POST PATCH PUT; do
    grep -q "connected to $R $method" "$SLOG" || fail "no $method through the proxy: $(cat "$SLOG")"
  done
  curl -sf "http://$R/v2/pushed/blobs/$l" | cmp - "$(blob_file big "$l")"
  # No request of an upload went around it: the registry has had as many as the proxy.
  all_taken() { [ "$(grep -cE '"(POST|PATCH|PUT) ' "$RLOG")" -eq "$((before + $(grep -cE ' (POST|PATCH|PUT)$' "$SLOG")))" ]; }
  wait_until 10 all_taken || fail "$(cat "$RLOG")"
  : >"$SLOG"
  ok udocker-image copy -q --insecure --httpproxy "$N" "docker://$R/pushed:1" "docker://$R/copied:1"
  went_through localhost
  curl -sf "http://$R/v2/copied/manifests/1" -H 'Accept: application/vnd.oci.image.manifest.v1+json' | cmp - "$(blob_file big "$(manifest_of big)")"
  fails 1 udocker-image push -q --insecure --httpproxy http://127.0.0.1:1 big:1 "$R/around:1"
  assert_one_error_line
  [ "$(curl -s -o /dev/null -w '%{http_code}' "http://$R/v2/around/manifests/1")" = 404 ]
}

# A SOCKS4 proxy for this user ("": anyone); sets S and SLOG.
socks4_proxy() {
  SLOG=$T/srv/socks4.log
  rm -f "$T/srv/socks4.port"
  serve "$T/srv/socks4.port" perl "$SUITE_SRC/tests/tools/socksd" "$1" "$SLOG" "$T/srv/socks4.port"
  S=127.0.0.1:$(cat "$T/srv/socks4.port")
}

@test "SOCKS4 looks the name up here, SOCKS4a lets the proxy do it; either tells the user's name" {
  perl -MIO::Socket::Socks -e 1 2>/dev/null || skip "libio-socket-socks-perl is not installed"
  socks4_proxy ''
  ok udocker-image pull -q --insecure --httpproxy "socks4a://$S" "$R/app:1"
  assert_pulled img "$R/app/1"
  went_through localhost
  again
  ok udocker-image pull -q --insecure --httpproxy "socks4://$S" "$R/app:1"
  went_through 127.0.0.1
  again
  ok udocker pull --httpproxy="socks4a://$S" --registry="http://$R" app:1
  went_through localhost
  socks4_proxy me
  again
  ok udocker-image pull -q --insecure --httpproxy "socks4a://me@$S" "$R/app:1"
  went_through localhost
  again
  fails 1 udocker-image pull -q --insecure --httpproxy "socks4a://you@$S" "$R/app:1"
  assert_one_error_line
  refute_pulled_again
}
# Nothing but app:1, which another command has pulled.
refute_pulled_again() { [ ! -e "$STORE/repos/$R/app/1" ] || fail "pulled in spite of the proxy"; }

@test "an HTTP proxy is asked to CONNECT for TLS, with its password, by option and by https_proxy" {
  requires tinyproxy
  local before
  own_ca
  docker_registry '' ", tls: {certificate: $T/tls.crt, key: $T/tls.key}"
  export SSL_CERT_FILE=$T/ca.crt
  mkdir certs
  cp ca.crt certs/
  skopeo --insecure-policy copy -q --dest-cert-dir=certs oci:img "docker://$R/app:1"
  SLOG=$T/srv/tinyproxy.log
  NPORT=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  printf '%s\n' "Port $NPORT" 'Listen 127.0.0.1' 'Allow 127.0.0.1' 'BasicAuth me s3cret' 'LogLevel Connect' "LogFile \"$SLOG\"" "ConnectPort $RPORT" >tinyproxy.conf
  tinyproxy -d -c tinyproxy.conf >"$T/srv/tinyproxy.out" 2>&1 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&- &
  SERVERS+=($!)
  wait_until 20 answers "$NPORT"
  ok udocker-image -D pull --httpproxy "http://me:s3cret@127.0.0.1:$NPORT" "$R/app:1"
  assert_pulled img "$R/app/1"
  refute_stderr_contains s3cret
  refute_stderr_contains "$(printf me:s3cret | base64)"
  grep -q "CONNECT $R " "$SLOG" || fail "not through the proxy: $(cat "$SLOG")"
  udocker-image -q rm "$R/app:1"
  : >"$SLOG"
  https_proxy=http://me:s3cret@127.0.0.1:$NPORT ok udocker-image pull -q "$R/app:1"
  grep -q "CONNECT $R " "$SLOG" || fail "not through the proxy: $(cat "$SLOG")"
  udocker-image -q rm "$R/app:1"
  fails 1 udocker-image pull -q --httpproxy "http://me:wr0ng@127.0.0.1:$NPORT" "$R/app:1"
  assert_one_error_line
  refute_stderr_contains wr0ng
  assert_stderr_contains "a proxy's user and password"
  # A push: one that the proxy lets through, and one that it does not.
  local url="https://$R/v2/pushed/manifests/1"
  udocker-image load -q -i img app:1 >/dev/null
  before=$(grep -ac 'CONNECT localhost' "$SLOG")
  ok udocker-image -D push --httpproxy "http://me:s3cret@127.0.0.1:$NPORT" app:1 "$R/pushed:1"
  refute_stderr_contains s3cret
  refute_stderr_contains "$(printf me:s3cret | base64)"
  [ "$(grep -ac 'CONNECT localhost' "$SLOG")" -gt "$before" ] || fail "not through the proxy: $(cat "$SLOG")"
  curl -sf --cacert ca.crt "$url" -H 'Accept: application/vnd.oci.image.manifest.v1+json' | cmp - "$(blob_file img "$(manifest_of img)")"
  fails 1 udocker-image push -q --httpproxy "http://me:wr0ng@127.0.0.1:$NPORT" app:1 "$R/around:1"
  assert_one_error_line
  refute_stderr_contains wr0ng
  [ "$(curl -s --cacert ca.crt -o /dev/null -w '%{http_code}' "https://$R/v2/around/manifests/1")" = 404 ]
  # By its other name: requests of the commands before may be noted late.
  fails 1 udocker-image pull -q --httpproxy "http://127.0.0.1:$NPORT" "127.0.0.1:$RPORT/app:1"
  assert_one_error_line
  # It has said no, and is not asked again and again.
  [ "$(grep -ac "CONNECT 127.0.0.1:$RPORT" "$SLOG")" -eq 1 ] || fail "$(cat "$SLOG")"
  [ ! -e "$STORE/repos/127.0.0.1:$RPORT" ] || fail "pulled in spite of the proxy"
  refute_pulled_again
}

@test "a proxy's URL that is none: one line, without its password" {
  local url
  for url in 'ftp://me:s3cret@127.0.0.1:1' 'http://me:s3cret@127.0.0.1:99999999' 'socks5://me:s3 cret@127.0.0.1:1' 'http://me:s3cret@[::1' '://me:s3cret@x' 'me:s3cret@127.0.0.1:1'; do
    fails 1 udocker-image -q pull --httpproxy "$url" --insecure "$R/app:1"
    assert_one_error_line
    refute_stderr_contains cret
    http_proxy=$url fails 1 udocker-image -D pull --registry "http://$R" app:1
    refute_stderr_contains cret
    printf 'http_proxy = %s\n' "$url" >"$HOME/.udocker/udocker.conf"
    fails 1 udocker -D pull --registry="http://$R" app:1
    refute_stderr_contains cret
    rm "$HOME/.udocker/udocker.conf"
  done
}

# What the list of processes shows of a process and of all below it.
shown_of() {
  local child
  tr '\0' ' ' <"/proc/$1/cmdline"
  [ ! -r "/proc/$1/environ" ] || tr '\0' ' ' <"/proc/$1/environ"
  for child in $(cat "/proc/$1/task/$1/children"); do shown_of "$child"; done
}

@test "a proxy's password is not in the list of processes, neither while an image is fetched nor while its container runs" {
  local command rootfs
  [ -e "/proc/$$/task/$$/children" ] || skip "the kernel does not tell children"
  socks_proxy -u me -P s3cret
  bad_registry img
  rules 'manifests|tags|search 99 status 429 Retry-After: 60'
  for command in "udocker-image pull --insecure" "udocker --insecure pull" "udocker --insecure run" "udocker --insecure manifest inspect" "udocker-image tags --insecure" "udocker --insecure search"; do
    : >"$BLOG"
    background $command --httpproxy="socks5h://me:s3cret@$S" "$B/x:1"
    wait_until 20 sh -c "grep -qE 'manifests|tags|search' '$BLOG'" || fail "$command: $(cat "$T/background.err")"
    ! shown_of "$PID" | grep -q s3cret || fail "$command: $(shown_of "$PID")"
    kill -INT "$PID"
    wait_until 20 sh -c "! kill -0 $PID 2>/dev/null" || fail "$command does not end"
    ! grep -q s3cret "$T/background.err" || fail "$command: shown"
  done
  rootfs=$(rootfs_tar)
  mkimage -f oci-dir -z gzip -n img:1 bb "$rootfs"
  push bb bb:1
  background udocker --insecure run --nobanner --httpproxy "socks5h://me:s3cret@$S" "$R/bb:1" /bin/sh -c 'echo runs; sleep 60'
  wait_until 60 grep -q runs "$T/background.out" || fail "$(cat "$T/background.err")"
  went_through localhost
  ! shown_of "$PID" | grep -q s3cret || fail "$(shown_of "$PID")"
  ! find "/proc/$PID/fd" -lname '*udocker-proxy*' | grep -q . || fail "the proxy stays open"
  kill "$PID"
}
