/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fakechroot, mode F1: no namespace, no tracer; a preloaded library puts ROOT in front of the paths that programs give to the C library.
 * There is no process of an engine: guest_init is one of the host, and runs each program by way of itself (guest_loader.h).
 */
#ifndef UDOCKER_FAKECHROOT_H
#define UDOCKER_FAKECHROOT_H

#include "engines/engine.h"

extern const struct engine engine_fakechroot;

/* fakechroot_plan.c */
int fakechroot_plan(const struct engine_ctx *ctx, const struct engine_probe *probe, struct engine_plan *ret,
	struct err **err);

/*
 * fakechroot_root.c. ROOT for these modes and back: absolute symbolic links lead to the host's kernel, so that they get ROOT's own path in
 * front. Idempotent; killed in the middle it can be repeated, or the other one called. `restore` also takes away what runs have put at mount points.
 */
int fakechroot_prepare(const struct engine_ctx *ctx, struct err **err);
int fakechroot_restore(const struct engine_ctx *ctx, struct err **err);

/*
 * The links that stand for volumes in ROOT (fakechroot_links.c) are taken away, what they replaced is put back. Records of links that somebody
 * has changed since are only dropped. Nothing recorded is success.
 */
int fakechroot_links_undo(const char *bundle, const char *rootfs, struct err **err);

#define FAKECHROOT_RECORDS ".fakechroot" /* folder beside ROOT: what is needed to undo things */
#define FAKECHROOT_ROOT_PATH "root.path" /* where ROOT was when it was prepared, as 1.3.x has it */

#endif
