/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Singularity 2.6 and later and Apptainer, mode S1: `exec` of ROOT as a sandbox, in a user namespace where the machine has them. Its process
 * ends when the program has started; the mount namespace that it made lives on with the program.
 */
#ifndef UDOCKER_SINGULARITY_H
#define UDOCKER_SINGULARITY_H

#include "engines/engine.h"

/* engine_probe.flags of this engine. Options of `exec` are known by its help, as they came one by one. */
enum singularity_flags {
	SINGULARITY_APPTAINER = 1,
	SINGULARITY_FAKEROOT = 2, /* --fakeroot */
	SINGULARITY_NO_MOUNT = 4, /* --no-mount LIST */
	SINGULARITY_BIND_PATHS = 8, /* with "bind-paths" in that list */
	SINGULARITY_NV = 16, /* --nv */
	SINGULARITY_ROCM = 32, /* --rocm */
	SINGULARITY_NO_HOME = 64, /* --no-home */
	SINGULARITY_UNDERLAY = 128, /* --underlay */
	SINGULARITY_USERNS = 256, /* a user namespace works here: -u */
	SINGULARITY_SUBIDS = 512, /* the caller has subordinate ids and newuidmap */
};

extern const struct engine engine_singularity;

/* Singularity 2. Releases of Apptainer begin with 1 again: they are later than all of Singularity 3.8. */
bool singularity_is_old(const char *version, unsigned flags);

/* singularity_plan.c */
int singularity_plan(const struct engine_ctx *ctx, const struct engine_probe *probe, struct engine_plan *ret,
	struct err **err);

#endif
