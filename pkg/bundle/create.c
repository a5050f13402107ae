/* SPDX-License-Identifier: Apache-2.0 */
/* Order of work: ask what can be asked, stage, unpack, write the small files, sync once, rename, name. */
#include "pkg/bundle/create.h"

#include <errno.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "engines/engine.h"
#include "oci-spec/digest.h"
#include "oci-spec/image_config.h"
#include "pkg/base/err.h"
#include "pkg/base/fs.h"
#include "pkg/base/id.h"
#include "pkg/base/json.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/base/path.h"
#include "pkg/base/sig.h"
#include "pkg/base/str.h"
#include "pkg/bundle/birth.h"
#include "pkg/bundle/config.h"
#include "pkg/bundle/options.h"
#include "pkg/bundle/origin.h"
#include "pkg/bundle/setup.h"
#include "pkg/bundle/unpack.h"
#include "pkg/store/containers.h"
#include "pkg/store/images.h"
#include "pkg/store/store.h"

#define BUNDLE_ROOT "rootfs"

/* ---- what lies in the folder --------------------------------------------------------------------------------------------- */

int bundle_write_config(const struct bundle_source *src, struct err **err)
{
	/* A run that takes a default says so itself; in the store each run makes the document anew. */
	struct bundle_options none = { .quiet = true, .any_user = src->id != NULL };
	auto_json *config = NULL;
	auto_str text = STR_INIT;

	if (bundle_config_make(src, &none, &config, err) < 0)
		return -1;
	json_write(config, JSON_PRETTY, &text);
	return birth_write(src->dirfd, CONTAINER_FILE_CONFIG, str_text(&text), text.len, err);
}

static int fill_root(struct store *s, const struct origin *from, int dirfd, const char *root,
	const struct bundle_create_options *o, struct err **err)
{
	struct unpack_source src = { .image = from->image, .config = from->config, .coming = from->coming };
	struct unpack_options uo = { .progress = o->progress,
		.keep_setid = o->keep_setid,
		.record_owner = o->record_owner,
		.write_out = !o->no_sync };
	struct unpack_stats stats;
	autoclose int root_fd = -1;

	root_fd = birth_root(dirfd, root, err);
	if (root_fd < 0)
		return -1;
	if (bundle_unpack(s, &src, root_fd, &uo, &stats, err) < 0)
		return -1;
	if (stats.left_out)
		log_info("%s: %llu device nodes and sockets were left out", from->image->name,
			(unsigned long long)stats.left_out);
	if (stats.attrs)
		log_warning("%s: %llu extended attributes may not be set here, leaving them out",
			from->image->name, (unsigned long long)stats.attrs);
	birth_warn_unusual(root_fd, from->image->name);
	return 0;
}

/* What the pull may have changed, or may know better: its end is waited for. A full disk is no such thing. */
static bool may_be_early(const struct err *e)
{
	return err_is(e, ERR_NETWORK) || err_is(e, ERR_CORRUPT) || err_is(e, ERR_NOT_FOUND);
}

/* An image that is being pulled is unpacked while it arrives; it counts when the pull has stored it. */
static int fill_root_from(struct store *s, const char *ref, struct origin *from, int dirfd, const char *root,
	const struct bundle_create_options *o, struct err **err)
{
	auto_err *e = NULL;
	int filled, same;

	if (!from->coming)
		return fill_root(s, from, dirfd, root, o, err);
	filled = fill_root(s, from, dirfd, root, o, &e);
	if (filled < 0 && (sig_interrupted() || !may_be_early(e)))
		return err_move(err, &e);
	same = origin_settle(s, ref, from, err);
	if (same < 0 || (filled == 0 && same > 0))
		return same < 0 ? -1 : 0;
	log_verbose("%s: unpacking it again, now that it is stored: %s", ref,
		e ? err_text(e) : "another image has this name now");
	if (fs_rm_tree(dirfd, root, err) < 0)
		return -1;
	return fill_root(s, from, dirfd, root, o, err);
}

/* ---- a container of the store -------------------------------------------------------------------------------------------- */

static int write_small_files(
	const struct birth *b, const struct origin *from, const char *mode, struct err **err)
{
	const char *image = from->image->name;

	if (birth_write(b->stage.fd, CONTAINER_FILE_METADATA, str_text(&from->text), from->text.len, err) <
			0 ||
		birth_write(b->stage.fd, CONTAINER_FILE_IMAGE, image, strlen(image), err) < 0)
		return -1;
	return birth_config(b, from->json, image, mode, err);
}

static int make_container(struct birth *b, const char *ref, struct origin *from,
	const struct bundle_create_options *o, const char *mode, struct err **err)
{
	if (birth_stage(b, err) < 0 ||
		fill_root_from(b->store, ref, from, b->stage.fd, CONTAINER_ROOT, o, err) < 0)
		return -1;
	if (write_small_files(b, from, mode, err) < 0 || birth_finish(b, err) < 0)
		return err_add(err, "container of %s", from->image->name);
	return 0;
}

int bundle_create(struct store *s, const char *ref, const struct bundle_create_options *o, char **ret_id,
	struct err **err)
{
	struct birth_options bo = { .name = o->name, .no_sync = o->no_sync, .force = o->force };
	char mode[BUNDLE_MODE_LEN + 1] = "";
	auto_birth b = BIRTH_INIT;
	auto_origin from = ORIGIN_INIT;

	if (birth_begin(&b, s, &bo, err) < 0)
		return -1;
	if (o->execmode && strcasecmp(o->execmode, "auto") != 0 &&
		bundle_mode_check(o->execmode, mode, err) < 0)
		return -1;
	if (origin_find(s, ref, &from, err) < 0)
		return birth_give_up(err);
	if (make_container(&b, ref, &from, o, *mode ? mode : NULL, err) < 0)
		return birth_give_up(err);
	if (birth_is_converted(mode) && birth_convert(&b, mode, err) < 0)
		return -1;
	*ret_id = xstrdup(b.id);
	return 0;
}

