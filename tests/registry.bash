# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034,SC2154
# Registries for the tests of one file: each test starts its own on loopback and free ports and stops them by their ids. What the
# packages may have started as services of the system is never spoken to.

# To be called in setup, behind common_setup.
registry_setup() {
  SERVERS=()
  mkdir -p "$T/srv"
  # Everything else would be asked of the network.
  export http_proxy='' https_proxy='' NO_PROXY='' DOCKER_CONFIG=$T/docker REGISTRY_AUTH_FILE=''
  unset http_proxy https_proxy NO_PROXY REGISTRY_AUTH_FILE SSL_CERT_FILE CURL_CA_BUNDLE SSL_CERT_DIR XDG_CONFIG_HOME
}

registry_teardown() {
  local pid
  for pid in "${SERVERS[@]}"; do
    kill -9 "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  done
}
teardown() { registry_teardown; }

# serve PORT-FILE CMD...: in the background; its own log in $T/srv.
serve() {
  local port_file=$1
  shift
  "$@" >>"$T/srv/$(basename "$1").log" 2>&1 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&- &
  SERVERS+=($!)
  wait_until 20 test -s "$port_file" || fail "$1 did not start: $(tail -5 "$T/srv/$(basename "$1").log")"
}

# background CMD...: its output goes to files, so that no test waits for it; PID is its id. A shell has what it starts so ignore SIGINT.
background() {
  env --default-signal=INT "$@" >"$T/background.out" 2>"$T/background.err" 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&- &
  PID=$!
  SERVERS+=("$PID")
}

answers() { python3 -c 'import socket, sys; socket.create_connection(("127.0.0.1", int(sys.argv[1])), 1)' "$1"; }

# The port that a process of ours listens on: it chose a free one itself, which no other test can take in between.
port_of() {
  python3 - "$1" <<'PY'
import os, sys
fds = f"/proc/{sys.argv[1]}/fd"
links = {os.readlink(os.path.join(fds, fd)) for fd in os.listdir(fds)}
for line in open("/proc/net/tcp").readlines()[1:]:
    words = line.split()
    if words[3] == "0A" and f"socket:[{words[9]}]" in links:
        print(int(words[1].split(":")[1], 16))
        sys.exit()
sys.exit(1)
PY
}

