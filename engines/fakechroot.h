/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fakechroot, modes F1 to F4: no namespace, no tracer; a preloaded library puts ROOT in front of the paths that programs give to the C library.
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

/*
 * fakechroot_patch.c. ROOT's programs for the modes F2 (its loader), F3 and F4 (programs and libraries too, by patchelf), and back. What is replaced is
 * kept beside ROOT as it is, until all of it has its place again.
 */
int fakechroot_patch(const struct engine_ctx *ctx, struct err **err);
int fakechroot_unpatch(const struct engine_ctx *ctx, struct err **err);

#define FAKECHROOT_KEEPER "udocker-guest-keep.so" /* guest_keep.c, beside guest_init */
#define FAKECHROOT_RECORDS ".fakechroot" /* folder beside ROOT: what is needed to undo things */
#define FAKECHROOT_ORIGINALS \
	FAKECHROOT_RECORDS "/elf" /* in it: programs that were replaced by patched ones */
#define FAKECHROOT_ROOT_PATH "root.path" /* where ROOT was when it was prepared, as 1.3.x has it */
/* Those of 1.3.x beside ROOT, from F2 on. */
#define FAKECHROOT_LOADER_PATH "ld.so.path" /* the loader, as programs name it */
#define FAKECHROOT_LOADER_ORIGINAL "ld.so.orig" /* its content */
#define FAKECHROOT_PATCH_TIME "patch.time" /* seconds since the epoch */
#define FAKECHROOT_PATCH_PATH "patch.path" /* where the container's folder was */

#endif
