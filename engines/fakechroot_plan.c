/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From config.json to what Fakechroot needs: a library that fits ROOT, its library folders, and how each mount is shown. The engine's
 * process is guest_init itself, as one of the host; what it runs is fakechroot_entry.c's.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engines/common.h"
#include "engines/fakechroot.h"
#include "engines/fakechroot_entry.h"
#include "oci-spec/runtime_config.h"
#include "pkg/base/err.h"
#include "pkg/base/fs.h"
#include "pkg/base/mem.h"
#include "pkg/base/path.h"
#include "pkg/base/proc.h"
#include "pkg/base/str.h"

/* Is a container that was set up for one mode fit for the other? What F1 needs, all of them have. */
static bool is_for(const char *set, const char *mode)
{
	return set[0] == 'F' && (mode[1] == '1' || set[1] == mode[1]);
}

/* root.path and execmode of the bundle say that ROOT was converted for these modes, and where it was then. */
static int check_prepared(const struct engine_ctx *ctx, struct err **err)
{
	autoclose int fd = open(ctx->bundle, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool throw_away = str_eq(runtime_annotation(ctx->config, ANNOTATION_PREPARE), "true");
	auto_str root = STR_INIT, mode = STR_INIT;

	if (fd < 0)
		return err_sys(err, errno, "bundle '%s'", ctx->bundle);
	(void)fs_read(fd, FAKECHROOT_ROOT_PATH, ELF_PATH_MAX, &root, FS_BENEATH); /* none: not prepared */
	(void)fs_read(fd, "execmode", 16, &mode, FS_BENEATH);
	str_trim(&root);
	if (!root.len && throw_away && ctx->looks)
		return 0; /* create will prepare it */
	if (!root.len || (!throw_away && !is_for(str_text(&mode), ctx->mode))) {
		err_make(err, ERR_ENGINE, "'%s' is not set up for mode %s", ctx->rootfs, ctx->mode);
		return err_hint(err,
			"udocker setup --execmode=%s CONTAINER, or for a bundle the "
			"annotation " ANNOTATION_PREPARE "=true",
			ctx->mode);
	}
	if (str_eq(str_text(&root), ctx->rootfs))
		return 0;
	err_make(err, ERR_ENGINE, "the container was set up for mode %s in %s and lies in %s now", ctx->mode,
		str_text(&root), ctx->rootfs);
	return err_hint(err, "udocker setup --force --execmode=%s CONTAINER", ctx->mode);
}

static int choose_library(const struct engine_ctx *ctx, struct fakechroot_entry *e, struct err **err)
{
	guest_root_libraries(ctx->rootfs, &e->folders);
	guest_root_libc(ctx->rootfs, &e->folders, &e->guest);
	if (e->guest.libc == GUEST_LIBC_NONE) {
		err_make(err, ERR_UNSUPPORTED,
			"mode %s cannot confine this container: it has no C library, so its programs are "
			"static",
			ctx->mode);
		return err_hint(err, "choose P1 or R1 with udocker setup --execmode");
	}
	if (guest_library_find(ctx->bundle, ctx->rootfs, &e->guest, &e->library, err) == 0)
		return 0;
	return err_add(err, "mode %s", ctx->mode);
}

/* A bind at another place than the host has it, for a library without a map. True: it is shown, by a link. */
static int place_link(const struct engine_ctx *ctx, struct fakechroot_entry *e, struct engine_plan *plan,
	size_t i, bool *ret_shown, struct err **err)
{
	const struct fakechroot_bind *b = &e->view.binds[i];
	struct stat st;

	*ret_shown = fakechroot_link_fits(&e->view, b->guest, b->host);
	if (*ret_shown) {
		strv_add(&e->links, b->guest);
		return 0;
	}
	/* What we generate ourselves is a convenience; what somebody asks for is not. */
	if (path_is_below(b->host, ctx->state_dir)) {
		strv_addf(&plan->notes, "fakechroot %s shows the container's own %s", e->library.version,
			b->guest);
		return 0;
	}
	if (stat(b->host, &st) == 0 && !S_ISDIR(st.st_mode))
		err_make(err, ERR_UNSUPPORTED,
			"fakechroot %s cannot show '%s' at '%s': the container has a file there",
			e->library.version, b->host, b->guest);
	else
		err_make(err, ERR_UNSUPPORTED,
			"fakechroot %s cannot show '%s' at '%s': what the container has there is not an "
			"empty directory",
			e->library.version, b->host, b->guest);
	return err_hint(err, "choose another place for it, or P1 or R1 with udocker setup --execmode");
}

static int place_binds(
	const struct engine_ctx *ctx, struct fakechroot_entry *e, struct engine_plan *plan, struct err **err)
{
	for (size_t i = 0; i < e->view.n;) {
		const struct fakechroot_bind *b = &e->view.binds[i];
		bool shown = str_eq(b->host, b->guest) || e->library.has_map;

		if (!shown && place_link(ctx, e, plan, i, &shown, err) < 0)
			return -1;
		if (!shown) {
			fakechroot_view_drop(&e->view, i);
			continue;
		}
		strv_add(&plan->sources, b->host);
		i++;
	}
	return 0;
}

static int fill(
	const struct engine_ctx *ctx, struct fakechroot_entry *e, struct engine_plan *plan, struct err **err)
{
	e->bundle = xstrdup(ctx->bundle);
	e->guest_init = xstrdup(ctx->guest_init);
	memcpy(e->mode, ctx->mode, sizeof("F1"));
	if (proc_sibling_library(FAKECHROOT_KEEPER, &e->keeper, err) < 0 || check_prepared(ctx, err) < 0 ||
		fakechroot_view_read(ctx, &e->view, err) < 0 || choose_library(ctx, e, err) < 0)
		return -1;
	return place_binds(ctx, e, plan, err);
}

int fakechroot_plan(const struct engine_ctx *ctx, const struct engine_probe *probe, struct engine_plan *ret,
	struct err **err)
{
	CLEANUP(fakechroot_entry_drop) struct fakechroot_entry *e = fakechroot_entry_new();
	struct engine_plan plan = { 0 };

	(void)probe;
	if (engine_check_answers(&engine_fakechroot, ctx, &plan, err) < 0 || fill(ctx, e, &plan, err) < 0) {
		engine_plan_free(&plan);
		return -1;
	}
	strv_add(&plan.argv, ctx->guest_init);
	plan.init_path = xstrdup(ctx->guest_init);
	strv_dup(&plan.env, &ctx->env);
	plan.cwd = xstrdup("/");
	plan.supervise = plan.in_place = true;
	plan.entry = &steal_ptr(&e)->entry;
	*ret = plan;
	return 0;
}
