/* SPDX-License-Identifier: Apache-2.0 */
/* The mounts of config.json as a list of places. */
#include "engines/fakechroot_view.h"

#include <unistd.h>

#include "engines/common.h"
#include "oci-spec/runtime_config.h"
#include "pkg/base/err.h"
#include "pkg/base/mem.h"
#include "pkg/base/path.h"

void fakechroot_view_free(struct fakechroot_view *v)
{
	for (size_t i = 0; i < v->n; i++) {
		free(v->binds[i].host);
		free(v->binds[i].guest);
	}
	free(v->binds);
	free(v->rootfs);
	*v = (struct fakechroot_view){ 0 };
}

static void add(struct fakechroot_view *v, const char *host, const char *guest)
{
	v->binds = mem_grow(v->binds, &v->cap, v->n + 1, sizeof(*v->binds));
	v->binds[v->n++] = (struct fakechroot_bind){ xstrdup(host), xstrdup(guest) };
}

static const struct fakechroot_bind *covering(const struct fakechroot_view *v, const char *guest)
{
	const struct fakechroot_bind *best = NULL;

	for (size_t i = 0; i < v->n; i++)
		if (path_is_below(guest, v->binds[i].guest) &&
			(!best || strlen(v->binds[i].guest) >= strlen(best->guest)))
			best = &v->binds[i];
	return best;
}

char *fakechroot_view_path(const struct fakechroot_view *v, const char *path)
{
	const struct fakechroot_bind *b = covering(v, path);
	const char *rest = b ? path + strlen(b->guest) : path;

	if (b)
		return *rest ? path_join(b->host, rest) : xstrdup(b->host);
	return str_eq(path, "/") ? xstrdup(v->rootfs) : xjoin3(v->rootfs, path, "");
}

bool fakechroot_view_holds(const struct fakechroot_view *v, const char *real)
{
	if (path_is_below(real, v->rootfs))
		return true;
	for (size_t i = 0; i < v->n; i++)
		if (path_is_below(real, v->binds[i].host))
			return true;
	return false;
}

/* The kernel's own, where the host has them. */
static void add_kernel(struct fakechroot_view *v, const struct runtime_mount *m)
{
	const char *host = engine_kernel_place(m->type);

	if (host && access(host, F_OK) == 0)
		add(v, host, m->destination);
	if (str_eq(m->type, "tmpfs") && path_is_below(m->destination, "/dev") &&
		access(m->destination, F_OK) == 0)
		add(v, m->destination, m->destination);
}

static int add_mount(struct fakechroot_view *v, const struct engine_ctx *ctx, const struct runtime_mount *m,
	struct err **err)
{
	autofree char *host = NULL;

	if (str_eq(m->destination, "/"))
		return err_make(err, ERR_UNSUPPORTED, "fakechroot cannot mount anything at /");
	if (!m->bind) {
		add_kernel(v, m);
		return 0;
	}
	host = *m->source == '/' ? path_clean(m->source) : path_join(ctx->bundle, m->source);
	if (strchr(host, ':') || strchr(m->destination, ':')) {
		err_make(err, ERR_UNSUPPORTED, "fakechroot cannot show '%s' at '%s': there is a ':' in it",
			host, m->destination);
		return err_hint(err, "choose a path without it, or another execution mode");
	}
	add(v, host, m->destination);
	return 0;
}

void fakechroot_view_drop(struct fakechroot_view *v, size_t i)
{
	free(v->binds[i].host);
	free(v->binds[i].guest);
	v->n--;
	memmove(&v->binds[i], &v->binds[i + 1], (v->n - i) * sizeof(*v->binds));
}

int fakechroot_view_read(const struct engine_ctx *ctx, struct fakechroot_view *ret, struct err **err)
{
	auto_runtime_mounts mounts = RUNTIME_MOUNTS_INIT;

	ret->rootfs = xstrdup(ctx->rootfs);
	if (strchr(ctx->rootfs, ':'))
		return err_make(err, ERR_UNSUPPORTED,
			"fakechroot cannot run '%s': there is a ':' in its path", ctx->rootfs);
	if (runtime_mounts_read(ctx->config, &mounts, err) < 0)
		return -1;
	for (size_t i = 0; i < mounts.n; i++)
		if (add_mount(ret, ctx, &mounts.items[i], err) < 0)
			return -1;
	return 0;
}
