/* SPDX-License-Identifier: Apache-2.0 */
/* The folder is copied as it is but for what belongs to its place, in staging, and published like a new one. */
#include "pkg/bundle/clone.h"

#include <errno.h>
#include <sys/stat.h>

#include "engines/engine.h"
#include "pkg/base/err.h"
#include "pkg/base/fs.h"
#include "pkg/base/id.h"
#include "pkg/base/json.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/base/str.h"
#include "pkg/bundle/birth.h"
#include "pkg/bundle/copy_tree.h"
#include "pkg/bundle/setup.h"
#include "pkg/store/containers.h"
#include "pkg/store/store.h"

#define LINKS ".tmp-links"

bool bundle_is_local(const char *name)
{
	return str_starts(name, ".tmp-") || str_eq(name, CONTAINER_FILE_CONFIG) ||
	       str_eq(name, BUNDLE_ROOT_PATH_FILE) || id_is_container(name);
}

int bundle_check_whole(const struct container *c, int *ret_root, struct err **err)
{
	autofree char *image = container_image_name(c->fd);
	autoclose int root = openat(c->fd, CONTAINER_ROOT, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (str_eq(image, BUNDLE_IN_PROGRESS)) {
		err_make(err, ERR_BUSY,
			"container %s is still being made by another udocker, or was never finished", c->id);
		return err_hint(err, "wait, or remove it");
	}
	if (root < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP)) {
		err_make(err, ERR_CORRUPT, "container %s is half-made: it has no directory %s", c->id,
			CONTAINER_ROOT);
		return err_hint(err, "remove it");
	}
	if (root < 0)
		return err_sys(err, errno, "%s", c->root);
	if (ret_root)
		*ret_root = steal_fd(&root);
	return 0;
}

/* Into the staging directory, with the place for hard links inside it for as long. */
static int copy_folder(const struct birth *b, const struct container *c, struct err **err)
{
	struct copy_tree_options o = { .skip = bundle_is_local };
	autofree char *what = xasprintf("container %s", c->id);
	autoclose int links = -1;
	struct copy_tree_stats st;

	if (mkdirat(b->stage.fd, LINKS, 0700) < 0)
		return err_sys(err, errno, "write to %s", b->store->top);
	links = openat(b->stage.fd, LINKS, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (links < 0)
		return err_sys(err, errno, "write to %s", b->store->top);
	o.what = what;
	o.links_fd = links;
	if (copy_tree(c->fd, b->stage.fd, &o, &st, err) < 0 || fs_rm_tree(b->stage.fd, LINKS, err) < 0)
		return -1;
	if (st.left_out)
		log_info("%s: %llu device nodes and sockets were left out", what,
			(unsigned long long)st.left_out);
	if (st.mounts)
		log_warning(
			"%s: %llu of its directories are mount points; what is mounted there was left out",
			what, (unsigned long long)st.mounts);
	log_verbose("%s: %llu files, %llu bytes, %llu of them shared with the original", what,
		(unsigned long long)st.files, (unsigned long long)st.bytes, (unsigned long long)st.shared);
	return 0;
}

/* A container that is removed meanwhile is copied in part, without a word: what vanishes is left out. */
static int copy_all(const struct birth *b, const struct container *c, struct err **err)
{
	if (copy_folder(b, c, err) < 0)
		return -1;
	return container_check_current(b->store, c, err);
}

static int make_clone(struct birth *b, const struct container *c, const char *mode, struct err **err)
{
	autofree char *image = container_image_name(c->fd);
	auto_json *metadata = NULL;

	if (container_metadata(c->fd, &metadata, err) < 0 || birth_stage(b, err) < 0 ||
		copy_all(b, c, err) < 0 ||
		birth_config(b, metadata, image, engine_mode_is_valid(mode) ? mode : NULL, err) < 0)
		return err_add(err, "clone of %s", c->id);
	/* Where the files of a converted container lead to still. */
	if (birth_is_converted(mode) &&
		birth_write(b->stage.fd, BUNDLE_ROOT_PATH_FILE, c->root, strlen(c->root), err) < 0)
		return -1;
	if (birth_finish(b, err) < 0)
		return -1;
	return birth_is_converted(mode) ? birth_convert(b, mode, err) : 0;
}

static int clone_opened(struct store *s, const struct container *c, const struct birth_options *o,
	char **ret_id, struct err **err)
{
	auto_birth b = BIRTH_INIT;
	autofree char *mode = NULL;

	if (bundle_check_whole(c, NULL, err) < 0 || birth_begin(&b, s, o, err) < 0)
		return -1;
	mode = container_mode(c->fd);
	if (make_clone(&b, c, mode, err) < 0)
		return birth_give_up(err);
	*ret_id = xstrdup(b.id);
	return 0;
}

int bundle_clone(struct store *s, const char *container, const struct birth_options *o, char **ret_id,
	struct err **err)
{
	auto_container *c = NULL;
	auto_err *e = NULL;

	if (container_open(s, container, &c, err) < 0)
		return -1;
	if (clone_opened(s, c, o, ret_id, &e) == 0)
		return 0;
	/* Whatever is wrong with one that is being removed is not what is to be said. */
	if (container_check_current(s, c, err) < 0)
		return -1;
	err_move(err, &e);
	return -1;
}
