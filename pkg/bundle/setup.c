/* SPDX-License-Identifier: Apache-2.0 */
/* Changing the mode: undo what the old engine did to ROOT, do what the new one needs, then commit by the execmode file. */
#include "pkg/bundle/setup.h"

#include <errno.h>
#include <sys/stat.h>

#include "engines/engine.h"
#include "engines/fakechroot.h"
#include "engines/mountpoints.h"
#include "pkg/base/atomic.h"
#include "pkg/base/err.h"
#include "pkg/base/fs.h"
#include "pkg/base/json.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/base/path.h"
#include "pkg/base/str.h"
#include "pkg/bundle/config.h"
#include "pkg/bundle/create.h"
#include "pkg/bundle/fixperm.h"
#include "pkg/bundle/nvidia.h"
#include "pkg/conf/conf.h"
#include "pkg/store/containers.h"

#define BOUND_ORIGINALS ".bind_orig_files"

static bool is_auto(const char *mode)
{
	return strcasecmp(mode, "auto") == 0;
}

const char *bundle_default_mode(const char *rootfs)
{
	const char *configured = conf_str(CONF_DEFAULT_EXECUTION_MODE);

	const char *light;

	if (*configured && !is_auto(configured))
		return configured;
	light = engine_light_mode(rootfs);
	return light ? light : "auto";
}

char *bundle_mode(int dirfd, const char *rootfs)
{
	autofree char *mode = container_mode(dirfd);

	return *mode ? steal_ptr(&mode) : xstrdup(bundle_default_mode(rootfs));
}

int bundle_mode_check(const char *text, char ret[BUNDLE_MODE_LEN + 1], struct err **err)
{
	char mode[BUNDLE_MODE_LEN + 1] = "";

	if (strlen(text) == BUNDLE_MODE_LEN)
		for (int i = 0; i < BUNDLE_MODE_LEN; i++)
			mode[i] = (char)(text[i] >= 'a' && text[i] <= 'z' ? text[i] - 'a' + 'A' : text[i]);
	if (!engine_mode_is_valid(mode)) {
		err_make(err, ERR_USAGE, "'%s' is no execution mode", text);
		return err_hint(err, "choose one of P1 P2 F1 F2 F3 F4 R1 R2 R3 S1 T1 T2, or auto");
	}
	memcpy(ret, mode, sizeof(mode));
	return 0;
}

int bundle_mode_write(int dirfd, const char *dir, const char *mode, unsigned flags, struct err **err)
{
	autofree char *root = path_join(dir, CONTAINER_ROOT);

	/* The mode last: it is what makes the change. */
	if (atomic_write(dirfd, BUNDLE_ROOT_PATH_FILE, root, strlen(root), 0644, flags, err) < 0)
		return -1;
	return atomic_write(dirfd, CONTAINER_FILE_MODE, mode, strlen(mode), 0644, flags, err);
}

/* ---- changing ------------------------------------------------------------------------------------------------------------ */

