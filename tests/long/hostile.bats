#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What hostile-layer.bats shows with less.

load ../hostile

@test "40,000 folders below each other" {
  layer_case "deep" ok "" '[ -d "$ROOT/d/d/d" ]' < <(deep_folders 19)
  layer_case "removed by a whiteout" ok "" '[ ! -e "$ROOT/d" ]' < <(deep_folders 5 && printf -- '---\nfile .wh.d\n')
}
