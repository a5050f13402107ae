#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# search: an index as Docker Hub's (tests/tools/indexd stands for it), the catalogue of a docker-registry, the pages of `udocker search`.

load helpers
load registry

setup() {
  common_setup
  registry_setup
  BOUND=(bounded -t 300 -m 64)
  ! grep -q __asan_init "$SUITE_BIN/udocker-image" || BOUND=(bounded -t 300)
}

# An index of these forms with 60 repositories; sets I (its URL) and ILOG.
index_server() {
  ILOG=$T/srv/index.requests
  rm -f "$T/srv/index.port"
  [ -e "$T/index.json" ] || jq -nc '[{name: "app", description: "the official one", stars: 12000, official: true}] +
    [range(59) | {name: "org/app\(.)", description: "number \(.), \("long " * 20)", stars: ., official: false}]' >"$T/index.json"
  serve "$T/srv/index.port" python3 "$SUITE_SRC/tests/tools/indexd" "$1" "$T/index.json" "$ILOG" "$T/srv/index.port"
  I=http://127.0.0.1:$(cat "$T/srv/index.port")
}
requests() { wc -l <"$ILOG"; }
rows() { grep -c org/app <<<"$output"; }

@test "an index is asked: 25 results, --limit, -a, names alone, JSON" {
  index_server v2
  export UDOCKER_INDEX=$I
  ok udocker-image search app
  [ "$(rows)" -eq 24 ] || fail "not 25 results"
  assert_matches '^NAME +STARS +OFFICIAL +DESCRIPTION'
  assert_matches $'\napp +12000 +yes +the official one\n'
  assert_matches $'\norg/app0 +0 +number 0, long [a-z ]*\.\.\.\n'
  assert_stderr_contains "more than 25"
  ok udocker-image search --no-trunc --limit 3 app
  [ "$(rows)" -eq 2 ] && [[ $output != *...* ]] || fail "not three whole results"
  assert_no_stderr
  ok udocker-image search -a app
  [ "$(rows)" -eq 59 ] || fail "not all"
  assert_no_stderr
  ok udocker-image search -q --limit=2 app
  assert_output $'app\norg/app0'
  ok udocker-image search -q --limit 0 app
  [ "$(wc -l <<<"$output")" -eq 25 ] || fail "0 is not as without --limit"
  assert_stderr_contains "more than 25"
  ok udocker-image search --format=json --limit 30 app
  [ "$(jq -c '[length, .[0]]' <<<"$output")" = '[30,{"name":"app","description":"the official one","stars":12000,"official":true}]' ]
  ok udocker-image search --format json nothing
  assert_output '[]'
  fails 2 udocker-image search --limit -1 app
  fails 2 udocker-image search --limit 10001 app
  fails 2 udocker-image search app too
}

@test "--index names another index; the old form is used where the new one is not there; the expression is escaped (FIX-56)" {
  index_server v1
  ok udocker-image search --index "$I/" -a app
  [ "$(rows)" -eq 59 ] || fail "not all"
  : >"$ILOG"
  ok udocker-image search --index="$I" 'a b&page=9/é'
  grep -qxF '/v1/search?q=a%20b%26page%3D9%2F%C3%A9&page=1&n=25 -' "$ILOG" || fail "$(cat "$ILOG")"
  ok udocker-image search -q --limit 60 --index="$I"
  [ "$(wc -l <<<"$output")" -eq 60 ] || fail "no expression is all"
  ok udocker-image search -q --index="$I" docker.io/org/app58:latest
  assert_output org/app58
}

@test "udocker search: the columns of 1.3.x, a page at a time, header on each" {
  index_server v2
  export UDOCKER_INDEX=$I
  ok udocker search -a app
  [ "$(sed -n 1p <<<"$output")" = "$(printf '%-55.80s %8.8s %-70.70s %5.5s' NAME OFFICIAL DESCRIPTION STARS)" ] || fail "header"
  [ "$(sed -n 2p <<<"$output")" = "$(printf '%-55.80s %8.8s %-70.70s %5.5s' app '[OK]' 'the official one' 12000)" ] || fail "first row"
  [ "$(sed -n 3p <<<"$output")" = "$(printf '%-55.80s %8.8s %-70.70s %5.5s' org/app0 ---- "number 0, $(printf 'long %.0s' {1..20})" 0)" ] || fail "cut"
  [ "$(rows)" -eq 59 ] || fail "not all"
  ok udocker search -a --no-trunc app
  [[ $output == *"number 58, $(printf 'long %.0s' {1..19})long    58"* ]] || fail "not whole"
  ok udocker -q search -a app
  refute_contains STARS
  # Nobody is there to ask for the second page; a line asks for one, q for none.
  : >"$ILOG"
  ok udocker search app </dev/null
  [ "$(rows)" -eq 21 ] && [ "$(requests)" -eq 1 ] || fail "not one page"
  ok sh -c 'printf "\n" | udocker search app'
  [ "$(rows)" -eq 43 ] && [ "$(grep -c '^NAME ' <<<"$output")" -eq 2 ] || fail "not two pages"
  ok sh -c 'printf "\n\n\n\n" | udocker search app'
  [ "$(rows)" -eq 59 ] || fail "not all"
  for key in q Q e E; do
    ok sh -c "printf '$key\n\n' | udocker search app"
    [ "$(rows)" -eq 21 ] || fail "$key does not end it"
  done
  ok sh -c 'yes "" | udocker search --limit 30 app'
  [ "$(rows)" -eq 29 ] || fail "not 30"
}

