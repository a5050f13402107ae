#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# bats: not under the sanitizers
# The registry commands of `udocker` beside those of udocker 1.3.x: every option in every spelling, the same output, the same files.

load helpers
load registry

setup() {
  common_setup
  registry_setup
  export UDOCKER_TARBALL=
  udocker mkrepo "$STORE" # 1.3.x tells when it makes one
  PYTHON=(udocker.py)
  [ "$(id -u)" != 0 ] || PYTHON+=(--allow-root)
}

index_server() { # FORMS
  rm -f "$T/srv/index.port"
  serve "$T/srv/index.port" python3 "$SUITE_SRC/tests/tools/indexd" "$1" "$T/index.json" "$T/srv/index.requests" "$T/srv/index.port"
  I=http://127.0.0.1:$(cat "$T/srv/index.port")
}
# The same command of 1.3.x and of ours gives the same standard output.
same() {
  ok "${PYTHON[@]}" "$@"
  local theirs=$output
  ok udocker "$@"
  [ "$output" = "$theirs" ] || fail "1.3.x says: $theirs"
}

@test "every option of pull, search, manifest inspect, login and logout, with = and with a blank" {
  docker_registry
  test_image img 1
  push img library/app:1
  printf '[{"name":"app","description":"d","stars":1,"official":true}]' >index.json
  index_server v2
  printf '[DEFAULT]\nhttp_agent = of-the-site/1.0\n' >agent.conf
  : >"$RLOG"
  ok udocker --config=agent.conf pull --registry="http://$R" app:1
  grep -q 'of-the-site/1.0' "$RLOG" || fail "the log: $(cat "$RLOG")"
  ok udocker rmi app:1
  local proxy=http://127.0.0.1:$RPORT url=http://$R glue
  for glue in = ' '; do
    IFS=$' \n' read -r -a options <<<"--registry$glue$url --platform${glue}linux/amd64"
    ok udocker pull "${options[@]}" app:1
    ok udocker rmi app:1
    ok udocker manifest "${options[@]}" inspect app:1
    ok udocker manifest inspect "${options[@]}" app:1
    # docker-registry does for a proxy of its own requests: it takes no notice of the host in them.
    IFS=$' \n' read -r -a options <<<"--index${glue}http://127.0.0.1:1 --httpproxy$glue$proxy --registry$glue$url"
    ok udocker pull "${options[@]}" app:1
    ok udocker rmi app:1
    ok udocker manifest inspect "${options[@]}" app:1
    ok udocker manifest "${options[@]}" inspect app:1
    ok udocker search "${options[@]}" --list-tags app
    assert_output 1
    IFS=$' \n' read -r -a options <<<"--index$glue$I"
    ok udocker search "${options[@]}" -a --no-trunc app
    assert_contains "[OK] d "
    IFS=$' \n' read -r -a options <<<"--username${glue}me --password${glue}word --registry$glue$url"
    ok udocker login "${options[@]}"
    IFS=$' \n' read -r -a options <<<"--registry$glue$url"
    ok udocker logout "${options[@]}"
    ok sh -c "printf word | udocker login --username${glue}me --password-stdin --registry$glue$url"
    ok udocker logout -a
    fails 1 udocker logout "${options[@]}"
  done
  # Options of the program stand in front of the command.
  ok udocker -q --insecure --repo="$STORE" pull --registry="$R" app:1
  assert_no_stderr
  ok udocker -D --insecure pull "$R/library/app:1"
  fails 1 udocker pull --none app:1
  fails 1 udocker pull
  fails 1 udocker manifest
  assert_one_error_line
}

@test "search prints what 1.3.x prints" {
  requires python-udocker
  jq -nc '[{name: "app", description: "the official one", stars: 12000, official: true},
    {name: "org/\("long" * 25)", description: "two lines\nof text, and \("long " * 20)", stars: 0, official: false},
    {name: "org/app", description: "", stars: 99999999, official: false}]' >index.json
  local form
  for form in v2 v1; do
    index_server "$form"
    same search -a --index="$I" o
    same search -a --no-trunc --index="$I" o
    same -q search -a --index="$I" o
    # Of an old index without results 1.3.x ends in a traceback.
    [ "$form" = v1 ] || same search -a --index="$I" nothing-like-this
  done
}

@test "search --list-tags and manifest inspect print what 1.3.x prints" {
  requires python-udocker
  docker_registry
  test_image img 2
  push img library/app:1
  same search --list-tags --registry="http://$R" app
  same manifest --registry="http://$R" inspect app:1
}

@test "login: 1.3.x uses what we stored, and we what it stored" {
  requires python-udocker
  printf 'me:%s\n' "$(python3 -W ignore -c 'import crypt; print(crypt.crypt("s3cret", crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=16)))' | sed 's/^\$2b/$2y/')" >"$T/srv/htpasswd"
  docker_registry "auth: {htpasswd: {realm: r, path: $T/srv/htpasswd}}"
  test_image img 1
  push img library/app:1 me:s3cret
  ok sh -c "printf s3cret | udocker login --username=me --password-stdin --registry=http://$R"
  ok "${PYTHON[@]}" pull --registry="http://$R" app:1
  ok udocker-image verify app:1
  ok udocker rmi app:1
  ok udocker logout --registry="http://$R"
  ok "${PYTHON[@]}" login --username=me --password=s3cret --registry="http://$R"
  [ "$(stat -c %a "$HOME/.udocker/keystore")" = 600 ]
  ok udocker pull --registry="http://$R" app:1
  ok "${PYTHON[@]}" logout --registry="http://$R"
  ok udocker rmi app:1
  fails 1 udocker pull --registry="http://$R" app:1
  assert_one_error_line
}