/* ---- a bundle anywhere --------------------------------------------------------------------------------------------------- */

/* Staging beside the place where the bundle will lie, locked while we live. */
struct place {
	int parent_fd, fd;
	char *base; /* last component of the place */
	char *tmp; /* ".BASE.udocker-<random>" until it is renamed */
};
#define PLACE_INIT ((struct place){ .parent_fd = -1, .fd = -1 })

static void place_drop(struct place *p)
{
	if (p->fd >= 0)
		close(p->fd);
	if (p->tmp)
		(void)fs_rm_tree(
			p->parent_fd, p->tmp, NULL); /* what cannot be removed is no reason to fail twice */
	if (p->parent_fd >= 0)
		close(p->parent_fd);
	free(p->tmp);
	free(p->base);
}

/* What killed predecessors of ours left for this very place. */
static void clean_dead(const struct place *p, const char *prefix)
{
	auto_strv names = STRV_INIT;

	if (fs_list(p->parent_fd, ".", &names) < 0)
		return;
	for (size_t i = 0; i < names.n; i++) {
		autoclose int fd = -1;

		if (!str_starts(names.v[i], prefix))
			continue;
		fd = openat(p->parent_fd, names.v[i], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
			(void)fs_rm_tree(p->parent_fd, names.v[i], NULL); /* the next one tries again */
	}
}

static bool is_free(const struct place *p)
{
	auto_strv names = STRV_INIT;
	struct stat st;

	if (fstatat(p->parent_fd, p->base, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT;
	return S_ISDIR(st.st_mode) && fs_list(p->parent_fd, p->base, &names) == 0 && names.n == 0;
}

/* 1 when it is ours, 0 when a cleaner was faster or the name is taken. */
static int place_claim(struct place *p)
{
	struct stat st;

	if (mkdirat(p->parent_fd, p->tmp, 0700) < 0)
		return errno == EEXIST ? 0 : -1;
	p->fd = openat(p->parent_fd, p->tmp, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (p->fd < 0)
		return errno == ENOENT ? 0 : -1;
	/* Some file systems refuse locks: then nothing of ours is cleaned there. */
	if ((flock(p->fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) && fstat(p->fd, &st) == 0 &&
		st.st_nlink > 0)
		return 1;
	close(p->fd);
	p->fd = -1;
	return 0;
}

static int place_stage(struct place *p, const char *prefix)
{
	for (int tries = 0; tries < 10; tries++) {
		char random[13];
		int r;

		id_random_hex(random, 12);
		p->tmp = xasprintf("%s%s", prefix, random);
		r = place_claim(p);
		if (r > 0)
			return 0;
		free(steal_ptr(&p->tmp));
		if (r < 0)
			break;
	}
	return -1;
}

static int place_begin(struct place *p, const char *dir, struct err **err)
{
	autofree char *clean = path_clean(dir);
	autofree char *above = path_dir(clean);
	autofree char *prefix = NULL;

	p->base = xstrdup(path_base(clean));
	if (!*p->base || str_eq(p->base, ".") || str_eq(p->base, ".."))
		return err_make(err, ERR_USAGE, "'%s' cannot become a bundle: name a new directory", dir);
	p->parent_fd = open(above, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (p->parent_fd < 0)
		return err_sys(err, errno, "%s", above);
	if (!is_free(p)) {
		err_make(err, ERR_EXISTS, "%s exists and is no empty directory", dir);
		return err_hint(err, "name a new one");
	}
	prefix = xasprintf(".%s.udocker-", p->base);
	clean_dead(p, prefix);
	return place_stage(p, prefix) < 0 ? err_sys(err, errno, "make a directory in %s", above) : 0;
}

static int place_publish(struct place *p, const char *dir, bool no_sync, struct err **err)
{
	mode_t mask = umask(022);

	umask(mask);
	if (fchmod(p->fd, 0777 & ~mask) < 0)
		return err_sys(err, errno, "%s", dir);
	/* Takes the place of an empty directory, and of nothing else. */
	if (renameat(p->parent_fd, p->tmp, p->parent_fd, p->base) < 0)
		return err_sys(err, errno, "%s", dir);
	free(steal_ptr(&p->tmp));
	if (!no_sync)
		(void)fs_sync_dir(
			p->parent_fd); /* it is complete; when the disk knows its name is its own affair */
	return 0;
}

int bundle_create_at(struct store *s, const char *ref, const char *dir, const struct bundle_create_options *o,
	struct err **err)
{
	CLEANUP(place_drop) struct place p = PLACE_INIT;
	struct bundle_source src = BUNDLE_SOURCE_INIT;
	auto_origin from = ORIGIN_INIT;
	autofree char *above = NULL, *path = NULL;

	if (place_begin(&p, dir, err) < 0 || origin_find(s, ref, &from, err) < 0)
		return birth_give_up(err);
	if (fill_root_from(s, ref, &from, p.fd, BUNDLE_ROOT, o, err) < 0)
		return birth_give_up(err);
	above = fs_fd_path(p.parent_fd);
	path = path_join(above ? above : ".", p.base);
	src.dir = path;
	src.dirfd = p.fd;
	src.root = BUNDLE_ROOT;
	src.image = from.json;
	src.image_name = from.image->name;
	if (bundle_write_config(&src, err) < 0 || birth_sync(p.fd, o->no_sync, err) < 0)
		return err_add(err, "bundle of %s", from.image->name);
	return place_publish(&p, dir, o->no_sync, err);
}