static int open_root(const struct container *c, struct err **err)
{
	int fd = openat(c->fd, CONTAINER_ROOT, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? err_sys(err, errno, "%s", c->root) : fd;
}

static int purge(const struct container *c, struct err **err)
{
	autoclose int root = open_root(c, err);

	if (root < 0 || fakechroot_links_undo(c->dir, c->root, err) < 0)
		return -1;
	return mountpoints_purge(root, c->fd, err);
}

static int fix_permissions(const struct container *c, struct err **err)
{
	autoclose int root = open_root(c, err);

	return root < 0 ? -1 : bundle_fixperm(root, err);
}

typedef int engine_step_fn(const struct engine_ctx *ctx, struct err **err);

static int run_step(const struct container *c, engine_step_fn *step, const char *mode, struct err **err)
{
	struct engine_ctx ctx = {
		.mode = mode, .bundle = c->dir, .rootfs = c->root, .uid = geteuid(), .gid = getegid()
	};

	return step ? step(&ctx, err) : 0;
}

/* What the old mode did to ROOT. */
static int leave_mode(const struct container *c, const char *old, const char *mode, struct err **err)
{
	const struct engine *e = engine_by_mode(old);

	if (old[0] == 'R' && mode[0] != 'R' && fs_exists(c->fd, BOUND_ORIGINALS) && purge(c, err) < 0)
		return -1;
	return e ? run_step(c, e->restore, old, err) : 0;
}

static int enter_mode(const struct container *c, const char *mode, struct err **err)
{
	const struct engine *e = engine_by_mode(mode);

	return e ? run_step(c, e->prepare, mode, err) : 0;
}

/* With --force a failed step is a warning. */
static int forgive(bool force, int r, struct err **e, struct err **err)
{
	if (r >= 0)
		return 0;
	if (!force)
		return err_move(err, e);
	log_warning("%s; going on because of --force", err_text(*e));
	err_clear(e);
	return 0;
}

/* config.json follows the mode. A container without metadata has none and needs none for that. */
static int refresh_config(struct store *s, const struct container *c, const char *mode, struct err **err)
{
	struct bundle_source src = BUNDLE_SOURCE_INIT;
	autofree char *image = container_image_name(c->fd);
	auto_strv names = STRV_INIT;
	auto_json *metadata = NULL;
	auto_err *e = NULL;

	if (container_metadata(c->fd, &metadata, &e) < 0) {
		log_verbose("%s: no config.json: %s", c->id, err_text(e));
		return 0;
	}
	if (container_names(s, c->id, &names, err) < 0)
		return -1;
	src.dir = c->dir;
	src.dirfd = c->fd;
	src.root = CONTAINER_ROOT;
	src.image = metadata;
	src.id = c->id;
	src.names = &names;
	src.image_name = image;
	src.execmode = mode;
	return bundle_write_config(&src, err);
}

/* The mode that an interrupted change was on the way to; "" if there was none. The caller frees. */
static char *interrupted_mode(int dirfd)
{
	auto_str mode = STR_INIT;

	(void)fs_read(dirfd, ENGINE_MODE_NEXT, BUNDLE_MODE_LEN, &mode, FS_BENEATH); /* none */
	return str_steal(&mode);
}

/*
 * The driver's files follow the mode: copied where it cannot mount. Of those that were asked for before, a failure leaves the container without them:
 * a mode can be changed on machines without a GPU, too.
 */
static int settle_nvidia(
	const struct container *c, const char *mode, const struct bundle_setup *o, struct err **err)
{
	auto_err *e = NULL;
	bool was = nvidia_is_set_up(c->fd), copy = mode[0] == 'F';

	if (was && o->purge && nvidia_undo(c, true, err) < 0)
		return -1;
	if (o->nvidia)
		return nvidia_set_up(c, copy, o->force, err);
	if (!was || o->purge)
		return 0;
	if (!copy)
		return nvidia_undo(c, false, err);
	if (!nvidia_is_copied(c) && nvidia_set_up(c, true, o->force, &e) < 0)
		log_warning("container %s: %s; its programs will find no NVIDIA driver until setup --nvidia",
			c->id, err_text(e));
	return 0;
}

/* Modes that change ROOT: until all is done no run may take it for that of either mode. */
static int begin_change(const struct container *c, const char *mode, struct err **err)
{
	return atomic_write(c->fd, ENGINE_MODE_NEXT, mode, strlen(mode), 0644, ATOMIC_DURABLE, err);
}

/* Without a mode of its own from now on. */
static int forget_mode(const struct container *c, struct err **err)
{
	if (unlinkat(c->fd, CONTAINER_FILE_MODE, 0) < 0 && errno != ENOENT)
		return err_sys(err, errno, "%s", CONTAINER_FILE_MODE);
	return fsync(c->fd) < 0 ? err_sys(err, errno, "%s", c->dir) : 0;
}

static int finish_change(const struct container *c, const char *mode, struct err **err)
{
	if ((*mode ? bundle_mode_write(c->fd, c->dir, mode, ATOMIC_DURABLE, err) : forget_mode(c, err)) < 0)
		return -1;
	if (unlinkat(c->fd, ENGINE_MODE_NEXT, 0) < 0 && errno != ENOENT)
		return err_sys(err, errno, "%s", ENGINE_MODE_NEXT);
	return 0;
}

static int change_mode(
	struct store *s, const struct container *c, const struct bundle_setup *o, struct err **err)
{
	char mode[BUNDLE_MODE_LEN + 1] = ""; /* stays so for auto */
	autofree char *old = container_mode(c->fd), *next = interrupted_mode(c->fd);
	const char *changed = *next ? next : old;
	auto_err *e = NULL, *nvidia_err = NULL;
	int r, nvidia;

	if (!is_auto(o->mode) && bundle_mode_check(o->mode, mode, err) < 0)
		return -1;
	if (str_eq(old, mode) && !*next && !o->force && !o->again)
		return 0;
	if ((changed[0] == 'F' || mode[0] == 'F') &&
		begin_change(c, mode[0] == 'F' ? mode : changed, err) < 0)
		return -1;
	r = leave_mode(c, old, mode, &e);
	if (r == 0 && !str_eq(changed, old))
		r = leave_mode(c, changed, mode, &e);
	if (forgive(o->force, r, &e, err) < 0)
		return -1;
	/* ROOT is as the image has it: what is copied is converted with it. A failure there leaves the mode a whole one. */
	nvidia = settle_nvidia(c, mode, o, &nvidia_err);
	r = enter_mode(c, mode, &e);
	if (forgive(o->force, r, &e, err) < 0)
		return -1;
	if (refresh_config(s, c, mode, err) < 0)
		return -1;
	if (finish_change(c, mode, err) < 0)
		return -1;
	return nvidia < 0 ? err_move(err, &nvidia_err) : 0;
}

/* The mode stays; one that converts ROOT has to be left and entered again. */
static int change_nvidia(
	struct store *s, const struct container *c, const struct bundle_setup *o, struct err **err)
{
	autofree char *mode = container_mode(c->fd);
	struct bundle_setup again = *o;

	if (!*mode) {
		if (settle_nvidia(c, bundle_default_mode(c->root), o, err) < 0)
			return -1;
		return refresh_config(s, c, NULL, err);
	}
	again.mode = mode;
	again.again = true;
	return change_mode(s, c, &again, err);
}

int bundle_setup(struct store *s, const struct container *c, const struct bundle_setup *o, struct err **err)
{
	if (o->mode && !o->even_protected && container_is_protected(c->fd)) {
		err_make(err, ERR_DENIED, "container %s is protected", c->id);
		return err_hint(err, "unprotect it first");
	}
	atomic_clean(c->fd); /* what a killed predecessor left */
	if (o->purge && purge(c, err) < 0)
		return err_add(err, "container %s", c->id);
	if (o->fixperm && fix_permissions(c, err) < 0)
		return err_add(err, "container %s", c->id);
	if (o->nvidia || (o->purge && nvidia_is_set_up(c->fd))) {
		struct bundle_setup with = *o;

		with.again = true;
		return o->mode ? change_mode(s, c, &with, err) : change_nvidia(s, c, o, err);
	}
	return o->mode ? change_mode(s, c, o, err) : 0;
}
