/* SPDX-License-Identifier: Apache-2.0 */
/* What create, clone and import have in common from the first question to the rename. */
#include "pkg/bundle/birth.h"

#include <errno.h>
#include <sys/stat.h>

#include "engines/engine.h"
#include "pkg/base/atomic.h"
#include "pkg/base/err.h"
#include "pkg/base/fs.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/base/path.h"
#include "pkg/base/sig.h"
#include "pkg/base/strv.h"
#include "pkg/bundle/config.h"
#include "pkg/bundle/create.h"
#include "pkg/bundle/setup.h"
#include "pkg/store/containers.h"

static int goes_without(const struct birth *b, struct err **e, struct err **err)
{
	if (!b->o->force || !b->name)
		return err_move(err, e);
	log_warning("%s; the container stays without a name", err_text(*e));
	return 0;
}

int birth_begin(struct birth *b, struct store *s, const struct birth_options *o, struct err **err)
{
	auto_err *e = NULL;

	b->store = s;
	b->o = o;
	b->name = o->name;
	if (b->name && container_name_check(s, b->name, &e) < 0) {
		if (goes_without(b, &e, err) < 0)
			return -1;
		b->name = NULL;
	}
	id_uuid(b->id);
	b->dir = path_join(s->containers, b->id);
	return 0;
}

int birth_stage(struct birth *b, struct err **err)
{
	if (store_stage_begin(b->store, &b->stage, err) < 0)
		return -1;
	b->stage.no_sync = b->o->no_sync;
	return 0;
}

int birth_config(const struct birth *b, const struct json *metadata, const char *image, const char *mode,
	struct err **err)
{
	struct bundle_source src = BUNDLE_SOURCE_INIT;
	auto_strv names = STRV_INIT;
	int r;

	if (b->name)
		strv_add(&names, b->name);
	src.dir = b->dir;
	src.dirfd = b->stage.fd;
	src.root = CONTAINER_ROOT;
	src.image = metadata;
	src.id = b->id;
	src.names = &names;
	src.image_name = image;
	src.execmode = mode;
	r = bundle_write_config(&src, err);
	return r == 0 && mode ? bundle_mode_write(b->stage.fd, b->dir, mode, 0, err) : r;
}

int birth_finish(struct birth *b, struct err **err)
{
	auto_err *e = NULL;

	if (birth_sync(b->stage.fd, b->o->no_sync, err) < 0)
		return -1;
	if (container_publish(b->store, &b->stage, b->id, b->name, &e) == 0)
		return 0;
	/* A name may be taken between the question and now. */
	if (!err_is(e, ERR_EXISTS))
		return err_move(err, &e);
	return goes_without(b, &e, err) < 0 ? -1 : container_publish(b->store, &b->stage, b->id, NULL, err);
}

bool birth_is_converted(const char *mode)
{
	const struct engine *e = engine_by_mode(mode);

	return mode[0] == 'F' || (e && e->prepare);
}

int birth_convert(const struct birth *b, const char *mode, struct err **err)
{
	struct bundle_setup change = { .mode = mode, .again = true };
	auto_container *c = NULL;

	if (container_open(b->store, b->id, &c, err) < 0)
		return -1;
	/* It may have come protected. */
	change.even_protected = true;
	if (bundle_setup(b->store, c, &change, err) == 0)
		return 0;
	(void)container_protect(c, false, NULL);
	(void)container_remove(b->store, b->id, NULL); /* the error is the one that made it fail */
	return -1;
}

void birth_drop(struct birth *b)
{
	store_stage_drop(&b->stage);
	free(b->dir);
	*b = BIRTH_INIT;
}

/* ---- parts --------------------------------------------------------------------------------------------------------------- */

int birth_write(int dirfd, const char *name, const char *p, size_t n, struct err **err)
{
	return atomic_write(dirfd, name, p, n, 0644, 0, err);
}

int birth_root(int dirfd, const char *root, struct err **err)
{
	autoclose int fd = -1;

	if (mkdirat(dirfd, root, 0755) < 0)
		return err_sys(err, errno, "make %s", root);
	fd = openat(dirfd, root, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fchmod(fd, 0755) < 0)
		return err_sys(err, errno, "open %s", root);
	return steal_fd(&fd);
}

void birth_warn_unusual(int root_fd, const char *what)
{
	static const char *const usual[] = { "bin", "usr", "etc", "lib", "var", "tmp", "sys", "dev", "data",
		"home", "system", "root", "proc" };

	for (size_t i = 0; i < ARRAY_LEN(usual); i++)
		if (fs_exists(root_fd, usual[i]))
			return;
	log_warning("%s has none of the usual directories; its container is made all the same", what);
}

int birth_sync(int dirfd, bool no_sync, struct err **err)
{
	if (sig_interrupted())
		return err_make(err, ERR_SYSTEM, "interrupted");
	if (!no_sync && syncfs(dirfd) < 0)
		return err_sys(err, errno, "write to disk");
	return 0;
}

int birth_give_up(struct err **err)
{
	/* What was going on when the user had enough does not matter to him. */
	if (sig_interrupted()) {
		err_clear(err);
		err_make(err, ERR_SYSTEM, "interrupted: nothing was made");
	}
	return -1;
}