# docker_registry [EXTRA-YAML [TLS-YAML]]: Debian's docker-registry with an empty store; sets R (host:port), RPORT, RLOG (its access log) and RPID.
docker_registry() {
  local dir
  dir=$(mktemp -d "$T/srv/registry.XXXXXX")
  cat >"$dir/config.yml" <<YML
version: 0.1
log: {level: warn}
storage: {filesystem: {rootdirectory: $dir/data}, delete: {enabled: true}}
http: {addr: "127.0.0.1:0"${2:-}}
${1:-}
YML
  docker-registry serve "$dir/config.yml" >"$dir/log" 2>&1 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&- &
  RPID=$!
  SERVERS+=("$RPID")
  wait_until 20 port_of "$RPID" || fail "docker-registry does not start: $(cat "$dir/log")"
  RPORT=$(port_of "$RPID")
  R=localhost:$RPORT RLOG=$dir/log
}
# The same registry on the same port, after it was killed.
docker_registry_again() {
  local dir=${RLOG%/*}
  sed -i "s/127.0.0.1:0/127.0.0.1:$RPORT/" "$dir/config.yml"
  background docker-registry serve "$dir/config.yml"
}

# nginx_server CONFIG: @PORT@ in it becomes a free port, NPORT. It writes its pid file, $T/nginx/pid, once it listens; if another took
# the port in between it ends, and the next one is tried.
nginx_server() {
  local try
  for try in 1 2 3 4 5; do
    NPORT=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    sed "s/@PORT@/$NPORT/" "$1" >"$1.$try"
    nginx -e stderr -c "$1.$try" >"$T/srv/nginx.log" 2>&1 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&- &
    NPID=$!
    SERVERS+=("$NPID")
    wait_until 20 sh -c "[ -s '$T/nginx/pid' ] || ! kill -0 $NPID"
    [ ! -s "$T/nginx/pid" ] || return 0
  done
  fail "nginx does not start: $(cat "$T/srv/nginx.log")"
}

# nginx_registry LISTEN LOG HTTP SERVER: nginx before the docker-registry; sets N, its URL. LISTEN: "", or "ssl" and more, with own_ca's certificate; LOG: the
# form of a line of $T/nginx/access.log; HTTP, SERVER: further directives there.
nginx_registry() {
  mkdir -p "$T/nginx"
  cat >"$T/nginx.conf" <<CONF
daemon off; master_process off; pid $T/nginx/pid; error_log $T/nginx/error.log;
events {}
http {
  client_body_temp_path $T/nginx; proxy_temp_path $T/nginx; fastcgi_temp_path $T/nginx; uwsgi_temp_path $T/nginx; scgi_temp_path $T/nginx;
  log_format f '${2:-\$status \$request}';
  access_log $T/nginx/access.log f;
  ${3:-}
  server {
    listen 127.0.0.1:@PORT@ ${1:-};
    ${1:+ssl_certificate $T/tls.crt; ssl_certificate_key $T/tls.key;}
    ${4:-}
    location / { proxy_pass http://127.0.0.1:$RPORT; proxy_set_header Host \$http_host; }
  }
}
CONF
  nginx_server "$T/nginx.conf"
  N=http${1:+s}://127.0.0.1:$NPORT
}

# bad_registry LAYOUT-DIR: registryd; sets B (host:port), BLOG; rules go to $T/rules.
bad_registry() {
  local port=$T/srv/bad.port
  rm -f "$port"
  BLOG=$T/srv/bad.requests
  : >"$BLOG"
  : >>"$T/rules"
  serve "$port" python3 "$SUITE_SRC/tests/tools/registryd" "$1" "$T/rules" "$BLOG" "$port"
  B=localhost:$(cat "$port")
}
rules() { printf '%s\n' "$@" >"$T/rules"; }
# How many requests of the bad registry's log match.
asked() { grep -cE "$1" "$BLOG" || true; }

# test_image DIR [LAYERS [KIB]]: an OCI layout called img:1 whose layers hold random files, so that they do not compress.
test_image() {
  local i tars=()
  for i in $(seq "${2:-2}"); do
    mkdir -p "$T/lay.$i"
    head -c "$((${3:-40} * 1024))" /dev/urandom >"$T/lay.$i/file$i"
    layer "$T/lay.$i.tar" "$T/lay.$i"
    tars+=("$T/lay.$i.tar")
  done
  mkimage -f oci-dir -z gzip -n img:1 "$1" "${tars[@]}"
  rm -rf "$T"/lay.*
}
# push LAYOUT-DIR NAME:TAG: by skopeo to the docker-registry.
push() { skopeo --insecure-policy copy -q --dest-tls-verify=false ${3:+--dest-creds "$3"} "oci:$1" "docker://$R/$2"; }

# Digests of an image's layers, base first, and of its manifest, in a layout.
manifest_of() { jq -r '.manifests[0].digest' "$1/index.json"; }
blob_file() { echo "$1/blobs/${2/://}"; }
layers_of() { jq -r '.layers[].digest' "$(blob_file "$1" "$(manifest_of "$1")")"; }
layer_of() { layers_of "$1" | sed -n "${2}p"; }

# The store has exactly this image's bytes under the name.
assert_pulled() { # LAYOUT NAME/TAG-FOLDER
  cmp "$(blob_file "$1" "$(manifest_of "$1")")" "$STORE/repos/$2/manifest" || fail "another manifest"
  local d
  for d in $(layers_of "$1"); do
    cmp "$(blob_file "$1" "$d")" "$STORE/layers/$d" || fail "another layer"
  done
}
refute_pulled() { # nothing is visible
  [ -z "$(find "$STORE/layers" -mindepth 1 ! -name '.partial-*' 2>/dev/null)" ] || fail "layers: $(ls -A "$STORE/layers")"
  [ -z "$(find "$STORE/repos" -name TAG 2>/dev/null)" ] || fail "a tag was made"
}

# own_ca: a CA in $T/ca.crt, and a certificate for localhost and 127.0.0.1 in $T/tls.crt, $T/tls.key.
own_ca() {
  (
    cd "$T" || exit 1
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj "/CN=Test CA" -keyout ca.key -out ca.crt
    openssl req -newkey rsa:2048 -nodes -subj "/CN=${1:-localhost}" -keyout tls.key -out tls.csr
    printf 'subjectAltName=%s\n' "${2:-DNS:localhost,IP:127.0.0.1}" >san
    openssl x509 -req -in tls.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile san -out tls.crt
  ) 2>/dev/null
}
