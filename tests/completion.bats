#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# bats: under the sanitizers by hand
# Completions in the real shells.

load helpers

@test "bash completes commands, options and names" {
  busybox_container c1
  complete_bash() { # WORDS...: what bash offers for the last one
    bash --norc -c '
      source /usr/share/bash-completion/bash_completion
      source "$1/root/usr/share/bash-completion/completions/$2"
      shift
      COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_LINE="$*" COMP_POINT=${#COMP_LINE}
      fn=$(complete -p "$1" | sed "s/.*-F \([^ ]*\).*/\1/")
      "$fn" "$1" "${@: -1}" "${@: -2:1}"
      printf "%s\n" "${COMPREPLY[@]}"' bash "$SUITE_SRC" "$@"
  }
  ok complete_bash udocker im
  assert_contains images
  ok complete_bash udocker run --vol
  assert_contains --volume
  ok complete_bash udocker-image load --
  assert_contains --input
  ok complete_bash udocker run c
  assert_contains c1
  ok complete_bash udocker run --cap
  assert_output $'--cap-add\n--cap-drop'
  ok complete_bash udocker setup --execmode T
  assert_output $'T1\nT2'
}

@test "fish completes commands and options" {
  requires fish
  ok fish --no-config -c "source $SUITE_SRC/root/usr/share/fish/vendor_completions.d/udocker.fish; complete -C 'udocker im'"
  assert_contains images
  ok fish --no-config -c "source $SUITE_SRC/root/usr/share/fish/vendor_completions.d/udocker.fish; complete -C 'udocker run --vol'"
  assert_contains --volume
  busybox_container c1
  ok fish --no-config -c "source $SUITE_SRC/root/usr/share/fish/vendor_completions.d/udocker.fish; complete -C 'udocker inspect c'"
  assert_contains c1
  # Options of a later day, the modes, choices, and what runs without a wrapper.
  offers() { # LINE WORDS...
    local line=$1 word
    shift
    ok fish --no-config -c "source $SUITE_SRC/root/usr/share/fish/vendor_completions.d/${line%% *}.fish; complete -C '$line'"
    for word; do assert_matches "(^|"$'\n'")$word("$'\t'"|"$'\n'"|$)"; done
  }
  offers 'udocker run --c' --cap-add --cap-drop --cidfile --cpuset-cpus
  offers 'udocker run --m' --mount --mpi --memory
  offers 'udocker run --pull=' --pull=always --pull=never --pull=reuse
  offers 'udocker setup --execmode=' --execmode=P1 --execmode=R3 --execmode=T1 --execmode=T2
  offers 'udocker-runtime --execmode ' F4 S1 T1 T2
  offers 'udocker-image pu' pull push
  offers 'udocker-bundle create --exec' --execmode
}

@test "zsh loads the completion function and knows the commands" {
  requires zsh
  ok zsh -f -c "fpath=($SUITE_SRC/root/usr/share/zsh/site-functions \$fpath); autoload -U compinit; compinit -u -d $T/dump; autoload +X _udocker; print \${_comps[udocker]}; which _udocker"
  assert_contains _udocker
  assert_contains images
  assert_contains --cap-drop
  assert_contains "R1 R2 R3 T1 T2 P1"
}

# What the key puts into the line, the shell then executes.
# What is typed to make the shell ready is read from standard input; then a command and a name are completed.
by_tabulator() {
  busybox_container box-to-find
  {
    echo wait PROMPT
    cat
    cat <<EOF
type udocker showco\\t --help\\r
wait Usage: udocker showconf
type udocker rmname box-\\t; echo sta''tus \$?\\r
wait status 0
EOF
  } | terminal
  ok udocker ps
  refute_contains box-to-find
}

@test "the tabulator key completes commands and names in zsh" {
  requires zsh
  by_tabulator <<EOF
type PS1='Z''SH> ' zsh -f\\r
wait ZSH>
type fpath=($SUITE_SRC/root/usr/share/zsh/site-functions \$fpath); autoload -U compinit; compinit -u -d $T/dump; echo rea''dy\\r
wait ready
EOF
}

@test "the tabulator key completes commands and names in bash" {
  by_tabulator <<EOF
type exec env PS1='BA''SH> ' bash --norc -i\\r
wait BASH>
type source /usr/share/bash-completion/bash_completion; source $SUITE_SRC/root/usr/share/bash-completion/completions/udocker; echo rea''dy\\r
wait ready
EOF
}