@test "udocker search on a terminal: as many lines as it has, and a question" {
  index_server v2
  export UDOCKER_INDEX=$I
  printf '\nq\n' >keys
  ok script -qec "stty rows 12 cols 200; udocker search app" /dev/null <keys
  [ "$(grep -o 'return or q to quit' <<<"$output" | wc -l)" -eq 2 ] || fail "questions"
  [ "$(rows)" -eq 19 ] || fail "not two pages of ten"
  grep -q 'page_size=10&page=2' "$ILOG" || fail "$(cat "$ILOG")"
}

@test "a registry's catalogue: filtered, in pages, with --registry and by host" {
  local i
  docker_registry
  test_image img 1
  for i in one two app/three; do push img "some/$i:1"; done
  push img "other:1"
  ok udocker-image search -q --registry "http://$R" some/
  assert_output $'some/app/three\nsome/one\nsome/two'
  ok udocker-image search -q --insecure "$R/SOME"
  assert_output "$(printf '%s\n' "$R/some/app/three" "$R/some/one" "$R/some/two")"
  ok udocker-image search --format json --limit 1 --registry "http://$R" one
  [ "$(jq -c . <<<"$output")" = '[{"name":"some/one","description":"","stars":null,"official":false}]' ] || fail "JSON"
  ok udocker search -a --registry "http://$R" other
  [ "$(sed -n 2p <<<"$output")" = "$(printf '%-55.80s %8.8s %-70.70s %5.5s' other ---- '' '')" ] || fail "row"
  ok udocker-image search -q --insecure "$R/"
  [ "$(wc -l <<<"$output")" -eq 4 ] || fail "not all"
  ok udocker-image search -q --limit 2 --insecure "$R/"
  [ "$(wc -l <<<"$output")" -eq 2 ] || fail "not two"
  # What was found can be pulled by the name that was shown.
  ok udocker-image pull -q --insecure "$R/some/app/three:1"
}

