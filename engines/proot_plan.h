/* SPDX-License-Identifier: Apache-2.0 */
/* How PRoot is called (udocker-compat 7.2). */
#ifndef UDOCKER_PROOT_PLAN_H
#define UDOCKER_PROOT_PLAN_H

#include "engines/engine.h"

/* struct engine.plan of engine_proot. */
int proot_plan(const struct engine_ctx *ctx, const struct engine_probe *probe, struct engine_plan *ret,
	struct err **err);

/* Where PRoot extracts its loader: PROOT_TMP_DIR of `env` or (NULL) of ours, else the setting tmpdir, else /tmp. Caller frees. */
char *proot_tmp_dir(const struct strv *env);

#endif
