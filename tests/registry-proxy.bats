#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# pull through proxies: SOCKS (microsocks) and HTTP (nginx), of --httpproxy, the setting, the environment; passwords of proxies are not shown.

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

@test "an HTTP proxy: by option, by http_proxy of the environment" {
  requires nginx
  mkdir -p "$T/nginx"
  cat >"$T/nginx.conf" <<CONF
daemon off; master_process off; pid $T/nginx/pid; error_log $T/nginx/error.log;
events {}
http {
  client_body_temp_path $T/nginx; proxy_temp_path $T/nginx; fastcgi_temp_path $T/nginx; uwsgi_temp_path $T/nginx; scgi_temp_path $T/nginx;
  log_format f 'connected to \$http_host';
  access_log $T/nginx/access.log f;
  server {
    listen 127.0.0.1:@PORT@;
    location / { proxy_pass http://127.0.0.1:$RPORT; proxy_set_header Host \$http_host; }
  }
}
CONF
  nginx_server "$T/nginx.conf"
  SLOG=$T/nginx/access.log
  ok udocker-image pull -q --httpproxy "http://127.0.0.1:$NPORT" --registry "http://$R" app:1
  assert_pulled img app/1
  went_through localhost
  udocker-image -q rm app:1
  again
  http_proxy=http://127.0.0.1:$NPORT ok udocker-image pull -q --registry "http://$R" app:1
  went_through localhost
}