@test "a catalogue of many pages of docker-registry itself" {
  local dir
  docker_registry
  # The catalogue is what has a folder: pushing 1,010 images would take minutes.
  dir=${RLOG%/*}/data/docker/registry/v2/repositories
  mkdir -p "$dir"
  (cd "$dir" && mkdir -p n{0001..1010}/{_manifests,_layers,_uploads})
  ok udocker-image search -q -a --registry "http://$R"
  [ "$(sort -u <<<"$output" | wc -l)" -eq 1010 ] || fail "not 1010"
  ok udocker-image search -q --registry "http://$R" n1010
  assert_output n1010
}

@test "a catalogue behind a password and behind tokens" {
  printf 'me:%s\n' "$(python3 -W ignore -c 'import crypt; print(crypt.crypt("s3cret", crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=16)))' | sed 's/^\$2b/$2y/')" >"$T/srv/htpasswd"
  docker_registry "auth: {htpasswd: {realm: r, path: $T/srv/htpasswd}}"
  test_image img 1
  push img app:1 me:s3cret
  fails 1 udocker-image search --registry "http://$R" app
  assert_one_error_line
  assert_stderr_contains login
  printf s3cret | udocker-image -q login -u me --password-stdin --registry "http://$R"
  ok udocker-image -D search -q --registry "http://$R" app
  assert_output app
  refute_stderr_contains s3cret
  own_ca
  serve "$T/srv/token.port" python3 "$SUITE_SRC/tests/tools/tokend" "$T/tls.crt" "$T/tls.key" 300 "$T/srv/tokens" "$T/srv/token.port"
  docker_registry "auth: {token: {realm: \"http://127.0.0.1:$(cat "$T/srv/token.port")/token\", service: reg, issuer: test, rootcertbundle: $T/ca.crt}}"
  push img app:1 me:s3cret
  fails 1 udocker-image search --registry "http://$R" app
  assert_one_error_line
  printf s3cret | udocker-image -q login -u me --password-stdin --registry "http://$R"
  : >"$T/srv/tokens"
  ok udocker-image search -q --registry "http://$R" app
  assert_output app
  grep -qxF 'me registry:catalog:*' "$T/srv/tokens" || fail "$(cat "$T/srv/tokens")"
}

@test "--list-tags" {
  docker_registry
  test_image img 1
  push img app:1
  push img app:2.0
  ok udocker search --list-tags --registry="http://$R" app
  [ "$(sort <<<"$output")" = $'1\n2.0' ] || fail "not the tags"
  ok udocker-image search --insecure --list-tags --format json "$R/app"
  [ "$(jq -c sort <<<"$output")" = '["1","2.0"]' ] || fail "not the tags"
  fails 1 udocker search --list-tags --registry="http://$R" none
  assert_one_error_line
  fails 1 udocker search --list-tags
}

@test "no search there: web pages, nothing, nobody" {
  index_server web
  fails 1 udocker-image search --index "$I" app
  assert_one_error_line
  assert_stderr_contains "neither a search nor a catalogue"
  fails 1 udocker search --registry "$I" app
  assert_one_error_line
  fails 1 udocker search --index http://127.0.0.1:1 app
  assert_one_error_line
  UDOCKER_INDEX=http://127.0.0.1:1 UDOCKER_REGISTRY=http://127.0.0.1:1 fails 1 udocker search app
  assert_one_error_line
  fails 2 udocker-image search --index "http://me:s3cret@127.0.0.1:1" app
  assert_one_error_line
  refute_stderr_contains s3cret
}

@test "texts of an index are lines without control characters, and no name draws on the terminal" {
  local form
  python3 - "$T/index.json" <<'PY'
import json, sys
rows = [("\x1b]0;owned\x07evil/app", "\x1b[31mred\x1b[0m \x9b2J\u202egnp.exe\u2066 end\nsecond line"),
        ("evil/\u202eapp\r\nforged/app  99999  [OK]", "\n\n \t first that says something \x00 \r\n x"),
        ("\x1b\x07", "no name is left"), ("evil/" + "a" * 5000, "é" * 5000), ("evil/bad\x7f", "tab\there")]
json.dump([{"name": n, "description": d.replace("\x00", ""), "stars": s, "official": False} for (n, d), s in zip(rows, [-5, 10**30, 1.5, "x", None])], open(sys.argv[1], "w"))
PY
  for form in v2 v1; do
    index_server "$form"
    for command in "udocker-image search" "udocker search -a" "udocker search -a --no-trunc" "udocker-image search -q" "udocker-image search --format json --limit 9"; do
      ok $command --index "$I" '*'
      ! LC_ALL=C grep -qP '[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80[\xaa-\xae]|\xe2\x81[\xa6-\xa9]' <<<"$output" || fail "control characters"
      refute_contains "second line"
      refute_contains "no name is left"
      assert_contains "]0;ownedevil/app"
    done
    ok udocker-image search --format json --index "$I" '*'
    [ "$(jq -c '[.[] | .stars]' <<<"$output")" = '[null,null,null,null]' ] || fail "absurd numbers"
    [ "$(jq -r '.[1].description' <<<"$output")" = "first that says something" ] || fail "first line"
    [ "$(jq '[.[] | .name, .description | utf8bytelength] | max' <<<"$output")" -le 1000 ] || fail "not cut"
  done
}

@test "lists without end are left" {
  index_server v2,v1
  ok udocker-image search -q -a --index "$I" endless
  [ "$(wc -l <<<"$output")" -eq 10000 ] || fail "not left at 10,000"
  [ "$(requests)" -eq 100 ] || fail "$(requests) requests"
  ok udocker-image search -q -a --index "$I" circle
  test_image img 1
  bad_registry img
  rules 'v2/search 9 status 404' 'v1/search 9 status 404' '_catalog 99999 pages repositories'
  fails 1 udocker-image search --registry "http://$B" x
  assert_one_error_line
  assert_stderr_contains "pages of repositories"
  rules 'v2/search 9 endless-tags'
  fails 1 "${BOUND[@]}" udocker-image search --index "http://$B" x
  assert_one_error_line
  rules 'v1/search 9 status 404' '_catalog 9 body 200 {"repositories":["b","A B","../x","\\u001b[31m","c",7,null,"a/b"]}' 'v2/search 9 body 200 {"results":7}'
  ok udocker-image search -q --registry "http://$B"
  assert_output $'b\nc\na/b'
}
