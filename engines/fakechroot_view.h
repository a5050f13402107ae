/* SPDX-License-Identifier: Apache-2.0 */
/* What a Fakechroot container shows where: ROOT, and the host's files on top of it. Paths become the host's here. */
#ifndef UDOCKER_FAKECHROOT_VIEW_H
#define UDOCKER_FAKECHROOT_VIEW_H

#include "engines/engine.h"

struct fakechroot_bind {
	char *host, *guest;
};

struct fakechroot_view {
	char *rootfs;
	struct fakechroot_bind *binds; /* a later one covers an earlier one at the same place */
	size_t n, cap;
};
void fakechroot_view_free(struct fakechroot_view *v);

/* From the mounts of ctx->config. ERR_UNSUPPORTED for one at "/" or a path with ':'. */
int fakechroot_view_read(const struct engine_ctx *ctx, struct fakechroot_view *ret, struct err **err);

/* Take a bind out: it is not shown after all. */
void fakechroot_view_drop(struct fakechroot_view *v, size_t i);

/* The host's name of an absolute path inside; the caller frees it. */
char *fakechroot_view_path(const struct fakechroot_view *v, const char *path);

/* Does this path of the host, links resolved, lie in the container or in what it is shown? */
bool fakechroot_view_holds(const struct fakechroot_view *v, const char *real);

#endif
